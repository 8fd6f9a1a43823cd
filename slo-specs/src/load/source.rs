//! `metricSource` of type `otlp` → selector.

use super::library::Library;
use super::matching;
use super::meta::Meta;
use super::report::{Fields, Known, Report, closest};
use super::yaml::{Node, Position};
use crate::{Ratio, ReadAs, Selector, Signal, SliceTarget};

const HOLDER: Known = Known {
    fields: &["metricSource"],
};
const METRIC_SOURCE: Known = Known {
    fields: &["metricSourceRef", "type", "spec"],
};
const OTLP: Known = Known {
    fields: &[
        "signal", "match", "spanKind", "spanName", "status", "root", "value", "quantile", "metric",
    ],
};
const SPAN_KINDS: &[&str] = &["server", "client", "producer", "consumer", "internal"];
const STATUSES: &[&str] = &["error", "ok", "unset"];
/// What OTLP's metric source is called.
const OTLP_TYPE: &str = "otlp";

/// What a source is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Its events are counted: a part of a ratio.
    Count,
    /// Its events' values are held against a bound.
    Value,
    /// Its points hold a ratio.
    Raw,
}

/// What a source selects.
#[derive(Clone, Debug)]
pub(super) struct Sourced {
    pub(super) selector: Selector,
    /// The share of a time slice's values that must hold.
    pub(super) quantile: Option<SliceTarget>,
}

/// Reads `{ metricSource: … }`.
pub(super) fn sourced(
    report: Report<'_>,
    node: &Node,
    what: &str,
    role: Role,
    library: &Library,
) -> Option<Sourced> {
    let holder = Fields::of(report, node, what, HOLDER)?;
    let help = "write `metricSource: { type: otlp, spec: { … } }`";
    let node = holder.require("metricSource", help)?;
    let what = format!("metricSource of {what}");
    let fields = Fields::of(report, node, &what, METRIC_SOURCE)?;
    if !is_otlp(&fields, library)? {
        return None;
    }
    let spec = fields.require("spec", "say which events: `signal`, `match` and so on")?;
    otlp(report, spec, role)
}

/// Whether the source is OTLP; other types are told of. `None` when that cannot be known.
fn is_otlp(fields: &Fields<'_>, library: &Library) -> Option<bool> {
    let report = fields.report;
    let referred = match fields.get("metricSourceRef") {
        None => None,
        Some(node) => {
            let name = report.text(node, "metricSourceRef")?;
            Some(library.data_sources.find(report, node.at, &name)?.clone())
        }
    };
    let named = match fields.get("type") {
        None => None,
        Some(node) => Some((report.text(node, "type")?, node.at)),
    };
    match (named, referred) {
        (None, None) => {
            fields.require("type", "the only type so far is `otlp`")?;
            None
        }
        (Some((kind, at)), Some(referred)) if kind != referred => {
            let message = format!("type is `{kind}`, but its DataSource has type `{referred}`");
            report.error(at, message);
            None
        }
        (Some((kind, at)), None) if kind != OTLP_TYPE => {
            unknown_type(report, at, &kind);
            Some(false)
        }
        // Another type of a DataSource has been told of where it is declared.
        (_, Some(kind)) | (Some((kind, _)), None) => Some(kind == OTLP_TYPE),
    }
}

/// Tells that only OTLP is measured. Another type is good OpenSLO, so it is no error; what must be a slip of the pen is.
pub(super) fn unknown_type(report: Report<'_>, at: Position, kind: &str) {
    if closest(kind, &[OTLP_TYPE]).is_some() {
        let help = "write `otlp`, in lower case";
        report.error_with(at, format!("metric source type `{kind}` is unknown"), help);
        return;
    }
    let message = format!(
        "metric source type `{kind}` is not measured here; what is built on it is kept out"
    );
    let help = "use `type: otlp` with the service's OpenTelemetry spans or metrics; \
                `sloburn convert` turns PromQL into such sources";
    report.warn(at, message, help);
}

fn otlp(report: Report<'_>, node: &Node, role: Role) -> Option<Sourced> {
    let fields = Fields::of(report, node, "spec of the otlp source", OTLP)?;
    let signal = fields.require("signal", "it is one of traces, metrics")?;
    let signal = match report
        .word(signal, "signal", &["traces", "metrics"])?
        .as_str()
    {
        "traces" => Signal::Traces,
        _ => Signal::Metrics,
    };
    check_applicable(&fields, signal, role);
    let word = |name: &str, words: &[&'static str]| {
        fields
            .get(name)
            .and_then(|node| report.word(node, name, words))
    };
    let read_as = read_as(&fields, signal, role);
    let selector = Selector {
        signal,
        root: is_root(&fields),
        read_as,
        span_kind: word("spanKind", SPAN_KINDS),
        span_name: fields
            .get("spanName")
            .map(|node| matching::tests(report, node, "spanName"))
            .unwrap_or_default(),
        status: word("status", STATUSES),
        metric: fields.text("metric"),
        matchers: fields
            .get("match")
            .map(|node| matching::matchers(report, node))
            .unwrap_or_default(),
    };
    let selects_all = !selector.root
        && selector.span_kind.is_none()
        && selector.span_name.is_empty()
        && selector.status.is_none()
        && selector.matchers.is_empty();
    if signal == Signal::Traces && selects_all && fields.get("match").is_none() {
        let help = "add a `match`, such as `match: { service.name: checkout }`";
        report.error_with(
            fields.at,
            "the otlp source selects every span there is",
            help,
        );
    }
    let quantile = quantile(&fields, role, read_as);
    Some(Sourced { selector, quantile })
}

