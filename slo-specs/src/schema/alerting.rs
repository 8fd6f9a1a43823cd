//! Alert policies and conditions in the schema.

use schemars::JsonSchema;

use super::{AlertConditionKind, AlertNotificationTargetKind, Inline, OpenSlo, Window};

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct AlertPolicy {
    description: Option<String>,
    /// Adds a rule on silence: no data for 10 minutes, or `sloburn.dev/no-data-for`. False unless said.
    alert_when_no_data: Option<bool>,
    /// False: chat receivers do not hear that an alert is over; a pager always does. True unless said.
    alert_when_resolved: Option<bool>,
    /// False: the conditions alert nobody. True unless said.
    alert_when_breaching: Option<bool>,
    /// OpenSLO allows one; here each of several is a rule.
    #[schemars(length(min = 1, max = 100))]
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
    /// Pages: page, critical, fatal, emergency, urgent, high, sev0, sev1, p0, p1. Tickets: ticket,
    /// warning, warn, medium, minor, low, notice, info, sev2 to sev5, p2 to p5. In any case.
    severity: String,
    condition: Condition,
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

/// Rules: burn rates over two windows, and other conditions.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct BurnPolicy {
    description: Option<String>,
    /// Where the figures are from.
    source: Option<String>,
    /// Who decides what the rules allow.
    owner: Option<String>,
    #[schemars(length(min = 1, max = 100))]
    rules: Vec<Rule>,
    notification_targets: Option<Vec<AttachedTarget>>,
}

/// One condition: a burn (`budgetShare` or `burnRate`, with `long`), or one of `budgetLeft`,
/// `budgetDrop`, `timeToEmpty`, `noData`, `all`, `any`.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Rule {
    /// Unique within an SLO.
    name: String,
    /// Of every rule but one with `notify: false`.
    severity: Option<BurnSeverity>,
    /// How long the condition must last before the alert fires.
    hold: Option<Window>,
    /// What the error budget policy still allows while so little is left, such as `only fixes`.
    allows: Option<String>,
    /// False: what it allows is shown, and nobody is told. True unless said.
    notify: Option<bool>,
    /// Share of the SLO window's budget that may be spent within the long window.
    budget_share: Option<f64>,
    /// The threshold itself, whatever the SLO's window.
    burn_rate: Option<f64>,
    /// The long window.
    long: Option<Window>,
    /// A twelfth of the long window, unless said otherwise.
    short: Option<Window>,
    /// How sure it must be, of the long window, that the true burn rate is beyond the threshold: 0.5 to
    /// below 1.
    confidence: Option<f64>,
    /// 3 for a page, 1 for a ticket and where `confidence` is asked for, unless said otherwise.
    minimum_bad_events: Option<u64>,
    budget_left: Option<BudgetLeft>,
    budget_drop: Option<BudgetDrop>,
    time_to_empty: Option<TimeToEmpty>,
    no_data: Option<NoData>,
    /// All of these at once.
    #[schemars(length(min = 1))]
    all: Option<Vec<Part>>,
    /// At least one of these.
    #[schemars(length(min = 1))]
    any: Option<Vec<Part>>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum BurnSeverity {
    Page,
    Ticket,
}

/// A condition within `all` or `any`, at most four deep. What it does not say of `confidence` and
/// `minimumBadEvents`, those around it say.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Part {
    budget_share: Option<f64>,
    burn_rate: Option<f64>,
    long: Option<Window>,
    short: Option<Window>,
    confidence: Option<f64>,
    minimum_bad_events: Option<u64>,
    budget_left: Option<BudgetLeft>,
    budget_drop: Option<BudgetDrop>,
    time_to_empty: Option<TimeToEmpty>,
    no_data: Option<NoData>,
    #[schemars(length(min = 1))]
    all: Option<Vec<Part>>,
    #[schemars(length(min = 1))]
    any: Option<Vec<Part>>,
}

/// Less than a share of the window's budget is left.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct BudgetLeft {
    /// 0 when it is spent.
    below: f64,
}

/// More than a share of the window's budget was spent within a short time.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct BudgetDrop {
    share: f64,
    within: Window,
}

/// The budget is empty soon, if things go on as of late.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct TimeToEmpty {
    within: Window,
    look_back: Window,
}

/// Nothing was measured for so long, though something was before.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct NoData {
    r#for: Window,
}
