//! Pages owed, attempts to deliver them, and what became of them.

use sqlx::QueryBuilder;

use super::pages::{self, Page, Stored, sound};
use super::{Connection, Db, Engine, ROWS, Writing, alerts, text};
use crate::store::error::StoreError;
use crate::store::rows::{
    AttemptRow, Attempted, Backlog, Delivery, End, Kind, Next, OutboxRow, Owed,
};

const FIRES: &str = pages!("where incident = $1 and rule = $2 and kind = 'fire' order by id");
/// `id + 0`: the row says it, not the index, where it may be damaged and nobody sees that.
const OWED: &str = pages!(
    "where receiver = $1 and done_ms is null and not exists ( \
         select 1 from outbox earlier where earlier.receiver = outbox.receiver \
         and earlier.incident = outbox.incident and earlier.done_ms is null \
         and earlier.id + 0 < outbox.id) \
     order by due_ms, id limit $2"
);
const WAITING: &str =
    pages!("where receiver = $1 and incident = $2 and id + 0 >= $3 and done_ms is null");
const INTERRUPTED: &str = pages!(
    "where done_ms is null and id in \
     (select outbox from attempt where ended_ms is null and outcome is null)"
);
const UNACCEPTED: &str = pages!(
    "where receiver = $1 and kind = 'fire' and done_ms is null and escalated is null \
     order by created_ms, id limit $2"
);
const TOLD: &str = pages!("where incident = $1 and rule = $2 and receiver = $3 order by id");
const DELIVERIES: &str =
    pages!("where incident = coalesce($1, incident) order by id desc limit $2");

/// Adds what a transition owes. A resolve follows its fire, wherever that went.
pub(super) async fn owe(
    engine: &Engine,
    connection: &mut Connection,
    page: &OutboxRow,
) -> Result<(), sqlx::Error> {
    match page.kind {
        Kind::Fire => owe_fire(connection, page).await,
        Kind::Resolve => owe_resolve(engine, connection, page).await,
    }
}

async fn owe_fire(connection: &mut Connection, page: &OutboxRow) -> Result<(), sqlx::Error> {
    for receiver in &page.receivers {
        pages::insert(connection, &new(page, receiver)).await?;
    }
    Ok(())
}

/// A page to one receiver, due at once.
pub(super) fn new(page: &OutboxRow, receiver: &str) -> Page {
    Page {
        id: 0,
        receiver: receiver.to_owned(),
        incident: page.incident,
        objective: page.objective.clone(),
        rule: page.rule.clone(),
        kind: page.kind,
        notice: page.notice.clone(),
        created_ms: page.created_ms,
        due_ms: page.created_ms,
        attempts: 0,
        escalated: None,
        fallback_of: None,
        done_ms: None,
        outcome: None,
    }
}

/// To those who were owed the fire, or of them the only ones who get it. Who was owed a fire that is damaged now is
/// owed its end when the fire is mended.
async fn owe_resolve(
    engine: &Engine,
    connection: &mut Connection,
    page: &OutboxRow,
) -> Result<(), sqlx::Error> {
    let fires: Vec<Stored> = sqlx::query_as::<Db, _>(FIRES)
        .bind(page.incident)
        .bind(&page.rule)
        .fetch_all(&mut *connection)
        .await?;
    for fire in sound(engine, fires) {
        let abandoned = fire.outcome.as_deref() == Some("abandoned");
        let only = page.only.as_ref();
        if abandoned || only.is_some_and(|only| !only.contains(&fire.receiver)) {
            continue;
        }
        let resolve = Page {
            fallback_of: fire.fallback_of,
            ..new(page, &fire.receiver)
        };
        pages::insert(connection, &resolve).await?;
    }
    Ok(())
}

/// Each incident's oldest page that the receiver still has to accept, the one due first at the front. One that is
/// damaged holds up those behind it until it is mended.
pub(crate) async fn owed(
    engine: &Engine,
    receiver: &str,
    limit: i64,
) -> Result<Vec<Owed>, StoreError> {
    let rows: Vec<Stored> = sqlx::query_as::<Db, _>(OWED)
        .bind(receiver)
        .bind(limit)
        .fetch_all(&engine.readers)
        .await?;
    let owed = |page: Page| Owed {
        id: page.id,
        incident: page.incident,
        kind: page.kind,
        notice: page.notice,
        created_ms: page.created_ms,
        due_ms: page.due_ms,
        attempts: page.attempts,
    };
    Ok(sound(engine, rows).into_iter().map(owed).collect())
}

