//! Time slices and corrections, against a recount of the raw events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use slo_specs::{
    Account, AccountPart, Catalog, Combine, Condition, Correction, CorrectionKind, CorrectionScope,
    Counted, Derived, EmptySlice, Ending, Fingerprint, Objective, Rule, Severity, Slicing, Source,
    Tally, Timeline, Verdict, When,
};

use crate::given;

/// An hour boundary, in Unix seconds.
const START: i64 = 1_704_067_200;

fn catalog(method: &str, objective: &str, empty: &str) -> Catalog {
    let text = format!(
        "apiVersion: openslo/v1
kind: SLO
metadata: {{ name: web, annotations: {{ {empty} }} }}
spec:
  service: web
  timeWindow: [{{ duration: 30d, isRolling: true }}]
  budgetingMethod: {method}
  indicator:
    spec:
      ratioMetric:
        bad: {{ metricSource: {{ type: otlp, spec: {{ signal: traces, status: error, match: {{ service.name: web }} }} }} }}
        total: {{ metricSource: {{ type: otlp, spec: {{ signal: traces, match: {{ service.name: web }} }} }} }}
  objectives: [{{ target: 0.9{objective} }}]
  alertPolicies: []
"
    );
    let loaded = given::read(text);
    assert_eq!(loaded.problems, []);
    loaded.catalog
}

/// One batch of events: when they arrive, the slice they are of, how many, how many are bad.
#[derive(Clone, Debug)]
struct Batch {
    arrives: i64,
    end: i64,
    total: u64,
    bad: u64,
}

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let batch =
        (1..720_i64, 0..90_i64, 1..50_u64, 0..50_u64).prop_map(|(slot, late, total, bad)| Batch {
            arrives: START + (slot + late) * 10,
            end: START + slot * 10,
            total,
            bad: bad.min(total) / 4,
        });
    prop::collection::vec(batch, 0..60)
}

/// Runs ticks over what arrives, starting again from stored hours at some of them.
fn judged(objective: &Objective, batches: &[Batch], until: i64, restarts: &[i64]) -> Derived {
    let account = objective.account();
    let leaf = objective.indicator.fingerprint();
    let (mut events, mut up) = (Timeline::new(), Timeline::new());
    let mut derived = Derived::new(account.clone());
    let mut now = START;
    while now <= until {
        for batch in batches
            .iter()
            .filter(|batch| (now - 10..now).contains(&(batch.arrives - 10)))
        {
            events.add(batch.end, Tally::new(batch.total, batch.bad));
            derived.touch(batch.end);
        }
        up.set(now, Tally::new(1, 0));
        derived.update(|of| (of == leaf).then_some(&events), &up, now);
        events.advance(now);
        derived.timeline_mut().advance(now);
        if restarts.contains(&now) {
            let chunks = derived.timeline_mut().take_dirty();
            let mut again = Derived::new(account.clone());
            for hour in stored(derived.timeline(), chunks) {
                again
                    .timeline_mut()
                    .restore(hour.tier, hour.hour_end, &hour.bytes)
                    .expect("its own bytes");
            }
            again.resume(now);
            derived = again;
        }
        now += 10;
    }
    derived
}

/// All hours that were ever stored: here the store forgets none between restarts.
fn stored(timeline: &Timeline, _: Vec<slo_specs::Chunk>) -> Vec<slo_specs::Chunk> {
    let mut whole = timeline.clone();
    let end = whole.last_event().unwrap_or(START);
    let mut hours: BTreeMap<i64, Tally> = BTreeMap::new();
    let mut at = START;
    while at <= end + 3_600 {
        hours.insert(at, Tally::EMPTY);
        at += 3_600;
    }
    for hour in hours.keys() {
        // A change and its reverse make the hour dirty.
        let slot = hour + 10;
        let before = whole.between(slot - 10, slot);
        whole.set(slot, before.plus(Tally::new(1, 0)));
        whole.set(slot, before);
    }
    whole.take_dirty()
}

