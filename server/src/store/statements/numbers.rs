//! Single numbers of the store, each with its checksum, and what takes the place of one that is damaged.

use super::{CONTINUE_JOURNAL, Connection, Db, Engine, Found, Writing};
use crate::store::damage::{MISMATCH, PART_S, RowKey, RowSum};
use crate::store::error::StoreError;

/// All that something depends on.
const NUMBERS: [&str; 7] = [
    "folded",
    "sealed_until",
    "incident",
    "span_key_low",
    "span_key_high",
    "spans_since",
    "spans_forgotten",
];
/// The fold deletes the journal that it takes: what is there is not folded.
const FOLDED: &str = "select coalesce((select min(seq) - 1 from journal), \
     (select max(seq) from request_batch where seq > 0), 0)";
/// Hours behind the last one that has a slice have no events, and nothing to make longer.
const SEALED: &str = "select coalesce(max(end_s), 0) from slice where tier = 3600";
pub(super) const USED_INCIDENT: &str = "select coalesce(max(used), 0) from (\
     select max(incident) as used from incident \
     union all select max(incident) as used from outbox \
     union all select max(incident) as used from alert) as numbers";
/// What was forgotten is deleted.
const FORGOTTEN: &str = "select coalesce(min(part), 0) from (\
     select min(part) as part from span_commit union all select min(part) as part from span_sorted) as parts";
/// All rows are looked at: one whose name is damaged is in the way of a search.
const BY_NAME: &str = "select value, crc from meta where name || '' = $1";
/// Rows that the next fold would delete without having counted them.
const PASSED_OVER: &str = "select seq, coalesce(received_s, 0) from journal where seq <= $1";

fn sum(name: &str, value: i64) -> RowSum {
    RowSum::of("meta").text(name).number(value)
}

/// A number; what takes its place, if it is damaged.
pub(super) async fn number(engine: &Engine, name: &'static str) -> Result<i64, StoreError> {
    let row: Option<(i64, Option<i64>)> = sqlx::query_as::<Db, _>(BY_NAME)
        .bind(name)
        .fetch_optional(&engine.readers)
        .await?;
    if let Some((value, _)) = row.filter(|(value, crc)| sum(name, *value).matches(*crc)) {
        return Ok(value);
    }
    let row = RowKey::Number(name.to_owned());
    engine.noted.add(row, MISMATCH.to_owned());
    let mut reader = engine.readers.acquire().await?;
    Ok(in_its_place(&mut reader, name).await?)
}

/// Sets a number.
pub(super) async fn set_number(
    connection: &mut Connection,
    name: &str,
    value: i64,
) -> Result<(), sqlx::Error> {
    let set = "update meta set value = $2, crc = $3 where name || '' = $1";
    if write(connection, set, name, value).await? == 0 {
        let add = "insert into meta (name, value, crc) values ($1, $2, $3)";
        write(connection, add, name, value).await?;
    }
    Ok(())
}

/// Sets a number that only grows.
pub(super) async fn raise_number(
    connection: &mut Connection,
    name: &str,
    value: i64,
) -> Result<(), sqlx::Error> {
    let raise = "update meta set value = $2, crc = $3 where name || '' = $1 and value < $2";
    write(connection, raise, name, value).await.map(drop)
}

async fn write(
    connection: &mut Connection,
    statement: &'static str,
    name: &str,
    value: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query::<Db>(statement)
        .bind(name)
        .bind(value)
        .bind(sum(name, value).value())
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Notes the numbers that are damaged or missing, and journal rows whose number says that they are counted already;
/// seals numbers that were written before there were checksums.
pub(crate) async fn check_numbers(engine: &Engine) -> Result<(), StoreError> {
    let rows: Vec<(Found, i64, Option<i64>)> =
        sqlx::query_as::<Db, _>("select name, value, crc from meta")
            .fetch_all(&engine.readers)
            .await?;
    let mut unsealed = Vec::new();
    for name in NUMBERS {
        match rows.iter().find(|row| row.0.0 == name) {
            Some((_, value, None)) => unsealed.push((name, *value)),
            Some((_, value, crc)) if sum(name, *value).matches(*crc) => {}
            Some(_) | None => {
                let row = RowKey::Number(name.to_owned());
                engine.noted.add(row, MISMATCH.to_owned());
            }
        }
    }
    let folded = number(engine, "folded").await?;
    let passed: Vec<(i64, i64)> = sqlx::query_as::<Db, _>(PASSED_OVER)
        .bind(folded)
        .fetch_all(&engine.readers)
        .await?;
    for (seq, received_s) in passed {
        let received_s = (received_s - 10, received_s + 10);
        let row = RowKey::Journal { seq, received_s };
        engine.noted.add(row, "its number is damaged".to_owned());
    }
    if !unsealed.is_empty() {
        let mut writing = Writing::begin(engine).await?;
        for (name, value) in unsealed {
            set_number(&mut writing.connection, name, value).await?;
        }
        writing.commit().await?;
    }
    Ok(())
}

/// The next journal row comes after all that were folded, whatever became of the database's own count.
pub(crate) async fn continue_journal(engine: &Engine) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    sqlx::raw_sql(CONTINUE_JOURNAL)
        .execute(&mut writing.connection)
        .await?;
    writing.commit().await
}

/// The value of a damaged number as found; nothing if it is missing.
pub(super) async fn found(connection: &mut Connection, name: &str) -> Result<Vec<u8>, sqlx::Error> {
    let value: Option<i64> =
        sqlx::query_scalar::<Db, _>("select value from meta where name || '' = $1")
            .bind(name)
            .fetch_optional(connection)
            .await?;
    Ok(value.map_or_else(Vec::new, |value| value.to_string().into_bytes()))
}

/// Replaces a damaged number, and what is worth nothing without it.
pub(super) async fn replace(
    connection: &mut Connection,
    name: &str,
    now_s: i64,
) -> Result<(), sqlx::Error> {
    let value = in_its_place(connection, name).await?;
    set_number(connection, name, value).await?;
    if name.starts_with("span_key") {
        for statement in ["delete from span_commit", "delete from span_sorted"] {
            sqlx::query::<Db>(statement)
                .execute(&mut *connection)
                .await?;
        }
        // Spans of before cannot be told from new ones: they are too late.
        raise_number(connection, "spans_forgotten", now_s.div_euclid(PART_S)).await?;
        set_number(connection, "spans_since", 0).await?;
    }
    Ok(())
}

/// What a number must be, as far as the other rows tell.
async fn in_its_place(connection: &mut Connection, name: &str) -> Result<i64, sqlx::Error> {
    let query = match name {
        "folded" => FOLDED,
        "sealed_until" => SEALED,
        "incident" => USED_INCIDENT,
        "spans_forgotten" => FORGOTTEN,
        "span_key_low" | "span_key_high" => return Ok(rand::random()),
        // Since when spans are told apart: from now on.
        _ => return Ok(0),
    };
    sqlx::query_scalar::<Db, i64>(query)
        .fetch_one(connection)
        .await
}
