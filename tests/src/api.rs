//! `GET /api/v1/slos`, as the tests read it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

/// The whole answer; `sloburn replay --format json` prints it with `alerts` beside it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Slos {
    /// Every objective of the catalog.
    pub slos: Vec<Slo>,
    /// Of a replay only: every alert that fired, in order.
    #[serde(default)]
    pub alerts: Vec<Alert>,
}

/// One objective, as of the last tick.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Slo {
    /// The objective's id.
    pub name: String,
    /// Events in the SLO's window.
    pub total: u64,
    /// Bad events in the SLO's window.
    pub bad: u64,
    /// Share of the error budget that is left, signed; none without events.
    pub budget_remaining: Option<f64>,
    /// Error ratio by look-back; none without events.
    pub windows: BTreeMap<String, Option<f64>>,
    /// Percentiles in milliseconds; none without latencies.
    pub latency: Option<Latency>,
}

/// Percentiles over the SLO's window, in milliseconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Latency {
    /// Half of the events were as fast.
    pub p50_ms: Option<f64>,
    /// 95 % of the events were as fast.
    pub p95_ms: Option<f64>,
    /// 99 % of the events were as fast.
    pub p99_ms: Option<f64>,
}

/// One alert of a replay.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Alert {
    /// The objective's id.
    pub slo: String,
    /// `page` or `ticket`.
    pub severity: String,
    /// Name of the rule.
    pub rule: String,
    /// RFC 3339, UTC.
    pub fired_at: String,
    /// RFC 3339, UTC; none while it fires.
    pub resolved_at: Option<String>,
}

impl Slos {
    /// Reads an answer.
    pub fn parse(text: &str) -> Result<Slos> {
        serde_json::from_str(text)
            .with_context(|| format!("not the answer that is promised: {text}"))
    }

    /// The objective named `name`.
    pub fn named(&self, name: &str) -> Result<&Slo> {
        self.slos
            .iter()
            .find(|slo| slo.name == name)
            .with_context(|| {
                let names: Vec<_> = self.slos.iter().map(|slo| slo.name.as_str()).collect();
                format!("no objective `{name}` among {names:?}")
            })
    }
}
