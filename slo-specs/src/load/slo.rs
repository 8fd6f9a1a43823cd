//! SLOs → objectives.

use std::time::Duration;

use super::alerting::{self, Condition, POLICY_ANNOTATIONS, Policy, Spend};
use super::composite::composite;
use super::library::Library;
use super::meta::Meta;
use super::objective::{Goal, goals};
use super::report::{Fields, Known, Report};
use super::sli::Sli;
use super::window;
use super::yaml::{Node, Position, Value};
use crate::{BurnRate, BurnRule, Indicator, Objective, Op, Ratio, ReadAs, Source};

/// Annotations of ours on an SLO.
pub(super) const ANNOTATIONS: &[&str] = &[
    "runbook",
    "segments",
    "minimum-bad-events",
    "tier",
    "slices-without-data",
    "segment-limit",
    "segment-alerts",
    "composite",
    "composite-target",
];
const SERVICE_HELP: &str = "name the service it belongs to, such as `service: checkout`";
/// The policy of an SLO that names none.
const DEFAULT_POLICY: &str = "default";

const SPEC: Known = Known {
    fields: &[
        "description",
        "service",
        "indicator",
        "indicatorRef",
        "timeWindow",
        "budgetingMethod",
        "objectives",
        "alertPolicies",
    ],
    planned: &[],
};
const INDICATOR: Known = Known {
    fields: &["metadata", "spec", "apiVersion", "kind"],
    planned: &[],
};
const POLICY_REF: Known = Known {
    fields: &["alertPolicyRef"],
    planned: &[],
};

/// A rule of an attached policy, and where it was attached.
struct Attached {
    condition: Condition,
    receivers: Vec<String>,
    at: Position,
    /// Whether the author attached it; else it is the default policy's.
    asked_for: bool,
}

/// Reads the SLO's objectives. They hold only if no error was told of meanwhile.
pub(super) fn read(
    report: Report<'_>,
    meta: &Meta,
    spec: &Node,
    library: &Library,
    text: &str,
) -> Option<Vec<Objective>> {
    let what = format!("SLO `{}`", meta.name);
    let fields = Fields::of(report, spec, &what, SPEC)?;
    let description = fields.text("description").unwrap_or_default();
    let service = fields.require("service", SERVICE_HELP);
    let service = service.and_then(|node| report.text(node, "service"));
    let windows = window::time_windows(&fields);
    let goals = goals(&fields, meta, library);
    let composite = composite(report, meta, &goals);
    let attached = policies(&fields, library);
    let minimum_bad = meta.minimum_bad(report);
    let (runbook, segments) = (meta.runbook(report), meta.segments(report));
    let segmentation = meta.segmentation(report);
    let (service, windows, attached) = (service?, windows?, attached?);
    let window = windows.first()?;
    let objective = |goal: Goal, indicator: Indicator, rules: Vec<BurnRule>| {
        Some(Objective {
            title: title(meta, &goal),
            description: description.clone(),
            service: service.clone(),
            window: window.clone(),
            budgeting: goal.budgeting?,
            rules,
            runbook: runbook.clone(),
            segments: segments.clone(),
            segmentation,
            segment: None,
            tier: meta.annotation("tier").map(|(tier, _)| tier.to_owned()),
            labels: meta.labels.clone(),
            corrections: Vec::new(),
            slo: meta.name.clone(),
            source: Source {
                file: report.file.to_owned(),
                line: goal.at.line,
                text: text.to_owned(),
            },
            indicator,
            target: goal.target?,
            id: goal.id,
        })
    };
    let rules = |goal: &Goal| rules(report, goal, window.nominal(), &attached, minimum_bad);
    // Where parts make a whole, the whole alerts: nobody is paged twice.
    let whole = composite.map(|(goal, indicator)| {
        let rules = rules(&goal);
        objective(goal, indicator, rules)
    });
    let parts = goals.into_iter().map(|goal| {
        let indicator = with_bound(goal.sli.as_ref()?, &goal)?;
        let rules = if whole.is_some() {
            Vec::new()
        } else {
            rules(&goal)
        };
        objective(goal, indicator, rules)
    });
    let objectives = parts.chain(whole.clone()).flatten();
    let objectives = objectives.flat_map(|objective| window::over_each(objective, &windows));
    Some(objectives.collect())
}

