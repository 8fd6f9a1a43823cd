//! Timelines that are derived from others, step by step, and kept in step with them.

use std::collections::BTreeSet;

use crate::account::{Account, LeftOut};
use crate::timeline::{ceil, floor};
use crate::{Fingerprint, Slicing, Tally, Tier, Timeline, excluded};

/// Finest step, in seconds.
const TEN_S: i64 = 10;
const HOUR_S: i64 = 3_600;
/// A slice without events counts as empty this long after its end: exporters send once a minute.
const EMPTY_AFTER_S: i64 = 120;
/// Share of a slice in which sloburn must have been there to say that nothing came, in percent.
const UP_PERCENT: u64 = 75;

/// The timeline of an account that is not plain.
///
/// A slice is in it from its end on: half a slice says nothing. Whatever changes one later, such as
/// late events, changes it here too.
#[derive(Clone, Debug)]
pub struct Derived {
    account: Account,
    timeline: Timeline,
    /// Ends of the steps to be counted again.
    stale: BTreeSet<i64>,
    /// What ended up to here is counted, or stale; none if nothing ever was.
    swept: Option<i64>,
    /// Where the first step with events begins: late ones may move it.
    begins: Option<i64>,
    /// What came before the first update was not touched one by one.
    fresh: bool,
}

impl Derived {
    /// Nothing is counted yet.
    pub fn new(account: Account) -> Self {
        let counted = match (account.slicing, account.parts.first()) {
            (None, Some(part)) => part.counted,
            _ => crate::Counted::Bad,
        };
        Self {
            account,
            timeline: Timeline::counting(counted),
            stale: BTreeSet::new(),
            swept: None,
            begins: None,
            fresh: true,
        }
    }

    /// What it is derived from.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// What is counted: ask and seal it as any timeline.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The same, to restore stored hours into and to seal.
    pub fn timeline_mut(&mut self) -> &mut Timeline {
        &mut self.timeline
    }

    /// What is stored is restored: it was brought up to `counted_until` last, when what ended just
    /// before may still have waited for its events.
    pub fn resume(&mut self, counted_until: i64) {
        let step = self.step_s();
        self.swept = Some(floor(counted_until - EMPTY_AFTER_S, step) - step);
    }

