//! What each kind must be: SLOs, SLIs, services and data sources.

use jiff::civil::DateTime;
use jiff::tz::TimeZoneDatabase;

use super::alerting;
use crate::field::Field;
use crate::load::yaml::Value;

const DESCRIPTION: usize = 1050;
const DISPLAY_NAME: usize = 63;
pub(super) const OPERATORS: &[&str] = &["gt", "lt", "gte", "lte"];
const METHODS: &[&str] = &["Occurrences", "Timeslices", "RatioTimeslices"];

/// The rules of one document.
pub(super) fn document(root: &Field<'_>) {
    metadata(root);
    let spec = root.field("spec");
    let kind = root.field("kind");
    if !kind.required("such as `kind: SLO`") {
        return;
    }
    match kind.text().unwrap_or_default() {
        "SLO" => slo(&spec),
        "SLI" => sli(&spec),
        "Service" => description(&spec),
        "DataSource" => data_source(&spec),
        "AlertPolicy" => alerting::policy(&spec),
        "AlertCondition" => alerting::condition(&spec),
        "AlertNotificationTarget" => alerting::target(&spec),
        other => kind.wrong(
            &format!("is `{other}`, which is no kind of OpenSLO v1"),
            "it is one of SLO, SLI, Service, DataSource, AlertPolicy, AlertCondition, AlertNotificationTarget",
        ),
    }
}

/// Name, display name, labels and annotations of an object, which it must have.
pub(super) fn metadata(object: &Field<'_>) {
    let metadata = object.field("metadata");
    if !metadata.required("write `metadata: { name: … }`") {
        return;
    }
    let name = metadata.field("name");
    if name.required("give it a name, such as `name: checkout`") {
        name.label();
    }
    metadata.field("displayName").short_text(DISPLAY_NAME);
    for (key, place) in metadata.field("labels").keys() {
        if !is_key(&key) {
            place.wrong("is not a label's key", KEY_HELP);
        }
    }
    for (key, place) in metadata.field("annotations").keys() {
        let (domain, name) = key.rsplit_once('/').unwrap_or(("", &key));
        let domain_fits = !key.contains('/') || domain.split('.').all(crate::field::is_label);
        if !is_key(name) || !domain_fits {
            place.wrong("is not an annotation's key", KEY_HELP);
        }
    }
}

const KEY_HELP: &str = "use at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends; an \
                        annotation's may follow a domain and `/`";

fn is_key(key: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    key.len() <= 63
        && key.chars().all(inner)
        && outer(key.chars().next())
        && outer(key.chars().next_back())
}

pub(super) fn description(spec: &Field<'_>) {
    spec.field("description").short_text(DESCRIPTION);
}

fn data_source(spec: &Field<'_>) {
    description(spec);
    spec.field("type").required("such as `type: otlp`");
    let details = spec.field("connectionDetails");
    if !details.named() {
        details.wrong(
            "is required",
            "write `connectionDetails: {}` if there are none",
        );
    }
}

fn slo(spec: &Field<'_>) {
    description(spec);
    spec.field("service")
        .required("name the service it belongs to");
    let method = spec.field("budgetingMethod");
    if method.required("write `budgetingMethod: Occurrences`") {
        method.word(METHODS);
    }
    time_window(spec);
    let objectives = spec.field("objectives").items();
    let composite = objectives.iter().any(has_indicator);
    if composite == has_indicator(spec) {
        let what = if composite {
            "has an indicator of its own besides those of its objectives"
        } else {
            "has no indicator, nor have its objectives"
        };
        spec.wrong(
            what,
            "give it `indicator` or `indicatorRef`, or each objective one",
        );
    }
    indicator(spec);
    for objective in &objectives {
        self::objective(objective, spec, method.text().unwrap_or_default());
        if composite {
            composite_part(objective);
        }
    }
    for policy in spec.field("alertPolicies").items() {
        alerting::attached(&policy);
    }
}

fn has_indicator(holder: &Field<'_>) -> bool {
    holder.field("indicator").says() || holder.field("indicatorRef").says()
}

fn indicator(holder: &Field<'_>) {
    holder.exclusive(&["indicator", "indicatorRef"], false);
    let inline = holder.field("indicator");
    if inline.says() {
        metadata(&inline);
        sli(&inline.field("spec"));
    }
    let reference = holder.field("indicatorRef");
    if reference.says() {
        reference.label();
    }
}

