//! Requests that mean harm cost little and get the right answer.

use collector::{Decoded, Encoding, Kind, Known, RequestError, decode};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;

use crate::given::{NOW, attribute, measure, span, text, traces};
use crate::json_writer::{self, Order};

const KINDS: [Kind; 3] = [Kind::Traces, Kind::Metrics, Kind::Logs];

fn read(kind: Kind, encoding: Encoding, body: &[u8]) -> Result<Decoded, RequestError> {
    decode(kind, encoding, body, &measure(), &Known::new(), NOW)
}

#[test]
fn a_request_cut_anywhere_counts_nothing() {
    let request = traces("shop", vec![span("GET /"), span("GET /cart")]);
    let protobuf = request.encode_to_vec();
    for length in 1..protobuf.len() {
        let result = read(Kind::Traces, Encoding::Protobuf, &protobuf[..length]);
        assert!(
            matches!(result, Err(RequestError::Malformed { .. })),
            "cut at {length}"
        );
    }
    let json = json_writer::traces(&request, Order::HeaderFirst);
    for length in 0..json.len() {
        let result = read(Kind::Traces, Encoding::Json, &json.as_bytes()[..length]);
        assert!(
            matches!(result, Err(RequestError::Malformed { .. })),
            "cut at {length}"
        );
    }
}

#[test]
fn what_is_no_request_is_malformed() {
    for kind in KINDS {
        for body in [
            "hello",
            "garbage",
            "{\"resourceSpans\":[]}",
            "\u{1}\u{2}\u{3}",
            "\n\u{5}ab",
        ] {
            let result = read(kind, Encoding::Protobuf, body.as_bytes());
            assert!(
                matches!(result, Err(RequestError::Malformed { .. })),
                "{kind:?}: {body}"
            );
        }
        for body in [
            "",
            "[]",
            "null",
            "5",
            "{} {}",
            "{\"resourceSpans\":5,\"resourceMetrics\":5,\"resourceLogs\":5}",
        ] {
            let result = read(kind, Encoding::Json, body.as_bytes());
            assert!(
                matches!(result, Err(RequestError::Malformed { .. })),
                "{kind:?}: {body}"
            );
        }
        for (encoding, empty) in [
            (Encoding::Protobuf, ""),
            (Encoding::Json, "{}"),
            (Encoding::Json, "{\"resourceSpans\":null}"),
        ] {
            assert_eq!(
                read(kind, encoding, empty.as_bytes()),
                Ok(Decoded::default()),
                "{kind:?}: {empty}"
            );
        }
    }
}

#[test]
fn a_wire_type_that_is_not_the_fields_is_malformed() {
    for kind in KINDS {
        assert!(
            read(kind, Encoding::Protobuf, &[0x08, 0x01]).is_err(),
            "{kind:?}"
        );
    }
}

#[test]
fn millions_of_empty_elements_are_refused_early() {
    let empty_resources = [0x0a, 0x00].repeat(2_000_000);
    for kind in KINDS {
        let error = read(kind, Encoding::Protobuf, &empty_resources).unwrap_err();
        assert!(
            matches!(error, RequestError::TooManyItems { .. }),
            "{error}"
        );
    }
    let body = format!(
        "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{}{{}}]}}]}}]}}",
        "{},".repeat(200_000)
    );
    assert!(matches!(
        read(Kind::Traces, Encoding::Json, body.as_bytes()),
        Err(RequestError::TooManyItems { .. })
    ));
}

#[test]
fn a_million_attributes_on_one_span_harm_nobody() {
    let mut many = span("many");
    many.attributes = vec![text("other", "x"); 300_000];
    many.attributes
        .push(text("route", "beyond what is looked at"));
    let decoded = read(
        Kind::Traces,
        Encoding::Protobuf,
        &traces("shop", vec![many, span("good")]).encode_to_vec(),
    )
    .unwrap();
    assert_eq!(decoded.classes.counted.total, 2);
    assert!(
        decoded
            .new_series
            .iter()
            .all(|(_, key)| key.attribute("route").is_none())
    );
}