    /// Goes on from the same account without corrections, whose timeline is `whole`, where an hour of events is
    /// one sum by now: what its slices were is known there only. An hour that is left out in part counts in
    /// whole. Does nothing once anything is counted or restored.
    pub fn inherit<'t>(
        &mut self,
        whole: &Timeline,
        of: impl Fn(Fingerprint) -> Option<&'t Timeline>,
    ) {
        let parts = self.account.parts.iter().map(|part| of(part.of));
        let parts: Option<Vec<&Timeline>> = parts.collect();
        let Some(parts) = parts.filter(|_| self.is_unborn() && self.account.slicing.is_some())
        else {
            return;
        };
        let old = |hour_end: &i64| whole.tier_at(*hour_end) == Some(Tier::Hour);
        for hour_end in whole.hours_from(i64::MIN / 2).filter(old) {
            let is_sum = tier_at(&parts, hour_end) == Some(Tier::Hour);
            if self.account.leaves_out(hour_end) < LeftOut::Whole
                && (is_sum || self.account.leaves_out(hour_end) == LeftOut::Nothing)
            {
                let tally = whole.sum_between(hour_end - HOUR_S, hour_end);
                self.timeline.add_coarse(Tier::Hour, hour_end, tally);
            }
        }
    }

    /// Whether nothing is counted or restored yet.
    pub fn is_unborn(&self) -> bool {
        self.fresh && self.swept.is_none()
    }

    /// Events of the slice of 10 s that ends there have changed.
    pub fn touch(&mut self, end: i64) {
        self.stale.insert(ceil(end, self.step_s()));
    }

    /// Counts what is new or has changed up to `now`, and tells the earliest end of a step that
    /// changed; the first time none, as all is new then. `of` gives the timelines of the account's parts, sealed as of now; `up` has an event
    /// for every tick that sloburn was there.
    pub fn update<'t>(
        &mut self,
        of: impl Fn(Fingerprint) -> Option<&'t Timeline>,
        up: &Timeline,
        now: i64,
    ) -> Option<i64> {
        let parts = self.account.parts.iter().map(|part| of(part.of));
        let parts: Vec<&Timeline> = parts.collect::<Option<_>>()?;
        let fresh = self.fresh;
        self.sweep(&parts, up, now);
        let mut earliest: Option<i64> = None;
        let later = self.stale.split_off(&(now + 1));
        let stale = std::mem::replace(&mut self.stale, later);
        let gaps = Gaps::new(self.excluded(&stale), &parts);
        for end in stale {
            let Some((end, tally)) = self.count(&parts, &gaps, up, end, now) else {
                continue;
            };
            if self.holds_sum_of(end) {
                continue;
            }
            // What replaces a minute must not stand beside the finer slices of it.
            if let Some(tier) = tier_at(&parts, end) {
                self.timeline.coarsen(end, tier);
            }
            if self.timeline.set(end, tally) {
                earliest = earliest.into_iter().chain([end]).min();
            }
        }
        earliest.filter(|_| !fresh)
    }

    /// Marks what nobody touched: everything, the first time; and slices without events, where they
    /// count for something.
    fn sweep(&mut self, parts: &[&Timeline], up: &Timeline, now: i64) {
        let step = self.step_s();
        if self.fresh && self.swept.is_some_and(|swept| swept >= now - EMPTY_AFTER_S) {
            // The clock was ahead once: the last tick before now tells what is counted.
            self.swept = None;
            if let Some(last) = up.last_before(now) {
                self.resume(last);
            }
        }
        let first = parts.iter().filter_map(|part| part.measured_since()).min();
        let Some(first) = first.map(|first| floor(first, step)) else {
            self.swept = None;
            return;
        };
        let from = self.swept.map_or(first, |swept| swept.max(first));
        let began = self.begins.replace(first).unwrap_or(first);
        if std::mem::take(&mut self.fresh) {
            self.touch_all(parts, from);
        }
        if self.account.counts_silence() {
            self.stale.extend(ends(first, began, step));
            let to = floor(now - EMPTY_AFTER_S, step);
            self.stale.extend(ends(from, to, step));
            self.swept = Some(to);
        }
    }

    /// Marks every step with events that ends after `from`.
    fn touch_all(&mut self, parts: &[&Timeline], from: i64) {
        for part in parts {
            for hour_end in part.hours_from(from) {
                let grain = part.tier_at(hour_end).map_or(TEN_S, seconds);
                let step = self
                    .account
                    .slicing
                    .map_or(grain, |slicing| slicing.length_s());
                let of_hour = ends(hour_end - HOUR_S, hour_end, step).chain([ceil(hour_end, step)]);
                self.stale.extend(of_hour.filter(|end| *end > from));
            }
        }
    }

    /// Whether a slice is in an hour that is one sum of several by now: then it stays as it is.
    fn holds_sum_of(&self, end: i64) -> bool {
        let slice = self.account.slicing.map(|slicing| slicing.length_s());
        slice.is_some_and(|length| length < HOUR_S)
            && self.timeline.tier_at(end) == Some(Tier::Hour)
    }

    /// What corrections leave out of these steps.
    fn excluded(&self, steps: &BTreeSet<i64>) -> Vec<(i64, i64)> {
        match (steps.first(), steps.last()) {
            (Some(first), Some(last)) if !self.account.corrections.is_empty() => {
                let reach = self.step_s().max(HOUR_S);
                excluded(&self.account.corrections, first - reach, last + HOUR_S)
            }
            _ => Vec::new(),
        }
    }

    /// What the step that ends at `end` counts for, and the end of the slot it is kept in. `None` if
    /// that cannot be known, as its time is kept more coarsely by now.
    fn count(
        &self,
        parts: &[&Timeline],
        gaps: &Gaps,
        up: &Timeline,
        end: i64,
        now: i64,
    ) -> Option<(i64, Tally)> {
        let grain = || tier_at(parts, end).map_or(TEN_S, seconds);
        let slice = self.account.slicing.map(|slicing| slicing.length_s());
        let length = slice.unwrap_or_else(grain);
        // Slices end where they end; finer steps are gathered in the slot that holds them.
        let end = slice.map_or_else(|| ceil(end, length), |_| end);
        let from = end - length;
        if cuts_sum(parts, from) || cuts_sum(parts, end) {
            return None;
        }
        let whole = kept(&gaps.written, from, end) == [(from, end)];
        let tally = self.account.step(parts, &kept(&gaps.countable, from, end));
        let nothing = || match self.account.slicing {
            Some(slicing) if whole => empty(slicing, up, end, now),
            _ => Tally::EMPTY,
        };
        Some((end, tally.unwrap_or_else(nothing)))
    }

    fn step_s(&self) -> i64 {
        self.account
            .slicing
            .map_or(TEN_S, |slicing| slicing.length_s())
    }
}

