//! The values of points, checked.

use std::sync::Arc;

use super::{Data, Fault, Metric, SentPoint};
use crate::point::{Filled, Layout, Number, POSITIVE, PointValue, Points, Temporality};

/// Buckets of one point; the SDKs' default is 160 and 15.
pub(crate) const MAX_BUCKETS: usize = 4096;

/// A point's value as it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) enum SentValue {
    #[default]
    Absent,
    Number(Number),
    Histogram(SentHistogram),
    Exponential(SentExponential),
}

impl SentValue {
    /// The number that it is, unless it is a distribution.
    pub(super) fn number(&self) -> Option<Number> {
        match self {
            SentValue::Number(number) => Some(*number),
            SentValue::Absent | SentValue::Histogram(_) | SentValue::Exponential(_) => None,
        }
    }
}

/// A histogram as it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct SentHistogram {
    pub(crate) count: u64,
    pub(crate) bucket_counts: Vec<u64>,
    pub(crate) bounds: Vec<f64>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) too_many: bool,
}

/// An exponential histogram as it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct SentExponential {
    pub(crate) count: u64,
    pub(crate) scale: i32,
    pub(crate) zero_count: u64,
    pub(crate) zero_threshold: f64,
    pub(crate) positive: (i32, Vec<u64>),
    pub(crate) negative: (i32, Vec<u64>),
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) too_many: bool,
}

const NO_TEMPORALITY: Fault = Fault::Invalid("no aggregation temporality");
const TOO_MANY_BUCKETS: Fault = Fault::Invalid("too many buckets");
const WRONG_SUM: Fault = Fault::Invalid("bucket counts do not sum to the count");
/// Why a gauge is not read as a count.
pub(super) const NEGATIVE: &str = "gauge that is negative or no number is not counted";
const NO_VALUE: Fault = Fault::Invalid("point without a value");

impl Metric {
    /// The value of a point of this metric; its buckets go to the points.
    pub(crate) fn value(
        &mut self,
        sent: &SentPoint,
        points: &mut Points,
    ) -> Result<PointValue<Filled>, Fault> {
        match (self.data, &sent.value) {
            (Data::Gauge, SentValue::Number(number)) => level(*number),
            (
                Data::Sum {
                    temporality,
                    monotonic,
                },
                SentValue::Number(number),
            ) => {
                let temporality = temporality.ok_or(NO_TEMPORALITY)?;
                if monotonic {
                    sum(temporality, *number)
                } else {
                    level(*number)
                }
            }
            (Data::Histogram(temporality), SentValue::Histogram(sent)) => {
                let temporality = temporality.ok_or(NO_TEMPORALITY)?;
                Ok(PointValue::Buckets(
                    temporality,
                    self.explicit(sent, points)?,
                ))
            }
            (Data::Exponential(temporality), SentValue::Exponential(sent)) => {
                let temporality = temporality.ok_or(NO_TEMPORALITY)?;
                Ok(PointValue::Buckets(temporality, exponential(sent, points)?))
            }
            _ => Err(NO_VALUE),
        }
    }

    fn explicit(&mut self, sent: &SentHistogram, points: &mut Points) -> Result<Filled, Fault> {
        if sent.too_many {
            return Err(TOO_MANY_BUCKETS);
        }
        let known =
            matches!(&self.reading.layout, Layout::Explicit(bounds) if **bounds == *sent.bounds);
        if !known
            && (!sent.bounds.is_sorted_by(|a, b| a < b)
                || sent.bounds.iter().any(|bound| bound.is_nan()))
        {
            return Err(Fault::Invalid("bucket bounds that do not rise"));
        }
        let undivided = [sent.count];
        let counts = if sent.bucket_counts.is_empty() && sent.bounds.is_empty() {
            &undivided
        } else if sent.bucket_counts.len() == sent.bounds.len() + 1 {
            &*sent.bucket_counts
        } else {
            return Err(Fault::Invalid("bucket counts and bounds that do not fit"));
        };
        if !known {
            self.read_at(Arc::from(&*sent.bounds));
        }
        let counts = (0..).zip(counts.iter().copied());
        let filled = points.fill(None, counts, sent.count).ok_or(WRONG_SUM)?;
        Ok(filled.within(sent.min, sent.max))
    }
}

fn exponential(sent: &SentExponential, points: &mut Points) -> Result<Filled, Fault> {
    if sent.too_many {
        return Err(TOO_MANY_BUCKETS);
    }
    if sent.zero_threshold.is_nan() || sent.zero_threshold < 0.0 {
        return Err(Fault::Invalid("zero threshold below zero"));
    }
    let numbered = |(offset, counts): &'_ (i32, Vec<u64>), at: usize| {
        let index = i64::from(*offset).saturating_add_unsigned(at as u64);
        (POSITIVE + index, counts[at])
    };
    let below = (0..sent.negative.1.len()).rev();
    let below = below.map(|at| numbered(&sent.negative, at));
    let below = below.map(|(number, count)| (-number, count));
    let above = (0..sent.positive.1.len()).map(|at| numbered(&sent.positive, at));
    let counts = below.chain([(0, sent.zero_count)]).chain(above);
    let layout = Some((sent.scale, sent.zero_threshold));
    let filled = points.fill(layout, counts, sent.count).ok_or(WRONG_SUM)?;
    Ok(filled.within(sent.min, sent.max))
}

fn level(number: Number) -> Result<PointValue<Filled>, Fault> {
    let value = number.as_f64();
    if value.is_nan() {
        Err(NO_VALUE)
    } else {
        Ok(PointValue::Level(value))
    }
}

fn sum(temporality: Temporality, number: Number) -> Result<PointValue<Filled>, Fault> {
    if is_amount(number) {
        Ok(PointValue::Sum(temporality, number))
    } else {
        Err(Fault::Invalid(
            "monotonic sum that is negative or no number",
        ))
    }
}

/// Whether a number can be how many of something there are.
pub(super) fn is_amount(number: Number) -> bool {
    match number {
        Number::Int(value) => value >= 0,
        Number::Double(value) => value.is_finite() && value >= 0.0,
    }
}
