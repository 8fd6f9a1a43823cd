//! The same requests in JSON.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value as Json, json};

pub(crate) fn json(request: &ExportTraceServiceRequest) -> Vec<u8> {
    let resources = request.resource_spans.iter().map(|of_resource| {
        let resource = of_resource
            .resource
            .as_ref()
            .map(|of| attributes(&of.attributes));
        let scopes = of_resource.scope_spans.iter().map(|of_scope| {
            json!({ "scope": {}, "spans": of_scope.spans.iter().map(span).collect::<Vec<_>>() })
        });
        json!({ "resource": { "attributes": resource }, "scopeSpans": scopes.collect::<Vec<_>>() })
    });
    json!({ "resourceSpans": resources.collect::<Vec<_>>() })
        .to_string()
        .into_bytes()
}

fn span(span: &Span) -> Json {
    json!({
        "traceId": hex(&span.trace_id),
        "spanId": hex(&span.span_id),
        "parentSpanId": hex(&span.parent_span_id),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": span.start_time_unix_nano.to_string(),
        "endTimeUnixNano": span.end_time_unix_nano.to_string(),
        "attributes": attributes(&span.attributes),
        "status": { "code": span.status.as_ref().map_or(0, |status| status.code) },
    })
}

fn attributes(attributes: &[KeyValue]) -> Json {
    let value = |attribute: &KeyValue| match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(json!({ "stringValue": text })),
        Value::IntValue(value) => Some(json!({ "intValue": value.to_string() })),
        _ => None,
    };
    attributes
        .iter()
        .map(|of| json!({ "key": of.key, "value": value(of) }))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
