//! One message means the same in every encoding and order of fields.

use std::sync::Arc;

use collector::{Decoded, Encoding, Kind, Known, Limits, Measure, Reading, decode};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    NumberDataPoint, Sum, Summary, SummaryDataPoint,
};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

use crate::given::{self, NOW, SECOND, measure};
use crate::json_writer::{self, Order};

fn in_json(kind: Kind, body: &str) -> Decoded {
    decode(
        kind,
        Encoding::Json,
        body.as_bytes(),
        &measure(),
        &Known::new(),
        NOW,
    )
    .expect(body)
}

fn in_protobuf(kind: Kind, body: &[u8]) -> Decoded {
    decode(
        kind,
        Encoding::Protobuf,
        body,
        &measure(),
        &Known::new(),
        NOW,
    )
    .expect("a good request")
}

/// A message with the fields of its spans or points in another order, which `levels` of fields lead to. Fields of one
/// number stay in theirs.
fn turned(mut message: &[u8], levels: &[&[u32]], by: u32) -> Vec<u8> {
    let mut fields: Vec<(u32, Vec<u8>)> = Vec::new();
    while !message.is_empty() {
        let (number, wire_type) = decode_key(&mut message).expect("a field");
        let mut field = Vec::new();
        encode_key(number, wire_type, &mut field);
        let length = match wire_type {
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            _ => decode_varint(&mut message).expect("a number"),
        };
        if wire_type == WireType::Varint {
            encode_varint(length, &mut field);
        } else {
            let (content, rest) = message.split_at(usize::try_from(length).expect("a length"));
            message = rest;
            let content = match levels.split_first() {
                Some((these, deeper)) if these.contains(&number) => turned(content, deeper, by),
                _ => content.to_vec(),
            };
            if wire_type == WireType::LengthDelimited {
                encode_varint(content.len() as u64, &mut field);
            }
            field.extend(content);
        }
        fields.push((number, field));
    }
    if levels.is_empty() {
        fields.sort_by_key(|(number, _)| number * by % 17);
    }
    fields.into_iter().flat_map(|(_, field)| field).collect()
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let scalar = prop_oneof![
        ".{0,8}".prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        any::<f64>().prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..6).prop_map(Value::BytesValue),
    ];
    let scalar = option::of(scalar).prop_map(|value| AnyValue { value });
    scalar.prop_recursive(12, 24, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec(("[a-c]", inner), 0..3).prop_map(|entries| {
                let entry = |(key, value)| KeyValue {
                    key,
                    value: Some(value),
                    ..KeyValue::default()
                };
                Value::KvlistValue(KeyValueList {
                    values: entries.into_iter().map(entry).collect(),
                })
            }),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let key = prop::sample::select(vec!["route", "tier", "region", "other", "service.name"]);
    vec((key, option::of(any_value())), 0..4).prop_map(|entries| {
        let entry = |(key, value): (&str, _)| KeyValue {
            key: key.to_owned(),
            value,
            ..KeyValue::default()
        };
        entries.into_iter().map(entry).collect()
    })
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => (0_u64..7000 * SECOND).prop_map(|ago| NOW - ago),
        1 => (0_u64..120 * SECOND).prop_map(|ahead| NOW + ahead),
        1 => Just(0),
        1 => any::<u64>(),
    ]
}

prop_compose! {
    fn any_span()(
        id in vec(0_u8..4, 8..=8), bad_id in option::weighted(0.1, vec(any::<u8>(), 0..20)), name in ".{0,12}",
        kind in -1..8_i32, end in time(), took in 0..SECOND, code in option::of(-1..4_i32), attributes in attributes(),
    ) -> Span {
        Span {
            trace_id: bad_id.unwrap_or(vec![1; 16]), span_id: id, name, kind, attributes,
            start_time_unix_nano: end.saturating_sub(took), end_time_unix_nano: end,
            status: code.map(|code| Status { code, message: "because".to_owned() }),
            ..Span::default()
        }
    }
}

prop_compose! {
    fn number_point()(
        attributes in attributes(), start in time(), time in time(), flags in 0..8_u32,
        value in option::weighted(0.9, prop_oneof![
            any::<i64>().prop_map(Number::AsInt), any::<f64>().prop_map(Number::AsDouble),
            (0_i64..9).prop_map(Number::AsInt),
        ]),
    ) -> NumberDataPoint {
        let flags = flags / 7;
        NumberDataPoint { attributes, start_time_unix_nano: start, time_unix_nano: time, flags, value, ..NumberDataPoint::default() }
    }
}

