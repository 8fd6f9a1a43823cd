//! What burns, and what to do.

use std::time::Duration;

use jiff::Timestamp;
use slo_specs::Noun;

use super::common::{Counts, Range, Steps};
use super::debug::Endpoint;
use super::objective::{Alert, Failure, Objective, Outlook};
use super::shell::Shell;
use crate::Text;

/// `/oncall`
#[derive(Clone, Debug, PartialEq)]
pub struct OncallView {
    /// The frame.
    pub shell: Shell,
    /// One for each objective with a firing page rule, worst first.
    pub banners: Vec<Banner>,
    /// All objectives, most urgent first.
    pub objectives: Vec<Objective>,
    /// Why the endpoints could not be read, with a reference.
    pub trouble: Option<Text>,
    /// Endpoints with most failures, at most 5.
    pub endpoints: Vec<Endpoint>,
    /// The time the endpoints are counted over.
    pub endpoints_range: Range,
    /// Firing and pending ones, then the newest of the history.
    pub alerts: Vec<Alert>,
}

/// The one thing that is on fire.
#[derive(Clone, Debug, PartialEq)]
pub struct Banner {
    /// Objective id.
    pub objective: String,
    /// Objective title.
    pub title: Text,
    /// Raw service name.
    pub service: String,
    /// What a bad event is.
    pub failure: Failure,
    /// What is counted.
    pub counted: Noun,
    /// The service has a debug page (it has sent something).
    pub service_known: bool,
    /// The firing rule that is most severe.
    pub rule: Text,
    /// What it is about, where that is not what fails now: such as how much budget is left.
    pub because: Option<Text>,
    /// Its windows, long and short, with what was counted; the last hour and 5 minutes where it has none.
    pub long: (Duration, Counts),
    /// The short one.
    pub short: (Duration, Counts),
    /// Error ratio that is allowed: 1 − target.
    pub allowed: f64,
    /// Burn rates over long and short.
    pub burn: (Option<f64>, Option<f64>),
    /// Fired at.
    pub since: Timestamp,
    /// Fraction of the error budget left.
    pub left: Option<f64>,
    /// Fraction of the window's budget used since it fired, bad ÷ (budget of the window).
    pub used: Option<f64>,
    /// At the short window's rate.
    pub outlook: Outlook,
    /// At the rate of the long one.
    pub outlook_long: Outlook,
    /// Per minute over the last hour (or a step that fits the rule).
    pub minutes: Steps,
    /// What to read; `https:` only, others are not shown.
    pub runbook: Option<String>,
    /// Where the links of the banner point in time.
    pub range: Range,
}
