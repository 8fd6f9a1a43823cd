//! One span or point that cannot be used costs itself, by name, and none of its neighbours.

use collector::{Decoded, Encoding, Kind, Known, decode};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{NumberDataPoint, Sum};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::given::{NOW, SECOND, measure, metrics, span, text, traces};
use crate::json_writer::{self, Order};

/// Spans around the poisoned one.
const NEIGHBOURS: u64 = 499;

fn read(kind: Kind, encoding: Encoding, body: &[u8]) -> Decoded {
    decode(kind, encoding, body, &measure(), &Known::new(), NOW).expect("a request")
}

/// A field that holds bytes, with its length in as few bytes as it takes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    field.push(length.to_le_bytes()[0]);
    field.extend_from_slice(bytes);
    field
}

fn route(value: &[u8]) -> Vec<u8> {
    field(9, &[field(1, b"route"), field(2, value)].concat())
}

/// A request of 500 spans, the one in their middle being these bytes.
fn among_neighbours(poisoned: &[u8]) -> Vec<u8> {
    let good = field(2, &span("GET /").encode_to_vec());
    let half = 249;
    let spans = [good.repeat(half), field(2, poisoned), good.repeat(half + 1)];
    field(1, &field(2, &spans.concat()))
}

const UNREADABLE: &str = "field that cannot be read";

/// Spans that are whole messages but of no use, and why they are rejected.
fn useless() -> Vec<(Vec<u8>, &'static str)> {
    let bent = |bend: &dyn Fn(&mut Span)| {
        let mut span = span("GET /cart");
        bend(&mut span);
        span.encode_to_vec()
    };
    vec![
        (bent(&|span| span.trace_id.clear()), "invalid trace id"),
        (
            bent(&|span| span.trace_id = vec![0; 16]),
            "invalid trace id",
        ),
        (bent(&|span| span.span_id = vec![0; 8]), "invalid span id"),
        (bent(&|span| span.span_id = vec![1; 9]), "invalid span id"),
        (bent(&|span| span.end_time_unix_nano = 0), "no end time"),
        (bent(&|span| span.start_time_unix_nano = 0), "no start time"),
        (
            bent(&|span| span.start_time_unix_nano = NOW + SECOND),
            "end before start",
        ),
        (
            bent(&|span| span.end_time_unix_nano = NOW + 86_400 * SECOND),
            "span ends in the future",
        ),
        (Vec::new(), "invalid trace id"),
    ]
}

/// What makes a span unreadable when it is added to it.
fn poison() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a name that is a number", vec![0x28, 1]),
        ("a kind that is a text", field(6, b"server")),
        ("a time that is a varint", vec![0x40, 1]),
        (
            "an attribute that is a number",
            vec![0x49, 1, 2, 3, 4, 5, 6, 7, 8],
        ),
        ("a status that is broken", field(15, &[0x18])),
        ("an attribute that is broken", route(&[0x0a, 9])),
        ("a value of another wire type", route(&[0x08, 1])),
        ("a field cut off", vec![0x2a, 50, b'x']),
        ("an endless integer", vec![0xff; 11]),
        ("a wire type that does not exist", vec![0x0f]),
        ("field number zero", vec![0x00, 0x00]),
        ("a group that does not end", vec![0x5b, 0x08, 1]),
        ("groups nested too deeply", vec![0x5b; 100]),
    ]
}

#[test]
fn a_poisoned_span_is_rejected_alone_and_by_name() {
    let whole = span("GET /cart").encode_to_vec();
    let unreadable = poison()
        .into_iter()
        .map(|(_, more)| ([whole.clone(), more].concat(), UNREADABLE));
    for (poisoned, reason) in useless().into_iter().chain(unreadable) {
        let body = among_neighbours(&poisoned);
        let decoded = read(Kind::Traces, Encoding::Protobuf, &body);
        let (classes, told) = (decoded.classes, decoded.problems.to_string());
        let entries = decoded.spans.summed().entries.into_iter();
        let counted: u64 = entries.map(|entry| entry.measured.count()).sum();
        assert_eq!(
            classes.received.total,
            NEIGHBOURS + 1,
            "{reason}: {poisoned:?}"
        );
        assert_eq!(counted, NEIGHBOURS, "{reason}: {poisoned:?}");
        assert_eq!(classes.rejected(), 1, "{reason}: {poisoned:?}");
        assert!(told.contains(reason), "{reason}: {told}");
    }
}