prop_compose! {
    fn histogram_point()(
        attributes in attributes(), time in time(), bucket_counts in vec(0..5_u64, 0..5), off in 0..9_u64,
        mut explicit_bounds in vec(-10.0..100.0, 0..5), max in option::of(any::<f64>()),
    ) -> HistogramDataPoint {
        explicit_bounds.sort_by(f64::total_cmp);
        explicit_bounds.truncate(bucket_counts.len().saturating_sub(1));
        let count = bucket_counts.iter().sum::<u64>() + off / 8;
        HistogramDataPoint { attributes, time_unix_nano: time, count, bucket_counts, explicit_bounds, max, ..HistogramDataPoint::default() }
    }
}

prop_compose! {
    fn exponential_point()(
        attributes in attributes(), time in time(), scale in -3..20_i32, zero_count in 0..3_u64,
        offset in any::<i32>(), bucket_counts in vec(0..4_u64, 0..6), negative in option::of(vec(0..4_u64, 0..3)),
    ) -> ExponentialHistogramDataPoint {
        let below = negative.iter().flatten().sum::<u64>();
        let count = bucket_counts.iter().sum::<u64>() + zero_count + below;
        ExponentialHistogramDataPoint {
            attributes, time_unix_nano: time, count, scale, zero_count,
            positive: Some(Buckets { offset, bucket_counts }),
            negative: negative.map(|bucket_counts| Buckets { offset: 0, bucket_counts }),
            ..ExponentialHistogramDataPoint::default()
        }
    }
}

fn any_data() -> impl Strategy<Value = Data> {
    prop_oneof![
        vec(number_point(), 0..4).prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (vec(number_point(), 0..4), 0..3_i32, any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| {
                Data::Sum(Sum {
                    data_points,
                    aggregation_temporality,
                    is_monotonic,
                })
            }
        ),
        (vec(histogram_point(), 0..4), 0..3_i32).prop_map(
            |(data_points, aggregation_temporality)| {
                Data::Histogram(Histogram {
                    data_points,
                    aggregation_temporality,
                })
            }
        ),
        (vec(exponential_point(), 0..4), 0..3_i32).prop_map(
            |(data_points, aggregation_temporality)| {
                Data::ExponentialHistogram(ExponentialHistogram {
                    data_points,
                    aggregation_temporality,
                })
            }
        ),
        Just(Data::Summary(Summary {
            data_points: vec![SummaryDataPoint::default()]
        })),
    ]
}

/// A request in protobuf and in JSON.
fn in_both<T: Message>(request: &T, write: fn(&T, Order) -> String) -> (Vec<u8>, String) {
    (request.encode_to_vec(), write(request, Order::HeaderFirst))
}

