//! `Correction`: times that do not count.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::library::Library;
use super::meta::Meta;
use super::report::{Fields, Known, Report, closest};
use super::window::{civil, time_zone};
use super::yaml::{Node, Value};
use crate::window::instant_of;
use crate::{
    Catalog, Correction, CorrectionKind, CorrectionScope, Recurrence, RepeatRule, Source, Until,
    When, segment_keys,
};

/// Longest maintenance without a pause: alerts are not held for longer.
const MAX_HELD_S: i64 = 24 * 3_600;
const ZONE_HELP: &str = "end it with `Z` or an offset, or add `timeZone: Europe/Berlin`";
const START_HELP: &str = "such as `start: \"2026-01-31 22:00\"`";

const SPEC: Known = Known {
    fields: &[
        "description",
        "author",
        "type",
        "slos",
        "services",
        "segments",
        "start",
        "end",
        "duration",
        "timeZone",
        "recurrence",
    ],
};
const RECURRENCE: Known = Known {
    fields: &["rrule", "start", "duration", "timeZone", "until", "exclude"],
};

/// Reads a `Correction`. It holds only if no error was told of meanwhile.
pub(super) fn read(
    report: Report<'_>,
    meta: &Meta,
    spec: &Node,
    catalog: &Catalog,
    library: &Library,
    text: &str,
) -> Option<Correction> {
    let what = format!("correction `{}`", meta.name);
    let fields = Fields::of(report, spec, &what, SPEC)?;
    let required = |name, help| {
        let node = fields.require(name, help);
        node.and_then(|node| report.text(node, name))
    };
    let reason = required("description", "say why this time does not count");
    let author = required("author", "say who decided it");
    let kind = required("type", "write `type: maintenance` or `type: exclusion`");
    let kind = kind
        .and(fields.get("type"))
        .and_then(|node| kind_of(report, node));
    let scope = scope(&fields, catalog, library);
    let when = when(&fields);
    let (kind, when) = (kind?, when?);
    if kind == CorrectionKind::Maintenance {
        check_length(&fields, &when);
    }
    Some(Correction {
        name: meta.name.clone(),
        title: meta.title.clone().unwrap_or_else(|| meta.name.clone()),
        reason: reason?,
        author: author?,
        kind,
        scope,
        when,
        source: Source {
            file: report.file.to_owned(),
            line: fields.at.line,
            text: text.to_owned(),
        },
    })
}

/// Hands every objective the corrections that apply to it.
pub(super) fn attach(catalog: &mut Catalog) {
    catalog.corrections.sort_by(|a, b| a.name.cmp(&b.name));
    catalog.corrections.dedup_by(|a, b| a.name == b.name);
    for objective in &mut catalog.objectives {
        let applying = catalog.corrections.iter();
        let applying = applying.filter(|correction| correction.applies(objective));
        objective.corrections = applying.map(Arc::clone).collect();
    }
}

fn kind_of(report: Report<'_>, node: &Node) -> Option<CorrectionKind> {
    let word = report.word(node, "type", &["maintenance", "exclusion"])?;
    Some(match word.as_str() {
        "maintenance" => CorrectionKind::Maintenance,
        _ => CorrectionKind::Exclusion,
    })
}

fn scope(fields: &Fields<'_>, catalog: &Catalog, library: &Library) -> CorrectionScope {
    let report = fields.report;
    let slos = names(fields, "slos");
    let services = names(fields, "services");
    let segments = segments(fields, catalog);
    if slos.is_none() && services.is_none() && segments.is_empty() {
        let message = format!(
            "{} says neither `slos`, `services` nor `segments`",
            fields.what
        );
        report.error_with(
            fields.at,
            message,
            "say whose times do not count, such as `slos: [checkout]`",
        );
    }
    let (slos, services) = (slos.unwrap_or_default(), services.unwrap_or_default());
    let objectives = &catalog.objectives;
    let ids = objectives
        .iter()
        .flat_map(|one| [one.slo.as_str(), &one.id]);
    check_known(report, "SLO", &slos, ids.chain(library.slos.names()));
    let of_objectives = objectives.iter().map(|one| one.service.as_str());
    let declared = catalog.services.iter().map(|one| one.name.as_str());
    let known = of_objectives
        .chain(declared)
        .chain(library.services.names());
    check_known(report, "service", &services, known);
    let plain = |names: Vec<(String, &Node)>| {
        let names: BTreeSet<String> = names.into_iter().map(|(name, _)| name).collect();
        names.into_iter().collect()
    };
    CorrectionScope {
        slos: plain(slos),
        services: plain(services),
        segments,
    }
}

