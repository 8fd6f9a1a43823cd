//! Attributes: only those that are dimensions are kept, as encoded values in reused buffers.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::series::{AttributeValue, SERVICE_NAME};

/// Arrays and maps within each other, of one attribute value, that are kept.
pub(crate) const MAX_DEPTH: u32 = 8;
/// Elements of one attribute value, nested ones included, that are kept.
pub(crate) const MAX_NODES: u32 = 256;

/// An attribute's value as it was sent. Arrays and maps are only ever built for dimensions and
/// stream identities, up to [`MAX_DEPTH`] and [`MAX_NODES`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Any<'a> {
    /// No value: legal, and treated as if the attribute were absent.
    Empty,
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Cow<'a, [u8]>),
    List(Vec<Any<'a>>),
    Map(Vec<(Cow<'a, str>, Any<'a>)>),
}

/// The dimensions asked for, with a quick way to tell that a key is none of them.
#[derive(Debug)]
pub(crate) struct Dimensions<'m> {
    keys: Vec<&'m str>,
    /// Positions + 1 by [`bucket`]; 0 for none. Keys that share a bucket follow each other in
    /// `next`.
    first: [u8; 256],
    next: Vec<u8>,
}

/// The values of the dimensions that one resource, scope, span or point has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    bytes: Vec<u8>,
    places: Vec<Option<(u32, u32)>>,
}

/// More dimensions than this are not looked at: positions are bytes.
const MAX_DIMENSIONS: usize = 254;

impl<'m> Dimensions<'m> {
    pub(crate) fn new(keys: &'m [String]) -> Dimensions<'m> {
        let keys = keys
            .iter()
            .map(String::as_str)
            .filter(|key| *key != SERVICE_NAME);
        let mut keys: Vec<_> = keys.take(MAX_DIMENSIONS).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut first = [0; 256];
        let mut next = vec![0; keys.len()];
        for (position, key) in (1_u8..).zip(&keys) {
            let head = &mut first[bucket(key.as_bytes())];
            next[usize::from(position) - 1] = *head;
            *head = position;
        }
        Dimensions { keys, first, next }
    }

    pub(crate) fn keys(&self) -> &[&'m str] {
        &self.keys
    }

    /// The position of a dimension.
    #[inline]
    pub(crate) fn find(&self, key: &[u8]) -> Option<usize> {
        let mut position = self.first[bucket(key)];
        while position != 0 {
            let at = usize::from(position) - 1;
            if self.keys[at].as_bytes() == key {
                return Some(at);
            }
            position = self.next[at];
        }
        None
    }
}

#[inline]
fn bucket(key: &[u8]) -> usize {
    let (first, last) = (
        key.first().copied().unwrap_or(0),
        key.last().copied().unwrap_or(0),
    );
    (key.len().wrapping_mul(31) ^ usize::from(first).wrapping_mul(7) ^ usize::from(last) << 2)
        & 0xff
}

impl Slots {
    pub(crate) fn clear(&mut self, dimensions: usize) {
        self.bytes.clear();
        self.places.clear();
        self.places.resize(dimensions, None);
    }

    /// Keeps a value; the first one of a key stays.
    pub(crate) fn set(&mut self, at: usize, value: &Any<'_>, max_bytes: usize) {
        if self.places[at].is_some() {
            return;
        }
        let start = self.bytes.len();
        value.encode_into(&mut self.bytes, max_bytes);
        let end = self.bytes.len();
        if let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end))
            && start < end
        {
            self.places[at] = Some((start, end));
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<&[u8]> {
        let (start, end) = (*self.places.get(at)?)?;
        self.bytes.get(start as usize..end as usize)
    }
}

impl Any<'_> {
    /// Appends the value as series keys hold it; nothing if it is empty.
    pub(crate) fn encode_into(&self, out: &mut Vec<u8>, max_bytes: usize) {
        let value = match self {
            Any::Empty => return,
            Any::Text(text) => AttributeValue::Text(kept(text, max_bytes)),
            Any::Bool(value) => AttributeValue::Bool(*value),
            Any::Int(value) => AttributeValue::Int(*value),
            Any::Double(value) if value.is_nan() => AttributeValue::Double(f64::NAN),
            Any::Double(value) => AttributeValue::Double(*value),
            Any::Bytes(_) | Any::List(_) | Any::Map(_) => {
                let text = self.to_text();
                return AttributeValue::Text(kept(&text, max_bytes)).encode_into(out);
            }
        };
        value.encode_into(out);
    }

    /// The value as text: text itself, JSON for everything else.
    pub(crate) fn to_text(&self) -> String {
        match self.to_json() {
            Json::String(text) => text,
            Json::Null => String::new(),
            json => json.to_string(),
        }
    }

    fn to_json(&self) -> Json {
        match self {
            Any::Empty => Json::Null,
            Any::Text(text) => Json::from(&**text),
            Any::Bool(value) => Json::from(*value),
            Any::Int(value) => Json::from(*value),
            Any::Double(value) if value.is_finite() => Json::from(*value),
            Any::Double(value) => Json::from(value.to_string()),
            Any::Bytes(bytes) => Json::from(STANDARD.encode(bytes)),
            Any::List(values) => values.iter().map(Any::to_json).collect(),
            Any::Map(entries) => entries
                .iter()
                .map(|(key, value)| (key.as_ref(), value.to_json()))
                .collect(),
        }
    }
}

/// The part of a text that is kept.
pub(crate) fn kept(text: &str, max_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(max_bytes))
        .unwrap_or(text)
}