/// The events of a stretch of time, again from the raw batches.
fn events(batches: &[Batch], from: i64, to: i64, excluded: &[(i64, i64)], now: i64) -> Tally {
    let counts = |batch: &&Batch| {
        let out = excluded
            .iter()
            .any(|(start, end)| batch.end > *start && batch.end <= *end);
        batch.end > from && batch.end <= to && batch.arrives <= now && !out
    };
    batches
        .iter()
        .filter(counts)
        .map(|batch| Tally::new(batch.total, batch.bad))
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn slices_agree_with_a_recount(
        batches in batches(),
        minutes in prop::sample::select(vec![1_i64, 2, 5, 7, 60, 90]),
        percent in 50..=100_u64,
        empty in prop::sample::select(vec!["unmeasured", "bad", "good"]),
        restarts in prop::collection::vec((0..810_i64).prop_map(|slot| START + slot * 10), 0..3),
    ) {
        let objective = format!(", timeSliceWindow: {minutes}m, timeSliceTarget: {}", real(percent));
        let annotation = format!("sloburn.dev/slices-without-data: {empty}");
        let objective = catalog("Timeslices", &objective, &annotation).objectives.remove(0);
        let until = START + 8_100;
        let derived = judged(&objective, &batches, until, &restarts);
        let length = minutes * 60;
        let first = batches.iter().filter(|batch| batch.arrives <= until).map(|batch| batch.end - 10).min();
        let mut expected = Tally::EMPTY;
        let mut end = (START / length + 1) * length;
        while end <= until {
            let of_slice = events(&batches, end - length, end, &[], until);
            let silent = first.is_some_and(|first| end > first / length * length) && end <= until - 120;
            if of_slice.total > 0 {
                let good = u128::from(of_slice.good()) * 100 >= u128::from(of_slice.total) * u128::from(percent);
                expected = expected.plus(Tally::new(1, u64::from(!good)));
            } else if silent && empty != "unmeasured" && end - length >= START {
                expected = expected.plus(Tally::new(1, u64::from(empty == "bad")));
            }
            end += length;
        }
        prop_assert_eq!(derived.timeline().tally(until, Duration::from_hours(5)), expected);
    }

    #[test]
    fn what_is_left_out_agrees_with_a_recount(
        batches in batches(),
        spans in prop::collection::vec((0..130_i64, 1..20_i64), 0..4),
        restarts in prop::collection::vec((0..810_i64).prop_map(|slot| START + slot * 10), 0..2),
    ) {
        let mut objective = catalog("Occurrences", "", "").objectives.remove(0);
        objective.corrections = spans.iter().map(|(from, minutes)| correction(*from, *minutes)).collect();
        let until = START + 8_100;
        let excluded: Vec<(i64, i64)> = spans
            .iter()
            .map(|(from, minutes)| (START + from * 60, START + (from + minutes) * 60))
            .collect();
        let expected = events(&batches, START, until, &excluded, until);
        if spans.is_empty() {
            prop_assert!(objective.account().is_plain());
        } else {
            let derived = judged(&objective, &batches, until, &restarts);
            prop_assert_eq!(derived.timeline().tally(until, Duration::from_hours(5)), expected);
        }
    }
}

/// Three parts over the same minutes, each with its own events.
#[test]
fn composites_are_what_their_parts_make_of_each_slice() {
    // Good and bad events of the parts in each minute; no events where both are 0.
    let minutes: [[(u64, u64); 3]; 4] = [
        [(100, 0), (10, 0), (1, 0)],
        [(90, 10), (10, 0), (0, 0)],
        [(50, 50), (0, 10), (0, 0)],
        [(0, 0), (0, 0), (0, 0)],
    ];
    let target: slo_specs::Ratio = "0.95".parse().expect("a target");
    let counts = |combine: Combine| {
        let parts = (0..3).map(|number| AccountPart {
            of: Fingerprint(number),
            counted: Counted::Bad,
            weight: number + 1,
            target,
        });
        let account = Account {
            parts: parts.collect(),
            combine,
            slicing: Some(Slicing {
                length: Duration::from_mins(1),
                verdict: Verdict::Share,
                empty: EmptySlice::Unmeasured,
            }),
            corrections: Vec::new(),
        };
        let mut timelines = [Timeline::new(), Timeline::new(), Timeline::new()];
        let mut derived = Derived::new(account);
        for (minute, parts) in (1..).zip(minutes) {
            for (timeline, (good, bad)) in timelines.iter_mut().zip(parts) {
                timeline.add(START + minute * 60 - 20, Tally::new(good + bad, bad));
                derived.touch(START + minute * 60 - 20);
            }
            let of = |name: Fingerprint| timelines.get(usize::try_from(name.0).ok()?);
            derived.update(of, &Timeline::new(), START + minute * 60);
        }
        let slice = |minute: i64| {
            let end = START + minute * 60;
            let tally = derived.timeline().between(end - 60, end);
            (tally.total > 0).then(|| tally.bad * 1_000 / tally.total)
        };
        (1..=4).map(slice).collect::<Vec<_>>()
    };
    // In thousandths: (1·0.1 + 2·0) ÷ 3, and (1·0.5 + 2·1) ÷ 3; a part without events does not count.
    assert_eq!(
        counts(Combine::Weighted),
        [Some(0), Some(33), Some(833), None]
    );
    assert_eq!(
        counts(Combine::Worst),
        [Some(0), Some(100), Some(1_000), None]
    );
    assert_eq!(
        counts(Combine::All),
        [Some(0), Some(1_000), Some(1_000), None]
    );
}