/// Attribute keys, each with a value or a list of them.
fn segments(fields: &Fields<'_>, catalog: &Catalog) -> Vec<(String, Vec<String>)> {
    let report = fields.report;
    let Some(node) = fields.get("segments") else {
        return Vec::new();
    };
    let Value::Map(entries) = &node.value else {
        let found = node.value.kind();
        report.error(node.at, format!("`segments` must be a map, not {found}"));
        return Vec::new();
    };
    let known = catalog.objectives.iter().flat_map(|one| &one.segments);
    let known: BTreeSet<&str> = known.flat_map(|by| segment_keys(by)).collect();
    let mut segments = Vec::new();
    for (key, value) in entries {
        let Some(name) = report.text(key, "segments") else {
            continue;
        };
        if !known.contains(name.as_str()) {
            let words: Vec<&str> = known.iter().copied().collect();
            let help = match closest(&name, &words) {
                Some(word) => format!("did you mean `{word}`?"),
                None => "an SLO tells them apart by `sloburn.dev/segments`".to_owned(),
            };
            report.error_with(key.at, format!("no SLO has segments by `{name}`"), help);
        }
        let values = match &value.value {
            Value::List(items) => items
                .iter()
                .filter_map(|item| report.text(item, &name))
                .collect(),
            _ => report.text(value, &name).into_iter().collect(),
        };
        segments.push((name, values));
    }
    segments.sort();
    segments
}

/// Names in a list that is not empty.
fn names<'a>(fields: &Fields<'a>, field: &str) -> Option<Vec<(String, &'a Node)>> {
    let report = fields.report;
    let node = fields.get(field)?;
    let items = report.list(node, field);
    if items.is_empty() && matches!(node.value, Value::List(_)) {
        let message = format!("`{field}` is empty");
        report.error_with(node.at, message, "name some, or leave it out");
    }
    let names = items
        .iter()
        .filter_map(|item| Some((report.text(item, field)?, item)));
    Some(names.collect())
}

fn check_known<'k>(
    report: Report<'_>,
    what: &str,
    names: &[(String, &Node)],
    known: impl Iterator<Item = &'k str>,
) {
    let known: BTreeSet<&str> = known.collect();
    for (name, node) in names {
        if known.contains(name.as_str()) {
            continue;
        }
        let words: Vec<&str> = known.iter().copied().collect();
        let help = match closest(name, &words) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("no file has a {what} of that name"),
        };
        report.error_with(node.at, format!("{what} `{name}` does not exist"), help);
    }
}

fn when(fields: &Fields<'_>) -> Option<When> {
    let Some(node) = fields.get("recurrence") else {
        return once(fields);
    };
    for name in ["start", "end", "duration", "timeZone"] {
        if fields.has(name) {
            let message = format!("{} has both `recurrence` and `{name}`", fields.what);
            let help = "what recurs says inside of `recurrence` when; else remove `recurrence`";
            fields.report.error_with(fields.place(name), message, help);
        }
    }
    recurring(fields.report, node)
}

fn once(fields: &Fields<'_>) -> Option<When> {
    let report = fields.report;
    let zone = fields.get("timeZone");
    let zone = zone.and_then(|node| time_zone(report, node));
    let start = fields.require("start", START_HELP);
    let start_s = start.and_then(|node| instant(fields, node, "start", zone.as_ref()));
    let end_s = match (fields.get("end"), fields.get("duration")) {
        (Some(node), None) => instant(fields, node, "end", zone.as_ref()),
        (None, Some(node)) => {
            let length = report.window(node, "duration");
            let length = length.and_then(|length| i64::try_from(length.as_secs()).ok());
            start_s?.checked_add(length?)
        }
        (Some(_), Some(_)) => {
            let message = format!("{} has both `end` and `duration`", fields.what);
            report.error_with(fields.place("duration"), message, "keep one of them");
            None
        }
        (None, None) => {
            fields.require("end", "add `end`, or `duration: 2h`");
            None
        }
    };
    let (start_s, end_s) = (start_s?, end_s?);
    if end_s <= start_s {
        let message = format!("{} ends before it has begun", fields.what);
        report.error(fields.place("end"), message);
        return None;
    }
    Some(When::Once { start_s, end_s })
}

/// A whole minute: with `Z` or an offset, or by the clocks of the zone.
fn instant(fields: &Fields<'_>, node: &Node, name: &str, zone: Option<&TimeZone>) -> Option<i64> {
    let report = fields.report;
    let text = report.text(node, name)?;
    if let Ok(instant) = text.trim().replacen(' ', "T", 1).parse::<Timestamp>() {
        if fields.has("timeZone") {
            let message = format!("`{name}` says itself how far its clocks are from UTC");
            let help = "remove `timeZone`, or the `Z` or offset of the time";
            report.error_with(node.at, message, help);
        }
        let second = instant.as_second();
        if second % 60 != 0 || instant.subsec_nanosecond() != 0 {
            let message = format!("`{name}` is `{text}`, which is not a whole minute");
            report.error_with(node.at, message, "budgets are counted by the minute");
        }
        return Some(second);
    }
    let civil = civil(report, node, name)?;
    if zone.is_none() && !fields.has("timeZone") {
        let message = format!("`{name}` is `{text}`, but by whose clocks");
        report.error_with(node.at, message, ZONE_HELP);
    }
    Some(instant_of(zone?, civil))
}

