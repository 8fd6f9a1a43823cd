//! Alert conditions and policies, ours and OpenSLO's.

use std::time::Duration;

use super::burn::{bound, burn_rate, hold, severity, severity_word, short_of_annotation};
use super::condition::{BurnDraft, Draft, Inherited};
use super::library::Library;
use super::meta::Meta;
use super::report::{Fields, Known, Report};
use super::switches::Switches;
use super::yaml::{Node, Value};
use crate::{Condition, Ending, Severity};

/// Annotations of ours on an `AlertCondition`.
pub(super) const CONDITION_ANNOTATIONS: &[&str] =
    &["short-window", "minimum-bad-events", "confidence"];
/// Annotations of ours on an `AlertPolicy`.
pub(super) const POLICY_ANNOTATIONS: &[&str] = &["minimum-bad-events", "confidence", "no-data-for"];

const CONDITION_SPEC: Known = Known {
    fields: &["description", "severity", "condition"],
};
const CONDITION: Known = Known {
    fields: &["kind", "op", "threshold", "lookbackWindow", "alertAfter"],
};
const POLICY_SPEC: Known = Known {
    fields: &[
        "description",
        "alertWhenNoData",
        "alertWhenResolved",
        "alertWhenBreaching",
        "conditions",
        "notificationTargets",
    ],
};
const BURN_POLICY_SPEC: Known = Known {
    fields: &[
        "description",
        "source",
        "owner",
        "rules",
        "notificationTargets",
    ],
};
const RULE: Known = Known {
    fields: &[
        "name",
        "severity",
        "budgetShare",
        "burnRate",
        "long",
        "short",
        "hold",
        "allows",
        "notify",
        "minimumBadEvents",
        "confidence",
        "budgetLeft",
        "budgetDrop",
        "timeToEmpty",
        "noData",
        "all",
        "any",
    ],
};
const CONDITION_REF: Known = Known {
    fields: &["conditionRef"],
};
const TARGET_REF: Known = Known {
    fields: &["targetRef"],
};
pub(super) const INLINE: Known = Known {
    fields: &["apiVersion", "kind", "metadata", "spec"],
};

/// Most rules of one SLO, and so of one policy.
pub(super) const MAX_RULES: usize = 100;

/// A rule before it knows the target and the window of its SLO.
#[derive(Clone, Debug)]
pub(super) struct RuleDraft {
    pub(super) name: String,
    pub(super) severity: Severity,
    pub(super) condition: Draft,
    pub(super) hold: Duration,
    pub(super) ending: Ending,
    pub(super) note: Option<String>,
    /// Whether it alerts; else it only shows what is allowed.
    pub(super) notifies: bool,
    /// Who decides what is allowed.
    pub(super) owner: Option<String>,
}

/// Several rules, and who hears of them.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) rules: Vec<RuleDraft>,
    pub(super) receivers: Vec<String>,
}

impl RuleDraft {
    /// Reads `spec` of an `AlertCondition`.
    ///
    /// OpenSLO gives a condition one look-back window and does not say when the alert is over.
    /// Ours is a rule of two windows like any other: `lookbackWindow` is the long one, and a
    /// twelfth of it (or `sloburn.dev/short-window`) the short one, which must be over the
    /// threshold as well. While errors go on it burns at least as fast as the long one, so the
    /// alert fires when OpenSLO's would; it resolves soon after they end, not a window later.
    pub(super) fn of_condition(report: Report<'_>, meta: &Meta, spec: &Node) -> Option<Self> {
        let what = format!("alert condition `{}`", meta.name);
        let fields = Fields::of(report, spec, &what, CONDITION_SPEC)?;
        fields.text("description");
        let severity = severity_word(&fields);
        let condition = fields.require("condition", "add `condition: { kind: burnrate, … }`")?;
        let what = format!("condition of `{}`", meta.name);
        let fields = Fields::of(report, condition, &what, CONDITION)?;
        if let Some(kind) = fields.require("kind", "the only kind is `burnrate`") {
            report.word(kind, "kind", &["burnrate"]);
        }
        let bound = bound(&fields);
        let spend = fields
            .require(
                "threshold",
                "say how many times too fast, such as `threshold: 2`",
            )
            .and_then(|node| burn_rate(report, node, "threshold"));
        let long = fields
            .require(
                "lookbackWindow",
                "say how far to look back, such as `lookbackWindow: 1h`",
            )
            .and_then(|node| report.window(node, "lookbackWindow"));
        let hold = hold(&fields, "alertAfter");
        let (minimum_bad, confidence) = (meta.minimum_bad(report), meta.confidence(report));
        let (severity, long) = (severity?, long?);
        let asked = Inherited {
            default_minimum_bad: severity.default_minimum_bad(),
            minimum_bad,
            confidence,
        };
        let burn = BurnDraft {
            spend: spend?,
            bound: bound?,
            long,
            short: short_of_annotation(report, meta, long)?,
            minimum_bad: asked.needed(),
            confidence,
        };
        Some(Self {
            name: meta.name.clone(),
            severity,
            condition: Draft::Burn(burn),
            hold,
            ending: Ending::Told,
            note: None,
            notifies: true,
            owner: None,
        })
    }

