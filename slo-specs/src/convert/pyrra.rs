//! Pyrra: `ServiceLevelObjective`.

use std::time::Duration;

use super::draft::{self, Draft};
use super::query::{self, Indicator};
use super::sloth::{taken, target, told};
use super::{Output, only, promql};
use crate::field::Field;
use crate::{BurnRate, Ratio, parse_window, window_name};

type Entries = Vec<(String, String)>;
type Alert = (&'static str, &'static str, u32, u64, u64, u64);

/// Pyrra's four alerts: severity, burn rate, and hold, long and short window as parts of the SLO's window.
const ALERTS: [Alert; 4] = [
    ("fast", "page", 14, 28 * 24 * 30, 28 * 24, 28 * 24 * 12),
    ("medium", "page", 7, 28 * 24 * 4, 28 * 4, 28 * 48),
    ("slow", "ticket", 2, 28 * 24, 28, 28 * 12),
    ("long-term", "ticket", 1, 28 * 8, 7, 28 * 4),
];

/// Converts one.
pub(super) fn objective(root: &Field<'_>, output: &mut Output) {
    only(root, &["apiVersion", "kind", "metadata", "spec", "status"]);
    let metadata = root.field("metadata");
    only(&metadata, &["name", "namespace", "labels", "annotations"]);
    let name = metadata.field("name");
    let spec = root.field("spec");
    only(
        &spec,
        &[
            "target",
            "window",
            "description",
            "indicator",
            "alerting",
            "performanceOverAccuracy",
            "partial_response_strategy",
            "ruleOutput",
        ],
    );
    for of_rules in [
        "performanceOverAccuracy",
        "partial_response_strategy",
        "ruleOutput",
    ] {
        let field = spec.field(of_rules);
        if field.says() {
            field.note(
                "is not converted: it is about Prometheus' rules",
                "there are none here",
            );
        }
    }
    let (labels, mut annotations) = described(&metadata);
    let target = target(&spec.field("target"));
    let window = window(&spec.field("window"));
    let policies = alerting(&spec, window, target, output);
    let indicator = indicator(&spec.field("indicator"), &mut annotations);
    let named = name.required("give it a name");
    let (Some(indicator), Some(target), Some(window), true) = (indicator, target, window, named)
    else {
        return;
    };
    let draft = Draft {
        name: draft::name(&name, name.text().unwrap_or_default()),
        title: None,
        description: spec.field("description").owned(),
        service: service(&name, &indicator),
        labels,
        annotations,
        window: format!("{{ duration: {}, isRolling: true }}", window_name(window)),
        budgeting: ("Occurrences".to_owned(), String::new()),
        indicator,
        target: format!("target: {target}"),
        policies: Some(policies),
    };
    output.add(&name, &draft);
}

/// Labels, of which the namespace is one, and annotations.
fn described(metadata: &Field<'_>) -> (Entries, Entries) {
    let (mut labels, mut annotations) = (Vec::new(), Vec::new());
    draft::labels(&metadata.field("labels"), &mut labels, &mut annotations);
    draft::annotations(&metadata.field("annotations"), &mut annotations);
    let namespace = metadata.field("namespace");
    if let Some(text) = namespace.text() {
        draft::put(&namespace, &mut labels, "namespace", text.to_owned());
    }
    (labels, annotations)
}

/// Pyrra names no service: the one job that is selected, or else the SLO's name.
fn service(name: &Field<'_>, indicator: &Indicator) -> String {
    let (Indicator::Ratio { total: all, .. } | Indicator::Within { of: all, .. }) = indicator;
    let service = all
        .service()
        .unwrap_or_else(|| name.text().unwrap_or_default());
    if all.service().is_none() {
        let what = format!("does not tell the service; it becomes `{service}`");
        name.note(&what, "write the service's name in `spec.service`");
    }
    service.to_owned()
}

fn window(field: &Field<'_>) -> Option<Duration> {
    if !field.required("such as `window: 4w`") {
        return None;
    }
    let text = field.text().unwrap_or_default();
    let window = parse_window(text).ok();
    if window.is_none() {
        let what = format!("is `{text}`, which is not converted: it is no whole window");
        field.wrong(&what, "write a number and m, h, d or w, such as `4w`");
    }
    window
}

