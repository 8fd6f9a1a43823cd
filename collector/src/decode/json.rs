//! OTLP in JSON: the same findings from the same fields, in any order.

mod metrics;
mod values;

use std::borrow::Cow;

use crate::decode::fold::Fold;
use crate::decode::json::values::{any, attributes};
use crate::decode::sampling::Sampling;
use crate::decode::spans::{SentId, Span};
use crate::decode::{Broken, Decoded, RequestError, repaired};
use crate::json::Json;
use crate::series::{SpanKind, SpanStatus};

pub(crate) use metrics::metrics;

const SPAN_KINDS: [(&str, u64); 6] = [
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
];
const STATUS_CODES: [(&str, u64); 3] = [
    ("STATUS_CODE_UNSET", 0),
    ("STATUS_CODE_OK", 1),
    ("STATUS_CODE_ERROR", 2),
];

/// Decodes an `ExportTraceServiceRequest`.
pub(crate) fn traces(body: &[u8], fold: Fold<'_>) -> Result<Decoded, RequestError> {
    let names = Names {
        resources: "resourceSpans",
        scopes: "scopeSpans",
        items: "spans",
    };
    request(body, fold, names, |json, fold| {
        fold.begin_item()?;
        let span = span(json, fold)?;
        fold.span(&span);
        Ok(())
    })
}

/// Decodes an `ExportLogsServiceRequest`: checks its structure and counts its records.
pub(crate) fn logs(body: &[u8], fold: Fold<'_>) -> Result<Decoded, RequestError> {
    let names = Names {
        resources: "resourceLogs",
        scopes: "scopeLogs",
        items: "logRecords",
    };
    request(body, fold, names, |json, fold| {
        fold.begin_item()?;
        let (mut time, mut observed) = (None, None);
        if !json.begins(b'{')? {
            fold.broken_record();
            return Ok(());
        }
        json.object::<Broken>(|key, json| {
            match key {
                "timeUnixNano" => time = json.integer()?,
                "observedTimeUnixNano" => observed = json.integer()?,
                _ => json.skip()?,
            }
            Ok(())
        })?;
        fold.record(time.unwrap_or_default(), observed.unwrap_or_default());
        Ok(())
    })
}

/// The names of a request's three levels.
#[derive(Clone, Copy, Debug)]
struct Names {
    resources: &'static str,
    scopes: &'static str,
    items: &'static str,
}

/// Reads a request of any kind; `item` consumes each span, metric or record.
fn request<'m>(
    body: &[u8],
    mut fold: Fold<'m>,
    names: Names,
    mut item: impl FnMut(&mut Json<'_>, &mut Fold<'m>) -> Result<(), RequestError>,
) -> Result<Decoded, RequestError> {
    let text = repaired(body);
    let mut json = Json::new(&text);
    if !json.is_object() {
        return Err(Broken("a body that is not a JSON object").into());
    }
    json.object(|key, json| {
        if key != names.resources {
            return Ok(json.skip()?);
        }
        json.array(|json| {
            fold.begin_resource()?;
            let header = |json: &mut Json<'_>, fold: &mut Fold<'m>| resource(json, fold);
            parent(
                json,
                &mut fold,
                ("resource", names.scopes),
                header,
                |json, fold| {
                    fold.begin_scope()?;
                    parent(json, fold, ("scope", names.items), scope, &mut item)
                },
            )
        })
    })?;
    json.end()?;
    fold.finish()
}

