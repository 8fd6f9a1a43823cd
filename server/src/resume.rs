//! From what the store holds to the live state: at the start, and for indicators that are new.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use collector::{CodecError, Delta, Known, Origin, SeriesId, SeriesKey, StreamId, Streams};
use jiff::Timestamp;
use slo_specs::{AlertState, Catalog, ChunkError, Fingerprint};

use crate::classes;
use crate::fold::WHOLE_HISTORY;
use crate::history::{load_latencies, recount};
use crate::judge::{Alert, AlertKey, Judge};
use crate::live::{Live, Unweighted};
use crate::storage;
use crate::store::{Fold, JournalRow, RowKey, Store, StoreError, TallyRow, Tier};

/// Name of the counter that remembers since when this store knows metric streams, in Unix seconds.
pub(crate) const OBSERVING_SINCE: &str = "observing_since_s";
/// Name of the counter that remembers the first tick that is still to be judged, in Unix seconds.
pub(crate) const UNJUDGED_FROM: &str = "unjudged_from_s";
/// The state to go on with.
#[derive(Debug)]
pub(crate) struct Resumed {
    /// Series that are stored are not known, as their rows are damaged.
    pub(crate) lost_series: bool,
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
    store.check_numbers(now).await?;
    let known = Arc::new(Known::default());
    load_series(store, &known).await?;
    let is_series = |row: &RowKey| matches!(row, RowKey::Series(_));
    let lost_series = store.noted_damage().iter().any(is_series);
    let counters: BTreeMap<String, i64> = store.counters().await?.into_iter().collect();
    let mut streams = load_streams(store, &counters, now).await?;
    let mut live = Live::new(catalog, Arc::clone(&known));
    live.resume(
        store.folded().await?,
        &classes::of_counters(&counters),
        Unweighted::of_counters(&counters),
    );
    let indicators = live.indicators();
    // Tallies of indicators that left the catalog are not kept up to date: never find them again.
    store.keep_tallies(&fingerprints(&indicators)).await?;
    let rows = store.tallies(&fingerprints(&indicators), 0).await?;
    let without_history = restore_tallies(store, &mut live, &indicators, rows)?;
    let live = Arc::new(Mutex::new(live));
    recount(store, &live, &without_history, i64::MIN, now).await?;
    load_latencies(store, &live, &indicators, i64::MIN, now).await?;
    failpoint!("start.loaded");
    for row in store.journal_after(store.folded().await?).await? {
        if let Some(delta) = read_delta(store, &row)? {
            for (id, state) in delta.streams.iter() {
                restore_stream(store, &mut streams, id, state)?;
            }
            locked(&live).apply(row.seq, delta);
        }
    }
    // Before the first fold, which ends the journal.
    store.quarantine(now).await?;
    store.mark_lost_commits(now).await?;
    Ok(Resumed {
        lost_series,
        live,
        known,
        streams,
        unjudged_from: counters.get(UNJUDGED_FROM).copied(),
    })
}

/// Makes every series of the store known. One that is damaged is known again when it is next sent.
pub(crate) async fn load_series(store: &Store, known: &Known) -> Result<(), StoreError> {
    for (row, key) in store.series().await? {
        let id = SeriesId(row.cast_unsigned());
        match SeriesKey::decode(&key) {
            // The id is a hash of the key: it checks rows that carry no checksum.
            Ok(key) if key.id() == id => known.insert(id, Arc::new(key)),
            Ok(_) => store.damaged(RowKey::Series(row), &CodecError::Checksum),
            Err(error) => give_up(store, "series", RowKey::Series(row), &error)?,
        }
    }
    Ok(())
}

/// The metric streams as of the last fold. When one is damaged, no stream that began before now is new: the
/// first point of one that is not known is a base, so that nothing is counted twice.
async fn load_streams(
    store: &Store,
    counters: &BTreeMap<String, i64>,
    now: i64,
) -> Result<Streams, StoreError> {
    let rows = store.streams().await?;
    let known = counters.get(OBSERVING_SINCE).copied();
    if let Some(since) = known {
        let streams = restored(store, &rows, since)?;
        let damaged = |row: &RowKey| matches!(row, RowKey::Stream(_));
        if !store.noted_damage().iter().any(damaged) {
            return Ok(streams);
        }
    }
    note_observing_since(store, now).await?;
    restored(store, &rows, now)
}

fn restored(store: &Store, rows: &[(i64, Vec<u8>)], since: i64) -> Result<Streams, StoreError> {
    let mut streams = Streams::new(Origin::Live {
        observing_since_nanos: u64::try_from(since).unwrap_or_default() * 1_000_000_000,
    });
    for (row, state) in rows {
        restore_stream(store, &mut streams, StreamId(row.cast_unsigned()), state)?;
    }
    Ok(streams)
}

/// Restores a stream, unless its state is damaged.
fn restore_stream(
    store: &Store,
    streams: &mut Streams,
    id: StreamId,
    state: &[u8],
) -> Result<(), StoreError> {
    if state.is_empty() {
        return Ok(());
    }
    match streams.restore(id, state) {
        Ok(()) => Ok(()),
        Err(error) => give_up(store, "stream", RowKey::Stream(id.0.cast_signed()), &error),
    }
}

