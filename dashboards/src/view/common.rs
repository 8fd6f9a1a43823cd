//! Values that several views share.

use std::time::Duration;

use crate::number::real;
use jiff::{SignedDuration, Timestamp};

/// Events of an objective over some time. `bad ≤ total`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All events.
    pub total: u64,
    /// Those that count against the objective.
    pub bad: u64,
}

impl Counts {
    /// Bad over total; `None` when there was nothing.
    ///
    /// ```
    /// use dashboards::view::Counts;
    /// assert_eq!(Counts { total: 8, bad: 2 }.error_ratio(), Some(0.25));
    /// assert_eq!(Counts::default().error_ratio(), None);
    /// ```
    pub fn error_ratio(self) -> Option<f64> {
        (self.total > 0).then(|| real(self.bad) / real(self.total))
    }

    /// Both sums, saturating: a shown count never wraps.
    #[must_use]
    pub fn plus(self, other: Counts) -> Counts {
        Counts {
            total: self.total.saturating_add(other.total),
            bad: self.bad.saturating_add(other.bad),
        }
    }
}

/// Counts over contiguous steps of equal length, oldest first. A step with `total == 0` is a gap: nothing
/// was measured in it, and no line is drawn across it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Start of the first step.
    pub from: Timestamp,
    /// Length of one step; more than zero.
    pub step: Duration,
    /// One entry a step.
    pub counts: Vec<Counts>,
}

impl Steps {
    /// Where the step at `index` begins.
    pub fn start_of(&self, index: usize) -> Timestamp {
        let seconds = self.step.as_secs().saturating_mul(index as u64);
        let ahead = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        self.from.saturating_add(ahead).unwrap_or(Timestamp::MAX)
    }

    /// Where the last step ends.
    pub fn end(&self) -> Timestamp {
        self.start_of(self.counts.len())
    }

    /// The sum of all steps.
    pub fn sum(&self) -> Counts {
        self.counts
            .iter()
            .fold(Counts::default(), |sum, step| sum.plus(*step))
    }
}

/// The time a page or chart covers: `(from, to]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Start, exclusive.
    pub from: Timestamp,
    /// End, inclusive.
    pub to: Timestamp,
    /// Whether `to` follows the clock; such a page is updated while it is watched.
    pub live: bool,
}

/// What an alert asks of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Someone is woken.
    Page,
    /// Someone looks at it in working hours.
    Ticket,
}

/// What is said of an objective, most urgent first: the order of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// A page rule fires.
    Paging,
    /// The error budget is spent.
    Missed,
    /// A ticket rule fires.
    Ticket,
    /// Nothing was measured: neither good nor bad.
    NoData,
    /// Budget left and no rule fires.
    OnTrack,
}
