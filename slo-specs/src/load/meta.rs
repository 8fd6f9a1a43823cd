//! `metadata`: names, labels, and the annotations that say what OpenSLO cannot.

use std::collections::BTreeMap;

use super::condition;
use super::report::{Fields, Known, Report, closest};
use super::yaml::{Node, Position, Value};
use crate::Ratio;
use crate::field::is_label;
use crate::segment::MOST;
use crate::{SegmentAlerts, Segmentation};

/// Annotations of ours begin with this; the others are somebody else's.
const PREFIX: &str = "sloburn.dev/";
/// Stands for a name that is missing; no name can have these characters.
pub(super) const UNNAMED: &str = "(unnamed)";
/// Longest name.
const MAX_NAME: usize = 100;

const METADATA: Known = Known {
    fields: &["name", "displayName", "labels", "annotations"],
};

/// `metadata` of one object.
#[derive(Clone, Debug)]
pub(super) struct Meta {
    pub(super) name: String,
    pub(super) at: Position,
    pub(super) title: Option<String>,
    pub(super) labels: BTreeMap<String, Vec<String>>,
    /// Ours only, without the prefix.
    annotations: BTreeMap<String, (String, Position)>,
}

impl Meta {
    /// Reads `metadata`; `allowed` are the annotations of ours that this kind has.
    pub(super) fn read(report: Report<'_>, node: &Node, allowed: &[&str]) -> Option<Self> {
        let fields = Fields::of(report, node, "metadata", METADATA)?;
        let help = "give it a name, such as `name: checkout`";
        let name = fields.require("name", help);
        let at = name.map_or(fields.at, |node| node.at);
        let name = name.and_then(|node| checked_name(report, node));
        Some(Self {
            name: name.unwrap_or_else(|| UNNAMED.to_owned()),
            at,
            title: fields.text("displayName"),
            labels: fields
                .get("labels")
                .map(|node| labels(report, node))
                .unwrap_or_default(),
            annotations: fields
                .get("annotations")
                .map(|node| annotations(report, node, allowed))
                .unwrap_or_default(),
        })
    }

