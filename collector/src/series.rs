//! Series: what is counted together.

mod known;
mod recall;

use std::sync::Arc;

use crate::codec::{CodecError, Reader, first_eight, put_bytes, put_f64, put_signed};
use crate::measure::Reading;

pub use known::Known;
pub(crate) use recall::{PlaceHash, PointPlace};

/// The name that stands for all names of an overflow series.
pub const OVERFLOW_NAME: &str = "__overflow__";
/// The service of resources that do not say what they are, as the OpenTelemetry specification names
/// it.
pub const UNKNOWN_SERVICE: &str = "unknown_service";
/// The attribute that names a service.
pub const SERVICE_NAME: &str = "service.name";

const VERSION: u8 = 1;
/// The form of keys of root spans: a version that does not know them must not take them for others.
const OF_ROOT: u8 = 2;
/// The flag of root spans, in the second form.
const ROOT: u8 = 1 << 7;

/// The first 8 bytes of BLAKE3 of the encoded key: the same on every node, without a counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub u64);

/// What tells one series from another. Equal keys encode to equal bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesKey {
    /// What kind of data.
    pub signal: Signal,
    /// `service.name` of the resource, or [`UNKNOWN_SERVICE`].
    pub service: Arc<str>,
    /// Unspecified for metrics.
    pub kind: SpanKind,
    /// Span name or metric name. In an overflow series that of one of those it stands for, or
    /// [`OVERFLOW_NAME`].
    pub name: Arc<str>,
    /// Unit of a metric as its sender wrote it; empty for spans.
    pub unit: Arc<str>,
    /// Unset for metrics.
    pub status: SpanStatus,
    /// Whether its spans have no parent. False also where nobody asked.
    pub root: bool,
    /// The dimensions this series has, with their values, sorted by dimension.
    pub attributes: Vec<(Arc<str>, Value)>,
    /// Whether this series stands for others that found no room any more: all of one service (or
    /// of all services), kind and status that count alike. Name and attributes are then those of
    /// one of them.
    pub overflow: bool,
}

/// What kind of data a series holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Spans: one count each, with their duration.
    Spans,
    /// Monotonic sums: what was added.
    Sum,
    /// Histograms and exponential histograms.
    Distribution,
    /// Gauges, and sums that may fall: every point is one observation of a value.
    Gauge,
    /// Points that were read in another way as well.
    Read(Reading),
}

/// The kind of a span; a number this version does not know is unspecified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpanKind {
    /// Not said.
    #[default]
    Unspecified,
    /// Inside a service.
    Internal,
    /// Serves a remote request.
    Server,
    /// Makes a remote request.
    Client,
    /// Sends a message.
    Producer,
    /// Receives a message.
    Consumer,
}

/// The status of a span; a number this version does not know is unset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpanStatus {
    /// Not said.
    #[default]
    Unset,
    /// Said to be good.
    Ok,
    /// Failed.
    Error,
}

/// The value of an attribute. Arrays, maps and bytes are the text of their JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, cut at the kept length.
    Text(Arc<str>),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any number, also not-a-number.
    Double(f64),
}

impl SeriesId {
    pub(crate) fn of(encoded_key: &[u8]) -> SeriesId {
        SeriesId(u64::from_le_bytes(first_eight(blake3::hash(encoded_key))))
    }
}

impl SeriesKey {
    /// The id of this key.
    pub fn id(&self) -> SeriesId {
        SeriesId::of(&self.encode())
    }