fn indicator(field: &Field<'_>, annotations: &mut Vec<(String, String)>) -> Option<Indicator> {
    let kinds = ["ratio", "latency", "latencyNative", "bool_gauge"];
    only(field, &kinds);
    field.exclusive(&kinds, false);
    if kinds.iter().filter(|kind| field.field(kind).says()).count() > 1 {
        return None;
    }
    let (ratio, latency) = (field.field("ratio"), field.field("latency"));
    let (native, gauge) = (field.field("latencyNative"), field.field("bool_gauge"));
    let (holder, indicator) = if ratio.says() {
        only(&ratio, &["errors", "total", "grouping"]);
        let (errors, total) = (metric(&ratio, "errors"), metric(&ratio, "total"));
        let read = query::of_selectors("bad", &errors?, &total?);
        let read = measured(&ratio.field("errors").field("metric"), read);
        (ratio, read)
    } else if latency.says() {
        only(&latency, &["success", "total", "grouping"]);
        let (success, total) = (metric(&latency, "success"), metric(&latency, "total"));
        let read = query::of_selectors("good", &success?, &total?);
        let read = measured(&latency.field("success").field("metric"), read);
        (latency, read)
    } else if native.says() {
        only(&native, &["latency", "total", "grouping"]);
        let (total, bound) = (metric(&native, "total"), seconds(&native.field("latency")));
        let read = query::native(&total?, bound?);
        let read = taken(&native.field("total").field("metric"), read);
        (native, read)
    } else if gauge.says() {
        gauge.wrong(
            "is not converted: it counts how often a level was seen, not events",
            "write an SLO over a gauge, or count the probe's spans",
        );
        return None;
    } else {
        field.wrong(
            "says nothing that can be converted",
            "such as `ratio` or `latency`",
        );
        return None;
    };
    let groups = holder.field("grouping").items();
    let groups: Vec<String> = groups
        .iter()
        .filter_map(Field::text)
        .map(|label| query::attribute(label.to_owned()))
        .collect();
    if !groups.is_empty() {
        draft::set(annotations, draft::SEGMENTS, groups.join(","));
    }
    indicator
}

fn measured(field: &Field<'_>, read: Result<Indicator, String>) -> Option<Indicator> {
    told(field, taken(field, read).map(|read| (read, Vec::new()))).map(|(read, _)| read)
}

fn metric(holder: &Field<'_>, name: &str) -> Option<promql::Selector> {
    let part = holder.field(name);
    only(&part, &["metric"]);
    let field = part.field("metric");
    if !field.required("name a metric") {
        return None;
    }
    taken(
        &field,
        promql::parse_selector(field.text().unwrap_or_default()),
    )
}

/// A duration such as `200ms`, in seconds: native histograms of Prometheus are in seconds.
fn seconds(field: &Field<'_>) -> Option<String> {
    let text = field.text().unwrap_or_default();
    let duration: Result<jiff::SignedDuration, _> = text.parse();
    match duration {
        Ok(duration) if duration.is_positive() => {
            let fraction = format!("{}.{:09}", duration.as_secs(), duration.subsec_nanos());
            let short = fraction.trim_end_matches('0').trim_end_matches('.');
            Some(short.to_owned())
        }
        _ => {
            let what = format!("is `{text}`, which is not converted: it is no time");
            field.wrong(&what, "such as `latency: 200ms`");
            None
        }
    }
}

/// A policy with Pyrra's alerts for that window, or none. Those that cannot fire at that target are left out: Pyrra has
/// them, but silent.
fn alerting(
    spec: &Field<'_>,
    window: Option<Duration>,
    target: Option<Ratio>,
    output: &mut Output,
) -> Vec<String> {
    let field = spec.field("alerting");
    only(
        &field,
        &[
            "disabled",
            "burnrates",
            "absent",
            "absentName",
            "name",
            "severities",
        ],
    );
    for name in ["absent", "absentName", "name", "severities"] {
        let part = field.field(name);
        if part.says() && !(name == "absent" && part.scalar().as_deref() == Some("false")) {
            part.note(
                "is not converted: it is about Prometheus' alerts",
                "alerts are named by their rule and routed by severity, page or ticket",
            );
        }
    }
    let off = field.field("burnrates").scalar().as_deref() == Some("false");
    let on = !off && !field.field("disabled").is_true();
    let (Some(window), Some(target), true) = (window, target, on) else {
        return Vec::new();
    };
    let can_fire = |alert: &&Alert| {
        BurnRate::new(u64::from(alert.2), 1).is_some_and(|rate| rate < BurnRate::ceiling(target))
    };
    let alerts: Vec<&Alert> = ALERTS.iter().filter(can_fire).collect();
    let silent = ALERTS.len() - alerts.len();
    let mut name = format!("pyrra-{}", window_name(window));
    if silent > 0 {
        let what = format!(
            "is so low that {silent} of Pyrra's 4 alerts can never fire; they are left out"
        );
        spec.field("target")
            .note(&what, "write rules for it in a BurnPolicy");
        name = format!("{name}-without-{silent}");
    }
    if alerts.is_empty() {
        return Vec::new();
    }
    output
        .policies
        .insert(name.clone(), policy(&name, window, &alerts));
    vec![name]
}

fn policy(name: &str, window: Duration, alerts: &[&Alert]) -> String {
    let part = |of: u64| {
        let minutes = (window.as_secs() / of).div_ceil(60).max(1);
        window_name(Duration::from_secs(minutes * 60))
    };
    let rules = alerts.iter().map(|(rule, severity, burn, hold, long, short)| {
        format!(
            "    - {{ name: {rule}, severity: {severity}, burnRate: {burn}, long: {}, short: {}, hold: {} }}\n",
            part(*long),
            part(*short),
            part(*hold)
        )
    });
    format!(
        "# Pyrra's alerts for a window of {}.\napiVersion: sloburn/v1\nkind: BurnPolicy\nmetadata: {{ name: {name} }}\nspec:\n  \
         rules:\n{}",
        window_name(window),
        rules.collect::<String>()
    )
}
