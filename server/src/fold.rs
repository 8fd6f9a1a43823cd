//! Folds what was counted since the last tick into the store's slices, and old slices into longer.

mod exemplars;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use collector::Pack;
use slo_specs::{Catalog, Fingerprint};

use crate::classes;
use crate::config::Retention;
use crate::history::{load_latencies, recount};
use crate::live::{Cut, Gathered, Live, sum};
use crate::resume::{OBSERVING_SINCE, UNJUDGED_FROM, locked};
use crate::store::{Fold, SliceRow, Store, StoreError, TallyRow, Tier, Trim};

/// One hour in seconds.
const HOUR_S: i64 = 3600;
/// How much of an hour is read at once while it is sealed, in seconds.
const READ_STEP_S: i64 = 600;
/// After its end an hour is sealed when nothing that is accepted can change it: the longest
/// lateness, and one minute for what is on its way.
const SEAL_MARGIN_S: i64 = 60;

/// Slices of a minute are kept as long as timelines keep minutes: so that a window of 35 days is counted again as
/// it was, late events and all.
const SLICE_SPARE: Duration = Duration::from_hours(25);

/// An hour's tallies are stored coarser some time after they are old enough to be.
const TALLY_SPARE: Duration = Duration::from_hours(48);

/// Writes cuts of the live state to the store, and what a failed write left behind.
#[derive(Debug)]
pub(crate) struct Folder {
    store: Store,
    live: Arc<Mutex<Live>>,
    backlog: Cut,
    /// The last journal row that is folded.
    folded: i64,
    /// Indicators whose history could not be read yet.
    without_history: Vec<Fingerprint>,
    /// None of them has an event before that, in Unix seconds.
    history_begin: i64,
    /// Indicators whose tallies are stored and marked as whole.
    whole: BTreeSet<Fingerprint>,
    /// A fold failed: it is not known whether it was stored.
    in_doubt: bool,
    retention: Retention,
    max_late_s: i64,
}

impl Folder {
    pub(crate) fn new(
        store: Store,
        live: Arc<Mutex<Live>>,
        retention: Retention,
        max_late_s: i64,
    ) -> Folder {
        Folder {
            store,
            live,
            backlog: Cut::default(),
            folded: 0,
            without_history: Vec::new(),
            history_begin: i64::MIN,
            whole: BTreeSet::new(),
            in_doubt: false,
            retention,
            max_late_s,
        }
    }

    /// Takes a cut and writes it; what cannot be written is kept and written with the next.
    ///
    /// `unjudged_from` is the first tick that is still to be judged, in Unix seconds: a process that
    /// starts from this fold goes on there.
    pub(crate) async fn fold(
        &mut self,
        now: i64,
        unjudged_from: Option<i64>,
    ) -> Result<(), StoreError> {
        self.settle().await?;
        let cut = locked(&self.live).cut(now);
        self.backlog.add(cut);
        let mut fold = self.fold_of_backlog(unjudged_from);
        let unchanged =
            fold.upto == self.folded && fold.tallies.is_empty() && fold.streams.is_empty();
        if unchanged {
            return Ok(());
        }
        fold.slices = merged_slices(&self.store, &self.backlog).await?;
        fold.exemplars = exemplars::merged(&self.store, &self.backlog).await?;
        // A damaged slice goes to quarantine before it is replaced by what is new.
        self.store.quarantine(now).await?;
        let outcome = self.store.fold(&fold).await;
        if let Err(error) = outcome {
            self.in_doubt = true;
            return Err(error);
        }
        self.folded(fold.upto);
        Ok(())
    }

    /// Stores counters of their own.
    pub(crate) async fn note(&mut self, counters: &[(String, i64)]) -> Result<(), StoreError> {
        self.settle().await?;
        let note = Fold {
            upto: self.store.folded().await?,
            counters: counters.to_vec(),
            ..Fold::default()
        };
        self.store.fold(&note).await
    }

