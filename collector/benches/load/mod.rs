//! Requests to measure with: 100 spans of 8 attributes over 12 routes of one service.

use collector::{Measure, Subject, Threshold};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

pub(crate) const NOW: u64 = 1_704_067_200_000_000_000;
pub(crate) const MILLI: u64 = 1_000_000;

pub(crate) fn measure() -> Measure {
    let dimensions = [
        "cloud.region",
        "customer.tier",
        "http.response.status_code",
        "http.route",
    ];
    let bounds = [50.0, 100.0, 250.0, 300.0, 500.0, 1000.0];
    let threshold = |bound| Threshold {
        subject: Subject::Spans,
        bound,
        inclusive: true,
    };
    Measure {
        dimensions: dimensions.map(str::to_owned).to_vec(),
        thresholds: bounds.map(threshold).to_vec(),
        ..Measure::default()
    }
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue {
        value: Some(Value::StringValue(value.to_owned())),
    });
    KeyValue {
        key: key.to_owned(),
        value,
        ..KeyValue::default()
    }
}

pub(crate) fn int(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue {
        value: Some(Value::IntValue(value)),
    });
    KeyValue {
        key: key.to_owned(),
        value,
        ..KeyValue::default()
    }
}

pub(crate) fn resource() -> Resource {
    let attributes = vec![
        text("service.name", "checkout"),
        text("service.version", "1.42.0"),
        text("cloud.region", "eu-central-1"),
        text("host.name", "checkout-7d9c8b6f5-x2x8v"),
        text("telemetry.sdk.name", "opentelemetry"),
    ];
    Resource {
        attributes,
        ..Resource::default()
    }
}

pub(crate) fn traces() -> ExportTraceServiceRequest {
    let spans = (0..100_u64).map(|n| {
        let route = format!("/api/v1/route-{}", n % 12);
        Span {
            trace_id: [n + 1; 2]
                .iter()
                .flat_map(|half| half.to_be_bytes())
                .collect(),
            span_id: (n + 1).to_be_bytes().to_vec(),
            parent_span_id: (n + 2).to_be_bytes().to_vec(),
            name: format!("GET {route}"),
            kind: 2,
            start_time_unix_nano: NOW - (n + 1) * 7 * MILLI,
            end_time_unix_nano: NOW - n * MILLI,
            attributes: vec![
                text("http.request.method", "GET"),
                text("http.route", &route),
                int(
                    "http.response.status_code",
                    if n % 50 == 0 { 500 } else { 200 },
                ),
                text("url.path", "/api/v1/route/8f14e45fceea167a5a36dedd4bea2543"),
                text(
                    "user_agent.original",
                    "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
                ),
                text("client.address", "203.0.113.195"),
                text(
                    "customer.tier",
                    if n % 10 == 0 { "gold" } else { "standard" },
                ),
                int("server.port", 8443),
            ],
            status: (n % 50 == 0).then(|| Status {
                code: 2,
                message: String::new(),
            }),
            ..Span::default()
        }
    });
    let scope_spans = vec![ScopeSpans {
        spans: spans.collect(),
        ..ScopeSpans::default()
    }];
    let resource = Some(resource());
    let of_resource = ResourceSpans {
        resource,
        scope_spans,
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![of_resource],
    }
}

pub(crate) fn protobuf(request: &ExportTraceServiceRequest) -> Vec<u8> {
    request.encode_to_vec()
}
