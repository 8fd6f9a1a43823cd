//! One objective: the row of a table, and its own page.

use std::time::Duration;

use jiff::Timestamp;
use slo_specs::Noun;

use super::common::{Counts, Range, Severity, Status, Steps};
use super::debug::{Endpoint, LatencyGrid};
use super::shell::Shell;
use crate::Text;

/// An objective as it stands at the evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// Its id, as in links and the API.
    pub id: String,
    /// What was promised, in words.
    pub title: Text,
    /// Which part of another objective it is; `None` of what somebody wrote.
    pub segment: Option<Segment>,
    /// Service it belongs to.
    pub service: Text,
    /// Target ratio, in (0, 1).
    pub target: f64,
    /// The window of the promise.
    pub window: Window,
    /// The more urgent of its two facts: promise (window) and burn (now).
    pub status: Status,
    /// Since when the status holds, if known.
    pub since: Option<Timestamp>,
    /// The error budget.
    pub budget: Budget,
    /// Burn rate over the last hour.
    pub burn_1h: Option<f64>,
    /// Burn rate over the last 5 minutes.
    pub burn_5m: Option<f64>,
    /// When the budget is empty.
    pub outlook: Outlook,
    /// Error ratio of the last 6 hours (less while younger) in at most 60 steps, for the sparkline.
    pub recent: Steps,
    /// End of the newest slice with events.
    pub last_event: Option<Timestamp>,
    /// What the error budget policy allows now, where it says so.
    pub allows: Option<Text>,
}

/// A part of an objective with a budget of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Id of the objective that it is a part of.
    pub whole: String,
    /// Which part: `cloud.region = eu-west`.
    pub name: Text,
}

/// The window of a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last so long, always.
    Rolling(Duration),
    /// What was counted since a period of the calendar began.
    Period(Period),
}

/// A period of the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// `month`, `2 weeks`.
    pub length: Text,
    /// Where it began.
    pub from: Timestamp,
    /// Where it ends, and the budget is whole again.
    pub until: Timestamp,
    /// When it began by the clocks of its zone: `1 Mar`.
    pub began: Text,
    /// When it ends by them.
    pub resets: Text,
    /// The time zone.
    pub zone: Text,
}

/// The error budget of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// What the window holds.
    pub counts: Counts,
    /// What is counted.
    pub counted: Noun,
    /// Fraction left, 1 = untouched, below 0 = overspent; `None` without events.
    pub left: Option<f64>,
    /// The same a day ago.
    pub left_day_ago: Option<f64>,
    /// Oldest slice the window has, if measuring began inside it: the budget is counted for that time only.
    pub measured_since: Option<Timestamp>,
}

/// A time that does not count, within the window or in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// What it is called.
    pub title: Text,
    /// `maintenance` or `exclusion`.
    pub kind: &'static str,
    /// Why it does not count.
    pub reason: Text,
    /// Who says so.
    pub author: Text,
    /// How often it was within the window.
    pub times: usize,
    /// The latest of them, from and until.
    pub latest: (Timestamp, Timestamp),
    /// Until when it is in force, if it is.
    pub until: Option<Timestamp>,
}

/// What is allowed while less than a share of the budget is left.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowance {
    /// The share; 0 is a budget that is spent.
    pub below: f64,
    /// What is, such as `only fixes`.
    pub allows: Text,
    /// Who decides, if the policy says so.
    pub owner: Option<Text>,
    /// Less is left now.
    pub holds: bool,
}

/// When the budget is empty if things go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Not measured.
    Unknown,
    /// Burn at or below 1, or nothing fails.
    NotAtThisRate,
    /// Not before the period of the calendar ends.
    NotThisPeriod,
    /// In so long.
    EmptyIn(Duration),
    /// Spent already.
    Empty,
}

/// What was counted over the last so many minutes, and where it leads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// How far back.
    pub length: Duration,
    /// Events in it.
    pub counts: Counts,
    /// Burn rate over it.
    pub burn: Option<f64>,
    /// When the budget is empty at its rate.
    pub outlook: Outlook,
}

/// What a bad event of an objective is to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It fails.
    Fails,
    /// It takes too long.
    TooSlow,
    /// A value is beyond its bound.
    OutOfBounds,
    /// What it shows is too old.
    OutOfDate,
}

/// A rule and how far it is from firing.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name, such as `page-fast`.
    pub name: Text,
    /// Page or ticket.
    pub severity: Severity,
    /// What it sees.
    pub sees: Sees,
    /// What the alert machine says.
    pub phase: RulePhase,
}

/// What a rule sees at the evaluation.
#[derive(Clone, Debug, PartialEq)]
pub enum Sees {
    /// Two windows beside one mark.
    Burn(BurnMarks),
    /// Anything else, in words.
    Words {
        /// What must be, such as `less than 25 % of the error budget is left`.
        when: Text,
        /// What is.
        now: Text,
        /// Whether it is so.
        holds: bool,
        /// Whether something was measured to tell from.
        known: bool,
    },
}

/// The figures of a burn rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BurnMarks {
    /// Long window.
    pub long: Duration,
    /// Short window.
    pub short: Duration,
    /// Burn rate both windows must exceed.
    pub threshold: f64,
    /// Burn rate over the long window.
    pub long_burn: Option<f64>,
    /// Burn rate over the short window.
    pub short_burn: Option<f64>,
    /// Fewest bad events in the long window for it to fire.
    pub minimum_bad: u64,
    /// Bad events in the long window.
    pub long_bad: u64,
    /// How sure it must be, and how sure it is, if it asks.
    pub confidence: Option<(f64, Option<f64>)>,
}

