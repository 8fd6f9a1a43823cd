//! How rules are written, and what is wrong with them.

use super::*;

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
