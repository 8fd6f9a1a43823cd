//! Objectives, their rules and alerts.

use std::time::Duration;

use super::charts::steps;
use super::{HOSTILE, State, ago};
use slo_specs::Noun;

use crate::Text;
use crate::number::{real, whole};
use crate::view::{
    Alert, AlertPhase, Budget, BurnMarks, Counts, Definition, Failure, Indicator, Look, Mark,
    Objective, Outlook, Period, Rule, RulePhase, Sees, Severity, Status, Window,
};

const DAY: u64 = 86_400;

/// Name, service, target, status, budget left, burn over an hour and 5 minutes, empty in so many minutes.
type Line = (&'static str, &'static str, f64, Status, f64, f64, f64, u64);

const NIGHT: [Line; 8] = [
    (
        "Checkout requests succeed",
        "checkout",
        0.999,
        Status::Paging,
        0.41,
        23.8,
        62.0,
        300,
    ),
    (
        "Checkout answers within 400 ms",
        "checkout",
        0.99,
        Status::Paging,
        0.624,
        6.8,
        17.1,
        3_960,
    ),
    (
        "Messages delivered within 5 min",
        "notify",
        0.99,
        Status::Missed,
        -0.082,
        0.7,
        0.6,
        0,
    ),
    (
        "Sign-ins succeed",
        "identity",
        0.9995,
        Status::Ticket,
        0.17,
        2.4,
        2.5,
        3_060,
    ),
    (
        "Invoices issued within 1 h",
        "billing",
        0.995,
        Status::NoData,
        f64::NAN,
        0.0,
        0.0,
        0,
    ),
    (
        "Events visible within 60 s",
        "events",
        0.99,
        Status::OnTrack,
        0.551,
        1.1,
        0.9,
        21_600,
    ),
    (
        "Search answers within 250 ms",
        "search",
        0.99,
        Status::OnTrack,
        0.88,
        0.6,
        0.4,
        0,
    ),
    (
        "Requests not throttled",
        "edge",
        0.995,
        Status::OnTrack,
        0.96,
        0.05,
        0.0,
        0,
    ),
];

/// All objectives of a state, most urgent first.
pub(super) fn all(state: State) -> Vec<Objective> {
    let mut all: Vec<_> = match state {
        State::Empty => return Vec::new(),
        State::Hostile => return vec![hostile()],
        _ => NIGHT
            .iter()
            .enumerate()
            .map(|(index, line)| one(state, *line, index as u64))
            .collect(),
    };
    all.sort_by_key(|objective| objective.status);
    all
}

fn one(state: State, line: Line, seed: u64) -> Objective {
    let (title, service, target, night, left, hour, five, minutes) = line;
    let status = match (state, night) {
        (State::Paging, status) => status,
        (State::NoData, _) => Status::NoData,
        (State::Missed, Status::Paging) if seed == 0 => Status::Missed,
        _ => Status::OnTrack,
    };
    let calm = status == Status::OnTrack;
    let left = match status {
        Status::NoData => None,
        Status::Missed if seed == 0 => Some(-0.38),
        _ => Some(if calm && left.is_nan() {
            0.7
        } else {
            left.max(if calm { 0.3 } else { -9.0 })
        }),
    };
    let ratio = (1.0 - target) * if calm { 0.5 } else { five };
    let silent = status == Status::NoData;
    let total = 3_210_000_000 / (seed + 1);
    Objective {
        id: title.to_lowercase().replace(' ', "-"),
        title: Text::new(title),
        segment: None,
        service: Text::new(service),
        target,
        window: window(state),
        status,
        since: match status {
            Status::Paging => Some(ago(23 * 60)),
            Status::Missed => Some(ago(7 * 86_400)),
            Status::Ticket => Some(ago(41 * 60)),
            Status::NoData | Status::OnTrack => None,
        },
        budget: budget(left, total, target, state),
        burn_1h: (!silent).then_some(if calm { hour.min(1.1) } else { hour }),
        burn_5m: (!silent).then_some(if calm { five.min(0.9) } else { five }),
        outlook: match (status, minutes) {
            (Status::NoData, _) => Outlook::Unknown,
            (Status::Missed, _) => Outlook::Empty,
            (Status::OnTrack, _) | (_, 0) => Outlook::NotAtThisRate,
            (_, minutes) => Outlook::EmptyIn(Duration::from_mins(minutes)),
        },
        recent: steps(60, 360, 1_240.0, seed, |ago| {
            (!silent || ago > 33 * 60).then_some(if ago < 23 * 60 {
                ratio
            } else {
                (1.0 - target) / 2.0
            })
        }),
        last_event: Some(ago(if silent { 33 * 60 } else { 4 })),
        allows: (status == Status::Missed).then(|| Text::new("only fixes")),
    }
}

