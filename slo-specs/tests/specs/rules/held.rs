//! When a condition holds, and when it is over.

use super::*;

/// One day at 100 events in 10 s allows 8 640 bad ones.
#[test]
fn a_budget_below_its_mark_alerts_until_a_fiftieth_more_is_left() {
    let (objective, rule) = single("budgetLeft: { below: 0.25 }");
    let seen = |bad: u64| {
        let mut timeline = Timeline::new();
        traffic(&mut timeline, 0, 86_400, 100, 0);
        timeline.add(
            BEGIN + 10,
            Tally {
                total: 0,
                bad,
                uncertain: 0,
            },
        );
        let reading = read_rule(&rule, &objective, &timeline, at(86_400));
        (
            reading.breached,
            reading.clear,
            reading.says(&rule.condition),
        )
    };
    let (breached, clear, says) = seen(6_481);
    assert_eq!((breached, clear), (true, false));
    assert_eq!(says, "24.9% of the error budget left, mark 25%");
    assert_eq!(&seen(6_480).2, "25% of the error budget left, mark 25%");
    for (bad, expected) in [
        (6_480, (false, false)),
        (6_308, (false, false)),
        (6_307, (false, true)),
        (0, (false, true)),
    ] {
        let (breached, clear, _) = seen(bad);
        assert_eq!((breached, clear), expected, "{bad}");
    }
    let spent = single("budgetLeft: { below: 0 }").1;
    let mut timeline = Timeline::new();
    traffic(&mut timeline, 0, 1_000, 100, 1);
    let reading = read_rule(&spent, &objective, &timeline, at(1_000));
    assert!(reading.breached, "exactly nothing is left: {reading:?}");
    let silent = read_rule(&spent, &objective, &Timeline::new(), at(0));
    assert_eq!((silent.breached, silent.clear), (false, false));
}

#[test]
fn a_drop_is_a_share_of_the_windows_budget() {
    let (objective, rule) = single("budgetDrop: { share: 0.1, within: 1h }");
    let seen = |bad: u64| after_a_day(&objective, &rule, bad);
    assert_eq!(seen(864), (false, true), "exactly a tenth is not more");
    assert_eq!(seen(865), (true, false));
}

#[test]
fn the_time_to_empty_is_compared_exactly() {
    let (objective, rule) = single("timeToEmpty: { within: 4h, lookBack: 1h }");
    // Of 8 640 allowed, x are spent within the last hour: it lasts (8 640 − x) ÷ x more hours.
    let seen = |bad: u64| after_a_day(&objective, &rule, bad);
    assert_eq!(seen(1_727), (false, true));
    assert_eq!(seen(1_728), (true, false), "exactly four hours");
    assert_eq!(seen(20_000), (true, false), "it is empty already");
}

#[test]
fn silence_alerts_once_something_was_measured_and_until_data_is_back() {
    let (objective, rule) = single("noData: { for: 10m }");
    let mut timeline = Timeline::new();
    let reading = |timeline: &Timeline, second| {
        let reading = read_rule(&rule, &objective, timeline, at(second));
        (reading.breached, reading.clear)
    };
    assert_eq!(reading(&timeline, 5_000), (false, false), "never measured");
    traffic(&mut timeline, 0, 100, 1, 0);
    assert_eq!(reading(&timeline, 100), (false, true));
    assert_eq!(reading(&timeline, 690), (false, true));
    assert_eq!(reading(&timeline, 700), (true, false));
    timeline.add(BEGIN + 1_000, Tally::new(1, 1));
    assert_eq!(reading(&timeline, 1_000), (false, true));
    // Nobody listened before.
    let heard = |since| {
        evaluate_heard(&objective, &timeline, at(9_000), Some(at(since))).readings[0].breached
    };
    assert_eq!((heard(8_410), heard(8_400)), (false, true));
    let firing = AlertState::Firing {
        since: at(0),
        incident: 1,
    };
    let back = read_rule(&rule, &objective, &timeline, at(1_000));
    let (_, transition) = firing.advance(&rule, &back, at(1_000), 2);
    assert_eq!(transition.unwrap().reason, "data is back");
}

