//! One message means the same in every encoding and order of fields.

use std::sync::Arc;

use collector::{Decoded, Encoding, Kind, Known, Measure, Reading, decode};
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

proptest! {
    #[test]
    fn spans_mean_the_same_in_protobuf_and_json(spans in vec(any_span(), 0..6), of_resource in attributes()) {
        let mut request: ExportTraceServiceRequest = given::traces("shop", spans);
        request.resource_spans[0].resource.as_mut().unwrap().attributes.extend(of_resource);
        let expected = given::decoded(Kind::Traces, &request);
        prop_assert_eq!(&in_json(Kind::Traces, &json_writer::traces(&request, Order::HeaderFirst)), &expected);
        prop_assert_eq!(&in_json(Kind::Traces, &json_writer::traces(&request, Order::HeaderLast)), &expected);
        let classes = expected.classes;
        prop_assert_eq!(classes.divided().map(|(_, class)| class.total).sum::<u64>(), classes.received.total);
        prop_assert_eq!(classes.divided().map(|(_, class)| class.bad).sum::<u64>(), classes.received.bad);
        prop_assert_eq!(expected.spans.summed().taken.iter().map(|(_, spans)| spans).sum::<u64>(), classes.counted.total);
        prop_assert_eq!(expected.spans.summed().entries.iter().map(|entry| entry.measured.count()).sum::<u64>(), classes.counted.total);
    }

    #[test]
    fn metrics_mean_the_same_in_protobuf_and_json(data in any_data(), unit in "(s|ms|1)") {
        let request: ExportMetricsServiceRequest = given::metrics("latency", &unit, data);
        let expected = given::decoded(Kind::Metrics, &request);
        prop_assert_eq!(&in_json(Kind::Metrics, &json_writer::metrics(&request, Order::HeaderFirst)), &expected);
        prop_assert_eq!(&in_json(Kind::Metrics, &json_writer::metrics(&request, Order::HeaderLast)), &expected);
    }

    #[test]
    fn points_that_came_before_mean_the_same_again(one in any_data(), other in any_data(), of_resource in attributes()) {
        let mut requests = [one, other].map(|data| given::metrics("latency", "ms", data));
        let resource = requests[1].resource_metrics[0].resource.as_mut().unwrap();
        resource.attributes.extend(of_resource);
        let bodies = requests.map(|request| request.encode_to_vec());
        let split_otherwise = Measure { dimensions: vec!["other".to_owned(), "route".to_owned()], ..measure() };
        let read_otherwise = Measure { readings: vec![("latency".to_owned(), Reading::Growth)], ..measure() };
        let measures = [measure(), split_otherwise, read_otherwise];
        let read = |known: &Known, measure, body: &Vec<u8>| {
            let decoded = decode(Kind::Metrics, Encoding::Protobuf, body, measure, known, NOW).unwrap();
            for (id, key) in &decoded.new_series {
                known.insert(*id, Arc::clone(key));
            }
            decoded
        };
        let seen = Known::new();
        for _ in 0..3 {
            for (measure, body) in measures.iter().flat_map(|measure| bodies.iter().map(move |body| (measure, body))) {
                read(&seen, measure, body);
            }
        }
        for (measure, body) in measures.iter().flat_map(|measure| bodies.iter().map(move |body| (measure, body))) {
            let unseen = Known::new();
            for (id, key) in seen.all() {
                unseen.insert(id, key);
            }
            prop_assert_eq!(read(&seen, measure, body), read(&unseen, measure, body));
        }
    }
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
    let turned = decode(
        Kind::Traces,
        Encoding::Protobuf,
        &body,
        &measure(),
        &Known::new(),
        NOW,
    );
    assert_eq!(turned, Ok(given::decoded(Kind::Traces, &request)));
}
