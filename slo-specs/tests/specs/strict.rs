//! What OpenSLO's Go SDK refuses, and what we take all the same.

#![expect(clippy::too_many_lines, reason = "a table of cases")]

use slo_specs::{SourceFile, load, strict};

use crate::given::file;

/// What the SDK accepts. Cases replace one part of it.
const SLO: &str = "apiVersion: openslo/v1
kind: SLO
metadata: { name: web, displayName: Web }
spec:
  description: it works
  service: web
  timeWindow: [{ duration: 30d, isRolling: true }]
  budgetingMethod: Occurrences
  indicator:
    metadata: { name: web-success }
    spec:
      ratioMetric:
        counter: true
        bad: { metricSource: { type: otlp, spec: { signal: traces, status: error, match: { service.name: web } } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: web } } } }
  objectives: [{ target: 0.999 }]
";

const POLICY: &str = "apiVersion: openslo/v1
kind: AlertPolicy
metadata: { name: burns }
spec:
  alertWhenBreaching: true
  conditions:
    - kind: AlertCondition
      metadata: { name: fast }
      spec:
        severity: page
        condition: { kind: burnrate, op: gt, threshold: 14.4, lookbackWindow: 1h, alertAfter: 5m }
  notificationTargets: [{ targetRef: on-call }]
";

fn refused(text: &str) -> Vec<String> {
    let problems = strict(&[file(text)]);
    assert!(problems.iter().all(slo_specs::Problem::is_error));
    assert!(problems.iter().all(|problem| problem.help.is_some()));
    problems
        .into_iter()
        .map(|problem| problem.message)
        .collect()
}

