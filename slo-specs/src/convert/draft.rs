//! An SLO about to be written as OpenSLO v1.

use std::fmt::Write as _;

use super::query::Indicator;
use crate::field::{Field, is_label};

/// Said once a file.
pub(super) const NAMES: &str = "\
# Metric and label names are those that Prometheus has; `job` is `service.name` and `instance` is `service.instance.id`, as the
# OpenTelemetry Collector's prometheus receiver sends them. A service that sends OTLP itself has other names (no `_total`, a
# unit of its own, dots): put those in, or better count its spans.
";
/// The annotation that has a runbook's address.
const RUNBOOK: &str = "sloburn.dev/runbook";
/// The annotation that names what events are told apart by.
pub(super) const SEGMENTS: &str = "sloburn.dev/segments";
/// Longest name that other tools of OpenSLO take.
const NAME: usize = 63;

/// Everything an SLO says.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) service: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) annotations: Vec<(String, String)>,
    /// An item of `timeWindow`.
    pub(super) window: String,
    /// `budgetingMethod`, and of slices what the objective says more.
    pub(super) budgeting: (String, String),
    pub(super) indicator: Indicator,
    /// `target: …`
    pub(super) target: String,
    /// Nothing for the default policy.
    pub(super) policies: Option<Vec<String>>,
}

impl Draft {
    /// The document.
    pub(super) fn yaml(&self) -> String {
        let mut text = format!(
            "apiVersion: openslo/v1\nkind: SLO\nmetadata:\n  name: {}\n",
            quoted(&self.name)
        );
        let mut line = |indent: usize, line: &str| {
            writeln!(text, "{:indent$}{line}", "").unwrap_or_default();
        };
        if let Some(title) = &self.title {
            line(2, &format!("displayName: {}", quoted(title)));
        }
        for (name, entries) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            if !entries.is_empty() {
                line(2, &format!("{name}:"));
            }
            for (key, value) in entries {
                line(4, &format!("{}: {}", quoted(key), quoted(value)));
            }
        }
        line(0, "spec:");
        if let Some(description) = &self.description {
            line(2, &format!("description: {}", quoted(description)));
        }
        line(2, &format!("service: {}", quoted(&self.service)));
        line(2, &format!("timeWindow: [{}]", self.window));
        line(2, &format!("budgetingMethod: {}", self.budgeting.0));
        line(2, "indicator:");
        let indicator = slug(&format!("{}-sli", self.name));
        line(4, &format!("metadata: {{ name: {} }}", quoted(&indicator)));
        line(4, "spec:");
        line(0, &self.measured());
        if let Some(policies) = &self.policies {
            let references = policies
                .iter()
                .map(|name| format!("{{ alertPolicyRef: {} }}", quoted(name)));
            let list = references.collect::<Vec<_>>().join(", ");
            line(2, &format!("alertPolicies: [{list}]"));
        }
        text
    }

    /// The SLI and the objective.
    fn measured(&self) -> String {
        let (target, slices) = (&self.target, &self.budgeting.1);
        match &self.indicator {
            Indicator::Ratio {
                part,
                events,
                total,
            } => format!(
                "      ratioMetric:\n        counter: true\n        {part}:\n          metricSource: {}\n        \
                 total:\n          metricSource: {}\n  objectives: [{{ {target}{slices} }}]",
                events.yaml(),
                total.yaml()
            ),
            Indicator::Within { of, bound } => format!(
                "      thresholdMetric:\n        metricSource: {}\n  objectives: [{{ op: lte, value: {bound}, \
                 {target}{slices} }}]",
                of.yaml()
            ),
        }
    }
}

/// A text that YAML reads as this text: plain where it can be.
///
/// ```
/// assert_eq!(slo_specs::yaml_text("checkout"), "checkout");
/// assert_eq!(slo_specs::yaml_text("99.9 \"nines\""), r#""99.9 \"nines\"""#);
/// ```
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let special = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if word && text.chars().all(plain) && !special.contains(&text.to_lowercase().as_str()) {
        return text.to_owned();
    }
    format!("\"{}\"", escaped(text))
}

/// Escaped for double quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => write!(out, "\\x{:02x}", u32::from(c)).unwrap_or_default(),
            c => out.push(c),
        }
    }
    out
}

/// A name that everybody takes; told of if it is not the one written.
pub(super) fn name(field: &Field<'_>, wanted: &str) -> String {
    let slug = slug(wanted);
    if slug != wanted {
        field.note(
            &format!("becomes `{slug}`"),
            "names are lower-case letters, digits and `-`, at most 63",
        );
    }
    slug
}

/// A name that other tools of OpenSLO take (an RFC 1123 label), as like the text as can be.
///
/// ```
/// assert_eq!(slo_specs::label("Checkout_API"), "checkout-api");
/// ```
pub fn slug(text: &str) -> String {
    if is_label(text) {
        return text.to_owned();
    }
    let words = text.to_lowercase();
    let words: Vec<&str> = words
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let joined: String = words.join("-").chars().take(NAME).collect();
    let joined = joined.trim_end_matches('-');
    if joined.is_empty() {
        "unnamed".to_owned()
    } else {
        joined.to_owned()
    }
}

/// Labels and annotations of a map of texts. A label whose key has a domain is an annotation in OpenSLO.
pub(super) fn labels(
    field: &Field<'_>,
    draft_labels: &mut Vec<(String, String)>,
    annotations: &mut Vec<(String, String)>,
) {
    for (key, _) in field.keys() {
        let value = field.field(&key);
        let Some(text) = value.scalar() else {
            value.wrong(
                "is not converted: it is not a plain value",
                "write it by hand",
            );
            continue;
        };
        let into = if key.contains('/') {
            &mut *annotations
        } else {
            &mut *draft_labels
        };
        set(into, &key, text);
    }
}

/// The address of a runbook among annotations; others are kept as they are.
pub(super) fn annotations(field: &Field<'_>, into: &mut Vec<(String, String)>) {
    for (key, _) in field.keys() {
        let value = field.field(&key);
        let Some(text) = value.scalar() else {
            value.wrong(
                "is not converted: it is not a plain value",
                "write it by hand",
            );
            continue;
        };
        let is_runbook = key
            .rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with("runbook"));
        let address = text.starts_with("https://") || text.starts_with("http://");
        let first = !into.iter().any(|(known, _)| known == RUNBOOK);
        let key = if is_runbook && address && first {
            RUNBOOK
        } else {
            &key
        };
        put(&value, into, key, text);
    }
}

/// Sets an entry, and tells of another value that it takes the place of.
pub(super) fn put(
    field: &Field<'_>,
    entries: &mut Vec<(String, String)>,
    key: &str,
    value: String,
) {
    let other = entries.iter().find(|(known, _)| known == key);
    if let Some((_, other)) = other.filter(|(_, other)| *other != value) {
        let what = format!("takes the place of another `{key}`, which is `{other}`");
        field.note(&what, "name one of them otherwise");
    }
    set(entries, key, value);
}

/// Sets an entry, of which there is one by a key.
pub(super) fn set(entries: &mut Vec<(String, String)>, key: &str, value: String) {
    entries.retain(|(known, _)| known != key);
    entries.push((key.to_owned(), value));
}
