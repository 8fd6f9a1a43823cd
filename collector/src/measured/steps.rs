//! Exact counts at bounds: how many values are below each.

use std::cmp::Ordering;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::codec::{CodecError, Reader, put_f64, put_signed, put_varint};

/// A bound on values, ordered by value and, at the same value, exclusive before inclusive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    value: f64,
    inclusive: bool,
}

/// At least `lo` and at most `hi`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) lo: u64,
    pub(crate) hi: u64,
}

/// One for each bound. Few objectives ask for more of one kind of event.
pub(crate) type Ranges = SmallVec<[Range; 4]>;

/// Counts at bounds. The bounds are shared: all slices of a series have the same ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Steps {
    bounds: Arc<[Bound]>,
    ranges: Ranges,
}

/// The sets of bounds met while writing, so that each is stored once.
#[derive(Debug, Default)]
pub(crate) struct BoundsWritten {
    sets: Vec<Arc<[Bound]>>,
}

/// The sets of bounds that a stored form starts with.
#[derive(Debug)]
pub(crate) struct BoundsRead {
    sets: Vec<Arc<[Bound]>>,
}

impl Bound {
    pub(crate) fn new(value: f64, inclusive: bool) -> Bound {
        // Adding zero makes −0 and 0 the same bound.
        Bound {
            value: value + 0.0,
            inclusive,
        }
    }

    pub(crate) fn value(self) -> f64 {
        self.value
    }

    pub(crate) fn is_inclusive(self) -> bool {
        self.inclusive
    }

    pub(crate) fn holds(self, value: f64) -> bool {
        if self.inclusive {
            value <= self.value
        } else {
            value < self.value
        }
    }
}

impl PartialEq for Bound {
    fn eq(&self, other: &Bound) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Bound {}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Bound) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bound {
    fn cmp(&self, other: &Bound) -> Ordering {
        self.value
            .total_cmp(&other.value)
            .then(self.inclusive.cmp(&other.inclusive))
    }
}

impl Range {
    pub(crate) fn exact(count: u64) -> Range {
        Range {
            lo: count,
            hi: count,
        }
    }

    pub(crate) fn plus(self, other: Range) -> Range {
        Range {
            lo: self.lo + other.lo,
            hi: self.hi + other.hi,
        }
    }
}

impl Steps {
    /// One range for each bound; the bounds are sorted and unique.
    pub(crate) fn new(bounds: Arc<[Bound]>, ranges: Ranges) -> Steps {
        debug_assert!(bounds.is_sorted() && bounds.len() == ranges.len());
        Steps { bounds, ranges }
    }

    pub(crate) fn find(&self, bound: Bound) -> Option<Range> {
        self.bounds
            .binary_search(&bound)
            .ok()
            .and_then(|at| self.ranges.get(at))
            .copied()
    }

    pub(crate) fn same_bounds(&self, other: &Steps) -> bool {
        Arc::ptr_eq(&self.bounds, &other.bounds) || self.bounds == other.bounds
    }

    pub(crate) fn all_bounds(&self, other: &Steps) -> Arc<[Bound]> {
        let mut all: Vec<_> = self.bounds.iter().chain(&*other.bounds).copied().collect();
        all.sort_unstable();
        all.dedup();
        all.into()
    }

    /// Adds counts at the same bounds.
    pub(crate) fn add(&mut self, other: &Steps) {
        for (mine, theirs) in self.ranges.iter_mut().zip(&other.ranges) {
            *mine = mine.plus(*theirs);
        }
    }

    pub(crate) fn note_bounds(&self, bounds: &mut BoundsWritten) {
        bounds.position(&self.bounds);
    }

    pub(crate) fn encode_into(&self, bounds: &mut BoundsWritten, out: &mut Vec<u8>) {
        let exact = self.ranges.iter().all(|range| range.lo == range.hi);
        put_varint(
            out,
            (bounds.position(&self.bounds) as u64) << 1 | u64::from(exact),
        );
        let mut previous = 0;
        for range in &self.ranges {
            put_signed(out, range.lo.wrapping_sub(previous).cast_signed());
            previous = range.lo;
            if !exact {
                put_varint(out, range.hi - range.lo);
            }
        }
    }

    /// Reads the stored form; no count may exceed `most`.
    pub(crate) fn decode_from(
        bounds: &BoundsRead,
        reader: &mut Reader<'_>,
        most: u64,
    ) -> Result<Steps, CodecError> {
        let head = reader.varint()?;
        let position = usize::try_from(head >> 1).ok();
        let set = position.and_then(|position| bounds.sets.get(position));
        let bounds = Arc::clone(set.ok_or(CodecError::Invalid("set of bounds"))?);
        let mut ranges = Ranges::with_capacity(bounds.len());
        let mut previous = 0_u64;
        for _ in 0..bounds.len() {
            let lo = previous.wrapping_add(reader.signed()?.cast_unsigned());
            let width = if head & 1 == 1 { 0 } else { reader.varint()? };
            let hi = lo.checked_add(width).filter(|hi| *hi <= most);
            ranges.push(Range {
                lo,
                hi: hi.ok_or(CodecError::Invalid("count at a bound"))?,
            });
            previous = lo;
        }
        Ok(Steps { bounds, ranges })
    }
}

impl BoundsWritten {
    fn position(&mut self, bounds: &Arc<[Bound]>) -> usize {
        let same = |set: &Arc<[Bound]>| Arc::ptr_eq(set, bounds) || set == bounds;
        self.sets.iter().position(same).unwrap_or_else(|| {
            self.sets.push(Arc::clone(bounds));
            self.sets.len() - 1
        })
    }

    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        put_varint(out, self.sets.len() as u64);
        for set in &self.sets {
            put_varint(out, set.len() as u64);
            for bound in &**set {
                put_f64(out, bound.value);
                out.push(u8::from(bound.inclusive));
            }
        }
    }
}

impl BoundsRead {
    pub(crate) fn decode_from(reader: &mut Reader<'_>) -> Result<BoundsRead, CodecError> {
        let length = reader.length()?;
        let mut sets = Vec::with_capacity(length);
        for _ in 0..length {
            let length = reader.length()?;
            let mut set = Vec::with_capacity(length);
            for _ in 0..length {
                set.push(Bound::new(reader.f64()?, reader.byte()? != 0));
            }
            if !set.is_sorted_by(|a, b| a < b) {
                return Err(CodecError::Invalid("set of bounds"));
            }
            sets.push(set.into());
        }
        Ok(BoundsRead { sets })
    }
}
