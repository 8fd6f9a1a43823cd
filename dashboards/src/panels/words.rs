//! Sentences that several panels say.

use std::time::Duration;

use jiff::Timestamp;
use slo_specs::Noun;

use crate::format;
use crate::number::real;
use crate::view::{Budget, Correction, Counts, Failure, Objective, Outlook, Range, Status, Window};

/// What follows for the budget, short: `5 h 00 min`, `not at this rate`.
pub(crate) fn outlook(outlook: Outlook) -> String {
    match outlook {
        Outlook::Unknown => "unknown".to_owned(),
        Outlook::NotAtThisRate => "not at this rate".to_owned(),
        Outlook::NotThisPeriod => "not in this period".to_owned(),
        Outlook::EmptyIn(left) => format::duration(left),
        Outlook::Empty => "empty".to_owned(),
    }
}

/// When that is: `at 08:14`.
pub(crate) fn empty_at(left: Duration, now: Timestamp) -> String {
    now.checked_add(left).map_or_else(
        |_| "never".to_owned(),
        |at| format!("at {}", format::time(at, now)),
    )
}

/// The second line of a status: since when, last seen, how fast.
pub(crate) fn since(objective: &Objective, now: Timestamp) -> String {
    let seen = |what: &str, at: Option<Timestamp>| {
        at.map_or_else(String::new, |at| {
            format!("{what} {}", format::moment(at, now))
        })
    };
    match objective.status {
        Status::Paging | Status::Missed => seen("since", objective.since),
        Status::Ticket => objective.since.map_or_else(String::new, |since| {
            format!("for {}", format::duration(format::between(since, now)))
        }),
        Status::NoData => match objective.last_event {
            Some(_) => seen("last seen", objective.last_event),
            None => "never seen".to_owned(),
        },
        Status::OnTrack => String::new(),
    }
}

/// `99.9% over 30 d`, or `99.9% a month`.
pub(crate) fn promise(objective: &Objective) -> String {
    let target = format::target(objective.target);
    match &objective.window {
        Window::Rolling(length) => format!("{target} over {}", format::window(*length)),
        Window::Period(period) => format!("{target} each {}", period.length),
    }
}

/// Which time is counted: `30 d`, or `since 1 Mar`.
pub(crate) fn window(window: &Window) -> String {
    match window {
        Window::Rolling(length) => format::window(*length),
        Window::Period(period) => format!("since {}", period.began),
    }
}

/// Of a period, when it began, and when the budget is whole again: `since 1 Mar, resets 1 Apr (Europe/Berlin)`.
pub(crate) fn period(window: &Window) -> Option<String> {
    let Window::Period(period) = window else {
        return None;
    };
    Some(format!(
        "since {}, resets {} ({})",
        period.began, period.resets, period.zone
    ))
}

/// Whether what a range holds is corrected: stored slices, which some panels are made from, are not.
pub(crate) fn uncorrected(corrections: &[Correction], range: Range) -> &'static str {
    let within = |one: &Correction| {
        let (from, until) = one.latest;
        from < range.to && one.until.unwrap_or(until) > range.from
    };
    if corrections.iter().any(within) {
        ", times that do not count included"
    } else {
        ""
    }
}

/// When measuring began inside the window: `6 d of 30 d measured`.
pub(crate) fn measured(budget: &Budget, window: &Window, now: Timestamp) -> Option<String> {
    let length = format::between(budget.measured_since?, now);
    let (whole, shown) = match window {
        Window::Rolling(window) => (*window, format::window(*window)),
        Window::Period(period) => {
            let since = format::between(period.from, now);
            (
                since,
                format!("{} since {}", format::duration(since), period.began),
            )
        }
    };
    (length < whole).then(|| {
        format!(
            "{} of {shown} measured; budget counted for that time",
            format::duration(length),
        )
    })
}

/// Too few events to speak in per cent: what one failure would be.
pub(crate) fn thin(
    (counts, counted): (Counts, Noun),
    length: Duration,
    target: f64,
) -> Option<String> {
    let few = counts.total > 0 && counts.total < 30 && target < 1.0;
    few.then(|| {
        format!(
            "{} {} in {}: one failure would be {}",
            counts.total,
            counted.count(counts.total),
            format::window(length),
            format::share(1.0 / real(counts.total))
        )
    })
}

/// The title of a page: what its users see. `checkout fails for 1 in 4 requests`.
pub(crate) fn impact(service: &str, failure: Failure, (counts, counted): (Counts, Noun)) -> String {
    let what = match failure {
        Failure::Fails => "fails",
        Failure::TooSlow => "is too slow",
        Failure::OutOfBounds => "is out of bounds",
        Failure::OutOfDate => "is out of date",
    };
    let Some(ratio) = counts.error_ratio() else {
        return format!("{service} {what}");
    };
    let of = if counted.is_time() { "in" } else { "for" };
    if ratio >= 0.95 {
        return format!("{service} {what} {of} nearly every {}", counted.one());
    }
    match format::one_in(ratio) {
        Some(part) => format!("{service} {what} {of} {part} {counted}"),
        None => format!(
            "{service} {what} {of} {} of {counted}",
            format::failing(counts)
        ),
    }
}

/// `checkout`, `checkout and search`, `checkout, search and two more`.
pub(crate) fn list<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    let (first, second) = (names.next(), names.next());
    match (first, second, names.count()) {
        (None, ..) => String::new(),
        (Some(first), None, _) => first.to_owned(),
        (Some(first), Some(second), 0) => format!("{first} and {second}"),
        (Some(first), Some(second), more) => {
            format!("{first}, {second} and {} more", format::words(more))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_titled_by_its_impact() {
        let counts = |total, bad| (Counts { total, bad }, Noun::Request);
        assert_eq!(
            impact("checkout", Failure::Fails, counts(100, 25)),
            "checkout fails for 1 in 4 requests"
        );
        assert_eq!(
            impact("checkout", Failure::TooSlow, counts(1_000, 388)),
            "checkout is too slow for 38.8% of requests"
        );
        assert_eq!(
            impact("search", Failure::Fails, counts(50, 50)),
            "search fails for nearly every request"
        );
        assert_eq!(
            impact("search", Failure::OutOfBounds, counts(0, 0)),
            "search is out of bounds"
        );
        let slices = |bad| (Counts { total: 10, bad }, Noun::TimeSlice);
        assert_eq!(
            impact("search", Failure::OutOfBounds, slices(5)),
            "search is out of bounds in 1 in 2 time slices"
        );
        assert_eq!(
            impact("search", Failure::OutOfDate, slices(10)),
            "search is out of date in nearly every time slice"
        );
        assert_eq!(list(["a", "b", "c", "d"].into_iter()), "a, b and two more");
    }
}
