use slo_specs::{SourceFile, load};

use super::*;
use crate::seen::testing::{Spans, seen, seen_for};

const SPEC: &str = "
apiVersion: openslo/v1
kind: SLO
metadata: { name: shop, annotations: { sloburn.dev/runbook: 'https://a.example' } }
spec:
  service: shop
  timeWindow: [{ duration: 30d, isRolling: true }]
  budgetingMethod: Occurrences
  indicator:
    spec:
      ratioMetric:
        counter: true
        bad: { metricSource: { type: otlp, spec: { signal: traces, status: error, match: { service.name: shop } } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: shop } } } }
  objectives: [{ target: 0.999 }]
";

/// A request a second for an hour is 36 000 in 10 h.
fn traffic(count: u64, every: usize) -> Seen {
    let shop = |route| Spans {
        service: "shop",
        kind: 2,
        route,
        count,
        failed: 0,
        milliseconds: 20,
    };
    let seconds: Vec<u64> = (0..3_600).step_by(every).collect();
    seen(&[shop("/cart")], &seconds)
}

fn said(spec: &str, seen: Option<&Seen>) -> Vec<(String, String)> {
    let loaded = load(&[SourceFile {
        path: "a.yaml".into(),
        text: spec.into(),
    }]);
    assert_eq!(loaded.problems, [], "{spec}");
    let lints = lints(&loaded.catalog, seen);
    assert!(lints.iter().all(|lint| !lint.is_error()));
    lints
        .into_iter()
        .map(|lint| (lint.message, lint.help.unwrap_or_default()))
        .collect()
}

#[test]
fn a_selector_of_root_spans_is_looked_for_as_such() {
    let spec = SPEC.replace("signal: traces,", "signal: traces, root: true,");
    let catalog = load(&[SourceFile {
        path: "a.yaml".into(),
        text: spec.clone(),
    }])
    .catalog;
    let spans = Spans {
        service: "shop",
        kind: 2,
        route: "/cart",
        count: 10,
        failed: 0,
        milliseconds: 20,
    };
    let seconds: Vec<u64> = (0..3_600).step_by(10).collect();
    assert_eq!(
        said(&spec, Some(&seen_for(&catalog, &[spans], &seconds))),
        []
    );
}

#[test]
fn a_request_that_was_sent_again_is_seen_once() {
    let once = traffic(10, 600);
    let spans = || Spans {
        service: "shop",
        kind: 2,
        route: "/cart",
        count: 10,
        failed: 0,
        milliseconds: 20,
    };
    let seconds: Vec<u64> = (0..3_600).step_by(600).collect();
    let twice = seen(&[spans(), spans()], &seconds);
    let events = |seen: &Seen| seen.series().map(|(_, events)| events).sum::<u64>();
    assert_eq!(events(&twice), events(&once));
    assert_eq!(events(&once), 60);
}

#[test]
fn each_lint_has_its_occasion_and_is_silent_otherwise() {
    let busy = traffic(10, 10);
    let quiet = traffic(1, 600);
    assert_eq!(said(SPEC, None), []);
    assert_eq!(said(SPEC, Some(&busy)), []);
    let one = "sloburn.dev/minimum-bad-events: '1', sloburn.dev/runbook";
    for (from, to, seen, expected) in [
        (
            "sloburn.dev/runbook: 'https://a.example'",
            "example.com/a: b",
            None,
            "objective `shop` pages, and nothing says what to do then [no-runbook]",
        ),
        (
            "target: 0.999",
            "target: 0.99999",
            Some(&quiet),
            "objective `shop` has no budget: at the traffic seen some 5167 events come in its window, of which target 0.99999 \
             lets none fail [no-budget]",
        ),
        (
            "sloburn.dev/runbook",
            one,
            Some(&quiet),
            "rule `page-fast` of objective `shop` pages for one failed event at the traffic seen, some 8 events in 1h \
             [one-failure-pages]",
        ),
        (
            "target: 0.999",
            "target: 0.99999",
            Some(&busy),
            "rule `page-fast` of objective `shop` pages for a failure of 10 seconds (10 events) at the traffic seen, some \
             3600 events in 1h [one-slice-pages]",
        ),
        (
            "match: { service.name: shop }",
            "match: { service.name: shoop }",
            Some(&busy),
            "a selector of objective `shop` matches nothing in recording.jsonl [matches-nothing]",
        ),
    ] {
        assert!(SPEC.contains(from), "{from}");
        let said = said(&SPEC.replace(from, to), seen);
        let found = said
            .iter()
            .map(|(message, _)| message.as_str())
            .find(|m| *m == expected);
        assert_eq!(found, Some(expected), "{said:?}");
    }
}

#[test]
fn a_selector_that_matches_nothing_names_what_is_nearest() {
    let seen = traffic(10, 10);
    let help = |from: &str, to: &str| {
        let said = said(&SPEC.replace(from, to), Some(&seen));
        said.first()
            .map(|(_, help)| help.clone())
            .unwrap_or_default()
    };
    let service = "service.name: shop";
    assert_eq!(
        help(service, "service.name: shoop"),
        "did you mean `service.name: shop`?"
    );
    assert_eq!(
        help(service, "service.name: shop, http.route: /kart"),
        "did you mean `http.route: /cart`?"
    );
    assert_eq!(
        help(service, "service.name: payments"),
        "seen for `service.name`: shop"
    );
    assert_eq!(
        help(service, "service.name: payments, http.route: /pay"),
        "nothing is like it; there are the services shop"
    );
}

#[test]
fn a_part_that_never_came_is_no_mistake_but_one_of_another_service_is() {
    let seen = traffic(10, 10);
    let bad = "status: error, match: { service.name: shop }";
    for (to, expected) in [
        (
            "match: { service.name: shop, http.route: { prefix: /broken } }",
            0,
        ),
        (
            "match: { service.name: shop, http.response.status_code: { gte: 500 } }",
            1,
        ),
        ("status: error, match: { service.name: shopp }", 1),
    ] {
        assert_eq!(
            said(&SPEC.replace(bad, to), Some(&seen)).len(),
            expected,
            "{to}"
        );
    }
}

#[test]
fn the_name_of_a_lint_is_at_the_end_of_its_message() {
    for (message, expected) in [
        ("objective `a` pages [no-runbook]", Some("no-runbook")),
        ("objective `a` pages", None),
        ("scenario: came [\"a\"]", None),
    ] {
        assert_eq!(name(message), expected, "{message}");
    }
}
