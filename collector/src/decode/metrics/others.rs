//! Points read in another way than they were sent, for specs that ask for it.

use std::sync::Arc;

use super::values::{NEGATIVE, is_amount};
use super::{Data, SentPoint};
use crate::decode::fold::Fold;
use crate::measure::{Measure, Reading, Subject};
use crate::measured::{Bound, Scale};
use crate::point::{Filled, Layout, Number, PointValue, Scheme, Temporality};

const NO_RATIO: &str = "ratio that is not between 0 and 1 is not counted as one";

/// The other ways in which a metric is read.
pub(super) fn schemes(measure: &Measure, name: &str) -> Vec<Arc<Scheme>> {
    let asked = measure.readings.iter().filter(|(metric, _)| metric == name);
    asked
        .map(|(_, reading)| Arc::new(scheme(measure, name, *reading)))
        .collect()
}

fn scheme(measure: &Measure, name: &str, reading: Reading) -> Scheme {
    let (scale, bounds) = match reading {
        Reading::Growth | Reading::Share => (Scale::None, vec![Bound::new(0.0, true)]),
        Reading::Amount => (Scale::None, Vec::new()),
        Reading::Age => (Scale::Seconds, bounds_of_age(measure, name)),
    };
    Scheme {
        metric: name.into(),
        other: Some(reading),
        scale,
        layout: Layout::default(),
        bounds: bounds.into(),
    }
}

fn bounds_of_age(measure: &Measure, name: &str) -> Vec<Bound> {
    let of_age = measure.thresholds.iter().filter(|threshold| {
        matches!(&threshold.subject, Subject::Age(metric) if metric == name)
            && !threshold.bound.is_nan()
    });
    let bounds = of_age.map(|threshold| Bound::new(threshold.bound, threshold.inclusive));
    let mut bounds: Vec<_> = bounds.collect();
    bounds.sort_unstable();
    bounds.dedup();
    bounds
}

impl Fold<'_> {
    /// Hands a point on once more for every other way in which its metric is read. Cold, as few metrics are: within the
    /// caller, the age of every point would be made before it is known whether anybody asks for it.
    #[cold]
    pub(super) fn read_otherwise(&mut self, sent: &SentPoint, value: &PointValue<Filled>) {
        for at in 0..self.metric.others.len() {
            let Some(scheme) = self.metric.others.get(at).cloned() else {
                continue;
            };
            let other = scheme.other;
            match other.and_then(|other| self.read_as(other, sent, value)) {
                Some(Ok(value)) => {
                    let scheme = self.points.scheme(&scheme);
                    self.hand_on(sent, value, other, scheme);
                }
                Some(Err(reason)) => self.note_point(reason),
                None => {}
            }
        }
    }

    /// A point's value as it is read; `None` for points that cannot be read so.
    fn read_as(
        &self,
        other: Reading,
        sent: &SentPoint,
        value: &PointValue<Filled>,
    ) -> Option<Result<PointValue<Filled>, &'static str>> {
        let number = sent.value.number()?;
        let is_level = matches!(
            self.metric.data,
            Data::Gauge
                | Data::Sum {
                    monotonic: false,
                    ..
                }
        );
        match (other, is_level) {
            (Reading::Growth, false) => Some(Ok(*value)),
            (Reading::Growth, true) => Some(amount(number, PointValue::Total(number))),
            (Reading::Amount, true) => {
                let sum = PointValue::Sum(Temporality::Delta, number);
                Some(amount(number, sum))
            }
            (Reading::Age, true) => Some(Ok(PointValue::Level(age(sent.time_nanos, number)))),
            (Reading::Share, true) => {
                let ratio = number.as_f64();
                let holds = (0.0..=1.0).contains(&ratio);
                Some(holds.then_some(PointValue::Level(ratio)).ok_or(NO_RATIO))
            }
            (Reading::Amount | Reading::Age | Reading::Share, false) => None,
        }
    }
}

fn amount(number: Number, value: PointValue<Filled>) -> Result<PointValue<Filled>, &'static str> {
    is_amount(number).then_some(value).ok_or(NEGATIVE)
}

/// How long before `at_nanos` a Unix time in seconds was, in seconds.
fn age(at_nanos: u64, time: Number) -> f64 {
    const SECOND: f64 = 1e9;
    let whole = match time {
        Number::Int(seconds) => i128::from(seconds) * 1_000_000_000,
        // Whole seconds first: of a double that is a time, all digits are needed.
        Number::Double(seconds) => {
            let fraction = seconds - seconds.trunc();
            nanos(seconds.trunc()) * 1_000_000_000 + nanos((fraction * SECOND).round())
        }
    };
    nanoseconds(i128::from(at_nanos) - whole) / SECOND
}

fn nanos(value: f64) -> i128 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates far beyond any time: within 64 bits, so that no product overflows"
    )]
    let whole = value as i64;
    i128::from(whole)
}

fn nanoseconds(difference: i128) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "differences below 104 days are exact to the nanosecond"
    )]
    let seconds = difference as f64;
    seconds
}
