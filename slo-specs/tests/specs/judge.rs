//! What the numbers mean: budgets, burn rates, and when an alert fires and resolves.

use std::time::Duration;

use proptest::prelude::*;
use slo_specs::{
    AlertState, Bound, Burn, BurnRate, Change, Condition, Counted, Ending, ErrorBudget, Exhaustion,
    Objective, Ratio, Reading, Rule, RuleState, Severity, Tally, Timeline, evaluate, judge_again,
    may_breach, read_rule,
};

use crate::given::{self, BEGIN, at};

fn ratio(text: &str) -> Ratio {
    text.parse().expect("a ratio")
}

fn objective() -> Objective {
    let text = "apiVersion: openslo/v1
kind: SLO
metadata: { name: web }
spec:
  service: web
  timeWindow: [{ duration: 30d, isRolling: true }]
  budgetingMethod: Occurrences
  indicator:
    spec:
      ratioMetric:
        good: { metricSource: { type: otlp, spec: { signal: traces, status: ok, match: { a: b } } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, match: { a: b } } } }
  objectives: [{ target: 0.999 }]
";
    let mut loaded = given::read(text);
    assert_eq!(loaded.problems, []);
    loaded.catalog.objectives.remove(0)
}

fn rule(threshold: &str, long_m: u64, short_m: u64, hold_m: u64) -> Rule {
    Rule {
        name: "rule".into(),
        severity: Severity::Page,
        condition: Condition::Burn(burn(threshold, long_m, short_m)),
        hold: Duration::from_mins(hold_m),
        receivers: Vec::new(),
        ending: Ending::Told,
        note: None,
    }
}

fn burn(threshold: &str, long_m: u64, short_m: u64) -> Burn {
    Burn {
        long: Duration::from_mins(long_m),
        short: Duration::from_mins(short_m),
        threshold: threshold.parse().expect("a burn rate"),
        bound: Bound::Above,
        minimum_bad: 1,
        confidence: None,
    }
}

/// The usual objective, but of 99 %.
fn lax() -> Objective {
    Objective {
        target: ratio("0.99"),
        ..objective()
    }
}

/// A reading in which both windows hold the same events.
fn reading(rule: &Rule, tally: Tally, seconds: i64) -> Reading {
    let mut timeline = Timeline::new();
    timeline.add(BEGIN + seconds, tally);
    read_rule(rule, &lax(), &timeline, at(seconds))
}

#[test]
fn without_events_nothing_is_known() {
    let evaluation = evaluate(&objective(), &Timeline::new(), at(0));
    assert_eq!(evaluation.window, Tally::EMPTY);
    assert_eq!(evaluation.budget.remaining(), None);
    assert_eq!(evaluation.exhaustion, Exhaustion::Unknown);
    for reading in &evaluation.readings {
        let seen = reading.burn().expect("a burn rule");
        assert_eq!((seen.long_burn, seen.short_burn), (None, None));
        assert_eq!(
            (reading.breached, reading.state()),
            (false, RuleState::Calm)
        );
    }
}

#[test]
fn the_four_states_of_a_rule() {
    let rule = rule("2", 60, 5, 0);
    for (earlier_bad, recent_bad, expected) in [
        (0, 0, RuleState::Calm),
        (0, 9, RuleState::Rising),
        (400, 0, RuleState::Recovering),
        (400, 90, RuleState::Firing),
    ] {
        let mut timeline = Timeline::new();
        timeline.add(BEGIN - 1_800, Tally::new(10_000, earlier_bad));
        timeline.add(BEGIN, Tally::new(100, recent_bad));
        let reading = read_rule(&rule, &lax(), &timeline, at(0));
        assert_eq!(reading.state(), expected);
    }
}

#[test]
fn the_outlook_divides_what_is_left_by_the_present_rate() {
    let mut timeline = Timeline::new();
    timeline.add(BEGIN - 7_200, Tally::new(1_000_000, 0));
    timeline.add(BEGIN, Tally::new(10_000, 100));
    let evaluation = evaluate(&objective(), &timeline, at(0));
    // 1 010 allowed, 910 left, 100 an hour.
    assert_eq!(evaluation.exhaustion_window, Duration::from_hours(1));
    assert_eq!(
        evaluation.exhaustion,
        Exhaustion::In(Duration::from_mins(9 * 60 + 6))
    );
    timeline.add(
        BEGIN,
        Tally {
            total: 0,
            bad: 910,
            uncertain: 0,
        },
    );
    assert_eq!(
        evaluate(&objective(), &timeline, at(0)).exhaustion,
        Exhaustion::Spent
    );
    let mut calm = Timeline::new();
    calm.add(BEGIN - 7_200, Tally::new(1_000, 0));
    calm.add(BEGIN, Tally::new(1_000, 1));
    assert_eq!(
        evaluate(&objective(), &calm, at(0)).exhaustion,
        Exhaustion::Never
    );
}

