//! Rules beyond burn rates: how they are written, and when they fire and resolve.

use std::time::Duration;

use proptest::prelude::*;
use slo_specs::{
    AlertState, Change, Condition, Ending, Level, Objective, Rule, Seen, Severity, Tally, Timeline,
    allowed, evaluate, evaluate_heard, judge_again, read_rule,
};

use crate::given::{BEGIN, at, read};

const SLO: &str = "apiVersion: openslo/v1
kind: SLO
metadata: { name: web }
spec:
  service: web
  timeWindow: [{ duration: 30d, isRolling: true }]
  budgetingMethod: Occurrences
  indicator:
    spec:
      ratioMetric:
        counter: true
        bad: { metricSource: { type: otlp, spec: { signal: traces, status: error, match: { a: b } } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, match: { a: b } } } }
  objectives: [{ target: 0.99 }]
";

/// The SLO with rules of a burn policy.
fn with_rules(rules: &str) -> String {
    format!(
        "{SLO}  alertPolicies: [{{ kind: BurnPolicy, metadata: {{ name: own }}, \
         spec: {{ rules: [{rules}] }} }}]\n"
    )
}

/// The SLO with an alert policy of OpenSLO's, one condition of severity `critical`.
fn with_policy(switches: &str) -> String {
    format!(
        "{SLO}  alertPolicies: [plain]
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {{ name: plain, annotations: {{ other/thing: x }} }}
spec:
  {switches}
  conditions:
    - kind: AlertCondition
      metadata: {{ name: fast }}
      spec:
        severity: critical
        condition: {{ kind: burnrate, op: gt, threshold: 2, lookbackWindow: 1h, alertAfter: 0m }}
"
    )
}

fn sound(text: &str) -> Objective {
    let mut loaded = read(text);
    assert_eq!(loaded.problems, [], "{text}");
    loaded.catalog.objectives.remove(0)
}

/// The objective of a single rule, and the rule.
fn single(condition: &str) -> (Objective, Rule) {
    let objective = sound(&with_rules(&format!(
        "{{ name: r, severity: ticket, {condition} }}"
    )));
    let rule = objective.rules[0].clone();
    (objective, rule)
}

/// Even traffic of `total` and `bad` in each slice of `(from, to]`.
fn traffic(timeline: &mut Timeline, from: i64, to: i64, total: u64, bad: u64) {
    for end in (from + 10..=to).step_by(10) {
        timeline.add(BEGIN + end, Tally::new(total, bad));
    }
}

#[test]
fn every_kind_of_condition_is_read_and_said() {
    for (written, when) in [
        (
            "burnRate: 6, long: 1h, confidence: 0.95",
            "burn rate above 6.0 over 1 h and 5 min with confidence 0.95",
        ),
        (
            "burnRate: 6, long: 1h, short: 1h",
            "burn rate above 6.0 over 1 h",
        ),
        (
            "budgetLeft: { below: 0.25 }",
            "less than 25% of the error budget is left",
        ),
        ("budgetLeft: { below: 0 }", "the error budget is spent"),
        (
            "budgetDrop: { share: 0.125, within: 1d }",
            "more than 12.5% of the error budget was spent within 1 d",
        ),
        (
            "timeToEmpty: { within: 4h, lookBack: 1h }",
            "the error budget is empty within 4 h at the rate of the last 1 h",
        ),
        ("noData: { for: 10m }", "no data for 10 min"),
        (
            "all: [{ budgetLeft: { below: 0.5 } }, { any: [{ noData: { for: 10m } }, { burnRate: 2, long: 2h, short: 10m }] }]",
            "less than 50% of the error budget is left and (no data for 10 min or burn rate above 2.0 over 2 h and 10 min)",
        ),
    ] {
        assert_eq!(single(written).1.condition.when(), when);
    }
}

