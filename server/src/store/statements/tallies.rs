//! Tallies: what the indicators made of it.

use sqlx::QueryBuilder;

use super::{Connection, Db, Engine, ROWS, Writing, run};
use crate::store::damage::{MISMATCH, RowKey, RowSum};
use crate::store::error::StoreError;
use crate::store::rows::{TallyRow, Tier};

fn sum(fingerprint: i64, tier: i64, hour_end_s: i64, chunk: &[u8]) -> RowSum {
    RowSum::of("tally")
        .number(fingerprint)
        .number(tier)
        .number(hour_end_s)
        .bytes(chunk)
}

/// Inserts or replaces chunks.
pub(super) async fn put(connection: &mut Connection, rows: &[TallyRow]) -> Result<(), sqlx::Error> {
    for rows in rows.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new(
            "insert into tally (fingerprint, tier, hour_end_s, chunk, crc) ",
        );
        built.push_values(rows, |mut row, tally| {
            let tier = tally.tier.seconds();
            let sum = sum(tally.fingerprint, tier, tally.hour_end_s, &tally.chunk);
            row.push_bind(tally.fingerprint)
                .push_bind(tier)
                .push_bind(tally.hour_end_s)
                .push_bind(tally.chunk.as_slice())
                .push_bind(sum.value());
        });
        built.push(
            " on conflict (fingerprint, tier, hour_end_s) \
             do update set chunk = excluded.chunk, crc = excluded.crc",
        );
        run(connection, built).await?;
    }
    Ok(())
}

pub(crate) async fn put_tallies(engine: &Engine, rows: &[TallyRow]) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    put(&mut writing.connection, rows).await?;
    writing.commit().await
}

/// Fingerprint, seconds of the tier, end of the hour, chunk, checksum.
type Stored = (i64, i64, i64, Vec<u8>, Option<i64>);

pub(crate) async fn tallies(
    engine: &Engine,
    fingerprints: &[i64],
    after_hour_end_s: i64,
) -> Result<Vec<TallyRow>, StoreError> {
    let mut found = Vec::new();
    for fingerprints in fingerprints.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new(
            "select fingerprint, tier, hour_end_s, chunk, crc from tally where hour_end_s > ",
        );
        built.push_bind(after_hour_end_s);
        built.push(" and fingerprint in (");
        let mut list = built.separated(", ");
        for fingerprint in fingerprints {
            list.push_bind(*fingerprint);
        }
        built.push(") order by fingerprint, tier, hour_end_s");
        let rows: Vec<Stored> = built
            .build_query_as()
            .persistent(false)
            .fetch_all(&engine.readers)
            .await?;
        for (fingerprint, seconds, hour_end_s, chunk, crc) in rows {
            let whole = sum(fingerprint, seconds, hour_end_s, &chunk).matches(crc);
            match Tier::of_seconds(seconds).filter(|_| whole) {
                Some(tier) => found.push(TallyRow {
                    fingerprint,
                    tier,
                    hour_end_s,
                    chunk,
                }),
                None => engine.noted.add(
                    RowKey::Tally {
                        fingerprint,
                        tier: seconds,
                        hour_end_s,
                    },
                    MISMATCH.to_owned(),
                ),
            }
        }
    }
    Ok(found)
}

pub(crate) async fn keep_tallies(engine: &Engine, fingerprints: &[i64]) -> Result<(), StoreError> {
    let stored: Vec<(i64,)> = sqlx::query_as::<Db, _>("select distinct fingerprint from tally")
        .fetch_all(&engine.readers)
        .await?;
    let mut writing = Writing::begin(engine).await?;
    for (fingerprint,) in stored {
        if !fingerprints.contains(&fingerprint) {
            sqlx::query::<Db>("delete from tally where fingerprint = $1")
                .bind(fingerprint)
                .execute(&mut writing.connection)
                .await?;
        }
    }
    writing.commit().await
}