/// Writes down that an attempt begins, and that nobody begins another before `lease_until_ms`.
pub(crate) async fn begin_attempt(
    engine: &Engine,
    outbox: i64,
    started_ms: i64,
    lease_until_ms: i64,
) -> Result<i64, StoreError> {
    let mut writing = Writing::begin(engine).await?;
    let mut page = pages::load(engine, &mut writing.connection, outbox).await?;
    page.attempts += 1;
    page.due_ms = lease_until_ms;
    pages::update(&mut writing.connection, &page).await?;
    let attempt = sqlx::query_scalar::<Db, _>(
        "insert into attempt (outbox, started_ms) values ($1, $2) returning id",
    )
    .bind(outbox)
    .bind(started_ms)
    .fetch_one(&mut writing.connection)
    .await?;
    writing.commit().await?;
    Ok(attempt)
}

/// Writes down how an attempt ended, and what follows.
pub(crate) async fn end_attempt(engine: &Engine, ended: &Attempted) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    let outcome = match ended.next {
        Next::Accepted => "accepted",
        Next::Retry { .. } | Next::Abandoned => "retry",
        Next::Refused { .. } => "refused",
    };
    sqlx::query::<Db>(
        "update attempt set ended_ms = $1, outcome = $2, status = $3, detail = $4 where id = $5",
    )
    .bind(ended.ended_ms)
    .bind(outcome)
    .bind(ended.status)
    .bind(ended.detail.as_deref().map(text))
    .bind(ended.attempt)
    .execute(&mut writing.connection)
    .await?;
    let mut page = pages::load(engine, &mut writing.connection, ended.outbox).await?;
    match ended.next {
        Next::Accepted => {
            page.done_ms = Some(ended.ended_ms);
            page.outcome = Some("accepted".to_owned());
        }
        Next::Retry { due_ms } | Next::Refused { due_ms } => page.due_ms = due_ms,
        Next::Abandoned => {
            abandon(engine, &mut writing.connection, &page, ended.ended_ms).await?;
            return writing.commit().await;
        }
    }
    pages::update(&mut writing.connection, &page).await?;
    writing.commit().await
}

/// Gives up a page and those of its incident that wait behind it.
async fn abandon(
    engine: &Engine,
    connection: &mut Connection,
    first: &Page,
    at_ms: i64,
) -> Result<(), StoreError> {
    let waiting: Vec<Stored> = sqlx::query_as::<Db, _>(WAITING)
        .bind(&first.receiver)
        .bind(first.incident)
        .bind(first.id)
        .fetch_all(&mut *connection)
        .await?;
    for mut page in sound(engine, waiting) {
        page.done_ms = Some(at_ms);
        page.outcome = Some("abandoned".to_owned());
        pages::update(connection, &page).await?;
    }
    Ok(())
}

/// After a start: attempts that the last process did not finish are due at once.
pub(crate) async fn resume(engine: &Engine, now_ms: i64) -> Result<u64, StoreError> {
    let mut writing = Writing::begin(engine).await?;
    let interrupted: Vec<Stored> = sqlx::query_as::<Db, _>(INTERRUPTED)
        .fetch_all(&mut writing.connection)
        .await?;
    let mut due = 0;
    for mut page in sound(engine, interrupted) {
        page.due_ms = now_ms;
        pages::update(&mut writing.connection, &page).await?;
        due += 1;
    }
    sqlx::query::<Db>(
        "update attempt set outcome = 'interrupted' where ended_ms is null and outcome is null",
    )
    .execute(&mut writing.connection)
    .await?;
    writing.commit().await?;
    Ok(due)
}

/// Fires that a receiver has not accepted and that no fallback has yet: row and when decided, oldest first.
pub(crate) async fn unaccepted(
    engine: &Engine,
    receiver: &str,
    limit: i64,
) -> Result<Vec<(i64, i64)>, StoreError> {
    let rows: Vec<Stored> = sqlx::query_as::<Db, _>(UNACCEPTED)
        .bind(receiver)
        .bind(limit)
        .fetch_all(&engine.readers)
        .await?;
    let fires = sound(engine, rows).into_iter();
    Ok(fires.map(|page| (page.id, page.created_ms)).collect())
}

