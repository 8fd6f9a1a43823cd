//! Stored slices read again: for indicators that were not judged before, and for latencies.

use std::sync::Mutex;

use slo_specs::Fingerprint;

use crate::fold::unpack;
use crate::live::{Live, MINUTES_S};
use crate::resume::{locked, timeline_tier};
use crate::store::{Store, StoreError, Tier};

/// How much of a history is read at once, in seconds.
const STEP_S: i64 = 6 * 3600;
/// Nothing lies further ahead than what is taken as now.
const AHEAD_S: i64 = 3600;

/// Counts the stored slices for indicators that have no tallies: a new or changed objective is
/// judged over the same history. They have no events before `begin`.
pub(crate) async fn recount(
    store: &Store,
    live: &Mutex<Live>,
    indicators: &[Fingerprint],
    begin: i64,
    now: i64,
) -> Result<(), StoreError> {
    // What is derived from others is not counted from slices.
    if !locked(live).counts_any(indicators) {
        return Ok(());
    }
    for (tier, from, upto) in spans(store, now, i64::MIN, i64::MIN).await? {
        each_slice(store, tier, None, (from.max(begin), upto), |end, pack| {
            locked(live).recount(indicators, timeline_tier(tier), end, pack);
        })
        .await?;
    }
    Ok(())
}

/// Loads the latencies of indicators: as fine as any window's far edge may need, as far as any reaches. They have no
/// events before `begin`.
pub(crate) async fn load_latencies(
    store: &Store,
    live: &Mutex<Live>,
    indicators: &[Fingerprint],
    begin: i64,
    now: i64,
) -> Result<(), StoreError> {
    if !locked(live).counts_any(indicators) {
        return Ok(());
    }
    let oldest = now - locked(live).longest_window_s();
    let minutes_from = now - MINUTES_S;
    for (tier, from, upto) in spans(store, now, oldest, minutes_from).await? {
        each_slice(store, tier, None, (from.max(begin), upto), |end, pack| {
            locked(live).record_latencies(Some(indicators), end, tier.seconds(), pack);
        })
        .await?;
    }
    Ok(())
}

/// Which tier covers which time, in `(from, upto]`: hours, then minutes, then 10 s for as long as
/// they are kept. Each event is in one of them, as they meet at whole hours.
pub(crate) async fn spans(
    store: &Store,
    now: i64,
    oldest: i64,
    minutes_from: i64,
) -> Result<[(Tier, i64, i64); 3], StoreError> {
    let sealed = store.sealed_until().await?;
    let begin = |first: Option<i64>, length: i64| {
        first
            .map_or(sealed, |end| ceil_hour(end - length))
            .min(sealed)
    };
    let hours_from = begin(store.first_end(Tier::Hour).await?, 3600).max(oldest);
    let minutes_from = begin(store.first_end(Tier::Minute).await?, 60)
        .max(ceil_hour(minutes_from))
        .min(sealed);
    let tens = store.first_end(Tier::Ten).await?;
    let tens_from = tens.map_or(sealed, |end| ceil_hour(end - 10)).min(sealed);
    Ok([
        (Tier::Hour, hours_from.min(minutes_from), minutes_from),
        (Tier::Minute, minutes_from.min(tens_from), tens_from),
        (Tier::Ten, tens_from, now + AHEAD_S),
    ])
}

/// The whole hour at or after a time.
fn ceil_hour(second: i64) -> i64 {
    -(-second.max(i64::MIN / 2)).div_euclid(3600) * 3600
}

/// Visits the stored slices of `(from, upto]`, of all services or of these, a few hours at a time.
pub(crate) async fn each_slice(
    store: &Store,
    tier: Tier,
    services: Option<&[String]>,
    (from, upto): (i64, i64),
    mut visit: impl FnMut(i64, &collector::Pack),
) -> Result<(), StoreError> {
    let mut after = from.max(store.first_end(tier).await?.unwrap_or(upto) - 1);
    while after < upto {
        let until = (after + STEP_S).min(upto);
        for row in store.slices(tier, services, after, until).await? {
            if let Some(pack) = unpack(store, &row) {
                visit(row.end_s, &pack);
            }
        }
        after = until;
    }
    Ok(())
}
