//! OTLP in protobuf: walks the bytes of a request, two looks at every message whose fields depend
//! on each other, as protobuf does not order fields.

mod metrics;
mod spans;
mod values;

use crate::decode::fold::Fold;
use crate::decode::protobuf::values::{key_of, value_in};
use crate::decode::{Broken, Decoded, RequestError, lossy};
use crate::wire::{Field, Message};

pub(crate) use metrics::metrics;
pub(crate) use spans::traces;

const WRONG_TYPE: Broken = Broken("a field of the wrong wire type");

/// Room for the spans or points of a request: few spans take less than 256 bytes, and where points do, it grows.
fn likely_items(body: &[u8]) -> usize {
    (body.len() / 256).min(4096)
}

/// Decodes an `ExportLogsServiceRequest`: checks its structure and counts its records.
pub(crate) fn logs(body: &[u8], fold: Fold<'_>) -> Result<Decoded, RequestError> {
    request(body, fold, |of_scope, fold| {
        each(of_scope, 2, |bytes| {
            fold.begin_item()?;
            match record_times(bytes) {
                Ok((time, observed)) => fold.record(time, observed),
                Err(Broken(_)) => fold.broken_record(),
            }
            Ok(())
        })
    })
}

/// When a log record happened, and when it was observed; 0 where it does not say.
fn record_times(record: &[u8]) -> Result<(u64, u64), Broken> {
    let (mut time, mut observed) = (0, 0);
    let mut message = Message::new(record);
    while let Some((number, field)) = message.next()? {
        match (number, field) {
            (1, Field::Fixed64(value)) => time = value,
            (11, Field::Fixed64(value)) => observed = value,
            (3 | 5 | 6 | 9 | 10 | 12, Field::Bytes(_))
            | (2 | 7, Field::Varint(_))
            | (8, Field::Fixed32(_)) => {}
            (1..=3 | 5..=12, _) => return Err(WRONG_TYPE),
            _ => {}
        }
    }
    Ok((time, observed))
}

/// Whether an item could be read: one that is broken within itself costs itself, never its neighbours.
fn readable(read: Result<(), RequestError>) -> Result<bool, RequestError> {
    match read {
        Ok(()) => Ok(true),
        Err(RequestError::Malformed { .. }) => Ok(false),
        Err(refused @ RequestError::TooManyItems { .. }) => Err(refused),
    }
}

/// Reads a request of any kind, whose three levels have the same numbers; `items` reads the spans, metrics or records
/// of each scope, in its field 2.
fn request<'a, 'm>(
    body: &'a [u8],
    mut fold: Fold<'m>,
    mut items: impl FnMut(&'a [u8], &mut Fold<'m>) -> Result<(), RequestError>,
) -> Result<Decoded, RequestError> {
    each(body, 1, |of_resource| {
        resource(of_resource, &mut fold)?;
        each(of_resource, 2, |of_scope| {
            scope(of_scope, &mut fold)?;
            items(of_scope, &mut fold)
        })
    })?;
    fold.finish()
}

/// Calls `visit` with every message in field `number` of a message.
fn each<'a>(
    message: &'a [u8],
    number: u32,
    mut visit: impl FnMut(&'a [u8]) -> Result<(), RequestError>,
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

fn resource(parent: &[u8], fold: &mut Fold<'_>) -> Result<(), RequestError> {
    fold.begin_resource()?;
    each(parent, 1, |resource| {
        let mut left = fold.measure.limits.max_attributes;
        each(resource, 1, |attribute| {
            if left == 0 {
                return Ok(());
            }
            left -= 1;
            let (key, rest) = key_of(attribute)?;
            fold.resource_attribute(key, || value_in(rest))
        })
    })
}

fn scope(parent: &[u8], fold: &mut Fold<'_>) -> Result<(), RequestError> {
    fold.begin_scope()?;
    each(parent, 1, |scope| {
        let mut left = fold.measure.limits.max_attributes;
        let mut message = Message::new(scope);
        while let Some((number, field)) = message.next()? {
            match number {
                1 => fold.scope_name(&lossy(bytes(field)?)),
                2 => fold.scope_version(&lossy(bytes(field)?)),
                3 if left > 0 => {
                    left -= 1;
                    let (key, rest) = key_of(bytes(field)?)?;
                    fold.scope_attribute(key, || value_in(rest))?;
                }
                _ => {}
            }
        }
        Ok(())
    })
}
