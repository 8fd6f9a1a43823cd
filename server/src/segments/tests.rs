use collector::{Signal, SpanKind, SpanStatus, Value as Attribute};
use slo_specs::SourceFile;

use super::*;

fn catalog(annotations: &str) -> Arc<Catalog> {
    let text = format!(
        "apiVersion: openslo/v1
kind: SLO
metadata: {{ name: checkout, annotations: {{ {annotations} }} }}
spec:
  service: checkout
  timeWindow: [{{ duration: 30d, isRolling: true }}]
  budgetingMethod: Occurrences
  indicator:
    spec:
      ratioMetric:
        bad: {{ metricSource: {{ type: otlp, spec: {{ signal: traces, status: error, match: {{ service.name: checkout }} }} }} }}
        total: {{ metricSource: {{ type: otlp, spec: {{ signal: traces, match: {{ service.name: checkout }} }} }} }}
  objectives: [{{ target: 0.999 }}]
"
    );
    let loaded = slo_specs::load(&[SourceFile {
        path: "test.yaml".to_owned(),
        text,
    }]);
    assert_eq!(loaded.problems, []);
    Arc::new(loaded.catalog)
}

fn series(service: &str, attributes: &[(&str, Attribute)]) -> SeriesKey {
    SeriesKey {
        signal: Signal::Spans,
        service: service.into(),
        kind: SpanKind::Server,
        name: "GET /".into(),
        unit: "".into(),
        status: SpanStatus::Unset,
        root: false,
        attributes: attributes
            .iter()
            .map(|(key, value)| ((*key).into(), value.clone()))
            .collect(),
        overflow: false,
    }
}

fn region(name: &str) -> SeriesKey {
    series("checkout", &[("region", Attribute::Text(name.into()))])
}

fn known(keys: &[SeriesKey]) -> Known {
    let known = Known::new();
    for key in keys {
        known.insert(key.id(), Arc::new(key.clone()));
    }
    known
}

fn ids(segments: &Segments) -> Vec<String> {
    let catalog = segments.catalog();
    let ids = catalog.objectives.iter().map(|one| one.id.clone());
    ids.collect()
}

#[test]
fn a_segment_is_an_objective_from_when_it_is_seen_on_and_after_a_restart() {
    let written = catalog("sloburn.dev/segments: region");
    let mut segments = Segments::resume(Arc::clone(&written), &[]);
    assert_eq!(ids(&segments), ["checkout"]);
    let known = known(&[
        region("eu-west"),
        series("checkout", &[]),
        series("cart", &[("region", Attribute::Text("us".into()))]),
    ]);
    let mut stored = segments.look(&known);
    let apart = ["checkout", "checkout.eu-west", "checkout.none"];
    assert_eq!(ids(&segments), apart);
    assert_eq!(segments.look(&known), [], "nothing is found twice");
    stored.reverse();
    let again = Segments::resume(Arc::clone(&written), &stored);
    assert_eq!(ids(&again), apart);
    let catalog = again.catalog();
    let eu = catalog.objective("checkout.eu-west").unwrap();
    assert_eq!(eu.title, "checkout: region = eu-west");
    let counts = |key: &SeriesKey| eu.indicator.selectors().all(|one| selects(one, key));
    let failed = SeriesKey {
        status: SpanStatus::Error,
        ..region("eu-west")
    };
    assert!(counts(&failed));
    assert!(!counts(&SeriesKey {
        status: SpanStatus::Error,
        ..region("us")
    }));
    assert_eq!(eu.rules, catalog.objective("checkout").unwrap().rules);
}

#[test]
fn beyond_the_limit_is_the_rest_and_what_was_seen_first_stays_apart() {
    let written = catalog("sloburn.dev/segments: region, sloburn.dev/segment-limit: '2'");
    let mut segments = Segments::resume(written, &[]);
    for (number, region_name) in ["c", "b", "a", "d"].iter().enumerate() {
        let keys: Vec<SeriesKey> = ["c", "b", "a", "d"]
            .iter()
            .take(number + 1)
            .map(|name| region(name))
            .collect();
        let found = segments.look(&known(&keys));
        assert_eq!(found.len(), usize::from(number < 3), "{region_name}");
    }
    assert_eq!(
        ids(&segments),
        ["checkout", "checkout.b", "checkout.c", "checkout.rest"]
    );
}

#[test]
fn values_of_any_kind_are_stored_and_found_again() {
    let written = catalog("sloburn.dev/segments: 'a+b'");
    let mut segments = Segments::resume(Arc::clone(&written), &[]);
    let keys = [
        series(
            "checkout",
            &[("a", Attribute::Int(503)), ("b", Attribute::Bool(true))],
        ),
        // The same as text: a segment of its own would count the first one's events, too.
        series(
            "checkout",
            &[
                ("a", Attribute::Text("503".into())),
                ("b", Attribute::Text("true".into())),
            ],
        ),
        series(
            "checkout",
            &[
                ("a", Attribute::Double(0.5)),
                ("b", Attribute::Text("ö/1".into())),
            ],
        ),
        series("checkout", &[]),
    ];
    let stored = segments.look(&known(&keys));
    assert_eq!(stored.len(), 3);
    let again = Segments::resume(Arc::clone(&written), &stored);
    assert_eq!(again.catalog().objectives, segments.catalog().objectives);
    for key in &keys {
        let catalog = again.catalog();
        let apart = catalog
            .objectives
            .iter()
            .filter(|one| one.segment.is_some());
        let counted = apart.filter(|one| is_of(one, key)).count();
        assert_eq!(counted, 1, "{key:?} is in one segment");
    }
    assert!(again.catalog().objectives.iter().all(|one| {
        one.id
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    }));
}

