//! What the server asks to be measured: plain values, free of specs.

use std::time::Duration;

use crate::counted::FingerprintKey;

/// What to measure besides counts: by which attributes to split, and at which thresholds to count
/// exactly.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measure {
    /// Attribute keys by which series are split; sorted and unique. `service.name` needs no
    /// mention: it is always part.
    pub dimensions: Vec<String>,
    /// Thresholds at which values are counted exactly at record time; any order, duplicates are
    /// harmless.
    pub thresholds: Vec<Threshold>,
    /// Metrics that are to be read in another way as well, each way of each metric once.
    pub readings: Vec<(String, Reading)>,
    /// Whether spans without a parent are told from others.
    pub roots: bool,
    /// How much of a request is looked at.
    pub limits: Limits,
    /// Set to tell counted spans apart, so that each can be counted once whatever requests it comes
    /// in; costs time and memory for each span.
    pub fingerprints: Option<FingerprintKey>,
}

/// A bound below which (or up to which) values are counted exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// Whose values.
    pub subject: Subject,
    /// Milliseconds for spans; the metric's own unit for metrics. A bound that is not a number is
    /// ignored.
    pub bound: f64,
    /// `true`: a value equal to the bound counts (`value <= bound`).
    pub inclusive: bool,
}

/// Another way to read the number points of a metric: it makes series of its own, beside those of
/// the points as they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reading {
    /// How much the running total of a sum or a gauge grew: 1 value of 0 for every stream and slice
    /// that was looked at, and a value of 1 for every unit it grew by.
    Growth,
    /// How long ago the Unix time was that a gauge holds, in seconds.
    Age,
    /// The ratio that a gauge holds, from 0 to 1: of every point's [`SHARE_UNITS`] values as many
    /// are 1 as its ratio says, and the rest are 0.
    Share,
    /// How many events a gauge says there were since its last point.
    Amount,
}

/// Into how many values a point is divided that holds a ratio: it counts to a millionth.
pub const SHARE_UNITS: u64 = 1_000_000;

/// Whose values a threshold is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Durations of spans.
    Spans,
    /// Values of the metric with this name.
    Metric(String),
    /// The [ages](Reading::Age) that the metric with this name tells.
    Age(String),
}

/// Limits of one request and of what is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Events older than this are rejected as late; default 2 h.
    pub max_late: Duration,
    /// Events further ahead than this are rejected as future; nearer ones are taken as now. Default
    /// 60 s.
    pub max_future: Duration,
    /// Spans, points or records in one request, and likewise resources and scopes; default 100 000.
    pub max_items: usize,
    /// Attributes of one span, point, scope or resource that are looked at; default 256.
    pub max_attributes: usize,
    /// Bytes kept of one name or attribute value; default 256.
    pub max_value_bytes: usize,
    /// Series beyond which events go to overflow series; default 20 000.
    pub max_series: usize,
    /// Services beyond which a new one's events go to the overflow series of all; default 1 000.
    pub max_services: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_late: Duration::from_hours(2),
            max_future: Duration::from_mins(1),
            max_items: 100_000,
            max_attributes: 256,
            max_value_bytes: 256,
            max_series: 20_000,
            max_services: 1_000,
        }
    }
}