#[test]
fn bad_events_and_confidence_are_handed_down() {
    let needs = |condition: &str| -> Vec<(u64, Option<String>)> {
        let (_, rule) = single(condition);
        let leaf = |leaf: &&Condition| match leaf {
            Condition::Burn(burn) => (
                burn.minimum_bad,
                burn.confidence.map(|asked| asked.to_string()),
            ),
            Condition::BudgetLeft { minimum_bad, .. }
            | Condition::BudgetDrop { minimum_bad, .. }
            | Condition::TimeToEmpty { minimum_bad, .. } => (*minimum_bad, None),
            _ => (0, None),
        };
        rule.condition.leaves().iter().map(leaf).collect()
    };
    let sure = |text: &str| Some(text.to_owned());
    assert_eq!(
        needs(
            "minimumBadEvents: 7, confidence: 0.9, any: [{ burnRate: 2, long: 1h }, \
               { burnRate: 9, long: 1h, confidence: 0.99, minimumBadEvents: 2 }, { budgetLeft: { below: 0.1 } }]"
        ),
        [(7, sure("0.9")), (2, sure("0.99")), (7, None)]
    );
    assert_eq!(needs("burnRate: 2, long: 1h"), [(1, None)], "of a ticket");
    let text = with_rules("{ name: r, severity: page, burnRate: 2, long: 1h, confidence: 0.95 }");
    let objective = sound(&text);
    let burn = objective.rules[0].burn().unwrap();
    assert_eq!(
        burn.minimum_bad, 1,
        "the confidence decides how many are enough"
    );
    let annotated = SLO.replace(
        "{ name: web }",
        "{ name: web, annotations: { sloburn.dev/confidence: 0.9, sloburn.dev/minimum-bad-events: 5 } }",
    );
    for rule in sound(&annotated).rules {
        let burn = rule.burn().unwrap();
        assert_eq!(
            (
                burn.minimum_bad,
                burn.confidence.map(slo_specs::Ratio::as_f64)
            ),
            (5, Some(0.9))
        );
    }
}

const WRONG: &[(&str, &str)] = &[
    ("hold: 1m", "rule has neither `budgetShare` nor `burnRate`"),
    (
        "budgetLeft: { below: 0.5 }, noData: { for: 1m }",
        "rule has both `budgetLeft` and `noData`",
    ),
    (
        "budgetLeft: { below: 0.5 }, long: 1h",
        "`long` does not go with `budgetLeft`",
    ),
    (
        "budgetLeft: { below: 0.5 }, confidence: 0.9",
        "`confidence` does not go with `budgetLeft`",
    ),
    (
        "noData: { for: 1m }, minimumBadEvents: 2",
        "`minimumBadEvents` does not go with `noData`",
    ),
    (
        "budgetLeft: { below: 1 }",
        "`below` is 1, not between 0 and 1",
    ),
    ("budgetLeft: {}", "`budgetLeft` has no `below`"),
    ("budgetLeft: 3", "`budgetLeft` must be a map, not a number"),
    ("budgetDrop: { within: 1d }", "`budgetDrop` has no `share`"),
    (
        "timeToEmpty: { within: 4h }",
        "`timeToEmpty` has no `lookBack`",
    ),
    (
        "noData: { for: 1x }",
        "`for` is `1x`, not a number and a unit",
    ),
    ("all: []", "`all` has no conditions"),
    (
        "any: [{}]",
        "condition has neither `budgetShare` nor `burnRate`",
    ),
    (
        "any: [{ name: x }]",
        "condition has an unknown field `name`",
    ),
    (
        "any: [{ any: [{ any: [{ any: [{ any: [{ noData: { for: 1m } }] }] }] }] }]",
        "`any` stands in more than 4 others",
    ),
    (
        "burnRate: 2, long: 1h, confidence: 0.4",
        "`confidence` is 0.4, not at least 0.5 and below 1",
    ),
    (
        "burnRate: 2, long: 1h, confidence: 1",
        "`confidence` is 1, not at least 0.5 and below 1",
    ),
];

#[test]
fn what_is_written_wrongly_is_told() {
    for (condition, expected) in WRONG {
        let text = with_rules(&format!("{{ name: r, severity: page, {condition} }}"));
        let problems = read(&text).problems;
        let told = problems.iter().any(|problem| {
            problem.message.starts_with(*expected) && problem.help.as_deref() != Some("")
        });
        assert!(told, "{condition}: {problems:?}");
    }
}

