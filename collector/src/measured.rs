//! What a series' slice holds: a count, exact counts at declared bounds, and a histogram.

mod steps;

use std::sync::Arc;

use crate::codec::{CodecError, CountOverflow, Reader, put_varint};
use crate::histogram::{HIGHEST_US, LOWEST_US, SparseHistogram};

pub(crate) use steps::{Bound, BoundsRead, BoundsWritten, Range, Ranges, Steps};

/// Everything measured of one series in one slice (or any merged span of time).
///
/// Merging is commutative and associative and loses no counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    count: u64,
    scale: Scale,
    steps: Steps,
    /// Values, or the upper ends of the buckets they came in.
    highs: SparseHistogram,
    /// The lower ends of the buckets, where they differ from `highs`.
    lows: Option<Box<SparseHistogram>>,
}

/// How many values lie within a bound: at least `lo` and at most `hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within {
    /// Values that certainly lie within.
    pub lo: u64,
    /// Values that may lie within.
    pub hi: u64,
    /// Whether `lo` equals `hi` because the bound was counted, not read off a histogram.
    pub exact: bool,
}

/// Which unit a series' values and bounds are in, and so how they become the histogram's
/// microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scale {
    /// Of values that no histogram holds.
    #[default]
    None,
    Nanos,
    Micros,
    Millis,
    Seconds,
    /// Any other unit: the histogram holds thousandths.
    Thousandths,
}

impl Measured {
    /// `count` events without values: increments of a sum.
    pub fn counted(count: u64) -> Measured {
        Measured {
            count,
            ..Measured::default()
        }
    }

    pub(crate) fn of_values(
        count: u64,
        scale: Scale,
        steps: Steps,
        values: SparseHistogram,
    ) -> Measured {
        Measured {
            count,
            scale,
            steps,
            highs: values,
            lows: None,
        }
    }

    pub(crate) fn of_buckets(
        count: u64,
        scale: Scale,
        steps: Steps,
        lows: SparseHistogram,
        highs: SparseHistogram,
    ) -> Measured {
        let lows = (lows != highs).then(|| Box::new(lows));
        Measured {
            count,
            scale,
            steps,
            highs,
            lows,
        }
    }

    /// Events: spans, observations, or what a sum grew by.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many values are below `bound` (or at it, if `inclusive`): spans in milliseconds, metrics
    /// in their own unit. Exact where the bound was declared when the values were recorded, and at
    /// the bounds of explicit buckets; otherwise an interval read off the histogram. `None` when
    /// there are no values, only counts.
    pub fn within(&self, bound: f64, inclusive: bool) -> Option<Within> {
        if self.count == 0 {
            return Some(Within {
                lo: 0,
                hi: 0,
                exact: true,
            });
        }
        if let Some(range) = self.steps.find(Bound::new(bound, inclusive)) {
            return Some(Within {
                lo: range.lo,
                hi: range.hi,
                exact: range.lo == range.hi,
            });
        }
        if self.highs.is_empty() {
            return None;
        }
        let range = self.estimate(Bound::new(bound, inclusive));
        Some(Within {
            lo: range.lo,
            hi: range.hi,
            exact: false,
        })
    }

    /// The values by size, in microseconds; in thousandths of the unit for metrics whose unit is no
    /// time. Values that came in buckets stand at their bucket's upper end. Empty for sums.
    pub fn histogram(&self) -> &SparseHistogram {
        &self.highs
    }

    /// Has what a merge changes come near: some word of it, of no meaning by itself.
    pub fn fetch(&self) -> u64 {
        self.count ^ self.highs.fetch()
    }

    /// Adds the other's measurements. A bound that only one side counted is estimated from the
    /// other's histogram. On overflow nothing is changed.
    pub fn merge(&mut self, other: &Measured) -> Result<(), CountOverflow> {
        let count = self.count.checked_add(other.count).ok_or(CountOverflow)?;
        // All other counts are at most `count`, so that none of the sums below can overflow.
        self.scale = self.scale.max(other.scale);
        if self.steps.same_bounds(&other.steps) {
            self.steps.add(&other.steps);
        } else {
            let bounds = self.steps.all_bounds(&other.steps);
            let ranges = bounds.iter().map(|bound| {
                let mine = self
                    .steps
                    .find(*bound)
                    .unwrap_or_else(|| self.estimate(*bound));
                let theirs = other
                    .steps
                    .find(*bound)
                    .unwrap_or_else(|| other.estimate(*bound));
                mine.plus(theirs)
            });
            self.steps = Steps::new(Arc::clone(&bounds), ranges.collect());
        }
        if let Some(lows) = &mut self.lows {
            lows.merge(other.lows());
        } else if let Some(theirs) = &other.lows {
            let mut lows = self.highs.clone();
            lows.merge(theirs);
            self.lows = Some(Box::new(lows));
        }
        self.highs.merge(&other.highs);
        if self.lows.as_deref() == Some(&self.highs) {
            self.lows = None;
        }
        self.count = count;
        Ok(())
    }