/// The SLO's title, and with several objectives the objective's own beside it.
fn title(meta: &Meta, goal: &Goal) -> String {
    let slo = meta.title.clone().unwrap_or_else(|| meta.name.clone());
    match &goal.title {
        Some(own) if goal.one_of_several => format!("{slo}: {own}"),
        _ if goal.one_of_several && meta.title.is_none() => goal.id.clone(),
        _ => slo,
    }
}

pub(super) fn with_bound(sli: &Sli, goal: &Goal) -> Option<Indicator> {
    Some(match sli {
        Sli::Ratio { part, total } => Indicator::Ratio {
            part: part.clone(),
            total: total.clone(),
        },
        Sli::Raw { of, good } => Indicator::Threshold {
            of: of.clone(),
            op: *good,
            bound: 0.0,
        },
        // Units of growth are values of 1, and what was only looked at is a value of 0.
        Sli::Threshold { of, .. } if of.read_as == ReadAs::Growth => Indicator::Threshold {
            of: of.clone(),
            op: Op::Lte,
            bound: 0.0,
        },
        Sli::Threshold { of, .. } => {
            let (op, bound) = goal.bound?;
            Indicator::Threshold {
                of: of.clone(),
                op,
                bound,
            }
        }
    })
}

pub(super) fn indicator(fields: &Fields<'_>, library: &Library) -> Option<Sli> {
    let report = fields.report;
    match (fields.get("indicator"), fields.get("indicatorRef")) {
        (Some(node), None) => {
            let what = format!("indicator of {}", fields.what);
            let fields = Fields::of(report, node, &what, INDICATOR)?;
            if let Some(metadata) = fields.get("metadata") {
                Meta::read(report, metadata, &[]);
            }
            if let Some(kind) = fields.get("kind") {
                report.word(kind, "kind", &["SLI"]);
            }
            Sli::read(
                report,
                fields.require("spec", "add a ratioMetric or thresholdMetric")?,
                library,
            )
        }
        (None, Some(node)) => {
            let name = report.text(node, "indicatorRef")?;
            library.indicators.find(report, node.at, &name).cloned()
        }
        (Some(_), Some(_)) => {
            let message = format!("{} has both `indicator` and `indicatorRef`", fields.what);
            report.error_with(fields.place("indicatorRef"), message, "keep one of them");
            None
        }
        (None, None) => {
            let message = format!("{} has neither `indicator` nor `indicatorRef`", fields.what);
            report.error_with(fields.at, message, "add one of them");
            None
        }
    }
}

/// The rules of every attached policy; without `alertPolicies` those of the default one, with an
/// empty list none.
fn policies(fields: &Fields<'_>, library: &Library) -> Option<Vec<Attached>> {
    let report = fields.report;
    let mut attached = Vec::new();
    let Some(node) = fields.get("alertPolicies") else {
        let policy = library.policies.find(report, fields.at, DEFAULT_POLICY)?;
        attach(&mut attached, policy, fields.at, false);
        return Some(attached);
    };
    let mut sound = true;
    for item in report.list(node, "alertPolicies") {
        match policy(report, item, library) {
            Some(policy) => attach(&mut attached, &policy, item.at, true),
            None => sound = false,
        }
    }
    let mut names = std::collections::BTreeSet::new();
    for Attached { condition, at, .. } in &attached {
        if !names.insert(condition.name.as_str()) {
            let message = format!("{} has two rules named `{}`", fields.what, condition.name);
            report.error_with(
                *at,
                message,
                "name the conditions apart, or attach the policy once",
            );
        }
    }
    attached.sort_by_key(|attached| attached.condition.severity);
    sound.then_some(attached)
}