#[test]
fn whose_rules_alert_is_the_authors_choice() {
    for (alerts, whole, parts) in [
        ("both", true, true),
        ("total", true, false),
        ("segments", false, true),
    ] {
        let annotations =
            format!("sloburn.dev/segments: region, sloburn.dev/segment-alerts: {alerts}");
        let mut segments = Segments::resume(catalog(&annotations), &[]);
        segments.look(&known(&[region("eu")]));
        let catalog = segments.catalog();
        let alerts_of = |id: &str| !catalog.objective(id).unwrap().rules.is_empty();
        assert_eq!(
            (alerts_of("checkout"), alerts_of("checkout.eu")),
            (whole, parts),
            "{alerts}"
        );
    }
}

#[test]
fn values_that_are_first_seen_at_once_are_told_apart_by_name() {
    let written = catalog("sloburn.dev/segments: region, sloburn.dev/segment-limit: '3'");
    let names = ["m", "c", "z", "b", "y", "a", "x"];
    let all = known(&names.map(region));
    let mut segments = Segments::resume(Arc::clone(&written), &[]);
    segments.look(&all);
    let apart = ["checkout", "checkout.a", "checkout.b", "checkout.c"];
    let expected = [&apart[..], &["checkout.rest"]].concat();
    assert_eq!(ids(&segments), expected);
    let planned = told_apart(written, &[], &all);
    assert_eq!(planned.objectives, segments.catalog().objectives);
}

/// One value more than can be told apart: the rest is its events, to the unit.
#[test]
fn a_thousand_segments_and_one_add_up() {
    let written = catalog("sloburn.dev/segments: region, sloburn.dev/segment-limit: '1000'");
    let names: Vec<String> = (0..=1_000_u64).map(|n| format!("r{n:04}")).collect();
    let keys: Vec<SeriesKey> = names.iter().map(|name| region(name)).collect();
    let known = Arc::new(known(&keys));
    let mut segments = Segments::resume(written, &[]);
    assert_eq!(segments.look(&known).len(), 1_001);
    let mut live = crate::live::Live::new(segments.catalog(), Arc::clone(&known));
    let end = 1_704_067_200;
    let entries = keys.iter().zip(1..).map(|(key, count)| collector::Entry {
        series: key.id(),
        slice: collector::Slice::ending_at(end),
        measured: collector::Measured::counted(count),
    });
    let mut delta = collector::Delta::default();
    let entries: Vec<collector::Entry> = entries.collect();
    delta.add(entries, &collector::Ledger::default()).unwrap();
    live.apply(1, delta);
    live.derive(end);
    let total = |id: &str| {
        let objective = live.catalog().objective(id).unwrap().clone();
        live.account(&objective)
            .unwrap()
            .between(end - 10, end)
            .total
    };
    assert_eq!(live.catalog().objectives.len(), 1_002);
    for (name, expected) in names.iter().take(1_000).zip(1..) {
        assert_eq!(total(&format!("checkout.{name}")), expected, "{name}");
    }
    assert_eq!(total("checkout.rest"), 1_001);
    assert_eq!(total("checkout"), 1_001 * 1_002 / 2);
}

#[test]
fn what_is_found_at_a_tick_was_unseen_at_the_one_before() {
    let written = catalog("sloburn.dev/segments: region");
    let mut segments = Segments::resume(Arc::clone(&written), &[]);
    let mut unsaved = Unsaved::default();
    let mut look = |segments: &mut Segments, names: &[&str], tick: i64, is_saved: bool| {
        let keys: Vec<SeriesKey> = names.iter().map(|name| region(name)).collect();
        let mut found = std::mem::take(&mut unsaved);
        segments.look_at_tick(&known(&keys), tick, &mut found);
        let (count, unseen) = (found.counters.len(), found.unseen);
        if !is_saved {
            unsaved = found;
        }
        (count, unseen)
    };
    for (names, tick, is_saved, expected, why) in [
        (
            &["a"][..],
            100,
            true,
            (1, i64::MIN),
            "it may have been stored at any time",
        ),
        (
            &["a", "b"],
            110,
            false,
            (1, 100),
            "nothing had it at the last tick",
        ),
        (
            &["a", "b"],
            120,
            false,
            (1, 100),
            "it could not be saved, and waits",
        ),
        (
            &["a", "b", "c"],
            500,
            true,
            (2, 100),
            "it waits with another; the clock steps ahead",
        ),
        (&["a", "b", "c", "d"], 130, true, (1, 130), "and back"),
    ] {
        let found = look(&mut segments, names, tick, is_saved);
        assert_eq!(found, expected, "{why}");
    }
    segments.change_catalog(written);
    let (_, unseen) = look(&mut segments, &["a"], 140, true);
    assert_eq!(unseen, i64::MIN, "another catalog");
    segments.note_lost_series(true);
    let (_, unseen) = look(&mut segments, &["a", "b"], 150, true);
    assert_eq!(unseen, i64::MIN, "a series that was damaged comes again");
}
