//! What a replay found, as JSON and as text. The JSON of an SLO is also what the API answers.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use slo_specs::{Correction, ErrorBudget, Evaluation, Objective, Window, allowed, window_name};

use super::allowance::{AllowanceReport, allowances};
use crate::live::{Live, Quantiles};

/// Windows that every SLO is reported over, beside its own.
const WINDOWS: [Duration; 3] = [
    Duration::from_mins(5),
    Duration::from_hours(1),
    Duration::from_hours(6),
];

/// Times of one correction that are reported.
const MOST_TIMES: usize = 20;

/// Everything a replay found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Report {
    /// By the time they fired.
    pub(crate) alerts: Vec<AlertReport>,
    /// By name.
    pub(crate) slos: Vec<SloReport>,
}

/// One alert from its firing to its resolve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct AlertReport {
    pub(crate) slo: String,
    pub(crate) severity: &'static str,
    pub(crate) rule: String,
    #[serde(serialize_with = "whole_seconds")]
    pub(crate) fired_at: Timestamp,
    #[serde(serialize_with = "whole_seconds_or_null")]
    pub(crate) resolved_at: Option<Timestamp>,
}

/// One SLO as of a tick.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SloReport {
    pub(crate) name: String,
    /// Which part of another SLO it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) segment: Option<SegmentReport>,
    /// Events within the SLO's window.
    pub(crate) total: u64,
    /// Those that count against it.
    pub(crate) bad: u64,
    /// How many of them are one event or time slice, where those are good in part.
    #[serde(skip_serializing_if = "is_one")]
    pub(crate) units: u64,
    /// The part of `bad` that could be good, as a histogram's bounds miss the threshold.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) uncertain: u64,
    /// Signed share of the budget that is left; null without events.
    pub(crate) budget_remaining: Option<f64>,
    /// The same without corrections, if any time is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) raw: Option<RawReport>,
    /// What is left out of the window.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) corrections: Vec<CorrectionReport>,
    /// What the error budget policy allows now, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allows: Option<String>,
    /// All that it says, the lowest mark first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) error_budget_policy: Vec<AllowanceReport>,
    /// Error ratio by window; null without events.
    pub(crate) windows: Windows,
    /// Of a calendar window, the period that is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) period: Option<PeriodReport>,
    /// Over the SLO's window; null without events that have a duration.
    pub(crate) latency: LatencyReport,
    /// When spans last came, within the SLO's window, that were sampled without saying by how much:
    /// each counts once, although it stands for more.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "whole_seconds_or_null"
    )]
    pub(crate) sampled_without_weight_at: Option<Timestamp>,
    /// Times within the SLO's window whose stored data was damaged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) incomplete: Vec<Incomplete>,
}

/// The counts without corrections.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RawReport {
    pub(crate) total: u64,
    pub(crate) bad: u64,
    pub(crate) budget_remaining: Option<f64>,
}

/// A correction that leaves time out of a window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CorrectionReport {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) reason: String,
    pub(crate) author: String,
    /// Its times within the window, the last ones if there are many.
    pub(crate) times: Vec<Incomplete>,
}

/// A period of the calendar: what ended after `from` counts, and at `until` the budget is whole again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PeriodReport {
    #[serde(serialize_with = "whole_seconds")]
    pub(crate) from: Timestamp,
    #[serde(serialize_with = "whole_seconds")]
    pub(crate) until: Timestamp,
    pub(crate) time_zone: String,
}

/// Which part of another SLO one is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SegmentReport {
    /// The whole.
    pub(crate) of: String,
    /// The attribute keys, joined by `+`.
    pub(crate) by: String,
    /// The values, or `rest`.
    pub(crate) value: String,
}

/// A time whose data is not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Incomplete {
    #[serde(serialize_with = "whole_seconds")]
    pub(crate) from: Timestamp,
    #[serde(serialize_with = "whole_seconds")]
    pub(crate) to: Timestamp,
}

/// Error ratios, shortest window first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Windows(pub(crate) Vec<(String, Option<f64>)>);

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the JSON")]
pub(crate) struct LatencyReport {
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

impl Serialize for Windows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, ratio)| (name, ratio)))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde calls")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde calls")]
fn is_one(count: &u64) -> bool {
    *count == 1
}

fn whole_seconds<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*at))
}

#[expect(clippy::ref_option, reason = "the form serde calls")]
fn whole_seconds_or_null<S: Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => whole_seconds(at, serializer),
        None => serializer.serialize_none(),
    }
}

/// RFC 3339 in UTC, to the second: ticks are on whole seconds.
fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// When spans of an objective's window last came that were sampled without a weight.
pub(crate) fn unweighted_at(
    objective: &Objective,
    evaluation: &Evaluation,
    live: &Live,
) -> Option<Timestamp> {
    let indicators = &live.unweighted().indicators;
    let leaves = objective.indicator.leaves();
    let ends = leaves.filter_map(|leaf| indicators.get(&leaf.fingerprint()));
    let end = *ends.max()?;
    let within = end > objective.window.from(evaluation.at.as_second());
    within.then(|| Timestamp::from_second(end).ok()).flatten()
}

/// The error ratios that are reported of an objective, as of the tick of its evaluation.
pub(crate) fn windows(objective: &Objective, evaluation: &Evaluation, live: &Live) -> Windows {
    let now = evaluation.at.as_second();
    let timeline = live.account(objective);
    let mut lengths = BTreeSet::from(WINDOWS);
    if let Window::Rolling(length) = &objective.window {
        lengths.insert(*length);
    }
    let window = |length: Duration| {
        let tally = timeline
            .map(|timeline| timeline.tally(now, length))
            .unwrap_or_default();
        (window_name(length), tally.error_ratio())
    };
    let mut windows: Vec<_> = lengths.into_iter().map(window).collect();
    if let Window::Calendar(_) = &objective.window {
        let label = objective.window.label();
        windows.push((label, evaluation.window.error_ratio()));
    }
    Windows(windows)
}