#[test]
fn a_hold_begins_anew_when_the_breach_breaks_off() {
    let rule = rule("2", 60, 5, 10);
    let (bad, calm) = (Tally::new(100, 50), Tally::new(100, 0));
    let mut state = AlertState::default();
    let mut fired_at = None;
    for minute in 0..40_i64 {
        let tally = if minute == 7 { calm } else { bad };
        let seconds = minute * 60;
        let (next, transition) =
            state.advance(&rule, &reading(&rule, tally, seconds), at(seconds), 4);
        if transition.is_some() {
            fired_at = fired_at.or(Some(minute));
        }
        state = next;
    }
    assert_eq!(fired_at, Some(18));
    assert_eq!(
        state,
        AlertState::Firing {
            since: at(18 * 60),
            incident: 4
        }
    );
}

#[test]
fn a_firing_alert_outlives_silence() {
    let rule = rule("2", 60, 5, 0);
    let firing = AlertState::Firing {
        since: at(0),
        incident: 7,
    };
    let silent = read_rule(&rule, &lax(), &Timeline::new(), at(600));
    let (state, transition) = firing.advance(&rule, &silent, at(600), 8);
    assert_eq!((state.is_firing(), transition), (true, None));
    let calm = reading(&rule, Tally::new(100, 2), 610);
    let (state, transition) = state.advance(&rule, &calm, at(610), 8);
    let transition = transition.expect("a burn rate of exactly 2 is not above 2");
    assert_eq!(
        (transition.change, transition.incident),
        (Change::Resolved, 7)
    );
    assert_eq!(
        transition.reason,
        "burn rate 2.0 over 5 min, no longer above the threshold 2.0"
    );
    assert!(!state.is_firing());
}

#[test]
fn a_state_survives_storage() {
    for state in [
        AlertState::default(),
        AlertState::Pending {
            since: at(10),
            last: None,
        },
        AlertState::Firing {
            since: at(10),
            incident: 3,
        },
    ] {
        let json = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<AlertState>(&json).unwrap(), state);
    }
}

#[test]
fn late_data_is_judged_at_the_ticks_it_belongs_to() {
    let objective = objective();
    let mut timeline = Timeline::new();
    for slice in 1..=1_080 {
        timeline.add(BEGIN + slice * 10, Tally::new(100, 0));
    }
    let now = at(10_800);
    assert_eq!(judge_again(&objective, &timeline, at(3_610), now), []);
    for slice in 361..=420 {
        timeline.add(BEGIN + slice * 10, Tally::new(100, 100));
    }
    let breaches = judge_again(&objective, &timeline, at(3_610), now);
    let page_fast = breaches
        .iter()
        .find(|breach| breach.rule == 0)
        .expect("page-fast breached");
    // The last burst ended at 4200 s; its last slice leaves the short window 300 s later.
    assert_eq!(page_fast.reading.at, at(4_490));
    assert!(page_fast.reading.breached);
    let rule = &objective.rules[0];
    let (state, transition) = AlertState::default().fire_late(rule, page_fast, now, 1);
    assert_eq!(transition.map(|t| t.change), Some(Change::Fired));
    let (state, again) = state.fire_late(rule, page_fast, now, 2);
    assert_eq!(again, None);
    let calm = read_rule(rule, &objective, &timeline, now);
    let (state, resolved) = state.advance(rule, &calm, now, 2);
    assert_eq!(resolved.map(|t| t.change), Some(Change::Resolved));
    let covered = slo_specs::LateBreach {
        rule: 0,
        reading: Reading { at: now, ..calm },
    };
    assert_eq!(
        state.fire_late(rule, &covered, now, 2).1,
        None,
        "of the latest time it fired"
    );
}

#[test]
fn calm_hours_need_not_be_judged_and_a_burn_must_be() {
    let mut timeline = Timeline::new();
    for slice in 0..3 * 360 {
        let bad = if (400..430).contains(&slice) {
            50
        } else {
            u64::from(slice % 100 == 0)
        };
        timeline.add(BEGIN + slice * 10, Tally::new(100, bad));
    }
    let objective = Objective {
        target: ratio("0.99"),
        rules: vec![rule("5", 30, 5, 0)],
        ..objective()
    };
    let may = |first, last| may_breach(&objective, &timeline, at(first), at(last));
    assert!(!may(2_400, 3_600), "one of 10 000 is bad");
    assert!(may(4_000, 4_400), "it begins to burn");
    assert!(!may(9_000, 10_000), "it is over");
}

