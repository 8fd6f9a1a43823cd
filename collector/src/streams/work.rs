//! What absorbing points has added so far.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use smallvec::smallvec;

use super::Absorbed;
use super::spread::Spread;
use super::state::{Amount, Outcome, whole_units};
use super::sum::Sum;
use super::unstarted::SHARED;
use super::way::{Latest, Ways};
use crate::classes::{Classes, Problems};
use crate::delta::{Entry, place};
use crate::histogram::SparseHistogram;
use crate::measure::{Reading, SHARE_UNITS};
use crate::measured::{Bound, Measured, Range, Scale, Steps};
use crate::point::{Buckets, Point};
use crate::series::SeriesId;
use crate::slice::Slice;

/// The most that one point may add. Far beyond any counter's growth between two points, and so far
/// below 2⁶⁴ that sums stay in range.
const MAX_ADDED: u64 = 1 << 46;

/// Slices times buckets that one point may count in: 16 buckets of a day, or 160 of half an hour, by ten seconds. What
/// has more counts in fewer slices of the same time, so that a small request cannot fill the store.
const MAX_CELLS: usize = 1 << 15;

/// The same of all that is committed together, each slice's bucket of a series once: 32 MiB of them. When they are used
/// up, distributions count in the latest slice of their time: so many small requests cannot fill memory either.
const MAX_CELLS_TOGETHER: usize = 1 << 19;

/// What points add up to: of one request, or of all that are committed together, as their streams are many and their
/// series few.
#[derive(Debug, Default)]
pub struct Increments {
    sums: Sums,
    /// How their distributions are read.
    ways: Ways,
    /// Buckets that distributions of several slices made.
    cells: usize,
    /// Counted points by series, beside those that the sums tell.
    taken: HashMap<SeriesId, u64, RandomState>,
}

type Sums = HashMap<(Slice, SeriesId), Sum, RandomState>;

/// One request's points.
#[derive(Debug)]
pub(crate) struct Work<'i> {
    increments: &'i mut Increments,
    latest: Latest,
    pub(crate) classes: Classes,
    pub(crate) problems: Problems,
}

impl Increments {
    /// The counts, sorted, and what else there is to tell.
    pub fn finish(self) -> Absorbed {
        let Increments {
            sums, mut taken, ..
        } = self;
        let entries = sums.into_iter();
        let entries = entries.map(|((slice, series), sum)| {
            *taken.entry(series).or_default() += sum.taken;
            Entry {
                series,
                slice,
                measured: sum.finish(),
            }
        });
        let mut entries: Vec<Entry> = entries.collect();
        entries.sort_unstable_by_key(place);
        taken.retain(|_, events| *events > 0);
        let mut taken: Vec<_> = taken.into_iter().collect();
        taken.sort_unstable();
        Absorbed {
            entries,
            taken,
            ..Absorbed::default()
        }
    }
}