/// State of a rule's alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulePhase {
    /// Not breached, or not by both windows.
    Inactive,
    /// Breached, held back until it has lasted for its hold.
    Pending {
        /// Breached since.
        since: Timestamp,
    },
    /// Firing.
    Firing {
        /// Fired at.
        since: Timestamp,
    },
}

/// A line of the alert list.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Objective id.
    pub objective: String,
    /// Objective title.
    pub title: Text,
    /// Rule name.
    pub rule: Text,
    /// Page or ticket.
    pub severity: Severity,
    /// What the rule is held against, when it still exists.
    pub mark: Option<Mark>,
    /// Where it is.
    pub phase: AlertPhase,
    /// Whether it was found only when late data arrived.
    pub late: bool,
    /// Maintenance that holds it, and until when.
    pub held: Option<(Text, Timestamp)>,
}

/// What a rule is held against, in short.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// Threshold, long and short window.
    Burn(f64, Duration, Duration),
    /// Anything else, in words.
    When(Text),
}

/// Firing or history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertPhase {
    /// Breached, not yet held long enough.
    Pending {
        /// Breached since.
        since: Timestamp,
    },
    /// Firing.
    Firing {
        /// Fired at.
        since: Timestamp,
    },
    /// Over.
    Resolved {
        /// Fired at.
        fired: Timestamp,
        /// Resolved at.
        at: Timestamp,
    },
}

/// `/slos`
#[derive(Clone, Debug, PartialEq)]
pub struct SlosView {
    /// The frame.
    pub shell: Shell,
    /// All objectives, most urgent first.
    pub objectives: Vec<Objective>,
}

/// `/slos/{id}`
#[derive(Clone, Debug, PartialEq)]
pub struct SloView {
    /// The frame.
    pub shell: Shell,
    /// The objective.
    pub objective: Objective,
    /// The sentence of the spec.
    pub description: Text,
    /// When spans last came, within the window, that were sampled without saying by how much.
    pub unweighted: Option<Timestamp>,
    /// Its service's page exists (the service has sent something).
    pub service_known: bool,
    /// Where to read what to do; `https:` only, others are not shown.
    pub runbook: Option<String>,
    /// Why the panels made from stored slices (latency, endpoints) could not be read, with a reference.
    pub trouble: Option<Text>,
    /// Range of the charts of the last hour.
    pub range: Range,
    /// `focus` of the address: a panel, or `rule:` and a rule's name, outlined.
    pub focus: Option<String>,
    /// The last 5 minutes, hour and 6 hours, in this order (shorter ones for short windows).
    pub looks: Vec<Look>,
    /// Quantiles 0.5, 0.95 and 0.99 of its events' durations over the window, in µs.
    pub quantiles_us: Option<[u64; 3]>,
    /// Its rules, in the order of the spec.
    pub rules: Vec<Rule>,
    /// Counts for the burndown: up to two windows back (of a period: since it began), ending now, in steps of
    /// at least 10 s.
    pub past: Steps,
    /// Counts per step over `range`.
    pub minutes: Steps,
    /// Latency objectives: the distribution over `range`.
    pub latency: Option<LatencyGrid>,
    /// Spending day by day (or by a shorter step when young), up to 90 steps.
    pub days: Steps,
    /// Which endpoints fail, over `range`; `None` where that says nothing of what is counted.
    pub endpoints: Option<Vec<Endpoint>>,
    /// Its alerts, firing first, then newest first.
    pub alerts: Vec<Alert>,
    /// Its parts by the attributes that it names, most urgent first.
    pub segments: Vec<Objective>,
    /// Without rules of its own: title of the objective of the same SLO whose rules alert.
    pub alerted_by: Option<Text>,
    /// What its error budget policy says.
    pub policy: Vec<Allowance>,
    /// Times that do not count, the latest first.
    pub corrections: Vec<Correction>,
    /// Budget that would be left without them; `None` without any.
    pub uncorrected: Option<f64>,
    /// The spec and its place.
    pub definition: Definition,
}

/// Where an objective is defined.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// File of the spec.
    pub file: Text,
    /// Line of the objective in it, from 1.
    pub line: u64,
    /// The lines of its document.
    pub excerpt: Vec<Text>,
    /// What is counted.
    pub indicator: Indicator,
    /// How long time slices are and what makes one good, where they are counted.
    pub slices: Option<Text>,
    /// What a bad event is.
    pub failure: Failure,
}

/// What an objective counts, in words.
#[derive(Clone, Debug, PartialEq)]
pub enum Indicator {
    /// Good or bad events over all events.
    Ratio {
        /// What is counted as good or as bad, such as `bad: status = error`.
        part: Text,
        /// What is counted at all.
        total: Text,
    },
    /// Values compared with a bound.
    Threshold {
        /// What is compared, such as `duration of server spans of checkout`.
        of: Text,
        /// `≤ 400 ms`
        bound: Text,
    },
    /// Several indicators together.
    Composite {
        /// What they make together, such as `the worst part, slice by slice`.
        how: Text,
        /// Each in one line.
        parts: Vec<Text>,
    },
}
