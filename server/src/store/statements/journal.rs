//! What comes in: request hashes, series, the journal, and its fold into slices and tallies.

use sqlx::QueryBuilder;

use super::numbers::set_number;
use super::{Connection, Db, Engine, Found, ROWS, Writing, exemplars, run, slices, spans, tallies};
use crate::store::damage::{MISMATCH, RowKey, RowSum};
use crate::store::error::StoreError;
use crate::store::hashes::{sealed, unsealed};
use crate::store::rows::{Fold, Group, JournalRow};

pub(crate) async fn answers(
    engine: &Engine,
    hashes: &[[u8; 16]],
) -> Result<Vec<([u8; 16], Vec<u8>)>, StoreError> {
    let mut found = Vec::new();
    for hashes in hashes.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new("select hash, answer from request where hash in (");
        let mut list = built.separated(", ");
        for hash in hashes {
            list.push_bind(hash.to_vec());
        }
        built.push(")");
        let rows: Vec<(Vec<u8>, Vec<u8>)> = built
            .build_query_as()
            .persistent(false)
            .fetch_all(&engine.readers)
            .await?;
        for (hash, answer) in rows {
            let hash = hash.try_into().map_err(|hash| StoreError::Damaged {
                what: "a request hash",
                value: format!("{hash:?}"),
            })?;
            found.push((hash, answer));
        }
    }
    Ok(found)
}

pub(crate) async fn commit(engine: &Engine, group: &Group) -> Result<i64, StoreError> {
    let answers = group
        .requests
        .iter()
        .filter(|(_, answer)| !answer.is_empty());
    let answers: Vec<_> = answers.collect();
    if answers.is_empty() && group.series.is_empty() && group.prints.is_empty() {
        // One statement is a transaction by itself: the usual case costs one trip to the database.
        let mut writing = Writing::single(engine).await?;
        let seq = insert_journal(&mut writing.connection, group).await?;
        writing.done();
        return Ok(seq);
    }
    let mut writing = Writing::begin(engine).await?;
    insert_answers(&mut writing.connection, group.received_s, &answers).await?;
    insert_series(&mut writing.connection, &group.series).await?;
    failpoint!("store.commit.halfway");
    let seq = insert_journal(&mut writing.connection, group).await?;
    spans::insert(&mut writing.connection, seq, &group.prints).await?;
    writing.commit().await?;
    Ok(seq)
}

async fn insert_journal(connection: &mut Connection, group: &Group) -> Result<i64, sqlx::Error> {
    let statement = "insert into journal (received_s, requests, delta, crc) values ($1, $2, $3, $4) returning seq";
    sqlx::query_scalar(statement)
        .bind(group.received_s)
        .bind(sealed(
            group.received_s,
            group.requests.iter().map(|(hash, _)| hash),
        ))
        .bind(&group.delta)
        .bind(journal_sum(group.received_s, &group.delta).value())
        // To its end: SQLite commits a statement that is a transaction by itself after its last row, and that
        // can fail. Who takes one row and no more never hears of it.
        .fetch_all(connection)
        .await?
        .pop()
        .ok_or(sqlx::Error::RowNotFound)
}

async fn insert_answers(
    connection: &mut Connection,
    received_s: i64,
    answers: &[&([u8; 16], Vec<u8>)],
) -> Result<(), sqlx::Error> {
    for answers in answers.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new("insert into request (hash, received_s, answer) ");
        built.push_values(answers, |mut row, (hash, answer)| {
            row.push_bind(hash.to_vec())
                .push_bind(received_s)
                .push_bind(answer.as_slice());
        });
        // Only after damage to the batches: the requests of the group are not stored yet.
        built.push(" on conflict (hash) do update set received_s = excluded.received_s, answer = excluded.answer");
        run(connection, built).await?;
    }
    Ok(())
}

