//! The burndown's arithmetic, by small windows.

use super::*;
use crate::view::Period;
use std::time::Duration;

const WINDOW: Window = Window::Rolling(Duration::from_hours(10));

fn burndown(past: &Steps) -> Burndown<'_> {
    Burndown {
        past,
        window: &WINDOW,
        target: 0.9,
        left: Some(0.5),
        rates: Vec::new(),
        now: past.end(),
        status: Status::OnTrack,
    }
}

fn hours(counts: &[(u64, u64)]) -> Steps {
    Steps {
        from: "2026-03-01T00:00:00Z".parse().unwrap(),
        step: Duration::from_hours(1),
        counts: counts
            .iter()
            .map(|(total, bad)| Counts {
                total: *total,
                bad: *bad,
            })
            .collect(),
    }
}

#[test]
fn what_was_spent_comes_back_when_it_leaves_the_window() {
    // 50 bad in the first hour of a window of 10: half of the budget of 100.
    let mut counts = vec![(100, 50)];
    counts.extend([(100, 0); 9]);
    let past = hours(&counts);
    let course = burndown(&past).ahead(0.0);
    assert_eq!(course[0], (0.0, Some(0.5)));
    assert_eq!(course[1], (1.0, Some(1.0)), "the bad hour has left");
}

#[test]
fn a_period_begins_and_ends_by_the_clocks_of_its_zone() {
    let at = |text: &str| text.parse().unwrap();
    let period = Window::Period(Period {
        length: crate::Text::new("month"),
        from: at("2026-02-28T23:00:00Z"),
        until: at("2026-03-31T22:00:00Z"),
        began: crate::Text::new("1 Mar"),
        resets: crate::Text::new("1 Apr"),
        zone: crate::Text::new("Europe/Berlin"),
    });
    let past = hours(&[(100, 5); 10]);
    let burndown = Burndown {
        window: &period,
        ..burndown(&past)
    };
    let labels: Vec<_> = burndown.plot().x.into_iter().map(|it| it.text).collect();
    assert_eq!(
        labels.first().unwrap(),
        "1 Mar",
        "not 28 Feb, which UTC has"
    );
    assert_eq!(labels.last().unwrap(), "1 Apr");
}

#[test]
fn going_on_at_the_budget_holds_and_above_it_empties() {
    let past = hours(&[(100, 5); 10]);
    let even = burndown(&past).ahead(0.05);
    assert!(
        even.iter()
            .all(|(_, left)| (left.unwrap() - 0.5).abs() < 1e-9),
        "{even:?}"
    );
    let fast = burndown(&past).ahead(0.5);
    // Each hour adds 50 and drops 5; 50 of 100 are left: 50 ÷ 45 hours.
    assert_eq!(fast.len(), 3);
    assert!(fast.last().unwrap().1.unwrap() <= 0.0);
}

#[test]
fn history_is_the_rolling_window_and_ends_at_the_tile() {
    let mut counts = vec![(100, 0); 10];
    counts.extend([(100, 20); 5]);
    counts.extend([(0, 0); 5]);
    let past = hours(&counts);
    let course = burndown(&past).history();
    assert_eq!(course.len(), 11);
    assert_eq!(course[0].1, Some(1.0));
    assert!((course[5].1.unwrap() - 0.0).abs() < 1e-9);
    assert_eq!(course[10].1, Some(0.5));
}

#[test]
fn a_young_window_keeps_all_it_has() {
    let past = hours(&[
        (0, 0),
        (0, 0),
        (0, 0),
        (0, 0),
        (0, 0),
        (0, 0),
        (0, 0),
        (0, 0),
        (100, 10),
        (100, 0),
    ]);
    let course = burndown(&past).ahead(0.0);
    // One hour on: 10 bad of 300 events, a budget of 30.
    assert!((course[1].1.unwrap() - (1.0 - 10.0 / 30.0)).abs() < 1e-9);
    let nothing = hours(&[]);
    assert_eq!(burndown(&nothing).history(), vec![(0.0, Some(0.5))]);
}

#[test]
fn within_a_period_nothing_comes_back_and_traffic_adds_to_the_budget() {
    // Ten hours of a day that began with half of its events bad.
    let mut counts = vec![(100, 50)];
    counts.extend([(100, 0); 9]);
    let past = hours(&counts);
    let period = Window::Period(Period {
        length: "day".into(),
        from: "2026-03-01T00:00:00Z".parse().unwrap(),
        until: "2026-03-02T00:00:00Z".parse().unwrap(),
        began: "1 Mar".into(),
        resets: "2 Mar".into(),
        zone: "UTC".into(),
    });
    let chart = Burndown {
        window: &period,
        ..burndown(&past)
    };
    let near = |point: (f64, Option<f64>), at: f64, left: f64| {
        (point.0 - at).abs() < 1e-9 && (point.1.unwrap() - left).abs() < 1e-9
    };
    let history = chart.history();
    assert_eq!(history[0], (-10.0, None), "nothing was counted yet");
    assert!(near(history[1], -9.0, -4.0), "50 of 10 that were allowed");
    assert!(near(history[10], 0.0, 0.5), "50 of 100");
    let stopped = chart.ahead(0.0);
    assert_eq!(stopped.len(), 15, "until the period ends");
    assert!(near(stopped[10], 10.0, 0.75), "50 of 200");
    let even = chart.ahead(0.1);
    assert!(even.iter().all(|(_, left)| left.unwrap() > 0.0), "{even:?}");
    let fast = chart.ahead(0.3);
    assert!(
        (fast.last().unwrap().0 - 3.0).abs() < 1e-9,
        "50 + 90 of 130: {fast:?}"
    );
}
