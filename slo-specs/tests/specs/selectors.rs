//! Which events a selector takes.

use std::collections::BTreeMap;

use slo_specs::{AttributeRef, ReadAs, Selector, Signal, Subject};

use crate::given;

/// A span or a metric point of a test.
struct Event {
    signal: Signal,
    kind: &'static str,
    name: &'static str,
    status: &'static str,
    root: bool,
    attributes: BTreeMap<&'static str, AttributeRef<'static>>,
}

impl Subject for Event {
    fn signal(&self) -> Signal {
        self.signal
    }

    fn kind(&self) -> &str {
        self.kind
    }

    fn name(&self) -> &str {
        self.name
    }

    fn status(&self) -> &str {
        self.status
    }

    fn is_root(&self) -> bool {
        self.root
    }

    fn is_read_as(&self, read_as: ReadAs) -> bool {
        read_as == ReadAs::AsSent
    }

    fn attribute(&self, key: &str) -> Option<AttributeRef<'_>> {
        self.attributes.get(key).copied()
    }
}

fn span() -> Event {
    Event {
        signal: Signal::Traces,
        kind: "server",
        name: "GET /pay",
        status: "error",
        root: false,
        attributes: BTreeMap::from([
            ("service.name", AttributeRef::Text("checkout")),
            ("http.response.status_code", AttributeRef::Int(503)),
            ("code.text", AttributeRef::Text("503")),
            ("http.route", AttributeRef::Text("/pay/{id}")),
            ("retry", AttributeRef::Bool(true)),
            ("retry.text", AttributeRef::Text("true")),
            ("ratio", AttributeRef::Double(0.5)),
            ("whole", AttributeRef::Double(2.0)),
            ("version", AttributeRef::Text("1.10")),
        ]),
    }
}

/// The total of a ratio whose `otlp` source has this `spec`.
fn selector(spec: &str) -> Selector {
    let text = format!(
        "apiVersion: openslo/v1
kind: SLO
metadata: {{ name: web }}
spec:
  service: web
  timeWindow: [{{ duration: 30d, isRolling: true }}]
  budgetingMethod: Occurrences
  indicator:
    spec:
      ratioMetric:
        counter: true
        bad: {{ metricSource: {{ type: otlp, spec: {{ {spec} }} }} }}
        total: {{ metricSource: {{ type: otlp, spec: {{ {spec} }} }} }}
  objectives: [{{ target: 0.999 }}]
"
    );
    let loaded = given::read(text);
    assert_eq!(loaded.problems, [], "{spec}");
    let indicator = &loaded.catalog.objectives[0].indicator;
    indicator.selectors().next().expect("a selector").clone()
}

#[test]
fn every_operator_against_every_kind_of_value() {
    for (matched, expected) in [
        ("service.name: checkout", true),
        ("service.name: Checkout", false),
        ("http.response.status_code: 503", true),
        ("http.response.status_code: '503'", true),
        ("http.response.status_code: 503.0", true),
        ("http.response.status_code: 50", false),
        ("code.text: 503", true),
        ("code.text: '503'", true),
        ("retry: true", true),
        ("retry: 'true'", true),
        ("retry.text: true", true),
        ("retry.text: false", false),
        ("ratio: 0.5", true),
        ("ratio: '0.5'", true),
        ("whole: 2", true),
        ("version: 1.10", true),
        ("version: 1.1", false),
        ("http.response.status_code: { in: [500, 503] }", true),
        ("http.response.status_code: { in: [500, 502] }", false),
        ("http.response.status_code: { not: 503 }", false),
        ("http.response.status_code: { not: [500, 502] }", true),
        ("absent: { not: x }", true),
        ("absent: x", false),
        ("absent: { exists: false }", true),
        ("absent: { exists: true }", false),
        ("absent: { lt: 5 }", false),
        ("retry: { exists: true }", true),
        ("http.route: { prefix: /pay }", true),
        ("http.route: { prefix: pay }", false),
        ("http.route: { regex: 'y/.id' }", true),
        ("http.route: { regex: '^y/' }", false),
        ("http.response.status_code: { regex: '^5..$' }", true),
        ("http.response.status_code: { notRegex: '^5..$' }", false),
        ("http.response.status_code: { notRegex: '^4..$' }", true),
        ("no.such.attribute: { notRegex: '^4..$' }", true),
        ("http.response.status_code: { gte: 503 }", true),
        ("http.response.status_code: { gt: 503 }", false),
        ("http.response.status_code: { lte: 503 }", true),
        ("http.response.status_code: { lt: 503 }", false),
        ("http.response.status_code: { gte: 500, lt: 600 }", true),
        ("http.response.status_code: { gte: 400, lt: 500 }", false),
        ("code.text: { gte: 500 }", true),
        ("service.name: { gte: 0 }", false),
        ("retry: { gte: 0 }", false),
        ("service.name: checkout, retry: false", false),
    ] {
        let selector = selector(&format!("signal: traces, match: {{ {matched} }}"));
        assert_eq!(selector.matches(&span()), expected, "{matched}");
    }
}

#[test]
fn spans_are_told_by_kind_name_and_status() {
    for (spec, expected) in [
        ("spanKind: server", true),
        ("spanKind: client", false),
        ("status: error", true),
        ("status: unset", false),
        ("spanName: GET /pay", true),
        ("spanName: { prefix: POST }", false),
        ("spanName: { not: [GET /health] }", true),
        ("spanKind: server, status: ok", false),
    ] {
        let selector = selector(&format!("signal: traces, {spec}"));
        assert_eq!(selector.matches(&span()), expected, "{spec}");
    }
}

#[test]
fn a_selector_of_roots_takes_no_span_with_a_parent() {
    let selector = selector("signal: traces, root: true, spanName: GET /pay");
    assert!(!selector.matches(&span()));
    assert!(selector.matches(&Event {
        root: true,
        ..span()
    }));
}

#[test]
fn a_selector_of_metrics_takes_no_spans() {
    let selector = selector("signal: metrics, metric: hits, match: { service.name: checkout }");
    assert!(!selector.matches(&span()));
    let point = Event {
        signal: Signal::Metrics,
        name: "hits",
        kind: "",
        status: "",
        ..span()
    };
    assert!(selector.matches(&point));
    assert!(!selector.matches(&Event {
        name: "misses",
        ..point
    }));
}
