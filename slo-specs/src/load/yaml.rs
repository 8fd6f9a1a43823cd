//! YAML as written: a tree in which every value knows its place.
//!
//! A tree, rather than one `Deserialize` type a kind, because serde stops at the first thing that
//! does not fit, and we want to tell of all of them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Location, Spanned};

/// Most bytes of a file.
const MAX_FILE_BYTES: usize = 1 << 20;
/// Most documents of a file.
const MAX_DOCUMENTS: usize = 500;
/// Deepest nesting of a document.
const MAX_DEPTH: usize = 32;
/// Most values of a document, those that aliases repeat among them.
const MAX_NODES: usize = 50_000;
/// Most aliases and most values they may repeat, so that a few bytes cannot become gigabytes.
const MAX_ALIASES: usize = 100;
const MAX_REPLAYED: usize = 10_000;
/// Longest parser message passed on.
const MAX_MESSAGE_CHARS: usize = 200;

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// From 1.
    pub(crate) line: u64,
    /// In characters, from 1.
    pub(crate) column: u64,
}

/// A value and where it stands (where it is used, if it is an alias).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: Position,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// As written, and its value.
    Number(String, f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// One document of a file.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) root: Node,
    /// Its text.
    pub(crate) text: String,
}

/// Something that is not YAML, or more of it than we take.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) at: Position,
    pub(crate) message: String,
}

/// Reads every document of a file. An error spoils its own document only.
pub(crate) fn read(text: &str) -> Vec<Result<Document, SyntaxError>> {
    let start = Position { line: 1, column: 1 };
    if text.len() > MAX_FILE_BYTES {
        let message = format!(
            "file has {} bytes; at most {MAX_FILE_BYTES} are read",
            text.len()
        );
        return vec![Err(SyntaxError { at: start, message })];
    }
    let chunks = split(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut read: Vec<_> = chunks
        .iter()
        .take(MAX_DOCUMENTS)
        .flat_map(read_chunk)
        .collect();
    if let Some(beyond) = chunks.get(MAX_DOCUMENTS) {
        let message = format!("file has more than {MAX_DOCUMENTS} documents");
        let at = Position {
            line: beyond.lines_before + 1,
            column: 1,
        };
        read.push(Err(SyntaxError { at, message }));
    }
    read
}

impl Value {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(..) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// The text of one document.
struct TextChunk<'a> {
    lines_before: u64,
    text: &'a str,
}

/// Cuts at lines that begin with `---`, which nothing but a document start may in YAML.
fn split(text: &str) -> Vec<TextChunk<'_>> {
    let mut chunks = Vec::new();
    let (mut begin, mut begin_line) = (0, 0);
    let mut offset = 0;
    for (number, line) in (0_u64..).zip(text.split_inclusive('\n')) {
        let marker = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']));
        if marker && offset > begin {
            push_chunk(&mut chunks, text.get(begin..offset), begin_line);
            (begin, begin_line) = (offset, number);
        }
        offset += line.len();
    }
    push_chunk(&mut chunks, text.get(begin..), begin_line);
    chunks
}

fn push_chunk<'a>(chunks: &mut Vec<TextChunk<'a>>, text: Option<&'a str>, lines_before: u64) {
    let says_something = |line: &str| {
        let line = line.trim();
        !(line.is_empty() || line == "---" || line.starts_with('#') || line.starts_with('%'))
    };
    if let Some(text) = text.filter(|text| text.lines().any(says_something)) {
        chunks.push(TextChunk { lines_before, text });
    }
}

fn read_chunk(chunk: &TextChunk<'_>) -> Vec<Result<Document, SyntaxError>> {
    let options = serde_yaml::options! {
        strict_booleans: true,
        budget: serde_yaml::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_aliases: MAX_ALIASES,
        },
        alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: MAX_REPLAYED },
    };
    match serde_yaml::from_multiple_with_options::<Spanned<Raw>>(chunk.text, options) {
        Ok(documents) => documents
            .into_iter()
            .map(|document| place(document, chunk))
            .filter(|node| !matches!(node.value, Value::Null))
            .map(|root| {
                Ok(Document {
                    root,
                    text: chunk.text.to_owned(),
                })
            })
            .collect(),
        Err(error) => {
            let at = position(error.location().unwrap_or(Location::UNKNOWN), chunk);
            vec![Err(SyntaxError {
                at,
                message: message(&error),
            })]
        }
    }
}

/// The parser's message without the position it ends with, which is of the document, not the file.
fn message(error: &serde_yaml::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line
        .split(", set DuplicateKeyPolicy")
        .next()
        .unwrap_or_default();
    let line = line.split(" at line ").next().unwrap_or_default();
    line.chars().take(MAX_MESSAGE_CHARS).collect()
}

fn position(location: Location, chunk: &TextChunk<'_>) -> Position {
    Position {
        line: location.line().max(1) + chunk.lines_before,
        column: location.column().max(1),
    }
}

/// A value as serde hands it over.
enum Raw {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

fn place(spanned: Spanned<Raw>, chunk: &TextChunk<'_>) -> Node {
    let at = position(spanned.referenced, chunk);
    let value = match spanned.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        Raw::Number(value) => Value::Number(written(spanned.defined, chunk, value), value),
        Raw::Text(text) => Value::Text(text),
        Raw::List(items) => Value::List(items.into_iter().map(|item| place(item, chunk)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| (place(key, chunk), place(value, chunk)))
                .collect(),
        ),
    };
    Node { value, at }
}

/// The characters of a number, so that a version `1.10` stays one and `0.999` is exact.
fn written(location: Location, chunk: &TextChunk<'_>, value: f64) -> String {
    let span = location.span();
    let slice = span
        .byte_offset()
        .zip(span.byte_len())
        .and_then(|(offset, length)| {
            let begin = usize::try_from(offset).ok()?;
            chunk.text.get(begin..begin + usize::try_from(length).ok()?)
        });
    let text = slice
        .map(str::trim)
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()));
    text.map_or_else(|| value.to_string(), str::to_owned)
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

#[expect(
    clippy::cast_precision_loss,
    reason = "the text is kept beside the value"
)]
impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value as f64))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Number(value as f64))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_bytes<E: serde::de::Error>(self, _value: &[u8]) -> Result<Raw, E> {
        Err(E::custom("binary values have no meaning here"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries: Vec<(Spanned<Raw>, Spanned<Raw>)> = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        if entries
            .iter()
            .any(|(key, _)| matches!(key.value, Raw::List(_) | Raw::Map(_)))
        {
            return Err(A::Error::custom("a key must be text"));
        }
        Ok(Raw::Map(entries))
    }
}
