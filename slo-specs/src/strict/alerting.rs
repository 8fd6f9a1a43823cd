//! What alert policies, conditions and notification targets must be.

use super::rules::{OPERATORS, description, metadata};
use crate::field::Field;

/// `spec` of an `AlertPolicy`.
pub(super) fn policy(spec: &Field<'_>) {
    description(spec);
    for name in ["alertWhenNoData", "alertWhenResolved", "alertWhenBreaching"] {
        spec.field(name).boolean();
    }
    let conditions = spec.field("conditions");
    let items = conditions.items();
    if items.len() != 1 {
        let what = format!("has {} items; it must have exactly one", items.len());
        conditions.wrong(&what, "write a policy for each condition");
    }
    for item in items {
        referred_or_inline(&item, "conditionRef", "AlertCondition", condition);
    }
    let targets = spec.field("notificationTargets");
    let items = targets.items();
    if items.is_empty() {
        targets.wrong(
            "has no item; it must have one",
            "such as `- targetRef: on-call`",
        );
    }
    for item in items {
        referred_or_inline(&item, "targetRef", "AlertNotificationTarget", target);
    }
}

/// An item of an SLO's `alertPolicies`.
pub(super) fn attached(item: &Field<'_>) {
    referred_or_inline(item, "alertPolicyRef", "AlertPolicy", policy);
}

/// `spec` of an `AlertCondition`.
pub(super) fn condition(spec: &Field<'_>) {
    description(spec);
    spec.field("severity").required("such as `severity: page`");
    let condition = spec.field("condition");
    if !condition.required("say what is held against what") {
        return;
    }
    let kind = condition.field("kind");
    if kind.required("write `kind: burnrate`") {
        kind.word(&["burnrate"]);
    }
    let op = condition.field("op");
    if op.required("write `op: gt`") {
        op.word(OPERATORS);
    }
    let threshold = condition.field("threshold");
    threshold.required("the burn rate, such as `threshold: 14.4`");
    threshold.number("finite", f64::is_finite);
    let window = condition.field("lookbackWindow");
    window.required("such as `lookbackWindow: 1h`");
    window.duration();
    condition.field("alertAfter").duration();
}

/// `spec` of an `AlertNotificationTarget`.
pub(super) fn target(spec: &Field<'_>) {
    description(spec);
    spec.field("target").required("such as `target: on-call`");
}

fn referred_or_inline(
    item: &Field<'_>,
    reference: &str,
    kind: &'static str,
    inline: fn(&Field<'_>),
) {
    let named = item.field(reference);
    let help =
        format!("write `{reference}: name`, or the whole {kind} with kind, metadata and spec");
    match (named.named(), item.field("spec").says()) {
        (true, true) => item.wrong(
            &format!("has both `{reference}` and `spec`"),
            "keep one of them",
        ),
        (false, false) => item.wrong(&format!("has neither `{reference}` nor `spec`"), &help),
        (true, false) => named.label(),
        (false, true) => {
            let field = item.field("kind");
            if field.required(&help) {
                field.word(&[kind]);
            }
            metadata(item);
            inline(&item.field("spec"));
        }
    }
}
