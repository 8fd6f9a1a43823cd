//! `timeWindow` of an SLO: rolling windows and periods of the calendar.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::report::{Fields, Known, MAX_WINDOW, Report};
use super::yaml::{Node, Value};
use crate::window::{civil_time, parse_window, split_length, zone_named};
use crate::{Calendar, CalendarUnit, Objective, Window};

/// Most windows of one SLO.
const MAX_WINDOWS: usize = 10;
const HELP: &str = "write `timeWindow: [{ duration: 30d, isRolling: true }]`";
/// The window of an SLO that names none.
const USUAL: Duration = Duration::from_hours(30 * 24);
const LENGTH_HELP: &str = "such as `duration: 30d`, or `1M` with a calendar";

const TIME_WINDOW: Known = Known {
    fields: &["duration", "isRolling", "calendar"],
};
const CALENDAR: Known = Known {
    fields: &["startTime", "timeZone"],
};

/// Reads every window, in their order. They hold only if no error was told of meanwhile.
pub(super) fn time_windows(fields: &Fields<'_>) -> Option<Vec<Window>> {
    let report = fields.report;
    let Some(node) = fields.get("timeWindow") else {
        let message = format!(
            "{} has no `timeWindow`; it is judged over the last 30 days",
            fields.what
        );
        let help = format!("{HELP}; `--strict` refuses to do without");
        report.warn(fields.place("timeWindow"), message, help);
        return Some(vec![Window::Rolling(USUAL)]);
    };
    let items = report.list(node, "timeWindow");
    if items.is_empty() && matches!(node.value, Value::List(_)) {
        report.error_with(node.at, "`timeWindow` is empty", HELP);
    }
    if let Some(beyond) = items.get(MAX_WINDOWS) {
        let message = format!("{} has more than {MAX_WINDOWS} windows", fields.what);
        report.error_with(beyond.at, message, "write another SLO over the same SLI");
    }
    let mut windows: Vec<Window> = Vec::new();
    for item in items.iter().take(MAX_WINDOWS) {
        let Some(window) = time_window(report, item) else {
            continue;
        };
        if windows.iter().any(|known| known.label() == window.label()) {
            let message = format!("{} has two windows of `{}`", fields.what, window.label());
            let help = "remove one; for another time zone write another SLO over the same SLI";
            report.error_with(item.at, message, help);
        }
        windows.push(window);
    }
    (!windows.is_empty()).then_some(windows)
}

/// An objective once for every further window: the same promise over another time. Only the first has
/// the SLO's id and its rules, so that nobody is paged twice for one thing.
pub(super) fn over_each(objective: Objective, windows: &[Window]) -> Vec<Objective> {
    let further = windows.iter().skip(1).map(|window| Objective {
        id: format!("{}.{}", objective.id, window.label()),
        title: format!("{}, {}", objective.title, window.title_words()),
        window: window.clone(),
        rules: Vec::new(),
        allowances: Vec::new(),
        ..objective.clone()
    });
    let further: Vec<Objective> = further.collect();
    std::iter::once(objective).chain(further).collect()
}

fn time_window(report: Report<'_>, item: &Node) -> Option<Window> {
    let fields = Fields::of(report, item, "timeWindow", TIME_WINDOW)?;
    let rolling = fields.get("isRolling");
    let is_rolling = rolling.and_then(|node| report.bool(node, "isRolling"));
    let calendar = fields.get("calendar");
    match (calendar, is_rolling) {
        (Some(_), Some(true)) => {
            let message = "a rolling window has no `calendar`";
            let help = "write `isRolling: false`, or remove the calendar";
            report.error_with(fields.place("calendar"), message, help);
        }
        (None, Some(false)) => {
            let message = "a window that does not roll needs a `calendar`";
            let help = "add `calendar: { startTime: \"2024-01-01 00:00:00\", timeZone: Europe/Berlin }`, \
                        or write `isRolling: true`";
            report.error_with(fields.place("isRolling"), message, help);
        }
        (None, None) => {
            fields.require("isRolling", "write `isRolling: true`");
        }
        (Some(_), Some(false) | None) | (None, Some(true)) => {}
    }
    let duration = fields.require("duration", LENGTH_HELP);
    match calendar {
        Some(node) => {
            let start = start(report, node);
            let (count, unit) = units(report, duration?)?;
            let (start, zone) = start?;
            Some(Window::Calendar(Calendar::new(start, zone, count, unit)))
        }
        None if is_rolling == Some(false) => {
            units(report, duration?)?;
            None
        }
        None => rolling_window(report, duration?),
    }
}

