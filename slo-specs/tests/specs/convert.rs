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