fn attach(attached: &mut Vec<Attached>, policy: &Policy, at: Position, asked_for: bool) {
    attached.extend(policy.rules.iter().map(|condition| Attached {
        condition: condition.clone(),
        receivers: policy.receivers.clone(),
        at,
        asked_for,
    }));
}

/// A policy by name, as `{ alertPolicyRef: name }`, or the whole object.
fn policy(report: Report<'_>, node: &Node, library: &Library) -> Option<Policy> {
    if let Value::Text(name) = &node.value {
        return library.policies.find(report, node.at, name).cloned();
    }
    if alerting::has_key(node, "alertPolicyRef") {
        let fields = Fields::of(report, node, "alert policy", POLICY_REF)?;
        let node = fields.require("alertPolicyRef", "name a policy")?;
        let name = report.text(node, "alertPolicyRef")?;
        return library.policies.find(report, node.at, &name).cloned();
    }
    let fields = Fields::of(report, node, "alert policy", alerting::INLINE)?;
    let help = "write `alertPolicyRef: name`, or the whole AlertPolicy with kind and spec";
    let kind = fields.require("kind", help)?;
    let kind = report.word(kind, "kind", &["AlertPolicy", "BurnPolicy"])?;
    let meta = Meta::read(
        report,
        fields.require("metadata", help)?,
        POLICY_ANNOTATIONS,
    )?;
    let spec = fields.require("spec", help)?;
    if kind == "AlertPolicy" {
        Policy::read(report, &meta, spec, library)
    } else {
        Policy::read_burn_policy(report, &meta, spec, library)
    }
}

/// The rules of one objective: thresholds follow from its target and window.
fn rules(
    report: Report<'_>,
    goal: &Goal,
    window: Duration,
    attached: &[Attached],
    minimum_bad: Option<u64>,
) -> Vec<BurnRule> {
    let rule = |Attached {
                    condition,
                    receivers,
                    at,
                    asked_for,
                }: &Attached| {
        let budgeting = goal.budgeting.unwrap_or_default();
        // Nothing is known of a part of a slice.
        let slice = budgeting
            .slicing()
            .map_or(Duration::ZERO, |slicing| slicing.length);
        let (long, short) = (condition.long.max(slice), condition.short.max(slice));
        let threshold = match condition.spend {
            Spend::Rate(rate) => rate,
            Spend::Share(share) => BurnRate::from_share(share, window.as_secs(), long.as_secs()),
        };
        let rule = BurnRule {
            name: condition.name.clone(),
            severity: condition.severity,
            long,
            short,
            threshold,
            bound: condition.bound,
            hold: condition.hold,
            minimum_bad: minimum_bad
                .unwrap_or(condition.minimum_bad)
                .saturating_mul(budgeting.units()),
            receivers: receivers.clone(),
        };
        if let Some(target) = goal.target {
            check_can_fire(report, *at, &rule, goal, target, *asked_for);
        }
        rule
    };
    attached.iter().map(rule).collect()
}

/// A rule whose threshold even total failure does not pass would be silent for ever. An author who
/// attached it expects otherwise; of the default policy the slower rules still guard a low target.
fn check_can_fire(
    report: Report<'_>,
    at: Position,
    rule: &BurnRule,
    goal: &Goal,
    target: Ratio,
    asked_for: bool,
) {
    let ceiling = BurnRate::ceiling(target);
    if !rule.is_over(ceiling) {
        let message = format!(
            "rule `{}` of objective `{}` can never fire: its threshold is {}, and with target \
             {target} nothing burns faster than {ceiling}",
            rule.name, goal.id, rule.threshold,
        );
        let help = "attach a policy with a lower burn rate or budget share, or raise the target";
        if asked_for {
            report.error_with(at, message, help);
        } else {
            report.warn(at, message, help);
        }
    }
}