/// Whether requests that came before in protobuf, and whose series are durable, are read as they are read in JSON, of
/// which nothing is remembered, under each of several measures; else how they are read, and how they should be.
fn mean_the_same_again(
    kind: Kind,
    bodies: &[(Vec<u8>, String)],
) -> Result<(), Box<(Decoded, Decoded)>> {
    let dimensions = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
    let measures = [
        measure(),
        Measure {
            dimensions: dimensions(&["other", "route"]),
            ..measure()
        },
        Measure {
            readings: vec![("latency".to_owned(), Reading::Growth)],
            ..measure()
        },
        Measure {
            roots: true,
            ..measure()
        },
        Measure {
            limits: Limits {
                max_value_bytes: 3,
                ..Limits::default()
            },
            ..measure()
        },
        Measure {
            limits: Limits {
                max_attributes: 1,
                ..Limits::default()
            },
            ..measure()
        },
    ];
    let read = |known: &Known, measure, encoding, body: &[u8]| {
        let decoded = decode(kind, encoding, body, measure, known, NOW);
        let decoded = decoded.expect("a good request");
        for (id, key) in &decoded.new_series {
            known.insert(*id, Arc::clone(key));
        }
        decoded
    };
    let each = || {
        let with = |measure| bodies.iter().map(move |body| (measure, body));
        measures.iter().flat_map(with)
    };
    let known = Known::new();
    for (measure, (protobuf, _)) in each().chain(each()) {
        read(&known, measure, Encoding::Protobuf, protobuf);
    }
    for (measure, (protobuf, json)) in each() {
        let again = read(&known, measure, Encoding::Protobuf, protobuf);
        let expected = read(&known, measure, Encoding::Json, json.as_bytes());
        if again != expected {
            return Err(Box::new((again, expected)));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn spans_mean_the_same_in_protobuf_and_json(spans in vec(any_span(), 0..6), of_resource in attributes(), by in 2..17_u32) {
        let mut request: ExportTraceServiceRequest = given::traces("shop", spans);
        request.resource_spans[0].resource.as_mut().unwrap().attributes.extend(of_resource);
        let expected = given::decoded(Kind::Traces, &request);
        let in_disorder = turned(&request.encode_to_vec(), &[&[1], &[2], &[2]], by);
        prop_assert_eq!(&in_protobuf(Kind::Traces, &in_disorder), &expected);
        prop_assert_eq!(&in_json(Kind::Traces, &json_writer::traces(&request, Order::HeaderFirst)), &expected);
        prop_assert_eq!(&in_json(Kind::Traces, &json_writer::traces(&request, Order::HeaderLast)), &expected);
        let classes = expected.classes;
        prop_assert_eq!(classes.divided().map(|(_, class)| class.total).sum::<u64>(), classes.received.total);
        prop_assert_eq!(classes.divided().map(|(_, class)| class.bad).sum::<u64>(), classes.received.bad);
        prop_assert_eq!(expected.spans.summed().taken.iter().map(|(_, spans)| spans).sum::<u64>(), classes.counted.total);
        prop_assert_eq!(expected.spans.summed().entries.iter().map(|entry| entry.measured.count()).sum::<u64>(), classes.counted.total);
    }

    #[test]
    fn metrics_mean_the_same_in_protobuf_and_json(data in any_data(), unit in "(s|ms|1)", by in 2..17_u32) {
        let request: ExportMetricsServiceRequest = given::metrics("latency", &unit, data);
        let expected = given::decoded(Kind::Metrics, &request);
        let in_disorder = turned(&request.encode_to_vec(), &[&[1], &[2], &[2], &[5, 7, 9, 10], &[1]], by);
        prop_assert_eq!(&in_protobuf(Kind::Metrics, &in_disorder), &expected);
        prop_assert_eq!(&in_json(Kind::Metrics, &json_writer::metrics(&request, Order::HeaderFirst)), &expected);
        prop_assert_eq!(&in_json(Kind::Metrics, &json_writer::metrics(&request, Order::HeaderLast)), &expected);
    }

    #[test]
    fn points_that_came_before_mean_the_same_again(one in any_data(), other in any_data(), of_resource in attributes()) {
        let mut requests = [one, other].map(|data| given::metrics("latency", "ms", data));
        let resource = requests[1].resource_metrics[0].resource.as_mut().unwrap();
        resource.attributes.extend(of_resource);
        prop_assert_eq!(mean_the_same_again(Kind::Metrics, &requests.map(|request| in_both(&request, json_writer::metrics))), Ok(()));
    }

    #[test]
    fn spans_that_came_before_mean_the_same_again(spans in vec(any_span(), 1..6), of_resource in attributes(), of_scope in attributes()) {
        let mut requests = [(); 3].map(|()| given::traces("shop", spans.clone()));
        requests[1].resource_spans[0].resource.as_mut().unwrap().attributes.extend(of_resource);
        requests[2].resource_spans[0].scope_spans[0].scope.as_mut().unwrap().attributes.extend(of_scope);
        prop_assert_eq!(mean_the_same_again(Kind::Traces, &requests.map(|request| in_both(&request, json_writer::traces))), Ok(()));
    }
}

/// Attributes of resources, scopes, spans and points that are nearly the same.
fn nearly_the_same() -> Vec<Vec<KeyValue>> {
    let of = |entries: &[(&str, &str)]| {
        let entries = entries.iter();
        entries
            .map(|(key, value)| given::text(key, value))
            .collect()
    };
    vec![
        of(&[]),
        of(&[("route", "")]),
        of(&[("route", "gold")]),
        of(&[("region", "gold")]),
        of(&[("other", "gold")]),
        of(&[("route", "golf")]),
        of(&[("route", "gold"), ("region", "gold")]),
        of(&[("region", "gold"), ("route", "gold")]),
        of(&[("route", "gold"), ("route", "golf")]),
        of(&[("route", "golf"), ("route", "gold")]),
        of(&[("other", "1"), ("other", "2"), ("route", "gold")]),
        vec![given::attribute("route", Value::IntValue(1))],
        vec![given::attribute("route", Value::BoolValue(true))],
    ]
}

#[test]
fn spans_that_are_nearly_the_same_are_told_apart_when_they_come_again() {
    let spans = || {
        let mut spans = Vec::new();
        for attributes in nearly_the_same() {
            for name in ["GET", "GOT"] {
                let span = Span {
                    attributes: attributes.clone(),
                    ..given::span(name)
                };
                let mut others = vec![span.clone(), given::failed(span.clone())];
                others.push(Span {
                    kind: 3,
                    ..span.clone()
                });
                others.push(Span {
                    parent_span_id: vec![7; 8],
                    ..span
                });
                spans.append(&mut others);
            }
        }
        spans
    };
    let mut request = given::traces("shop", Vec::new());
    let one = request.resource_spans[0].clone();
    request.resource_spans.clear();
    for attributes in nearly_the_same() {
        for of_scope in [false, true] {
            let mut other = one.clone();
            other.scope_spans[0].spans = spans();
            let scope = other.scope_spans[0].scope.as_mut().unwrap();
            let resource = other.resource.as_mut().unwrap();
            if of_scope {
                scope.attributes.clone_from(&attributes);
                // Two scopes of one resource.
                let plain = one.scope_spans[0].scope.clone();
                let mut beside = other.scope_spans[0].clone();
                beside.scope = plain;
                other.scope_spans.push(beside);
            } else {
                resource.attributes.extend(attributes.clone());
            }
            request.resource_spans.push(other);
        }
    }
    let [mut all_of_another, mut turned] = [request.clone(), request.clone()];
    for of_resource in &mut all_of_another.resource_spans {
        of_resource.resource = Some(given::resource("cart"));
    }
    turned.resource_spans.reverse();
    let requests = [request, all_of_another, turned];
    let requests = requests.map(|request| in_both(&request, json_writer::traces));
    assert_eq!(mean_the_same_again(Kind::Traces, &requests), Ok(()));
}

#[test]
fn points_that_are_nearly_the_same_are_told_apart_when_they_come_again() {
    let points = nearly_the_same()
        .into_iter()
        .map(|attributes| NumberDataPoint {
            attributes,
            time_unix_nano: NOW,
            value: Some(Number::AsInt(1)),
            ..NumberDataPoint::default()
        });
    let data = Data::Gauge(Gauge {
        data_points: points.collect(),
    });
    let mut requests = Vec::new();
    for attributes in nearly_the_same() {
        for (name, unit) in [("latency", "ms"), ("latency", "s"), ("other", "ms")] {
            let mut request = given::metrics(name, unit, data.clone());
            let of_resource = &mut request.resource_metrics[0];
            let resource = of_resource.resource.as_mut().unwrap();
            resource.attributes.extend(attributes.clone());
            requests.push(in_both(&request, json_writer::metrics));
            let scope = request.resource_metrics[0].scope_metrics[0].scope.as_mut();
            scope.unwrap().attributes.clone_from(&attributes);
            requests.push(in_both(&request, json_writer::metrics));
        }
    }
    assert_eq!(mean_the_same_again(Kind::Metrics, &requests), Ok(()));
}

#[test]
fn a_resource_may_follow_its_spans_on_the_wire() {
    let request = given::traces("shop", vec![given::span("GET /")]);
    let of_resource = &request.resource_spans[0];
    let field = |number: u8, bytes: Vec<u8>| {
        let length = u8::try_from(bytes.len()).unwrap();
        let mut field = vec![number << 3 | 2];
        // Two-byte lengths throughout, as a long form is legal too.
        field.extend([length & 0x7f | 0x80, length >> 7]);
        field.extend(bytes);
        field
    };
    let of_scope = &of_resource.scope_spans[0];
    let scope = field(1, of_scope.scope.as_ref().unwrap().encode_to_vec());
    let spans = field(2, of_scope.spans[0].encode_to_vec());
    let resource = field(1, of_resource.resource.as_ref().unwrap().encode_to_vec());
    let scope_spans = field(2, [spans, scope].concat());
    let body = field(1, [scope_spans, resource].concat());
    let turned = in_protobuf(Kind::Traces, &body);
    assert_eq!(turned, given::decoded(Kind::Traces, &request));
}
