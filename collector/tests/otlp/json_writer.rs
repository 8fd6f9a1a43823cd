//! Writes OTLP/JSON from the message types by the letter of the specification, apart from the code
//! under test.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value as Json, json};

/// Whether a request's headers come before or after what depends on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    HeaderFirst,
    HeaderLast,
}

pub(crate) fn traces(request: &ExportTraceServiceRequest, order: Order) -> String {
    let resources = request.resource_spans.iter().map(|of_resource| {
        let scopes = of_resource.scope_spans.iter().map(|of_scope| {
            let spans: Vec<_> = of_scope.spans.iter().map(span).collect();
            parent(
                order,
                ("scope", of_scope.scope.as_ref().map(scope)),
                ("spans", spans),
            )
        });
        let header = ("resource", of_resource.resource.as_ref().map(resource));
        parent(order, header, ("scopeSpans", scopes.collect()))
    });
    format!(
        "{{\"resourceSpans\":[{}]}}",
        resources.collect::<Vec<_>>().join(",")
    )
}

pub(crate) fn metrics(request: &ExportMetricsServiceRequest, order: Order) -> String {
    let resources = request.resource_metrics.iter().map(|of_resource| {
        let scopes = of_resource.scope_metrics.iter().map(|of_scope| {
            let metrics: Vec<_> = of_scope.metrics.iter().map(metric).collect();
            parent(
                order,
                ("scope", of_scope.scope.as_ref().map(scope)),
                ("metrics", metrics),
            )
        });
        let header = ("resource", of_resource.resource.as_ref().map(resource));
        parent(order, header, ("scopeMetrics", scopes.collect()))
    });
    format!(
        "{{\"resourceMetrics\":[{}]}}",
        resources.collect::<Vec<_>>().join(",")
    )
}

/// An object with its members in a chosen order, which `serde_json` would sort.
fn parent(
    order: Order,
    (header_name, header): (&str, Option<Json>),
    (name, children): (&str, Vec<String>),
) -> String {
    let header = format!("\"{header_name}\":{}", header.unwrap_or(Json::Null));
    let children = format!("\"{name}\":[{}]", children.join(","));
    match order {
        Order::HeaderFirst => format!("{{{header},{children}}}"),
        Order::HeaderLast => format!("{{{children},{header}}}"),
    }
}

fn resource(resource: &Resource) -> Json {
    json!({ "attributes": attributes(&resource.attributes) })
}

fn scope(scope: &InstrumentationScope) -> Json {
    json!({
        "name": scope.name,
        "version": scope.version,
        "attributes": attributes(&scope.attributes),
    })
}

fn span(span: &Span) -> String {
    json!({
        "traceId": hex(&span.trace_id),
        "traceState": span.trace_state,
        "spanId": hex(&span.span_id).to_uppercase(),
        "parentSpanId": hex(&span.parent_span_id),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": span.start_time_unix_nano.to_string(),
        "endTimeUnixNano": span.end_time_unix_nano,
        "attributes": attributes(&span.attributes),
        "status": span.status.as_ref().map(|status| json!({ "code": status.code })),
        "aFieldOfTheFuture": [{ "nested": [1, 2] }],
    })
    .to_string()
}

fn metric(metric: &Metric) -> String {
    let mut json = json!({ "name": metric.name, "unit": metric.unit });
    let (key, data) = match metric.data.as_ref() {
        Some(Data::Gauge(gauge)) => (
            "gauge",
            json!({ "dataPoints": numbers(&gauge.data_points) }),
        ),
        Some(Data::Sum(sum)) => (
            "sum",
            json!({
                "dataPoints": numbers(&sum.data_points),
                "aggregationTemporality": sum.aggregation_temporality,
                "isMonotonic": sum.is_monotonic,
            }),
        ),
        Some(Data::Histogram(of)) => (
            "histogram",
            json!({
                "dataPoints": of.data_points.iter().map(histogram).collect::<Vec<_>>(),
                "aggregationTemporality": of.aggregation_temporality,
            }),
        ),
        Some(Data::ExponentialHistogram(of)) => (
            "exponentialHistogram",
            json!({
                "dataPoints": of.data_points.iter().map(exponential).collect::<Vec<_>>(),
                "aggregationTemporality": of.aggregation_temporality,
            }),
        ),
        Some(Data::Summary(summary)) => {
            let points: Vec<_> = summary.data_points.iter().map(|_| json!({})).collect();
            ("summary", json!({ "dataPoints": points }))
        }
        None => return json.to_string(),
    };
    json[key] = data;
    json.to_string()
}

