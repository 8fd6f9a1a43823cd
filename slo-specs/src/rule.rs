//! Rules: what alerts, and how loud.

mod allowance;
mod condition;
mod confidence;
mod reading;
mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use allowance::{Allowance, allowed};
pub use condition::{Burn, Condition};
pub use confidence::Confidence;
pub(crate) use reading::Moment;
pub use reading::{BurnSeen, Reading, RuleState, Seen};

use crate::BurnRate;

/// A condition, who hears when it holds, and how long it must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Unique within the objective, such as `page-fast`.
    pub name: String,
    /// Whether it wakes somebody.
    pub severity: Severity,
    /// What must be.
    pub condition: Condition,
    /// How long it must be so before it fires; zero for at once.
    pub hold: Duration,
    /// Receivers named by the policy's notification targets; empty for the configured ones.
    pub receivers: Vec<String>,
    /// Who hears that it is over.
    pub ending: Ending,
    /// What the error budget policy still allows while it fires, such as `only fixes`.
    pub note: Option<String>,
}

/// Who hears that an alert is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Everybody who was told that it fires.
    #[default]
    Told,
    /// Only receivers that hold an incident open until they are told: `alertWhenResolved: false`.
    Quiet,
}

/// How loud an alert is. The most severe sorts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Wakes somebody.
    Page,
    /// Waits for the morning.
    Ticket,
}

/// Whether a burn rate exactly at the threshold breaches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Bound {
    /// Only above it: `burn > threshold`.
    #[default]
    Above,
    /// `burn ≥ threshold`: an `AlertCondition` with `op: gte`.
    AtLeast,
}

impl Rule {
    /// The two windows and the threshold, if that is all there is to it.
    pub fn burn(&self) -> Option<&Burn> {
        match &self.condition {
            Condition::Burn(burn) => Some(burn),
            _ => None,
        }
    }
}

impl Severity {
    /// `page` or `ticket`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
        }
    }

    /// Bad events a rule of this severity needs unless its policy says so.
    pub(crate) fn default_minimum_bad(self) -> u64 {
        match self {
            Self::Page => 3,
            Self::Ticket => 1,
        }
    }
}

impl Bound {
    /// Whether a burn rate is too fast for a threshold.
    pub fn is_over(self, burn: BurnRate, threshold: BurnRate) -> bool {
        match self {
            Self::Above => burn > threshold,
            Self::AtLeast => burn >= threshold,
        }
    }
}
