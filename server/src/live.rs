//! Live state: what is counted and not yet in the store's slices, and every indicator's tallies.
//!
//! The journal writer applies committed deltas; every tick takes a cut for the store and judges.
//! All of it is plain data behind one mutex, held for microseconds and never across an await.

mod accounts;
mod cut;
mod latency;
mod unweighted;

use std::collections::BTreeMap;
use std::collections::hash_map::Entry as Place;
use std::hint::black_box;
use std::sync::Arc;

use collector::{
    ByStream, Class, CountOverflow, Delta, Entry, ExemplarSet, Known, Ledger, Measured, Pack,
    SeriesId, Slice, StreamId, StreamStates, place_after,
};
use foldhash::HashMap;
use slo_specs::{Catalog, Fingerprint, Objective, Tally, Tier, Timeline};
use smallvec::SmallVec;

use self::accounts::Accounts;
pub(crate) use self::cut::{Cut, Gathered};
use self::latency::{Latency, Reach};
pub(crate) use self::latency::{MINUTES_S, Quantiles};
pub(crate) use self::unweighted::Unweighted;
use crate::sli::{Index, tally};

/// A stored state of a metric stream. Those of sums need no allocation.
pub(crate) type StateBytes = SmallVec<[u8; 32]>;

/// States of streams that are looked up together.
const TOGETHER: usize = 16;

/// The live state. See the module's documentation.
#[derive(Debug)]
pub(crate) struct Live {
    catalog: Arc<Catalog>,
    objectives: Vec<Arc<Objective>>,
    known: Arc<Known>,
    index: Index,
    timelines: BTreeMap<Fingerprint, Timeline>,
    accounts: Accounts,
    latencies: BTreeMap<Fingerprint, Latency>,
    /// What each series measured since the last cut.
    pending: HashMap<(Slice, SeriesId), Measured>,
    /// The latest state of each stream that changed since the last cut.
    streams: ByStream<StateBytes>,
    /// Traces worth a look, since the last cut.
    exemplars: ExemplarSet,
    classes: Ledger,
    unweighted: Unweighted,
    applied: i64,
    /// Per indicator the earliest slice end that changed since the last tick.
    touched: BTreeMap<Fingerprint, i64>,
    observing_since_nanos: Option<u64>,
    /// For how long the latencies of a minute are kept apart at most, in seconds: as long as a window needs them.
    minutes_s: i64,
    /// Indicators whose history is not counted yet: nothing is said of them.
    without_history: Vec<Fingerprint>,
}

impl Live {
    pub(crate) fn new(catalog: Arc<Catalog>, known: Arc<Known>) -> Live {
        let index = Index::new(&catalog);
        let timelines = index
            .indicators()
            .iter()
            .map(|(fingerprint, indicator)| (*fingerprint, Timeline::counting(indicator.counted())))
            .collect();
        Live {
            objectives: shared(&catalog),
            accounts: Accounts::new(&catalog),
            catalog,
            known,
            index,
            timelines,
            latencies: BTreeMap::new(),
            pending: HashMap::default(),
            streams: ByStream::default(),
            exemplars: ExemplarSet::default(),
            classes: Ledger::default(),
            unweighted: Unweighted::default(),
            applied: 0,
            touched: BTreeMap::new(),
            observing_since_nanos: None,
            minutes_s: MINUTES_S,
            without_history: Vec::new(),
        }
    }

    /// Keeps the latencies of every minute of windows beyond two days too, for percentiles that are exact to the minute.
    pub(crate) fn keep_minutes(&mut self) {
        self.minutes_s = i64::MAX;
    }

    /// Starts from what the store holds: journal rows up to `folded` are in it already.
    pub(crate) fn resume(&mut self, folded: i64, classes: &Ledger, unweighted: Unweighted) {
        self.applied = folded;
        self.classes = *classes;
        self.unweighted = unweighted;
    }

    pub(crate) fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The series known so far.
    pub(crate) fn known(&self) -> &Arc<Known> {
        &self.known
    }

    /// Number of the last journal row that is counted.
    pub(crate) fn applied(&self) -> i64 {
        self.applied
    }

    /// Everything received, by signal and class, since the store was made.
    pub(crate) fn classes(&self) -> &Ledger {
        &self.classes
    }