fn time_window(spec: &Field<'_>) {
    let windows = spec.field("timeWindow");
    let items = windows.items();
    if items.len() != 1 {
        let help = "write `timeWindow: [{ duration: 30d, isRolling: true }]`";
        windows.wrong(
            &format!("has {} items; it must have exactly one", items.len()),
            help,
        );
    }
    for window in items {
        let rolling = window.field("isRolling");
        rolling.boolean();
        let calendar = window.field("calendar");
        match (rolling.value() == Some(&Value::Bool(true)), calendar.says()) {
            (true, true) => calendar.forbidden("excludes `isRolling: true`", "keep one of them"),
            (false, false) => window.wrong(
                "neither rolls nor has a `calendar`",
                "write `isRolling: true`, or add a `calendar`",
            ),
            (true, false) | (false, true) => {}
        }
        let duration = window.field("duration");
        if duration.required("such as `duration: 30d`") {
            duration.duration();
        }
        if calendar.says() {
            calendar_of(&calendar);
        }
    }
}

fn calendar_of(calendar: &Field<'_>) {
    let start = calendar.field("startTime");
    let parsed = |text: &str| DateTime::strptime("%Y-%m-%d %H:%M:%S", text).is_ok();
    if !start.text().is_some_and(parsed) {
        let help = "write `startTime: 2026-01-01 00:00:00`, without a zone";
        start.wrong("is no date with a time", help);
    }
    let zone = calendar.field("timeZone");
    let known = |text: &str| TimeZoneDatabase::bundled().get(text).is_ok();
    if !zone.text().is_some_and(known) {
        zone.wrong(
            "is no time zone of IANA",
            "such as `timeZone: Europe/Berlin`",
        );
    }
}

fn objective(objective: &Field<'_>, spec: &Field<'_>, method: &str) {
    objective.exclusive(&["target", "targetPercent"], true);
    objective
        .field("target")
        .number("from 0 to below 1", |value| (0.0..1.0).contains(&value));
    objective
        .field("targetPercent")
        .number("from 0 to below 100", |value| (0.0..100.0).contains(&value));
    bound(objective, &spec.field("indicator").field("spec"));
    let (target, window) = (
        objective.field("timeSliceTarget"),
        objective.field("timeSliceWindow"),
    );
    if method == "Timeslices" {
        target.required("say which share of a slice must be good, such as `timeSliceTarget: 0.95`");
        target.number("above 0 and at most 1", |value| value > 0.0 && value <= 1.0);
    }
    if matches!(method, "Timeslices" | "RatioTimeslices") {
        window.required("say how long a slice is, such as `timeSliceWindow: 1m`");
        window.duration();
    }
}

/// `op` and `value`: of a ratio that is written here neither, of a threshold both.
fn bound(objective: &Field<'_>, sli: &Field<'_>) {
    let (op, value) = (objective.field("op"), objective.field("value"));
    if sli.field("ratioMetric").says() {
        for field in [op, value] {
            if field.says() {
                let help =
                    "remove it: a ratio's good and bad events are told apart by its indicator";
                field.forbidden("is forbidden with an inlined ratioMetric", help);
            }
        }
    } else if sli.field("thresholdMetric").says() {
        if op.required("write `op: lte`: values up to `value` are good") {
            op.word(OPERATORS);
        }
        value.required("write the bound, such as `value: 250`");
        value.number("finite", f64::is_finite);
    }
}

fn composite_part(objective: &Field<'_>) {
    if !has_indicator(objective) {
        objective.wrong(
            "has no indicator, but another objective has",
            "give each one, or none",
        );
    }
    indicator(objective);
    objective
        .field("compositeWeight")
        .number("above 0", |value| value > 0.0);
}

fn sli(spec: &Field<'_>) {
    description(spec);
    spec.exclusive(&["thresholdMetric", "ratioMetric"], true);
    metric(&spec.field("thresholdMetric"));
    let ratio = spec.field("ratioMetric");
    if !ratio.says() {
        return;
    }
    ratio.field("counter").boolean();
    ratio.exclusive(&["total", "raw"], true);
    let raw = ratio.field("raw");
    if raw.says() {
        ratio.exclusive(&["raw", "good", "bad"], false);
        let kind = ratio.field("rawType");
        if kind.required("write `rawType: success` for good ÷ total, or `failure`") {
            kind.word(&["success", "failure"]);
        }
    } else {
        ratio.exclusive(&["good", "bad"], ratio.field("total").says());
    }
    for name in ["total", "good", "bad", "raw"] {
        metric(&ratio.field(name));
    }
}

fn metric(metric: &Field<'_>) {
    if !metric.says() {
        return;
    }
    let source = metric.field("metricSource");
    let reference = source.field("metricSourceRef");
    if reference.says() {
        reference.label();
    }
    let spec = source.field("spec");
    if spec.required("say what is measured") && spec.keys().is_empty() {
        spec.wrong("has no field", "say what is measured");
    }
}
