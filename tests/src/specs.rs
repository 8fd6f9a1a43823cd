//! Spec documents for the tests, small and whole.

/// An availability objective over the server spans of `service`, with the default alert policy:
/// bad are spans with status error. `window` as OpenSLO writes it, e.g. `1h`.
pub fn availability(name: &str, service: &str, target: f64, window: &str) -> String {
    format!(
        "apiVersion: openslo/v1
kind: SLO
metadata:
  name: {name}
spec:
  service: {service}
  timeWindow: [{{ duration: {window}, isRolling: true }}]
  budgetingMethod: Occurrences
  indicator:
    metadata: {{ name: {name}-sli }}
    spec:
      ratioMetric:
        counter: true
        bad:   {{ metricSource: {{ type: otlp, spec: {{ signal: traces, spanKind: server, match: {{ service.name: {service} }}, status: error }} }} }}
        total: {{ metricSource: {{ type: otlp, spec: {{ signal: traces, spanKind: server, match: {{ service.name: {service} }} }} }} }}
  objectives: [{{ displayName: answered, target: {target} }}]
---
"
    )
}

/// An objective whose policy fires and resolves within two ticks.
pub fn quick(name: &str, service: &str) -> String {
    also_quick(name, service) + QUICK
}

/// The same beside a [`quick`] one, whose policy it shares.
pub fn also_quick(name: &str, service: &str) -> String {
    let policy = "  alertPolicies: [{ alertPolicyRef: quick }]\n---\n";
    availability(name, service, 0.99, "1h").replace("---\n", policy)
}

/// Looks back a minute, and is over as soon as one slice is good: the short window is as short as can be.
const QUICK: &str = "apiVersion: sloburn/v1
kind: BurnPolicy
metadata: { name: quick }
spec:
  rules:
    - { name: quick-page, severity: page, burnRate: 5, long: 1m, minimumBadEvents: 3 }
";

/// An objective over a counter of `service`: bad are points whose attribute `key` is `value`.
pub fn counter(name: &str, service: &str, metric: &str, key: &str, value: &str) -> String {
    format!(
        "apiVersion: openslo/v1
kind: SLO
metadata:
  name: {name}
spec:
  service: {service}
  timeWindow: [{{ duration: 1d, isRolling: true }}]
  budgetingMethod: Occurrences
  indicator:
    metadata: {{ name: {name}-sli }}
    spec:
      ratioMetric:
        counter: true
        bad:   {{ metricSource: {{ type: otlp, spec: {{ signal: metrics, metric: {metric}, match: {{ service.name: {service}, {key}: {value} }} }} }} }}
        total: {{ metricSource: {{ type: otlp, spec: {{ signal: metrics, metric: {metric}, match: {{ service.name: {service} }} }} }} }}
  objectives: [{{ displayName: counted, target: 0.9 }}]
---
"
    )
}

/// An objective over a histogram of `service`: good are values at or below `bound`, in the metric's own unit.
pub fn histogram(name: &str, service: &str, metric: &str, bound: f64) -> String {
    format!(
        "apiVersion: openslo/v1
kind: SLO
metadata:
  name: {name}
spec:
  service: {service}
  timeWindow: [{{ duration: 1d, isRolling: true }}]
  budgetingMethod: Occurrences
  indicator:
    metadata: {{ name: {name}-sli }}
    spec:
      thresholdMetric:
        metricSource: {{ type: otlp, spec: {{ signal: metrics, metric: {metric}, match: {{ service.name: {service} }} }} }}
  objectives: [{{ displayName: within, op: lte, value: {bound}, target: 0.9 }}]
---
"
    )
}

/// A latency objective over the server spans of `service`: good are those of at most `bound_ms` milliseconds.
pub fn latency(name: &str, service: &str, bound_ms: u64) -> String {
    format!(
        "apiVersion: openslo/v1
kind: SLO
metadata:
  name: {name}
spec:
  service: {service}
  timeWindow: [{{ duration: 1d, isRolling: true }}]
  budgetingMethod: Occurrences
  indicator:
    metadata: {{ name: {name}-sli }}
    spec:
      thresholdMetric:
        metricSource: {{ type: otlp, spec: {{ signal: traces, spanKind: server, match: {{ service.name: {service} }}, value: duration_ms }} }}
  objectives: [{{ displayName: fast, op: lte, value: {bound_ms}, target: 0.95 }}]
---
"
    )
}
