//! OTLP requests: whatever the bytes, every event is in one class, what is counted can be stored and read again,
//! and both encodings of one message say the same.

use collector::{
    Classes, Decoded, Delta, Encoding, Entry, Kind, Known, Ledger, Limits, Measure, Origin,
    SeriesKey, Streams, Subject, Threshold, decode,
};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use crate::json_writer::{self, Order};

/// The time of the seeds: 2024-01-01T00:00:00Z. Events of other times are late, or future.
const NOW: u64 = 1_704_067_200_000_000_000;

/// Small, so that inputs of a few kilobytes reach every limit.
fn measure() -> Measure {
    let threshold = |subject, bound, inclusive| Threshold {
        subject,
        bound,
        inclusive,
    };
    let dimensions = ["http.response.status_code", "http.route", "k8s.pod.name"];
    Measure {
        dimensions: dimensions.map(str::to_owned).to_vec(),
        thresholds: vec![
            threshold(Subject::Spans, 100.0, true),
            threshold(Subject::Spans, 250.0, false),
            threshold(Subject::Metric("m".to_owned()), 0.25, true),
            threshold(
                Subject::Metric("http.server.request.duration".to_owned()),
                0.25,
                true,
            ),
        ],
        limits: Limits {
            max_items: 200,
            max_attributes: 8,
            max_value_bytes: 32,
            max_series: 16,
            ..Limits::default()
        },
        readings: Vec::new(),
        roots: false,
        fingerprints: None,
    }
}

pub(crate) fn traces_protobuf(bytes: &[u8]) {
    check(Kind::Traces, Encoding::Protobuf, bytes);
    if let Ok(request) = ExportTraceServiceRequest::decode(bytes) {
        for order in [Order::HeaderFirst, Order::HeaderLast] {
            let text = json_writer::traces(&request, order);
            same(Kind::Traces, &request.encode_to_vec(), text.as_bytes());
        }
    }
}

pub(crate) fn traces_json(bytes: &[u8]) {
    check(Kind::Traces, Encoding::Json, bytes);
}

pub(crate) fn metrics_protobuf(bytes: &[u8]) {
    check(Kind::Metrics, Encoding::Protobuf, bytes);
    if let Ok(request) = ExportMetricsServiceRequest::decode(bytes) {
        for order in [Order::HeaderFirst, Order::HeaderLast] {
            let text = json_writer::metrics(&request, order);
            same(Kind::Metrics, &request.encode_to_vec(), text.as_bytes());
        }
    }
}

pub(crate) fn metrics_json(bytes: &[u8]) {
    check(Kind::Metrics, Encoding::Json, bytes);
}

pub(crate) fn logs_protobuf(bytes: &[u8]) {
    check(Kind::Logs, Encoding::Protobuf, bytes);
}

pub(crate) fn logs_json(bytes: &[u8]) {
    check(Kind::Logs, Encoding::Json, bytes);
}

fn check(kind: Kind, encoding: Encoding, bytes: &[u8]) {
    let Ok(decoded) = decode(kind, encoding, bytes, &measure(), &Known::new(), NOW) else {
        return;
    };
    let limits = measure().limits;
    assert!(decoded.points.len() <= limits.max_items);
    assert!(
        decoded.classes.received.total <= limits.max_items as u64,
        "{:?}",
        decoded.classes
    );
    for (id, key) in &decoded.new_series {
        let stored = SeriesKey::decode(&key.encode()).expect("a key that was just encoded");
        assert_eq!((&stored, stored.id()), (&**key, *id));
    }
    let mut classes = decoded.classes;
    let mut entries = decoded.spans.summed().entries;
    sorted(&entries);
    if kind == Kind::Metrics {
        let absorbed = absorb(&decoded);
        classes.merge(&absorbed.0).expect("a small sum");
        entries = absorbed.1;
    }
    every_event_is_in_one_class(&classes);
    let mut delta = Delta::default();
    if delta.add(entries, &Ledger::of(kind, classes)).is_ok() {
        assert_eq!(Delta::decode(&delta.encode()).as_ref(), Ok(&delta));
    }
}

/// Makes points into counts: the same points again add nothing, and their streams can be stored.
fn absorb(decoded: &Decoded) -> (Classes, Vec<Entry>) {
    let mut streams = Streams::new(Origin::Replay);
    streams.checkpoint();
    let first = streams.absorb(&decoded.points);
    sorted(&first.entries);
    for (id, state) in streams.changed().iter() {
        let mut restored = Streams::new(Origin::Replay);
        restored
            .restore(id, state)
            .expect("a state that was just encoded");
        assert_eq!(restored.encode_state(id).as_deref(), Some(state));
    }
    (first.classes, first.entries)
}

fn sorted(entries: &[Entry]) {
    assert!(
        entries.is_sorted_by(|a, b| (a.slice, a.series) < (b.slice, b.series)),
        "entries are sorted by slice and series, each pair once"
    );
}

fn every_event_is_in_one_class(classes: &Classes) {
    let divided = || classes.divided().map(|(_, class)| class);
    let total: u64 = divided().map(|class| class.total).sum();
    let bad: u64 = divided().map(|class| class.bad).sum();
    assert_eq!(
        (total, bad),
        (classes.received.total, classes.received.bad),
        "{classes:?}"
    );
}

/// One message in both encodings.
fn same(kind: Kind, protobuf: &[u8], json: &[u8]) {
    let decode = |encoding, bytes| decode(kind, encoding, bytes, &measure(), &Known::new(), NOW);
    let (protobuf, json) = (
        decode(Encoding::Protobuf, protobuf),
        decode(Encoding::Json, json),
    );
    assert_eq!(protobuf.is_ok(), json.is_ok(), "{protobuf:?}, {json:?}");
    if let (Ok(protobuf), Ok(json)) = (protobuf, json) {
        assert_eq!(protobuf.spans.summed().entries, json.spans.summed().entries);
        assert_eq!(protobuf.points, json.points);
        assert_eq!(protobuf.new_series, json.new_series);
        assert_eq!(protobuf.classes, json.classes);
        assert_eq!(protobuf.latest_event_nanos, json.latest_event_nanos);
    }
}