    /// The value of a dimension; `service.name` answers the service.
    pub fn attribute(&self, key: &str) -> Option<AttributeValue<'_>> {
        // An overflow series of all services says whose attributes it has.
        if key == SERVICE_NAME && !self.overflow {
            return Some(AttributeValue::Text(&self.service));
        }
        let found = self
            .attributes
            .iter()
            .find(|(dimension, _)| **dimension == *key);
        match found {
            None if key == SERVICE_NAME => Some(AttributeValue::Text(&self.service)),
            found => found.map(|(_, value)| value.as_ref()),
        }
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        let head = KeyHead {
            signal: self.signal,
            overflow: self.overflow,
            kind: self.kind,
            status: self.status,
            root: self.root,
            service: &self.service,
            name: &self.name,
            unit: &self.unit,
        };
        head.encode_into(&mut out);
        for (dimension, value) in &self.attributes {
            put_bytes(&mut out, dimension.as_bytes());
            value.as_ref().encode_into(&mut out);
        }
        out
    }

    /// Reads the stored form.
    pub fn decode(bytes: &[u8]) -> Result<SeriesKey, CodecError> {
        let mut reader = Reader::new(bytes);
        let version = reader.byte()?;
        if version != VERSION && version != OF_ROOT {
            return Err(CodecError::Version(version));
        }
        let signal = Signal::from_code(reader.byte()?).ok_or(CodecError::Invalid("signal"))?;
        let flags = reader.byte()?;
        let mut key = SeriesKey {
            signal,
            overflow: flags & 1 == 1,
            kind: SpanKind::from_code(u64::from(flags >> 1 & 7)),
            status: SpanStatus::from_code(u64::from(flags >> 4 & 7)),
            root: version == OF_ROOT && flags & ROOT != 0,
            service: reader.text()?.into(),
            name: reader.text()?.into(),
            unit: reader.text()?.into(),
            attributes: Vec::new(),
        };
        while !reader.is_empty() {
            let dimension = reader.text()?.into();
            key.attributes
                .push((dimension, Value::decode_from(&mut reader)?));
        }
        Ok(key)
    }

    /// The name to show.
    pub fn shown_name(&self) -> Arc<str> {
        if self.overflow {
            OVERFLOW_NAME.into()
        } else {
            Arc::clone(&self.name)
        }
    }

    /// The series that takes the events of this one when there is no room for it, and of all that
    /// count as it does. `alike` is 0 for those that do not count for anything.
    pub(crate) fn overflow(&self, alike: u64, keeps_service: bool) -> SeriesKey {
        // Hostile units are as many as hostile names.
        let unit = UNITS.into_iter().find(|unit| **unit == *self.unit);
        let mut key = SeriesKey {
            unit: unit.unwrap_or_default().into(),
            overflow: true,
            ..self.clone()
        };
        if alike == 0 {
            key.name = OVERFLOW_NAME.into();
            key.root = false;
            key.attributes.clear();
        }
        if !keeps_service {
            key.service = OVERFLOW_NAME.into();
            if alike != 0 {
                let of = (SERVICE_NAME.into(), Value::Text(Arc::clone(&self.service)));
                key.attributes.push(of);
                key.attributes.sort_by(|a, b| a.0.cmp(&b.0));
            }
        }
        key
    }
}

/// Units that overflow series are told apart by.
const UNITS: [&str; 12] = [
    "s",
    "ms",
    "us",
    "µs",
    "ns",
    "min",
    "h",
    "d",
    "1",
    "By",
    "seconds",
    "milliseconds",
];

/// The part of a key that every series has, borrowed: the hot path encodes it without allocating.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyHead<'a> {
    pub(crate) signal: Signal,
    pub(crate) overflow: bool,
    pub(crate) kind: SpanKind,
    pub(crate) status: SpanStatus,
    pub(crate) root: bool,
    pub(crate) service: &'a str,
    pub(crate) name: &'a str,
    pub(crate) unit: &'a str,
}

impl KeyHead<'_> {
    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        let flags = u8::from(self.overflow) | self.kind.code() << 1 | self.status.code() << 4;
        let (version, root) = if self.root {
            (OF_ROOT, ROOT)
        } else {
            (VERSION, 0)
        };
        out.extend_from_slice(&[version, self.signal.code(), flags | root]);
        for text in [self.service, self.name, self.unit] {
            put_bytes(out, text.as_bytes());
        }
    }
}

