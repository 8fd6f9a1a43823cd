//! One service, looked into.

use jiff::Timestamp;
use slo_specs::Noun;
use std::time::Duration;

use super::common::{Counts, Range, Status, Steps};
use super::ingest::Ingest;
use super::objective::Objective;
use super::shell::Shell;
use crate::Text;

/// `/debug/{service}`
#[derive(Clone, Debug, PartialEq)]
pub struct DebugView {
    /// The frame.
    pub shell: Shell,
    /// The service's raw name.
    pub service: String,
    /// All services, for the switch; the raw name.
    pub services: Vec<String>,
    /// The time looked at.
    pub range: Range,
    /// Why the stored slices could not be read, with a reference: then nothing below is known.
    pub trouble: Option<Text>,
    /// `focus` of the address.
    pub focus: Option<String>,
    /// Requests of this service (server and consumer spans) per step, bad = failed.
    pub requests: Steps,
    /// How long they take.
    pub latency: Option<LatencyGrid>,
    /// Endpoints that fail, most failures first.
    pub endpoints: Vec<Endpoint>,
    /// The service's objectives, most urgent first.
    pub objectives: Vec<Objective>,
    /// Failed ones first, then slow ones, then those that metric points name; a few of each.
    /// `None` when they could not be read.
    pub traces: Option<Vec<Trace>>,
    /// Where everything received went, and this service's clocks.
    pub ingest: Ingest,
    /// The other services on the same scale, at most 8, worst first.
    pub neighbours: Vec<ServiceLatency>,
}

/// Latencies over contiguous steps.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyGrid {
    /// Start of the first step.
    pub from: Timestamp,
    /// Length of a step.
    pub step: Duration,
    /// One column a step.
    pub columns: Vec<LatencyColumn>,
    /// What takes so long.
    pub counted: Noun,
    /// What an objective allows, if one does.
    pub threshold: Option<Threshold>,
}

/// The merged histogram of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyColumn {
    /// Values in µs with their counts, ascending.
    pub values: Vec<(u64, u64)>,
    /// Quantile 0.5 in µs; `None` without events.
    pub p50_us: Option<u64>,
    /// Quantile 0.99 in µs.
    pub p99_us: Option<u64>,
}

/// The latency an objective allows.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// Bound in µs; values above it count against the objective.
    pub bound_us: u64,
    /// How many values were above it, counted exactly where a spec declares the bound, and of how many.
    pub slow: (u64, u64),
    /// The objective's id.
    pub objective: String,
    /// What a slow value is to the objective's budget.
    pub verdict: SlowVerdict,
}

/// What a value above the bound is to the budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SlowVerdict {
    /// It counts against it.
    Bad,
    /// A time slice is bad when less than this share of its values is within the bound.
    BadSlice(f64),
    /// A time slice is bad by the share of such values.
    SliceInPart,
}

/// An endpoint (a server span's name) and its failures.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Span name, such as `POST /v2/checkout`.
    pub name: Text,
    /// Raw service name.
    pub service: String,
    /// Over the range shown.
    pub counts: Counts,
    /// Over as long a time a day before; `None` when nothing was measured then.
    pub before: Option<Counts>,
    /// Per step over the range, for the sparkline.
    pub recent: Steps,
}

/// A trace worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Why it is worth it.
    pub why: TraceWhy,
    /// How long the request took, in µs; `None` where a metric point names the trace.
    pub took_us: Option<u64>,
    /// End of the 10-second slice it is from.
    pub at: Timestamp,
}

/// Why a trace is worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceWhy {
    /// A request that failed.
    Failed,
    /// One that did not fail and took long.
    Slow,
    /// A metric point names it.
    Point,
}

/// A small heatmap of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceLatency {
    /// Raw service name.
    pub service: String,
    /// Its worst objective's status; `None` without objectives.
    pub status: Option<Status>,
    /// The distribution.
    pub latency: LatencyGrid,
    /// Quantile 0.99 over the whole range, in µs.
    pub p99_us: Option<u64>,
}