/// Owes a fire, and its resolve if there is one, to the fallback receiver too. What is over is escalated as well:
/// nobody has seen that it ever was.
pub(crate) async fn escalate(
    engine: &Engine,
    outbox: i64,
    fallback: &str,
    end: Option<End>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    let mut fire = pages::load(engine, &mut writing.connection, outbox).await?;
    let told: Vec<Stored> = sqlx::query_as::<Db, _>(TOLD)
        .bind(fire.incident)
        .bind(&fire.rule)
        .bind(&fire.receiver)
        .fetch_all(&mut writing.connection)
        .await?;
    for page in sound(engine, told) {
        pages::insert(&mut writing.connection, &copied(page, fallback, now_ms)).await?;
    }
    if let Some(end) = end {
        owe_end(
            engine,
            &mut writing.connection,
            &fire,
            fallback,
            (end, now_ms),
        )
        .await?;
    }
    fire.escalated = Some(fallback.to_owned());
    pages::update(&mut writing.connection, &fire).await?;
    writing.commit().await
}

/// If the incident is over, owes the fallback that too, whether or not another receiver was told.
async fn owe_end(
    engine: &Engine,
    connection: &mut Connection,
    fire: &Page,
    fallback: &str,
    (end, now_ms): (End, i64),
) -> Result<(), StoreError> {
    let incident = alerts::incident(engine, connection, fire.incident).await?;
    let notice = incident.and_then(|incident| {
        let reason = incident.resolved_reason.unwrap_or_default();
        end(&fire.notice, incident.resolved_s?, &reason)
    });
    let Some(notice) = notice else {
        return Ok(());
    };
    let resolve = Page {
        kind: Kind::Resolve,
        notice,
        ..copied(fire.clone(), fallback, now_ms)
    };
    Ok(pages::insert(connection, &resolve).await?)
}

/// A page for the fallback of its receiver, due at once.
fn copied(page: Page, fallback: &str, now_ms: i64) -> Page {
    Page {
        id: 0,
        receiver: fallback.to_owned(),
        fallback_of: Some(page.receiver),
        created_ms: now_ms,
        due_ms: now_ms,
        attempts: 0,
        escalated: None,
        done_ms: None,
        outcome: None,
        ..page
    }
}

pub(crate) async fn pending(engine: &Engine, receiver: &str) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar::<Db, _>(
        "select count(*) from outbox where receiver = $1 and done_ms is null",
    )
    .bind(receiver)
    .fetch_one(&engine.readers)
    .await?)
}

pub(crate) async fn backlog(engine: &Engine) -> Result<Vec<Backlog>, StoreError> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as::<Db, _>(
        "select receiver, count(*), min(created_ms) from outbox where done_ms is null \
         group by receiver order by receiver",
    )
    .fetch_all(&engine.readers)
    .await?;
    let backlog = |(receiver, pages, oldest_ms)| Backlog {
        receiver,
        pages,
        oldest_ms,
    };
    Ok(rows.into_iter().map(backlog).collect())
}

pub(crate) async fn deliveries(
    engine: &Engine,
    incident: Option<i64>,
    limit: i64,
) -> Result<Vec<Delivery>, StoreError> {
    let rows: Vec<Stored> = sqlx::query_as::<Db, _>(DELIVERIES)
        .bind(incident)
        .bind(limit)
        .fetch_all(&engine.readers)
        .await?;
    let pages = sound(engine, rows);
    let attempts = attempts_of(engine, &pages).await?;
    let delivery = |page: Page| Delivery {
        attempts: attempts
            .iter()
            .filter(|attempt| attempt.outbox == page.id)
            .cloned()
            .collect(),
        id: page.id,
        receiver: page.receiver,
        fallback_of: page.fallback_of,
        incident: page.incident,
        objective: page.objective,
        rule: page.rule,
        kind: page.kind,
        notice: page.notice,
        created_ms: page.created_ms,
        done_ms: page.done_ms,
        outcome: page.outcome,
    };
    Ok(pages.into_iter().map(delivery).collect())
}

async fn attempts_of(engine: &Engine, pages: &[Page]) -> Result<Vec<AttemptRow>, StoreError> {
    let mut attempts = Vec::new();
    for pages in pages.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new(
            "select outbox, started_ms, ended_ms, outcome, status, detail from attempt \
             where outbox in (",
        );
        let mut list = built.separated(", ");
        for page in pages {
            list.push_bind(page.id);
        }
        built.push(") order by id");
        let rows: Vec<AttemptRow> = built
            .build_query_as()
            .persistent(false)
            .fetch_all(&engine.readers)
            .await?;
        attempts.extend(rows);
    }
    Ok(attempts)
}
