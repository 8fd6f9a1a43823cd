//! Attributes and their values in protobuf.

use std::borrow::Cow;

use super::{WRONG_TYPE, bytes};
use crate::decode::attributes::{Any, MAX_DEPTH, MAX_NODES};
use crate::decode::{Broken, lossy};
use crate::wire::{Field, Message};

/// The key of a `KeyValue`, and a message that its value is still to be found in: most attributes
/// are not asked for.
#[inline]
pub(crate) fn key_of(attribute: &[u8]) -> Result<(&[u8], &[u8]), Broken> {
    // Everybody writes the key first, and few keys take 128 bytes.
    if let [0x0a, length, rest @ ..] = attribute
        && *length < 0x80
        && let Some((key, rest)) = rest.split_at_checked(usize::from(*length))
    {
        return Ok((key, rest));
    }
    key_anywhere(attribute)
}

#[cold]
fn key_anywhere(attribute: &[u8]) -> Result<(&[u8], &[u8]), Broken> {
    let mut key = &[][..];
    let mut message = Message::new(attribute);
    while let Some((number, field)) = message.next()? {
        if number == 1 {
            key = bytes(field)?;
        }
    }
    Ok((key, attribute))
}

/// The value in what [`key_of`] left.
pub(crate) fn value_in(attribute: &[u8]) -> Result<Any<'_>, Broken> {
    // The common case in one step: a value that is nothing but a text, with one-byte lengths.
    if let [0x12, outer, 0x0a, inner, text @ ..] = attribute
        && *outer < 0x80
        && usize::from(*outer) == text.len() + 2
        && usize::from(*inner) == text.len()
    {
        return Ok(Any::Text(lossy(text)));
    }
    any(value_bytes(attribute)?)
}

fn value_bytes(attribute: &[u8]) -> Result<&[u8], Broken> {
    let mut value = &[][..];
    let mut message = Message::new(attribute);
    while let Some((number, field)) = message.next()? {
        if number == 2 {
            value = bytes(field)?;
        }
    }
    Ok(value)
}

/// An `AnyValue`.
fn any(value: &[u8]) -> Result<Any<'_>, Broken> {
    nested(value, MAX_DEPTH, &mut { MAX_NODES })
}

/// What is nested deeper, or is more, than is kept is left out, without a look at it.
fn nested<'a>(value: &'a [u8], depth: u32, nodes: &mut u32) -> Result<Any<'a>, Broken> {
    let mut any = Any::Empty;
    let mut message = Message::new(value);
    while let Some((number, field)) = message.next()? {
        any = match (number, field) {
            (1, Field::Bytes(text)) => Any::Text(lossy(text)),
            (2, Field::Varint(value)) => Any::Bool(value != 0),
            (3, Field::Varint(value)) => Any::Int(value.cast_signed()),
            (4, Field::Fixed64(bits)) => Any::Double(f64::from_bits(bits)),
            (5, Field::Bytes(list)) => Any::List(elements(list, nodes, |element, nodes| {
                if depth == 0 {
                    Ok(Any::Empty)
                } else {
                    nested(element, depth - 1, nodes)
                }
            })?),
            (6, Field::Bytes(map)) => Any::Map(elements(map, nodes, |entry, nodes| {
                let (key, rest) = key_of(entry)?;
                let value = value_bytes(rest)?;
                let value = if depth == 0 {
                    Any::Empty
                } else {
                    nested(value, depth - 1, nodes)?
                };
                Ok((lossy(key), value))
            })?),
            (7, Field::Bytes(bytes)) => Any::Bytes(Cow::Borrowed(bytes)),
            (1..=7, _) => return Err(WRONG_TYPE),
            _ => any,
        };
    }
    Ok(any)
}

/// The elements in field 1, as long as there are nodes left.
fn elements<'a, T>(
    message: &'a [u8],
    nodes: &mut u32,
    read: impl Fn(&'a [u8], &mut u32) -> Result<T, Broken>,
) -> Result<Vec<T>, Broken> {
    let mut elements = Vec::new();
    let mut message = Message::new(message);
    while let Some((number, field)) = message.next()? {
        if number != 1 {
            continue;
        }
        let element = bytes(field)?;
        if *nodes == 0 {
            break;
        }
        *nodes -= 1;
        elements.push(read(element, nodes)?);
    }
    Ok(elements)
}
