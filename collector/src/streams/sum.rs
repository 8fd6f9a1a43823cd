//! What a series' points add in one slice.

use std::sync::Arc;

use super::state::whole_units;
use super::way::Way;
use crate::histogram::SparseHistogram;
use crate::measured::{Bound, Measured, Range, Ranges, Scale, Steps};
use crate::point::Buckets;

/// Buckets, of 64 bytes each, from which on they are measured before more are added.
const MAX_BUCKETS: usize = 2048;

/// What was added, ever so often: measured, but for the latest distributions, which are still buckets.
#[derive(Debug, Default)]
pub(super) struct Sum {
    measured: Measured,
    /// Events without values beside those.
    counted: u64,
    bucketed: Option<Bucketed>,
    /// Points of this sum that are counted.
    pub(super) taken: u64,
}

/// Distributions that are read in one way.
#[derive(Debug)]
struct Bucketed {
    way: Arc<Way>,
    count: u64,
    /// By number.
    cells: Vec<Cell>,
    /// Lowest values of points, in microseconds, each with the count of the bucket that it narrows.
    lows: Vec<(u64, u64)>,
    /// The same of highest values.
    highs: Vec<(u64, u64)>,
    /// What the bounds hold of narrowed buckets that have bounds within; none until there is one.
    held: Ranges,
}

/// A bucket.
#[derive(Debug)]
struct Cell {
    number: i64,
    /// Its edges: lower exclusive, upper inclusive.
    low: f64,
    high: f64,
    /// Bounds below the one of this number hold none of it; from this number on all of it. Those between hold some.
    some: usize,
    all: usize,
    /// Counts whose lower edge is the bucket's, whose upper edge is, and that the bounds hold as they hold the bucket.
    lows: u64,
    highs: u64,
    held: u64,
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

    /// Adds some of a distribution's counts, and says how many more buckets it holds. The counts fit, as the caller has
    /// checked.
    pub(super) fn add_buckets(
        &mut self,
        of: &Buckets<'_>,
        counts: &[(i64, u64)],
        way: &Arc<Way>,
    ) -> usize {
        let takes = |bucketed: &Bucketed| bucketed.takes(way);
        if !self.bucketed.as_ref().is_some_and(takes) {
            self.measure();
        }
        let bucketed = self
            .bucketed
            .get_or_insert_with(|| Bucketed::new(Arc::clone(way)));
        let before = bucketed.held_buckets();
        bucketed.add(of, counts);
        bucketed.held_buckets() - before
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
    fn new(way: Arc<Way>) -> Bucketed {
        Bucketed {
            way,
            count: 0,
            cells: Vec::new(),
            lows: Vec::new(),
            highs: Vec::new(),
            held: Ranges::new(),
        }
    }

    fn takes(&self, way: &Arc<Way>) -> bool {
        Arc::ptr_eq(&self.way, way) && self.held_buckets() < MAX_BUCKETS
    }

    fn held_buckets(&self) -> usize {
        self.cells.len() + self.lows.len() + self.highs.len()
    }

    fn add(&mut self, of: &Buckets<'_>, counts: &[(i64, u64)]) {
        let mut at = 0;
        for (done, (number, count)) in counts.iter().enumerate() {
            at = self.find(at, *number).unwrap_or_else(|at| {
                self.insert_absent(at, &counts[done..]);
                at
            });
            self.add_to(at, of, *count);
            at += 1;
        }
    }

    /// Where a bucket stands, from this place on, or where it is to stand.
    fn find(&self, from: usize, number: i64) -> Result<usize, usize> {
        // Most points fill one bucket after the other.
        if self.cells.get(from).is_some_and(|one| one.number == number) {
            return Ok(from);
        }
        let found = self.cells[from..].binary_search_by_key(&number, |one| one.number);
        found.map(|at| from + at).map_err(|at| from + at)
    }

    /// Makes the buckets that are not there yet, from this place on.
    fn insert_absent(&mut self, from: usize, counts: &[(i64, u64)]) {
        let mut at = from;
        let mut absent = Vec::new();
        for (number, _) in counts {
            match self.find(at, *number) {
                Ok(found) => at = found + 1,
                Err(place) => {
                    at = place;
                    absent.push(Cell::new(*number, &self.way));
                }
            }
        }
        self.cells.append(&mut absent);
        // Two runs that are sorted: the stable sort merges them.
        self.cells.sort_by_key(|one| one.number);
    }

    fn add_to(&mut self, at: usize, of: &Buckets<'_>, count: u64) {
        self.count += count;
        let cell = &mut self.cells[at];
        let (min, max) = of.narrowed(cell.number, (cell.low, cell.high));
        match min {
            None => cell.lows += count,
            Some(min) => self.lows.push((lowest_micros(self.way.scale, min), count)),
        }
        match max {
            None => cell.highs += count,
            Some(max) => self
                .highs
                .push((highest_micros(self.way.scale, max), count)),
        }
        let within = &self.way.bounds[cell.some..cell.all];
        if within.is_empty() || (min.is_none() && max.is_none()) {
            cell.held += count;
            return;
        }
        let (some, all) = cut(within, min.unwrap_or(cell.low), max.unwrap_or(cell.high));
        self.held.resize(self.way.bounds.len(), Range::default());
        hold(&mut self.held, cell.some + some, cell.some + all, count);
    }

    fn measured(self) -> Measured {
        let scale = self.way.scale;
        let cells = self.cells.iter();
        let lows = cells.map(|one| (lowest_micros(scale, one.low), one.lows));
        let lows = SparseHistogram::of_values(self.lows.iter().copied().chain(lows));
        let cells = self.cells.iter();
        let highs = cells.map(|one| (highest_micros(scale, one.high), one.highs));
        let highs = SparseHistogram::of_values(self.highs.iter().copied().chain(highs));
        let mut held = self.held;
        held.resize(self.way.bounds.len(), Range::default());
        for cell in &self.cells {
            hold(&mut held, cell.some, cell.all, cell.held);
        }
        // What a bound holds, the higher ones hold too.
        let mut lower = Range::default();
        for range in &mut held {
            *range = range.plus(lower);
            lower = *range;
        }
        let steps = Steps::new(Arc::clone(&self.way.bounds), held);
        Measured::of_buckets(self.count, scale, steps, lows, highs)
    }
}

impl Cell {
    fn new(number: i64, way: &Way) -> Cell {
        let (low, high) = way.layout.edges(number);
        let (some, all) = cut(&way.bounds, low, high);
        Cell {
            number,
            low,
            high,
            some,
            all,
            lows: 0,
            highs: 0,
            held: 0,
        }
    }
}

/// From which bound on some of a bucket `(low, high]` is held, and from which on all of it. A bound on a bucket's upper
/// edge holds all of it, also an exclusive one: the sender did not tell values on the edge from those below.
fn cut(bounds: &[Bound], low: f64, high: f64) -> (usize, usize) {
    let all = bounds.partition_point(|bound| bound.value() < high);
    let some = bounds.partition_point(|bound| bound.value() <= low);
    (some.min(all), all)
}

/// Notes a count where bounds begin to hold some of it, and all: the sums over the bounds are what each holds.
fn hold(ranges: &mut [Range], some: usize, all: usize, count: u64) {
    if let Some(range) = ranges.get_mut(some) {
        range.hi += count;
    }
    if let Some(range) = ranges.get_mut(all) {
        range.lo += count;
    }
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
