//! Rules beyond burn rates: how they are written, and when they fire and resolve.

mod algebra;
mod allowances;
mod held;
mod written;

use std::time::Duration;

use proptest::prelude::*;
use slo_specs::{
    AlertState, Change, Condition, Ending, Level, Objective, Rule, Seen, Severity, Tally, Timeline,
    allowed, evaluate, evaluate_heard, judge_again, read_rule,
};

use crate::given::{BEGIN, at, read};

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
        bad: { metricSource: { type: otlp, spec: { signal: traces, status: error, match: { a: b } } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, match: { a: b } } } }
  objectives: [{ target: 0.99 }]
";

/// The SLO with rules of a burn policy.
fn with_rules(rules: &str) -> String {
    format!(
        "{SLO}  alertPolicies: [{{ kind: BurnPolicy, metadata: {{ name: own }}, \
         spec: {{ rules: [{rules}] }} }}]\n"
    )
}

/// The SLO with an alert policy of OpenSLO's, one condition of severity `critical`.
fn with_policy(switches: &str) -> String {
    format!(
        "{SLO}  alertPolicies: [plain]
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {{ name: plain, annotations: {{ other/thing: x }} }}
spec:
  {switches}
  conditions:
    - kind: AlertCondition
      metadata: {{ name: fast }}
      spec:
        severity: critical
        condition: {{ kind: burnrate, op: gt, threshold: 2, lookbackWindow: 1h, alertAfter: 0m }}
"
    )
}

fn sound(text: &str) -> Objective {
    let mut loaded = read(text);
    assert_eq!(loaded.problems, [], "{text}");
    loaded.catalog.objectives.remove(0)
}

/// The objective of a single rule, and the rule.
fn single(condition: &str) -> (Objective, Rule) {
    let objective = sound(&with_rules(&format!(
        "{{ name: r, severity: ticket, {condition} }}"
    )));
    let rule = objective.rules[0].clone();
    (objective, rule)
}

/// Even traffic of `total` and `bad` in each slice of `(from, to]`.
fn traffic(timeline: &mut Timeline, from: i64, to: i64, total: u64, bad: u64) {
    for end in (from + 10..=to).step_by(10) {
        timeline.add(BEGIN + end, Tally::new(total, bad));
    }
}
