//! Damaged rows: out of their tables, kept with what is incomplete without them.

use super::{Connection, Db, Engine, Found, Writing, numbers, text};
use crate::store::damage::{Quarantined, RowKey};
use crate::store::error::StoreError;

const SERIES: &str = "select key from series where id = $1";
const STREAM: &str = "select state from stream where id = $1";
const JOURNAL: &str = "select delta from journal where seq = $1";
const SLICE: &str = "select pack from slice where tier = $1 and end_s = $2 and service = $3";
const TALLY: &str =
    "select chunk from tally where fingerprint = $1 and tier = $2 and hour_end_s = $3";

/// Moves rows to quarantine; returns their number. A row that is not there any more was moved or replaced.
pub(crate) async fn quarantine(
    engine: &Engine,
    rows: &[(RowKey, String)],
    now_s: i64,
) -> Result<u64, StoreError> {
    let mut writing = Writing::begin(engine).await?;
    let connection = &mut writing.connection;
    let mut moved = 0;
    for (row, why) in rows {
        let mut bytes = value(connection, row).await?;
        if bytes.is_none() && row.is_out_of_reach() {
            bytes = Some(Vec::new());
        }
        if let Some(bytes) = bytes {
            keep(connection, row, &bytes, why, now_s).await?;
            remove(connection, row, now_s).await?;
            // A key that was damaged into that of another row: SQLite deletes one of the two at a time, and which of
            // them is sound is not told any more.
            let by_name = matches!(row, RowKey::Counter(_) | RowKey::Alert { .. });
            if by_name && value(connection, row).await?.is_some() {
                remove(connection, row, now_s).await?;
            }
            moved += 1;
        }
    }
    writing.commit().await?;
    Ok(moved)
}

/// The row's value; none if there is no such row.
pub(super) async fn value(
    connection: &mut Connection,
    row: &RowKey,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let query = match row {
        RowKey::Journal { seq, .. } => sqlx::query_scalar::<Db, _>(JOURNAL).bind(seq),
        RowKey::Series(id) => sqlx::query_scalar(SERIES).bind(id),
        RowKey::Stream(id) => sqlx::query_scalar(STREAM).bind(id),
        RowKey::Slice {
            tier,
            end_s,
            service,
        } => sqlx::query_scalar(SLICE)
            .bind(tier)
            .bind(end_s)
            .bind(text(service)),
        RowKey::Tally {
            fingerprint,
            tier,
            hour_end_s,
        } => sqlx::query_scalar(TALLY)
            .bind(fingerprint)
            .bind(tier)
            .bind(hour_end_s),
        RowKey::Log { .. } => return Ok(Some(Vec::new())),
        RowKey::Number(name) => return numbers::found(connection, name).await.map(Some),
        RowKey::Incident(number) => {
            let text = "select reason from incident where incident = $1";
            return found(connection, text, *number).await;
        }
        RowKey::Page(id) => {
            return found(connection, "select notice from outbox where id = $1", *id).await;
        }
        RowKey::Counter(name) => {
            let value: Option<i64> =
                sqlx::query_scalar::<Db, _>("select value from counter where name || '' = $1")
                    .bind(name)
                    .fetch_optional(connection)
                    .await?;
            return Ok(value.map(|value| value.to_string().into_bytes()));
        }
        RowKey::Alert { objective, rule } => {
            let state: Option<Found> = sqlx::query_scalar::<Db, _>(
                "select state from alert where objective || '' = $1 and rule || '' = $2",
            )
            .bind(objective)
            .bind(rule)
            .fetch_optional(connection)
            .await?;
            return Ok(state.map(|found| found.0.into_bytes()));
        }
    };
    query.fetch_optional(connection).await
}

/// Text of a row, by its number.
async fn found(
    connection: &mut Connection,
    statement: &'static str,
    number: i64,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let text: Option<Found> = sqlx::query_scalar::<Db, _>(statement)
        .bind(number)
        .fetch_optional(connection)
        .await?;
    Ok(text.map(|found| found.0.into_bytes()))
}

/// Keeps a row that is about to go, or to be written anew.
pub(super) async fn keep(
    connection: &mut Connection,
    row: &RowKey,
    bytes: &[u8],
    why: &str,
    now_s: i64,
) -> Result<(), sqlx::Error> {
    let (service, from_s, to_s) = row.missing(now_s);
    sqlx::query::<Db>(
        "insert into quarantine (place, row_key, bytes, why, found_s, service, from_s, to_s) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(row.table())
    .bind(text(&row.to_string()))
    .bind(bytes)
    .bind(text(why))
    .bind(now_s)
    .bind(service.map(text))
    .bind(from_s)
    .bind(to_s)
    .execute(connection)
    .await
    .map(drop)
}

async fn remove(connection: &mut Connection, row: &RowKey, now_s: i64) -> Result<(), sqlx::Error> {
    let query = match row {
        RowKey::Journal { seq, .. } => {
            sqlx::query::<Db>("delete from journal where seq = $1").bind(seq)
        }
        RowKey::Series(id) => sqlx::query("delete from series where id = $1").bind(id),
        RowKey::Stream(id) => sqlx::query("delete from stream where id = $1").bind(id),
        RowKey::Slice {
            tier,
            end_s,
            service,
        } => sqlx::query("delete from slice where tier = $1 and end_s = $2 and service = $3")
            .bind(tier)
            .bind(end_s)
            .bind(text(service)),
        // All of the indicator's: they are counted again from the slices, and half of them must not be found.
        RowKey::Tally { fingerprint, .. } => {
            sqlx::query("delete from tally where fingerprint = $1").bind(fingerprint)
        }
        // Pages and incidents are written anew.
        RowKey::Log { .. } | RowKey::Incident(_) | RowKey::Page(_) => return Ok(()),
        RowKey::Number(name) => return numbers::replace(connection, name, now_s).await,
        RowKey::Counter(name) => {
            sqlx::query("delete from counter where name || '' = $1").bind(name)
        }
        RowKey::Alert { objective, rule } => {
            sqlx::query("delete from alert where objective || '' = $1 and rule || '' = $2")
                .bind(objective)
                .bind(rule)
        }
    };
    query.execute(connection).await.map(drop)
}

/// The time of the newest thing stored, Unix seconds.
pub(crate) async fn newest(engine: &Engine) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar::<Db, i64>(
        "select coalesce(max(at_s), 0) from (\
            select max(received_s) as at_s from journal \
            union all select max(end_s) as at_s from slice where tier = 10\
        ) as times",
    )
    .fetch_one(&engine.readers)
    .await?)
}

type Stored = (String, String, String, i64, Option<String>, i64, i64);

/// What is in quarantine, oldest first.
pub(crate) async fn quarantined(engine: &Engine) -> Result<Vec<Quarantined>, StoreError> {
    let rows: Vec<Stored> = sqlx::query_as::<Db, _>(
        "select place, row_key, why, found_s, service, from_s, to_s from quarantine order by id",
    )
    .fetch_all(&engine.readers)
    .await?;
    let quarantined = |(place, row_key, why, found_s, service, from_s, to_s)| Quarantined {
        place,
        row_key,
        why,
        found_s,
        service,
        from_s,
        to_s,
    };
    Ok(rows.into_iter().map(quarantined).collect())
}
