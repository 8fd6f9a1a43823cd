//! Damaged pages and incidents: found before somebody needs them, and written anew.

use std::collections::{BTreeMap, BTreeSet};

use super::pages::{self, Stored};
use super::{Db, Engine, Found, Writing, alerts, outbox, quarantine};
use crate::store::damage::{MISMATCH, RowKey};
use crate::store::error::StoreError;
use crate::store::mend::{FoundIncident, FoundPage, MendedPage};
use crate::store::rows::{AlertRow, HistoryRow, Kind};

/// Rows of a table that are read in one go.
const SCRUBBED: i64 = 200;

/// Reads the rows behind these ids of the outbox and of the incidents, some at a time, and notes those that are
/// damaged; returns the last ids, the highest there is after the last row, and whether an owed page is astray.
pub(crate) async fn scrub(
    engine: &Engine,
    after: (i64, i64),
) -> Result<((i64, i64), bool), StoreError> {
    let rows: Vec<Stored> = sqlx::query_as::<Db, _>(pages!("where id > $1 order by id limit $2"))
        .bind(after.0)
        .bind(SCRUBBED)
        .fetch_all(&engine.readers)
        .await?;
    let page = next(rows.iter().map(|row| row.id));
    let owed = pages::sound(engine, rows).into_iter();
    let astray = astray(engine, owed.filter(|page| page.done_ms.is_none()).collect()).await?;
    let rows: Vec<alerts::Incident> =
        sqlx::query_as::<Db, _>(incidents!("where incident > $1 order by incident limit $2"))
            .bind(after.1)
            .bind(SCRUBBED)
            .fetch_all(&engine.readers)
            .await?;
    let incident = next(rows.iter().map(|row| row.0));
    alerts::sound(engine, rows);
    Ok(((page, incident), astray))
}

