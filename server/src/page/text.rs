//! Numbers and times as a page says them.

use std::time::Duration;

use jiff::Timestamp;
use slo_specs::{Noun, Tally};

/// Cuts to at most `limit` characters, the last of them `…` if anything was cut.
pub(super) fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// With a capital letter at the front.
pub(super) fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(rest).collect()
    })
}

/// How many of the events are bad, for a title: `1 in 4 requests`, `37% of requests`, `every request`. `None`
/// without events.
pub(super) fn share_of(tally: Tally, counted: Noun) -> Option<String> {
    let ratio = tally.error_ratio()?;
    if tally.bad == tally.total {
        return Some(format!("every {}", counted.one()));
    }
    // The nearest of 1 in 2, 1 in 3, … 1 in 20, if it is within a tenth.
    let off = |n: u32| (ratio * f64::from(n) - 1.0).abs();
    let one_in = (2..=20)
        .min_by(|&a, &b| off(a).total_cmp(&off(b)))
        .filter(|&n| off(n) <= 0.1);
    Some(one_in.map_or_else(
        || format!("{} of {counted}", percent(ratio)),
        |n| format!("1 in {n} {counted}"),
    ))
}

/// A share as percent, never rounded to nothing or to all: `37%`, `6.2%`, `0.25%`, `under 0.01%`.
pub(super) fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    match percent {
        p if (99.95..100.0).contains(&p) => "over 99.9%".to_owned(),
        p if p >= 10.0 => format!("{p:.0}%"),
        p if p >= 1.0 => format!("{p:.1}%"),
        p if p >= 0.01 => format!("{p:.2}%"),
        p if p > 0.0 => "under 0.01%".to_owned(),
        _ => "0%".to_owned(),
    }
}

/// What is left of a budget, in whole percent with a true minus: `41%`, `−8%`.
pub(super) fn budget_percent(remaining: f64) -> String {
    // The small term undoes representation: 0.29 is stored as a little less.
    let percent = (remaining * 100.0 + 1e-9).floor();
    let sign = if percent < 0.0 { "\u{2212}" } else { "" };
    format!("{sign}{:.0}%", percent.abs())
}

/// At most two units, none below a minute when there are hours: `45 s`, `23 min`, `5 h 0 min`, `2 d 4 h`.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=3_599 => format!("{minutes} min"),
        3_600..=86_399 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// A time of day in UTC, with its date unless it is the day of `today`.
pub(super) fn clock_time(at: Timestamp, today: Timestamp) -> String {
    let same_day = at.strftime("%F").to_string() == today.strftime("%F").to_string();
    let format = if same_day {
        "%H:%M UTC"
    } else {
        "%-d %b %H:%M UTC"
    };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortened_text_keeps_its_limit_and_its_characters() {
        assert_eq!(shorten("short", 5), "short");
        assert_eq!(shorten("größer", 5), "größ…");
    }

    #[test]
    fn shares_read_as_people_say_them() {
        for (bad, total, said) in [
            (25, 100, "1 in 4 requests"),
            (27, 100, "1 in 4 requests"),
            (100, 1_000, "1 in 10 requests"),
            (40, 100, "40% of requests"),
            (62, 100, "62% of requests"),
            (12, 1_000, "1.2% of requests"),
            (25, 10_000, "0.25% of requests"),
            (1, 1_000_000, "under 0.01% of requests"),
            (9_999, 10_000, "over 99.9% of requests"),
            (7, 7, "every request"),
            (0, 7, "0% of requests"),
        ] {
            assert_eq!(
                share_of(Tally::new(total, bad), Noun::Request).unwrap(),
                said
            );
        }
        assert_eq!(share_of(Tally::EMPTY, Noun::Request), None);
    }

    #[test]
    fn budgets_are_never_rounded_up() {
        for (left, said) in [
            (0.419, "41%"),
            (1.0, "100%"),
            (0.0, "0%"),
            (-0.075, "−8%"),
            (-0.001, "−1%"),
            (0.29, "29%"),
        ] {
            assert_eq!(budget_percent(left), said);
        }
    }

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, said) in [
            (45, "45 s"),
            (1_380, "23 min"),
            (18_000, "5 h 0 min"),
            (187_200, "2 d 4 h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), said);
        }
    }

    #[test]
    fn times_of_another_day_have_their_date() {
        let at: Timestamp = "2026-03-10T08:14:59Z".parse().unwrap();
        assert_eq!(
            clock_time(at, "2026-03-10T02:54:00Z".parse().unwrap()),
            "08:14 UTC"
        );
        assert_eq!(
            clock_time(at, "2026-03-09T23:54:00Z".parse().unwrap()),
            "10 Mar 08:14 UTC"
        );
    }
}
