//! What the tests send.

use collector::{Decoded, Encoding, Kind, Known, Limits, Measure, Subject, Threshold, decode};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const MILLI: u64 = 1_000_000;
/// 2024-01-01T00:00:00Z, on the grid of slices.
pub(crate) const NOW: u64 = 1_704_067_200 * SECOND;

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

pub(crate) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// A good server span that ends now and took 20 ms.
pub(crate) fn span(name: &str) -> Span {
    Span {
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        name: name.to_owned(),
        kind: 2,
        start_time_unix_nano: NOW - 20 * MILLI,
        end_time_unix_nano: NOW,
        ..Span::default()
    }
}

pub(crate) fn failed(span: Span) -> Span {
    Span {
        status: Some(Status {
            code: 2,
            message: String::new(),
        }),
        ..span
    }
}

pub(crate) fn traces(service: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource(service)),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope()),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

pub(crate) fn metrics(name: &str, unit: &str, data: Data) -> ExportMetricsServiceRequest {
    let metric = Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource("shop")),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope()),
                metrics: vec![metric],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

pub(crate) fn resource(service: &str) -> Resource {
    Resource {
        attributes: vec![text("service.name", service), text("region", "eu")],
        ..Resource::default()
    }
}

pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "http".to_owned(),
        version: "1".to_owned(),
        attributes: vec![text("tier", "scope"), text("layer", "edge")],
        ..InstrumentationScope::default()
    }
}

/// Dimensions `layer`, `region`, `route`, `tier`; spans at 20 ms (lte) and 50 ms (lt), `latency` at
/// 100 (lte).
pub(crate) fn measure() -> Measure {
    let threshold = |subject, bound, inclusive| Threshold {
        subject,
        bound,
        inclusive,
    };
    Measure {
        dimensions: ["layer", "region", "route", "tier"]
            .map(str::to_owned)
            .to_vec(),
        thresholds: vec![
            threshold(Subject::Spans, 20.0, true),
            threshold(Subject::Spans, 50.0, false),
            threshold(Subject::Metric("latency".to_owned()), 100.0, true),
        ],
        limits: Limits::default(),
        readings: Vec::new(),
        roots: false,
        fingerprints: None,
    }
}

pub(crate) fn decoded(kind: Kind, request: &impl Message) -> Decoded {
    let body = request.encode_to_vec();
    decode(
        kind,
        Encoding::Protobuf,
        &body,
        &measure(),
        &Known::new(),
        NOW,
    )
    .expect("a good request")
}

pub(crate) fn decoded_json(kind: Kind, body: &str) -> Decoded {
    decode(
        kind,
        Encoding::Json,
        body.as_bytes(),
        &measure(),
        &Known::new(),
        NOW,
    )
    .expect("a good request")
}
