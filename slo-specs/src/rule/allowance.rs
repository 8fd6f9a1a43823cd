//! Error budget policies: what is allowed at which budget.

use super::reading::is_below;
use crate::{BurnRate, ErrorBudget, Objective, Ratio};

/// What is allowed while less than a share of the budget is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The share; `None` for nothing at all: the budget is spent.
    pub below: Option<Ratio>,
    /// In words, such as `only fixes`.
    pub allows: String,
    /// Who decides, if the policy says so.
    pub owner: Option<String>,
}

impl Allowance {
    /// Whether less than its share of the budget is left. Without events nothing is known.
    pub fn holds(&self, budget: &ErrorBudget) -> bool {
        is_below(budget, self.below)
    }

    /// The lowest mark sorts first.
    pub(crate) fn mark(&self) -> Option<BurnRate> {
        let below = self.below?;
        BurnRate::new(below.numerator(), below.denominator())
    }
}

/// What an objective's error budget policy allows with such a budget: of the marks that hold, the lowest. How many
/// bad events there were does not matter: a rule may wait for more of them, but what is left is what is left.
pub fn allowed<'o>(objective: &'o Objective, budget: &ErrorBudget) -> Option<&'o Allowance> {
    let mut lowest_first = objective.allowances.iter();
    lowest_first.find(|allowance| allowance.holds(budget))
}