    /// A fold that failed may be stored all the same: then its slices must not be added again. One without any
    /// is stored again: all else it holds takes the place of what was there.
    async fn settle(&mut self) -> Result<(), StoreError> {
        if self.in_doubt {
            // The first write waits for what an earlier connection may still be doing.
            self.store.ping_write().await?;
            let added = !self.backlog.slices.is_empty() || !self.backlog.exemplars.is_empty();
            if added && self.store.folded().await? == self.backlog.upto {
                self.folded(self.backlog.upto);
            }
            self.in_doubt = false;
        }
        Ok(())
    }

    fn folded(&mut self, upto: i64) {
        self.folded = upto;
        let whole = locked(&self.live).indicators();
        let whole = whole
            .into_iter()
            .filter(|one| !self.without_history.contains(one));
        self.whole = whole.collect();
        self.backlog = Cut::default();
    }

    /// The fold of the backlog, still without its slices. Tallies of an indicator are stored once its
    /// history is whole, and marked so: half a history must not be found at the next start.
    fn fold_of_backlog(&self, unjudged_from: Option<i64>) -> Fold {
        let indicators = locked(&self.live).indicators();
        let mut fold = fold_of(&self.backlog, unjudged_from);
        let without: Vec<i64> = self
            .without_history
            .iter()
            .map(|one| one.0.cast_signed())
            .collect();
        fold.tallies
            .retain(|row| !without.contains(&row.fingerprint));
        let unmarked = indicators
            .iter()
            .filter(|one| !self.whole.contains(one) && !self.without_history.contains(one));
        fold.tallies.extend(unmarked.map(|one| whole_history(*one)));
        fold
    }

    /// Judges another catalog from now on. Indicators without tallies are counted over the same
    /// history: what is stored, and what is not folded yet. Nothing else folds meanwhile.
    ///
    /// Those of them that are new count only series that were unknown at `unseen`: they have no events before
    /// what could still come then.
    pub(crate) async fn take_catalog(
        &mut self,
        catalog: Arc<Catalog>,
        unseen: i64,
        now: i64,
    ) -> Result<(), StoreError> {
        self.settle().await?;
        let begin = unseen.saturating_sub(self.max_late_s + HOUR_S);
        self.history_begin = match self.without_history[..] {
            [] => begin,
            _ => begin.min(self.history_begin),
        };
        let (added, kept) = {
            let mut live = locked(&self.live);
            self.backlog.add(live.cut(now));
            (live.change_catalog(catalog), live.indicators())
        };
        // What is not kept up to date any more must not be stored again either.
        self.backlog
            .chunks
            .retain(|(indicator, _), _| kept.contains(indicator));
        self.whole.retain(|indicator| kept.contains(indicator));
        self.without_history
            .retain(|indicator| kept.contains(indicator));
        self.without_history.extend(added);
        locked(&self.live).forget(&self.without_history);
        let kept: Vec<i64> = kept.iter().map(|kept| kept.0.cast_signed()).collect();
        self.store.keep_tallies(&kept).await?;
        self.count_history(now).await
    }

    /// Counts the history of the indicators that have none yet, from the beginning.
    pub(crate) async fn count_history(&mut self, now: i64) -> Result<(), StoreError> {
        if self.without_history.is_empty() {
            return Ok(());
        }
        self.settle().await?;
        {
            let mut live = locked(&self.live);
            self.backlog.add(live.cut(now));
            live.forget(&self.without_history);
            for ((slice, _), gathered) in &self.backlog.slices {
                let end = slice.end_seconds();
                live.recount(
                    &self.without_history,
                    slo_specs::Tier::Ten,
                    end,
                    &gathered.pack,
                );
                live.record_latencies(Some(&self.without_history), end, 10, &gathered.pack);
            }
        }
        let (live, indicators, begin) = (&self.live, &self.without_history, self.history_begin);
        recount(&self.store, live, indicators, begin, now).await?;
        load_latencies(&self.store, live, indicators, begin, now).await?;
        self.without_history.clear();
        locked(&self.live).history_counted();
        Ok(())
    }

