//! The values of points, checked.

use std::sync::Arc;

use super::{Data, Fault, Metric, SentPoint};
use crate::point::{Buckets, Layout, Number, POSITIVE, PointValue, Temporality};

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
    /// The value of a point of this metric.
    pub(crate) fn value(&mut self, sent: &SentPoint) -> Result<PointValue, Fault> {
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
                Ok(PointValue::Buckets(temporality, self.explicit(sent)?))
            }
            (Data::Exponential(temporality), SentValue::Exponential(sent)) => {
                let temporality = temporality.ok_or(NO_TEMPORALITY)?;
                Ok(PointValue::Buckets(temporality, exponential(sent)?))
            }
            _ => Err(NO_VALUE),
        }
    }

    fn explicit(&mut self, sent: &SentHistogram) -> Result<Buckets, Fault> {
        if sent.too_many {
            return Err(TOO_MANY_BUCKETS);
        }
        let known = *self.layout == *sent.bounds;
        if !known
            && (!sent.bounds.is_sorted_by(|a, b| a < b)
                || sent.bounds.iter().any(|bound| bound.is_nan()))
        {
            return Err(Fault::Invalid("bucket bounds that do not rise"));
        }
        let counts = if sent.bucket_counts.is_empty() && sent.bounds.is_empty() {
            vec![(0, sent.count)]
        } else if sent.bucket_counts.len() == sent.bounds.len() + 1 {
            (0..).zip(sent.bucket_counts.iter().copied()).collect()
        } else {
            return Err(Fault::Invalid("bucket counts and bounds that do not fit"));
        };
        if !known {
            self.read_at(Arc::from(&*sent.bounds));
        }
        let layout = Layout::Explicit(Arc::clone(&self.layout));
        buckets(layout, counts, sent.count, sent.min, sent.max)
    }
}

fn exponential(sent: &SentExponential) -> Result<Buckets, Fault> {
    if sent.too_many {
        return Err(TOO_MANY_BUCKETS);
    }
    if sent.zero_threshold.is_nan() || sent.zero_threshold < 0.0 {
        return Err(Fault::Invalid("zero threshold below zero"));
    }
    let numbers = |(offset, counts): &(i32, Vec<u64>)| {
        let first = POSITIVE + i64::from(*offset);
        (first..).zip(counts.clone())
    };
    let negative = numbers(&sent.negative).map(|(number, count)| (-number, count));
    let mut counts: Vec<_> = negative.collect();
    counts.reverse();
    counts.push((0, sent.zero_count));
    counts.extend(numbers(&sent.positive));
    let layout = Layout::Exponential {
        scale: sent.scale,
        zero_threshold: sent.zero_threshold,
    };
    buckets(layout, counts, sent.count, sent.min, sent.max)
}

fn buckets(
    layout: Layout,
    mut counts: Vec<(i64, u64)>,
    count: u64,
    min: Option<f64>,
    max: Option<f64>,
) -> Result<Buckets, Fault> {
    counts.retain(|(_, count)| *count > 0);
    let sum = counts
        .iter()
        .try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count));
    if sum != Some(count) {
        return Err(WRONG_SUM);
    }
    let number = |value: Option<f64>| value.filter(|value| !value.is_nan());
    Ok(Buckets {
        layout,
        counts,
        min: number(min),
        max: number(max),
    })
}

fn level(number: Number) -> Result<PointValue, Fault> {
    let value = number.as_f64();
    if value.is_nan() {
        Err(NO_VALUE)
    } else {
        Ok(PointValue::Level(value))
    }
}

fn sum(temporality: Temporality, number: Number) -> Result<PointValue, Fault> {
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