/// Hashes of the requests that came in `[from_s, to_s)`, by commit.
pub(crate) async fn requests(
    engine: &Engine,
    from_s: i64,
    to_s: i64,
) -> Result<Vec<(i64, Result<Vec<[u8; 16]>, StoreError>)>, StoreError> {
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as::<Db, _>(
        "select received_s, requests from request_batch where received_s >= $1 and received_s < $2 \
         union all select received_s, requests from journal where received_s >= $1 and received_s < $2",
    )
    .bind(from_s)
    .bind(to_s)
    .fetch_all(&engine.readers)
    .await?;
    let read = rows
        .into_iter()
        .map(|(received_s, requests)| (received_s, unsealed(received_s, &requests)));
    Ok(read.collect())
}

/// The parts of so many seconds in which requests came.
pub(crate) async fn request_parts(engine: &Engine, length_s: i64) -> Result<Vec<i64>, StoreError> {
    let parts = "select distinct received_s / $1 from request_batch \
                 union select distinct received_s / $1 from journal where length(requests) > 0";
    Ok(sqlx::query_scalar::<Db, _>(parts)
        .bind(length_s)
        .fetch_all(&engine.readers)
        .await?)
}

async fn insert_series(
    connection: &mut Connection,
    series: &[(i64, Vec<u8>)],
) -> Result<(), sqlx::Error> {
    for series in series.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new("insert into series (id, key, crc) ");
        built.push_values(series, |mut row, (id, key)| {
            row.push_bind(*id)
                .push_bind(key.as_slice())
                .push_bind(blob_sum("series", *id, key).value());
        });
        built.push(" on conflict (id) do nothing");
        run(connection, built).await?;
    }
    Ok(())
}

/// The checksum of a journal row. Its seq is not in it: the database chooses it.
fn journal_sum(received_s: i64, delta: &[u8]) -> RowSum {
    RowSum::of("journal").number(received_s).bytes(delta)
}

/// The checksum of a series, or of a stream.
fn blob_sum(table: &str, id: i64, value: &[u8]) -> RowSum {
    RowSum::of(table).number(id).bytes(value)
}

fn counter_sum(name: &str, value: i64) -> RowSum {
    RowSum::of("counter").text(name).number(value)
}

/// Seq, delta, when it came, checksum.
type Journalled = (i64, Vec<u8>, Option<i64>, Option<i64>);

pub(crate) async fn journal_after(
    engine: &Engine,
    seq: i64,
) -> Result<Vec<JournalRow>, StoreError> {
    let rows: Vec<Journalled> = sqlx::query_as::<Db, _>(
        "select seq, delta, received_s, crc from journal where seq > $1 order by seq",
    )
    .bind(seq)
    .fetch_all(&engine.readers)
    .await?;
    let times: Vec<Option<i64>> = rows.iter().map(|row| row.2).collect();
    let mut sound = Vec::with_capacity(rows.len());
    for (index, (seq, delta, received_s, crc)) in rows.into_iter().enumerate() {
        let whole = journal_sum(received_s.unwrap_or_default(), &delta).matches(crc);
        let row = JournalRow {
            seq,
            delta,
            received_s: between(&times, index),
        };
        if whole {
            sound.push(row);
        } else {
            engine.noted.add(row.key(), MISMATCH.to_owned());
        }
    }
    Ok(sound)
}

/// When a journal row was written, by the rows around it: its own time may be what is damaged.
fn between(times: &[Option<i64>], index: usize) -> (i64, i64) {
    let own = times[index].unwrap_or_default();
    let before = times[..index].iter().rev().find_map(|time| *time);
    let after = times[index + 1..].iter().find_map(|time| *time);
    let from = before.or(after).unwrap_or(own);
    let to = after.or(before).unwrap_or(own);
    (from.min(to) - 10, to.max(from) + 10)
}

pub(crate) async fn series(engine: &Engine) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let rows = sqlx::query_as::<Db, _>("select id, key, crc from series order by id")
        .fetch_all(&engine.readers)
        .await?;
    Ok(sound(engine, "series", rows, RowKey::Series))
}