    /// Makes minute and hour slices of the hours that nothing can change any more.
    pub(crate) async fn seal(&self, now: i64) -> Result<(), StoreError> {
        if !self.backlog.slices.is_empty() {
            // What could not be folded yet may belong to the hour.
            return Ok(());
        }
        let last = (now - self.max_late_s - SEAL_MARGIN_S).div_euclid(HOUR_S) * HOUR_S;
        let mut sealed = self.store.sealed_until().await?;
        if sealed == 0 {
            sealed = match self.store.first_end(Tier::Ten).await? {
                Some(first) => (first - 1).div_euclid(HOUR_S) * HOUR_S,
                None => return Ok(()),
            };
        }
        while sealed < last {
            let upto = sealed + HOUR_S;
            let mut longer = Lengthened::default();
            let mut after = sealed;
            while after < upto {
                let until = after + READ_STEP_S;
                for row in self.store.slices(Tier::Ten, None, after, until).await? {
                    longer.add(&self.store, &row);
                }
                after = until;
            }
            self.store.quarantine(now).await?;
            self.store.seal(&longer.rows(), upto).await?;
            sealed = upto;
        }
        Ok(())
    }

    /// Deletes what is older than its retention.
    pub(crate) async fn trim(&self, now: i64) -> Result<u64, StoreError> {
        let before = |kept: std::time::Duration| now - i64::try_from(kept.as_secs()).unwrap_or(now);
        let sealed = self.store.sealed_until().await?;
        self.store
            .trim(&Trim {
                // A 10-second slice is needed until its hour is sealed.
                ten_before_s: before(self.retention.ten_seconds).min(sealed),
                minute_before_s: before(self.retention.minutes + SLICE_SPARE),
                hour_before_s: before(self.retention.hours),
                request_before_s: now - request_horizon_s(self.max_late_s),
                tally_ten_before_s: before(self.retention.ten_seconds + TALLY_SPARE),
                tally_minute_before_s: before(self.retention.minutes + TALLY_SPARE),
                tally_hour_before_s: before(self.retention.hours + TALLY_SPARE),
                incident_before_s: before(self.retention.hours),
                outbox_before_s: before(self.retention.minutes),
                quarantine_before_s: before(self.retention.hours),
            })
            .await
    }
}

/// The rows of a cut, each merged with what the store has of the same slice.
async fn merged_slices(store: &Store, cut: &Cut) -> Result<Vec<SliceRow>, StoreError> {
    let keys: Vec<(Tier, i64, String)> = cut
        .slices
        .keys()
        .map(|(slice, service)| (Tier::Ten, slice.end_seconds(), service.to_string()))
        .collect();
    let stored = store.slices_at(&keys).await?;
    let mut stored: BTreeMap<(i64, String), SliceRow> = stored
        .into_iter()
        .map(|row| ((row.end_s, row.service.clone()), row))
        .collect();
    let mut rows = Vec::with_capacity(cut.slices.len());
    for ((slice, service), gathered) in &cut.slices {
        let key = (slice.end_seconds(), service.to_string());
        let mut pack = gathered.pack.clone();
        let mut row = SliceRow {
            tier: Tier::Ten,
            end_s: key.0,
            service: key.1.clone(),
            requests: signed(gathered.requests),
            failed: signed(gathered.failed),
            pack: Vec::new(),
        };
        if let Some(before) = stored.remove(&key)
            && let Some(stored) = unpack(store, &before)
        {
            row.requests += before.requests;
            row.failed += before.failed;
            sum(pack.merge(&stored), "a slice");
        }
        row.pack = pack.encode();
        rows.push(row);
    }
    Ok(rows)
}