impl<'i> Work<'i> {
    pub(crate) fn new(increments: &'i mut Increments) -> Work<'i> {
        Work {
            increments,
            latest: Latest::default(),
            classes: Classes::default(),
            problems: Problems::default(),
        }
    }

    pub(crate) fn take(&mut self, point: &Point<'_>, outcome: Outcome<'_>) {
        if point.reading.other.is_some() {
            return self.take_other(point, outcome);
        }
        if matches!(outcome, Outcome::Shared { .. }) {
            self.problems
                .note(SHARED, || format!("metric `{}`", point.reading.metric));
        }
        match outcome {
            Outcome::Adds { amount, from, to } | Outcome::Shared { amount, from, to } => {
                let spread = Spread::new(from, to, point.window);
                if !self.add(point, &amount, spread) {
                    return self.reject(point, "point adds more than can be true");
                }
                self.classes.counted.note(false);
            }
            Outcome::Baseline => {
                self.classes.counted.note(false);
                *self.increments.taken.entry(point.series).or_default() += 1;
                self.classes.baseline.note(false);
            }
            Outcome::Duplicate => self.classes.duplicate.note(false),
            Outcome::Rejected(reason) => self.reject(point, reason),
        }
    }

    /// A point that was read in another way as well: where it went is told by itself.
    fn take_other(&mut self, point: &Point<'_>, outcome: Outcome<'_>) {
        match outcome {
            Outcome::Adds { amount, from, to } | Outcome::Shared { amount, from, to } => {
                let spread = Spread::new(from, to, point.window);
                if !self.add(point, &amount, spread) {
                    self.reject(point, "point adds more than can be true");
                }
            }
            Outcome::Baseline | Outcome::Duplicate => {}
            Outcome::Rejected(reason) => self.reject(point, reason),
        }
    }

    pub(crate) fn reject(&mut self, point: &Point<'_>, reason: &'static str) {
        if point.reading.other.is_none() {
            self.classes.invalid.note(false);
        }
        self.problems
            .note(reason, || format!("metric `{}`", point.reading.metric));
    }

    /// Adds an amount to its slices, all or nothing: nothing if it is too much, or a count would not fit.
    fn add(&mut self, point: &Point<'_>, amount: &Amount<'_>, spread: Spread) -> bool {
        let count = amount.count();
        if count > MAX_ADDED {
            return false;
        }
        let is_divided = match amount {
            Amount::Buckets(_) => false,
            Amount::Count(_) => point.reading.other == Some(Reading::Growth),
            Amount::Level(_) => true,
        };
        if !is_divided && count > 0 && spread.slices().len() == 1 {
            return self.add_whole(point, amount, count, spread.last());
        }
        let is_nothing = !is_divided && count == 0;
        let added = is_nothing || self.add_shares(point, amount, spread);
        if added && point.reading.other.is_none() {
            *self.increments.taken.entry(point.series).or_default() += 1;
        }
        added
    }

    /// Adds all of a count or a distribution to one slice.
    fn add_whole(
        &mut self,
        point: &Point<'_>,
        amount: &Amount<'_>,
        count: u64,
        slice: Slice,
    ) -> bool {
        let Increments { sums, ways, .. } = &mut *self.increments;
        let sum = sums.entry((slice, point.series)).or_default();
        let fits = match amount {
            Amount::Buckets(_) => sum.count().checked_add(count).is_some(),
            Amount::Count(_) | Amount::Level(_) => sum.add_counted(count),
        };
        if fits && let Amount::Buckets(buckets) = amount {
            let way = self.latest.of(ways, buckets, point.reading);
            sum.add_buckets(buckets, &buckets.counts, way);
        }
        sum.taken += u64::from(fits && point.reading.other.is_none());
        fits
    }

    fn add_shares(&mut self, point: &Point<'_>, amount: &Amount<'_>, spread: Spread) -> bool {
        let Increments {
            sums, ways, cells, ..
        } = &mut *self.increments;
        let mut spread = match amount {
            Amount::Buckets(buckets) => {
                let room = MAX_CELLS_TOGETHER.saturating_sub(*cells).min(MAX_CELLS);
                spread.in_at_most(room / buckets.width().max(1))
            }
            Amount::Count(_) | Amount::Level(_) => spread,
        };
        let most = amount.count().max(SHARE_UNITS);
        let fits = |slice: Slice| {
            let known = sums.get(&(slice, point.series)).map_or(0, Sum::count);
            known.checked_add(most).is_some()
        };
        if !spread.slices().all(fits) {
            return false;
        }
        let places = spread.slices().map(|slice| (slice, point.series));
        if let Amount::Buckets(buckets) = amount {
            let shares = places.zip(shares(buckets, &mut spread));
            let way = self.latest.of(ways, buckets, point.reading);
            for (place, counts) in shares.filter(|(_, counts)| !counts.is_empty()) {
                let sum = sums.entry(place).or_default();
                *cells += sum.add_buckets(buckets, &counts, way);
            }
            return true;
        }
        let shares = places.zip(amount.measure(point, &mut spread));
        let mut shares = shares.filter(|(_, measured)| measured.count() > 0);
        shares.all(|(place, measured)| sums.entry(place).or_default().add(&measured))
    }
}

/// The counts that each slice gets of a distribution.
fn shares(buckets: &Buckets<'_>, spread: &mut Spread) -> Vec<Vec<(i64, u64)>> {
    let mut parts = vec![Vec::new(); spread.slices().len()];
    for (number, count) in &*buckets.counts {
        for (part, share) in parts.iter_mut().zip(spread.share(*count)) {
            if share > 0 {
                part.push((*number, share));
            }
        }
    }
    parts
}

impl Amount<'_> {
    pub(super) fn count(&self) -> u64 {
        match self {
            Amount::Count(count) => *count,
            Amount::Level(_) => 1,
            Amount::Buckets(buckets) => buckets.total(),
        }
    }

    /// What each slice gets of a number.
    fn measure(&self, point: &Point<'_>, spread: &mut Spread) -> Vec<Measured> {
        let reading = &point.reading;
        match self {
            Amount::Count(count) => spread
                .share(*count)
                .into_iter()
                .map(|share| match reading.other {
                    Some(Reading::Growth) => two_valued(&reading.bounds, 1, share),
                    _ => Measured::counted(share),
                })
                .collect(),
            Amount::Level(ratio) if reading.other == Some(Reading::Share) => {
                let ones = whole_units((ratio * as_f64(SHARE_UNITS)).round()).min(SHARE_UNITS);
                vec![two_valued(&reading.bounds, SHARE_UNITS - ones, ones)]
            }
            Amount::Level(value) => {
                let values = reading
                    .bounds
                    .iter()
                    .map(|bound| u64::from(bound.holds(*value)));
                let ranges = values.map(Range::exact).collect();
                let steps = Steps::new(Arc::clone(&reading.bounds), ranges);
                let mut histogram = SparseHistogram::default();
                histogram.record(whole_units(reading.scale.micros(*value).floor()), 1);
                vec![Measured::of_values(1, reading.scale, steps, histogram)]
            }
            Amount::Buckets(_) => Vec::new(),
        }
    }
}

/// Values of 0 and 1, counted at the bound between them.
fn two_valued(bounds: &Arc<[Bound]>, zeros: u64, ones: u64) -> Measured {
    let steps = Steps::new(Arc::clone(bounds), smallvec![Range::exact(zeros)]);
    let none = SparseHistogram::default();
    Measured::of_values(zeros + ones, Scale::None, steps, none)
}

#[expect(clippy::cast_precision_loss, reason = "a million is exact")]
fn as_f64(units: u64) -> f64 {
    units as f64
}