/// What is in no segment is all less the segments, slot by slot, late events too.
#[test]
fn the_rest_and_the_segments_are_the_whole() {
    for counted in [Counted::Bad, Counted::Good] {
        let parts = (0..3).map(|number| AccountPart {
            of: Fingerprint(number),
            counted,
            weight: 1,
            target: "0.9".parse().expect("a target"),
        });
        let mut rest = Derived::new(Account {
            parts: parts.collect(),
            combine: Combine::Rest,
            slicing: None,
            corrections: Vec::new(),
        });
        let mut timelines = [(); 3].map(|()| Timeline::counting(counted));
        let mut now = START;
        for step in 0..200_u64 {
            now += 10;
            // Some of it is late, and every third event belongs to no segment.
            let end = now - i64::try_from(step * 7 % 30).unwrap_or(0) * 10;
            let tally = Tally::new(5 + step % 11, step % 4);
            let [all, one, other] = &mut timelines;
            all.add(end, tally);
            match step % 3 {
                0 => one.add(end, tally),
                1 => other.add(end, tally),
                _ => {}
            }
            rest.touch(end);
            let of = |name: Fingerprint| timelines.get(usize::try_from(name.0).ok()?);
            rest.update(of, &Timeline::new(), now);
            let sum = |timeline: &Timeline| timeline.tally(now, Duration::from_hours(1));
            let [all, one, other] = [0, 1, 2].map(|index| sum(&timelines[index]));
            let apart = one.plus(other).plus(sum(rest.timeline()));
            assert_eq!(apart, all, "{counted:?}, after step {step}");
        }
        assert!(rest.timeline().tally(now, Duration::from_hours(1)).total > 0);
    }
}