    /// Who was sampled without a weight, and when last.
    pub(crate) fn unweighted(&self) -> &Unweighted {
        &self.unweighted
    }

    /// How many of these events, each series with its number, no objective of the catalog uses.
    pub(crate) fn unmatched(&mut self, taken: impl IntoIterator<Item = (SeriesId, u64)>) -> Class {
        let mut unmatched = Class::default();
        for (series, events) in taken {
            if let Some(bad) = self.index.unused(series, &self.known) {
                unmatched.total += events;
                unmatched.bad += if bad { events } else { 0 };
            }
        }
        unmatched
    }

    /// Tallies of an indicator; none if no objective of the catalog has it, or if its history is
    /// not counted yet: half a history is a wrong budget.
    pub(crate) fn timeline(&self, indicator: Fingerprint) -> Option<&Timeline> {
        if self.without_history.contains(&indicator) {
            return None;
        }
        let plain = self.timelines.get(&indicator);
        plain.or_else(|| self.accounts.timeline(indicator))
    }

    /// What an objective's budget is counted from; none as for [`Live::timeline`].
    pub(crate) fn account(&self, objective: &Objective) -> Option<&Timeline> {
        self.timeline(objective.tallied())
    }

    /// Whether the passing of time changes what is counted.
    pub(crate) fn counts_silence(&self) -> bool {
        self.accounts.counts_silence()
    }

    /// As [`Live::timeline`], to restore chunks into.
    pub(crate) fn timeline_mut(&mut self, indicator: Fingerprint) -> Option<&mut Timeline> {
        let plain = self.timelines.get_mut(&indicator);
        plain.or_else(|| self.accounts.timeline_mut(indicator))
    }

    /// What an objective's window would hold without corrections; none if it has none.
    pub(crate) fn uncorrected(&self, objective: &Objective, now: i64) -> Option<Tally> {
        let account = objective.account().uncorrected()?;
        let timeline = self.timeline(account.fingerprint())?;
        Some(objective.window.tally(timeline, now))
    }

    /// Brings what is derived from the indicators' events up to a tick.
    pub(crate) fn derive(&mut self, now: i64) {
        let Live {
            timelines,
            accounts,
            without_history,
            touched,
            ..
        } = self;
        let of = |leaf| {
            timelines
                .get(&leaf)
                .filter(|_| !without_history.contains(&leaf))
        };
        accounts.update(of, now, |account, end| {
            let earliest = touched.entry(account).or_insert(end);
            *earliest = end.min(*earliest);
        });
    }

    /// The objectives of the catalog, each to be kept as long as needed.
    pub(crate) fn objectives(&self) -> Vec<Arc<Objective>> {
        self.objectives.clone()
    }

    /// Everything that tallies are stored of: every indicator of the catalog, and what is derived from them.
    pub(crate) fn indicators(&self) -> Vec<Fingerprint> {
        let plain = self.timelines.keys().copied();
        plain.chain(self.accounts.fingerprints()).collect()
    }

    /// Percentiles of an objective's events over its window, as of a tick.
    pub(crate) fn quantiles(&self, objective: &Objective, now: i64) -> Option<Quantiles> {
        let latency = self.latencies.get(&objective.indicator.fingerprint())?;
        latency.quantiles(objective.window.from(now), now)
    }

    /// Counts a committed delta.
    pub(crate) fn apply(&mut self, seq: i64, delta: Delta) {
        self.applied = seq;
        sum(self.classes.merge(&delta.classes), "classes");
        self.keep_states(&delta.streams);
        self.exemplars.merge(&delta.exemplars);
        for (series, slice) in &delta.unweighted {
            self.note_unweighted(*series, slice.end_seconds());
        }
        for of_slice in delta.entries.chunk_by(|one, next| one.slice == next.slice) {
            self.count(of_slice);
        }
        self.keep_measured(delta.entries);
    }

    /// Adds entries to what is pending. Some are looked up together before any is added, as in
    /// [`Live::keep_states`].
    fn keep_measured(&mut self, entries: Vec<Entry>) {
        let mut entries = entries.into_iter();
        while !entries.as_slice().is_empty() {
            let together = entries.as_slice().iter().take(TOGETHER);
            let known = together.filter_map(|one| self.pending.get(&(one.slice, one.series)));
            black_box(known.map(Measured::fetch).fold(0, |all, one| all ^ one));
            for Entry {
                series,
                slice,
                measured,
            } in entries.by_ref().take(TOGETHER)
            {
                match self.pending.entry((slice, series)) {
                    Place::Vacant(place) => drop(place.insert(measured)),
                    Place::Occupied(mut place) => sum(place.get_mut().merge(&measured), "a slice"),
                }
            }
        }
    }

