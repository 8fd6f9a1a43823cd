//! Tallies of good and bad events, and the error budget they leave.

use serde::{Deserialize, Serialize};

use crate::Ratio;

/// Events of one indicator over some time. `bad` and `uncertain` never exceed `total`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tally {
    /// All events.
    pub total: u64,
    /// Events that count against the objective, the uncertain ones among them.
    pub bad: u64,
    /// The part of `bad` that could be good: the bounds of a histogram miss the threshold.
    pub uncertain: u64,
}

impl Tally {
    /// No events.
    pub const EMPTY: Self = Self {
        total: 0,
        bad: 0,
        uncertain: 0,
    };

    /// `bad` of `total` events, none of them uncertain; more bad than total counts as all bad.
    pub fn new(total: u64, bad: u64) -> Self {
        Self {
            total,
            bad: bad.min(total),
            uncertain: 0,
        }
    }

    /// Good events.
    pub fn good(self) -> u64 {
        self.total.saturating_sub(self.bad)
    }

    /// Whether there are no events: then nothing is known, which is not the same as good.
    pub fn is_empty(self) -> bool {
        self.total == 0
    }

    /// Both together, or `None` when a count does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            total: self.total.checked_add(other.total)?,
            bad: self.bad.checked_add(other.bad)?,
            uncertain: self.uncertain.checked_add(other.uncertain)?,
        })
    }

    /// Both together; a count that does not fit stays at the largest there is.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            total: self.total.saturating_add(other.total),
            bad: self.bad.saturating_add(other.bad),
            uncertain: self.uncertain.saturating_add(other.uncertain),
        }
    }

    /// `bad / total`; `None` without events: never 0, never NaN.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the nearest float is what is asked for"
    )]
    pub fn error_ratio(self) -> Option<f64> {
        (self.total > 0).then(|| self.bad as f64 / self.total as f64)
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::EMPTY, Self::plus)
    }
}

/// What may go wrong within the SLO's window, and how much of it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorBudget {
    /// The objective's target.
    pub target: Ratio,
    /// What happened within the window.
    pub tally: Tally,
}

impl ErrorBudget {
    /// Events that may be bad within the window: `(1 − target) · total`.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the nearest float is what is asked for"
    )]
    pub fn allowed_events(&self) -> f64 {
        self.target.complement().as_f64() * self.tally.total as f64
    }

    /// Bad events that are still allowed; negative when overspent.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the nearest float is what is asked for"
    )]
    pub fn remaining_events(&self) -> f64 {
        self.allowed_events() - self.tally.bad as f64
    }

    /// Share of the budget that is left, `1 − bad / ((1 − target) · total)`: negative when
    /// overspent, `None` without events.
    ///
    /// ```
    /// use slo_specs::{ErrorBudget, Tally};
    /// let budget = ErrorBudget { target: "0.99".parse()?, tally: Tally::new(1_000, 4) };
    /// assert_eq!(budget.remaining(), Some(0.6));
    /// # Ok::<(), slo_specs::NumberError>(())
    /// ```
    #[expect(
        clippy::cast_precision_loss,
        reason = "the nearest float is what is asked for"
    )]
    pub fn remaining(&self) -> Option<f64> {
        let budget = self.target.complement();
        let allowed = u128::from(self.tally.total) * u128::from(budget.numerator());
        let spent = u128::from(self.tally.bad) * u128::from(budget.denominator());
        (allowed > 0).then(|| {
            let sign = if spent > allowed { -1.0 } else { 1.0 };
            sign * (allowed.abs_diff(spent) as f64 / allowed as f64)
        })
    }

    /// Whether nothing is left: `bad ≥ (1 − target) · total`, exactly. Without events, not.
    pub fn is_spent(&self) -> bool {
        let budget = self.target.complement();
        let allowed = u128::from(self.tally.total) * u128::from(budget.numerator());
        allowed > 0 && u128::from(self.tally.bad) * u128::from(budget.denominator()) >= allowed
    }
}
