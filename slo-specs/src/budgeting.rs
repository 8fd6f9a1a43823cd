//! In what an objective's budget is counted: events, or stretches of time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::decimal::decimal;
use crate::{NumberError, Tally};

/// Length of a timeline's finest slot, in seconds: a slice is kept in the one at its end.
const SLOT_S: i64 = 10;
/// Units of a slice that counts by its error ratio: every slice weighs the same, whatever its
/// traffic, and its share is rounded to a billionth.
pub(crate) const SLICE_UNITS: u64 = 1_000_000_000;

/// Units of a point that holds a ratio: it counts to a millionth.
pub const POINT_UNITS: u64 = 1_000_000;

/// In what an objective's budget is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Budgeting {
    /// Events: OpenSLO's `Occurrences`.
    #[default]
    Occurrences,
    /// The same of points that hold a ratio: each is good in part.
    Shares,
    /// Stretches of time of one length: `Timeslices` and `RatioTimeslices`.
    Timeslices(Slicing),
}

/// How time is cut, and what a stretch of it counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slicing {
    /// Length of a slice: whole minutes. Slices end at multiples of it since 1970, in UTC.
    pub length: Duration,
    /// What a slice with events counts for.
    pub verdict: Verdict,
    /// What a slice without events counts for.
    pub empty: EmptySlice,
}

/// What a slice with events counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `Timeslices`: good when at least that share of its events is, else bad.
    Target(SliceTarget),
    /// `Timeslices` of what a total grew by: good when it grew by no more.
    AtMost(u64),
    /// The same: good when it grew by that at least.
    AtLeast(u64),
    /// `RatioTimeslices`: bad by its error ratio, so that the budget is about the mean of them.
    Share,
}

/// What a slice without events counts for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptySlice {
    /// Nothing: it is not measured.
    #[default]
    Unmeasured,
    /// Bad: something should have come. Not while sloburn itself was down.
    Bad,
    /// Good: silence is fine. Not while sloburn itself was down.
    Good,
}

/// Share of a slice's events that must be good: 0 to 1, both included, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SliceTarget {
    numerator: u64,
    denominator: u64,
}

impl Budgeting {
    /// How time is cut, if it is.
    pub fn slicing(self) -> Option<Slicing> {
        match self {
            Self::Occurrences | Self::Shares => None,
            Self::Timeslices(slicing) => Some(slicing),
        }
    }

    /// OpenSLO's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Occurrences | Self::Shares => "Occurrences",
            Self::Timeslices(Slicing {
                verdict: Verdict::Share,
                ..
            }) => "RatioTimeslices",
            Self::Timeslices(_) => "Timeslices",
        }
    }

    /// A part of a [`Tally`] as people count it, in the objective's [`crate::Noun`]: events, slices, or seconds of
    /// slices that are bad in part; of points and seconds up to two digits.
    ///
    /// ```
    /// use slo_specs::Budgeting;
    /// assert_eq!(Budgeting::Occurrences.amount(1_200), "1200");
    /// ```
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    pub fn amount(self, count: u64) -> String {
        match self.units() {
            1 => count.to_string(),
            units => {
                let each = self.slicing().map_or(1, |slicing| slicing.length.as_secs());
                let hundredths = (count as f64 * each as f64 * 100.0 / units as f64).round();
                (hundredths / 100.0).to_string()
            }
        }
    }

    /// How long before the start of its slot in a timeline a slice begins, in seconds.
    pub(crate) fn lead_s(self) -> i64 {
        self.slicing()
            .map_or(0, |slicing| slicing.length_s() - SLOT_S)
    }

    /// How many units of a [`Tally`] are one event or one slice.
    pub fn units(self) -> u64 {
        match self {
            Self::Timeslices(Slicing {
                verdict: Verdict::Share,
                ..
            }) => SLICE_UNITS,
            Self::Shares => POINT_UNITS,
            Self::Occurrences | Self::Timeslices(_) => 1,
        }
    }
}

