//! Stored slices read again: for indicators that were not judged before, and for latencies.

use std::sync::Mutex;

use slo_specs::Fingerprint;

use crate::fold::unpack;
use crate::live::Live;
use crate::resume::locked;
use crate::store::{Store, StoreError, Tier};

/// How much of a history is read at once, in seconds.
const STEP_S: i64 = 6 * 3600;

/// Counts the stored slices for indicators that have no tallies: a new or changed objective is
/// judged over the same history.
pub(crate) async fn recount(
    store: &Store,
    live: &Mutex<Live>,
    indicators: &[Fingerprint],
    now: i64,
) -> Result<(), StoreError> {
    if indicators.is_empty() {
        return Ok(());
    }
    let sealed = store.sealed_until().await?;
    let minutes_from = store.first_end(Tier::Minute).await?.unwrap_or(sealed) - 60;
    let hours_from = store.first_end(Tier::Hour).await?.unwrap_or(sealed) - 3600;
    let minutes_from = -(-minutes_from).div_euclid(3600) * 3600;
    let tens_from = store.first_end(Tier::Ten).await?.unwrap_or(now) - 10;
    let spans = [
        (Tier::Hour, hours_from, minutes_from.min(sealed)),
        (Tier::Minute, minutes_from.min(sealed), sealed),
        (Tier::Ten, sealed.max(tens_from), i64::MAX),
    ];
    for (tier, from, upto) in spans {
        each_slice(store, tier, from, upto, now, |end, pack| {
            locked(live).recount(indicators, end, pack);
        })
        .await?;
    }
    Ok(())
}

/// Loads the latencies of indicators: hours as far as any window reaches, then what is young.
pub(crate) async fn load_latencies(
    store: &Store,
    live: &Mutex<Live>,
    indicators: &[Fingerprint],
    now: i64,
) -> Result<(), StoreError> {
    let longest = locked(live).longest_window_s();
    let sealed = store.sealed_until().await?;
    let spans = [
        (Tier::Hour, (now - longest).min(sealed), sealed),
        (Tier::Ten, sealed, i64::MAX),
    ];
    for (tier, from, upto) in spans {
        each_slice(store, tier, from, upto, now, |end, pack| {
            locked(live).record_latencies(Some(indicators), end, tier.seconds(), pack);
        })
        .await?;
    }
    Ok(())
}

/// Visits the stored slices of `(from, upto]`, a few hours at a time.
async fn each_slice(
    store: &Store,
    tier: Tier,
    from: i64,
    upto: i64,
    now: i64,
    mut visit: impl FnMut(i64, &collector::Pack),
) -> Result<(), StoreError> {
    // Nothing lies further ahead than what is taken as now.
    let upto = upto.min(now + 3600);
    let mut after = from.max(store.first_end(tier).await?.unwrap_or(upto) - 1);
    while after < upto {
        let until = (after + STEP_S).min(upto);
        for row in store.slices(tier, None, after, until).await? {
            visit(row.end_s, &unpack(&row)?);
        }
        after = until;
    }
    Ok(())
}