/// What corrections leave out of some time: sorted, apart from each other.
#[derive(Debug)]
struct Gaps {
    /// As they say.
    written: Vec<(i64, i64)>,
    /// As far as it can be: of an hour that is one sum by now no part can be left out, so it counts until all
    /// of it is.
    countable: Vec<(i64, i64)>,
}

impl Gaps {
    fn new(written: Vec<(i64, i64)>, parts: &[&Timeline]) -> Self {
        let whole = |at: i64, to_hour: fn(i64, i64) -> i64| {
            if cuts_sum(parts, at) {
                to_hour(at, HOUR_S)
            } else {
                at
            }
        };
        let countable = written.iter();
        let countable = countable.map(|(start, end)| (whole(*start, ceil), whole(*end, floor)));
        Self {
            countable: countable.filter(|(start, end)| start < end).collect(),
            written,
        }
    }
}

/// Whether a time is within an hour that is one sum by now.
fn cuts_sum(parts: &[&Timeline], at: i64) -> bool {
    at % HOUR_S != 0 && tier_at(parts, at) == Some(Tier::Hour)
}

/// How finely the hour of a slice is kept by all parts.
fn tier_at(parts: &[&Timeline], end: i64) -> Option<Tier> {
    parts.iter().filter_map(|part| part.tier_at(end)).max()
}

/// What is left of `(from, to]`.
fn kept(excluded: &[(i64, i64)], from: i64, to: i64) -> Vec<(i64, i64)> {
    let mut kept = Vec::with_capacity(1);
    let mut begin = from;
    let first = excluded.partition_point(|(_, end)| *end <= from);
    for (start, end) in excluded
        .iter()
        .skip(first)
        .take_while(|(start, _)| *start < to)
    {
        if *start > begin {
            kept.push((begin, *start));
        }
        begin = begin.max(*end);
    }
    if begin < to {
        kept.push((begin, to));
    }
    kept
}

/// What a slice without events counts for: nothing as long as events may be on their way, or if
/// sloburn was not there to see them.
fn empty(slicing: Slicing, up: &Timeline, end: i64, now: i64) -> Tally {
    let (mut from, mut to) = (end - slicing.length_s(), end);
    if up.tier_at(end) == Some(Tier::Hour) {
        // Of an hour that is one sum by now every part is taken to be like the whole.
        (from, to) = (floor(from, HOUR_S), ceil(end, HOUR_S));
    }
    let ticks = up.between(from, to).total;
    let all = u64::try_from((to - from) / TEN_S).unwrap_or(u64::MAX);
    if end > now - EMPTY_AFTER_S || ticks * 100 < all.saturating_mul(UP_PERCENT) {
        return Tally::EMPTY;
    }
    slicing.judge_empty()
}

fn seconds(tier: Tier) -> i64 {
    i64::from(tier.seconds())
}

/// Ends of the steps that end in `(from, to]`.
fn ends(from: i64, to: i64, step: i64) -> impl Iterator<Item = i64> {
    let first = floor(from, step) + step;
    (first..=to).step_by(usize::try_from(step).unwrap_or(usize::MAX))
}