#[test]
fn a_strange_span_still_counts() {
    let whole = span("GET /cart").encode_to_vec();
    let deep = (0..100).fold(Vec::new(), |inner, _| field(5, &field(1, &inner)));
    for (case, more) in [
        ("a name that is no text", field(5, &[0xff, 0xfe])),
        ("a key that is no text", field(9, &field(1, &[0xff]))),
        ("a value that is no text", route(&field(1, &[0xc0, 0x80]))),
        ("a value nested deeply", route(&deep)),
        (
            "an attribute without a value",
            field(9, &field(1, b"route")),
        ),
        ("an attribute of nothing", field(9, &[])),
        ("a million unknown fields", [0xa0, 0x3f, 1].repeat(10_000)),
        ("an unknown group", vec![0xa3, 0x3f, 0x08, 1, 0xa4, 0x3f]),
        ("an unknown kind", vec![0x30, 99]),
        ("an unknown status", field(15, &[0x18, 99])),
        ("broken events, which nobody reads", field(11, &[0xff; 20])),
        ("everything twice", whole.clone()),
    ] {
        let body = among_neighbours(&[whole.clone(), more].concat());
        let classes = read(Kind::Traces, Encoding::Protobuf, &body).classes;
        assert_eq!(classes.counted.total, NEIGHBOURS + 1, "{case}");
    }
}

#[test]
fn a_poisoned_span_in_json_is_rejected_alone() {
    let good = json_writer::traces(&traces("shop", vec![span("GET /")]), Order::HeaderFirst);
    let (before, rest) = good.split_once("\"spans\":[").unwrap();
    let (one, after) = rest.rsplit_once("]}]}]").unwrap();
    for (case, poisoned) in [
        ("a number", "5".to_owned()),
        ("a text", "\"span\"".to_owned()),
        ("a list", "[]".to_owned()),
        ("an empty object", "{}".to_owned()),
        ("a name that is a number", one.replace("\"GET /\"", "5")),
        (
            "a status that is a text",
            one.replacen('{', "{\"status\":\"bad\",", 1),
        ),
        (
            "a kind beyond 32 bits",
            one.replacen('{', "{\"kind\":99999999999,", 1),
        ),
        (
            "a time that is a word",
            one.replacen('{', "{\"endTimeUnixNano\":\"soon\",", 1),
        ),
        (
            "attributes that are a text",
            one.replacen('{', "{\"attributes\":\"all\",", 1),
        ),
        (
            "an attribute that is a number",
            one.replacen('{', "{\"attributes\":[1],", 1),
        ),
        (
            "a trace id that is no hex",
            one.replacen('{', "{\"traceId\":\"xyz\",", 1)
                .replace("\"traceId\":\"0", "\"x\":\"0"),
        ),
    ] {
        let mut spans = vec![one; 499];
        spans.insert(250, &poisoned);
        let body = format!("{before}\"spans\":[{}]}}]}}]{after}", spans.join(","));
        let classes = read(Kind::Traces, Encoding::Json, body.as_bytes()).classes;
        assert_eq!(classes.received.total, NEIGHBOURS + 1, "{case}");
        assert_eq!(classes.counted.total, NEIGHBOURS, "{case}");
        assert_eq!(classes.invalid.total, 1, "{case}");
    }
}