#[test]
fn deep_nesting_costs_only_the_value() {
    let mut deep = AnyValue {
        value: Some(Value::IntValue(1)),
    };
    for _ in 0..60 {
        deep = AnyValue {
            value: Some(Value::ArrayValue(ArrayValue { values: vec![deep] })),
        };
    }
    let nested = Span {
        attributes: vec![attribute("route", deep.value.unwrap())],
        ..span("deep")
    };
    let request = traces("shop", vec![nested, span("good")]);
    let protobuf = read(Kind::Traces, Encoding::Protobuf, &request.encode_to_vec()).unwrap();
    assert_eq!(protobuf.classes.counted.total, 2);
    let json = json_writer::traces(&request, Order::HeaderFirst);
    assert_eq!(
        read(Kind::Traces, Encoding::Json, json.as_bytes()),
        Ok(protobuf)
    );

    // Thousands of levels: more than any stack holds.
    let mut wire = Vec::new();
    for _ in 0..20_000 {
        let mut outer = Vec::new();
        for (tag, inner) in [(0x0a, &wire), (0x2a, &Vec::new())] {
            if tag == 0x0a {
                outer.push(tag);
                outer.extend(varint(inner.len()));
                outer.extend_from_slice(inner);
            }
        }
        wire = [vec![0x2a], varint(outer.len()), outer].concat();
        if wire.len() > 100_000 {
            break;
        }
    }
    let key_value = [
        vec![0x0a, 5],
        b"route".to_vec(),
        vec![0x12],
        varint(wire.len()),
        wire,
    ]
    .concat();
    let mut body = span("deep").encode_to_vec();
    body.extend([vec![0x4a], varint(key_value.len()), key_value].concat());
    for tag in [0x12, 0x12, 0x0a] {
        body = [vec![tag], varint(body.len()), body].concat();
    }
    assert_eq!(
        read(Kind::Traces, Encoding::Protobuf, &body)
            .unwrap()
            .classes
            .counted
            .total,
        1
    );
    let opened = format!("{{\"a\":{}", "[".repeat(5_000_000));
    assert!(read(Kind::Traces, Encoding::Json, opened.as_bytes()).is_err());
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
    out
}

#[test]
fn logs_are_classed_and_their_structure_is_checked() {
    let body = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"5","body":{"stringValue":"x"}},{}]}]}]}"#;
    let decoded = read(Kind::Logs, Encoding::Json, body.as_bytes()).unwrap();
    assert_eq!(
        (
            decoded.classes.received.total,
            decoded.classes.unmatched.total
        ),
        (2, 2)
    );
    assert_eq!(decoded.latest_event_nanos, Some(5));
    assert_eq!(
        read(Kind::Logs, Encoding::Protobuf, &[0x0a, 4, 0x12, 2, 0x12, 0])
            .unwrap()
            .classes
            .unmatched
            .total,
        1
    );
    for (encoding, body) in [
        (
            Encoding::Protobuf,
            &[0x0a, 8, 0x12, 6, 0x12, 2, 0x08, 0x01, 0x12, 0][..],
        ),
        (
            Encoding::Json,
            br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[7,{}]}]}]}"#,
        ),
    ] {
        let classes = read(Kind::Logs, encoding, body).unwrap().classes;
        assert_eq!((classes.invalid.total, classes.received.total), (1, 2));
    }
}

proptest! {
    #[test]
    fn noise_never_panics(body: Vec<u8>, at: Vec<(prop::sample::Index, u8)>) {
        let mut bent = traces("shop", vec![Span { attributes: vec![text("route", "/")], ..span("GET /") }]).encode_to_vec();
        let mut json = json_writer::traces(&traces("shop", vec![span("GET /")]), Order::HeaderFirst).into_bytes();
        for (place, byte) in at {
            let (in_bent, in_json) = (place.index(bent.len()), place.index(json.len()));
            bent[in_bent] = byte;
            json[in_json] = byte;
        }
        for kind in KINDS {
            for (encoding, body) in [(Encoding::Protobuf, &body), (Encoding::Json, &body), (Encoding::Protobuf, &bent), (Encoding::Json, &json)] {
                if let Ok(decoded) = read(kind, encoding, body) {
                    let counted: u64 = decoded.spans.summed().entries.iter().map(|entry| entry.measured.count()).sum();
                    prop_assert!(kind == Kind::Logs || counted == decoded.classes.counted.total);
                }
            }
        }
    }
}
