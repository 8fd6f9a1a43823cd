//! What a series' points add in one slice.

use std::sync::Arc;

use super::state::whole_units;
use crate::histogram::SparseHistogram;
use crate::measured::{Bound, Measured, Range, Ranges, Scale, Steps};
use crate::point::{Buckets, Layout, Scheme};

/// Buckets that are summed before they are measured. A point has at most half as many.
const MAX_BUCKETS: usize = 8192;

/// What was added, ever so often: measured, but for the latest distributions, which are still buckets.
#[derive(Debug, Default)]
pub(super) struct Sum {
    measured: Measured,
    /// Events without values beside those.
    counted: u64,
    bucketed: Option<Bucketed>,
}

/// Distributions of one layout, read in one way.
#[derive(Debug)]
struct Bucketed {
    layout: Layout,
    scale: Scale,
    bounds: Arc<[Bound]>,
    count: u64,
    /// Bucket number and count, sorted.
    whole: Vec<(i64, u64)>,
    /// Buckets whose edges their point's lowest or highest value narrows: the edges, and the count.
    narrowed: Vec<(f64, f64, u64)>,
}

impl Sum {
    pub(super) fn count(&self) -> u64 {
        let bucketed = self.bucketed.as_ref().map_or(0, |bucketed| bucketed.count);
        self.measured.count() + self.counted + bucketed
    }

    /// Adds events without values; whether they fit.
    pub(super) fn add_counted(&mut self, count: u64) -> bool {
        let fits = self.count().checked_add(count).is_some();
        if fits {
            self.counted += count;
        }
        fits
    }

    /// Adds numbers; whether they fit.
    pub(super) fn add(&mut self, measured: &Measured) -> bool {
        self.measured.merge(measured).is_ok()
    }

    /// Adds some of a distribution's counts. They fit, as the caller has checked.
    pub(super) fn add_buckets(&mut self, of: &Buckets, counts: &[(i64, u64)], reading: &Scheme) {
        let takes = |bucketed: &Bucketed| bucketed.takes(of, reading);
        if !self.bucketed.as_ref().is_some_and(takes) {
            self.measure();
        }
        let empty = || Bucketed {
            layout: of.layout.clone(),
            scale: reading.scale,
            bounds: Arc::clone(&reading.bounds),
            count: 0,
            whole: Vec::new(),
            narrowed: Vec::new(),
        };
        self.bucketed.get_or_insert_with(empty).add(of, counts);
    }

    pub(super) fn finish(mut self) -> Measured {
        self.measure();
        let fits = self.measured.merge(&Measured::counted(self.counted));
        debug_assert!(fits.is_ok(), "whoever adds checks that it fits");
        self.measured
    }

    fn measure(&mut self) {
        if let Some(bucketed) = self.bucketed.take() {
            let fits = self.measured.merge(&bucketed.measured());
            debug_assert!(fits.is_ok(), "whoever adds checks that it fits");
        }
    }
}

impl Bucketed {
    fn takes(&self, of: &Buckets, reading: &Scheme) -> bool {
        let same = |one: &Arc<[Bound]>, other| Arc::ptr_eq(one, other) || one == other;
        self.scale == reading.scale
            && self.layout.is(&of.layout)
            && same(&self.bounds, &reading.bounds)
            && self.whole.len().max(self.narrowed.len()) < MAX_BUCKETS
    }

    fn add(&mut self, of: &Buckets, counts: &[(i64, u64)]) {
        let mut counts = counts;
        let is_narrow = of.min.is_some() || of.max.is_some();
        if is_narrow && let Some((first, rest)) = counts.split_first() {
            if self.narrow(of, *first) {
                counts = rest;
            }
            if let Some((last, rest)) = counts.split_last()
                && self.narrow(of, *last)
            {
                counts = rest;
            }
        }
        self.count += counts.iter().map(|(_, count)| count).sum::<u64>();
        let (mut from, mut absent) = (0, Vec::new());
        for (number, count) in counts {
            let found = self.whole[from..].binary_search_by_key(number, |one| one.0);
            match found {
                Ok(at) => {
                    from += at + 1;
                    self.whole[from - 1].1 += count;
                }
                Err(at) => {
                    from += at;
                    absent.push((*number, *count));
                }
            }
        }
        if !absent.is_empty() {
            self.whole.append(&mut absent);
            // Two runs that are sorted: the stable sort merges them.
            self.whole.sort_by_key(|one| one.0);
        }
    }

    /// Whether this bucket of the point is narrowed; then it is added here.
    fn narrow(&mut self, of: &Buckets, (number, count): (i64, u64)) -> bool {
        let Some((low, high)) = of.narrowed(number) else {
            return false;
        };
        self.narrowed.push((low, high, count));
        self.count += count;
        true
    }

    fn measured(self) -> Measured {
        let whole = self.whole.iter().map(|(number, count)| {
            let (low, high) = self.layout.edges(*number);
            (low, high, *count)
        });
        let buckets: Vec<(f64, f64, u64)> = whole.chain(self.narrowed.iter().copied()).collect();
        let values = |edge: fn(Scale, &(f64, f64, u64)) -> u64| {
            let values = buckets.iter();
            SparseHistogram::of_values(values.map(|bucket| (edge(self.scale, bucket), bucket.2)))
        };
        Measured::of_buckets(
            self.count,
            self.scale,
            Steps::new(Arc::clone(&self.bounds), held(&self.bounds, &buckets)),
            values(|scale, (low, _, _)| lowest_micros(scale, *low)),
            values(|scale, (_, high, _)| highest_micros(scale, *high)),
        )
    }
}

/// How much of buckets `(low, high]` each bound holds. A bound on a bucket's upper edge holds all of it, also an
/// exclusive one: the sender did not tell values on the edge from those below.
fn held(bounds: &[Bound], buckets: &[(f64, f64, u64)]) -> Ranges {
    let mut ranges = Ranges::from_elem(Range::default(), bounds.len());
    for (low, high, count) in buckets {
        let all = bounds.partition_point(|bound| bound.value() < *high);
        let some = bounds
            .partition_point(|bound| bound.value() <= *low)
            .min(all);
        if let Some(range) = ranges.get_mut(some) {
            range.hi += count;
        }
        if let Some(range) = ranges.get_mut(all) {
            range.lo += count;
        }
    }
    // What a bound holds, the higher ones hold too.
    let mut lower = Range::default();
    for range in &mut ranges {
        *range = range.plus(lower);
        lower = *range;
    }
    ranges
}

fn lowest_micros(scale: Scale, low: f64) -> u64 {
    let micros = scale.micros(low);
    whole_units(if is_whole(micros) {
        micros.round()
    } else {
        micros.floor()
    })
}

fn highest_micros(scale: Scale, high: f64) -> u64 {
    let micros = scale.micros(high);
    whole_units(if is_whole(micros) {
        micros.round()
    } else {
        micros.ceil()
    })
}

/// Whether a number of microseconds is whole but for the last digits of a double.
fn is_whole(micros: f64) -> bool {
    (micros - micros.round()).abs() <= micros.abs() * 1e-12
}