#[test]
fn a_poisoned_point_is_rejected_alone() {
    let point = |n: usize| NumberDataPoint {
        attributes: vec![text("route", &n.to_string())],
        start_time_unix_nano: NOW - 5 * SECOND,
        time_unix_nano: NOW - SECOND,
        value: Some(Value::AsInt(1)),
        ..NumberDataPoint::default()
    };
    let sum = Data::Sum(Sum {
        data_points: (0..3).map(point).collect(),
        aggregation_temporality: 2,
        is_monotonic: true,
    });
    let body = metrics("requests", "1", sum).encode_to_vec();
    // Breaks the middle point's time from a fixed64 into bytes of a length beyond its end.
    let time = [&[0x19][..], &(NOW - SECOND).to_le_bytes()].concat();
    let at: Vec<_> = (0..body.len())
        .filter(|at| body[*at..].starts_with(&time))
        .collect();
    let mut broken = body.clone();
    broken[at[1]] = 0x1a;
    broken[at[1] + 1] = 0xff;
    let decoded = read(Kind::Metrics, Encoding::Protobuf, &broken);
    assert_eq!(decoded.points.len(), 2);
    assert_eq!(decoded.classes.invalid.total, 1);
    assert_eq!(decoded.classes.received.total, 3);
}

/// The ids, times, kind, status and value that a spelling is about.
const SPELLED: [(&str, &str); 7] = [
    ("trace", "\"0af7651916cd43dd8448eb211c80319c\""),
    ("id", "\"b7ad6b7169203331\""),
    ("kind", "2"),
    ("start", "\"1704067198000000000\""),
    ("end", "\"1704067199000000001\""),
    ("code", "2"),
    ("value", "{\"intValue\":\"7\"}"),
];

/// A request of one span in JSON, some of whose values are spelled otherwise.
fn spelled(otherwise: &[(&str, &str)]) -> String {
    let mut body = "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":@trace@,\"spanId\":@id@,\
                    \"name\":\"GET\",\"kind\":@kind@,\"startTimeUnixNano\":@start@,\"endTimeUnixNano\":@end@,\
                    \"status\":{\"code\":@code@},\"attributes\":[{\"key\":\"route\",\"value\":@value@}]}]}]}]}"
        .to_owned();
    for (name, value) in otherwise.iter().chain(&SPELLED) {
        body = body.replace(&format!("@{name}@"), value);
    }
    body
}

#[test]
fn every_spelling_of_json_means_the_same() {
    let in_json = |body: &str| read(Kind::Traces, Encoding::Json, body.as_bytes());
    let plain = spelled(&[]);
    let expected = in_json(&plain);
    assert_eq!(
        expected.classes.received.total - expected.classes.rejected(),
        1
    );
    for (name, value) in [
        ("trace", "\"0AF7651916CD43DD8448EB211C80319C\""),
        ("id", "\"B7aD6b7169203331\""),
        ("kind", "\"SPAN_KIND_SERVER\""),
        ("kind", "\"2\""),
        ("code", "\"STATUS_CODE_ERROR\""),
        ("code", "2.0"),
        ("start", "1704067198000000000"),
        ("start", "1704067198e9"),
        ("end", "1704067199000000001"),
        ("end", "1704067199000000001.0"),
        ("end", "1.704067199000000001e18"),
        ("value", "{\"intValue\":7}"),
        ("value", "{\"intValue\":70e-1}"),
        ("value", "{\"stringValue\":null,\"intValue\":7}"),
    ] {
        assert_eq!(
            in_json(&spelled(&[(name, value)])),
            expected,
            "{name}: {value}"
        );
    }
    for body in [
        plain.replace(
            "\"kind\"",
            "\"span_kind\":5,\"start_time_unix_nano\":1,\"kind\"",
        ),
        plain.replace("\"traceId\"", "\"\\u0074race\\u0049d\""),
        plain.replace(',', " ,\r\n\t "),
        plain.replace("\"name\"", "\"links\":null,\"events\":null,\"name\""),
    ] {
        assert_eq!(in_json(&body), expected, "{body}");
    }
    let bytes = |text: &str| {
        in_json(&spelled(&[(
            "value",
            &format!("{{\"bytesValue\":\"{text}\"}}"),
        )]))
    };
    for spelling in ["-_8=", "+/8", "-_8"] {
        assert_eq!(bytes(spelling), bytes("+/8="), "{spelling}");
    }
    // Null is the default, and 0 is no usable time.
    assert_eq!(
        in_json(&spelled(&[("end", "null")])).classes.invalid.total,
        1
    );
}
