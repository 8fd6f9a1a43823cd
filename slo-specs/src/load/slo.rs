//! SLOs → objectives.

use std::time::Duration;

use super::alerting::{self, POLICY_ANNOTATIONS, Policy, RuleDraft};
use super::can_fire;
use super::composite::composite;
use super::condition::{Draft, Frame};
use super::library::Library;
use super::meta::Meta;
use super::objective::{Goal, goals};
use super::report::{Fields, Known, Report};
use super::sli::Sli;
use super::window;
use super::yaml::{Node, Position, Value};
use crate::{Allowance, Condition, Indicator, Objective, Op, Ratio, ReadAs, Rule, Source};

/// Annotations of ours on an SLO.
pub(super) const ANNOTATIONS: &[&str] = &[
    "runbook",
    "segments",
    "minimum-bad-events",
    "confidence",
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
};
const INDICATOR: Known = Known {
    fields: &["metadata", "spec", "apiVersion", "kind"],
};
const POLICY_REF: Known = Known {
    fields: &["alertPolicyRef"],
};

/// Most conditions and receivers of the rules of all objectives: each objective has its own copy.
const MAX_ALERTING: usize = 250_000;

/// A rule of an attached policy, and where it was attached.
struct Attached {
    draft: RuleDraft,
    receivers: Vec<String>,
    at: Position,
    /// Whether the author attached it; else it is the default policy's.
    asked_for: bool,
}

/// What alerts, and what is allowed meanwhile.
type Alerting = (Vec<Rule>, Vec<Allowance>);

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
    let (minimum_bad, confidence) = (meta.minimum_bad(report), meta.confidence(report));
    let (runbook, segments) = (meta.runbook(report), meta.segments(report));
    let segmentation = meta.segmentation(report);
    let (service, windows, mut attached) = (service?, windows?, attached?);
    if !fits(&fields, library, &attached, goals.len()) {
        return None;
    }
    ask(&mut attached, minimum_bad, confidence);
    let window = windows.first()?;
    let objective = |(rules, allowances): Alerting, goal: Goal, indicator: Indicator| {
        Some(Objective {
            title: title(meta, &goal),
            description: description.clone(),
            service: service.clone(),
            window: window.clone(),
            budgeting: goal.budgeting?,
            rules,
            allowances,
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
    let alerting = |goal: &Goal| alerting(report, goal, window.nominal(), &attached);
    // Where parts make a whole, the whole alerts: nobody is paged twice.
    let whole = composite.map(|(goal, indicator)| objective(alerting(&goal), goal, indicator));
    let parts = goals.into_iter().map(|goal| {
        let indicator = with_bound(goal.sli.as_ref()?, &goal)?;
        let alerting = if whole.is_some() {
            Alerting::default()
        } else {
            alerting(&goal)
        };
        objective(alerting, goal, indicator)
    });
    let objectives = parts.chain(whole.clone()).flatten();
    let objectives = objectives.flat_map(|objective| window::over_each(objective, &windows));
    Some(objectives.collect())
}

/// Whether the rules can be copied for so many objectives more.
fn fits(fields: &Fields<'_>, library: &Library, attached: &[Attached], objectives: usize) -> bool {
    let sizes = attached
        .iter()
        .map(|attached| attached.draft.condition.leaves() + attached.receivers.len());
    let more = sizes.sum::<usize>().saturating_mul(objectives);
    let all = library.alerting.get().saturating_add(more);
    if all > MAX_ALERTING {
        let message = format!(
            "with {} the catalog's objectives have more than {MAX_ALERTING} conditions and notification targets",
            fields.what
        );
        let help = "attach policies of fewer rules";
        fields
            .report
            .error_with(fields.place("alertPolicies"), message, help);
        return false;
    }
    library.alerting.set(all);
    true
}

/// What the SLO asks of all its rules.
fn ask(attached: &mut [Attached], minimum_bad: Option<u64>, confidence: Option<Ratio>) {
    for Attached { draft, .. } in attached {
        if let Some(count) = minimum_bad {
            draft.condition.ask_for_bad(count);
        }
        if let Some(confidence) = confidence {
            draft.condition.ask_for_confidence(confidence);
        }
    }
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
            Some(policy) if attached.len() + policy.rules.len() > alerting::MAX_RULES => {
                let most = alerting::MAX_RULES;
                let message = format!("{} has more than {most} rules", fields.what);
                report.error_with(item.at, message, "attach policies of fewer rules");
                return None;
            }
            Some(policy) => attach(&mut attached, &policy, item.at, true),
            None => sound = false,
        }
    }
    let mut names = std::collections::BTreeSet::new();
    for Attached { draft, at, .. } in &attached {
        if !names.insert(draft.name.as_str()) {
            let message = format!("{} has two rules named `{}`", fields.what, draft.name);
            report.error_with(
                *at,
                message,
                "name the conditions apart, or attach the policy once",
            );
        }
    }
    attached.sort_by_key(|attached| attached.draft.severity);
    sound.then_some(attached)
}

fn attach(attached: &mut Vec<Attached>, policy: &Policy, at: Position, asked_for: bool) {
    attached.extend(policy.rules.iter().map(|draft| Attached {
        draft: draft.clone(),
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

/// What alerts of one objective, and what is allowed meanwhile.
fn alerting(report: Report<'_>, goal: &Goal, window: Duration, attached: &[Attached]) -> Alerting {
    let rules = rules(report, goal, window, attached);
    (rules, allowances(attached))
}

/// The rules of one objective: thresholds follow from its target and window.
fn rules(report: Report<'_>, goal: &Goal, window: Duration, attached: &[Attached]) -> Vec<Rule> {
    let rule = |Attached {
                    draft,
                    receivers,
                    at,
                    asked_for,
                }: &Attached| {
        let frame = Frame {
            window,
            budgeting: goal.budgeting.unwrap_or_default(),
        };
        let rule = Rule {
            name: draft.name.clone(),
            severity: draft.severity,
            condition: draft.condition.resolve(frame),
            hold: draft.hold,
            receivers: receivers.clone(),
            ending: draft.ending,
            note: draft.note.clone(),
        };
        if let Some(target) = goal.target {
            let promise = can_fire::Promise {
                id: &goal.id,
                target,
                frame,
            };
            can_fire::check(report, *at, &rule, &promise, *asked_for);
        }
        rule
    };
    let alerting = attached.iter().filter(|attached| attached.draft.notifies);
    alerting.map(rule).collect()
}

/// What the attached policies allow, the lowest mark first; of equal ones the first.
fn allowances(attached: &[Attached]) -> Vec<Allowance> {
    let allowance = |Attached { draft, .. }: &Attached| match &draft.condition {
        Draft::Whole(Condition::BudgetLeft { below, .. }) => Some(Allowance {
            below: *below,
            allows: draft.note.clone()?,
            owner: draft.owner.clone(),
        }),
        _ => None,
    };
    let mut all: Vec<Allowance> = attached.iter().filter_map(allowance).collect();
    all.sort_by_key(Allowance::mark);
    all
}
