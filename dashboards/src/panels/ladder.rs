//! Burn, rule by rule: how far from firing, and which way it goes.

use std::time::Duration;

use askama::Template;
use jiff::Timestamp;

use super::{Panel, Part, mark, state};
use crate::charts::burn::rung;
use crate::markup::Markup;
use crate::view::{BurnMarks, Rule, RulePhase, Sees, Severity};
use crate::{Text, format};

#[derive(Template)]
#[template(path = "panels/ladder.html")]
struct Ladder<'a> {
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    id: Text,
    name: &'a Text,
    mark: String,
    windows: String,
    severity: &'static str,
    seen: Shown<'a>,
    status: Markup,
    note: String,
    focused: bool,
}

/// What a rule sees, as a row has it.
enum Shown<'a> {
    Burn {
        rung: Markup,
        long: String,
        short: String,
    },
    Words(&'a Text),
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
    /// Both are past the mark, but by chance they could be.
    Unsure,
    /// What it watches for is so: it fires at the next evaluation.
    Holds,
    /// The short window is past the mark: the long one follows in so long.
    Rising(Option<Duration>),
    /// The long window is past the mark, the short one no more.
    Recovering(Option<Duration>),
    /// Neither.
    Calm,
    /// Nothing was measured.
    Unknown,
}

/// The panel. Where there are no rules, `alerted_by` names the objective whose rules tell.
pub(crate) fn panel(
    rules: &[Rule],
    alerted_by: Option<&Text>,
    focus: Option<&str>,
    now: Timestamp,
) -> Part {
    let paged = rules.iter().any(|rule| {
        rule.severity == Severity::Page && matches!(rule.phase, RulePhase::Firing { .. })
    });
    let body = if rules.is_empty() {
        match alerted_by {
            Some(title) => state(
                "This objective has no rule of its own.",
                &format!("Alerts come from “{title}”."),
            ),
            None => state(
                "This objective has no rule.",
                "Nobody is told when its budget burns.",
            ),
        }
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
        Way::TooFew | Way::Unsure => {
            let word = if way == Way::TooFew {
                "Too few"
            } else {
                "Unsure"
            };
            (mark("watch", "up", word), held_back(&rule.sees, way))
        }
        Way::Holds => (mark("watch", "up", "Rising"), String::new()),
        Way::Rising(left) => (mark("watch", "up", "Rising"), eta("fires in", left)),
        Way::Recovering(left) => (mark("ok", "down", "Recovering"), eta("clears in", left)),
        Way::Calm => (mark("ok", "ok", "Calm"), String::new()),
        Way::Unknown => (mark("none", "none", "No data"), String::new()),
    };
    let hot = matches!(
        way,
        Way::Firing(_) | Way::Pending(_) | Way::TooFew | Way::Unsure
    );
    let id = format!("rule:{}", rule.name);
    Row {
        focused: focus == Some(id.as_str()),
        id: Text::new(&id),
        name: &rule.name,
        mark: mark_of(&rule.sees),
        windows: windows(&rule.sees),
        severity,
        seen: shown(&rule.sees, rule.severity, hot),
        status,
        note,
    }
}

/// What it is held against.
fn mark_of(sees: &Sees) -> String {
    match sees {
        Sees::Burn(burn) => format::threshold(burn.threshold),
        Sees::Words { when, .. } => format::capitalised(when.as_str()),
    }
}

fn windows(sees: &Sees) -> String {
    match sees {
        Sees::Burn(burn) => format!(
            "over {} and {}",
            format::window(burn.long),
            format::window(burn.short)
        ),
        Sees::Words { .. } => String::new(),
    }
}

fn shown(sees: &Sees, severity: Severity, hot: bool) -> Shown<'_> {
    match sees {
        Sees::Burn(burn) => Shown::Burn {
            rung: rung(
                burn.threshold,
                burn.long_burn,
                burn.short_burn,
                severity,
                hot,
            ),
            long: format::burn(burn.long_burn),
            short: format::burn(burn.short_burn),
        },
        Sees::Words { now, .. } => Shown::Words(now),
    }
}

