//! Other systems' specs come out as ours, and what cannot is said.

use std::collections::BTreeSet;

use slo_specs::{Converted, Indicator, convert, load, strict};

use crate::given::file;

const SLOTH: &str = include_str!("convert/sloth.yaml");
const RESOURCE: &str = include_str!("convert/sloth-resource.yaml");
const PYRRA: &str = include_str!("convert/pyrra.yaml");
const ALPHA: &str = include_str!("convert/openslo-v1alpha.yaml");

fn converted(text: &str) -> Converted {
    convert(&[file(text)])
}

fn said(converted: &Converted, errors: bool) -> Vec<String> {
    let problems = converted
        .problems
        .iter()
        .filter(|problem| problem.is_error() == errors);
    problems
        .map(|problem| format!("{}: {}", problem.line, problem.message))
        .collect()
}

#[test]
fn what_comes_out_loads_without_a_word_and_is_good_openslo() {
    for (name, text, objectives) in [
        (
            "sloth",
            SLOTH,
            vec!["shop-latency", "shop-requests", "shop-tickets-only"],
        ),
        ("resource", RESOURCE, vec!["shop-requests"]),
        (
            "pyrra",
            PYRRA,
            vec!["api-errors", "api-latency", "api-native"],
        ),
        ("alpha", ALPHA, vec!["shop-0", "shop-1"]),
    ] {
        let converted = converted(text);
        let loaded = load(&converted.files);
        assert_eq!(loaded.problems, [], "{name}\n{:?}", converted.files);
        assert_eq!(strict(&converted.files), [], "{name}");
        let ids: Vec<&str> = loaded
            .catalog
            .objectives
            .iter()
            .map(|o| o.id.as_str())
            .collect();
        assert_eq!(ids, objectives, "{name}");
    }
}

#[test]
fn what_is_measured_is_what_the_query_counts() {
    let loaded = load(&converted(SLOTH).files);
    let objective = |id: &str| loaded.catalog.objective(id).expect(id);
    let requests = objective("shop-requests");
    assert_eq!(requests.target.to_string(), "0.999");
    assert_eq!(requests.service, "shop");
    assert_eq!(requests.labels["owner"], ["team"]);
    assert_eq!(requests.labels["own"], ["label"]);
    let Indicator::Ratio { total, .. } = &requests.indicator else {
        panic!("a ratio");
    };
    assert_eq!(
        total.metric.as_deref(),
        Some("http_request_duration_seconds")
    );
    assert_eq!(
        total
            .matchers
            .iter()
            .map(|m| m.key.as_str())
            .collect::<Vec<_>>(),
        ["service.name"]
    );
    let latency = objective("shop-latency");
    assert!(
        matches!(&latency.indicator, Indicator::Threshold { bound, .. } if bound.to_bits() == 0.4_f64.to_bits())
    );
    assert_eq!(
        latency.runbook.as_deref(),
        Some("https://runbooks.example/latency")
    );
    assert_eq!(latency.rules, [], "both alerts are disabled");
    let severities: BTreeSet<&str> = objective("shop-tickets-only")
        .rules
        .iter()
        .map(|rule| rule.severity.name())
        .collect();
    assert_eq!(severities, BTreeSet::from(["ticket"]));
}