/// The end of the hour under which an indicator's mark stands: its stored tallies are whole.
pub(crate) const WHOLE_HISTORY: i64 = i64::MAX;

fn whole_history(indicator: Fingerprint) -> TallyRow {
    TallyRow {
        fingerprint: indicator.0.cast_signed(),
        tier: Tier::Hour,
        hour_end_s: WHOLE_HISTORY,
        chunk: Vec::new(),
    }
}

fn fold_of(cut: &Cut, unjudged_from: Option<i64>) -> Fold {
    let tallies = cut
        .chunks
        .iter()
        .map(|((fingerprint, hour_end_s), chunk)| TallyRow {
            fingerprint: fingerprint.0.cast_signed(),
            tier: tier_of(chunk.tier),
            hour_end_s: *hour_end_s,
            chunk: chunk.bytes.clone(),
        })
        .collect();
    let since_s = cut
        .observing_since_nanos
        .map(|nanos| signed(nanos / 1_000_000_000));
    let unjudged_from = unjudged_from.into_iter().chain(cut.touched).min();
    let times = [(OBSERVING_SINCE, since_s), (UNJUDGED_FROM, unjudged_from)];
    Fold {
        upto: cut.upto,
        slices: Vec::new(),
        exemplars: Vec::new(),
        tallies,
        streams: cut
            .streams
            .iter()
            .map(|(id, state)| (id.0.cast_signed(), state.to_vec()))
            .collect(),
        counters: classes::counters(&cut.classes)
            .chain(cut.unweighted.counters())
            .chain(
                times
                    .into_iter()
                    .filter_map(|(name, at)| Some((name.to_owned(), at?))),
            )
            .collect(),
    }
}

/// 10-second rows merged into minutes and hours.
#[derive(Default)]
struct Lengthened {
    merged: BTreeMap<(Tier, i64, String), Gathered>,
}

impl Lengthened {
    fn add(&mut self, store: &Store, row: &SliceRow) {
        let Some(pack) = unpack(store, row) else {
            return;
        };
        let gathered = Gathered {
            requests: unsigned(row.requests),
            failed: unsigned(row.failed),
            pack,
        };
        for tier in [Tier::Minute, Tier::Hour] {
            let end = -(-row.end_s).div_euclid(tier.seconds()) * tier.seconds();
            let key = (tier, end, row.service.clone());
            self.merged.entry(key).or_default().add(&gathered);
        }
    }

    fn rows(self) -> Vec<SliceRow> {
        let row = |((tier, end_s, service), gathered): ((Tier, i64, String), Gathered)| SliceRow {
            tier,
            end_s,
            service,
            requests: signed(gathered.requests),
            failed: signed(gathered.failed),
            pack: gathered.pack.encode(),
        };
        self.merged.into_iter().map(row).collect()
    }
}

/// A timeline's tier as the store writes it.
fn tier_of(tier: slo_specs::Tier) -> Tier {
    match tier {
        slo_specs::Tier::Ten => Tier::Ten,
        slo_specs::Tier::Minute => Tier::Minute,
        slo_specs::Tier::Hour => Tier::Hour,
    }
}

/// The series of a stored row. One that is damaged goes to quarantine and is left out: it must keep neither the
/// rest from being counted nor the server from starting.
pub(crate) fn unpack(store: &Store, row: &SliceRow) -> Option<Pack> {
    Pack::decode(&row.pack)
        .inspect_err(|error| store.damaged(row.key(), error))
        .ok()
}

/// How long a request is remembered, in seconds: longer than its events are accepted.
pub(crate) fn request_horizon_s(max_late_s: i64) -> i64 {
    max_late_s.max(HOUR_S).saturating_mul(2)
}

/// Counts are stored as 64-bit signed integers: 9·10¹⁸ is beyond any traffic.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// No stored count is negative.
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

#[cfg(test)]
mod tests;