/// Missed is the promise of a month.
fn window(state: State) -> Window {
    if state != State::Missed {
        return Window::Rolling(Duration::from_secs(30 * DAY));
    }
    let instant = |text: &str| text.parse().unwrap_or_else(|_| ago(0));
    Window::Period(Period {
        length: Text::new("month"),
        from: instant("2026-02-28T23:00:00Z"),
        until: instant("2026-03-31T22:00:00Z"),
        began: Text::new("1 Mar"),
        resets: Text::new("1 Apr"),
        zone: Text::new("Europe/Berlin"),
    })
}

fn budget(left: Option<f64>, total: u64, target: f64, state: State) -> Budget {
    let total = if left.is_none() { 0 } else { total };
    let bad = whole((1.0 - left.unwrap_or(1.0)) * (1.0 - target) * real(total));
    Budget {
        counts: Counts { total, bad },
        counted: if state == State::Young {
            Noun::TimeSlice
        } else {
            Noun::Request
        },
        left,
        left_day_ago: left.map(|left| (left + 0.031).min(1.0)),
        measured_since: (state == State::Young).then(|| ago(6 * 86_400)),
    }
}

fn hostile() -> Objective {
    let mut objective = one(State::Paging, NIGHT[0], 0);
    HOSTILE.clone_into(&mut objective.id);
    objective.title = Text::new(HOSTILE);
    objective.service = Text::new(HOSTILE);
    objective.burn_1h = Some(f64::NAN);
    objective.burn_5m = Some(f64::INFINITY);
    objective.budget.left = Some(-1e9);
    objective.budget.counts = Counts {
        total: 1_000_000_000_000_000,
        bad: u64::MAX,
    };
    objective.outlook = Outlook::EmptyIn(Duration::MAX);
    objective
}

/// The last 5 minutes, hour and 6 hours of the first objective.
pub(super) fn looks(state: State) -> Vec<Look> {
    let look = |minutes: u64, total: u64, bad: u64, empty: u64| Look {
        length: Duration::from_mins(minutes),
        counts: Counts { total, bad },
        burn: Counts { total, bad }
            .error_ratio()
            .map(|ratio| ratio / 0.001),
        outlook: match (total, empty) {
            (0, _) => Outlook::Unknown,
            (_, 0) => Outlook::NotAtThisRate,
            (_, empty) => Outlook::EmptyIn(Duration::from_mins(empty)),
        },
    };
    match state {
        State::Paging | State::Hostile => vec![
            look(5, 372_000, 23_064, 300),
            look(60, 4_464_000, 106_243, 780),
            look(360, 26_784_000, 109_814, 4_320),
        ],
        State::NoData | State::Empty => {
            vec![look(5, 0, 0, 0), look(60, 0, 0, 0), look(360, 0, 0, 0)]
        }
        State::Young => vec![look(5, 1, 0, 0), look(60, 4, 0, 0), look(360, 22, 1, 0)],
        State::Healthy | State::Missed => vec![
            look(5, 372_000, 90, 0),
            look(60, 4_464_000, 1_205, 0),
            look(360, 26_784_000, 6_900, 0),
        ],
    }
}

