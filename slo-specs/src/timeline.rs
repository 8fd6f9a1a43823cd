//! Tallies of one indicator over time: 10 s while young, then minutes, then hours.

mod chunk;
mod hour;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use chunk::ChunkError;

use crate::Tally;
use hour::Hour;

/// Seconds of an hour.
const HOUR_S: i64 = 3_600;
/// How long 10-second slices are kept: 6 h of exact windows, 2 h of late data, an hour to spare.
const TEN_S: i64 = 9 * HOUR_S;
/// How long minutes are kept: 35 days of windows, and a day to spare.
const MINUTE_S: i64 = 36 * 24 * HOUR_S;
/// How long hours are kept: 400 days of windows, and a day to spare.
const HOUR_KEPT_S: i64 = 401 * 24 * HOUR_S;
/// Longest look-back whose far edge is exact to 10 s.
const TEN_LOOK_BACK: Duration = Duration::from_hours(6);
/// Longest look-back whose far edge is exact to the minute.
const MINUTE_LOOK_BACK: Duration = Duration::from_hours(35 * 24);

/// How finely an hour is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// 360 slices of 10 s.
    Ten,
    /// 60 minutes.
    Minute,
    /// One sum.
    Hour,
}

/// One hour as it is stored: replaces what was stored of that hour before, in any tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// How finely.
    pub tier: Tier,
    /// End of the hour, in Unix seconds: it covers `(hour_end − 3600, hour_end]`.
    pub hour_end: i64,
    /// Versioned; equal hours have equal bytes.
    pub bytes: Vec<u8>,
}

/// Tallies of one indicator. A slice is named by its end: `(end − 10 s, end]`.
///
/// Sums of windows up to 6 h are exact to 10 s, up to 35 d exact to the minute at their far edge,
/// beyond that to the hour; the near edge is exact as long as the time is young.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    counted: Counted,
    /// By the end of the hour.
    hours: BTreeMap<i64, Hour>,
    dirty: BTreeSet<i64>,
    /// The hour in which everything was last sealed, unless an old hour changed since.
    settled: Option<i64>,
}

/// Which events the `bad` of an added tally stands for.
///
/// Good and all events may come from different series, and one may be written before the other: so
/// what was selected is summed as it is, and the bad events of a ratio of good ones are what remains
/// of a whole window, never of a slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counted {
    /// The bad events: the usual case.
    #[default]
    Bad,
    /// The good events; what remains of the total is bad.
    Good,
}

impl Counted {
    pub(crate) fn tally(self, sum: Tally) -> Tally {
        let part = sum.bad.min(sum.total);
        let bad = match self {
            Self::Bad => part,
            Self::Good => sum.total - part,
        };
        Tally { bad, ..sum }
    }
}

impl Timeline {
    /// A timeline without events.
    pub fn new() -> Self {
        Self::default()
    }

    /// A timeline without events, for an indicator that counts those events beside all.
    pub fn counting(counted: Counted) -> Self {
        Self {
            counted,
            ..Self::default()
        }
    }

    /// Adds events to the slice that ends at `slice_end` (Unix seconds; rounded up to the grid of
    /// the hour's tier). Cheap for young hours in any order; an old hour is unpacked until the next
    /// [`advance`](Self::advance).
    pub fn add(&mut self, slice_end: i64, tally: Tally) {
        if tally == Tally::EMPTY {
            return;
        }
        let hour_end = ceil(slice_end, HOUR_S);
        self.hours
            .entry(hour_end)
            .or_default()
            .add(slice_end - (hour_end - HOUR_S), tally);
        self.changed(hour_end);
    }

    /// As [`add`](Self::add), of events that are known no finer than that: their hour is kept no finer
    /// either, so that nobody takes a sum for one of its parts. A past that is added in order is packed on
    /// the way.
    pub fn add_coarse(&mut self, tier: Tier, slice_end: i64, tally: Tally) {
        let hour_end = ceil(slice_end, HOUR_S);
        if tier > Tier::Ten
            && !self.hours.contains_key(&hour_end)
            && let Some((_, before)) = self.hours.range_mut(..hour_end).next_back()
        {
            before.pack();
        }
        self.add(slice_end, tally);
        self.coarsen(slice_end, tier);
    }

    fn changed(&mut self, hour_end: i64) {
        self.dirty.insert(hour_end);
        if self
            .settled
            .is_some_and(|settled| hour_end <= settled - TEN_S)
        {
            self.settled = None;
        }
    }

