//! Burn, rule by rule: how far from firing, and which way it goes.

use std::time::Duration;

use askama::Template;
use jiff::Timestamp;

use super::{Panel, Part, mark, state};
use crate::charts::burn::rung;
use crate::markup::Markup;
use crate::view::{Rule, RulePhase, Severity};
use crate::{Text, format};

#[derive(Template)]
#[template(path = "panels/ladder.html")]
struct Ladder<'a> {
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    id: Text,
    name: &'a Text,
    threshold: String,
    windows: String,
    severity: &'static str,
    rung: Markup,
    long: String,
    short: String,
    status: Markup,
    note: String,
    focused: bool,
}

/// Where a rule is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It fires.
    Firing(Timestamp),
    /// Both windows are past the mark, and it is held back.
    Pending(Timestamp),
    /// Both are past the mark, but too few events failed for it to fire.
    TooFew,
    /// The short window is past the mark: the long one follows in so long.
    Rising(Option<Duration>),
    /// The long window is past the mark, the short one no more.
    Recovering(Option<Duration>),
    /// Neither.
    Calm,
    /// Nothing was measured.
    Unknown,
}

/// The panel.
pub(crate) fn panel(rules: &[Rule], focus: Option<&str>, now: Timestamp) -> Part {
    let paged = rules.iter().any(|rule| {
        rule.severity == Severity::Page && matches!(rule.phase, RulePhase::Firing { .. })
    });
    let body = if rules.is_empty() {
        state(
            "This objective has no rule.",
            "Nobody is told when its budget burns.",
        )
    } else {
        Markup::of(&Ladder {
            rows: rules
                .iter()
                .map(|rule| row(rule, paged, focus, now))
                .collect(),
        })
    };
    Panel {
        id: "ladder",
        class: "c6",
        title: "Burn, rule by rule",
        lead: "How far from firing, and which way".to_owned(),
        body,
        focused: focus == Some("ladder"),
        ..Panel::default()
    }
    .part()
}

fn row<'a>(rule: &'a Rule, paged: bool, focus: Option<&str>, now: Timestamp) -> Row<'a> {
    let way = way(rule);
    let severity = match rule.severity {
        Severity::Page => "page",
        Severity::Ticket => "ticket",
    };
    let shape = if rule.severity == Severity::Page {
        "page"
    } else {
        "watch"
    };
    let covered = paged && rule.severity == Severity::Ticket;
    let lasting = |since| format::duration(format::between(since, now));
    let (status, note) = match way {
        Way::Firing(_) if covered => (
            mark(shape, shape, "Firing"),
            "covered by the page".to_owned(),
        ),
        Way::Firing(since) => (mark(shape, shape, "Firing"), lasting(since)),
        Way::Pending(since) => (
            mark("watch", "up", "Pending"),
            format!("for {}", lasting(since)),
        ),
        Way::TooFew => (
            mark("watch", "up", "Too few"),
            format!(
                "{} failed, fires from {}",
                format::grouped(rule.long_bad),
                rule.minimum_bad
            ),
        ),
        Way::Rising(left) => (mark("watch", "up", "Rising"), eta("fires in", left)),
        Way::Recovering(left) => (mark("ok", "down", "Recovering"), eta("clears in", left)),
        Way::Calm => (mark("ok", "ok", "Calm"), String::new()),
        Way::Unknown => (mark("none", "none", "No data"), String::new()),
    };
    let hot = matches!(way, Way::Firing(_) | Way::Pending(_) | Way::TooFew);
    let id = format!("rule:{}", rule.name);
    Row {
        focused: focus == Some(id.as_str()),
        id: Text::new(&id),
        name: &rule.name,
        threshold: format::threshold(rule.threshold),
        windows: format!(
            "over {} and {}",
            format::window_short(rule.long),
            format::window_short(rule.short)
        ),
        severity,
        rung: rung(
            rule.threshold,
            rule.long_burn,
            rule.short_burn,
            rule.severity,
            hot,
        ),
        long: format::burn(rule.long_burn),
        short: format::burn(rule.short_burn),
        status,
        note,
    }
}

fn eta(what: &str, left: Option<Duration>) -> String {
    left.map_or_else(String::new, |left| {
        format!("{what} {}", format::duration(left))
    })
}

/// Which way a rule goes.
///
/// Rising and recovering say when the long window crosses the mark if events go on at the short window's
/// rate and traffic is even: it moves from `L` to `S` within its own length, so it crosses `T` after
/// `long · (T − L) ÷ (S − L)`.
pub(crate) fn way(rule: &Rule) -> Way {
    let crossing = |long: f64, short: f64| {
        let share = (rule.threshold - long) / (short - long);
        share
            .is_finite()
            .then(|| rule.long.mul_f64(share.clamp(0.0, 1.0)))
    };
    match (rule.phase, rule.long_burn, rule.short_burn) {
        (RulePhase::Firing { since }, ..) => Way::Firing(since),
        (RulePhase::Pending { since }, ..) => Way::Pending(since),
        (_, None, _) | (_, _, None) => Way::Unknown,
        (_, Some(long), Some(short)) => match (long > rule.threshold, short > rule.threshold) {
            (true, true) if rule.long_bad < rule.minimum_bad => Way::TooFew,
            // The alert machine fires at the next evaluation.
            (true, true) => Way::Rising(None),
            (false, true) => Way::Rising(crossing(long, short)),
            (true, false) => Way::Recovering(crossing(long, short)),
            (false, false) => Way::Calm,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(long: Option<f64>, short: Option<f64>) -> Rule {
        Rule {
            name: Text::new("page-fast"),
            severity: Severity::Page,
            long: Duration::from_hours(1),
            short: Duration::from_mins(5),
            threshold: 14.4,
            long_burn: long,
            short_burn: short,
            minimum_bad: 3,
            long_bad: 100,
            phase: RulePhase::Inactive,
        }
    }

    #[test]
    fn a_rule_looks_breached_only_when_both_windows_are_past_the_mark() {
        assert_eq!(way(&rule(Some(1.0), Some(1.0))), Way::Calm);
        assert_eq!(
            way(&rule(Some(14.4), Some(14.4))),
            Way::Calm,
            "exactly on the mark is not past it"
        );
        assert_eq!(way(&rule(None, Some(99.0))), Way::Unknown);
        assert_eq!(
            way(&Rule {
                long_bad: 2,
                ..rule(Some(99.0), Some(99.0))
            }),
            Way::TooFew
        );
    }

    #[test]
    fn the_crossing_is_where_the_long_window_meets_the_mark() {
        // From 4.4 towards 24.4: half of the way, so half of the hour.
        let rising = way(&rule(Some(4.4), Some(24.4)));
        assert_eq!(rising, Way::Rising(Some(Duration::from_mins(30))));
        let recovering = way(&rule(Some(28.8), Some(0.0)));
        assert_eq!(recovering, Way::Recovering(Some(Duration::from_mins(30))));
    }
}
