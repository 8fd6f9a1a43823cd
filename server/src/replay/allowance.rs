//! What an error budget policy says, as the API, `replay` and `explain` tell it.

use serde::{Deserialize, Serialize};
use slo_specs::{Allowance, ErrorBudget, Objective, Ratio};

/// What is allowed below one mark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AllowanceReport {
    /// Share of the budget; 0 is spent.
    pub(crate) below: f64,
    pub(crate) allows: String,
    /// Who decides, if the policy says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    /// Less is left.
    pub(crate) holds: bool,
}

/// What an objective's policy says, the lowest mark first.
pub(crate) fn allowances(objective: &Objective, budget: &ErrorBudget) -> Vec<AllowanceReport> {
    let report = |one: &Allowance| AllowanceReport {
        below: one.below.map_or(0.0, Ratio::as_f64),
        allows: one.allows.clone(),
        owner: one.owner.clone(),
        holds: one.holds(budget),
    };
    objective.allowances.iter().map(report).collect()
}