fn recurring(report: Report<'_>, node: &Node) -> Option<When> {
    let fields = Fields::of(report, node, "recurrence", RECURRENCE)?;
    let rule_node = fields.require("rrule", "such as `rrule: FREQ=WEEKLY;BYDAY=SU`");
    let rule = rule_node.and_then(|node| rule(report, node));
    let start = fields.require("start", START_HELP);
    let start = start.and_then(|node| civil(report, node, "start"));
    let length = fields.require("duration", "how long it takes, such as `duration: 2h`");
    let length = length.and_then(|node| report.window(node, "duration"));
    let zone = fields.require(
        "timeZone",
        "whose clocks, such as `timeZone: Europe/Berlin`",
    );
    let zone = zone.and_then(|node| time_zone(report, node));
    let until = fields.get("until");
    let until = until.map(|node| last(&fields, node, rule.as_ref()));
    let except = except(&fields);
    let (rule, start, zone) = (rule?, start?, zone?);
    let rule = match until {
        Some(until) => rule.ending(until?),
        None => rule,
    };
    recurrence(report, rule_node?, (rule, start, zone, length?, except))
}

fn recurrence(
    report: Report<'_>,
    node: &Node,
    (rule, start, zone, length, except): (
        RepeatRule,
        DateTime,
        TimeZone,
        Duration,
        BTreeSet<jiff::civil::Date>,
    ),
) -> Option<When> {
    match Recurrence::new(rule, start, zone, length, except) {
        Ok(recurrence) => Some(When::Recurring(recurrence)),
        Err(error) => {
            let message = format!("`rrule` cannot be followed: {error}");
            let help = "let `start` be its first day, and COUNT no more than there are days";
            report.error_with(node.at, message, help);
            None
        }
    }
}

fn rule(report: Report<'_>, node: &Node) -> Option<RepeatRule> {
    let text = report.text(node, "rrule")?;
    match text.parse() {
        Ok(rule) => Some(rule),
        Err(error) => {
            let error: crate::RuleError = error;
            let message = format!("`rrule` is `{text}`: {error}");
            let help = "write it as in RFC 5545, such as `FREQ=MONTHLY;BYDAY=2TU`";
            report.error_with(node.at, message, help);
            None
        }
    }
}

/// `until`, which says the same as the rule's own UNTIL.
fn last(fields: &Fields<'_>, node: &Node, rule: Option<&RepeatRule>) -> Option<Until> {
    let report = fields.report;
    if rule.is_some_and(RepeatRule::ends) {
        let message = "`until` stands beside a rule that ends by itself";
        report.error_with(fields.place("until"), message, "keep one of them");
        return None;
    }
    let text = report.text(node, "until")?;
    if let Ok(day) = text.trim().parse() {
        return Some(Until::Day(day));
    }
    civil(report, node, "until").map(Until::Civil)
}

/// Days on which it does not occur.
fn except(fields: &Fields<'_>) -> BTreeSet<jiff::civil::Date> {
    let report = fields.report;
    let Some(node) = fields.get("exclude") else {
        return BTreeSet::new();
    };
    let day = |item: &Node| {
        let text = report.text(item, "exclude")?;
        let day = text.trim().parse().ok();
        if day.is_none() {
            let message = format!("`exclude` has `{text}`, which is not a date");
            report.error_with(item.at, message, "write days as `2026-12-27`");
        }
        day
    };
    report
        .list(node, "exclude")
        .iter()
        .filter_map(day)
        .collect()
}

/// Alerts are held during maintenance, so it must end.
fn check_length(fields: &Fields<'_>, when: &When) {
    let (length_s, name) = match when {
        When::Once { start_s, end_s } => (end_s - start_s, "start"),
        When::Recurring(recurrence) => (recurrence.longest_stretch_s(), "recurrence"),
    };
    if length_s > MAX_HELD_S {
        let length = crate::window_name(Duration::from_secs(length_s.unsigned_abs()));
        let message = format!(
            "{} lasts {length} without a pause; at most 24h",
            fields.what
        );
        let help = "alerts are held meanwhile: shorten it, or write `type: exclusion`";
        fields.report.error_with(fields.place(name), message, help);
    }
}
