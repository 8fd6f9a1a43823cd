//! Slices: what happened, per service and time.

use sqlx::QueryBuilder;

use super::numbers::set_number;
use super::{Connection, Db, Engine, Found, ROWS, Writing, run, text};
use crate::store::damage::{MISMATCH, RowKey, RowSum};
use crate::store::error::StoreError;
use crate::store::rows::{Demand, SliceRow, Tier};

const COLUMNS: &str = "select tier, end_s, service, requests, failed, pack, crc from slice";

type Stored = (i64, i64, Found, i64, i64, Vec<u8>, Option<i64>);

/// The checksum of a slice's key and counts, so that they can be read alone; the pack carries its own.
fn sum(tier: i64, end_s: i64, service: &str, requests: i64, failed: i64) -> RowSum {
    RowSum::of("slice")
        .number(tier)
        .number(end_s)
        .text(service)
        .number(requests)
        .number(failed)
}

fn note(engine: &Engine, tier: i64, end_s: i64, service: String) {
    let row = RowKey::Slice {
        tier,
        end_s,
        service,
    };
    engine.noted.add(row, MISMATCH.to_owned());
}

/// Inserts or replaces slices, and makes their services known.
pub(super) async fn put(
    connection: &mut Connection,
    slices: &[SliceRow],
) -> Result<(), sqlx::Error> {
    for slices in slices.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new(
            "insert into slice (tier, end_s, service, requests, failed, pack, crc) ",
        );
        built.push_values(slices, |mut row, slice| {
            let (tier, service) = (slice.tier.seconds(), text(&slice.service));
            let sum = sum(tier, slice.end_s, &service, slice.requests, slice.failed);
            row.push_bind(tier)
                .push_bind(slice.end_s)
                .push_bind(service)
                .push_bind(slice.requests)
                .push_bind(slice.failed)
                .push_bind(slice.pack.as_slice())
                .push_bind(sum.value());
        });
        built.push(
            " on conflict (tier, end_s, service) do update \
             set requests = excluded.requests, failed = excluded.failed, pack = excluded.pack, \
             crc = excluded.crc",
        );
        run(connection, built).await?;
    }
    let mut services: Vec<_> = slices.iter().map(|slice| text(&slice.service)).collect();
    services.sort_unstable();
    services.dedup();
    for services in services.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new("insert into service (name) ");
        built.push_values(services, |mut row, name| {
            row.push_bind(name.as_ref());
        });
        built.push(" on conflict (name) do nothing");
        run(connection, built).await?;
    }
    Ok(())
}

pub(crate) async fn slices(
    engine: &Engine,
    tier: Tier,
    services: Option<&[String]>,
    after_s: i64,
    upto_s: i64,
) -> Result<Vec<SliceRow>, StoreError> {
    if services.is_some_and(<[String]>::is_empty) {
        return Ok(Vec::new());
    }
    let mut built = QueryBuilder::<Db>::new(COLUMNS);
    built.push(" where tier = ").push_bind(tier.seconds());
    built.push(" and end_s > ").push_bind(after_s);
    built.push(" and end_s <= ").push_bind(upto_s);
    if let Some(services) = services {
        built.push(" and service in (");
        let mut list = built.separated(", ");
        for service in services {
            list.push_bind(text(service));
        }
        built.push(")");
    }
    built.push(" order by end_s, service");
    fetch(engine, built).await
}

pub(crate) async fn slices_at(
    engine: &Engine,
    wanted: &[(Tier, i64, String)],
) -> Result<Vec<SliceRow>, StoreError> {
    let mut found = Vec::new();
    for wanted in wanted.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new(COLUMNS);
        built.push(" where (tier, end_s, service) in (");
        built.push_values(wanted, |mut row, (tier, end_s, service)| {
            row.push_bind(tier.seconds())
                .push_bind(*end_s)
                .push_bind(text(service));
        });
        built.push(") order by tier, end_s, service");
        found.extend(fetch(engine, built).await?);
    }
    Ok(found)
}

async fn fetch(engine: &Engine, mut built: QueryBuilder<Db>) -> Result<Vec<SliceRow>, StoreError> {
    let rows: Vec<Stored> = built
        .build_query_as()
        .persistent(false)
        .fetch_all(&engine.readers)
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    for (seconds, end_s, Found(service), requests, failed, pack, crc) in rows {
        let whole = is_whole((seconds, end_s, &service), requests, failed, crc);
        match Tier::of_seconds(seconds).filter(|_| whole) {
            Some(tier) => found.push(SliceRow {
                tier,
                end_s,
                service,
                requests,
                failed,
                pack,
            }),
            None => note(engine, seconds, end_s, service),
        }
    }
    Ok(found)
}

/// Whether a slice is as it was written. A flipped bit can make a row of nothing: it is none of those from before
/// there were checksums.
fn is_whole(
    (tier, end_s, service): (i64, i64, &str),
    requests: i64,
    failed: i64,
    crc: Option<i64>,
) -> bool {
    let nothing = crc.is_none() && requests == 0;
    sum(tier, end_s, service, requests, failed).matches(crc) && !nothing
}

pub(crate) async fn demand(
    engine: &Engine,
    tier: Tier,
    after_s: i64,
    upto_s: i64,
) -> Result<Vec<Demand>, StoreError> {
    let rows: Vec<(i64, Found, i64, i64, Option<i64>)> = sqlx::query_as::<Db, _>(
        "select end_s, service, requests, failed, crc from slice \
         where tier = $1 and end_s > $2 and end_s <= $3 order by end_s, service",
    )
    .bind(tier.seconds())
    .bind(after_s)
    .bind(upto_s)
    .fetch_all(&engine.readers)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for (end_s, Found(service), requests, failed, crc) in rows {
        if is_whole((tier.seconds(), end_s, &service), requests, failed, crc) {
            found.push(Demand {
                end_s,
                service,
                requests,
                failed,
            });
        } else {
            note(engine, tier.seconds(), end_s, service);
        }
    }
    Ok(found)
}

pub(crate) async fn first_end(engine: &Engine, tier: Tier) -> Result<Option<i64>, StoreError> {
    let first =
        sqlx::query_scalar::<Db, Option<i64>>("select min(end_s) from slice where tier = $1")
            .bind(tier.seconds())
            .fetch_one(&engine.readers)
            .await?;
    Ok(first)
}

pub(crate) async fn last_end(engine: &Engine, tier: Tier) -> Result<Option<i64>, StoreError> {
    let last =
        sqlx::query_scalar::<Db, Option<i64>>("select max(end_s) from slice where tier = $1")
            .bind(tier.seconds())
            .fetch_one(&engine.readers)
            .await?;
    Ok(last)
}

pub(crate) async fn services(engine: &Engine) -> Result<Vec<String>, StoreError> {
    Ok(
        sqlx::query_scalar::<Db, _>("select name from service order by name")
            .fetch_all(&engine.readers)
            .await?,
    )
}

pub(crate) async fn seal(
    engine: &Engine,
    slices: &[SliceRow],
    sealed_until_s: i64,
) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    put(&mut writing.connection, slices).await?;
    set_number(&mut writing.connection, "sealed_until", sealed_until_s).await?;
    writing.commit().await
}