    /// Keeps the latest state of each stream. Some are looked up together before any is written: memory is slow, and
    /// can be asked for many things at once.
    fn keep_states(&mut self, states: &StreamStates) {
        let mut states = states.iter();
        let mut neighbour = None;
        loop {
            let together = states.by_ref().take(TOGETHER).map(|(id, state)| {
                let place = place_after(neighbour, id, &self.streams);
                neighbour = place.or(neighbour);
                (place, id, state)
            });
            let together: SmallVec<[_; TOGETHER]> = together.collect();
            if together.is_empty() {
                return;
            }
            for (place, id, state) in together {
                let place =
                    place.unwrap_or_else(|| self.streams.insert_full(id, StateBytes::new()).0);
                let kept = &mut self.streams[place];
                kept.clear();
                kept.extend_from_slice(state);
            }
        }
    }

    fn note_unweighted(&mut self, series: SeriesId, end: i64) {
        let (roles, indicators) = self.index.counting(series, &self.known);
        for role in roles {
            let (indicator, _) = indicators[role.indicator];
            self.unweighted.note_indicator(indicator, end);
        }
        if let Some(key) = self.known.get(series) {
            self.unweighted.note_service(&key.service, end);
        }
    }

    /// Adds the entries of one slice to the tallies, summed by indicator first: many series count for each.
    fn count(&mut self, of_slice: &[Entry]) {
        let Some(end) = of_slice.first().map(|entry| entry.slice.end_seconds()) else {
            return;
        };
        let mut tallies: Vec<Tally> = vec![Tally::EMPTY; self.index.indicators().len()];
        for entry in of_slice {
            let (roles, indicators) = self.index.counting(entry.series, &self.known);
            for role in roles {
                let (_, indicator) = &indicators[role.indicator];
                let more = tally(indicator, *role, &entry.measured);
                tallies[role.indicator] = tallies[role.indicator].plus(more);
            }
        }
        for ((fingerprint, _), tally) in self.index.indicators().iter().zip(tallies) {
            if tally != Tally::EMPTY
                && let Some(timeline) = self.timelines.get_mut(fingerprint)
            {
                timeline.add(end, tally);
                self.accounts.touch(*fingerprint, end);
                let earliest = self.touched.entry(*fingerprint).or_insert(end);
                *earliest = end.min(*earliest);
            }
        }
    }

    /// Whether any of these is an indicator whose events are counted, not derived from others.
    pub(crate) fn counts_any(&self, indicators: &[Fingerprint]) -> bool {
        let mut indicators = indicators.iter();
        indicators.any(|one| self.timelines.contains_key(one))
    }

    /// Counts a stored slice again, for indicators that were not judged before.
    pub(crate) fn recount(&mut self, only: &[Fingerprint], tier: Tier, end: i64, pack: &Pack) {
        for (series, measured) in &pack.series {
            let (roles, indicators) = self.index.counting(*series, &self.known);
            for role in roles {
                let (fingerprint, indicator) = &indicators[role.indicator];
                if only.contains(fingerprint)
                    && let Some(timeline) = self.timelines.get_mut(fingerprint)
                {
                    timeline.add_coarse(tier, end, tally(indicator, *role, measured));
                }
            }
        }
    }

    /// Packs what was recounted up to a time. It is no tick: nothing is derived, and nobody was there.
    pub(crate) fn pack(&mut self, until: i64) {
        for (leaf, timeline) in &mut self.timelines {
            timeline.advance_but(until, |hour_end| self.accounts.split_hour(*leaf, hour_end));
        }
    }

    /// sloburn was there at a tick, as far as a recording can tell.
    pub(crate) fn note_up(&mut self, tick: i64) {
        self.accounts.note_up(tick);
    }

