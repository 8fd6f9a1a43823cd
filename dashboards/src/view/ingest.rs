//! What was received and where it went; whose clocks are off.

use jiff::Timestamp;

use super::common::Counts;
use crate::Text;

/// Everything received since the store was made, of all services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingest {
    /// Spans, metric points, log records.
    pub signals: Vec<Signal>,
    /// When spans of this service last came that were sampled without saying by how much.
    pub unweighted: Option<Timestamp>,
    /// Senders of this service, those furthest ahead first.
    pub senders: Vec<Sender>,
    /// Senders that are not told apart any more, of all services.
    pub other_senders: Option<Sender>,
}

/// Where the items of a signal went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// What the items are called: `spans`.
    pub name: &'static str,
    /// All of them.
    pub received: Counts,
    /// Name and counts of each class; they sum to `received`.
    pub classes: Vec<(&'static str, Counts)>,
    /// What is said of items beside their class.
    pub notes: Vec<(&'static str, Counts)>,
}

/// A resource that sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Its instance id or host name; empty when it has neither.
    pub instance: Text,
    /// The least time from a span's end to its arrival over five minutes, in milliseconds; below 0
    /// its clock is ahead. `None` without spans in that time.
    pub skew_ms: Option<i64>,
    /// Spans it sent.
    pub spans: u64,
    /// Those that were ahead and taken as now.
    pub clamped: u64,
    /// Those that were rejected as future.
    pub future: u64,
}