/// The default policy: name, severity, windows in minutes, threshold, burn rates when hot, firing since.
type RuleLine = (&'static str, Severity, (u64, u64), f64, (f64, f64), i64);

const POLICY: [RuleLine; 4] = [
    (
        "page-fast",
        Severity::Page,
        (60, 5),
        14.4,
        (23.8, 62.0),
        540,
    ),
    ("page-slow", Severity::Page, (360, 30), 6.0, (4.1, 47.6), 0),
    (
        "ticket-fast",
        Severity::Ticket,
        (1_440, 120),
        3.0,
        (6.1, 12.0),
        300,
    ),
    (
        "ticket-slow",
        Severity::Ticket,
        (4_320, 360),
        1.0,
        (1.4, 0.4),
        0,
    ),
];

/// The rules of the first objective.
pub(super) fn rules(state: State) -> Vec<Rule> {
    let hot = matches!(state, State::Paging | State::Hostile);
    let silent = matches!(state, State::NoData | State::Empty);
    let rule = |(name, severity, (long, short), threshold, burns, since): RuleLine| {
        let (long_burn, short_burn) = if hot { burns } else { (0.3, 0.2) };
        Rule {
            name: named(state, name),
            severity,
            sees: Sees::Burn(BurnMarks {
                long: Duration::from_mins(long),
                short: Duration::from_mins(short),
                threshold,
                long_burn: (!silent).then_some(long_burn),
                short_burn: (!silent).then_some(short_burn),
                minimum_bad: 3,
                long_bad: 7_000,
                confidence: None,
            }),
            phase: if hot && since > 0 {
                RulePhase::Firing { since: ago(since) }
            } else {
                RulePhase::Inactive
            },
        }
    };
    let burns = POLICY.into_iter().map(rule);
    burns.chain(in_words(state, hot, silent)).collect()
}

/// A rule of each kind that is not a burn rate alone, and one that is not sure enough.
fn in_words(state: State, hot: bool, silent: bool) -> impl Iterator<Item = Rule> {
    let quarter = if hot {
        "18.2% of the error budget left, mark 25%"
    } else {
        "61.4% of the error budget left, mark 25%"
    };
    let words = [
        (
            "quarter-left",
            "less than 25% of the error budget is left",
            quarter,
            hot,
        ),
        (
            "gone-in-a-day",
            "more than 10% of the error budget was spent within 1 d",
            "2.4% of the error budget spent within 1 d, mark 10%",
            false,
        ),
        (
            "empty-soon",
            "the error budget is empty within 4 h at the rate of the last 1 h and burn rate above 6.0 over 1 h",
            "error budget lasts at the rate of the last 1 h, mark 4 h; burn rate 0.3 over 1 h and 0.3 over 1 h, threshold 6.0",
            false,
        ),
        ("silent", "no data for 10 min", "last data 4 s ago", false),
    ];
    let unsure = Rule {
        name: named(state, "few-requests"),
        severity: Severity::Page,
        sees: Sees::Burn(BurnMarks {
            long: Duration::from_hours(1),
            short: Duration::from_mins(5),
            threshold: 6.0,
            long_burn: (!silent).then_some(18.2),
            short_burn: (!silent).then_some(25.0),
            minimum_bad: 1,
            long_bad: 4,
            confidence: Some((0.99, (!silent).then_some(0.984_933))),
        }),
        phase: RulePhase::Inactive,
    };
    let rule = move |(name, when, now, holds)| Rule {
        name: named(state, name),
        severity: Severity::Ticket,
        sees: Sees::Words {
            when: Text::new(when),
            now: named(state, now),
            holds,
            known: !silent,
        },
        phase: if holds {
            RulePhase::Firing { since: ago(7_200) }
        } else {
            RulePhase::Inactive
        },
    };
    std::iter::once(unsure).chain(words.into_iter().map(rule))
}

fn named(state: State, name: &str) -> Text {
    Text::new(if state == State::Hostile {
        HOSTILE
    } else {
        name
    })
}

/// Firing ones, then history.
pub(super) fn alerts(state: State) -> Vec<Alert> {
    let alert = |index: usize, rule: &str, severity, phase| {
        let title = NIGHT.get(index).map_or("", |line| line.0);
        Alert {
            objective: title.to_lowercase().replace(' ', "-"),
            title: named(state, title),
            rule: named(state, rule),
            severity,
            mark: Some(if index == 3 {
                Mark::When(Text::new("less than 25% of the error budget is left"))
            } else {
                Mark::Burn(14.4, Duration::from_hours(1), Duration::from_mins(5))
            }),
            phase,
            late: index == 2,
            held: None,
        }
    };
    let over = |fired: i64, at: i64| AlertPhase::Resolved {
        fired: ago(fired),
        at: ago(at),
    };
    let (page, ticket) = (Severity::Page, Severity::Ticket);
    let past = [
        alert(2, "page-slow", page, over(604_800, 600_000)),
        alert(3, "ticket-slow", ticket, over(90_000, 88_200)),
    ];
    let firing = |since: i64| AlertPhase::Firing { since: ago(since) };
    let now = [
        alert(0, "page-fast", page, firing(540)),
        alert(1, "page-fast", page, firing(1_080)),
        alert(
            3,
            "ticket-fast",
            ticket,
            AlertPhase::Pending { since: ago(120) },
        ),
    ];
    match state {
        State::Empty | State::Young => Vec::new(),
        State::Paging | State::Hostile => now.into_iter().chain(past).collect(),
        _ => past.to_vec(),
    }
}

/// The spec of the first objective.
pub(super) fn definition(state: State) -> Definition {
    let spec = "kind: SLO\nmetadata:\n  name: checkout-requests-succeed\nspec:\n  service: checkout\n  \
                timeWindow: [{ duration: 30d, isRolling: true }]\n  budgetingMethod: Occurrences\n  \
                objectives: [{ displayName: available, target: 0.999 }]";
    let text = |text: &str| {
        Text::new(if state == State::Hostile {
            HOSTILE
        } else {
            text
        })
    };
    Definition {
        file: text("checkout.yaml"),
        line: 12,
        excerpt: spec.lines().map(text).collect(),
        slices: (state == State::Young)
            .then(|| Text::new("1 min long, good when at least 99% of the requests in it are")),
        indicator: Indicator::Ratio {
            part: text("bad: traces of server spans, service.name = checkout, status = error"),
            total: text("traces of server spans, service.name = checkout"),
        },
        failure: Failure::Fails,
    }
}
