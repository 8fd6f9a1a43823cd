//! Figures of a burn rule: severity, threshold, windows, hold.

use std::time::Duration;

use super::condition::Spend;
use super::meta::Meta;
use super::report::{Fields, Report};
use super::yaml::{Node, Position, Value};
use crate::{Bound, BurnRate, NumberError, Ratio, Severity};

/// Seconds of the grid that windows are cut at.
const GRID_S: u64 = 10;
/// A long window is this many times its short one, unless said otherwise.
const SHORT_PART: u64 = 12;

const SEVERITIES: &[&str] = &["page", "ticket"];
/// Words of an OpenSLO condition's severity that wake somebody.
pub(super) const PAGES: &[&str] = &[
    "page",
    "critical",
    "fatal",
    "emergency",
    "urgent",
    "high",
    "sev0",
    "sev1",
    "p0",
    "p1",
];
/// Words that wait for the morning.
pub(super) const TICKETS: &[&str] = &[
    "ticket", "warning", "warn", "medium", "minor", "low", "notice", "info", "sev2", "sev3",
    "sev4", "sev5", "p2", "p3", "p4", "p5",
];

pub(super) fn bound(fields: &Fields<'_>) -> Option<Bound> {
    let node = fields.require("op", "write `op: gt`")?;
    let op = fields
        .report
        .word(node, "op", &["gt", "gte", "lt", "lte"])?;
    match op.as_str() {
        "gt" => Some(Bound::Above),
        "gte" => Some(Bound::AtLeast),
        _ => {
            let message = format!("`op` is `{op}`, which alerts while the burn rate is low");
            fields
                .report
                .error_with(node.at, message, "write `op: gt` or `op: gte`");
            None
        }
    }
}

pub(super) fn severity(fields: &Fields<'_>) -> Option<Severity> {
    let node = fields.require("severity", "it is one of page, ticket")?;
    let word = fields.report.word(node, "severity", SEVERITIES)?;
    Some(if word == "page" {
        Severity::Page
    } else {
        Severity::Ticket
    })
}

/// The severity of an OpenSLO condition, which may be any word: those that we know are sorted into
/// ours, whatever their case. A word that nobody can place is a problem, not a guess.
pub(super) fn severity_word(fields: &Fields<'_>) -> Option<Severity> {
    let report = fields.report;
    let node = fields.require(
        "severity",
        "it is page or ticket, or a word such as critical",
    )?;
    let text = report.text(node, "severity")?;
    let word = text.to_lowercase();
    if PAGES.contains(&word.as_str()) {
        return Some(Severity::Page);
    }
    if TICKETS.contains(&word.as_str()) {
        return Some(Severity::Ticket);
    }
    let (pages, tickets) = (PAGES.join(", "), TICKETS.join(", "));
    let help = format!("these are pages: {pages}; these are tickets: {tickets}");
    let message = format!("`severity` is `{text}`, which is unknown");
    report.error_with(node.at, message, help);
    None
}

pub(super) fn spend(fields: &Fields<'_>) -> Option<Spend> {
    let report = fields.report;
    match (fields.get("budgetShare"), fields.get("burnRate")) {
        (Some(node), None) => decimal_share(report, node, "budgetShare").map(Spend::Share),
        (None, Some(node)) => burn_rate(report, node, "burnRate"),
        (Some(_), Some(_)) => {
            let message = format!("{} has both `budgetShare` and `burnRate`", fields.what);
            report.error_with(fields.place("burnRate"), message, "keep one of them");
            None
        }
        (None, None) => {
            let help = "write `budgetShare: 0.02` (of the SLO window's budget) or `burnRate: 2`, or \
                        another condition: budgetLeft, budgetDrop, timeToEmpty, noData, all, any";
            let message = format!("{} has neither `budgetShare` nor `burnRate`", fields.what);
            report.error_with(fields.at, message, help);
            None
        }
    }
}

/// A share of a budget.
pub(super) fn decimal_share(report: Report<'_>, node: &Node, name: &str) -> Option<Ratio> {
    let text = report.text(node, name)?;
    match text.parse() {
        Ok(share) => Some(share),
        Err(why) => {
            let why: NumberError = why;
            let message = format!("`{name}` is {text}, {why}");
            report.error_with(node.at, message, "2 % of the budget is `0.02`");
            None
        }
    }
}

pub(super) fn burn_rate(report: Report<'_>, node: &Node, name: &str) -> Option<Spend> {
    let text = report.text(node, name)?;
    let zero = BurnRate::new(0, 1);
    match text.parse::<BurnRate>() {
        Ok(rate) if Some(rate) != zero => Some(Spend::Rate(rate)),
        Ok(_) => {
            report.error(
                node.at,
                format!("`{name}` is {text}; a burn rate to alert on is above 0"),
            );
            None
        }
        Err(why) => {
            report.error(node.at, format!("`{name}` is {text}, {why}"));
            None
        }
    }
}

pub(super) fn count(report: Report<'_>, node: &Node) -> Option<u64> {
    let text = report.text(node, "minimumBadEvents")?;
    let count = text.parse().ok().filter(|count| *count > 0);
    if count.is_none() {
        let message = format!("`minimumBadEvents` is {text}, not a whole number above 0");
        report.error(node.at, message);
    }
    count
}

/// A hold; `0m` is none, as OpenSLO writes it.
pub(super) fn hold(fields: &Fields<'_>, name: &str) -> Duration {
    let zero = |node: &&Node| {
        matches!(&node.value, Value::Text(text)
            if text.strip_suffix(['m', 'h', 'd', 'w']).is_some_and(|n| n == "0"))
    };
    if fields.get(name).as_ref().is_some_and(zero) {
        return Duration::ZERO;
    }
    fields.window(name).unwrap_or_default()
}

pub(super) fn short_of_annotation(
    report: Report<'_>,
    meta: &Meta,
    long: Duration,
) -> Option<Duration> {
    let Some((text, at)) = meta.annotation("short-window") else {
        return Some(twelfth(long));
    };
    let node = Node {
        value: Value::Text(text.to_owned()),
        at,
    };
    let short = report.window(&node, "short-window")?;
    check_short(report, at, short, long);
    Some(short)
}

pub(super) fn check_short(report: Report<'_>, at: Position, short: Duration, long: Duration) {
    if short > long {
        let (short, long) = (crate::window_name(short), crate::window_name(long));
        report.error(
            at,
            format!("short window {short} is longer than the long window {long}"),
        );
    }
}

/// A twelfth, up to the grid.
pub(super) fn twelfth(long: Duration) -> Duration {
    Duration::from_secs(long.as_secs().div_ceil(SHORT_PART).next_multiple_of(GRID_S))
}