fn is_root(fields: &Fields<'_>) -> bool {
    let Some(node) = fields.get("root") else {
        return false;
    };
    let root = fields.report.bool(node, "root");
    if root == Some(false) {
        let help = "leave it out to select spans with and without a parent";
        let message = "`root` is false; it can only be true";
        fields.report.error_with(node.at, message, help);
    }
    root == Some(true)
}

/// Reads `value`: what of an event is held against the bound.
fn read_as(fields: &Fields<'_>, signal: Signal, role: Role) -> ReadAs {
    let report = fields.report;
    match (signal, role) {
        (Signal::Traces, Role::Value) => {
            if let Some(node) = fields.require("value", "write `value: duration_ms`") {
                report.word(node, "value", &["duration_ms"]);
            }
            ReadAs::AsSent
        }
        (Signal::Metrics, Role::Value) => {
            let node = fields.get("value");
            let word = node.and_then(|node| report.word(node, "value", &["increase", "age_s"]));
            match word.as_deref() {
                Some("increase") => ReadAs::Growth,
                Some(_) => ReadAs::Age,
                None => ReadAs::AsSent,
            }
        }
        (_, Role::Count | Role::Raw) => {
            if fields.get("value").is_some() {
                let message = "`value` belongs to a `thresholdMetric`";
                report.error(fields.place("value"), message);
            }
            match role {
                Role::Raw => ReadAs::Share,
                Role::Count | Role::Value => ReadAs::AsSent,
            }
        }
    }
}

/// Reads `quantile`: of a time slice's values that share must hold against the bound, by nearest
/// rank exactly what is said of the quantile itself.
fn quantile(fields: &Fields<'_>, role: Role, read_as: ReadAs) -> Option<SliceTarget> {
    let report = fields.report;
    let node = fields.get("quantile")?;
    if role != Role::Value {
        let message = "`quantile` belongs to a `thresholdMetric`";
        report.error(fields.place("quantile"), message);
        return None;
    }
    if read_as == ReadAs::Growth {
        let message = "an increase has no `quantile`";
        let help = "remove it: the increase of a time slice is one number";
        report.error_with(fields.place("quantile"), message, help);
        return None;
    }
    let text = report.text(node, "quantile")?;
    let within: Result<Ratio, _> = text.parse();
    let Some(quantile) = within.ok().and_then(|_| text.parse().ok()) else {
        let message = format!("`quantile` is {text}; it must be a decimal between 0 and 1");
        report.error_with(node.at, message, "p99 is `quantile: 0.99`");
        return None;
    };
    Some(quantile)
}

/// Fields that the signal or the role does not have, or needs.
fn check_applicable(fields: &Fields<'_>, signal: Signal, role: Role) {
    let (foreign, other): (&[&str], _) = match signal {
        Signal::Traces => (&["metric"], "metrics"),
        Signal::Metrics => (&["spanKind", "spanName", "status", "root"], "traces"),
    };
    for name in foreign {
        if fields.get(name).is_some() {
            let message = format!("`{name}` belongs to `signal: {other}`");
            fields.report.error(fields.place(name), message);
        }
    }
    if signal == Signal::Metrics {
        fields.require(
            "metric",
            "name the metric, such as `metric: http.server.request.duration`",
        );
    }
    if signal == Signal::Traces && role == Role::Raw {
        let message = "spans hold no ratio";
        let help = "`raw` is for a gauge: `signal: metrics, metric: …`; of spans write good (or bad) and total";
        fields
            .report
            .error_with(fields.place("signal"), message, help);
    }
}

/// Reads a `DataSource`: its type. OTLP is sent to us, so there is nothing to connect to.
pub(super) fn data_source(report: Report<'_>, meta: &Meta, spec: &Node) -> Option<String> {
    const SPEC: Known = Known {
        fields: &["description", "type", "connectionDetails"],
    };
    let what = format!("data source `{}`", meta.name);
    let fields = Fields::of(report, spec, &what, SPEC)?;
    fields.text("description");
    let node = fields.require("type", "the only type so far is `otlp`")?;
    let kind = report.text(node, "type")?;
    if kind != "otlp" {
        unknown_type(report, node.at, &kind);
        return Some(kind);
    }
    if let Some(details) = fields.get("connectionDetails")
        && !matches!(&details.value, super::yaml::Value::Map(entries) if entries.is_empty())
    {
        let message = "an otlp data source has no `connectionDetails`";
        let help = "remove them: telemetry is sent here, nothing is connected to";
        report.error_with(fields.place("connectionDetails"), message, help);
    }
    Some(kind)
}
