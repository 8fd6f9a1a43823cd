//! JSON schema of spec files, for editors: the shape only. What a field means together with others,
//! and whether names lead anywhere, `load` tells.

#![expect(
    dead_code,
    clippy::large_enum_variant,
    clippy::struct_field_names,
    reason = "these types are only described, never made, and the names are OpenSLO's"
)]

mod alerting;
mod correction;

use std::collections::BTreeMap;

use alerting::{AlertCondition, AlertNotificationTarget, AlertPolicy, BurnPolicy};
use correction::Correction;
use schemars::{JsonSchema, schema_for};

/// The JSON schema (draft 2020-12) of one document of a spec file, as indented JSON.
pub fn schema() -> String {
    let schema = schema_for!(Document);
    let text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    format!("{text}\n")
}

/// One document of a sloburn spec file: OpenSLO v1, or a kind of sloburn's own.
#[derive(JsonSchema)]
#[serde(untagged)]
enum Document {
    Slo(Object<OpenSlo, SloKind, Slo>),
    Sli(Object<OpenSlo, SliKind, Sli>),
    Service(Object<OpenSlo, ServiceKind, Service>),
    DataSource(Object<OpenSlo, DataSourceKind, DataSource>),
    AlertPolicy(Object<OpenSlo, AlertPolicyKind, AlertPolicy>),
    AlertCondition(Object<OpenSlo, AlertConditionKind, AlertCondition>),
    AlertNotificationTarget(Object<OpenSlo, AlertNotificationTargetKind, AlertNotificationTarget>),
    BurnPolicy(Object<Sloburn, BurnPolicyKind, BurnPolicy>),
    Correction(Object<Sloburn, CorrectionKind, Correction>),
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Object<V, K, S> {
    api_version: V,
    kind: K,
    metadata: Metadata,
    spec: S,
}

/// An object inside another one, where version and kind may be left out.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Inline<V, K, S> {
    api_version: Option<V>,
    kind: Option<K>,
    metadata: Metadata,
    spec: S,
}

#[derive(JsonSchema)]
enum OpenSlo {
    #[serde(rename = "openslo/v1")]
    V1,
}

#[derive(JsonSchema)]
enum Sloburn {
    #[serde(rename = "sloburn/v1")]
    V1,
}

macro_rules! kinds {
    ($($type:ident = $name:literal),+ $(,)?) => {$(
        #[derive(JsonSchema)]
        enum $type {
            #[serde(rename = $name)]
            Only,
        }
    )+};
}

kinds! {
    SloKind = "SLO",
    SliKind = "SLI",
    ServiceKind = "Service",
    DataSourceKind = "DataSource",
    AlertPolicyKind = "AlertPolicy",
    AlertConditionKind = "AlertCondition",
    AlertNotificationTargetKind = "AlertNotificationTarget",
    BurnPolicyKind = "BurnPolicy",
    CorrectionKind = "Correction",
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Metadata {
    /// At most 100 letters, digits, `-`, `_` and `.`; unique within its kind.
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]{1,100}$"))]
    name: String,
    /// What people read instead of the name.
    display_name: Option<String>,
    labels: Option<BTreeMap<String, Label>>,
    /// On an SLO: `sloburn.dev/runbook`, `sloburn.dev/segments` (attribute keys, separated by
    /// commas), `sloburn.dev/minimum-bad-events`, `sloburn.dev/confidence`, `sloburn.dev/tier`. On a
    /// Service: `sloburn.dev/tier`. On an `AlertCondition`: `sloburn.dev/short-window`,
    /// `sloburn.dev/minimum-bad-events`, `sloburn.dev/confidence`. On an `AlertPolicy`:
    /// `sloburn.dev/minimum-bad-events`, `sloburn.dev/confidence`, `sloburn.dev/no-data-for`. Others
    /// are left alone.
    annotations: Option<BTreeMap<String, Scalar>>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
enum Label {
    One(Scalar),
    Several(Vec<Scalar>),
}

#[derive(JsonSchema)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(f64),
    Bool(bool),
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Slo {
    description: Option<String>,
    /// The service it belongs to.
    service: String,
    /// The SLI itself, or else `indicatorRef`, unless the objectives have their own.
    indicator: Option<InlineSli>,
    indicator_ref: Option<String>,
    /// The first has the SLO's name and rules; each further one is an objective `NAME.7d` without rules.
    #[schemars(length(min = 1, max = 10))]
    time_window: Vec<TimeWindow>,
    budgeting_method: BudgetingMethod,
    #[schemars(length(min = 1, max = 100))]
    objectives: Vec<Objective>,
    /// Left out: the policy `default`. Empty: no alerts.
    alert_policies: Option<Vec<AttachedPolicy>>,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct InlineSli {
    api_version: Option<OpenSlo>,
    kind: Option<SliKind>,
    metadata: Option<Metadata>,
    spec: Sli,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TimeWindow {
    duration: SloWindow,
    /// True for the last so long; false, or left out, with a calendar.
    is_rolling: Option<bool>,
    /// What is counted since the period began.
    calendar: Option<Calendar>,
}

/// Periods by the clocks of a zone, counted from the start.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Calendar {
    start_time: CivilTime,
    time_zone: TimeZone,
}

/// By the clocks of the time zone: `2024-01-31 00:00`.
#[derive(JsonSchema)]
struct CivilTime(
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:00)?)?$"))]
    String,
);

/// A name of the IANA database, such as `Europe/Berlin`.
#[derive(JsonSchema)]
struct TimeZone(String);

