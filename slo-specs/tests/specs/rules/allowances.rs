//! What an error budget policy allows.

use super::*;

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
