//! Spec documents → objectives.

use std::time::Duration;

use slo_specs::{
    Bound, Burn, Indicator, Loaded, Op, Part, Rule, Severity, Signal, SourceFile, load, window_name,
};

const CHECKOUT: &str = "apiVersion: openslo/v1
kind: SLO
metadata:
  name: checkout-availability
  displayName: Checkout requests succeed
  labels: { team: [payments, web], stage: live }
  annotations:
    sloburn.dev/runbook: https://runbooks.example/checkout
    sloburn.dev/segments: \"cloud.region,customer.tier\"
    sloburn.dev/tier: tier-1
    other.example/anything: goes
spec:
  description: 99.9 % of checkout requests get a good answer
  service: checkout
  timeWindow: [{ duration: 30d, isRolling: true }]
  budgetingMethod: Occurrences
  indicator:
    metadata: { name: checkout-success }
    spec:
      ratioMetric:
        counter: true
        bad:   { metricSource: { type: otlp, spec: { signal: traces, spanKind: server, match: { service.name: checkout }, status: error } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, spanKind: server, match: { service.name: checkout } } } }
  objectives: [{ displayName: available, target: 0.999 }]
";

fn read(text: &str) -> Loaded {
    load(&[SourceFile {
        path: "specs/a.yaml".into(),
        text: text.into(),
    }])
}

fn sound(text: &str) -> Loaded {
    let loaded = read(text);
    assert_eq!(loaded.problems, [], "{text}");
    loaded
}

