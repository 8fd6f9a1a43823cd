//! Alert policies and conditions in the schema.

use schemars::JsonSchema;

use super::{AlertConditionKind, AlertNotificationTargetKind, Inline, OpenSlo, Window};

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct AlertPolicy {
    description: Option<String>,
    /// Only false is built.
    alert_when_no_data: Option<bool>,
    /// Only true is built.
    alert_when_resolved: Option<bool>,
    /// Only true is built.
    alert_when_breaching: Option<bool>,
    #[schemars(length(min = 1))]
    conditions: Vec<AttachedCondition>,
    notification_targets: Option<Vec<AttachedTarget>>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
pub(super) enum AttachedCondition {
    Reference(ConditionRef),
    Condition(Inline<OpenSlo, AlertConditionKind, AlertCondition>),
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ConditionRef {
    condition_ref: String,
}

#[derive(JsonSchema)]
#[serde(untagged)]
pub(super) enum AttachedTarget {
    Reference(TargetRef),
    Target(Inline<OpenSlo, AlertNotificationTargetKind, AlertNotificationTarget>),
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct TargetRef {
    target_ref: String,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct AlertCondition {
    description: Option<String>,
    severity: Severity,
    condition: Condition,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    Page,
    Ticket,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Condition {
    kind: ConditionKind,
    op: ConditionOp,
    /// Burn rate: 1 spends exactly the budget over the SLO's window.
    threshold: f64,
    /// The long window. The short one is a twelfth of it, or `sloburn.dev/short-window`.
    lookback_window: Window,
    /// How long it must last before the alert fires; `0m` for at once.
    alert_after: Option<Window>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ConditionKind {
    Burnrate,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ConditionOp {
    Gt,
    Gte,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct AlertNotificationTarget {
    description: Option<String>,
    /// Name of a receiver in the configuration.
    target: String,
}

/// Rules of two windows each.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct BurnPolicy {
    description: Option<String>,
    /// Where the figures are from.
    source: Option<String>,
    #[schemars(length(min = 1))]
    rules: Vec<Rule>,
    notification_targets: Option<Vec<AttachedTarget>>,
}

/// Either `budgetShare` or `burnRate`.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Rule {
    /// Unique within an SLO.
    name: String,
    severity: Severity,
    /// Share of the SLO window's budget that may be spent within the long window.
    budget_share: Option<f64>,
    /// The threshold itself, whatever the SLO's window.
    burn_rate: Option<f64>,
    long: Window,
    /// A twelfth of the long window, unless said otherwise.
    short: Option<Window>,
    /// How long both must last before the alert fires.
    hold: Option<Window>,
    /// 3 for a page, 1 for a ticket, unless said otherwise.
    minimum_bad_events: Option<u64>,
}