    /// Sum over the window `(now − look_back, now]`. The far edge of a window beyond 6 h is moved
    /// down to the whole minute, beyond 35 d to the whole hour, whatever is still kept finer: so
    /// the answer depends neither on restarts nor on when hours were sealed.
    pub fn tally(&self, now: i64, look_back: Duration) -> Tally {
        self.between(far_edge(now, look_back), now)
    }

    /// Of all windows of one length that end in `first..=last`: the most bad events that any may have,
    /// and the fewest events that all have. A bound, not the exact extremes.
    pub(crate) fn extremes(&self, look_back: Duration, first: i64, last: i64) -> (u64, u64) {
        // Each of them lies within the one and holds the other.
        let most = self.between(far_edge(first, look_back), last);
        let least = self.between(far_edge(last, look_back), first);
        let not_good = most.total.saturating_sub(least.good());
        let bad = match self.counted {
            Counted::Bad => most.bad.min(not_good),
            // More good than all events in one part hide bad ones in the sum, never in a part of it.
            Counted::Good => not_good,
        };
        (bad, least.total)
    }

    /// Replaces what is counted in the slice that ends at `slice_end`; whether that changed anything.
    /// An hour that is one sum by now stays as it is, unless the slice is the whole of it.
    pub fn set(&mut self, slice_end: i64, tally: Tally) -> bool {
        let hour_end = ceil(slice_end, HOUR_S);
        let known = self.hours.get(&hour_end);
        if tally == Tally::EMPTY && known.is_none() {
            return false;
        }
        if known.is_some_and(|hour| hour.tier() == Tier::Hour) && slice_end != hour_end {
            return false;
        }
        let hour = self.hours.entry(hour_end).or_default();
        if !hour.set(slice_end - (hour_end - HOUR_S), tally) {
            return false;
        }
        self.changed(hour_end);
        true
    }

    /// Counts one event in the slice of 10 s that ends there, which has one at most. Where slices are longer by
    /// now, because a clock was ahead, one is added; no more than they have slices of 10 s.
    pub fn mark(&mut self, slice_end: i64) {
        let hour_end = ceil(slice_end, HOUR_S);
        let hour = self.hours.entry(hour_end).or_default();
        if hour.mark(slice_end - (hour_end - HOUR_S)) {
            self.changed(hour_end);
        }
    }

    /// Keeps the hour of a slice no finer than that, if it is kept at all.
    pub(crate) fn coarsen(&mut self, slice_end: i64, tier: Tier) {
        let hour_end = ceil(slice_end, HOUR_S);
        if let Some(hour) = self.hours.get_mut(&hour_end)
            && hour.tier() < tier
        {
            hour.seal(tier);
            self.changed(hour_end);
        }
    }

    /// How finely the hour of a slice is kept.
    pub(crate) fn tier_at(&self, slice_end: i64) -> Option<Tier> {
        self.hours.get(&ceil(slice_end, HOUR_S)).map(Hour::tier)
    }

    /// Ends of the hours that have events, beginning with the one of `from`.
    pub(crate) fn hours_from(&self, from: i64) -> impl Iterator<Item = i64> {
        self.hours
            .range(ceil(from, HOUR_S)..)
            .map(|(hour_end, _)| *hour_end)
    }

    /// Sum of the slices whose end lies in `(from, to]`.
    pub fn between(&self, from: i64, to: i64) -> Tally {
        self.counted.tally(self.sum_between(from, to))
    }

    /// The same as it was added: what the `bad` of it stands for is for [`Counted`] to say.
    pub(crate) fn sum_between(&self, from: i64, to: i64) -> Tally {
        if from >= to {
            return Tally::EMPTY;
        }
        let last = ceil(to, HOUR_S);
        let first = floor(from, HOUR_S).saturating_add(HOUR_S);
        let hours = self.hours.range(first..=last);
        hours
            .map(|(&hour_end, hour)| {
                let begin = hour_end - HOUR_S;
                if from <= begin && hour_end <= to {
                    hour.sum()
                } else {
                    hour.between((from - begin).max(0), (to - begin).min(HOUR_S))
                }
            })
            .sum()
    }

    /// Whether any window within `(from, to]` may have that many bad events. Where good events are
    /// counted, more of them elsewhere say nothing of a part, so there it always may.
    pub(crate) fn may_have_bad(&self, from: i64, to: i64, count: u64) -> bool {
        self.counted == Counted::Good || self.between(from, to).bad >= count
    }

    /// Start of the first slice that has events, in Unix seconds.
    pub fn measured_since(&self) -> Option<i64> {
        self.hours
            .iter()
            .find_map(|(hour_end, hour)| Some(hour_end - HOUR_S + hour.first()?))
    }

    /// End of the last slice that has events, in Unix seconds.
    pub fn last_event(&self) -> Option<i64> {
        self.hours
            .iter()
            .rev()
            .find_map(|(hour_end, hour)| Some(hour_end - HOUR_S + hour.last()?))
    }