    /// Adds the latencies of a slice (10 s, minute or hour, named by its end), to all indicators or
    /// to some.
    pub(crate) fn record_latencies(
        &mut self,
        only: Option<&[Fingerprint]>,
        end: i64,
        length_s: i64,
        pack: &Pack,
    ) {
        for (series, measured) in &pack.series {
            let (roles, indicators) = self.index.counting(*series, &self.known);
            for role in roles.iter().filter(|role| role.has_latency()) {
                let (fingerprint, _) = indicators[role.indicator];
                if only.is_none_or(|only| only.contains(&fingerprint)) {
                    let latency = self.latencies.entry(fingerprint).or_default();
                    latency.add(end, length_s, measured.histogram());
                }
            }
        }
    }

    /// Metric streams that were trimmed, and since when streams are known.
    pub(crate) fn forget_streams(&mut self, ids: Vec<StreamId>, observing_since_nanos: u64) {
        // An empty state removes the stored one.
        self.streams
            .extend(ids.into_iter().map(|id| (id, StateBytes::new())));
        self.observing_since_nanos = Some(observing_since_nanos);
    }

    /// The history of these indicators is counted: they can be judged.
    pub(crate) fn history_counted(&mut self) {
        self.without_history.clear();
    }

    /// Empties the tallies and latencies of indicators whose history is about to be counted.
    pub(crate) fn forget(&mut self, indicators: &[Fingerprint]) {
        self.without_history = indicators.to_vec();
        for (fingerprint, indicator) in self.index.indicators() {
            if indicators.contains(fingerprint) {
                let empty = Timeline::counting(indicator.counted());
                self.timelines.insert(*fingerprint, empty);
                self.latencies.remove(fingerprint);
            }
        }
        self.accounts.forget(indicators);
    }

    /// Tallies are restored, but those of `half`: they are to be counted again.
    pub(crate) fn restored(&mut self, half: &[Fingerprint]) {
        self.forget(half);
        self.accounts.resume(half);
        self.history_counted();
    }

    /// The longest window of any objective, in seconds, at its longest.
    pub(crate) fn longest_window_s(&self) -> i64 {
        self.catalog
            .objectives
            .iter()
            .map(window_s)
            .max()
            .unwrap_or_default()
    }

    /// How far back the latencies of each indicator are needed, and how fine.
    fn reaches(&self) -> BTreeMap<Fingerprint, Reach> {
        let mut reaches: BTreeMap<Fingerprint, Reach> = BTreeMap::new();
        for objective in &self.catalog.objectives {
            for leaf in objective.indicator.leaves() {
                let reach = reaches.entry(leaf.fingerprint()).or_default();
                reach.add(&objective.window, self.minutes_s);
            }
        }
        reaches
    }

    /// Takes, per indicator, the earliest slice end that changed since this was last called.
    pub(crate) fn take_touched(&mut self) -> BTreeMap<Fingerprint, i64> {
        std::mem::take(&mut self.touched)
    }

    /// Judges another catalog from now on; returns the indicators that have no history yet.
    pub(crate) fn change_catalog(&mut self, catalog: Arc<Catalog>) -> Vec<Fingerprint> {
        self.index = Index::new(&catalog);
        self.objectives = shared(&catalog);
        self.catalog = catalog;
        let mut kept = std::mem::take(&mut self.timelines);
        let mut added = Vec::new();
        for (fingerprint, indicator) in self.index.indicators() {
            let timeline = kept.remove(fingerprint).unwrap_or_else(|| {
                added.push(*fingerprint);
                Timeline::counting(indicator.counted())
            });
            self.timelines.insert(*fingerprint, timeline);
        }
        added.extend(self.accounts.change_catalog(&self.catalog, &added));
        let timelines = &self.timelines;
        self.latencies
            .retain(|fingerprint, _| timelines.contains_key(fingerprint));
        added
    }
}

fn shared(catalog: &Catalog) -> Vec<Arc<Objective>> {
    catalog.objectives.iter().cloned().map(Arc::new).collect()
}

fn window_s(objective: &Objective) -> i64 {
    i64::try_from(objective.window.longest().as_secs()).unwrap_or(i64::MAX)
}

/// A count beyond 2⁶⁴ cannot be kept; it can only come from a hostile counter, and is told.
pub(crate) fn sum(outcome: Result<(), CountOverflow>, what: &str) {
    if let Err(error) = outcome {
        tracing::error!(error = %error, "counts of {what} are too large to add; they are left out");
    }
}
