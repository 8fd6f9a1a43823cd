//! Fingerprints of counted spans: as committed, sorted, and forgotten with age.

use sqlx::QueryBuilder;

use super::numbers::{number, raise_number, set_number};
use super::{Connection, Db, Engine, ROWS, Writing, run};
use crate::store::damage::RowSum;
use crate::store::error::StoreError;
use crate::store::rows::{ChunkId, Prints, SpanState};

/// Rows deleted in one transaction; at high rates a row is some hundred kilobytes.
const BATCH: i64 = 64;

pub(super) async fn insert(
    connection: &mut Connection,
    seq: i64,
    prints: &[(i64, Vec<u8>)],
) -> Result<(), sqlx::Error> {
    for prints in prints.chunks(ROWS) {
        let mut built =
            QueryBuilder::<Db>::new("insert into span_commit (part, seq, prints, crc) ");
        built.push_values(prints, |mut row, (part, prints)| {
            row.push_bind(*part)
                .push_bind(seq)
                .push_bind(prints.as_slice())
                .push_bind(commit_sum(*part, seq, prints).value());
        });
        run(connection, built).await?;
    }
    Ok(())
}

pub(crate) async fn span_state(engine: &Engine) -> Result<SpanState, StoreError> {
    let mut secret = [0; 16];
    secret[..8].copy_from_slice(&number(engine, "span_key_low").await?.to_le_bytes());
    secret[8..].copy_from_slice(&number(engine, "span_key_high").await?.to_le_bytes());
    Ok(SpanState {
        secret,
        since_s: number(engine, "spans_since").await?,
        forgotten_part: number(engine, "spans_forgotten").await?,
    })
}

/// Forgets all fingerprints: from now on spans are not told apart.
pub(crate) async fn clear_spans(engine: &Engine) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    set_number(&mut writing.connection, "spans_since", 0).await?;
    for statement in ["delete from span_commit", "delete from span_sorted"] {
        sqlx::query::<Db>(statement)
            .execute(&mut writing.connection)
            .await?;
    }
    writing.commit().await
}

pub(crate) async fn set_spans_since(engine: &Engine, since_s: i64) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    set_number(&mut writing.connection, "spans_since", since_s).await?;
    writing.commit().await
}

pub(crate) async fn span_parts(engine: &Engine) -> Result<Vec<i64>, StoreError> {
    Ok(
        sqlx::query_scalar::<Db, _>("select distinct part from span_commit order by part")
            .fetch_all(&engine.readers)
            .await?,
    )
}

pub(crate) async fn span_commits(
    engine: &Engine,
    part: i64,
) -> Result<Vec<(i64, Prints)>, StoreError> {
    let rows: Vec<(i64, Vec<u8>, i64)> = sqlx::query_as::<Db, _>(
        "select seq, prints, crc from span_commit where part = $1 order by seq",
    )
    .bind(part)
    .fetch_all(&engine.readers)
    .await?;
    let checked = rows.into_iter().map(|(seq, prints, crc)| {
        let whole = commit_sum(part, seq, &prints).matches(Some(crc));
        (seq, whole.then_some(prints))
    });
    Ok(checked.collect())
}

fn commit_sum(part: i64, seq: i64, prints: &[u8]) -> RowSum {
    let sum = RowSum::of("span_commit").number(part).number(seq);
    sum.bytes(prints)
}

fn chunk_sum((part, run, first): ChunkId, prints: &[u8]) -> RowSum {
    let sum = RowSum::of("span_sorted").number(part).number(run);
    sum.number(first).bytes(prints)
}

pub(crate) async fn span_chunk_ids(engine: &Engine) -> Result<Vec<ChunkId>, StoreError> {
    Ok(sqlx::query_as::<Db, ChunkId>(
        "select part, run, first from span_sorted order by part, run, first",
    )
    .fetch_all(&engine.readers)
    .await?)
}

pub(crate) async fn span_chunks(
    engine: &Engine,
    wanted: &[ChunkId],
) -> Result<Vec<(ChunkId, Prints)>, StoreError> {
    let mut found = Vec::with_capacity(wanted.len());
    for wanted in wanted.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new(
            "select part, run, first, prints, crc from span_sorted where (part, run, first) in (",
        );
        built.push_values(wanted, |mut row, (part, run, first)| {
            row.push_bind(*part).push_bind(*run).push_bind(*first);
        });
        built.push(")");
        let rows: Vec<(i64, i64, i64, Vec<u8>, i64)> = built
            .build_query_as()
            .persistent(false)
            .fetch_all(&engine.readers)
            .await?;
        found.extend(rows.into_iter().map(|(part, run, first, prints, crc)| {
            let id = (part, run, first);
            let whole = chunk_sum(id, &prints).matches(Some(crc));
            (id, whole.then_some(prints))
        }));
    }
    Ok(found)
}

pub(crate) async fn put_span_chunks(
    engine: &Engine,
    chunks: &[(ChunkId, Vec<u8>)],
) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    for chunks in chunks.chunks(ROWS) {
        let mut built =
            QueryBuilder::<Db>::new("insert into span_sorted (part, run, first, prints, crc) ");
        built.push_values(chunks, |mut row, (id, prints)| {
            let (part, run, first) = *id;
            row.push_bind(part)
                .push_bind(run)
                .push_bind(first)
                .push_bind(prints.as_slice())
                .push_bind(chunk_sum(*id, prints).value());
        });
        built.push(
            " on conflict (part, run, first) do update \
             set prints = excluded.prints, crc = excluded.crc",
        );
        run(&mut writing.connection, built).await?;
    }
    writing.commit().await
}

pub(crate) async fn drop_span_commits(
    engine: &Engine,
    part: i64,
    upto_seq: i64,
) -> Result<u64, StoreError> {
    delete(
        engine,
        "delete from span_commit where (part, seq) in \
         (select part, seq from span_commit where part = $1 and seq <= $2 order by seq limit $3)",
        part,
        upto_seq,
    )
    .await
}

pub(crate) async fn forget_spans(engine: &Engine, before_part: i64) -> Result<u64, StoreError> {
    let mut writing = Writing::begin(engine).await?;
    raise_number(&mut writing.connection, "spans_forgotten", before_part).await?;
    writing.commit().await?;
    // `$1` is used in each, so that all are bound alike.
    let committed = delete(
        engine,
        "delete from span_commit where (part, seq) in \
         (select part, seq from span_commit where $1 = 0 and part < $2 limit $3)",
        0,
        before_part,
    );
    let sorted = delete(
        engine,
        "delete from span_sorted where (part, run, first) in \
         (select part, run, first from span_sorted where $1 = 0 and part < $2 limit $3)",
        0,
        before_part,
    );
    Ok(committed.await? + sorted.await?)
}

async fn delete(
    engine: &Engine,
    statement: &'static str,
    one: i64,
    other: i64,
) -> Result<u64, StoreError> {
    let mut deleted = 0;
    loop {
        let mut writing = Writing::begin(engine).await?;
        let batch = sqlx::query::<Db>(statement)
            .bind(one)
            .bind(other)
            .bind(BATCH)
            .execute(&mut writing.connection)
            .await?
            .rows_affected();
        writing.commit().await?;
        deleted += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(deleted);
        }
    }
}