    /// End of the last slice that has events and ends before that, in Unix seconds.
    pub(crate) fn last_before(&self, slice_end: i64) -> Option<i64> {
        let hours = self.hours.range(..=ceil(slice_end, HOUR_S)).rev();
        let mut hours = hours.map(|(hour_end, hour)| (hour_end - HOUR_S, hour));
        hours.find_map(|(begin, hour)| Some(begin + hour.last_before(slice_end - begin)?))
    }

    /// The hours that changed since this was last asked, in order of time.
    pub fn take_dirty(&mut self) -> Vec<Chunk> {
        let dirty = std::mem::take(&mut self.dirty);
        let chunks = dirty.into_iter().filter_map(|hour_end| {
            let hour = self.hours.get(&hour_end)?;
            Some(Chunk {
                tier: hour.tier(),
                hour_end,
                bytes: hour.encode(),
            })
        });
        chunks.collect()
    }

    /// Puts a stored hour back. Of one hour stored in two tiers the coarser is the newer.
    pub fn restore(&mut self, tier: Tier, hour_end: i64, bytes: &[u8]) -> Result<(), ChunkError> {
        let hour = Hour::decode(tier, bytes)?;
        let known = self.hours.get(&hour_end).map(Hour::tier);
        if known.is_none_or(|known| known <= tier) {
            self.hours.insert(hour_end, hour);
            self.settled = None;
        }
        Ok(())
    }

    /// Seals what is old enough at `now`: 10-second hours become minutes after 9 h, minutes become
    /// one sum after 36 d, and what is older than 401 d is dropped. Sealed hours are dirty.
    ///
    /// Costs nothing while there is nothing to do, so it can be called at every tick.
    pub fn advance(&mut self, now: i64) {
        self.advance_but(now, |_| false);
    }

    /// The same, but of the hours that `keep` names by their end the minutes are kept.
    pub fn advance_but(&mut self, now: i64, keep: impl Fn(i64) -> bool) {
        // Hours and ages are whole hours: within one nothing changes.
        let now = floor(now, HOUR_S);
        if self.settled.replace(now) == Some(now) {
            return;
        }
        self.hours = self.hours.split_off(&(now - HOUR_KEPT_S + 1));
        for (&hour_end, hour) in self.hours.range_mut(..=now - TEN_S) {
            let is_old = hour_end <= now - MINUTE_S;
            let tier = if is_old && hour.tier() < Tier::Hour && !keep(hour_end) {
                Tier::Hour
            } else {
                Tier::Minute
            };
            if hour.tier() < tier {
                hour.seal(tier);
                self.dirty.insert(hour_end);
            }
            hour.pack();
        }
    }

    /// A copy of which nothing is packed: it takes several times the memory, and a window that begins within an
    /// hour does not unpack it. For whoever asks for many windows of one timeline.
    #[must_use]
    pub fn opened(&self) -> Self {
        let mut copy = self.clone();
        copy.hours.values_mut().for_each(Hour::unpack);
        copy
    }

    /// Bytes of memory that the tallies take, roughly.
    pub fn memory_bytes(&self) -> usize {
        self.hours.values().map(Hour::memory_bytes).sum()
    }
}

impl Tier {
    /// Length of its slices in seconds: 10, 60, 3600.
    pub fn seconds(self) -> u32 {
        match self {
            Self::Ten => 10,
            Self::Minute => 60,
            Self::Hour => 3_600,
        }
    }

    /// The tier whose slices are that long.
    pub fn from_seconds(seconds: u32) -> Option<Self> {
        [Self::Ten, Self::Minute, Self::Hour]
            .into_iter()
            .find(|tier| tier.seconds() == seconds)
    }
}

/// Where a window of that length begins that ends at `now`, all in Unix seconds: exact to 10 s up to 6 h,
/// moved down to the whole minute up to 35 d, and beyond that to the whole hour.
pub fn far_edge(now: i64, look_back: Duration) -> i64 {
    let far = now.saturating_sub(i64::try_from(look_back.as_secs()).unwrap_or(i64::MAX));
    if look_back <= TEN_LOOK_BACK {
        far
    } else if look_back <= MINUTE_LOOK_BACK {
        floor(far, 60)
    } else {
        floor(far, HOUR_S)
    }
}

pub(crate) fn floor(second: i64, step: i64) -> i64 {
    second.max(i64::MIN / 2).div_euclid(step) * step
}

pub(crate) fn ceil(second: i64, step: i64) -> i64 {
    floor(second.saturating_add(step - 1), step)
}