/// What would be left of the budget without corrections; none without any, or without events.
pub(crate) fn uncorrected_left(objective: &Objective, evaluation: &Evaluation) -> Option<f64> {
    let raw = ErrorBudget {
        target: objective.target,
        tally: evaluation.uncorrected?,
    };
    raw.remaining()
}

fn corrections(objective: &Objective, at: Timestamp) -> Vec<CorrectionReport> {
    let now_s = at.as_second();
    let from_s = objective.window.from(now_s);
    let instant = |second: i64| Timestamp::from_second(second).unwrap_or(at);
    let report = |correction: &Arc<Correction>| {
        let spans = correction.spans(from_s, now_s);
        let last = spans.len().saturating_sub(MOST_TIMES);
        let times = spans.into_iter().skip(last).map(|(from, to)| Incomplete {
            from: instant(from),
            to: instant(to),
        });
        CorrectionReport {
            name: correction.name.clone(),
            kind: correction.kind.name(),
            reason: correction.reason.clone(),
            author: correction.author.clone(),
            times: times.collect(),
        }
    };
    let reports = objective.corrections.iter().map(report);
    reports.filter(|report| !report.times.is_empty()).collect()
}

fn period(window: &Window, at: Timestamp) -> Option<PeriodReport> {
    let Window::Calendar(calendar) = window else {
        return None;
    };
    let period = calendar.period(at.as_second());
    Some(PeriodReport {
        from: Timestamp::from_second(period.from_s).ok()?,
        until: Timestamp::from_second(period.until_s).ok()?,
        time_zone: calendar.zone().to_owned(),
    })
}

/// An SLO as of the tick of its evaluation.
pub(crate) fn slo_report(
    objective: &Objective,
    evaluation: &Evaluation,
    windows: Windows,
    latency: Option<Quantiles>,
) -> SloReport {
    let corrections = corrections(objective, evaluation.at);
    SloReport {
        name: objective.id.clone(),
        segment: objective.segment.as_ref().map(|segment| SegmentReport {
            of: segment.of.clone(),
            by: segment.by.clone(),
            value: segment.words(),
        }),
        total: evaluation.window.total,
        bad: evaluation.window.bad,
        units: objective.budgeting.units(),
        uncertain: evaluation.window.uncertain,
        budget_remaining: evaluation.budget.remaining(),
        allows: allowed(objective, &evaluation.budget).map(|now| now.allows.clone()),
        error_budget_policy: allowances(objective, &evaluation.budget),
        raw: evaluation
            .uncorrected
            .filter(|_| !corrections.is_empty())
            .map(|raw| RawReport {
                total: raw.total,
                bad: raw.bad,
                budget_remaining: uncorrected_left(objective, evaluation),
            }),
        corrections,
        windows,
        period: period(&objective.window, evaluation.at),
        latency: LatencyReport::from(latency),
        sampled_without_weight_at: None,
        incomplete: Vec::new(),
    }
}

impl From<Option<Quantiles>> for LatencyReport {
    fn from(quantiles: Option<Quantiles>) -> LatencyReport {
        // Latencies end at an hour: 3.6·10⁹ µs.
        let milliseconds = |us: u64| f64::from(u32::try_from(us).unwrap_or(u32::MAX)) / 1e3;
        LatencyReport {
            p50_ms: quantiles.map(|quantiles| milliseconds(quantiles.p50)),
            p95_ms: quantiles.map(|quantiles| milliseconds(quantiles.p95)),
            p99_ms: quantiles.map(|quantiles| milliseconds(quantiles.p99)),
        }
    }
}

impl Report {
    /// For people: an SLO a line, then the alerts in the order they fired.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        for slo in &self.slos {
            let left = slo.budget_remaining.map_or("no data".to_owned(), |left| {
                format!("{:.1} % of budget left", left * 100.0)
            });
            let raw = slo.raw.as_ref().map_or(String::new(), |raw| {
                let left = raw.budget_remaining.map_or(String::new(), |left| {
                    format!(", {:.1} % left", left * 100.0)
                });
                let names: Vec<_> = slo
                    .corrections
                    .iter()
                    .map(|one| one.name.as_str())
                    .collect();
                let names = names.join(", ");
                format!(
                    " (without corrections {names}: {} bad of {}{left})",
                    raw.bad, raw.total
                )
            });
            let period = slo.period.as_ref().map_or(String::new(), |period| {
                format!(" since {}", rfc3339(period.from))
            });
            let p99 = slo
                .latency
                .p99_ms
                .map_or(String::new(), |p99| format!(", p99 {p99:.1} ms"));
            push(
                &mut text,
                format_args!(
                    "{}: {} bad of {}{period}, {left}{p99}{raw}",
                    slo.name, slo.bad, slo.total
                ),
            );
        }
        if self.alerts.is_empty() {
            push(&mut text, format_args!("no alert would have fired"));
        }
        for alert in &self.alerts {
            let until = alert.resolved_at.map_or("still firing".to_owned(), |at| {
                format!("resolved {}", rfc3339(at))
            });
            let fired = rfc3339(alert.fired_at);
            push(
                &mut text,
                format_args!(
                    "{fired} {} {} {}, {until}",
                    alert.severity, alert.slo, alert.rule
                ),
            );
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// Adds a line; writing to a string cannot fail.
fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    if writeln!(text, "{line}").is_err() {
        text.push('\n');
    }
}
