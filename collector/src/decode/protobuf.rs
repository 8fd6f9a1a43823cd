//! OTLP in protobuf: walks the bytes of a request, two looks at every message whose fields depend on each other, as
//! protobuf does not order fields.

mod values;

use std::borrow::Cow;

use crate::decode::fold::Fold;
use crate::decode::protobuf::values::{any, key_of};
use crate::decode::spans::{IdCheck, Span};
use crate::decode::{Broken, Decoded, RequestError};
use crate::series::{SERVICE_NAME, SpanKind, SpanStatus};
use crate::wire::{Field, Message};

const WRONG_TYPE: Broken = Broken("a field of the wrong wire type");

/// Decodes an `ExportTraceServiceRequest`.
pub(crate) fn traces(body: &[u8], mut fold: Fold<'_>) -> Result<Decoded, RequestError> {
    each(body, 1, |resource_spans| {
        begin_resource(resource_spans, &mut fold)?;
        each(resource_spans, 2, |scope_spans| {
            begin_scope(scope_spans, &mut fold)?;
            each(scope_spans, 2, |bytes| {
                fold.begin_item()?;
                let span = span(bytes, &mut fold)?;
                fold.span(&span);
                Ok(())
            })
        })
    })?;
    fold.finish()
}

/// Calls `visit` with every message in field `number` of a message.
fn each(
    message: &[u8],
    number: u32,
    mut visit: impl FnMut(&[u8]) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    let mut message = Message::new(message);
    while let Some((found, field)) = message.next()? {
        if found == number {
            visit(bytes(field)?)?;
        }
    }
    Ok(())
}

fn bytes(field: Field<'_>) -> Result<&[u8], Broken> {
    match field {
        Field::Bytes(bytes) => Ok(bytes),
        _ => Err(WRONG_TYPE),
    }
}

fn begin_resource(of: &[u8], fold: &mut Fold<'_>) -> Result<(), RequestError> {
    fold.begin_resource()?;
    each(of, 1, |resource| {
        let mut left = fold.measure.limits.max_attributes;
        each(resource, 1, |attribute| {
            if left == 0 {
                return Ok(());
            }
            left -= 1;
            let (key, value) = key_of(attribute)?;
            if key == SERVICE_NAME.as_bytes() {
                fold.name_service(&any(value)?);
            } else if let Some(at) = fold.dimensions.find(key) {
                fold.resource
                    .slots
                    .set(at, &any(value)?, fold.measure.limits.max_value_bytes);
            }
            Ok(())
        })
    })
}

fn begin_scope(of: &[u8], fold: &mut Fold<'_>) -> Result<(), RequestError> {
    fold.begin_scope()?;
    each(of, 1, |scope| {
        let mut left = fold.measure.limits.max_attributes;
        each(scope, 3, |attribute| {
            if left == 0 {
                return Ok(());
            }
            left -= 1;
            let (key, value) = key_of(attribute)?;
            if let Some(at) = fold.dimensions.find(key) {
                fold.scope
                    .set(at, &any(value)?, fold.measure.limits.max_value_bytes);
            }
            Ok(())
        })
    })
}

fn span<'a>(bytes: &'a [u8], fold: &mut Fold<'_>) -> Result<Span<'a>, Broken> {
    let mut span = Span::default();
    let mut message = Message::new(bytes);
    let mut left = fold.measure.limits.max_attributes;
    while let Some((number, field)) = message.next()? {
        match (number, field) {
            (1, Field::Bytes(id)) => span.trace_id = IdCheck::of(id, 16),
            (2, Field::Bytes(id)) => span.span_id = IdCheck::of(id, 8),
            (5, Field::Bytes(name)) => span.name = lossy(name),
            (6, Field::Varint(kind)) => span.kind = SpanKind::from_code(kind),
            (7, Field::Fixed64(start)) => span.start_nanos = start,
            (8, Field::Fixed64(end)) => span.end_nanos = end,
            (9, Field::Bytes(attribute)) if left > 0 => {
                left -= 1;
                let (key, value) = key_of(attribute)?;
                if let Some(at) = fold.dimensions.find(key) {
                    fold.own
                        .set(at, &any(value)?, fold.measure.limits.max_value_bytes);
                }
            }
            (15, Field::Bytes(status)) => span.status = status_of(status)?,
            (3 | 4 | 9 | 11 | 13, Field::Bytes(_)) => {}
            (1..=9 | 11 | 13 | 15, _) => return Err(WRONG_TYPE),
            _ => {}
        }
    }
    Ok(span)
}

fn status_of(bytes: &[u8]) -> Result<SpanStatus, Broken> {
    let mut status = SpanStatus::default();
    let mut message = Message::new(bytes);
    while let Some((number, field)) = message.next()? {
        match (number, field) {
            (3, Field::Varint(code)) => status = SpanStatus::from_code(code),
            (3, _) => return Err(WRONG_TYPE),
            _ => {}
        }
    }
    Ok(status)
}

/// Text that is not UTF-8 costs its own bad bytes, not the span, and never its neighbours.
fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
