//! What an explanation says: plain values, the JSON of `sloburn explain` and of the API.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use slo_specs::Tally;

use crate::replay::AllowanceReport;

/// One objective at one tick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Explanation {
    /// Id of the objective.
    pub(crate) slo: String,
    pub(crate) title: String,
    pub(crate) service: String,
    /// The tick.
    pub(crate) at: Timestamp,
    /// What is counted, in words.
    pub(crate) indicator: String,
    /// `Occurrences`, `Timeslices` or `RatioTimeslices`.
    pub(crate) budgeting: String,
    /// How many of a count are one event or slice: more than 1 for `RatioTimeslices`.
    pub(crate) units: u64,
    pub(crate) target: Share,
    /// 1 − target.
    pub(crate) allowed_share: Share,
    pub(crate) window: Window,
    /// What is judged in the window: events, or time slices.
    pub(crate) counts: Counts,
    /// The same without corrections; null if there are none.
    pub(crate) uncorrected: Option<Counts>,
    pub(crate) budget: Budget,
    /// Null unless the budget is counted in time slices.
    pub(crate) slices: Option<Slices>,
    /// Those that leave out something of the window.
    pub(crate) corrections: Vec<Correction>,
    /// What is allowed at which budget, the lowest mark first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) error_budget_policy: Vec<AllowanceReport>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) measured_since: Option<Timestamp>,
    pub(crate) last_event: Option<Timestamp>,
    /// The series that were selected, those with most events first.
    pub(crate) series: Vec<Series>,
    /// The others together.
    pub(crate) rest: Option<Series>,
    /// All series together: the events of the window, corrections not considered. Null if they could not be read.
    pub(crate) series_sum: Option<Counts>,
    /// Times whose data is damaged or lost.
    pub(crate) incomplete: Vec<(Timestamp, Timestamp)>,
    /// What else is to be known.
    pub(crate) notes: Vec<String>,
}

/// An exact share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Share {
    pub(crate) value: f64,
    pub(crate) numerator: u64,
    pub(crate) denominator: u64,
}

/// The objective's window: slices that end in `(counted_from, to]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) name: String,
    pub(crate) from: Timestamp,
    /// The same moved to the minute or hour, as windows of this length are counted.
    pub(crate) counted_from: Timestamp,
    pub(crate) to: Timestamp,
}

/// Counts of events, or of time slices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    pub(crate) good: u64,
    pub(crate) bad: u64,
    /// The part of `bad` that could be good.
    pub(crate) uncertain: u64,
}

/// The error budget of the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Budget {
    pub(crate) formula: String,
    /// The formula with the numbers; null without events.
    pub(crate) working: Option<String>,
    /// (1 − target) · total.
    pub(crate) allowed: f64,
    pub(crate) spent: u64,
    /// allowed − spent.
    pub(crate) left: f64,
    /// The result; null without events.
    pub(crate) remaining: Option<f64>,
}

/// How a window is cut into time slices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Slices {
    pub(crate) length: String,
    /// Slices that count; how many of them are good and bad is in `counts`.
    pub(crate) measured: u64,
    /// Slices of the window that do not count: without events, left out, or before anything was measured.
    pub(crate) unmeasured: u64,
    /// What a slice without events counts for.
    pub(crate) without_events: String,
}

/// What a correction leaves out of the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Correction {
    pub(crate) name: String,
    pub(crate) reason: String,
    pub(crate) author: String,
    pub(crate) excluded: Vec<(Timestamp, Timestamp)>,
}

/// What one rule sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) severity: String,
    /// Burn rate of a rule of two windows; such a rule has the next two as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) threshold: Option<f64>,
    /// Where the threshold comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) threshold_from: Option<String>,
    /// Bad events that the first window must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) minimum_bad: Option<u64>,
    /// When any other rule, or one that asks for confidence, holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) when: Option<String>,
    /// What such a rule sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sees: Option<String>,
    pub(crate) hold: Option<String>,
    /// The long and the short one.
    pub(crate) windows: Vec<BurnWindow>,
    /// The condition holds, of a burn both are over with enough bad events: the rule may fire.
    pub(crate) breached: bool,
}

/// A look-back of a rule: slices that end in `(from, to]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BurnWindow {
    pub(crate) name: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) counts: Counts,
    /// bad ÷ total ÷ (1 − target); null without events.
    pub(crate) burn: Option<f64>,
    /// The formula with the numbers, beside the threshold.
    pub(crate) working: Option<String>,
    pub(crate) over: bool,
}

/// What one series adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Series {
    /// Service, kind, name, status and attributes; of the rest, how many there are.
    pub(crate) name: String,
    /// Events that are selected as part of all.
    pub(crate) total: u64,
    /// Events that are selected as `part`.
    pub(crate) selected: u64,
    /// `bad` or `good`: which events `selected` counts.
    pub(crate) part: String,
}

impl From<Tally> for Counts {
    fn from(tally: Tally) -> Counts {
        Counts {
            total: tally.total,
            good: tally.good(),
            bad: tally.bad,
            uncertain: tally.uncertain,
        }
    }
}
