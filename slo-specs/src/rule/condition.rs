//! What a rule watches for.

use std::time::Duration;

use super::Bound;
use crate::{BurnRate, Ratio};

/// What must be for a rule to fire. The texts of pages and views are made from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The budget burns too fast.
    Burn(Burn),
    /// Less than a share of the window's budget is left.
    BudgetLeft {
        /// The share; `None` for nothing at all: the budget is spent.
        below: Option<Ratio>,
        /// Bad events that the window must have.
        minimum_bad: u64,
    },
    /// More than a share of the window's budget was spent within a short time.
    BudgetDrop {
        /// The share.
        share: Ratio,
        /// Within so long.
        within: Duration,
        /// Bad events there must be within it.
        minimum_bad: u64,
    },
    /// The budget is empty soon, if things go on as of late.
    TimeToEmpty {
        /// In at most so long.
        within: Duration,
        /// As they were over so long.
        look_back: Duration,
        /// Bad events that the look-back must have.
        minimum_bad: u64,
    },
    /// Nothing was measured for so long, though something was before.
    NoData {
        /// How long.
        lasting: Duration,
    },
    /// All of them at once. Never empty.
    All(Vec<Condition>),
    /// At least one of them. Never empty.
    Any(Vec<Condition>),
}

/// When spending is too fast: both windows burn above the threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burn {
    /// The long window: it matters.
    pub long: Duration,
    /// The short window: it still goes on. As long as the long one, if there is to be only one.
    pub short: Duration,
    /// The burn rate that both windows are held against.
    pub threshold: BurnRate,
    /// Whether the threshold itself is already too fast.
    pub bound: Bound,
    /// Bad events the long window must have.
    pub minimum_bad: u64,
    /// How sure it must be, of the long window, that the true burn rate is beyond the threshold.
    pub confidence: Option<Ratio>,
}

impl Burn {
    /// Whether a burn rate is too fast.
    pub fn is_over(&self, burn: BurnRate) -> bool {
        self.bound.is_over(burn, self.threshold)
    }
}

impl Condition {
    /// Every condition in it that is not made of others, depth first.
    pub fn leaves(&self) -> Vec<&Condition> {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().flat_map(Condition::leaves).collect()
            }
            leaf => vec![leaf],
        }
    }

    /// The longest look-back of its own; of the objective's window,
    /// [`needs_window`](Self::needs_window) tells.
    pub fn look_back(&self) -> Duration {
        let own = |leaf: &Condition| match leaf {
            Self::Burn(burn) => burn.long,
            Self::BudgetDrop { within, .. } => *within,
            Self::TimeToEmpty { look_back, .. } => *look_back,
            Self::NoData { lasting } => *lasting,
            Self::BudgetLeft { .. } | Self::All(_) | Self::Any(_) => Duration::ZERO,
        };
        let leaves = self.leaves();
        leaves.into_iter().map(own).max().unwrap_or_default()
    }

    /// Whether it looks at the budget of the objective's whole window.
    pub fn needs_window(&self) -> bool {
        self.leaves().into_iter().any(|leaf| {
            matches!(
                leaf,
                Self::BudgetLeft { .. } | Self::BudgetDrop { .. } | Self::TimeToEmpty { .. }
            )
        })
    }

    /// The shortest time whose rate it goes by, if it goes by a rate.
    pub fn short(&self) -> Option<Duration> {
        let own = |leaf: &Condition| match leaf {
            Self::Burn(burn) => Some(burn.short),
            Self::TimeToEmpty { look_back, .. } => Some(*look_back),
            _ => None,
        };
        self.leaves().into_iter().filter_map(own).min()
    }
}
