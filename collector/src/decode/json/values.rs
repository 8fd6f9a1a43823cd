//! Attributes and their values in JSON.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::decode::attributes::{Any, MAX_DEPTH, MAX_NODES};
use crate::decode::{Broken, RequestError};
use crate::json::Json;

/// Base64 with and without padding, in the alphabet that the JSON mapping writes.
const LENIENT: GeneralPurpose = GeneralPurpose::new(&STANDARD, PADDING);
/// The same in the alphabet that it accepts as well.
const LENIENT_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, PADDING);
const PADDING: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Visits the first `left` attributes: key, and value still to be read.
pub(crate) fn attributes<'a>(
    json: &mut Json<'a>,
    mut left: usize,
    mut visit: impl FnMut(&str, &mut Json<'a>) -> Result<(), RequestError>,
) -> Result<(), RequestError> {
    if !json.begins(b'[')? {
        return Ok(());
    }
    json.array(|json| {
        if left == 0 {
            return Ok(json.skip()?);
        }
        left -= 1;
        let (key, mut value) = entry(json)?;
        visit(&key, &mut value)
    })
}

/// A `KeyValue`: key, and value still to be read.
fn entry<'a>(json: &mut Json<'a>) -> Result<(Cow<'a, str>, Json<'a>), Broken> {
    let (mut key, mut value) = (Cow::Borrowed(""), Json::new("null"));
    if !json.begins(b'{')? {
        return Ok((key, value));
    }
    json.object::<Broken>(|name, json| {
        match name {
            "key" => key = json.text()?.unwrap_or_default(),
            "value" => value = json.capture()?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    Ok((key, value))
}

/// An `AnyValue`.
pub(crate) fn any<'a>(json: &mut Json<'a>) -> Result<Any<'a>, Broken> {
    nested(json, MAX_DEPTH, &mut { MAX_NODES })
}

fn nested<'a>(json: &mut Json<'a>, depth: u32, nodes: &mut u32) -> Result<Any<'a>, Broken> {
    let mut any = Any::Empty;
    if !json.is_object() {
        json.skip()?;
        return Ok(any);
    }
    json.object::<Broken>(|name, json| {
        let value = match name {
            "stringValue" => json.text()?.map(Any::Text),
            "boolValue" => json.boolean()?.map(Any::Bool),
            "intValue" => json.integer()?.map(Any::Int),
            "doubleValue" => json.double()?.map(Any::Double),
            "bytesValue" => json.text()?.and_then(|text| base64(&text)).map(Any::Bytes),
            "arrayValue" => {
                let list = elements(json, nodes, |json, nodes| {
                    if depth == 0 {
                        return json.skip().map(|()| Any::Empty);
                    }
                    nested(json, depth - 1, nodes)
                })?;
                Some(Any::List(list))
            }
            "kvlistValue" => {
                let map = elements(json, nodes, |json, nodes| {
                    let (key, mut value) = entry(json)?;
                    if depth == 0 {
                        return Ok((key, Any::Empty));
                    }
                    Ok((key, nested(&mut value, depth - 1, nodes)?))
                })?;
                Some(Any::Map(map))
            }
            _ => return json.skip(),
        };
        any = value.unwrap_or_else(|| std::mem::replace(&mut any, Any::Empty));
        Ok(())
    })?;
    Ok(any)
}

/// The elements in `values`, as long as there are nodes left.
fn elements<'a, T>(
    json: &mut Json<'a>,
    nodes: &mut u32,
    read: impl Fn(&mut Json<'a>, &mut u32) -> Result<T, Broken>,
) -> Result<Vec<T>, Broken> {
    let mut elements = Vec::new();
    if !json.begins(b'{')? {
        return Ok(elements);
    }
    json.object::<Broken>(|name, json| {
        if name != "values" {
            return json.skip();
        }
        if !json.begins(b'[')? {
            return Ok(());
        }
        json.array(|json| {
            if *nodes == 0 {
                return json.skip();
            }
            *nodes -= 1;
            elements.push(read(json, nodes)?);
            Ok(())
        })
    })?;
    Ok(elements)
}

fn base64<'a>(text: &str) -> Option<Cow<'a, [u8]>> {
    let alphabet = if text.contains(['-', '_']) {
        &LENIENT_URL_SAFE
    } else {
        &LENIENT
    };
    alphabet.decode(text).ok().map(Cow::Owned)
}