    /// Reads one of a burn policy's `rules`.
    fn read(report: Report<'_>, node: &Node) -> Option<Self> {
        let fields = Fields::of(report, node, "rule", RULE)?;
        let name = fields
            .require("name", "give it a name, such as `name: page-fast`")
            .and_then(|node| report.text(node, "name"));
        let note = fields.text("allows");
        let notifies = notifies(&fields, note.is_some());
        let severity = if notifies {
            severity(&fields)
        } else {
            Some(Severity::Ticket)
        };
        let hold = hold(&fields, "hold");
        // What the condition lacks is told of even if the severity is wrong.
        let condition = Draft::read(
            &fields,
            Inherited {
                default_minimum_bad: severity.unwrap_or(Severity::Page).default_minimum_bad(),
                minimum_bad: None,
                confidence: None,
            },
        );
        if note.is_some()
            && !matches!(
                condition,
                None | Some(Draft::Whole(Condition::BudgetLeft { .. }))
            )
        {
            let help =
                "write `budgetLeft: { below: 0.25 }`: what is allowed follows from what is left";
            let at = fields.place("allows");
            report.error_with(at, "`allows` belongs to a rule of `budgetLeft`", help);
        }
        Some(Self {
            name: name?,
            severity: severity?,
            condition: condition?,
            hold,
            ending: Ending::Told,
            note,
            notifies,
            owner: None,
        })
    }
}

impl Policy {
    /// Reads `spec` of an OpenSLO `AlertPolicy`. OpenSLO allows one condition; more are rules each.
    pub(super) fn read(
        report: Report<'_>,
        meta: &Meta,
        spec: &Node,
        library: &Library,
    ) -> Option<Self> {
        let what = format!("alert policy `{}`", meta.name);
        let fields = Fields::of(report, spec, &what, POLICY_SPEC)?;
        fields.text("description");
        let node = fields.require("conditions", "list at least one condition")?;
        let items = report.list_of_at_most(node, "conditions", MAX_RULES)?;
        let mut rules: Vec<RuleDraft> = items
            .iter()
            .filter_map(|item| condition(report, item, library))
            .collect();
        if items.is_empty() {
            report.error(node.at, format!("{what} has no conditions"));
        }
        if let Some(minimum_bad) = meta.minimum_bad(report) {
            for rule in &mut rules {
                rule.condition.ask_for_bad(minimum_bad);
            }
        }
        if let Some(confidence) = meta.confidence(report) {
            for rule in &mut rules {
                rule.condition.ask_for_confidence(confidence);
            }
        }
        let receivers = receivers(&fields, library);
        let sound = !rules.is_empty();
        Switches::read(&fields).apply(&fields, meta, &mut rules);
        sound.then_some(Self { rules, receivers })
    }

    /// Reads `spec` of a `BurnPolicy`, our own kind.
    pub(super) fn read_burn_policy(
        report: Report<'_>,
        meta: &Meta,
        spec: &Node,
        library: &Library,
    ) -> Option<Self> {
        let what = format!("burn policy `{}`", meta.name);
        let fields = Fields::of(report, spec, &what, BURN_POLICY_SPEC)?;
        fields.text("description");
        fields.text("source");
        let node = fields.require("rules", "list at least one rule")?;
        let items = report.list_of_at_most(node, "rules", MAX_RULES)?;
        if items.is_empty() {
            report.error(node.at, format!("{what} has no rules"));
        }
        let mut rules: Vec<RuleDraft> = items
            .iter()
            .filter_map(|item| RuleDraft::read(report, item))
            .collect();
        decided_by(&fields, &mut rules);
        let receivers = receivers(&fields, library);
        if !receivers.is_empty() && rules.iter().all(|rule| !rule.notifies) {
            let help = "remove them, or a rule's `notify: false`";
            let message = format!("{what} notifies nobody, and has notificationTargets");
            report.error_with(fields.place("notificationTargets"), message, help);
        }
        (!rules.is_empty()).then_some(Self { rules, receivers })
    }
}