/// Why it does not fire although both windows are past the mark.
fn held_back(sees: &Sees, way: Way) -> String {
    match sees {
        Sees::Burn(burn) if way == Way::TooFew => format!(
            "{} failed, fires from {}",
            format::grouped(burn.long_bad),
            burn.minimum_bad
        ),
        Sees::Burn(BurnMarks {
            confidence: Some((asked, sure)),
            ..
        }) => {
            // Rounded down, so that what is not enough never looks so.
            let sure = (sure.unwrap_or(0.0) * 100.0).floor() / 100.0;
            format!("{sure:.2} sure, fires from {asked}")
        }
        _ => String::new(),
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
    match (rule.phase, &rule.sees) {
        (RulePhase::Firing { since }, _) => Way::Firing(since),
        (RulePhase::Pending { since }, _) => Way::Pending(since),
        (_, Sees::Burn(burn)) => way_of(burn),
        (_, Sees::Words { known: false, .. }) => Way::Unknown,
        (_, Sees::Words { holds: true, .. }) => Way::Holds,
        (_, Sees::Words { .. }) => Way::Calm,
    }
}

fn way_of(burn: &BurnMarks) -> Way {
    let (Some(long), Some(short)) = (burn.long_burn, burn.short_burn) else {
        return Way::Unknown;
    };
    let crossing = || {
        let share = (burn.threshold - long) / (short - long);
        share
            .is_finite()
            .then(|| burn.long.mul_f64(share.clamp(0.0, 1.0)))
    };
    let unsure = burn
        .confidence
        .is_some_and(|(asked, sure)| sure.is_none_or(|sure| sure < asked));
    match (long > burn.threshold, short > burn.threshold) {
        (true, true) if burn.long_bad < burn.minimum_bad => Way::TooFew,
        (true, true) if unsure => Way::Unsure,
        // The alert machine fires at the next evaluation.
        (true, true) => Way::Rising(None),
        (false, true) => Way::Rising(crossing()),
        (true, false) => Way::Recovering(crossing()),
        (false, false) => Way::Calm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burn(long: Option<f64>, short: Option<f64>) -> BurnMarks {
        BurnMarks {
            long: Duration::from_hours(1),
            short: Duration::from_mins(5),
            threshold: 14.4,
            long_burn: long,
            short_burn: short,
            minimum_bad: 3,
            long_bad: 100,
            confidence: None,
        }
    }

    fn rule(sees: Sees) -> Rule {
        Rule {
            name: Text::new("page-fast"),
            severity: Severity::Page,
            sees,
            phase: RulePhase::Inactive,
        }
    }

    #[test]
    fn a_rule_looks_breached_only_when_both_windows_are_past_the_mark() {
        let way = |burn| way(&rule(Sees::Burn(burn)));
        assert_eq!(way(burn(Some(1.0), Some(1.0))), Way::Calm);
        assert_eq!(
            way(burn(Some(14.4), Some(14.4))),
            Way::Calm,
            "exactly on the mark is not past it"
        );
        assert_eq!(way(burn(None, Some(99.0))), Way::Unknown);
        let hot = burn(Some(99.0), Some(99.0));
        assert_eq!(way(BurnMarks { long_bad: 2, ..hot }), Way::TooFew);
        let sure = |sure| BurnMarks {
            confidence: Some((0.95, Some(sure))),
            ..hot
        };
        assert_eq!(way(sure(0.949_999)), Way::Unsure);
        assert_eq!(way(sure(0.95)), Way::Rising(None));
    }

    #[test]
    fn a_rule_in_words_says_what_is() {
        let sees = |holds, known| Sees::Words {
            when: Text::new("less than 25% of the error budget is left"),
            now: Text::new("18% of the error budget left"),
            holds,
            known,
        };
        for (holds, known, expected) in [
            (true, true, Way::Holds),
            (false, true, Way::Calm),
            (false, false, Way::Unknown),
        ] {
            assert_eq!(way(&rule(sees(holds, known))), expected);
        }
        let now = "2026-03-10T03:14:00Z".parse().unwrap();
        let html = panel(&[rule(sees(false, true))], None, None, now)
            .html
            .into_string();
        for text in ["Less than 25% of", "18% of the error budget left", "Calm"] {
            assert!(html.contains(text), "{text} is not in {html}");
        }
    }

    #[test]
    fn the_crossing_is_where_the_long_window_meets_the_mark() {
        // From 4.4 towards 24.4: half of the way, so half of the hour.
        let rising = way_of(&burn(Some(4.4), Some(24.4)));
        assert_eq!(rising, Way::Rising(Some(Duration::from_mins(30))));
        let recovering = way_of(&burn(Some(28.8), Some(0.0)));
        assert_eq!(recovering, Way::Recovering(Some(Duration::from_mins(30))));
    }

    #[test]
    fn without_rules_it_says_whose_tell() {
        let shown = |alerted_by: Option<&Text>| {
            let part = panel(&[], alerted_by, None, Timestamp::UNIX_EPOCH);
            part.html.into_string()
        };
        assert!(shown(None).contains("Nobody is told"));
        let whole = shown(Some(&Text::new("Search <b>")));
        assert!(whole.contains("Alerts come from"), "{whole}");
        assert!(!whole.contains("Nobody is told"), "{whole}");
        assert!(!whole.contains("Search <b>"), "{whole}");
    }
}