impl Slicing {
    /// What a slice with those events adds to the budget; `None` without events.
    ///
    /// ```
    /// use std::time::Duration;
    /// use slo_specs::{EmptySlice, Slicing, Tally, Verdict};
    /// let slicing = Slicing {
    ///     length: Duration::from_mins(1),
    ///     verdict: Verdict::Target("0.95".parse()?),
    ///     empty: EmptySlice::Unmeasured,
    /// };
    /// assert_eq!(slicing.judge(Tally::new(100, 5)), Some(Tally::new(1, 0)), "exactly at the target");
    /// assert_eq!(slicing.judge(Tally::new(100, 6)), Some(Tally::new(1, 1)));
    /// assert_eq!(slicing.judge(Tally::EMPTY), None);
    /// # Ok::<(), slo_specs::NumberError>(())
    /// ```
    pub fn judge(&self, events: Tally) -> Option<Tally> {
        if events.is_empty() {
            return None;
        }
        Some(match self.verdict {
            Verdict::Target(target) => {
                let bad = !target.is_met(events.good(), events.total);
                let surely_bad = events.good().saturating_add(events.uncertain);
                let surely_bad = !target.is_met(surely_bad, events.total);
                Tally {
                    total: 1,
                    bad: bad.into(),
                    uncertain: (bad && !surely_bad).into(),
                }
            }
            Verdict::AtMost(most) => Tally::new(1, (events.bad > most).into()),
            Verdict::AtLeast(least) => Tally::new(1, (events.bad < least).into()),
            Verdict::Share => Tally {
                total: SLICE_UNITS,
                bad: share(events.bad, events.total),
                uncertain: share(events.uncertain, events.total),
            },
        })
    }

    /// What a slice without events adds: nothing if it is not measured.
    pub fn judge_empty(&self) -> Tally {
        let units = Budgeting::Timeslices(*self).units();
        match self.empty {
            EmptySlice::Unmeasured => Tally::EMPTY,
            EmptySlice::Bad => Tally::new(units, units),
            EmptySlice::Good => Tally::new(units, 0),
        }
    }

    pub(crate) fn length_s(&self) -> i64 {
        i64::try_from(self.length.as_secs())
            .unwrap_or(i64::MAX)
            .max(1)
    }

    pub(crate) fn canonical(&self) -> String {
        let verdict = match self.verdict {
            Verdict::Target(SliceTarget {
                numerator,
                denominator,
            }) => format!("target {numerator}/{denominator}"),
            Verdict::AtMost(most) => format!("at most {most}"),
            Verdict::AtLeast(least) => format!("at least {least}"),
            Verdict::Share => "share".to_owned(),
        };
        let (length, empty) = (self.length.as_secs(), self.empty.name());
        format!("slices({length} {verdict} {empty})")
    }
}

/// `part / total` in billionths, rounded half up.
pub(crate) fn share(part: u64, total: u64) -> u64 {
    if total == 0 {
        return 0;
    }
    let (part, total) = (u128::from(part.min(total)), u128::from(total));
    let units = (part * u128::from(SLICE_UNITS) * 2 + total) / (total * 2);
    u64::try_from(units).unwrap_or(SLICE_UNITS)
}

impl EmptySlice {
    /// As an annotation says it: `unmeasured`, `bad`, `good`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unmeasured => "unmeasured",
            Self::Bad => "bad",
            Self::Good => "good",
        }
    }
}

impl SliceTarget {
    /// For people.
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    pub fn as_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// Whether `good` of `total` events are enough, exactly.
    pub fn is_met(self, good: u64, total: u64) -> bool {
        let enough = u128::from(total) * u128::from(self.numerator);
        u128::from(good) * u128::from(self.denominator) >= enough
    }
}

impl FromStr for SliceTarget {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        let (numerator, denominator) = decimal(text)?;
        if numerator > denominator {
            return Err(NumberError::OutOfRange);
        }
        Ok(Self {
            numerator,
            denominator,
        })
    }
}

impl fmt::Display for SliceTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_f64())
    }
}