pub(crate) async fn streams(engine: &Engine) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let rows = sqlx::query_as::<Db, _>("select id, state, crc from stream order by id")
        .fetch_all(&engine.readers)
        .await?;
    Ok(sound(engine, "stream", rows, RowKey::Stream))
}

/// The rows whose checksum matches; the others are noted. A flipped bit can make a row of nothing: it is none of
/// those from before there were checksums.
fn sound(
    engine: &Engine,
    table: &str,
    rows: Vec<(i64, Vec<u8>, Option<i64>)>,
    key: fn(i64) -> RowKey,
) -> Vec<(i64, Vec<u8>)> {
    let whole = |(id, value, crc): (i64, Vec<u8>, Option<i64>)| {
        if blob_sum(table, id, &value).matches(crc) && !value.is_empty() {
            return Some((id, value));
        }
        engine.noted.add(key(id), MISMATCH.to_owned());
        None
    };
    rows.into_iter().filter_map(whole).collect()
}

pub(crate) async fn counters(engine: &Engine) -> Result<Vec<(String, i64)>, StoreError> {
    let rows: Vec<(Found, i64, Option<i64>)> =
        sqlx::query_as::<Db, _>("select name, value, crc from counter order by name")
            .fetch_all(&engine.readers)
            .await?;
    let whole = |(Found(name), value, crc): (Found, i64, Option<i64>)| {
        if counter_sum(&name, value).matches(crc) && !name.is_empty() {
            return Some((name, value));
        }
        engine.noted.add(RowKey::Counter(name), MISMATCH.to_owned());
        None
    };
    Ok(rows.into_iter().filter_map(whole).collect())
}

pub(crate) async fn fold(engine: &Engine, fold: &Fold) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    let connection = &mut writing.connection;
    slices::put(connection, &fold.slices).await?;
    exemplars::put(connection, &fold.exemplars).await?;
    failpoint!("store.fold.halfway");
    tallies::put(connection, &fold.tallies).await?;
    put_streams(connection, &fold.streams).await?;
    put_counters(connection, &fold.counters).await?;
    sqlx::query(
        "insert into request_batch (seq, received_s, requests) \
         select seq, coalesce(received_s, 0), requests from journal where seq <= $1 and length(requests) > 0",
    )
    .bind(fold.upto)
    .execute(&mut *connection)
    .await?;
    sqlx::query("delete from journal where seq <= $1")
        .bind(fold.upto)
        .execute(&mut *connection)
        .await?;
    set_number(connection, "folded", fold.upto).await?;
    writing.commit().await
}

async fn put_streams(
    connection: &mut Connection,
    streams: &[(i64, Vec<u8>)],
) -> Result<(), sqlx::Error> {
    let (gone, kept): (Vec<_>, Vec<_>) = streams.iter().partition(|(_, state)| state.is_empty());
    for streams in kept.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new("insert into stream (id, state, crc) ");
        built.push_values(streams, |mut row, (id, state)| {
            row.push_bind(*id)
                .push_bind(state.as_slice())
                .push_bind(blob_sum("stream", *id, state).value());
        });
        built.push(" on conflict (id) do update set state = excluded.state, crc = excluded.crc");
        run(connection, built).await?;
    }
    for streams in gone.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new("delete from stream where id in (");
        let mut list = built.separated(", ");
        for (id, _) in streams {
            list.push_bind(*id);
        }
        built.push(")");
        run(connection, built).await?;
    }
    Ok(())
}

async fn put_counters(
    connection: &mut Connection,
    counters: &[(String, i64)],
) -> Result<(), sqlx::Error> {
    for counters in counters.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new("insert into counter (name, value, crc) ");
        built.push_values(counters, |mut row, (name, value)| {
            row.push_bind(name.as_str())
                .push_bind(*value)
                .push_bind(counter_sum(name, *value).value());
        });
        built.push(" on conflict (name) do update set value = excluded.value, crc = excluded.crc");
        run(connection, built).await?;
    }
    Ok(())
}
