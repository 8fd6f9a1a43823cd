//! Rows of the outbox, each with its checksum.

use super::{Connection, Db, Engine, Found, text};
use crate::store::damage::{MISMATCH, RowKey, RowSum};
use crate::store::error::StoreError;
use crate::store::rows::Kind;

/// A row of the outbox, whole.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// The database chooses it: 0 in a new row.
    pub(super) id: i64,
    pub(super) receiver: String,
    pub(super) incident: i64,
    pub(super) objective: String,
    pub(super) rule: String,
    pub(super) kind: Kind,
    pub(super) notice: String,
    pub(super) created_ms: i64,
    pub(super) due_ms: i64,
    pub(super) attempts: i64,
    pub(super) escalated: Option<String>,
    pub(super) fallback_of: Option<String>,
    pub(super) done_ms: Option<i64>,
    pub(super) outcome: Option<String>,
}

/// A row as it is found.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Stored {
    pub(super) id: i64,
    receiver: Found,
    incident: i64,
    objective: Found,
    rule: Found,
    kind: Found,
    notice: Found,
    created_ms: i64,
    due_ms: i64,
    attempts: i64,
    escalated: Option<Found>,
    fallback_of: Option<Found>,
    done_ms: Option<i64>,
    outcome: Option<Found>,
    crc: Option<i64>,
}

impl Page {
    fn sum(&self) -> RowSum {
        RowSum::of("outbox")
            .text(&self.receiver)
            .number(self.incident)
            .text(&self.objective)
            .text(&self.rule)
            .text(self.kind.as_str())
            .text(&self.notice)
            .number(self.created_ms)
            .number(self.due_ms)
            .number(self.attempts)
            .optional_text(self.escalated.as_deref())
            .optional_text(self.fallback_of.as_deref())
            .optional_number(self.done_ms)
            .optional_text(self.outcome.as_deref())
    }
}

impl Stored {
    /// The row, as far as it can be read, and whether it is whole. What is no kind is taken as a fire: better one
    /// too many than one too few.
    pub(super) fn read(self) -> (Page, bool) {
        let kind = Kind::parse(&self.kind.0);
        let page = Page {
            id: self.id,
            receiver: self.receiver.0,
            incident: self.incident,
            objective: self.objective.0,
            rule: self.rule.0,
            kind: kind.unwrap_or(Kind::Fire),
            notice: self.notice.0,
            created_ms: self.created_ms,
            due_ms: self.due_ms,
            attempts: self.attempts,
            escalated: self.escalated.map(|found| found.0),
            fallback_of: self.fallback_of.map(|found| found.0),
            done_ms: self.done_ms,
            outcome: self.outcome.map(|found| found.0),
        };
        let whole = kind.is_some() && page.sum().matches(self.crc);
        (page, whole)
    }
}

/// The rows that are whole; the others are noted.
pub(super) fn sound(engine: &Engine, rows: Vec<Stored>) -> Vec<Page> {
    let whole = |stored: Stored| {
        let (page, whole) = stored.read();
        if !whole {
            engine.noted.add(RowKey::Page(page.id), MISMATCH.to_owned());
        }
        whole.then_some(page)
    };
    rows.into_iter().filter_map(whole).collect()
}

/// One row, to change it; an error if it is damaged, which waits until it is mended.
pub(super) async fn load(
    engine: &Engine,
    connection: &mut Connection,
    id: i64,
) -> Result<Page, StoreError> {
    let rows: Vec<Stored> = sqlx::query_as::<Db, _>(pages!("where id = $1"))
        .bind(id)
        .fetch_all(connection)
        .await?;
    let page = sound(engine, rows).pop();
    page.ok_or_else(|| StoreError::Damaged {
        what: "a page",
        value: format!("row {id}, damaged or gone"),
    })
}

/// Adds a row, unless the same incident, rule and kind was owed to the receiver before.
pub(super) async fn insert(connection: &mut Connection, page: &Page) -> Result<(), sqlx::Error> {
    let statement = "insert into outbox (receiver, incident, objective, rule, kind, notice, created_ms, due_ms, \
         attempts, escalated, fallback_of, done_ms, outcome, crc) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
         on conflict (incident, rule, kind, receiver) do nothing";
    write(connection, statement, page, None).await
}

/// Writes all of a row.
pub(super) async fn update(connection: &mut Connection, page: &Page) -> Result<(), sqlx::Error> {
    let statement = "update outbox set receiver = $1, incident = $2, objective = $3, rule = $4, kind = $5, \
         notice = $6, created_ms = $7, due_ms = $8, attempts = $9, escalated = $10, fallback_of = $11, \
         done_ms = $12, outcome = $13, crc = $14 where id = $15";
    write(connection, statement, page, Some(page.id)).await
}

async fn write(
    connection: &mut Connection,
    statement: &'static str,
    page: &Page,
    id: Option<i64>,
) -> Result<(), sqlx::Error> {
    let page = as_kept(page);
    let query = sqlx::query::<Db>(statement)
        .bind(&page.receiver)
        .bind(page.incident)
        .bind(&page.objective)
        .bind(&page.rule)
        .bind(page.kind.as_str())
        .bind(&page.notice)
        .bind(page.created_ms)
        .bind(page.due_ms)
        .bind(page.attempts)
        .bind(page.escalated.as_deref())
        .bind(page.fallback_of.as_deref())
        .bind(page.done_ms)
        .bind(page.outcome.as_deref())
        .bind(page.sum().value());
    let query = match id {
        Some(id) => query.bind(id),
        None => query,
    };
    query.execute(connection).await.map(drop)
}

/// With text as the databases keep it: the checksum is of what comes back.
fn as_kept(page: &Page) -> Page {
    let mut page = page.clone();
    for kept in [
        &mut page.receiver,
        &mut page.objective,
        &mut page.rule,
        &mut page.notice,
    ] {
        if kept.contains('\0') {
            *kept = text(kept).into_owned();
        }
    }
    page
}