/// What a journal row counted; none if it is damaged.
pub(crate) fn read_delta(store: &Store, row: &JournalRow) -> Result<Option<Delta>, StoreError> {
    match Delta::decode(&row.delta) {
        Ok(delta) => Ok(Some(delta)),
        Err(error) => {
            give_up(store, "journal", row.key(), &error)?;
            Ok(None)
        }
    }
}

/// Notes a damaged row. One of a newer version is not damaged: it is for the newer version to read.
fn give_up(
    store: &Store,
    what: &'static str,
    row: RowKey,
    error: &CodecError,
) -> Result<(), StoreError> {
    if let CodecError::Version(_) = error {
        return Err(StoreError::damaged(what, row, &error));
    }
    store.damaged(row, error);
    Ok(())
}

fn fingerprints(indicators: &[Fingerprint]) -> Vec<i64> {
    indicators
        .iter()
        .map(|fingerprint| fingerprint.0.cast_signed())
        .collect()
}

/// Notes when this store began to observe: at its first start, or now that it has lost a stream.
async fn note_observing_since(store: &Store, now: i64) -> Result<(), StoreError> {
    let note = Fold {
        upto: store.folded().await?,
        counters: vec![(OBSERVING_SINCE.to_owned(), now)],
        ..Fold::default()
    };
    store.fold(&note).await
}

/// Restores the stored tallies of indicators whose history is whole; returns the other indicators. One of whose
/// tallies any is damaged is among them: it is counted again from the slices.
pub(crate) fn restore_tallies(
    store: &Store,
    live: &mut Live,
    indicators: &[Fingerprint],
    rows: Vec<TallyRow>,
) -> Result<Vec<Fingerprint>, StoreError> {
    let (marks, mut chunks): (Vec<TallyRow>, Vec<TallyRow>) = rows
        .into_iter()
        .partition(|row| row.hour_end_s == WHOLE_HISTORY);
    let mut whole: BTreeSet<i64> = marks.iter().map(|row| row.fingerprint).collect();
    for row in store.noted_damage() {
        if let RowKey::Tally { fingerprint, .. } = row {
            whole.remove(&fingerprint);
        }
    }
    // Of an hour that is stored in two tiers the coarser is the newer: it comes last.
    chunks.sort_by_key(|row| row.tier);
    for row in chunks {
        let indicator = Fingerprint(row.fingerprint.cast_unsigned());
        if !whole.contains(&row.fingerprint) {
            continue;
        }
        let Some(timeline) = live.timeline_mut(indicator) else {
            continue;
        };
        match timeline.restore(timeline_tier(row.tier), row.hour_end_s, &row.chunk) {
            Ok(()) => {}
            Err(error @ ChunkError::Version(_)) => {
                return Err(StoreError::damaged("tally", row.hour_end_s, &error));
            }
            Err(error) => {
                store.damaged(row.key(), &error);
                whole.remove(&row.fingerprint);
            }
        }
    }
    let half = |indicator: &&Fingerprint| !whole.contains(&indicator.0.cast_signed());
    let half: Vec<Fingerprint> = indicators.iter().filter(half).copied().collect();
    live.restored(&half);
    Ok(half)
}

/// The store's tier as a timeline calls it.
pub(crate) fn timeline_tier(tier: Tier) -> slo_specs::Tier {
    match tier {
        Tier::Ten => slo_specs::Tier::Ten,
        Tier::Minute => slo_specs::Tier::Minute,
        Tier::Hour => slo_specs::Tier::Hour,
    }
}

/// Alerts as they were stored.
pub(crate) async fn stored_alerts(
    store: &Store,
    unjudged_from: Option<i64>,
) -> Result<Judge, StoreError> {
    let mut alerts = BTreeMap::new();
    let alerts_of_objectives = store.alerts().await?.into_iter();
    for row in alerts_of_objectives.filter(|row| !storage::is_own(&row.objective)) {
        let key = AlertKey {
            objective: row.objective,
            rule: row.rule,
        };
        let version = row.version;
        match serde_json::from_str::<AlertState>(&row.state) {
            Ok(state) => drop(alerts.insert(key, Alert { state, version })),
            Err(error) => {
                let AlertKey { objective, rule } = key;
                store.damaged(RowKey::Alert { objective, rule }, &error);
            }
        }
    }
    // A damaged alert that fired goes on to fire, as its incident says: it is not paged again, and it is resolved.
    for (objective, rule, incident, fired_s) in store.open_incidents().await? {
        if storage::is_own(&objective) {
            continue;
        }
        let state = AlertState::Firing {
            since: Timestamp::from_second(fired_s).unwrap_or_default(),
            incident: u64::try_from(incident).unwrap_or_default(),
        };
        alerts
            .entry(AlertKey { objective, rule })
            .or_insert(Alert { state, version: 0 });
    }
    let next = store.next_incident().await?;
    let next = u64::try_from(next).unwrap_or(1);
    Ok(Judge::resume(alerts, next, unjudged_from))
}

/// The live state; a panic elsewhere leaves it whole, as every change is made in one go.
pub(crate) fn locked(live: &Mutex<Live>) -> std::sync::MutexGuard<'_, Live> {
    live.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