fn numbers(points: &[NumberDataPoint]) -> Vec<Json> {
    let point = |point: &NumberDataPoint| {
        let mut json = json!({
            "attributes": attributes(&point.attributes),
            "startTimeUnixNano": point.start_time_unix_nano.to_string(),
            "timeUnixNano": point.time_unix_nano.to_string(),
            "flags": point.flags,
        });
        match point.value {
            Some(Number::AsInt(value)) => json["asInt"] = json!(value.to_string()),
            Some(Number::AsDouble(value)) => json["asDouble"] = double(value),
            None => {}
        }
        json
    };
    points.iter().map(point).collect()
}

fn histogram(point: &HistogramDataPoint) -> Json {
    json!({
        "attributes": attributes(&point.attributes),
        "startTimeUnixNano": point.start_time_unix_nano.to_string(),
        "timeUnixNano": point.time_unix_nano.to_string(),
        "flags": point.flags,
        "count": point.count.to_string(),
        "bucketCounts": point.bucket_counts.iter().map(u64::to_string).collect::<Vec<_>>(),
        "explicitBounds": point.explicit_bounds.iter().map(|bound| double(*bound)).collect::<Vec<_>>(),
        "min": point.min.map(double),
        "max": point.max.map(double),
    })
}

fn exponential(point: &ExponentialHistogramDataPoint) -> Json {
    let side = |buckets: &Buckets| json!({ "offset": buckets.offset, "bucketCounts": buckets.bucket_counts });
    json!({
        "attributes": attributes(&point.attributes),
        "startTimeUnixNano": point.start_time_unix_nano.to_string(),
        "timeUnixNano": point.time_unix_nano.to_string(),
        "flags": point.flags,
        "count": point.count,
        "scale": point.scale,
        "zeroCount": point.zero_count.to_string(),
        "zeroThreshold": double(point.zero_threshold),
        "positive": point.positive.as_ref().map(side),
        "negative": point.negative.as_ref().map(side),
        "min": point.min.map(double),
        "max": point.max.map(double),
    })
}

fn attributes(attributes: &[KeyValue]) -> Json {
    attributes
        .iter()
        .map(|of| json!({ "value": of.value.as_ref().map(any), "key": of.key }))
        .collect()
}

fn any(any: &AnyValue) -> Json {
    match any.value.as_ref() {
        Some(Value::StringValue(text)) => json!({ "stringValue": text }),
        Some(Value::BoolValue(value)) => json!({ "boolValue": value }),
        Some(Value::IntValue(value)) => json!({ "intValue": value.to_string() }),
        Some(Value::DoubleValue(value)) => json!({ "doubleValue": double(*value) }),
        Some(Value::BytesValue(bytes)) => json!({ "bytesValue": STANDARD.encode(bytes) }),
        Some(Value::ArrayValue(list)) => {
            json!({ "arrayValue": { "values": list.values.iter().map(any_json).collect::<Vec<_>>() } })
        }
        Some(Value::KvlistValue(map)) => {
            json!({ "kvlistValue": { "values": attributes(&map.values) } })
        }
        Some(Value::StringValueStrindex(_)) | None => json!({}),
    }
}

fn any_json(value: &AnyValue) -> Json {
    any(value)
}

fn double(value: f64) -> Json {
    if value.is_nan() {
        json!("NaN")
    } else if value.is_infinite() {
        json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        json!(value)
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).expect("below 16");
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