/// A borrowed [`Value`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AttributeValue<'a> {
    /// Text.
    Text(&'a str),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any number.
    Double(f64),
}

impl AttributeValue<'_> {
    pub(crate) fn encode_into(self, out: &mut Vec<u8>) {
        match self {
            AttributeValue::Text(text) => {
                out.push(1);
                put_bytes(out, text.as_bytes());
            }
            AttributeValue::Bool(value) => out.extend_from_slice(&[2, u8::from(value)]),
            AttributeValue::Int(value) => {
                out.push(3);
                put_signed(out, value);
            }
            AttributeValue::Double(value) => {
                out.push(4);
                put_f64(out, value);
            }
        }
    }
}

impl Value {
    /// The same value, borrowed.
    pub fn as_ref(&self) -> AttributeValue<'_> {
        match self {
            Value::Text(text) => AttributeValue::Text(text),
            Value::Bool(value) => AttributeValue::Bool(*value),
            Value::Int(value) => AttributeValue::Int(*value),
            Value::Double(value) => AttributeValue::Double(*value),
        }
    }

    fn decode_from(reader: &mut Reader<'_>) -> Result<Value, CodecError> {
        match reader.byte()? {
            1 => Ok(Value::Text(reader.text()?.into())),
            2 => Ok(Value::Bool(reader.byte()? != 0)),
            3 => Ok(Value::Int(reader.signed()?)),
            4 => Ok(Value::Double(reader.f64()?)),
            _ => Err(CodecError::Invalid("attribute type")),
        }
    }
}

impl Signal {
    pub(crate) fn code(self) -> u8 {
        match self {
            Signal::Spans => 1,
            Signal::Sum => 2,
            Signal::Distribution => 3,
            Signal::Gauge => 4,
            Signal::Read(Reading::Growth) => 5,
            Signal::Read(Reading::Age) => 6,
            Signal::Read(Reading::Share) => 7,
            Signal::Read(Reading::Amount) => 8,
        }
    }

    fn from_code(code: u8) -> Option<Signal> {
        [
            Signal::Spans,
            Signal::Sum,
            Signal::Distribution,
            Signal::Gauge,
            Signal::Read(Reading::Growth),
            Signal::Read(Reading::Age),
            Signal::Read(Reading::Share),
            Signal::Read(Reading::Amount),
        ]
        .into_iter()
        .find(|signal| signal.code() == code)
    }
}

impl SpanKind {
    /// The name as specs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            SpanKind::Unspecified => "unspecified",
            SpanKind::Internal => "internal",
            SpanKind::Server => "server",
            SpanKind::Client => "client",
            SpanKind::Producer => "producer",
            SpanKind::Consumer => "consumer",
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            SpanKind::Unspecified => 0,
            SpanKind::Internal => 1,
            SpanKind::Server => 2,
            SpanKind::Client => 3,
            SpanKind::Producer => 4,
            SpanKind::Consumer => 5,
        }
    }

    pub(crate) fn from_code(code: u64) -> SpanKind {
        match code {
            1 => SpanKind::Internal,
            2 => SpanKind::Server,
            3 => SpanKind::Client,
            4 => SpanKind::Producer,
            5 => SpanKind::Consumer,
            _ => SpanKind::Unspecified,
        }
    }
}

impl SpanStatus {
    /// The name as specs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            SpanStatus::Unset => "unset",
            SpanStatus::Ok => "ok",
            SpanStatus::Error => "error",
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            SpanStatus::Unset => 0,
            SpanStatus::Ok => 1,
            SpanStatus::Error => 2,
        }
    }

    pub(crate) fn from_code(code: u64) -> SpanStatus {
        match code {
            1 => SpanStatus::Ok,
            2 => SpanStatus::Error,
            _ => SpanStatus::Unset,
        }
    }
}