fn burn(rule: &Rule) -> &Burn {
    rule.burn().expect("a burn rule")
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

#[test]
fn the_example_of_the_language_resolves() {
    let loaded = sound(CHECKOUT);
    let [objective] = loaded.catalog.objectives.as_slice() else {
        panic!("one objective")
    };
    assert_eq!(objective.id, "checkout-availability");
    assert_eq!(objective.title, "Checkout requests succeed");
    assert_eq!(
        (objective.target.numerator(), objective.target.denominator()),
        (999, 1000)
    );
    assert_eq!(objective.window, Duration::from_hours(30 * 24).into());
    assert_eq!(objective.segments, ["cloud.region", "customer.tier"]);
    assert_eq!(objective.tier.as_deref(), Some("tier-1"));
    assert_eq!(objective.labels["team"], ["payments", "web"]);
    assert_eq!(objective.source.line, 24);
    let Indicator::Ratio {
        part: Part::Bad(bad),
        total,
    } = &objective.indicator
    else {
        panic!("a ratio of bad events")
    };
    assert_eq!(
        (bad.signal, bad.status.as_deref()),
        (Signal::Traces, Some("error"))
    );
    assert_eq!(total.span_kind.as_deref(), Some("server"));
    assert_eq!(
        loaded.catalog.dimensions(),
        ["cloud.region", "customer.tier"]
    );
    assert_eq!(loaded.catalog.services[0].name, "checkout");
}

#[test]
fn an_slo_without_policies_has_the_default_rules() {
    let loaded = sound(CHECKOUT);
    let rules: Vec<_> = loaded.catalog.objectives[0]
        .rules
        .iter()
        .map(|r| {
            let burn = burn(r);
            let (long, short) = (window_name(burn.long), window_name(burn.short));
            (
                r.name.as_str(),
                r.severity,
                long,
                short,
                burn.threshold.to_string(),
                burn.minimum_bad,
            )
        })
        .collect();
    let row = |name, severity, long: &str, short: &str, threshold: &str, minimum_bad| {
        (
            name,
            severity,
            long.to_owned(),
            short.to_owned(),
            threshold.to_owned(),
            minimum_bad,
        )
    };
    let expected = [
        row("page-fast", Severity::Page, "1h", "5m", "14.4", 3),
        row("page-slow", Severity::Page, "6h", "30m", "6.0", 3),
        row("ticket-fast", Severity::Ticket, "1d", "2h", "3.0", 1),
        row("ticket-slow", Severity::Ticket, "3d", "6h", "1.0", 1),
    ];
    assert_eq!(rules, expected);
    assert!(
        loaded.catalog.objectives[0]
            .rules
            .iter()
            .all(|rule| rule.hold.is_zero())
    );
}

#[test]
fn shares_stay_and_thresholds_follow_for_other_windows() {
    for (window, expected) in [
        ("4w", ["13.4", "5.6", "2.8", "1.0"]),
        ("7d", ["3.4", "1.4", "1.0", "1.0"]),
    ] {
        let loaded = sound(&CHECKOUT.replace("30d", window));
        let thresholds: Vec<_> = loaded.catalog.objectives[0]
            .rules
            .iter()
            .map(|r| burn(r).threshold.to_string())
            .collect();
        assert_eq!(thresholds, expected, "{window}");
    }
}

#[test]
fn policies_are_attached_by_name_and_inline() {
    let attach = |policies: &str| sound(&format!("{CHECKOUT}  alertPolicies: {policies}\n"));
    let names = |loaded: &Loaded| -> Vec<String> {
        loaded.catalog.objectives[0]
            .rules
            .iter()
            .map(|rule| rule.name.clone())
            .collect()
    };
    for policies in ["[sustained]", "[{ alertPolicyRef: sustained }]"] {
        let loaded = attach(policies);
        assert_eq!(names(&loaded), ["sustained-page", "sustained-ticket"]);
        let [page, ticket] = loaded.catalog.objectives[0].rules.as_slice() else {
            panic!()
        };
        assert_eq!(
            (
                burn(page).threshold.as_f64(),
                burn(page).long,
                burn(page).short
            ),
            (4.0, minutes(15), minutes(5))
        );
        assert_eq!(
            (burn(ticket).threshold.as_f64(), ticket.hold),
            (2.0, minutes(10))
        );
    }
    assert_eq!(
        attach("[default, sustained]").catalog.objectives[0]
            .rules
            .len(),
        6
    );
    assert_eq!(names(&attach("[]")), [""; 0]);
    let inline = "[{ kind: BurnPolicy, metadata: { name: own }, spec: { rules: [{ name: fast, \
                  severity: page, budgetShare: 0.01, long: 30m, hold: 5m, minimumBadEvents: 7 }] } }]";
    let loaded = attach(inline);
    let rule = &loaded.catalog.objectives[0].rules[0];
    assert_eq!(
        (burn(rule).threshold.to_string(), burn(rule).minimum_bad),
        ("14.4".to_owned(), 7)
    );
    assert_eq!(
        (burn(rule).short, rule.hold),
        (Duration::from_secs(150), minutes(5))
    );
}

#[test]
fn openslo_conditions_become_rules() {
    let policy = "---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: { name: plain }
spec:
  alertWhenBreaching: true
  alertWhenResolved: true
  conditions:
    - conditionRef: too-fast
    - kind: AlertCondition
      metadata: { name: slow, annotations: { sloburn.dev/short-window: 20m, sloburn.dev/minimum-bad-events: 9 } }
      spec:
        severity: ticket
        condition: { kind: burnrate, op: gte, threshold: 1.5, lookbackWindow: 2h, alertAfter: 0m }
  notificationTargets: [{ targetRef: nights }]
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: { name: too-fast }
spec:
  severity: page
  condition: { kind: burnrate, op: gt, threshold: 2, lookbackWindow: 1h, alertAfter: 5m }
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: { name: nights }
spec: { target: pagerduty }
";
    let loaded = sound(&format!("{CHECKOUT}  alertPolicies: [plain]\n{policy}"));
    let [fast, slow] = loaded.catalog.objectives[0].rules.as_slice() else {
        panic!("two rules")
    };
    assert_eq!(
        (fast.name.as_str(), burn(fast).bound),
        ("too-fast", Bound::Above)
    );
    assert_eq!(
        (burn(fast).long, burn(fast).short, fast.hold),
        (minutes(60), minutes(5), minutes(5))
    );
    assert_eq!(fast.receivers, ["pagerduty"]);
    assert_eq!(
        (slow.name.as_str(), burn(slow).bound),
        ("slow", Bound::AtLeast)
    );
    assert_eq!((burn(slow).short, burn(slow).minimum_bad), (minutes(20), 9));
    assert_eq!(slow.hold, Duration::ZERO);
}

#[test]
fn a_policy_of_the_catalog_takes_the_place_of_the_built_in_one() {
    let policy = "---
apiVersion: sloburn/v1
kind: BurnPolicy
metadata: { name: default }
spec: { rules: [{ name: only, severity: ticket, burnRate: 3, long: 1h }] }
";
    let loaded = sound(&format!("{CHECKOUT}{policy}"));
    assert_eq!(loaded.catalog.objectives[0].rules[0].name, "only");
}

#[test]
fn latency_objectives_share_an_indicator_and_differ_in_bounds() {
    let text = "apiVersion: openslo/v1
kind: SLI
metadata: { name: latency }
spec:
  thresholdMetric:
    metricSource:
      type: otlp
      spec: { signal: traces, value: duration_ms, match: { http.route: { prefix: /pay, not: [/pay/x] } } }
---
apiVersion: openslo/v1
kind: SLO
metadata: { name: pay }
spec:
  service: pay
  timeWindow: [{ duration: 1h, isRolling: true }]
  budgetingMethod: Occurrences
  indicatorRef: latency
  alertPolicies: []
  objectives:
    - { displayName: Most are Fast!, op: lte, value: 250, target: 0.9 }
    - { op: lt, value: 1000, targetPercent: 99.5 }
";
    let loaded = sound(text);
    let ids: Vec<_> = loaded
        .catalog
        .objectives
        .iter()
        .map(|o| o.id.as_str())
        .collect();
    assert_eq!(ids, ["pay.0-995-lt-1000", "pay.most-are-fast"]);
    let bounds: Vec<_> = loaded
        .catalog
        .thresholds()
        .iter()
        .map(|t| (t.bound, t.inclusive))
        .collect();
    assert_eq!(bounds, [(1000.0, false), (250.0, true)]);
    let Indicator::Threshold { op, .. } = loaded.catalog.objectives[1].indicator else {
        panic!()
    };
    assert_eq!(op, Op::Lte);
    let [a, b] = loaded.catalog.objectives.as_slice() else {
        panic!("two objectives")
    };
    assert_ne!(a.indicator.fingerprint(), b.indicator.fingerprint());
    assert_eq!(loaded.catalog.dimensions(), ["http.route"]);
}

#[test]
fn otlp_can_be_referred_to_as_a_data_source() {
    let text = CHECKOUT.replace("type: otlp", "metricSourceRef: here");
    let source = "---\napiVersion: openslo/v1\nkind: DataSource\nmetadata: { name: here }\nspec: { type: otlp }\n";
    assert_eq!(
        sound(&format!("{text}{source}")).catalog.objectives.len(),
        1
    );
}

#[test]
fn fingerprints_are_the_same_for_ever() {
    let fingerprint = sound(CHECKOUT).catalog.objectives[0]
        .indicator
        .fingerprint();
    assert_eq!(fingerprint.to_string(), "215d5315afbf980f");
    let other = CHECKOUT
        .replace("target: 0.999", "target: 0.9999")
        .replace("30d", "7d");
    assert_eq!(
        sound(&other).catalog.objectives[0].indicator.fingerprint(),
        fingerprint
    );
}

#[test]
fn documents_may_stand_in_several_files() {
    let sli = "apiVersion: openslo/v1\nkind: SLI\nmetadata: { name: hits }\nspec: { ratioMetric: { counter: true,
  good: { metricSource: { type: otlp, spec: { signal: metrics, metric: hits, match: { ok: true } } } },
  total: { metricSource: { type: otlp, spec: { signal: metrics, metric: hits } } } } }\n";
    let slo = "apiVersion: openslo/v1\nkind: SLO\nmetadata: { name: hits }\nspec:
  service: web
  timeWindow: [{ duration: 5m, isRolling: true }]
  budgetingMethod: Occurrences
  indicatorRef: hits
  objectives: [{ targetPercent: 99.95 }]\n";
    let file = |path: &str, text: &str| SourceFile {
        path: path.into(),
        text: text.into(),
    };
    let loaded = load(&[file("slo.yaml", slo), file("sli.yaml", sli)]);
    assert_eq!(loaded.problems, []);
    let objective = &loaded.catalog.objectives[0];
    assert_eq!(
        (objective.source.file.as_str(), objective.target.as_f64()),
        ("slo.yaml", 0.9995)
    );
}