/// Reads a message with a header and children that depend on it. Children that come first wait for
/// it.
fn parent<'m>(
    json: &mut Json<'_>,
    fold: &mut Fold<'m>,
    (header_name, children_name): (&str, &str),
    mut header: impl FnMut(&mut Json<'_>, &mut Fold<'m>) -> Result<(), RequestError>,
    mut child: impl FnMut(&mut Json<'_>, &mut Fold<'m>) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    let mut waiting = Vec::new();
    let mut seen = false;
    json.object::<RequestError>(|key, json| {
        if key == header_name {
            seen = true;
            header(json, fold)
        } else if key == children_name && seen {
            json.array(|json| child(json, fold))
        } else if key == children_name {
            fold.budget.container()?;
            waiting.push(json.capture()?);
            Ok(())
        } else {
            Ok(json.skip()?)
        }
    })?;
    for mut children in waiting {
        children.array(|json| child(json, fold))?;
    }
    Ok(())
}

fn resource(json: &mut Json<'_>, fold: &mut Fold<'_>) -> Result<(), RequestError> {
    json.object::<RequestError>(|key, json| {
        if key != "attributes" {
            return Ok(json.skip()?);
        }
        attributes(json, fold.measure.limits.max_attributes, |key, value| {
            fold.resource_attribute(key.as_bytes(), || any(value))
        })
    })
}

fn scope(json: &mut Json<'_>, fold: &mut Fold<'_>) -> Result<(), RequestError> {
    json.object::<RequestError>(|key, json| {
        match key {
            "name" => {
                let name = json.text()?.unwrap_or_default();
                fold.scope_name(&name);
            }
            "version" => {
                let version = json.text()?.unwrap_or_default();
                fold.scope_version(&version);
            }
            "attributes" => {
                attributes(json, fold.measure.limits.max_attributes, |key, value| {
                    fold.scope_attribute(key.as_bytes(), || any(value))
                })?;
            }
            _ => json.skip()?,
        }
        Ok(())
    })
}

fn span<'a>(json: &mut Json<'a>, fold: &mut Fold<'_>) -> Result<Span<'a>, RequestError> {
    let mut span = Span::default();
    let before = json.mistakes();
    if !json.begins(b'{')? {
        span.mistaken = true;
        return Ok(span);
    }
    json.object::<RequestError>(|key, json| {
        match key {
            "traceId" => span.trace = id(json, 16)?,
            "traceState" => {
                let state = json.text()?.unwrap_or_default();
                span.sampling = Sampling::of_tracestate(state.as_bytes());
            }
            "spanId" => span.id = id(json, 8)?,
            "parentSpanId" => {
                let parent = json.text()?.unwrap_or_default();
                span.has_parent = parent.bytes().any(|digit| digit != b'0');
            }
            "name" => {
                span.name = match json.text()?.unwrap_or_default() {
                    Cow::Borrowed(name) => Cow::Borrowed(name.as_bytes()),
                    Cow::Owned(name) => Cow::Owned(name.into_bytes()),
                };
            }
            "kind" => {
                let kind = json.enumeration(&SPAN_KINDS)?.unwrap_or_default();
                span.kind = SpanKind::from_code(kind);
            }
            "startTimeUnixNano" => span.start_nanos = json.integer()?.unwrap_or_default(),
            "endTimeUnixNano" => span.end_nanos = json.integer()?.unwrap_or_default(),
            "attributes" => {
                attributes(json, fold.measure.limits.max_attributes, |key, value| {
                    fold.own_attribute(key.as_bytes(), || any(value))
                })?;
            }
            "status" => span.status = status(json)?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    span.mistaken = json.mistakes() != before;
    Ok(span)
}

fn status(json: &mut Json<'_>) -> Result<SpanStatus, Broken> {
    let mut status = SpanStatus::default();
    if !json.begins(b'{')? {
        return Ok(status);
    }
    json.object::<Broken>(|key, json| {
        if key == "code" {
            let code = json.enumeration(&STATUS_CODES)?.unwrap_or_default();
            status = SpanStatus::from_code(code);
            return Ok(());
        }
        json.skip()
    })?;
    Ok(status)
}

fn id(json: &mut Json<'_>, length: usize) -> Result<SentId, Broken> {
    let text = json.text()?.unwrap_or(Cow::Borrowed(""));
    Ok(SentId::of_hex(&text, length))
}