fn correction(from_minute: i64, minutes: i64) -> Arc<Correction> {
    let start_s = START + from_minute * 60;
    Arc::new(Correction {
        name: "test".to_owned(),
        title: "test".to_owned(),
        reason: "test".to_owned(),
        author: "test".to_owned(),
        kind: CorrectionKind::Exclusion,
        scope: CorrectionScope::default(),
        when: When::Once {
            start_s,
            end_s: start_s + minutes * 60,
        },
        source: Source::default(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a percentage")]
fn real(percent: u64) -> f64 {
    percent as f64 / 100.0
}

/// One indicator's account.
fn account(slicing: Option<Slicing>, corrections: Vec<Arc<Correction>>) -> Account {
    let part = AccountPart {
        of: Fingerprint(7),
        counted: Counted::Bad,
        weight: 1,
        target: "0.9".parse().expect("a target"),
    };
    Account {
        parts: vec![part],
        combine: Combine::Single,
        slicing,
        corrections,
    }
}

/// Slices of a minute; silence is bad.
fn minutes() -> Slicing {
    Slicing {
        length: Duration::from_mins(1),
        verdict: Verdict::Target("0.95".parse().expect("a target")),
        empty: EmptySlice::Bad,
    }
}

/// The same account from its stored hours, as of the last tick that is stored.
fn restarted(derived: &mut Derived, up: &Timeline) -> Derived {
    let mut again = Derived::new(derived.account().clone());
    for hour in derived.timeline_mut().take_dirty() {
        let restored = again.timeline_mut();
        restored
            .restore(hour.tier, hour.hour_end, &hour.bytes)
            .expect("its own bytes");
    }
    again.resume(up.last_event().expect("there were ticks"));
    again
}

#[test]
fn what_was_counted_before_a_long_stop_is_counted_once() {
    let (mut events, mut up) = (Timeline::new(), Timeline::new());
    let mut derived = Derived::new(account(None, vec![correction(-120, 60)]));
    let stop = START + 1_800;
    for end in (START + 10..=stop).step_by(10) {
        events.add(end, Tally::new(10, 1));
        derived.touch(end);
        up.set(end, Tally::new(1, 0));
        derived.update(|_| Some(&events), &up, end);
    }
    for hours in [0, 1, 8, 9, 10, 30] {
        let now = stop + hours * 3_600;
        let mut events = events.clone();
        let mut again = restarted(&mut derived.clone(), &up);
        events.advance(now);
        again.update(|_| Some(&events), &up, now);
        again.timeline_mut().advance(now);
        let counted = again.timeline().tally(now, Duration::from_hours(48));
        assert_eq!(counted, Tally::new(1_800, 180), "down for {hours} h");
    }
}

#[test]
fn a_clock_that_was_ahead_once_hides_no_slice_at_the_next_start() {
    let (mut events, mut up) = (Timeline::new(), Timeline::new());
    let mut derived = Derived::new(account(Some(minutes()), Vec::new()));
    let stop = START + 3_630;
    let mut ticks: Vec<i64> = (START + 10..=stop).step_by(10).collect();
    ticks.insert(200, START + 9_000);
    for now in ticks {
        events.add(now, Tally::new(10, 0));
        derived.touch(now);
        up.set(now, Tally::new(1, 0));
        derived.update(|_| Some(&events), &up, now);
    }
    let mut again = restarted(&mut derived, &up);
    again.update(|_| Some(&events), &up, stop + 600);
    let straddling = again.timeline().between(START + 3_600, START + 3_660);
    assert_eq!(straddling, Tally::new(1, 0));
}

#[test]
fn silence_of_long_ago_counts_as_much_when_it_is_counted_again() {
    let (mut events, mut up) = (Timeline::new(), Timeline::new());
    let now = START + 60 * 86_400;
    for end in [START + 10, now - 600] {
        events.add(end, Tally::new(1, 0));
    }
    for end in (START + 10..=now).step_by(10) {
        up.add(end, Tally::new(1, 0));
    }
    events.advance(now);
    up.advance(now);
    let mut derived = Derived::new(account(Some(minutes()), Vec::new()));
    derived.update(|_| Some(&events), &up, now);
    for (from, what) in [(START + 3_600, "one sum"), (now - 40 * 3_600, "minutes")] {
        let counted = derived.timeline().between(from, from + 12 * 3_600);
        assert_eq!(counted, Tally::new(720, 720), "kept as {what}");
    }
}

/// A rule on silence that lasts half an hour.
fn silent() -> Rule {
    Rule {
        name: "silent".into(),
        severity: Severity::Page,
        condition: Condition::NoData {
            lasting: Duration::from_mins(30),
        },
        hold: Duration::ZERO,
        receivers: Vec::new(),
        ending: Ending::Told,
        note: None,
    }
}

/// Maintenance from minute 62 to 118, which cuts through slices at both ends, and what is judged after it.
#[test]
fn silence_straight_after_maintenance_is_that_of_its_slices() {
    const SLICES: &str = ", timeSliceTarget: 0.9, timeSliceWindow: 20m";
    let mut objective = catalog("Timeslices", SLICES, "").objectives.remove(0);
    objective.rules = vec![silent()];
    objective.corrections = vec![correction(62, 56)];
    // Minutes with events, the tick: is it silent?
    for (case, with_events, at, is_silent) in [
        ("the maintenance begins", 0..62, 63, false),
        ("it ends", 0..62, 118, false),
        (
            "events go on at once, in a slice that has not ended",
            0..300,
            119,
            false,
        ),
        (
            "the half slice after it is judged at its end",
            0..300,
            120,
            false,
        ),
        ("events go on", 0..300, 145, false),
        ("nothing comes after it", 0..62, 145, false),
        ("for 29 minutes that count", 0..62, 147, false),
        ("for half an hour that counts", 0..62, 148, true),
        (
            "silent before it for 22 minutes, and 8 after it",
            0..40,
            126,
            true,
        ),
        (
            "silent before it for 22 minutes, and 7 after it",
            0..40,
            125,
            false,
        ),
        ("silent at its begin", 0..20, 62, true),
        ("silent at its begin: so at its end", 0..20, 118, true),
    ] {
        let mut events = Timeline::new();
        for minute in with_events {
            events.add(START + minute * 60 + 60, Tally::new(5, 0));
        }
        let mut derived = Derived::new(objective.account());
        let now = START + at * 60;
        derived.update(|_| Some(&events), &Timeline::new(), now);
        let now = jiff::Timestamp::from_second(now).expect("a time");
        let evaluation = slo_specs::evaluate(&objective, derived.timeline(), now);
        assert_eq!(
            evaluation.readings[0].breached, is_silent,
            "{case}, at {at}"
        );
    }
}

/// Events come all the time; an exclusion leaves an hour of them out.
#[test]
fn what_is_left_out_is_neither_silence_nor_data() {
    let mut objective = catalog("Occurrences", "", "").objectives.remove(0);
    objective.rules = vec![silent()];
    objective.corrections = vec![correction(60, 60)];
    // Events until then, the tick, both in minutes: is it silent?
    for (until, at, silent) in [
        (200, 120, false),
        (200, 130, false),
        (45, 59, false),
        (45, 60, false),
        (45, 119, false),
        (45, 134, false),
        (45, 135, true),
        (20, 60, true),
        (20, 120, true),
    ] {
        let mut events = Timeline::new();
        for end in (START + 10..=START + until * 60).step_by(10) {
            events.add(end, Tally::new(5, 0));
        }
        let mut derived = Derived::new(objective.account());
        let now = START + at * 60;
        derived.update(|_| Some(&events), &Timeline::new(), now);
        let now = jiff::Timestamp::from_second(now).expect("a time");
        let evaluation = slo_specs::evaluate(&objective, derived.timeline(), now);
        let reading = &evaluation.readings[0];
        assert_eq!(reading.breached, silent, "events until {until}, at {at}");
    }
}
