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
    live_of(SPEC.to_owned())
}

fn live_of(text: String) -> (Live, Arc<Known>) {
    let path = "test.yaml".to_owned();
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
    assert_eq!(opened(&first), [41, 42, 43, 44]);
    assert_eq!(opened(&again), [41, 42, 43, 44]);
    judge.accept(&again);
    let quiet = judge.propose(&mut live, at(START_S + 20));
    assert_eq!(fired(&quiet), [], "a firing alert fires once");
}

/// The incidents that a step opens.
fn opened(step: &Step) -> Vec<u64> {
    let fires = step.changes.iter().filter_map(|change| {
        let event = change.event.as_ref().filter(|event| event.fired())?;
        Some(event.transition.incident)
    });
    fires.collect()
}

#[test]
fn a_number_that_was_taken_is_never_proposed_again() {
    let (mut live, known) = live();
    count(&mut live, &known, START_S, SpanStatus::Error, 100);
    let mut judge = Judge::resume(BTreeMap::new(), 41, None);
    let taken = judge.take_incident();
    assert_eq!(taken, 41);
    // The store knows nothing of it: it could not commit.
    judge.reread(Judge::resume(BTreeMap::new(), 41, None));
    let step = judge.propose(&mut live, at(START_S));
    assert_eq!(opened(&step), [42, 43, 44, 45]);
    // Whether these are stored is not known.
    let next = judge.take_incident();
    assert!(next > 45, "{next} may be stored already, for another alert");
    // The store is ahead if it did store them.
    judge.reread(Judge::resume(BTreeMap::new(), 60, None));
    assert_eq!(judge.take_incident(), 60);
}

