//! Are we keeping our promises?

use super::common::{Counts, Steps};
use super::objective::{Alert, Objective};
use super::shell::Shell;
use crate::Text;
use jiff::Timestamp;

/// `/executive`
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutiveView {
    /// The frame.
    pub shell: Shell,
    /// All objectives, most urgent first; of segments those that something is wrong with.
    pub objectives: Vec<Objective>,
    /// How many segments are told apart.
    pub segments: usize,
    /// What customers got; `None` before anything was measured.
    pub went_well: Option<WentWell>,
    /// Requests served.
    pub served: Served,
    /// Requests per day, or per hour when younger than 3 days; `bad` is what failed.
    pub demand: Steps,
    /// The steps before those, for comparison; empty when not measured.
    pub demand_before: Vec<Counts>,
    /// One row a service, the worst first.
    pub services: Vec<ServiceRow>,
    /// Firing pages, then the newest of the history.
    pub alerts: Vec<Alert>,
}

/// Customer requests that went well.
#[derive(Clone, Debug, PartialEq)]
pub struct WentWell {
    /// Sum over the customer-facing objectives; never a mean of percentages.
    pub counts: Counts,
    /// The promise of the same mix: targets weighted by events.
    pub promised: f64,
    /// How many objectives were summed.
    pub objectives: usize,
    /// The same per step, for the trend; `bad` is what failed.
    pub trend: Steps,
}

/// Requests served in the last 30 days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Served {
    /// In the last 30 days.
    pub total: u64,
    /// In the 30 days before; `None` when not measured all through.
    pub before: Option<u64>,
    /// The busiest hour (minute, while younger than an hour): its start, and requests a second.
    pub busiest: Option<(Timestamp, f64)>,
    /// Measured since, when that is inside the 30 days.
    pub measured_since: Option<Timestamp>,
}

/// A service and its worst objective.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceRow {
    /// Raw service name.
    pub service: Text,
    /// Its objectives, without segments.
    pub objectives: usize,
    /// How many of them page.
    pub paging: usize,
    /// The worst of them.
    pub worst: Objective,
    /// The worst one's spending, a step a day (or shorter when young), up to 90.
    pub days: Steps,
}