#[test]
fn rules_that_never_fire_are_told() {
    for (condition, level, expected) in [
        (
            "burnRate: 100, long: 1h",
            Level::Error,
            "rule `r` of objective `web` can never fire: its threshold is 100.0, and with target 0.99 nothing burns faster than 100.0",
        ),
        (
            "all: [{ burnRate: 200, long: 1h }, { budgetLeft: { below: 0.5 } }]",
            Level::Error,
            "rule `r` of objective `web` can never fire: its threshold is 200.0",
        ),
        (
            "any: [{ burnRate: 200, long: 1h }, { budgetLeft: { below: 0.5 } }]",
            Level::Error,
            "rule `r` of objective `web` has a part that never holds, `burn rate above 200.0 over 1 h and 5 min`: its threshold",
        ),
        (
            "all: [{ noData: { for: 10m } }, { burnRate: 2, long: 1h }]",
            Level::Error,
            "rule `r` of objective `web` can never fire: without data for 10 min it is not known whether burn rate above 2.0",
        ),
        (
            "budgetDrop: { share: 0.5, within: 1h }",
            Level::Warning,
            "rule `r` of objective `web` can never fire: at even traffic not even total failure spends more than 0.5 of the budget within 1 h",
        ),
    ] {
        let problems = read(with_rules(&format!(
            "{{ name: r, severity: page, {condition} }}"
        )))
        .problems;
        let [problem] = problems.as_slice() else {
            panic!("{condition}: {problems:?}")
        };
        assert!(problem.message.starts_with(expected), "{problem}");
        assert_eq!(problem.severity, level, "{problem}");
    }
    single("budgetDrop: { share: 0.1, within: 1h }");
    single("all: [{ noData: { for: 1m } }, { burnRate: 2, long: 1h }]");
}

/// A slice is known at its end, and exporters send once a minute.
#[test]
fn silence_is_longer_than_the_time_between_two_slices() {
    let sliced = |length: &str, rules: &str| {
        let slices = format!("target: 0.99, timeSliceTarget: 0.9, timeSliceWindow: {length} }}]");
        let sliced = rules.replace("target: 0.99 }]", &slices);
        sliced.replace("Occurrences", "Timeslices")
    };
    for (length, condition, refused) in [
        ("1m", "noData: { for: 3m }", None),
        (
            "1m",
            "noData: { for: 2m }",
            Some("2 min, and slices of 1 min"),
        ),
        ("1h", "noData: { for: 62m }", None),
        (
            "1h",
            "noData: { for: 61m }",
            Some("61 min, and slices of 1 h"),
        ),
        (
            "1h",
            "any: [{ burnRate: 2, long: 2h }, { noData: { for: 10m } }]",
            Some("10 min, and slices of 1 h"),
        ),
    ] {
        let rule = with_rules(&format!("{{ name: r, severity: page, {condition} }}"));
        let problems = read(sliced(length, &rule)).problems;
        let Some(refused) = refused else {
            assert_eq!(problems, [], "{length}, {condition}");
            continue;
        };
        let [problem] = problems.as_slice() else {
            panic!("{length}, {condition}: {problems:?}")
        };
        let expected = format!(
            "rule `r` of objective `web` would take the time between two slices for silence: it waits {refused} are known up to 2 min after their end"
        );
        assert_eq!(problem.message, expected);
        assert_eq!(problem.severity, Level::Error);
    }
    for (length, expected) in [("1m", 10), ("1h", 62)] {
        let text = sliced(length, &with_policy("alertWhenNoData: true"));
        let lasting = Duration::from_mins(expected);
        let rule = sound(&text).rules.pop().unwrap();
        let what = "what OpenSLO does not say is long enough";
        assert_eq!(rule.condition, Condition::NoData { lasting }, "{what}");
    }
}

#[test]
fn severities_are_words_of_a_list() {
    for (word, expected) in [
        ("page", Severity::Page),
        ("Critical", Severity::Page),
        ("P1", Severity::Page),
        ("ticket", Severity::Ticket),
        ("warning", Severity::Ticket),
        ("info", Severity::Ticket),
    ] {
        let text = with_policy("").replace("critical", word);
        assert_eq!(sound(&text).rules[0].severity, expected, "{word}");
    }
    let problems = read(with_policy("").replace("critical", "loud")).problems;
    assert_eq!(
        problems[0].message,
        "`severity` is `loud`, which is unknown"
    );
    let help = problems[0].help.clone().unwrap();
    assert!(
        help.contains("critical") && help.contains("warning"),
        "{help}"
    );
}