#[test]
fn a_promise_that_is_withdrawn_is_over_and_its_number_is_not_given_again() {
    let key = AlertKey {
        objective: "checkout".to_owned(),
        rule: "page-fast".to_owned(),
    };
    let (mut live, known) = under_maintenance();
    let mut judge = Judge::default();
    tick(&mut judge, &mut live, START_S + 60);
    judge.promise(key.clone(), 7);
    count(&mut live, &known, START_S + 670, SpanStatus::Error, 100);
    let promised = judge.propose(&mut live, at(START_S + 670));
    assert!(opened(&promised).contains(&7), "{promised:?}");
    assert_eq!(judge.withdraw(&key), Some(7));
    assert_eq!(judge.withdraw(&key), None);
    let anew = judge.propose(&mut live, at(START_S + 670));
    assert!(
        !opened(&anew).is_empty() && opened(&anew).iter().all(|&incident| incident > 7),
        "{anew:?}"
    );
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
fn a_rule_that_was_removed_and_comes_back_is_held_anew() {
    let held = format!(
        "{SPEC}  alertPolicies: [held]\n---\napiVersion: sloburn/v1\nkind: BurnPolicy\nmetadata: {{ name: held }}\nspec:\n  \
         rules: [{{ name: held, severity: page, burnRate: 2, long: 1h, hold: 10m }}]\n"
    );
    let (mut live, known) = live_of(held);
    let whole = Arc::clone(live.catalog());
    count(&mut live, &known, START_S, SpanStatus::Error, 100);
    let mut judge = Judge::default();
    let tick = |judge: &mut Judge, live: &mut Live, second: i64| {
        let step = judge.propose(live, at(START_S + second));
        judge.accept(&step);
        fired(&step).len()
    };
    assert_eq!(tick(&mut judge, &mut live, 0), 0);
    assert!(matches!(
        judge.state("checkout", "held"),
        AlertState::Pending { .. }
    ));
    live.change_catalog(Arc::new(Catalog::default()));
    assert_eq!(tick(&mut judge, &mut live, 10), 0);
    assert_eq!(judge.state("checkout", "held"), AlertState::default());
    assert_eq!(
        tick(&mut judge, &mut live, 20),
        0,
        "nothing is left to change"
    );
    live.change_catalog(whole);
    count(&mut live, &known, START_S + 900, SpanStatus::Error, 100);
    assert_eq!(
        tick(&mut judge, &mut live, 900),
        0,
        "it holds for a moment, not for ten minutes"
    );
    count(&mut live, &known, START_S + 1_500, SpanStatus::Error, 100);
    assert_eq!(tick(&mut judge, &mut live, 1_500), 1);
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

/// Maintenance of 10 minutes that begins a minute after the start.
fn under_maintenance() -> (Live, Arc<Known>) {
    let maintenance = "
apiVersion: sloburn/v1
kind: Correction
metadata: { name: work }
spec:
  description: the index is rebuilt
  author: ada
  type: maintenance
  slos: [checkout]
  start: 2024-01-01T00:01:00Z
  duration: 10m
";
    live_of(format!("{SPEC}---{maintenance}"))
}

fn tick(judge: &mut Judge, live: &mut Live, second: i64) -> Step {
    let step = judge.propose(live, at(second));
    judge.accept(&step);
    step
}

#[test]
fn what_began_before_maintenance_and_is_seen_late_fires_meanwhile() {
    let (mut live, known) = under_maintenance();
    let mut judge = Judge::default();
    count(&mut live, &known, START_S + 10, SpanStatus::Unset, 1);
    tick(&mut judge, &mut live, START_S + 60);
    count(&mut live, &known, START_S + 60, SpanStatus::Error, 100);
    let step = tick(&mut judge, &mut live, START_S + 70);
    let seen: Vec<_> = step
        .changes
        .iter()
        .filter_map(|change| change.event.as_ref())
        .collect();
    assert!(
        !seen.is_empty() && seen.iter().all(|event| event.late),
        "{step:?}"
    );
    assert!(judge.state("checkout", "page-fast").is_firing());
}

#[test]
fn nothing_fires_by_what_fails_within_maintenance() {
    let (mut live, known) = under_maintenance();
    let mut judge = Judge::default();
    tick(&mut judge, &mut live, START_S + 60);
    for second in (START_S + 70..=START_S + 660).step_by(10) {
        count(&mut live, &known, second, SpanStatus::Error, 100);
        let step = tick(&mut judge, &mut live, second);
        assert_eq!(fired(&step), [], "{second}");
    }
    let (_, evaluation) = &tick(&mut judge, &mut live, START_S + 670).evaluations[0];
    assert_eq!(evaluation.window.total, 0, "left out");
    assert_eq!(
        evaluation.uncorrected.map(|raw| raw.bad),
        Some(6_000),
        "and kept"
    );
    count(&mut live, &known, START_S + 680, SpanStatus::Error, 100);
    let after = tick(&mut judge, &mut live, START_S + 680);
    assert!(
        fired(&after).contains(&("page-fast", Change::Fired)),
        "what fails after it counts"
    );
}

#[test]
fn an_alert_that_is_held_is_pending_and_fires_at_the_end_if_it_is_still_breached() {
    let (mut live, known) = under_maintenance();
    let mut judge = Judge::default();
    // Not enough bad events for a page by two ticks; the third comes when the maintenance is in force.
    for second in (START_S + 10..=START_S + 60).step_by(10) {
        count(&mut live, &known, second, SpanStatus::Unset, 100);
        assert_eq!(fired(&tick(&mut judge, &mut live, second)), [], "{second}");
    }
    let objective = live.objectives()[0].clone();
    let fires = |second: i64| {
        let state = AlertState::Firing {
            since: at(second),
            incident: 1,
        };
        let transition = Transition {
            change: Change::Fired,
            incident: 1,
            reason: String::new(),
        };
        held::hold(
            &objective,
            &AlertState::default(),
            state,
            Some(transition),
            at(second),
        )
    };
    let (before, sent) = fires(START_S + 60);
    assert!(
        before.is_firing() && sent.is_some(),
        "the tick at its start is not part of it"
    );
    let (within, sent) = fires(START_S + 70);
    assert_eq!(
        within,
        AlertState::Pending {
            since: at(START_S + 70),
            last: None
        }
    );
    assert_eq!(sent, None, "held");
    let (last, _) = fires(START_S + 660);
    assert!(!last.is_firing(), "the tick at its end is its last");
    let (after, sent) = fires(START_S + 670);
    assert!(after.is_firing() && sent.is_some());
}
