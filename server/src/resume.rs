//! From what the store holds to the live state: at the start, and for indicators that are new.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use collector::{Class, Classes, Delta, Known, Origin, SeriesId, SeriesKey, StreamId, Streams};
use slo_specs::{Catalog, Fingerprint};

use crate::fold::WHOLE_HISTORY;
use crate::history::{load_latencies, recount};
use crate::live::Live;
use crate::store::{Fold, Store, StoreError, TallyRow, Tier};

/// Name of the counter that remembers since when this store knows metric streams, in Unix seconds.
pub(crate) const OBSERVING_SINCE: &str = "observing_since_s";
/// Name of the counter that remembers the first tick that is still to be judged, in Unix seconds.
pub(crate) const UNJUDGED_FROM: &str = "unjudged_from_s";
/// The state to go on with.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) live: Arc<Mutex<Live>>,
    pub(crate) known: Arc<Known>,
    pub(crate) streams: Streams,
    /// The first tick that is still to be judged, in Unix seconds.
    pub(crate) unjudged_from: Option<i64>,
}

/// Loads series, streams, tallies and latencies, then counts the journal's tail.
pub(crate) async fn resume(
    store: &Store,
    catalog: Arc<Catalog>,
    now: i64,
) -> Result<Resumed, StoreError> {
    let known = Arc::new(Known::default());
    load_series(store, &known).await?;
    let counters: BTreeMap<String, i64> = store.counters().await?.into_iter().collect();
    let since = observing_since(store, &counters, now).await?;
    let mut streams = Streams::new(Origin::Live {
        observing_since_nanos: u64::try_from(since).unwrap_or_default() * 1_000_000_000,
    });
    for (id, state) in store.streams().await? {
        restore_stream(&mut streams, StreamId(id.cast_unsigned()), &state)?;
    }
    let mut live = Live::new(catalog, Arc::clone(&known));
    live.resume(store.folded().await?, classes_of(&counters));
    let indicators = live.indicators();
    // Tallies of indicators that left the catalog are not kept up to date: never find them again.
    store.keep_tallies(&fingerprints(&indicators)).await?;
    let rows = store.tallies(&fingerprints(&indicators), 0).await?;
    let without_history = restore_tallies(&mut live, &indicators, rows)?;
    let live = Arc::new(Mutex::new(live));
    recount(store, &live, &without_history, now).await?;
    load_latencies(store, &live, &indicators, now).await?;
    failpoint!("start.loaded");
    for (seq, bytes) in store.journal_after(store.folded().await?).await? {
        let delta =
            Delta::decode(&bytes).map_err(|error| StoreError::damaged("journal", seq, &error))?;
        for (id, state) in &delta.streams {
            restore_stream(&mut streams, *id, state)?;
        }
        locked(&live).apply(seq, delta);
    }
    Ok(Resumed {
        live,
        known,
        streams,
        unjudged_from: counters.get(UNJUDGED_FROM).copied(),
    })
}

/// Makes every series of the store known.
pub(crate) async fn load_series(store: &Store, known: &Known) -> Result<(), StoreError> {
    for (id, key) in store.series().await? {
        let key =
            SeriesKey::decode(&key).map_err(|error| StoreError::damaged("series", id, &error))?;
        known.insert(SeriesId(id.cast_unsigned()), Arc::new(key));
    }
    Ok(())
}

fn restore_stream(streams: &mut Streams, id: StreamId, state: &[u8]) -> Result<(), StoreError> {
    if state.is_empty() {
        return Ok(());
    }
    streams
        .restore(id, state)
        .map_err(|error| StoreError::damaged("stream", id.0, &error))
}

fn fingerprints(indicators: &[Fingerprint]) -> Vec<i64> {
    indicators
        .iter()
        .map(|fingerprint| fingerprint.0.cast_signed())
        .collect()
}

fn classes_of(counters: &BTreeMap<String, i64>) -> Classes {
    let count = |name: &str| {
        counters
            .get(name)
            .and_then(|count| u64::try_from(*count).ok())
            .unwrap_or_default()
    };
    Classes::from_named(|name| Class {
        total: count(name),
        bad: count(&format!("{name}_bad")),
    })
}

/// When this store began to observe; noted at its first start.
async fn observing_since(
    store: &Store,
    counters: &BTreeMap<String, i64>,
    now: i64,
) -> Result<i64, StoreError> {
    if let Some(since) = counters.get(OBSERVING_SINCE) {
        return Ok(*since);
    }
    let note = Fold {
        upto: store.folded().await?,
        counters: vec![(OBSERVING_SINCE.to_owned(), now)],
        ..Fold::default()
    };
    store.fold(&note).await?;
    Ok(now)
}

/// Restores the stored tallies of indicators whose history is whole; returns the other indicators.
fn restore_tallies(
    live: &mut Live,
    indicators: &[Fingerprint],
    rows: Vec<TallyRow>,
) -> Result<Vec<Fingerprint>, StoreError> {
    let (marks, mut chunks): (Vec<TallyRow>, Vec<TallyRow>) = rows
        .into_iter()
        .partition(|row| row.hour_end_s == WHOLE_HISTORY);
    let whole: BTreeSet<i64> = marks.iter().map(|row| row.fingerprint).collect();
    // Of an hour that is stored in two tiers the coarser is the newer: it comes last.
    chunks.sort_by_key(|row| row.tier);
    for row in chunks.iter().filter(|row| whole.contains(&row.fingerprint)) {
        let indicator = Fingerprint(row.fingerprint.cast_unsigned());
        if let Some(timeline) = live.timeline_mut(indicator) {
            timeline
                .restore(timeline_tier(row.tier), row.hour_end_s, &row.chunk)
                .map_err(|error| StoreError::damaged("tally", row.hour_end_s, &error))?;
        }
    }
    let half = |indicator: &&Fingerprint| !whole.contains(&indicator.0.cast_signed());
    Ok(indicators.iter().filter(half).copied().collect())
}

/// The store's tier as a timeline calls it.
fn timeline_tier(tier: Tier) -> slo_specs::Tier {
    match tier {
        Tier::Ten => slo_specs::Tier::Ten,
        Tier::Minute => slo_specs::Tier::Minute,
        Tier::Hour => slo_specs::Tier::Hour,
    }
}

/// The live state; a panic elsewhere leaves it whole, as every change is made in one go.
pub(crate) fn locked(live: &Mutex<Live>) -> std::sync::MutexGuard<'_, Live> {
    live.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