/// A whole number and `m` (minutes), `h`, `d`, `w`, `M` (months), `Q` or `Y`, up to 400 days.
#[derive(JsonSchema)]
struct SloWindow(#[schemars(regex(pattern = "^[0-9]+[mhdwMQY]$"))] String);

/// A whole number and `m` (minutes), `h`, `d` or `w`, up to 400 days.
#[derive(JsonSchema)]
struct Window(#[schemars(regex(pattern = "^[0-9]+[mhdw]$"))] String);

#[derive(JsonSchema)]
enum BudgetingMethod {
    Occurrences,
    Timeslices,
    RatioTimeslices,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Objective {
    display_name: Option<String>,
    /// With a `thresholdMetric`: values for which `value-of-event op value` holds are good.
    op: Option<Op>,
    /// With a `thresholdMetric`: milliseconds for spans, seconds for `age_s`, units for `increase`, else
    /// the metric's own unit.
    value: Option<f64>,
    /// Above 0 and below 1. Either this or `targetPercent`.
    target: Option<f64>,
    /// Above 0 and below 100.
    target_percent: Option<f64>,
    /// With `Timeslices`: the share of a slice's events that must be good, 0 to 1.
    time_slice_target: Option<f64>,
    /// Its own indicator, where the SLO has none.
    indicator: Option<InlineSli>,
    indicator_ref: Option<String>,
    /// How much it weighs in the SLO's composite.
    composite_weight: Option<f64>,
    /// With `Timeslices` and `RatioTimeslices`: the length of a slice; a number is minutes.
    time_slice_window: Option<SliceLength>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
enum SliceLength {
    Minutes(u32),
    Window(Window),
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Op {
    Lt,
    Lte,
    Gt,
    Gte,
}

/// A policy by its name, as a reference, or itself.
#[derive(JsonSchema)]
#[serde(untagged)]
enum AttachedPolicy {
    Name(String),
    Reference(AlertPolicyRef),
    Policy(Inline<OpenSlo, AlertPolicyKind, AlertPolicy>),
    Burn(Inline<Sloburn, BurnPolicyKind, BurnPolicy>),
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AlertPolicyRef {
    alert_policy_ref: String,
}

/// Either `ratioMetric` or `thresholdMetric`.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Sli {
    description: Option<String>,
    threshold_metric: Option<Measured>,
    ratio_metric: Option<RatioMetric>,
}

/// `total`, and either `good` or `bad`; or else `raw` and `rawType`.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RatioMetric {
    /// True: the metric only grows. False: each point of a gauge is how many events there were
    /// since the last one. Needed for metrics.
    counter: Option<bool>,
    good: Option<Measured>,
    bad: Option<Measured>,
    total: Option<Measured>,
    /// A gauge whose points hold a ratio from 0 to 1.
    raw: Option<Measured>,
    raw_type: Option<RawType>,
}

/// Whether a `raw` ratio is that of good events or of bad ones.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RawType {
    Success,
    Failure,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Measured {
    metric_source: MetricSource,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct MetricSource {
    /// A `DataSource` of type `otlp`; or else `type`.
    metric_source_ref: Option<String>,
    r#type: Option<SourceType>,
    spec: Otlp,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
enum SourceType {
    Otlp,
}

/// Which spans or metric points: all of it must hold.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Otlp {
    signal: Signal,
    /// Attribute of the span or point, its scope or its resource → what its value must be like.
    #[schemars(extend("minProperties" = 1))]
    r#match: Option<BTreeMap<String, Test>>,
    /// Traces.
    span_kind: Option<SpanKind>,
    /// Traces.
    span_name: Option<Test>,
    /// Traces. An HTTP status belongs in `match`.
    status: Option<Status>,
    /// Traces: only spans without a parent, each of which stands for a whole trace.
    root: Option<True>,
    /// Under a `thresholdMetric`, what is held against the bound. Traces: `duration_ms`. Metrics:
    /// `increase` of a total in a time slice, or `age_s` of the Unix time that a gauge holds;
    /// without it, the metric's own values.
    value: Option<HeldValue>,
    /// Under a `thresholdMetric` with time slices: a slice is good when this share of its values
    /// hold. p99 is 0.99.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    quantile: Option<f64>,
    /// Metrics: the metric's name.
    metric: Option<String>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Signal {
    Traces,
    Metrics,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
enum SpanKind {
    Server,
    Client,
    Producer,
    Consumer,
    Internal,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    Error,
    Ok,
    Unset,
}

#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
enum HeldValue {
    DurationMs,
    Increase,
    AgeS,
}

/// Always true.
#[derive(JsonSchema)]
struct True(#[schemars(extend("const" = true))] bool);

#[derive(JsonSchema)]
#[serde(untagged)]
enum Test {
    Equal(Scalar),
    Operators(Operators),
}

/// All that are given must hold.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Operators {
    r#in: Option<Vec<Scalar>>,
    /// Neither this nor one of these; holds for a missing attribute, too.
    not: Option<Label>,
    prefix: Option<String>,
    /// Found anywhere in the text; anchor with `^` and `$`.
    regex: Option<String>,
    /// A regular expression that is found nowhere in it; a missing attribute passes.
    not_regex: Option<String>,
    gt: Option<f64>,
    gte: Option<f64>,
    lt: Option<f64>,
    lte: Option<f64>,
    exists: Option<bool>,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Service {
    description: Option<String>,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DataSource {
    description: Option<String>,
    r#type: SourceType,
    /// Empty: telemetry is sent to sloburn.
    #[schemars(extend("maxProperties" = 0))]
    connection_details: Option<BTreeMap<String, Scalar>>,
}