/// Whether the index that deliveries go by does not lead to one of these owed pages, or says something else of it
/// than its row: nobody would ever deliver it.
async fn astray(engine: &Engine, owed: Vec<pages::Page>) -> Result<bool, StoreError> {
    let mut indexed: BTreeMap<&str, BTreeSet<(String, i64, i64)>> = BTreeMap::new();
    for page in &owed {
        if !indexed.contains_key(page.receiver.as_str()) {
            // All that is asked for is in the index, and is taken from there.
            let rows: Vec<(Found, i64, i64)> = sqlx::query_as::<Db, _>(
                "select receiver, incident, id from outbox where receiver = $1 and done_ms is null",
            )
            .bind(&page.receiver)
            .fetch_all(&engine.readers)
            .await?;
            let rows = rows.into_iter();
            let rows = rows.map(|(Found(receiver), incident, id)| (receiver, incident, id));
            indexed.insert(&page.receiver, rows.collect());
        }
        let wanted = (page.receiver.clone(), page.incident, page.id);
        let rows = indexed.get(page.receiver.as_str());
        if rows.is_some_and(|rows| rows.contains(&wanted)) {
            continue;
        }
        // It may have been delivered meanwhile.
        let row: Option<Stored> = sqlx::query_as::<Db, _>(pages!("where id = $1"))
            .bind(page.id)
            .fetch_optional(&engine.readers)
            .await?;
        if row.is_some_and(|row| row.read().0.done_ms.is_none()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn next(ids: impl ExactSizeIterator<Item = i64>) -> i64 {
    let whole = i64::try_from(ids.len()).is_ok_and(|count| count == SCRUBBED);
    ids.last().filter(|_| whole).unwrap_or(i64::MAX)
}

/// One incident; none if it is damaged or not there.
pub(crate) async fn incident(
    engine: &Engine,
    number: i64,
) -> Result<Option<HistoryRow>, StoreError> {
    let mut reader = engine.readers.acquire().await?;
    alerts::incident(engine, &mut reader, number).await
}

/// A damaged page, and what other rows tell of it; none if it is whole or gone.
pub(crate) async fn found_page(engine: &Engine, id: i64) -> Result<Option<FoundPage>, StoreError> {
    let row: Option<Stored> = sqlx::query_as::<Db, _>(pages!("where id = $1"))
        .bind(id)
        .fetch_optional(&engine.readers)
        .await?;
    let Some((page, false)) = row.map(Stored::read) else {
        return Ok(None);
    };
    let accepted = "select max(ended_ms) from attempt where outbox = $1 and outcome = 'accepted'";
    let accepted_ms: Option<i64> = sqlx::query_scalar::<Db, _>(accepted)
        .bind(id)
        .fetch_one(&engine.readers)
        .await?;
    Ok(Some(FoundPage {
        id,
        receiver: page.receiver,
        incident: page.incident,
        objective: page.objective,
        rule: page.rule,
        kind: page.kind,
        notice: page.notice,
        created_ms: page.created_ms,
        delivered_ms: accepted_ms.filter(|_| page.done_ms.is_some()),
    }))
}

/// Writes pages in place of a damaged one, the first under its id: what waits behind it goes on to.
pub(crate) async fn mend_page(
    engine: &Engine,
    id: i64,
    mended: &[MendedPage],
    now_s: i64,
) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    let connection = &mut writing.connection;
    let row = RowKey::Page(id);
    let Some(bytes) = quarantine::value(connection, &row).await? else {
        return writing.commit().await;
    };
    quarantine::keep(connection, &row, &bytes, MISMATCH, now_s).await?;
    let mut in_place = false;
    for MendedPage { page, delivered_ms } in mended {
        for receiver in &page.receivers {
            let new = pages::Page {
                id,
                done_ms: *delivered_ms,
                outcome: delivered_ms.map(|_| "accepted".to_owned()),
                ..outbox::new(page, receiver)
            };
            let known: i64 = sqlx::query_scalar::<Db, _>(
                "select count(*) from outbox where incident = $1 and rule = $2 and kind = $3 \
                 and receiver = $4 and id <> $5",
            )
            .bind(new.incident)
            .bind(&new.rule)
            .bind(new.kind.as_str())
            .bind(&new.receiver)
            .bind(id)
            .fetch_one(&mut *connection)
            .await?;
            if known > 0 {
                continue;
            }
            if in_place {
                pages::insert(connection, &new).await?;
            } else {
                pages::update(connection, &new).await?;
                in_place = true;
            }
        }
    }
    if !in_place {
        sqlx::query::<Db>("delete from outbox where id = $1")
            .bind(id)
            .execute(&mut *connection)
            .await?;
    }
    writing.commit().await
}

/// A damaged incident, and what other rows tell of it; none if it is whole or gone.
pub(crate) async fn found_incident(
    engine: &Engine,
    number: i64,
) -> Result<Option<FoundIncident>, StoreError> {
    let row: Option<alerts::Incident> = sqlx::query_as::<Db, _>(incidents!("where incident = $1"))
        .bind(number)
        .fetch_optional(&engine.readers)
        .await?;
    let Some((row, false)) = row.map(alerts::read_incident) else {
        return Ok(None);
    };
    let pages: Vec<Stored> = sqlx::query_as::<Db, _>(pages!("where incident = $1 order by id"))
        .bind(number)
        .fetch_all(&engine.readers)
        .await?;
    let notice = |kind| move |page: &pages::Page| (page.kind == kind).then(|| page.notice.clone());
    let pages = pages::sound(engine, pages);
    let alerts = alerts::alerts(engine).await?.into_iter();
    let of_row = |alert: &AlertRow| {
        alert.incident == number || (alert.objective == row.objective && alert.rule == row.rule)
    };
    let alert = alerts
        .filter(of_row)
        .max_by_key(|alert| alert.incident == number);
    let other = alert.as_ref().map(|alert| alert.incident);
    let mut reader = engine.readers.acquire().await?;
    let free = match other {
        Some(other) => {
            let taken = "select count(*) from incident where incident = $1";
            let taken: i64 = sqlx::query_scalar::<Db, _>(taken)
                .bind(other)
                .fetch_one(&mut *reader)
                .await?;
            taken == 0
        }
        None => false,
    };
    Ok(Some(FoundIncident {
        fire: pages.iter().find_map(notice(Kind::Fire)),
        resolve: pages.iter().find_map(notice(Kind::Resolve)),
        alert,
        number_is_free: free,
        row,
    }))
}

/// Writes an incident in place of a damaged one.
pub(crate) async fn mend_incident(
    engine: &Engine,
    number: i64,
    row: &HistoryRow,
    now_s: i64,
) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    let connection = &mut writing.connection;
    let found = RowKey::Incident(number);
    if let Some(bytes) = quarantine::value(connection, &found).await? {
        quarantine::keep(connection, &found, &bytes, MISMATCH, now_s).await?;
        alerts::update_incident(connection, number, row).await?;
    }
    writing.commit().await
}
