use collector::{Delta, Entry, Known, Measured, SeriesKey, Signal, Slice, SpanKind, SpanStatus};
use slo_specs::{Catalog, SourceFile};

use super::*;

const START_S: i64 = 1_704_067_200;

const SPEC: &str = "
apiVersion: openslo/v1
kind: SLO
metadata: { name: checkout }
spec:
  service: checkout
  timeWindow: [{ duration: 30d, isRolling: true }]
  budgetingMethod: Occurrences
  indicator:
    metadata: { name: checkout-success }
    spec:
      ratioMetric:
        counter: true
        bad: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: checkout }, status: error } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: checkout } } } }
  objectives: [{ displayName: available, target: 0.999 }]
";

fn live() -> (Live, Arc<Known>) {
    let path = "test.yaml".to_owned();
    let text = SPEC.to_owned();
    let loaded = slo_specs::load(&[SourceFile { path, text }]);
    assert_eq!(loaded.problems, [], "the test's spec is sound");
    let known = Arc::new(Known::default());
    (
        Live::new(Arc::new(loaded.catalog), Arc::clone(&known)),
        known,
    )
}

fn count(live: &mut Live, known: &Known, end: i64, status: SpanStatus, events: u64) {
    let key = SeriesKey {
        signal: Signal::Spans,
        service: "checkout".into(),
        kind: SpanKind::Server,
        name: "GET /".into(),
        unit: "".into(),
        status,
        attributes: Vec::new(),
        overflow: false,
        root: false,
    };
    let entry = Entry {
        series: key.id(),
        slice: Slice::ending_at(end),
        measured: Measured::counted(events),
    };
    known.insert(key.id(), Arc::new(key));
    let mut delta = Delta::default();
    delta
        .add(vec![entry], &collector::Ledger::default())
        .unwrap();
    live.apply(live.applied() + 1, delta);
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn fired(step: &Step) -> Vec<(&str, Change)> {
    let event =
        |change: &'_ StateChange| change.event.as_ref().map(|event| event.transition.change);
    step.changes
        .iter()
        .filter_map(|change| Some((change.key.rule.as_str(), event(change)?)))
        .collect()
}

#[test]
fn what_was_not_accepted_is_proposed_again_with_the_same_incident() {
    let (mut live, known) = live();
    count(&mut live, &known, START_S, SpanStatus::Error, 100);
    let mut judge = Judge::resume(BTreeMap::new(), 41, None);
    let first = judge.propose(&mut live, at(START_S));
    let again = judge.propose(&mut live, at(START_S + 10));
    assert_eq!(fired(&first), fired(&again));
    let incidents = |step: &Step| -> Vec<u64> {
        let event = |change: &StateChange| Some(change.event.as_ref()?.transition.incident);
        step.changes.iter().filter_map(event).collect()
    };
    assert_eq!(incidents(&first), [41, 42, 43, 44]);
    assert_eq!(incidents(&again), [41, 42, 43, 44]);
    judge.accept(&again);
    let quiet = judge.propose(&mut live, at(START_S + 20));
    assert_eq!(fired(&quiet), [], "a firing alert fires once");
}

#[test]
fn a_firing_alert_survives_silence_and_resolves_by_good_events() {
    let (mut live, known) = live();
    count(&mut live, &known, START_S, SpanStatus::Error, 100);
    let mut judge = Judge::default();
    let step = judge.propose(&mut live, at(START_S));
    judge.accept(&step);
    let silent = judge.propose(&mut live, at(START_S + 3_000));
    assert_eq!(fired(&silent), [], "no events for 50 minutes say nothing");
    count(&mut live, &known, START_S + 3_010, SpanStatus::Unset, 10);
    let good = judge.propose(&mut live, at(START_S + 3_010));
    let fast = ("page-fast", Change::Resolved);
    assert!(fired(&good).contains(&fast), "{:?}", fired(&good));
}

#[test]
fn an_alert_whose_objective_left_the_catalog_is_resolved_with_the_reason() {
    let (mut live, known) = live();
    count(&mut live, &known, START_S, SpanStatus::Error, 100);
    let mut judge = Judge::default();
    let step = judge.propose(&mut live, at(START_S));
    judge.accept(&step);
    live.change_catalog(Arc::new(Catalog::default()));
    let removed = judge.propose(&mut live, at(START_S + 10));
    assert_eq!(removed.changes.len(), 4);
    for change in &removed.changes {
        let event = change.event.as_ref().unwrap();
        assert_eq!(event.transition.change, Change::Resolved);
        assert!(event.transition.reason.contains("removed from the specs"));
    }
    judge.accept(&removed);
    let after = judge.propose(&mut live, at(START_S + 20));
    assert_eq!(after.changes.len(), 0);
}

#[test]
fn a_tick_that_was_missed_is_judged_by_the_next() {
    let (mut live, known) = live();
    count(&mut live, &known, START_S, SpanStatus::Unset, 1_000);
    let mut judge = Judge::default();
    let step = judge.propose(&mut live, at(START_S));
    judge.accept(&step);
    count(&mut live, &known, START_S + 10, SpanStatus::Error, 900);
    // The store refuses everything for six minutes: each verdict is proposed and none accepted.
    let refused = judge.propose(&mut live, at(START_S + 10));
    assert!(fired(&refused).contains(&("page-fast", Change::Fired)));
    count(&mut live, &known, START_S + 370, SpanStatus::Unset, 1_000);
    let after = judge.propose(&mut live, at(START_S + 370));
    assert!(
        fired(&after).contains(&("page-fast", Change::Fired)),
        "the short window is good again, but nobody was told: {:?}",
        fired(&after)
    );
}