#[test]
fn the_three_switches_of_a_policy_are_taken() {
    let rules = |text: &str| -> Vec<(String, Severity, Ending)> {
        let of = |rule: Rule| (rule.name, rule.severity, rule.ending);
        sound(text).rules.into_iter().map(of).collect()
    };
    let rule = |name: &str, ending| (name.to_owned(), Severity::Page, ending);
    let (told, quiet) = (Ending::Told, Ending::Quiet);
    for (switches, expected) in [
        ("description: x", vec![rule("fast", told)]),
        (
            "alertWhenNoData: true",
            vec![rule("fast", told), rule("plain-no-data", told)],
        ),
        (
            "alertWhenBreaching: false\n  alertWhenNoData: true",
            vec![rule("plain-no-data", told)],
        ),
        ("alertWhenResolved: false", vec![rule("fast", quiet)]),
    ] {
        assert_eq!(rules(&with_policy(switches)), expected, "{switches}");
    }
    let silence = with_policy("alertWhenNoData: true")
        .replace("other/thing: x", "sloburn.dev/no-data-for: 30m");
    let lasting = Duration::from_mins(30);
    assert_eq!(
        sound(&silence).rules[1].condition,
        Condition::NoData { lasting }
    );
    let never = read(with_policy("alertWhenBreaching: false"));
    assert_eq!(
        never.problems[0].message,
        "alert policy `plain` never alerts"
    );
    assert_eq!(never.problems[0].severity, Level::Warning);
    assert_eq!(never.catalog.objectives[0].rules, []);
    let vain = with_policy("").replace("other/thing: x", "sloburn.dev/no-data-for: 30m");
    assert_eq!(
        read(&vain).problems[0].message,
        "`sloburn.dev/no-data-for` without `alertWhenNoData: true`"
    );
}

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
    let seen = |bad: u64| {
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
        let reading = read_rule(&rule, &objective, &timeline, at(86_400));
        (reading.breached, reading.clear)
    };
    assert_eq!(seen(864), (false, true), "exactly a tenth is not more");
    assert_eq!(seen(865), (true, false));
}

