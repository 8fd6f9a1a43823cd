//! Corrections: times that do not count.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::{CivilTime, TimeZone, Window};

/// Times that do not count for some objectives, and why.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Correction {
    /// Why it does not count.
    description: String,
    /// Who decided it.
    author: String,
    r#type: CorrectionType,
    /// Names of SLOs, or ids of single objectives.
    #[schemars(length(min = 1))]
    slos: Option<Vec<String>>,
    /// Names of services: all their objectives.
    #[schemars(length(min = 1))]
    services: Option<Vec<String>>,
    /// Attribute keys with the values (`none` where it is missing) of the segments it is about.
    segments: Option<BTreeMap<String, OneOrMore>>,
    /// With `Z` or an offset, or by the clocks of `timeZone`; whole minutes.
    start: Option<String>,
    /// As `start`; or else `duration`.
    end: Option<String>,
    duration: Option<Window>,
    time_zone: Option<TimeZone>,
    /// Instead of `start` and `end`: again and again.
    recurrence: Option<Recurrence>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
enum CorrectionType {
    /// No alert begins meanwhile; at most 24 hours without a pause.
    Maintenance,
    /// Alerts go on.
    Exclusion,
}

/// Days of an RFC 5545 rule, by the clocks of a zone.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Recurrence {
    /// `FREQ=WEEKLY;BYDAY=SU`: FREQ (DAILY, WEEKLY, MONTHLY, YEARLY), INTERVAL, BYDAY, BYMONTHDAY, BYMONTH,
    /// COUNT, UNTIL.
    rrule: String,
    /// The first time; a day of the rule.
    start: CivilTime,
    /// Exact, also where clocks change.
    duration: Window,
    time_zone: TimeZone,
    /// The last day, or the last time it may begin.
    until: Option<CivilTime>,
    /// Days on which it does not occur.
    exclude: Option<Vec<String>>,
}