#[test]
fn pyrras_alerts_are_those_of_its_window() {
    let loaded = load(&converted(PYRRA).files);
    let rules = |id: &str| {
        let objective = loaded.catalog.objective(id).expect(id);
        objective
            .rules
            .iter()
            .map(|rule| {
                let burn = rule.burn().expect("a burn rule");
                let [long, short, hold] =
                    [burn.long, burn.short, rule.hold].map(slo_specs::window_name);
                format!(
                    "{} {} {} {long} {short} {hold}",
                    rule.name,
                    rule.severity.name(),
                    burn.threshold
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        rules("api-errors"),
        [
            "fast page 14.0 1h 5m 2m",
            "medium page 7.0 6h 30m 15m",
            "slow ticket 2.0 1d 2h 1h",
            "long-term ticket 1.0 4d 6h 3h",
        ]
    );
    assert_eq!(
        rules("api-latency").len(),
        3,
        "nothing burns 14 times at 90 %"
    );
    assert_eq!(rules("api-native"), [""; 0]);
    let errors = loaded.catalog.objective("api-errors").expect("it");
    assert_eq!(errors.segments, ["handler", "service.name"]);
}

#[test]
fn what_cannot_be_converted_is_said_field_by_field() {
    assert_eq!(
        said(&converted(SLOTH), true),
        [
            "54: `slos[3].sli.plugin` is not converted: a plugin is a program of Sloth's that makes queries",
            "59: `slos[4].sli.raw.error_ratio_query` is not converted: `count_over_time` does not count events here",
            "60: `slos[4].paging` is not converted: it is not known",
        ]
    );
    assert_eq!(
        said(&converted(PYRRA), true),
        [
            "56: `spec.indicator.bool_gauge` is not converted: it counts how often a level was seen, not events",
            "66: `spec.indicator.ratio.errors.metric` is not converted: label `scope` may also be missing (`cluster|`), \
             which no single `match` says",
        ]
    );
    assert_eq!(
        said(&converted(ALPHA), true),
        ["42: `spec.timeWindows[0].unit` is not converted: a window that rolls has no months"]
    );
    for (text, what) in [
        (
            "a: b",
            "1: `document` of version `` and kind `` cannot be converted",
        ),
        (
            "version: prometheus/v1\nservice: a\nslos: []",
            "3: `slos` lists no SLO",
        ),
        ("a: [", "1: "),
    ] {
        let said = said(&converted(text), true);
        assert!(said.len() == 1 && said[0].starts_with(what), "{said:?}");
    }
    let twice = said(&converted(&format!("{RESOURCE}---\n{RESOURCE}")), true);
    assert!(
        twice[0].ends_with("is not converted: there is an SLO `shop-requests` already"),
        "{twice:?}"
    );
}

#[test]
fn what_has_no_counterpart_is_a_warning() {
    assert_eq!(
        said(&converted(SLOTH), false),
        [
            "12: `slos[0].sli.events.error_query` counts the values of the histogram `http_request_duration_seconds`, as it \
             names `http_request_duration_seconds_count`",
            "15: `slos[0].alerting.name` is not converted: it is for Alertmanager",
            "17: `slos[0].alerting.page_alert.labels` is not converted: it is for Alertmanager",
        ]
    );
    assert_eq!(
        said(&converted(PYRRA), false),
        [
            "31: `spec.target` is so low that 1 of Pyrra's 4 alerts can never fire; they are left out",
            "41: `metadata.name` does not tell the service; it becomes `api-native`",
        ]
    );
}

const PYRRA_TWICE: &str = r#"
apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata:
  name: api
  namespace: monitoring
  labels: { namespace: other, pyrra.dev/team: a }
  annotations: { pyrra.dev/team: b, runbook: "https://a.example", runbook_url: "https://b.example" }
spec:
  target: '99.9'
  window: 4w
  indicator:
    ratio:
      errors: { metric: 'http_requests_total{job="api",code="500"}' }
      total: { metric: 'http_requests_total{job="api"}' }
"#;

#[test]
fn a_key_that_is_there_twice_is_written_once_and_said() {
    let converted = converted(PYRRA_TWICE);
    assert_eq!(said(&converted, true), [""; 0]);
    assert_eq!(
        said(&converted, false),
        [
            "6: `metadata.namespace` takes the place of another `namespace`, which is `other`",
            "8: `metadata.annotations.pyrra.dev/team` takes the place of another `pyrra.dev/team`, which is `a`",
        ]
    );
    let loaded = load(&converted.files);
    assert_eq!(loaded.problems, []);
    let api = loaded.catalog.objective("api").expect("it");
    assert_eq!(api.labels["namespace"], ["monitoring"]);
    assert_eq!(api.runbook.as_deref(), Some("https://a.example"));
    assert!(converted.files[0].text.contains("runbook_url"));
}

#[test]
fn pyrra_and_sloth_are_refused_what_cannot_be_both() {
    for (case, text, expected) in [
        (
            "a word and a list of words of one label cannot both be written",
            PYRRA_TWICE.replace("code=\"500\"", "code=\"500\",code=~\"500|503\""),
            "14: `spec.indicator.ratio.errors.metric` is not converted: label `code` has two matchers of one kind",
        ),
        (
            "of two indicators none is dropped",
            format!("{PYRRA_TWICE}    bool_gauge: {{ metric: up }}\n"),
            "13: `spec.indicator` has `ratio`, `bool_gauge`, which exclude each other",
        ),
        (
            "a raw query and events are two indicators",
            "version: prometheus/v1\nservice: a\nslos:\n- name: b\n  objective: 99\n  sli:\n    raw: { error_ratio_query: \
             'sum(rate(e[5m]))/sum(rate(t[5m]))' }\n    events: { error_query: 'sum(rate(q[5m]))', total_query: \
             'sum(rate(t[5m]))' }\n"
                .to_owned(),
            "7: `slos[0].sli` has `events`, `raw`, which exclude each other",
        ),
    ] {
        assert_eq!(said(&converted(&text), true), [expected], "{case}");
    }
}

const ALPHA_PLAIN: &str = "
apiVersion: openslo/v1alpha
kind: SLO
metadata: { name: a }
spec:
  service: a
  budgetingMethod: Timeslices
  timeWindows: [{ count: 30, unit: Day, isRolling: true }]
  objectives:
    - target: 0.99
      timeSliceTarget: 0.9
      timeSliceWindow: 1m
      ratioMetrics:
        incremental: true
        good: { source: p, queryType: promql, query: 'sum(rate(g[5m]))' }
        total: { source: p, queryType: promql, query: 'sum(rate(t[5m]))' }
";

/// What is said of the plain one when a part of it is another, and why.
const ALPHA_WRONG: [(&str, &str, &str, &str); 9] = [
    (
        "a window has a length",
        "count: 30, ",
        "",
        "8: `spec.timeWindows[0].count` is not converted: it is no whole number above 0",
    ),
    (
        "a window that does not roll has a calendar",
        "isRolling: true",
        "isRolling: false",
        "8: `spec.timeWindows[0].isRolling` is not converted: a window rolls, or else has a calendar",
    ),
    (
        "and one with a calendar does not roll",
        "isRolling: true",
        "isRolling: true, calendar: { startTime: '2026-01-01 00:00:00', timeZone: UTC }",
        "8: `spec.timeWindows[0].isRolling` is not converted: a window rolls, or else has a calendar",
    ),
    (
        "a text brings no field along",
        "timeSliceTarget: 0.9",
        "timeSliceTarget: '0.9, op: lte'",
        "11: `spec.objectives[0].timeSliceTarget` is `0.9, op: lte`, which is no target",
    ),
    (
        "a slice has a length",
        "timeSliceWindow: 1m",
        "timeSliceWindow: soon",
        "12: `spec.objectives[0].timeSliceWindow` is `soon`, which is no window of a slice",
    ),
    (
        "what parses and yet does not load is no success",
        "isRolling: true",
        "isRolling: false, calendar: { startTime: soon, timeZone: UTC }",
        "4: `metadata.name` is not converted: what it becomes does not load: ",
    ),
    (
        "levels are not counted",
        "incremental: true",
        "incremental: false",
        "14: `spec.objectives[0].ratioMetrics.incremental` is not converted: its queries do not count up",
    ),
    (
        "nor by the later name of that",
        "incremental: true",
        "counter: false",
        "14: `spec.objectives[0].ratioMetrics.counter` is not converted: its queries do not count up",
    ),
    (
        "of good and bad none is dropped",
        "        total:",
        "        bad: { source: p, queryType: promql, query: 'sum(rate(b[5m]))' }\n        total:",
        "14: `spec.objectives[0].ratioMetrics` has `good`, `bad`, which exclude each other",
    ),
];

#[test]
fn what_v1alpha_says_is_converted_or_told_of() {
    let plain = converted(ALPHA_PLAIN);
    assert_eq!(plain.problems, []);
    assert_eq!(load(&plain.files).problems, []);
    for (case, old, new, expected) in ALPHA_WRONG {
        let text = ALPHA_PLAIN.replace(old, new);
        assert_ne!(text, ALPHA_PLAIN, "{case}");
        let converted = converted(&text);
        let said = said(&converted, true);
        assert!(
            said.len() == 1 && said[0].starts_with(expected),
            "{case}: {said:?}"
        );
        assert_eq!(converted.files, [], "{case}");
    }
    let occurrences = converted(&ALPHA_PLAIN.replace("Timeslices", "Occurrences"));
    assert_eq!(
        said(&occurrences, false),
        [
            "11: `spec.objectives[0].timeSliceTarget` is not converted: Occurrences have no slices",
            "12: `spec.objectives[0].timeSliceWindow` is not converted: Occurrences have no slices",
        ]
    );
}

#[test]
fn files_that_do_not_load_together_are_no_success() {
    let service = "apiVersion: openslo/v1alpha\nkind: Service\nmetadata: { name: a }\nspec: { description: b }\n";
    let twice = said(&converted(&format!("{service}---\n{service}")), true);
    assert!(
        twice.len() == 1
            && twice[0].starts_with("1: what was converted does not load, there in line "),
        "{twice:?}"
    );
}

#[test]
fn a_count_that_is_taken_for_a_histograms_is_told_of() {
    let text = ALPHA_PLAIN.replace("g[5m]", "errors_count[5m]");
    assert_eq!(
        said(&converted(&text), false),
        [
            "15: `spec.objectives[0].ratioMetrics.good.query` counts the values of the histogram `errors`, as it names \
             `errors_count`"
        ]
    );
    let share = text
        .replace("errors_count[5m]", "d_bucket{le=\"0.3\"}[5m]")
        .replace("t[5m]", "d_count[5m]");
    assert_eq!(
        said(&converted(&share), false),
        [""; 0],
        "a bucket tells that it is a histogram"
    );
}