#[test]
fn the_time_to_empty_is_compared_exactly() {
    let (objective, rule) = single("timeToEmpty: { within: 4h, lookBack: 1h }");
    // Of 8 640 allowed, x are spent within the last hour: it lasts (8 640 − x) ÷ x more hours.
    let seen = |bad: u64| {
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
        let reading = read_rule(&rule, &objective, &timeline, at(86_400));
        (reading.breached, reading.clear)
    };
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

/// Conditions without parts, over windows of minutes so that short random traffic reaches all of them.
const LEAVES: [&str; 6] = [
    "burnRate: 3, long: 10m",
    "burnRate: 3, long: 5m, short: 5m, confidence: 0.9",
    "budgetLeft: { below: 0.4 }",
    "budgetDrop: { share: 0.01, within: 5m }",
    "timeToEmpty: { within: 1h, lookBack: 5m }",
    "noData: { for: 2m }",
];

fn timeline_of(slices: &[(u64, u64)]) -> Timeline {
    let mut timeline = Timeline::new();
    for (index, (total, bad)) in (0_i64..).zip(slices) {
        // A third of the slices has nothing.
        timeline.add(
            BEGIN + index * 10,
            Tally::new(total.saturating_sub(10), bad / 10),
        );
    }
    timeline
}

proptest! {
    #[test]
    fn all_and_any_are_the_algebra_of_their_parts(
        slices in prop::collection::vec((0_u64..30, 0_u64..40), 10..90),
        picks in prop::collection::vec(0_usize..6, 2..4),
    ) {
        let written: Vec<String> = picks.iter().map(|pick| format!("{{ {} }}", LEAVES[*pick])).collect();
        let parts: Vec<Rule> = picks.iter().map(|pick| single(LEAVES[*pick]).1).collect();
        let group = |word: &str| {
            let text = with_rules(&format!(
                "{{ name: r, severity: ticket, {word}: [{}] }}", written.join(", ")
            ));
            read(&text).catalog.objectives.into_iter().next()
        };
        let timeline = timeline_of(&slices);
        let now = at(i64::try_from(slices.len()).unwrap() * 10);
        let objective = single(LEAVES[0]).0;
        let readings: Vec<_> = parts.iter().map(|part| read_rule(part, &objective, &timeline, now)).collect();
        // `all` of silence and a burn is refused.
        if let Some(all) = group("all") {
            let reading = read_rule(&all.rules[0], &all, &timeline, now);
            prop_assert_eq!(reading.breached, readings.iter().all(|part| part.breached));
            prop_assert_eq!(reading.clear, readings.iter().any(|part| part.clear));
        }
        let any = group("any").unwrap();
        let reading = read_rule(&any.rules[0], &any, &timeline, now);
        prop_assert_eq!(reading.breached, readings.iter().any(|part| part.breached));
        prop_assert_eq!(reading.clear, readings.iter().all(|part| part.clear));
    }

    #[test]
    fn no_condition_pages_twice_without_a_resolve_between_nor_resolves_in_silence(
        slices in prop::collection::vec((0_u64..30, 0_u64..40), 10..120), pick in 0_usize..6,
    ) {
        let (objective, rule) = single(LEAVES[pick]);
        let (mut state, mut firing) = (AlertState::default(), None);
        for tick in 0..i64::try_from(slices.len()).unwrap() {
            let timeline = timeline_of(&slices[..=usize::try_from(tick).unwrap()]);
            let now = at(tick * 10);
            let reading = evaluate(&objective, &timeline, now).readings.remove(0);
            prop_assert!(!(reading.breached && reading.clear), "{reading:?}");
            let (next, transition) = state.advance(&rule, &reading, now, tick.unsigned_abs());
            state = next;
            match transition.map(|transition| (transition.change, transition.incident)) {
                Some((Change::Fired, incident)) => prop_assert_eq!(firing.replace(incident), None),
                Some((Change::Resolved, incident)) => {
                    prop_assert_eq!(firing.take(), Some(incident));
                    // Something was measured of late: no silence resolves.
                    let recent = timeline.tally(now.as_second(), Duration::from_mins(10));
                    prop_assert!(!recent.is_empty());
                }
                None => {}
            }
        }
    }

    #[test]
    fn confidence_grows_with_bad_events(total in 1_u64..400, bad in 0_u64..400, rate in 1_u64..60) {
        let target = "0.98".parse().unwrap();
        let threshold = rate.to_string().parse().unwrap();
        let sure = |bad: u64| slo_specs::Confidence::that(Tally::new(total, bad), target, threshold);
        let bad = bad % total;
        prop_assert!(sure(bad).as_f64() <= sure(bad + 1).as_f64());
    }
}

#[test]
fn what_is_allowed_is_what_the_lowest_mark_says() {
    let objective = sound(&with_rules(
        "{ name: half, severity: ticket, budgetLeft: { below: 0.5 }, allows: care }, \
         { name: spent, severity: ticket, budgetLeft: { below: 0 }, allows: only fixes }, \
         { name: quarter, severity: ticket, budgetLeft: { below: 0.25 }, allows: reliability }, \
         { name: silent, severity: ticket, budgetLeft: { below: 0.1 } }",
    ));
    for (case, bad, expected) in [
        ("nothing is spent", 0, None),
        ("exactly half is left", 50, None),
        ("less than half is left", 51, Some("care")),
        ("less than a quarter is left", 76, Some("reliability")),
        (
            "a rule without words changes nothing",
            91,
            Some("reliability"),
        ),
        ("all is spent", 100, Some("only fixes")),
    ] {
        let mut timeline = Timeline::new();
        timeline.add(BEGIN + 10, Tally::new(budget_of(&objective, 100), bad));
        let evaluation = evaluate(&objective, &timeline, at(20));
        let allows = allowed(&objective, &evaluation.budget).map(|one| one.allows.as_str());
        assert_eq!(allows, expected, "{case}");
    }
}

#[test]
fn no_number_of_bad_events_hides_what_is_allowed() {
    let objective = sound(&with_rules(
        "{ name: half, severity: page, minimumBadEvents: 1000, budgetLeft: { below: 0.5 }, allows: care }, \
         { name: spent, severity: page, budgetLeft: { below: 0 }, allows: only fixes }",
    ));
    for (case, budget, bad, expected) in [
        ("one of one", 1, 1, Some("only fixes")),
        ("one of two", 2, 1, None),
        ("two of three", 3, 2, Some("care")),
    ] {
        let mut timeline = Timeline::new();
        timeline.add(BEGIN + 10, Tally::new(budget_of(&objective, budget), bad));
        let evaluation = evaluate(&objective, &timeline, at(20));
        let allows = allowed(&objective, &evaluation.budget).map(|one| one.allows.as_str());
        assert_eq!(allows, expected, "{case}");
        let alerts = evaluation.readings.iter().any(|reading| reading.breached);
        assert!(!alerts, "{case}: a page needs more than that");
    }
    let nothing = evaluate(&objective, &Timeline::new(), at(20));
    assert_eq!(
        allowed(&objective, &nothing.budget),
        None,
        "without events nothing is known"
    );
}

#[test]
fn marks_are_told_apart_however_near_they_are() {
    // As floats these two are one number.
    let objective = sound(&with_rules(
        "{ name: a, notify: false, budgetLeft: { below: 0.300000000001 }, allows: more }, \
         { name: b, notify: false, budgetLeft: { below: 0.3 }, allows: less }, \
         { name: c, notify: false, budgetLeft: { below: 0.30 }, allows: the same again }, \
         { name: d, severity: ticket, budgetLeft: { below: 0 }, allows: nothing }",
    ));
    let all: Vec<&str> = objective
        .allowances
        .iter()
        .map(|one| one.allows.as_str())
        .collect();
    assert_eq!(all, ["nothing", "less", "the same again", "more"]);
    let alerting: Vec<&str> = objective
        .rules
        .iter()
        .map(|rule| rule.name.as_str())
        .collect();
    assert_eq!(alerting, ["d"], "a mark that only shows is no rule");
}

#[test]
fn who_decides_and_what_only_shows_is_said_where_it_is_allowed() {
    let policy =
        |spec: &str| with_rules("").replace("spec: { rules: [] }", &format!("spec: {{ {spec} }}"));
    for (case, spec, expected) in [
        (
            "an owner",
            "owner: Ann, rules: [{ name: a, notify: false, budgetLeft: { below: 0.5 }, allows: b }]",
            &[][..],
        ),
        (
            "an owner of nothing",
            "owner: Ann, rules: [{ name: a, severity: ticket, budgetLeft: { below: 0.5 } }]",
            &["`owner` is who decides what is allowed, and no rule says `allows`"],
        ),
        (
            "nothing to show",
            "rules: [{ name: a, notify: false, budgetLeft: { below: 0.5 } }]",
            &["`notify: false` without `allows`: nobody would see the rule"],
        ),
        (
            "an alert that alerts nobody",
            "rules: [{ name: a, notify: false, severity: page, hold: 5m, minimumBadEvents: 2, budgetLeft: { below: 0.5 }, allows: b }]",
            &[
                "`severity` does not go with `notify: false`",
                "`hold` does not go with `notify: false`",
                "`minimumBadEvents` does not go with `notify: false`",
            ],
        ),
        (
            "who would hear of nothing",
            "notificationTargets: [{ kind: AlertNotificationTarget, metadata: { name: t }, spec: { target: x } }], \
             rules: [{ name: a, notify: false, budgetLeft: { below: 0.5 }, allows: b }]",
            &["burn policy `own` notifies nobody, and has notificationTargets"],
        ),
        (
            "what is neither",
            "rules: [{ name: a, notify: never, budgetLeft: { below: 0.5 }, allows: b }]",
            &[
                "rule has no `severity`",
                "`notify` must be true or false, not text",
            ],
        ),
    ] {
        let loaded = read(policy(spec));
        let messages: Vec<&str> = loaded.problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(messages, expected, "{case}");
    }
}

#[test]
fn what_is_allowed_follows_from_the_budget_left_only() {
    for condition in [
        "burnRate: 6, long: 1h",
        "any: [{ budgetLeft: { below: 0 } }, { burnRate: 14.4, long: 5m }]",
    ] {
        let loaded = read(with_rules(&format!(
            "{{ name: a, severity: ticket, {condition}, allows: only fixes }}"
        )));
        let messages: Vec<&str> = loaded.problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(
            messages,
            ["`allows` belongs to a rule of `budgetLeft`"],
            "{condition}"
        );
    }
}

/// So many events that just as many of them may be bad.
fn budget_of(objective: &Objective, bad: u64) -> u64 {
    let budget = objective.target.complement();
    bad * budget.denominator() / budget.numerator()
}