    /// What stands in for metadata that is missing, so that the rest is checked all the same.
    pub(super) fn unnamed(at: Position) -> Self {
        Self {
            name: UNNAMED.to_owned(),
            at,
            title: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }

    /// Text and place of an annotation of ours.
    pub(super) fn annotation(&self, name: &str) -> Option<(&str, Position)> {
        self.annotations
            .get(name)
            .map(|(text, at)| (text.as_str(), *at))
    }

    /// Address of the runbook.
    pub(super) fn runbook(&self, report: Report<'_>) -> Option<String> {
        let (text, at) = self.annotation("runbook")?;
        if !(text.starts_with("https://") || text.starts_with("http://")) {
            report.error(
                at,
                format!("runbook `{text}` is not an http or https address"),
            );
            return None;
        }
        Some(text.to_owned())
    }

    /// Attribute keys, separated by commas; those joined by `+` are told apart together.
    pub(super) fn segments(&self, report: Report<'_>) -> Vec<String> {
        let Some((text, at)) = self.annotation("segments") else {
            return Vec::new();
        };
        let mut segments: Vec<String> = Vec::new();
        for by in text.split(',') {
            let keys: Vec<&str> = by.split('+').map(str::trim).collect();
            let joined = keys.join("+");
            if keys.iter().any(|key| key.is_empty()) {
                report.error(at, format!("segments `{text}` has an empty attribute key"));
            } else if segments.contains(&joined) {
                report.error(at, format!("segments name `{joined}` twice"));
            } else {
                segments.push(joined);
            }
        }
        segments
    }

    /// How many segments are told apart, and whose rules alert.
    pub(super) fn segmentation(&self, report: Report<'_>) -> Segmentation {
        let mut segmentation = Segmentation::default();
        let unasked = |at| {
            if self.annotation("segments").is_none() {
                let help = "name the attribute keys: `sloburn.dev/segments: cloud.region`";
                report.error_with(at, "there are no segments to say this of", help);
            }
        };
        if let Some((text, at)) = self.annotation("segment-limit") {
            unasked(at);
            match text.parse() {
                Ok(limit @ 1..=MOST) => segmentation.limit = limit,
                _ => report.error(
                    at,
                    format!("segment-limit is `{text}`, not a whole number from 1 to {MOST}"),
                ),
            }
        }
        if let Some((text, at)) = self.annotation("segment-alerts") {
            unasked(at);
            let node = Node {
                value: Value::Text(text.to_owned()),
                at,
            };
            let words = &["both", "total", "segments"];
            segmentation.alerts = match report.word(&node, "segment-alerts", words).as_deref() {
                Some("total") => SegmentAlerts::Total,
                Some("segments") => SegmentAlerts::Segments,
                _ => SegmentAlerts::Both,
            };
        }
        segmentation
    }

    /// An annotation as a node that can be read like a field.
    pub(super) fn node(&self, name: &str) -> Option<Node> {
        let (text, at) = self.annotation(name)?;
        let value = Value::Text(text.to_owned());
        Some(Node { value, at })
    }

    /// How sure burn conditions must be.
    pub(super) fn confidence(&self, report: Report<'_>) -> Option<Ratio> {
        condition::confidence(report, &self.node("confidence")?)
    }

    /// Bad events that a long window needs.
    pub(super) fn minimum_bad(&self, report: Report<'_>) -> Option<u64> {
        let (text, at) = self.annotation("minimum-bad-events")?;
        match text.parse() {
            Ok(0) | Err(_) => {
                let message = format!("minimum-bad-events is `{text}`, not a whole number above 0");
                report.error(at, message);
                None
            }
            Ok(count) => Some(count),
        }
    }
}

fn checked_name(report: Report<'_>, node: &Node) -> Option<String> {
    let name = report.text(node, "name")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.chars().all(fits) || name.len() > MAX_NAME {
        let help = "use at most 100 letters, digits, `-`, `_` and `.`; put the rest in displayName";
        report.error_with(
            node.at,
            format!("name `{name}` cannot stand in an address"),
            help,
        );
    } else if !is_label(&name) {
        let help = "other tools of OpenSLO want at most 63 lower-case letters, digits and `-`; \
                    `--strict` refuses it";
        report.warn(
            node.at,
            format!("name `{name}` is not an RFC 1123 label"),
            help,
        );
    }
    Some(name)
}

fn labels(report: Report<'_>, node: &Node) -> BTreeMap<String, Vec<String>> {
    let mut labels = BTreeMap::new();
    for (key, value) in entries(report, node, "labels") {
        let values = match &value.value {
            Value::List(items) => items
                .iter()
                .filter_map(|item| scalar(report, item, &key))
                .collect(),
            _ => scalar(report, value, &key).into_iter().collect(),
        };
        labels.insert(key, values);
    }
    labels
}

fn annotations(
    report: Report<'_>,
    node: &Node,
    allowed: &[&str],
) -> BTreeMap<String, (String, Position)> {
    let mut ours = BTreeMap::new();
    for (key, value) in entries(report, node, "annotations") {
        let Some(name) = key.strip_prefix(PREFIX) else {
            continue;
        };
        if !allowed.contains(&name) {
            let help = match closest(name, allowed) {
                Some(word) => format!("did you mean `{PREFIX}{word}`?"),
                None if allowed.is_empty() => format!("this kind has none of `{PREFIX}`"),
                None => format!("this kind has {}", allowed.join(", ")),
            };
            report.error_with(value.at, format!("unknown annotation `{key}`"), help);
        } else if let Some(text) = scalar(report, value, &key) {
            ours.insert(name.to_owned(), (text, value.at));
        }
    }
    ours
}

fn entries<'n>(report: Report<'_>, node: &'n Node, name: &str) -> Vec<(String, &'n Node)> {
    let Value::Map(entries) = &node.value else {
        report.error(
            node.at,
            format!("`{name}` must be a map, not {}", node.value.kind()),
        );
        return Vec::new();
    };
    entries
        .iter()
        .filter_map(|(key, value)| Some((report.text(key, name)?, value)))
        .collect()
}

fn scalar(report: Report<'_>, node: &Node, name: &str) -> Option<String> {
    match node.value {
        Value::Bool(value) => Some(value.to_string()),
        _ => report.text(node, name),
    }
}