/// A look-back; a month, a quarter or a year of one is 30, 90 or 365 days.
fn rolling_window(report: Report<'_>, node: &Node) -> Option<Window> {
    let text = report.text(node, "duration")?;
    let months = split_length(&text).and_then(|(count, unit)| match unit {
        "M" => Some(count.saturating_mul(30)),
        "Q" => Some(count.saturating_mul(90)),
        "Y" => Some(count.saturating_mul(365)),
        _ => None,
    });
    let Some(days) = months else {
        return report.window(node, "duration").map(Window::Rolling);
    };
    let length = parse_window(&format!("{days}d")).ok();
    let Some(length) = length.filter(|length| *length <= MAX_WINDOW) else {
        let message = format!("`duration` is `{text}`, {days} days; 1 to 400 are kept");
        report.error(node.at, message);
        return None;
    };
    let message = format!("a rolling window of `{text}` is {days} days of 24 hours, always");
    let help = format!("write `{days}d`, or add a calendar");
    report.warn(node.at, message, help);
    Some(Window::Rolling(length))
}

fn units(report: Report<'_>, node: &Node) -> Option<(u16, CalendarUnit)> {
    let text = report.text(node, "duration")?;
    let unit = split_length(&text).map(|(count, unit)| (count, CalendarUnit::of_letter(unit)));
    let Some((count, Some(unit))) = unit else {
        let message = format!("`duration` is `{text}`, which no calendar has");
        let help = "write a whole number above 0 and d, w, M, Q or Y, such as `1M`; `m` is minutes";
        report.error_with(node.at, message, help);
        return None;
    };
    // 400 days, whatever they are made of.
    let count = u16::try_from(count)
        .ok()
        .filter(|count| (1..=400).contains(count));
    let fits = |count: &u16| {
        let zone = TimeZone::UTC;
        let calendar = Calendar::new(
            DateTime::constant(2024, 1, 1, 0, 0, 0, 0),
            zone,
            *count,
            unit,
        );
        Window::Calendar(calendar).nominal() <= MAX_WINDOW
    };
    let count = count.filter(fits);
    if count.is_none() {
        let message = format!("`duration` is `{text}`; 1 to 400 days are kept");
        report.error_with(node.at, message, "a year is `1Y`");
    }
    Some((count?, unit))
}

fn start(report: Report<'_>, node: &Node) -> Option<(DateTime, TimeZone)> {
    let fields = Fields::of(report, node, "calendar", CALENDAR)?;
    let help = "when a period begins, such as `startTime: \"2024-01-01 00:00:00\"`";
    let start = fields.require("startTime", help);
    let start = start.and_then(|node| civil(report, node, "startTime"));
    let help = "whose clocks, such as `timeZone: Europe/Berlin`";
    let zone = fields.require("timeZone", help);
    let zone = zone.and_then(|node| time_zone(report, node));
    Some((start?, zone?))
}

/// A time by the clocks of a zone, to the minute, since 1970.
pub(super) fn civil(report: Report<'_>, node: &Node, name: &str) -> Option<DateTime> {
    let text = report.text(node, name)?;
    let Some(civil) = civil_time(&text) else {
        let message = format!("`{name}` is `{text}`, which is not a date and a time");
        let help = "write it as `2024-01-31 00:00`, by the clocks of the time zone";
        report.error_with(node.at, message, help);
        return None;
    };
    if civil.second() != 0 {
        let message = format!("`{name}` is `{text}`, which is not a whole minute");
        report.error_with(node.at, message, "budgets are counted by the minute");
        return None;
    }
    if !(1970..=9000).contains(&civil.year()) {
        let message = format!("`{name}` is `{text}`; years are 1970 to 9000");
        report.error_with(node.at, message, "periods go on for ever");
        return None;
    }
    Some(civil)
}

/// A zone of the IANA database.
pub(super) fn time_zone(report: Report<'_>, node: &Node) -> Option<TimeZone> {
    let text = report.text(node, "timeZone")?;
    let zone = zone_named(&text);
    if zone.is_none() {
        let message = format!("`timeZone` is `{text}`, which the IANA database does not have");
        let names = crate::window::zone_names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let help = match super::report::closest(&text, &names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "write an area and a city, such as `Europe/Berlin`, or `UTC`".to_owned(),
        };
        report.error_with(node.at, message, help);
    }
    zone
}