    fn lows(&self) -> &SparseHistogram {
        self.lows.as_deref().unwrap_or(&self.highs)
    }

    /// What the histogram says about a bound: sure of bins that end below it, unsure of those that
    /// reach it.
    fn estimate(&self, bound: Bound) -> Range {
        let bound_us = self.scale.micros(bound.value());
        let lo = self.highs.iter().filter(|(_, high, _)| {
            // A value was cut to whole microseconds; the highest bin has no end.
            *high < HIGHEST_US && as_f64(high + 1) <= bound_us
        });
        let hi = self
            .lows()
            .iter()
            .filter(|(low, _, _)| *low <= LOWEST_US || as_f64(*low) <= bound_us);
        Range {
            lo: lo.map(|bin| bin.2).sum(),
            hi: hi.map(|bin| bin.2).sum(),
        }
    }

    pub(crate) fn note_bounds(&self, bounds: &mut BoundsWritten) {
        self.steps.note_bounds(bounds);
    }

    pub(crate) fn encode_into(&self, bounds: &mut BoundsWritten, out: &mut Vec<u8>) {
        put_varint(out, self.count);
        out.push(self.scale.code() | u8::from(self.lows.is_some()) << 7);
        self.steps.encode_into(bounds, out);
        self.highs.encode_into(out);
        if let Some(lows) = &self.lows {
            lows.encode_into(out);
        }
    }

    pub(crate) fn decode_from(
        bounds: &BoundsRead,
        reader: &mut Reader<'_>,
    ) -> Result<Measured, CodecError> {
        let count = reader.varint()?;
        let flags = reader.byte()?;
        let scale = Scale::from_code(flags & 0x7f).ok_or(CodecError::Invalid("unit"))?;
        let steps = Steps::decode_from(bounds, reader, count)?;
        let highs = SparseHistogram::decode_from(reader, count)?;
        let lows = match flags >> 7 {
            0 => None,
            _ => Some(Box::new(SparseHistogram::decode_from(reader, count)?)),
        };
        Ok(Measured {
            count,
            scale,
            steps,
            highs,
            lows,
        })
    }
}

impl Scale {
    const ALL: [Scale; 6] = [
        Scale::None,
        Scale::Nanos,
        Scale::Micros,
        Scale::Millis,
        Scale::Seconds,
        Scale::Thousandths,
    ];

    /// By a metric's unit in UCUM, as OpenTelemetry writes it; common other spellings as well.
    pub(crate) fn of_unit(unit: &str) -> Scale {
        match unit {
            "ns" | "nanoseconds" => Scale::Nanos,
            "us" | "µs" | "microseconds" => Scale::Micros,
            "ms" | "milliseconds" => Scale::Millis,
            "s" | "seconds" => Scale::Seconds,
            _ => Scale::Thousandths,
        }
    }

    /// A value of this scale in the histogram's unit.
    pub(crate) fn micros(self, value: f64) -> f64 {
        match self {
            Scale::Nanos => value / 1e3,
            Scale::None | Scale::Micros => value,
            Scale::Millis | Scale::Thousandths => value * 1e3,
            Scale::Seconds => value * 1e6,
        }
    }

    fn code(self) -> u8 {
        match self {
            Scale::None => 0,
            Scale::Nanos => 1,
            Scale::Micros => 2,
            Scale::Millis => 3,
            Scale::Seconds => 4,
            Scale::Thousandths => 5,
        }
    }

    fn from_code(code: u8) -> Option<Scale> {
        Scale::ALL.into_iter().find(|scale| scale.code() == code)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "bins end below 2³³, which a double holds exactly"
)]
fn as_f64(value_us: u64) -> f64 {
    value_us as f64
}
