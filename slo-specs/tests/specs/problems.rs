//! Everything that can be wrong with a spec is told of, with its place.

#![expect(clippy::too_many_lines, reason = "tables of cases")]

use slo_specs::{Level, SourceFile, load};

use crate::given;

/// A sound SLO. Cases replace one part of it.
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
        bad: { metricSource: { type: otlp, spec: { signal: traces, status: error, match: { service.name: web } } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: web } } } }
  objectives: [{ target: 0.999 }]
";

fn problems(text: &str) -> Vec<String> {
    let loaded = given::read(text);
    loaded.problems.iter().map(ToString::to_string).collect()
}

/// What is replaced, by what, and for each problem the text it points at and what it says.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

fn check(cases: &[Case<'_>]) {
    assert_eq!(problems(SLO), [""; 0]);
    for (from, to, expected) in cases {
        assert!(SLO.contains(from), "nothing to replace: {from}");
        let text = SLO.replacen(from, to, 1);
        let expected: Vec<String> = expected
            .iter()
            .map(|(at, message)| format!("{}: {message}", place(&text, at)))
            .collect();
        assert_eq!(problems(&text), expected, "{to}");
        assert_eq!(given::read(text).catalog.objectives.len(), 0, "{to}");
    }
}

/// `file:line:column` of the last place where `wanted` stands.
fn place(text: &str, wanted: &str) -> String {
    let offset = text.rfind(wanted).expect("the text to point at");
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("a.yaml:{line}:{column}")
}

#[test]
fn targets_lie_between_0_and_1() {
    let target = "target: 0.999";
    check(&[
        (
            target,
            "target: 1.0",
            &[(
                "1.0",
                "objective `web` has target 1.0; a target must be below 1",
            )],
        ),
        (
            target,
            "target: 99.9",
            &[(
                "99.9",
                "objective `web` has target 99.9; a target must be below 1",
            )],
        ),
        (
            target,
            "target: 0",
            &[(
                "0 }",
                "objective `web` has target 0; a target must be above 0",
            )],
        ),
        (
            target,
            "target: -0.5",
            &[(
                "-0.5",
                "objective `web` has target -0.5; a target must be above 0",
            )],
        ),
        (
            target,
            "targetPercent: 100",
            &[(
                "100",
                "objective `web` has targetPercent 100; a targetPercent must be below 100",
            )],
        ),
        (
            target,
            "targetPercent: 0.0",
            &[(
                "0.0",
                "objective `web` has targetPercent 0.0; a targetPercent must be above 0",
            )],
        ),
        (
            target,
            "target: 1e-3",
            &[(
                "1e-3",
                "objective `web` has target 1e-3; a target is a plain decimal: not a plain decimal number",
            )],
        ),
        (
            target,
            "target: 0.9, targetPercent: 90",
            &[(
                "targetPercent",
                "objective of SLO `web` has both `target` and `targetPercent`",
            )],
        ),
        (
            "{ target: 0.999 }",
            "{}",
            &[("{}", "objective of SLO `web` has no `target`")],
        ),
        (
            "[{ target: 0.999 }]",
            "[]",
            &[("[]", "`objectives` is empty")],
        ),
        (
            "[{ target: 0.999 }]",
            "[{ target: 0.999 }, { target: 0.9990 }]",
            &[("{ target: 0.9990", "two objectives are named `web.0-999`")],
        ),
        (
            target,
            "target: 0.999, op: lt, value: 3",
            &[
                (
                    "op:",
                    "warning: `op` belongs to a `thresholdMetric`; it says nothing about a ratio",
                ),
                ("value:", "`value` belongs to a `thresholdMetric`"),
            ],
        ),
    ]);
}

#[test]
fn composites_have_parts_that_fit_together() {
    let source = |status: &str| {
        format!(
            "{{ metricSource: {{ type: otlp, spec: {{ signal: traces{status}, match: {{ service.name: web }} }} }} }}"
        )
    };
    let own = format!(
        "indicator: {{ spec: {{ ratioMetric: {{ bad: {}, total: {} }} }} }}",
        source(", status: error"),
        source("")
    );
    let slo = |annotations: &str, spec: &str, objectives: &[String]| {
        format!(
            "apiVersion: openslo/v1\nkind: SLO\nmetadata: {{ name: web, annotations: {{ {annotations} }} }}\nspec:\n  \
             service: web\n  timeWindow: [{{ duration: 30d, isRolling: true }}]\n  budgetingMethod: Occurrences\n  {spec}\n  \
             objectives: [{}]\n",
            objectives.join(", ")
        )
    };
    let part =
        |name: &str, more: &str| format!("{{ displayName: {name}, target: 0.99, {own}{more} }}");
    let (a, b) = (part("a", ""), part("b", ""));
    let weighted = [
        part("a", ", compositeWeight: 3"),
        part("b", ", compositeWeight: 1"),
    ];
    let shared = format!("{own}\n  description: shared");
    let both = [a.clone(), b.clone()];
    for (case, text, expected) in [
        ("parts alone are no composite", slo("", "", &both), vec![]),
        ("weights make one", slo("", "", &weighted), vec![]),
        (
            "the worst of them has no weights",
            slo("sloburn.dev/composite: worst-of", "", &weighted),
            vec!["a composite that is worst-of has no weights"; 2],
        ),
        (
            "all of them need a target",
            slo("sloburn.dev/composite: all-of", "", &both),
            vec!["a composite that is all-of has no target"],
        ),
        (
            "all of them, with a target",
            slo(
                "sloburn.dev/composite: all-of, sloburn.dev/composite-target: '0.98'",
                "",
                &both,
            ),
            vec![],
        ),
        (
            "one part",
            slo(
                "sloburn.dev/composite: weighted",
                "",
                std::slice::from_ref(&a),
            ),
            vec!["a composite has parts with indicators of their own"],
        ),
        (
            "a target without a composite",
            slo("sloburn.dev/composite-target: '0.98'", "", &both),
            vec!["there is no composite to have this target"],
        ),
        (
            "an indicator for all and one for each",
            slo("", &shared, &both),
            vec!["objective of SLO `web` has an `indicator` beside that of its SLO"; 2],
        ),
        (
            "one objective has none",
            slo(
                "",
                "",
                &[a.clone(), "{ displayName: c, target: 0.9 }".to_owned()],
            ),
            vec!["objective of SLO `web` has neither `indicator` nor `indicatorRef`"],
        ),
        (
            "no weight at all",
            slo("", "", &[part("a", ", compositeWeight: 0"), b.clone()]),
            vec!["`compositeWeight` is 0"],
        ),
        (
            "half a weight is one",
            slo("", "", &[part("a", ", compositeWeight: 0.5"), b.clone()]),
            vec![],
        ),
    ] {
        let loaded = given::read(text);
        let messages: Vec<&str> = loaded.problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(messages, expected, "{case}");
    }
    let loaded = given::read(slo("", "", &weighted));
    let found: Vec<(&str, String, usize)> = loaded
        .catalog
        .objectives
        .iter()
        .map(|one| (one.id.as_str(), one.target.to_string(), one.rules.len()))
        .collect();
    let ninety_nine = || "0.99".to_owned();
    assert_eq!(
        found,
        [
            ("web", ninety_nine(), 4),
            ("web.a", ninety_nine(), 0),
            ("web.b", ninety_nine(), 0)
        ]
    );
}

#[test]
fn slices_have_a_length_and_a_target() {
    let sliced = |fields: &str| ("Timeslices", fields.to_owned());
    for (case, (method, fields), expected) in [
        (
            "slices without a length",
            sliced(", timeSliceTarget: 0.9"),
            &["objective of SLO `web` has no `timeSliceWindow`"][..],
        ),
        (
            "slices without a target",
            sliced(", timeSliceWindow: 5m"),
            &["objective of SLO `web` has no `timeSliceTarget`"],
        ),
        (
            "a target beyond 1",
            sliced(", timeSliceWindow: 5m, timeSliceTarget: 1.1"),
            &["`timeSliceTarget` is 1.1; it must be at most 1"],
        ),
        (
            "a target below 0",
            sliced(", timeSliceWindow: 5m, timeSliceTarget: -1"),
            &["`timeSliceTarget` is -1; it must be 0 or above"],
        ),
        (
            "half a minute",
            sliced(", timeSliceWindow: 0.5, timeSliceTarget: 1"),
            &["`timeSliceWindow` is `0.5m`, not a number and a unit"],
        ),
        (
            "all events, ten minutes",
            sliced(", timeSliceWindow: 10, timeSliceTarget: 1"),
            &[],
        ),
        (
            "the mean of slices has no target for each",
            (
                "RatioTimeslices",
                ", timeSliceWindow: 1m, timeSliceTarget: 1".to_owned(),
            ),
            &["`timeSliceTarget` does not belong to `budgetingMethod: RatioTimeslices`"],
        ),
        (
            "events are not cut",
            ("Occurrences", ", timeSliceWindow: 1m".to_owned()),
            &["`timeSliceWindow` does not belong to `budgetingMethod: Occurrences`"],
        ),
    ] {
        let text = SLO
            .replace("Occurrences", method)
            .replace("target: 0.999", &format!("target: 0.999{fields}"));
        let loaded = given::read(text);
        let messages: Vec<&str> = loaded.problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(messages, expected, "{case}");
    }
    let annotated = "{ name: web, annotations: { sloburn.dev/slices-without-data: bad } }";
    check(&[(
        "{ name: web }",
        annotated,
        &[(
            "bad }",
            "`sloburn.dev/slices-without-data` needs time slices",
        )],
    )]);
}

#[test]
fn unknown_fields_name_the_closest_known_one() {
    check(&[
        (
            "service: web\n",
            "servise: web\n",
            &[
                ("servise", "SLO `web` has an unknown field `servise`"),
                ("servise", "SLO `web` has no `service`"),
            ],
        ),
        (
            "status: error",
            "statsu: error",
            &[(
                "statsu",
                "spec of the otlp source has an unknown field `statsu`",
            )],
        ),
        (
            "{ name: web }",
            "{ name: web, annotations: { sloburn.dev/runbok: https://x } }",
            &[("https", "unknown annotation `sloburn.dev/runbok`")],
        ),
        (
            "kind: SLO",
            "kind: SL0",
            &[("SL0", "`kind` is `SL0`, which is unknown")],
        ),
    ]);
    let text = SLO.replace("status: error", "statsu: error");
    let loaded = given::read(text);
    let help = loaded.problems[0].help.clone().unwrap_or_default();
    assert!(help.starts_with("did you mean `status`?"), "{help}");
}

#[test]
fn sources_say_what_they_select() {
    let total = "total: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: web } } } }";
    let spec_of = "spec of the otlp source";
    for (spec, at, expected) in [
        ("signal: traces, match: {}", "{} ", "`match` is empty"),
        (
            "signal: traces",
            "{ signal: traces }",
            "the otlp source selects every span there is",
        ),
        (
            "signal: logs, match: { a: b }",
            "logs",
            "`signal` is `logs`, which is unknown",
        ),
        (
            "match: { a: b }",
            "{ match",
            &format!("{spec_of} has no `signal`"),
        ),
        (
            "signal: metrics, match: { a: b }",
            "{ signal: m",
            &format!("{spec_of} has no `metric`"),
        ),
        (
            "signal: traces, metric: x, match: { a: b }",
            "metric: x",
            "`metric` belongs to `signal: metrics`",
        ),
        (
            "signal: metrics, metric: x, status: ok",
            "status: ok",
            "`status` belongs to `signal: traces`",
        ),
        (
            "signal: traces, match: { a: { regex: '(' } }",
            "'('",
            "regex `(` is not valid: unclosed group",
        ),
        (
            "signal: traces, match: { a: { gte: many } }",
            "many",
            "`gte` must be a number, not text",
        ),
        (
            "signal: traces, match: { a: [1, 2] }",
            "[1, 2]",
            "`a` must be a value or an operator, not a list",
        ),
        (
            "signal: traces, match: { a: {} }",
            "{} }",
            "`a` has no operator",
        ),
        (
            "signal: traces, match: { a: { not: } }",
            "not:",
            "operator `not` of `a` has no value",
        ),
        (
            "signal: traces, match: { a: { in: [] } }",
            "[] }",
            "list of `in` is empty",
        ),
        (
            "signal: traces, match: { a: { exists: 1 } }",
            "1 }",
            "`exists` must be true or false, not a number",
        ),
        (
            "signal: traces, value: duration_ms, match: { a: b }",
            "value:",
            "`value` belongs to a `thresholdMetric`",
        ),
    ] {
        let to = format!("total: {{ metricSource: {{ type: otlp, spec: {{ {spec} }} }} }}");
        check(&[(total, to.as_str(), &[(at, expected)])]);
    }
}

#[test]
fn references_must_lead_somewhere() {
    check(&[
        (
            "budgetingMethod",
            "alertPolicies: [sustaned]\n  budgetingMethod",
            &[("sustaned", "alert policy `sustaned` does not exist")],
        ),
        (
            "type: otlp",
            "metricSourceRef: there",
            &[("there", "DataSource `there` does not exist")],
        ),
        (
            "indicator:\n    spec:",
            "indicatorRef: x\n  indicator:\n    spec:",
            &[(
                "indicatorRef",
                "SLO `web` has both `indicator` and `indicatorRef`",
            )],
        ),
    ]);
    let text = format!("{SLO}---\n{SLO}");
    let twice = [
        "objective `web` is declared twice",
        "SLO `web` is declared twice",
    ];
    let at = place(&text, "web }\nspec");
    let mut expected = twice.map(|message| format!("{at}: {message}"));
    expected.sort();
    assert_eq!(problems(&text), expected);
}

#[test]
fn a_rule_that_can_never_fire_is_a_problem() {
    let problem = "rule `page-fast` of objective `web` can never fire: its threshold is 14.4, and \
                   with target 0.93 nothing burns faster than 14.3";
    check(&[(
        "objectives: [{ target: 0.999 }]",
        "alertPolicies: [default]\n  objectives: [{ target: 0.93 }]",
        &[("default", problem)],
    )]);
    // Nobody asked for it: the slower rules of the default policy guard such a target.
    let low = SLO.replace("0.999", "0.93");
    let at = place(&low, "service: web\n");
    assert_eq!(problems(&low), [format!("{at}: warning: {problem}")]);
    // 1 / (1 - 0.95) = 20 lies above 14.4.
    assert_eq!(problems(&SLO.replace("0.999", "0.95")), [""; 0]);
}

#[test]
fn conditions_that_alert_on_too_little_burn_are_refused() {
    let policy = |condition: &str| {
        format!(
            "apiVersion: openslo/v1\nkind: AlertCondition\nmetadata: {{ name: c }}\nspec:\n  severity: page\n  condition: {{ {condition} }}\n"
        )
    };
    for (condition, at, expected) in [
        (
            "kind: burnrate, op: lte, threshold: 2, lookbackWindow: 1h",
            "lte",
            "`op` is `lte`, which alerts while the burn rate is low",
        ),
        (
            "kind: burnrate, threshold: 2, lookbackWindow: 1h",
            "{ kind",
            "condition of `c` has no `op`",
        ),
        (
            "kind: budget, op: gt, threshold: 2, lookbackWindow: 1h",
            "budget",
            "`kind` is `budget`, which is unknown",
        ),
        (
            "kind: burnrate, op: gt, threshold: 0, lookbackWindow: 1h",
            "0, ",
            "`threshold` is 0; a burn rate to alert on is above 0",
        ),
        (
            "kind: burnrate, op: gt, threshold: 2, lookbackWindow: 1M",
            "1M",
            "`lookbackWindow` is `1M`, only windows of SLOs have months, quarters and years",
        ),
    ] {
        let text = policy(condition);
        assert_eq!(
            problems(&text),
            [format!("{}: {expected}", place(&text, at))]
        );
    }
}

#[test]
fn a_document_that_is_not_yaml_spoils_only_itself() {
    let text = format!(
        "{SLO}---\na: [1\n---\n{}",
        SLO.replace("name: web", "name: other")
    );
    let loaded = given::read(text);
    assert_eq!(loaded.catalog.objectives.len(), 2);
    let [problem] = loaded.problems.as_slice() else {
        panic!("one problem: {:?}", loaded.problems)
    };
    assert_eq!((problem.line, problem.severity), (16, Level::Error));
}

#[test]
fn a_document_of_another_system_is_one_problem() {
    for (text, expected) in [
        (
            "apiVersion: sloth.slok.dev/v1\nkind: X\nmore: 1\n",
            "a.yaml:1:13: `apiVersion` is `sloth.slok.dev/v1`, which is unknown",
        ),
        (
            "version: prometheus/v1\nslos: []\n",
            "a.yaml:1:1: document has neither `apiVersion` nor `kind`",
        ),
        (
            "- a\n- b\n",
            "a.yaml:1:1: document must be a map, not a list",
        ),
    ] {
        assert_eq!(problems(text), [expected]);
    }
}

#[test]
fn all_problems_of_all_files_are_told_of_in_order() {
    let one = SLO.replace("0.999", "1").replace("30d", "1Y");
    let two = SLO
        .replace("  service: web\n", "")
        .replace("name: web }", "name: two words }");
    let file = |path: &str, text: String| SourceFile {
        path: path.into(),
        text,
    };
    let loaded = load(&[file("b.yaml", two), file("a.yaml", one)]);
    let places: Vec<_> = loaded
        .problems
        .iter()
        .map(|p| (p.file.as_str(), p.line, p.column))
        .collect();
    let expected = [
        ("a.yaml", 6, 28),
        ("a.yaml", 14, 26),
        ("b.yaml", 3, 19),
        ("b.yaml", 5, 3),
    ];
    assert_eq!(places, expected);
}

/// A policy of so many rules, each of so many conditions.
fn policy(name: &str, rules: usize, conditions: usize) -> String {
    let parts = vec!["{ burnRate: 6, long: 1h }"; conditions].join(", ");
    let rule = |rule| format!("  - {{ name: {name}-{rule}, severity: ticket, any: [{parts}] }}\n");
    let rules: Vec<String> = (0..rules).map(rule).collect();
    let rules = rules.concat();
    format!(
        "apiVersion: sloburn/v1\nkind: BurnPolicy\nmetadata: {{ name: {name} }}\nspec:\n  rules:\n{rules}"
    )
}

/// An SLO of so many objectives with these policies.
fn slo(name: &str, objectives: usize, policies: &str) -> String {
    let objectives: Vec<String> = (1..=objectives)
        .map(|one| format!("{{ displayName: o{one}, target: 0.99 }}"))
        .collect();
    let objectives = format!("[{}]\n  alertPolicies: [{policies}]", objectives.join(", "));
    SLO.replace(
        "metadata: { name: web }",
        &format!("metadata: {{ name: {name} }}"),
    )
    .replace("[{ target: 0.999 }]", &objectives)
}

#[test]
fn what_is_copied_for_every_objective_is_bounded() {
    let many = |count: usize, objectives: usize| -> Vec<String> {
        (0..count)
            .map(|one| slo(&format!("s{one}"), objectives, "p"))
            .collect()
    };
    let with = |policies: &[String], slos: &[String]| [policies, slos].concat().join("---\n");
    for (case, text, objectives, expected) in [
        (
            "as many of each as one may have",
            with(&[policy("p", 100, 1)], &[slo("web", 100, "p")]),
            100,
            None,
        ),
        (
            "one objective more",
            with(&[policy("p", 1, 1)], &[slo("web", 101, "p")]),
            0,
            Some("`objectives` has more than 100 entries"),
        ),
        (
            "one rule more",
            with(&[policy("p", 101, 1)], &[slo("web", 1, "p")]),
            0,
            Some("`rules` has more than 100 entries"),
        ),
        (
            "one rule more, of two policies",
            with(
                &[policy("p", 100, 1), policy("q", 1, 1)],
                &[slo("web", 1, "p, q")],
            ),
            0,
            Some("SLO `web` has more than 100 rules"),
        ),
        (
            "as many conditions as all may have",
            with(&[policy("p", 100, 25)], &many(1, 100)),
            100,
            None,
        ),
        (
            "an objective more than all may have",
            with(
                &[policy("p", 100, 25)],
                &[many(1, 100), vec![slo("web", 1, "p")]].concat(),
            ),
            100,
            Some(
                "with SLO `web` the catalog's objectives have more than 250000 conditions and notification targets",
            ),
        ),
    ] {
        let loaded = given::read(text);
        assert_eq!(loaded.catalog.objectives.len(), objectives, "{case}");
        let found: Vec<&str> = loaded
            .problems
            .iter()
            .map(|one| one.message.as_str())
            .collect();
        assert_eq!(found, Vec::from_iter(expected), "{case}");
    }
}

#[test]
fn bombs_are_refused_quickly() {
    let doubled = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d]\n";
    let deep = format!("a: {}", "[".repeat(20_000));
    let large = format!("a: {}", "x".repeat(1 << 20));
    let many = "---\na: 1\n".repeat(600);
    for text in [doubled, &deep, &large, &many] {
        let loaded = given::read(text);
        assert!(!loaded.problems.is_empty());
        assert!(
            loaded
                .problems
                .iter()
                .all(|problem| problem.message.len() < 300)
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_loading_panic(text in "[-a-z:{}\\[\\]\"'&*#|> \n0-9.]{0,200}", at in 0..SLO.len(), cut in 0_usize..9) {
        problems(&text);
        let mut broken = SLO.to_owned();
        broken.replace_range(at..(at + cut).min(SLO.len()), &text);
        problems(&broken);
    }
}