/// What is replaced, by what, and what is said.
type Case<'a> = (&'a str, &'a str, &'a [&'a str]);

fn check(document: &str, cases: &[Case<'_>]) {
    assert_eq!(refused(document), [""; 0]);
    for (from, to, expected) in cases {
        assert!(document.contains(from), "nothing to replace: {from}");
        assert_eq!(&refused(&document.replacen(from, to, 1)), expected, "{to}");
    }
}

#[test]
fn an_slo_is_held_to_the_rules_of_the_sdk() {
    let target = "{ target: 0.999 }";
    let window = "[{ duration: 30d, isRolling: true }]";
    check(
        SLO,
        &[
            (
                "name: web,",
                "name: Web_App,",
                &["`metadata.name` is `Web_App`, which is not an RFC 1123 label"],
            ),
            (
                "name: web,",
                "name: -web,",
                &["`metadata.name` is `-web`, which is not an RFC 1123 label"],
            ),
            (
                "{ name: web, displayName: Web }",
                "{ name: web, labels: { -a: b } }",
                &["`metadata.labels.-a` is not a label's key"],
            ),
            (
                "{ name: web, displayName: Web }",
                "{ name: web, annotations: { 'Exa_mple/a': b, sloburn.dev/runbook: 'https://a' } }",
                &["`metadata.annotations.Exa_mple/a` is not an annotation's key"],
            ),
            (
                "service: web\n",
                "service:\n",
                &["`spec.service` is required"],
            ),
            (
                "budgetingMethod: Occurrences",
                "budgetingMethod: Occurences",
                &["`spec.budgetingMethod` is `Occurences`, which is none of its words"],
            ),
            (
                "    metadata: { name: web-success }\n",
                "",
                &["`spec.indicator.metadata` is required"],
            ),
            (
                window,
                "[]",
                &["`spec.timeWindow` has 0 items; it must have exactly one"],
            ),
            (
                window,
                "[{ duration: 30d, isRolling: true }, { duration: 7d, isRolling: true }]",
                &["`spec.timeWindow` has 2 items; it must have exactly one"],
            ),
            (
                window,
                "[{ duration: 30x, isRolling: true }]",
                &["`spec.timeWindow[0].duration` is `30x`, which is no duration"],
            ),
            (
                window,
                "[{ duration: 30d }]",
                &["`spec.timeWindow[0]` neither rolls nor has a `calendar`"],
            ),
            (
                window,
                "[{ duration: 1M, isRolling: true, calendar: { startTime: 2026-01-01 00:00:00, timeZone: Europe/Berlin } }]",
                &["`spec.timeWindow[0].calendar` excludes `isRolling: true`"],
            ),
            (
                window,
                "[{ duration: 1M, calendar: { startTime: 2026-01-01, timeZone: Mars/Base } }]",
                &[
                    "`spec.timeWindow[0].calendar.startTime` is no date with a time",
                    "`spec.timeWindow[0].calendar.timeZone` is no time zone of IANA",
                ],
            ),
            (
                target,
                "{ target: 0.999, op: gt }",
                &["`spec.objectives[0].op` is forbidden with an inlined ratioMetric"],
            ),
            (
                target,
                "{ target: 0.999, value: 1 }",
                &["`spec.objectives[0].value` is forbidden with an inlined ratioMetric"],
            ),
            (
                target,
                "{ target: 1.0 }",
                &["`spec.objectives[0].target` is 1.0, which is not from 0 to below 1"],
            ),
            (
                target,
                "{ target: 0.9, targetPercent: 90 }",
                &["`spec.objectives[0]` has `target`, `targetPercent`, which exclude each other"],
            ),
            (
                target,
                "{ displayName: a }",
                &["`spec.objectives[0]` has none of `target`, `targetPercent`"],
            ),
            (
                target,
                "{ target: 0.9, indicatorRef: a }",
                &["`spec` has an indicator of its own besides those of its objectives"],
            ),
            (
                "bad: {",
                "good: { metricSource: { spec: {} } }\n        bad: {",
                &[
                    "`spec.indicator.spec.ratioMetric` has `good`, `bad`, which exclude each other",
                    "`spec.indicator.spec.ratioMetric.good.metricSource.spec` has no field",
                ],
            ),
            (
                "Occurrences\n",
                "Timeslices\n",
                &[
                    "`spec.objectives[0].timeSliceTarget` is required",
                    "`spec.objectives[0].timeSliceWindow` is required",
                ],
            ),
        ],
    );
}

#[test]
fn an_alert_policy_is_held_to_the_rules_of_the_sdk() {
    check(
        POLICY,
        &[
            (
                "alertWhenBreaching: true",
                "alertWhenBreaching: yes please",
                &["`spec.alertWhenBreaching` must be true or false, not text"],
            ),
            (
                "[{ targetRef: on-call }]",
                "[]",
                &["`spec.notificationTargets` has no item; it must have one"],
            ),
            (
                "targetRef: on-call",
                "targetRef: OnCall",
                &[
                    "`spec.notificationTargets[0].targetRef` is `OnCall`, which is not an RFC 1123 label",
                ],
            ),
            (
                "op: gt, ",
                "",
                &["`spec.conditions[0].spec.condition.op` is required"],
            ),
            (
                "threshold: 14.4",
                "threshold: fast",
                &["`spec.conditions[0].spec.condition.threshold` must be a number, not text"],
            ),
            (
                "kind: AlertCondition",
                "conditionRef: a",
                &["`spec.conditions[0]` has both `conditionRef` and `spec`"],
            ),
        ],
    );
}

#[test]
fn what_is_not_openslo_is_not_looked_at() {
    let burn = SLO
        .replace("openslo/v1", "sloburn/v1")
        .replace("30d", "30x");
    assert_eq!(refused(&burn), [""; 0]);
}

#[test]
fn the_places_are_those_of_the_fields() {
    let text = SLO.replace("target: 0.999", "op: gt, target: 0.999");
    let problems = strict(&[file(&text)]);
    assert_eq!(
        problems.first().map(ToString::to_string).as_deref(),
        Some("a.yaml:16:18: `spec.objectives[0].op` is forbidden with an inlined ratioMetric")
    );
}

#[test]
fn what_the_examples_of_the_specification_do_is_a_warning_by_default() {
    for (from, to, expected) in [
        (
            "{ target: 0.999 }",
            "{ op: gt, target: 0.999 }",
            "`op` belongs to a `thresholdMetric`; it says nothing about a ratio",
        ),
        (
            "  budgetingMethod: Occurrences\n",
            "",
            "SLO `web` has no `budgetingMethod`; its events are counted",
        ),
        (
            "  timeWindow: [{ duration: 30d, isRolling: true }]\n",
            "",
            "SLO `web` has no `timeWindow`; it is judged over the last 30 days",
        ),
        (
            "{ name: web, ",
            "{ name: WebShop, ",
            "name `WebShop` is not an RFC 1123 label",
        ),
    ] {
        let loaded = load(&[file(SLO.replacen(from, to, 1))]);
        let said: Vec<&str> = loaded.problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(said, [expected]);
        assert!(!loaded.problems.iter().any(slo_specs::Problem::is_error));
        assert_eq!(loaded.catalog.objectives.len(), 1, "{to}");
    }
}

#[test]
fn a_source_that_is_not_measured_keeps_its_slo_out_and_says_so() {
    let text = SLO.replace(
        "type: otlp, spec: { signal: traces, ",
        "type: prometheus, spec: { query: up, ",
    );
    let loaded = load(&[file(&text)]);
    let said: Vec<&str> = loaded.problems.iter().map(|p| p.message.as_str()).collect();
    let source =
        "metric source type `prometheus` is not measured here; what is built on it is kept out";
    assert_eq!(
        said,
        [
            "SLO `web` is not measured: it is kept out of the catalog",
            source,
            source
        ]
    );
    assert!(!loaded.problems.iter().any(slo_specs::Problem::is_error));
    assert!(loaded.catalog.objectives.is_empty());
    assert_eq!(refused(&text), [""; 0]);
}

#[test]
fn a_source_type_that_must_be_a_slip_of_the_pen_is_an_error() {
    for slip in ["OTLP", "otpl", "otl"] {
        let loaded = load(&[file(SLO.replacen(
            "type: otlp",
            &format!("type: {slip}"),
            1,
        ))]);
        let said: Vec<&str> = loaded.problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(said, [format!("metric source type `{slip}` is unknown")]);
        assert!(loaded.problems.iter().all(slo_specs::Problem::is_error));
    }
}

#[test]
fn what_comes_with_sloburn_is_held_to_the_rules_of_the_sdk() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = |path: std::path::PathBuf| SourceFile {
        text: std::fs::read_to_string(&path).unwrap(),
        path: path.display().to_string(),
    };
    // Scenarios are in the short forms that the SDK refuses.
    for (folder, least) in [("catalog", 7), ("policies", 2)] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        let files: Vec<SourceFile> = entries.map(|entry| file(entry.unwrap().path())).collect();
        assert!(files.len() >= least, "{folder} has specs");
        assert_eq!(strict(&files), []);
    }
}
