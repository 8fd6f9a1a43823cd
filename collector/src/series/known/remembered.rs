//! What came before is recognised by its bytes: with every key forgotten, it still belongs where it did.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

use super::*;
use crate::{Decoded, Encoding, Kind, Measure, decode};

const NOW: u64 = 1_704_067_200_000_000_000;

fn route(number: u64) -> Vec<KeyValue> {
    let text = any_value::Value::StringValue(format!("/{number}"));
    vec![KeyValue {
        key: "http.route".to_owned(),
        value: Some(AnyValue { value: Some(text) }),
        ..KeyValue::default()
    }]
}

/// One span of every route.
fn spans(routes: &[u64]) -> Vec<u8> {
    let span = |number: &u64| Span {
        trace_id: vec![1; 16],
        span_id: (number + 1).to_be_bytes().to_vec(),
        name: "GET".to_owned(),
        start_time_unix_nano: NOW - 1,
        end_time_unix_nano: NOW,
        attributes: route(*number),
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans {
        spans: routes.iter().map(span).collect(),
        ..ScopeSpans::default()
    }];
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }],
    };
    request.encode_to_vec()
}

/// One point of every route.
fn points(routes: &[u64]) -> Vec<u8> {
    let point = |number: &u64| NumberDataPoint {
        start_time_unix_nano: NOW - 1,
        time_unix_nano: NOW,
        attributes: route(*number),
        value: Some(number_data_point::Value::AsInt(1)),
        ..NumberDataPoint::default()
    };
    let sum = Sum {
        data_points: routes.iter().map(point).collect(),
        aggregation_temporality: 2,
        is_monotonic: true,
    };
    let scope_metrics = vec![ScopeMetrics {
        metrics: vec![Metric {
            name: "requests".to_owned(),
            data: Some(metric::Data::Sum(sum)),
            ..Metric::default()
        }],
        ..ScopeMetrics::default()
    }];
    let request = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics,
            ..ResourceMetrics::default()
        }],
    };
    request.encode_to_vec()
}

/// Takes what is new as durable, as the journal's writer does.
fn sent(known: &Known, kind: Kind, body: &[u8]) -> Decoded {
    let measure = Measure {
        dimensions: vec!["http.route".to_owned()],
        ..Measure::default()
    };
    let decoded = decode(kind, Encoding::Protobuf, body, &measure, known, NOW).unwrap();
    for (id, key) in &decoded.new_series {
        known.insert(*id, Arc::clone(key));
    }
    decoded
}

#[test]
fn what_came_before_is_recognised_by_its_bytes_alone() {
    type Body = fn(&[u64]) -> Vec<u8>;
    for (kind, body) in [(Kind::Traces, spans as Body), (Kind::Metrics, points)] {
        let known = Known::new();
        let both = body(&[1, 2]);
        assert_eq!(sent(&known, kind, &both).new_series.len(), 2, "{kind:?}");
        let second = sent(&known, kind, &both);
        assert_eq!(second.new_series, [], "{kind:?}: they are durable");
        *known.write() = super::Table::default();

        let third = sent(&known, kind, &both);
        assert_eq!(third.new_series, [], "{kind:?}: looked up again");
        assert_eq!(third.points, second.points);
        let entries = |decoded: &Decoded| decoded.spans.summed().entries;
        assert_eq!(entries(&third), entries(&second));
        let other = sent(&known, kind, &body(&[2, 3]));
        assert_eq!(other.new_series.len(), 1, "{kind:?}: one never came");
    }
}