proptest! {
    #[test]
    fn burn_is_monotone_in_bad(total in 1_u64..1_000_000, a in 0_u64..1_000_000, b in 0_u64..1_000_000) {
        let burn = |bad| BurnRate::of(Tally::new(total, bad), ratio("0.9995")).unwrap();
        prop_assert_eq!(burn(a.min(b)) <= burn(a.max(b)), true);
        let left = |bad| ErrorBudget { target: ratio("0.9995"), tally: Tally::new(total, bad) }.remaining();
        prop_assert!(left(a.min(b)) >= left(a.max(b)));
    }

    #[test]
    fn exactly_at_the_threshold_is_not_above_it(
        whole in 1_u64..10_000, places in 1_u32..6, scale in 1_u64..1_000_000, target in 1_u64..9_999,
    ) {
        // threshold = whole / 10^places; bad / total / budget is exactly that, in integers.
        let denominator = 10_u64.pow(places);
        let threshold = BurnRate::new(whole, denominator).unwrap();
        let target = Ratio::new(target, 10_000).unwrap();
        let budget = target.complement();
        let total = denominator * budget.denominator() * scale;
        let bad = whole * budget.numerator() * scale;
        let burn = |bad| BurnRate::of(Tally { total, bad, uncertain: 0 }, target).unwrap();
        let mut rule = self::burn("1", 60, 5);
        rule.threshold = threshold;
        prop_assert_eq!(burn(bad), threshold);
        prop_assert!(!rule.is_over(burn(bad)));
        prop_assert!(rule.is_over(burn(bad + 1)));
        rule.bound = Bound::AtLeast;
        prop_assert!(rule.is_over(burn(bad)));
        prop_assert!(!rule.is_over(burn(bad - 1)));
    }

    #[test]
    fn huge_counts_compare_without_overflow(a in 1..u64::MAX, b in 1..u64::MAX, c in 1..u64::MAX, d in 1..u64::MAX) {
        let left = BurnRate::of(Tally { total: b, bad: a, uncertain: 0 }, ratio("0.999999999999")).unwrap();
        let right = BurnRate::of(Tally { total: d, bad: c, uncertain: 0 }, ratio("0.999999999999")).unwrap();
        let exact = (u128::from(a) * u128::from(d)).cmp(&(u128::from(c) * u128::from(b)));
        prop_assert_eq!(left.cmp(&right), exact);
    }

    #[test]
    fn the_share_stays_and_the_threshold_follows(share in 1_u64..100, window_h in 1_u64..9_600, long_h in 1_u64..72) {
        let share = Ratio::new(share, 100).unwrap();
        let threshold = BurnRate::from_share(share, window_h * 3_600, long_h * 3_600);
        let exact = BurnRate::new(share.numerator() * window_h, share.denominator() * long_h).unwrap();
        prop_assert_eq!(threshold, exact.max(BurnRate::ONE));
    }

    #[test]
    fn what_is_not_judged_could_not_have_breached(
        slices in prop::collection::vec((0_u64..30, 0_u64..12), 60..400),
        threshold in 1_u64..40, long_m in 2_u64..30, first in 0_i64..200, length in 0_i64..200, good: bool,
    ) {
        let counted = if good { Counted::Good } else { Counted::Bad };
        let mut timeline = Timeline::counting(counted);
        for (index, (total, part)) in (0_i64..).zip(slices) {
            // Of a ratio of good events, more may be good than there are in one slice.
            let part = if good { total.saturating_sub(part / 6) + u64::from(part == 11) } else { part / 6 };
            timeline.add(BEGIN + index * 10, Tally { total, bad: part, uncertain: 0 });
        }
        let objective = Objective {
            target: ratio("0.95"),
            rules: vec![rule(&threshold.to_string(), long_m, 1, 0)],
            ..objective()
        };
        let (first, last) = (first * 10, (first + length) * 10);
        if !may_breach(&objective, &timeline, at(first), at(last)) {
            for tick in (first..=last).step_by(10) {
                let reading = read_rule(&objective.rules[0], &objective, &timeline, at(tick));
                prop_assert!(!reading.breached, "{reading:?}");
            }
        }
    }

    #[test]
    fn nothing_pages_twice_without_a_resolve_between(
        tallies in prop::collection::vec((0_u64..50, 0_u64..50), 1..200), hold in 0_u64..3,
    ) {
        let (rule, objective) = (rule("2", 10, 1, hold), lax());
        let (mut state, mut timeline, mut firing) = (AlertState::default(), Timeline::new(), None);
        for (index, (total, bad)) in (0_i64..).zip(tallies) {
            let seconds = index * 10;
            timeline.add(BEGIN + seconds, Tally::new(total, bad / 10));
            let reading = read_rule(&rule, &objective, &timeline, at(seconds));
            let number = index.unsigned_abs();
            let (next, transition) = state.advance(&rule, &reading, at(seconds), number);
            state = next;
            match transition.map(|t| (t.change, t.incident)) {
                Some((Change::Fired, incident)) => {
                    prop_assert_eq!(firing.replace(incident), None);
                    prop_assert!(reading.breached);
                }
                Some((Change::Resolved, incident)) => {
                    prop_assert_eq!(firing.take(), Some(incident));
                    prop_assert!(!reading.burn().unwrap().short.is_empty());
                }
                None => {}
            }
        }
    }
}