/// Whether a rule alerts: one that says what is allowed need not.
fn notifies(fields: &Fields<'_>, allows: bool) -> bool {
    let report = fields.report;
    let notify = fields.get("notify");
    let notifies = notify.and_then(|node| report.bool(node, "notify"));
    if notifies != Some(false) {
        return true;
    }
    if !allows {
        let help = "say what is allowed, such as `allows: only fixes`, or remove it";
        let message = "`notify: false` without `allows`: nobody would see the rule";
        report.error_with(fields.place("notify"), message, help);
    }
    for name in ["severity", "hold", "minimumBadEvents"] {
        if fields.has(name) {
            let message = format!("`{name}` does not go with `notify: false`");
            let help = "remove it: a mark that only shows alerts nobody";
            report.error_with(fields.place(name), message, help);
        }
    }
    false
}

/// Reads who decides what the rules allow.
fn decided_by(fields: &Fields<'_>, rules: &mut [RuleDraft]) {
    let owner = fields.text("owner");
    if owner.is_some() && rules.iter().all(|rule| rule.note.is_none()) {
        let help = "say what is allowed, such as `allows: only fixes` of a rule of `budgetLeft`";
        let message = "`owner` is who decides what is allowed, and no rule says `allows`";
        fields
            .report
            .error_with(fields.place("owner"), message, help);
    }
    for rule in rules {
        rule.owner.clone_from(&owner);
    }
}

/// A condition of a policy: `{ conditionRef: name }` or the whole object.
fn condition(report: Report<'_>, node: &Node, library: &Library) -> Option<RuleDraft> {
    if has_key(node, "conditionRef") {
        let fields = Fields::of(report, node, "condition", CONDITION_REF)?;
        let name = report.text(fields.get("conditionRef")?, "conditionRef")?;
        return library
            .conditions
            .find(report, fields.get("conditionRef")?.at, &name)
            .cloned();
    }
    let fields = Fields::of(report, node, "condition", INLINE)?;
    if let Some(kind) = fields.get("kind") {
        report.word(kind, "kind", &["AlertCondition"]);
    }
    let help = "write `conditionRef: name`, or the whole AlertCondition with metadata and spec";
    let meta = Meta::read(
        report,
        fields.require("metadata", help)?,
        CONDITION_ANNOTATIONS,
    )?;
    RuleDraft::of_condition(report, &meta, fields.require("spec", help)?)
}

/// Receivers of `notificationTargets`.
fn receivers(fields: &Fields<'_>, library: &Library) -> Vec<String> {
    let report = fields.report;
    let Some(node) = fields.get("notificationTargets") else {
        return Vec::new();
    };
    let receivers = report
        .list(node, "notificationTargets")
        .iter()
        .filter_map(|item| {
            if has_key(item, "targetRef") {
                let fields = Fields::of(report, item, "notification target", TARGET_REF)?;
                let node = fields.get("targetRef")?;
                return library
                    .targets
                    .find(report, node.at, &report.text(node, "targetRef")?)
                    .cloned();
            }
            let fields = Fields::of(report, item, "notification target", INLINE)?;
            if let Some(kind) = fields.get("kind") {
                report.word(kind, "kind", &["AlertNotificationTarget"]);
            }
            let help = "write `targetRef: name`, or the whole AlertNotificationTarget";
            Meta::read(report, fields.require("metadata", help)?, &[])?;
            target(report, fields.require("spec", help)?)
        });
    receivers.collect()
}

/// Reads `spec` of an `AlertNotificationTarget`: `target` is a receiver of the configuration.
pub(super) fn target(report: Report<'_>, spec: &Node) -> Option<String> {
    const SPEC: Known = Known {
        fields: &["description", "target"],
    };
    let fields = Fields::of(report, spec, "spec of the notification target", SPEC)?;
    fields.text("description");
    let node = fields.require("target", "name a receiver of the configuration")?;
    report.text(node, "target")
}

/// Whether a node is a map with that key.
pub(super) fn has_key(node: &Node, name: &str) -> bool {
    matches!(&node.value, Value::Map(entries) if entries.iter()
        .any(|(key, _)| matches!(&key.value, Value::Text(text) if text == name)))
}