#[test]
fn few_events_alert_only_when_they_prove_enough() {
    let (mut objective, rule) =
        single("burnRate: 6, long: 1h, confidence: 0.98, minimumBadEvents: 1");
    objective.target = "0.98".parse().unwrap();
    let seen = |total, bad| {
        let mut timeline = Timeline::new();
        timeline.add(BEGIN, Tally::new(total, bad));
        read_rule(&rule, &objective, &timeline, at(0))
    };
    let enough = seen(11, 4);
    assert!(enough.breached);
    assert_eq!(
        enough.says(&rule.condition),
        "burn rate 18.2 over 1 h and 18.2 over 5 min, threshold 6.0; 4 bad of 11, P(burn > 6×) = 0.98"
    );
    let few = seen(11, 3);
    assert!(!few.breached, "{}", few.says(&rule.condition));
    assert!(seen(1_100, 300).breached);
}

#[test]
fn late_data_is_judged_again_by_every_condition_but_silence() {
    let rules = [
        "burnRate: 6, long: 30m",
        "budgetDrop: { share: 0.02, within: 10m }",
        "timeToEmpty: { within: 4h, lookBack: 10m }",
        "noData: { for: 10m }",
        "all: [{ burnRate: 6, long: 30m }, { budgetLeft: { below: 0.9 } }]",
        "any: [{ burnRate: 6, long: 30m }, { noData: { for: 10m } }]",
    ];
    let rules = rules
        .iter()
        .enumerate()
        .map(|(index, rule)| format!("{{ name: r{index}, severity: ticket, {rule} }}"));
    let objective = sound(&with_rules(&rules.collect::<Vec<_>>().join(", ")));
    let mut timeline = Timeline::new();
    traffic(&mut timeline, 0, 7_200, 100, 0);
    traffic(&mut timeline, 9_000, 10_800, 100, 0);
    let now = at(10_800);
    assert_eq!(judge_again(&objective, &timeline, at(3_000), now), []);
    traffic(&mut timeline, 3_000, 3_600, 100, 100);
    let breached: Vec<usize> = judge_again(&objective, &timeline, at(3_010), now)
        .iter()
        .map(|breach| breach.rule)
        .collect();
    assert_eq!(breached, [0, 1, 2, 4, 5]);
}

#[test]
fn the_first_condition_that_holds_speaks_for_all() {
    let (objective, rule) =
        single("any: [{ burnRate: 6, long: 1h }, { all: [{ budgetLeft: { below: 0.5 } }] }]");
    let mut timeline = Timeline::new();
    traffic(&mut timeline, 0, 3_600, 100, 100);
    traffic(&mut timeline, 3_600, 7_200, 100, 0);
    let reading = read_rule(&rule, &objective, &timeline, at(7_200));
    let (_, leading) = reading.leading(&rule.condition);
    assert!(matches!(leading.seen, Seen::BudgetLeft { .. }));
    let calm = read_rule(&rule, &objective, &Timeline::new(), at(0));
    let (_, leading) = calm.leading(&rule.condition);
    assert!(matches!(leading.seen, Seen::Burn(_)));
}

/// Whether a rule is breached and whether it is clear after a day of good traffic, at whose end so many fail.
fn after_a_day(objective: &Objective, rule: &Rule, bad: u64) -> (bool, bool) {
    let mut timeline = Timeline::new();
    traffic(&mut timeline, 0, 86_400, 100, 0);
    timeline.add(
        BEGIN + 86_400,
        Tally {
            total: 0,
            bad,
            uncertain: 0,
        },
    );
    let reading = read_rule(rule, objective, &timeline, at(86_400));
    (reading.breached, reading.clear)
}
