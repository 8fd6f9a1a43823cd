//! What absorbing points has added so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Absorbed;
use super::spread::Spread;
use super::state::{Amount, Outcome, whole_units};
use super::unstarted::SHARED;
use crate::classes::{Classes, Problems};
use crate::delta::Entry;
use crate::histogram::SparseHistogram;
use crate::measure::{Reading, SHARE_UNITS};
use crate::measured::{Bound, Measured, Range, Scale, Steps};
use crate::point::{Buckets, Point, StreamId};
use crate::series::SeriesId;
use crate::slice::Slice;

/// The most that one point may add. Far beyond any counter's growth between two points, and so far
/// below 2⁶⁴ that sums stay in range.
const MAX_ADDED: u64 = 1 << 46;

#[derive(Debug, Default)]
pub(crate) struct Work {
    added: BTreeMap<(Slice, SeriesId), Measured>,
    taken: Vec<SeriesId>,
    classes: Classes,
    problems: Problems,
    touched: Vec<StreamId>,
}

impl Work {
    pub(crate) fn take(&mut self, point: &Point, outcome: Outcome) {
        self.touched.push(point.stream);
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
                if amount.count() > MAX_ADDED || !self.add(point, &amount, spread) {
                    return self.reject(point, "point adds more than can be true");
                }
                self.classes.counted.note(false);
                self.taken.push(point.series);
            }
            Outcome::Baseline => {
                self.classes.counted.note(false);
                self.taken.push(point.series);
                self.classes.baseline.note(false);
            }
            Outcome::Duplicate => self.classes.duplicate.note(false),
            Outcome::Rejected(reason) => self.reject(point, reason),
        }
    }

    /// A point that was read in another way as well: where it went is told by itself.
    fn take_other(&mut self, point: &Point, outcome: Outcome) {
        match outcome {
            Outcome::Adds { amount, from, to } | Outcome::Shared { amount, from, to } => {
                let spread = Spread::new(from, to, point.window);
                if amount.count() > MAX_ADDED || !self.add(point, &amount, spread) {
                    self.reject(point, "point adds more than can be true");
                }
            }
            Outcome::Baseline | Outcome::Duplicate => {}
            Outcome::Rejected(reason) => self.reject(point, reason),
        }
    }

    pub(crate) fn reject(&mut self, point: &Point, reason: &'static str) {
        if point.reading.other.is_none() {
            self.classes.invalid.note(false);
        }
        self.problems
            .note(reason, || format!("metric `{}`", point.reading.metric));
    }

    /// Adds an amount to its slices, all or nothing: nothing if a count would not fit.
    fn add(&mut self, point: &Point, amount: &Amount, mut spread: Spread) -> bool {
        let measured = amount.measure(point, &mut spread);
        let places = spread.slices.iter().map(|slice| (*slice, point.series));
        let added: Vec<_> = places
            .zip(measured)
            .filter(|(_, measured)| measured.count() > 0)
            .collect();
        let fits = |(place, more): &(_, Measured)| {
            let known = self.added.get(place).map_or(0, Measured::count);
            known.checked_add(more.count()).is_some()
        };
        added.iter().all(fits)
            && added.into_iter().all(|(place, measured)| {
                self.added
                    .entry(place)
                    .or_default()
                    .merge(&measured)
                    .is_ok()
            })
    }

    pub(crate) fn finish(mut self) -> Absorbed {
        self.touched.sort_unstable();
        self.touched.dedup();
        let entries = self.added.into_iter();
        let entries = entries.map(|((slice, series), measured)| Entry {
            series,
            slice,
            measured,
        });
        Absorbed {
            entries: entries.collect(),
            taken: self.taken,
            classes: self.classes,
            problems: self.problems,
            touched: self.touched,
        }
    }
}

impl Amount {
    pub(super) fn count(&self) -> u64 {
        match self {
            Amount::Count(count) => *count,
            Amount::Level(_) => 1,
            Amount::Buckets(buckets) => buckets.total(),
        }
    }

    /// What each slice gets.
    fn measure(&self, point: &Point, spread: &mut Spread) -> Vec<Measured> {
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
                histogram.record(whole_micros(reading.scale.micros(*value).floor()), 1);
                vec![Measured::of_values(1, reading.scale, steps, histogram)]
            }
            Amount::Buckets(buckets) => {
                let mut slices = vec![Bucketed::default(); spread.slices.len()];
                for (number, count) in &buckets.counts {
                    for (slice, share) in slices.iter_mut().zip(spread.share(*count)) {
                        slice.add(buckets, *number, share, point);
                    }
                }
                slices
                    .into_iter()
                    .map(|slice| slice.finish(point))
                    .collect()
            }
        }
    }
}

/// Values of 0 and 1, counted at the bound between them.
fn two_valued(bounds: &Arc<[Bound]>, zeros: u64, ones: u64) -> Measured {
    let steps = Steps::new(Arc::clone(bounds), vec![Range::exact(zeros)]);
    let none = SparseHistogram::default();
    Measured::of_values(zeros + ones, Scale::None, steps, none)
}

#[expect(clippy::cast_precision_loss, reason = "a million is exact")]
fn as_f64(units: u64) -> f64 {
    units as f64
}

/// A slice's part of a distribution.
#[derive(Clone, Debug, Default)]
struct Bucketed {
    count: u64,
    ranges: Vec<Range>,
    lows: SparseHistogram,
    highs: SparseHistogram,
}

impl Bucketed {
    fn add(&mut self, buckets: &Buckets, number: i64, count: u64, point: &Point) {
        if count == 0 {
            return;
        }
        let (scale, bounds) = (point.reading.scale, &point.reading.bounds);
        let (low, high) = buckets.edges(number);
        self.ranges.resize(bounds.len(), Range::default());
        for (range, bound) in self.ranges.iter_mut().zip(&**bounds) {
            *range = range.plus(held(*bound, low, high, count));
        }
        self.count += count;
        self.lows.record(lowest_micros(scale, low), count);
        self.highs.record(highest_micros(scale, high), count);
    }

    fn finish(mut self, point: &Point) -> Measured {
        let bounds = &point.reading.bounds;
        self.ranges.resize(bounds.len(), Range::default());
        let steps = Steps::new(Arc::clone(bounds), self.ranges);
        Measured::of_buckets(
            self.count,
            point.reading.scale,
            steps,
            self.lows,
            self.highs,
        )
    }
}

/// How much of a bucket `(low, high]` a bound holds. A bound on the bucket's upper edge holds all
/// of it, also an exclusive one: the sender did not tell values on the edge from those below.
fn held(bound: Bound, low: f64, high: f64, count: u64) -> Range {
    let value = bound.value();
    let lo = if high <= value { count } else { 0 };
    let hi = if low < value { count } else { 0 };
    Range { lo, hi: hi.max(lo) }
}

fn lowest_micros(scale: Scale, low: f64) -> u64 {
    let micros = scale.micros(low);
    whole_micros(if is_whole(micros) {
        micros.round()
    } else {
        micros.floor()
    })
}

fn highest_micros(scale: Scale, high: f64) -> u64 {
    let micros = scale.micros(high);
    whole_micros(if is_whole(micros) {
        micros.round()
    } else {
        micros.ceil()
    })
}

/// Whether a number of microseconds is whole but for the last digits of a double.
fn is_whole(micros: f64) -> bool {
    (micros - micros.round()).abs() <= micros.abs() * 1e-12
}

fn whole_micros(micros: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates: the histogram clamps both ends"
    )]
    let whole = micros as u64;
    whole
}
