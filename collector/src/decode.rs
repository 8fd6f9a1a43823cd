//! Decoding OTLP: a visitor over the bytes of a request, in either encoding, that builds nothing
//! but counts.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::answer::{Code, Status};
use crate::classes::{Classes, Problems};
use crate::counted::Spans;
use crate::exemplar::ExemplarSet;
use crate::measure::{Limits, Measure};
use crate::point::Points;
use crate::series::{Known, SeriesId, SeriesKey};

mod admission;
mod attributes;
mod exemplars;
mod fold;
mod identity;
mod interning;
mod json;
mod metrics;
mod protobuf;
mod sampling;
mod senders;
pub(crate) mod spans;

pub use senders::Sender;

/// How a request is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`, and gRPC.
    Protobuf,
    /// `application/json`.
    Json,
}

/// Which of OTLP's three export requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `ExportTraceServiceRequest`.
    Traces,
    /// `ExportMetricsServiceRequest`.
    Metrics,
    /// `ExportLogsServiceRequest`.
    Logs,
}

/// What a request holds, measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// Its counted spans.
    pub spans: Spans,
    /// Its metric points in the order sent, for [`Streams::absorb`](crate::Streams::absorb) in
    /// commit order.
    pub points: Points,
    /// Traces worth a look, by slice and service; bounded.
    pub exemplars: ExemplarSet,
    /// Keys of series that entries and points use and that are not [inserted](Known::insert) yet,
    /// sorted by id.
    pub new_series: Vec<(SeriesId, Arc<SeriesKey>)>,
    /// Who sent its spans, and how far their clocks are off; bounded.
    pub senders: Vec<Sender>,
    /// Series that there is no room for, used by entries and points until they are
    /// [placed](Decoded::place).
    pub unplaced: Vec<(SeriesId, Arc<SeriesKey>)>,
    /// Where its spans, points or records went; points are received here and classed when absorbed.
    pub classes: Classes,
    /// The latest event time of all usable spans and points, also of late and future ones.
    pub latest_event_nanos: Option<u64>,
    /// The earliest event time of those that are neither late nor future.
    pub earliest_counted_nanos: Option<u64>,
    /// What to tell the sender.
    pub problems: Problems,
}

/// Why a whole request is refused. Nothing of it is counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not an OTLP request of this kind and encoding: HTTP 400, `INVALID_ARGUMENT`; never sent
    /// again.
    #[error("malformed request: {reason}")]
    Malformed {
        /// What is wrong, for the sender.
        reason: String,
    },
    /// More elements than one request may have: HTTP 413, `RESOURCE_EXHAUSTED` without retry; send
    /// smaller batches.
    #[error("more than {limit} {what} in one request; send smaller batches")]
    TooManyItems {
        /// What there are too many of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}

/// The structure of a message is broken: what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) &'static str);

impl RequestError {
    /// The refusal to answer.
    pub fn status(&self) -> Status {
        match self {
            RequestError::Malformed { reason } => Status {
                violation: Some(("body".to_owned(), reason.clone())),
                ..Status::new(Code::InvalidArgument, self.to_string())
            },
            RequestError::TooManyItems { .. } => {
                Status::new(Code::ResourceExhausted, self.to_string())
            }
        }
    }
}

impl From<Broken> for RequestError {
    fn from(broken: Broken) -> RequestError {
        RequestError::Malformed {
            reason: broken.0.to_owned(),
        }
    }
}

impl Decoded {
    /// About how many bytes it occupies: what a small payload becomes may be many times as large.
    pub fn held_bytes(&self) -> usize {
        // What a series has beside itself: names and values.
        const BESIDE: usize = 128;
        self.points.held_bytes()
            + self.new_series.len() * (size_of::<SeriesKey>() + BESIDE)
            + size_of_val(self.spans.records())
    }

    /// Gives the events of series without room to overflow series, one for all that count alike:
    /// `alike` has a number for each of [`Decoded::unplaced`], equal for those that count for the
    /// same things in the same way, 0 for those that count for nothing. So no total, and nothing
    /// that is judged, depends on how many series there are.
    pub fn place(&mut self, known: &Known, limits: &Limits, alike: &[u64]) {
        let mut places: HashMap<SeriesId, SeriesId> = HashMap::new();
        let numbers = alike.iter().copied().chain(std::iter::repeat(0));
        for ((id, key), alike) in self.unplaced.drain(..).zip(numbers) {
            let admission = known.overflow(&key, alike, limits);
            places.insert(id, admission.id);
            self.new_series
                .extend(admission.fresh.map(|key| (admission.id, key)));
        }
        let place = |id: &mut SeriesId| *id = places.get(id).copied().unwrap_or(*id);
        self.points.series_mut().for_each(&place);
        self.spans.place(place);
        self.new_series.sort_by_key(|(id, _)| *id);
        self.new_series.dedup_by_key(|(id, _)| *id);
    }
}

/// Decodes the decompressed body of one request and measures its spans.
///
/// A span that cannot be used is rejected alone, into its class. An error means that the request as
/// a whole is refused and that nothing of it may be counted. `now_nanos` decides what is late and
/// what is future.
pub fn decode(
    kind: Kind,
    encoding: Encoding,
    body: &[u8],
    measure: &Measure,
    known: &Known,
    now_nanos: u64,
) -> Result<Decoded, RequestError> {
    let fold = fold::Fold::new(measure, known, now_nanos);
    match (kind, encoding) {
        (Kind::Traces, Encoding::Protobuf) => protobuf::traces(body, fold),
        (Kind::Metrics, Encoding::Protobuf) => protobuf::metrics(body, fold),
        (Kind::Logs, Encoding::Protobuf) => protobuf::logs(body, fold),
        (Kind::Traces, Encoding::Json) => json::traces(body, fold),
        (Kind::Metrics, Encoding::Json) => json::metrics(body, fold),
        (Kind::Logs, Encoding::Json) => json::logs(body, fold),
    }
}

/// Bytes of a text that is not UTF-8 that are looked at: repaired it may be three times as long.
const REPAIRED_BYTES: usize = 16 << 10;

/// Text that is not UTF-8 costs its own bad bytes, not the span, and never its neighbours.
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes.get(..REPAIRED_BYTES).unwrap_or(bytes)),
    }
}

/// A whole body as text. What is not UTF-8 reads as `U+FFFD`, and after many of them as `?`, so that a body of bad
/// bytes grows by no more than [`REPAIRED_BYTES`].
fn repaired(body: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(body) {
        return Cow::Borrowed(text);
    }
    let most = body.len() + REPAIRED_BYTES;
    let mut text = String::with_capacity(most);
    let mut left = body.len();
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        left -= chunk.valid().len() + chunk.invalid().len();
        if !chunk.invalid().is_empty() {
            let room = most - text.len() - left;
            let replacement = char::REPLACEMENT_CHARACTER;
            text.push(if room >= replacement.len_utf8() {
                replacement
            } else {
                '?'
            });
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_repaired_without_growing() {
        assert_eq!(repaired(b"a\xffb\xf0\x9f\x98c"), "a\u{fffd}b\u{fffd}c");
        let bad = vec![0xff; 1 << 20];
        let text = repaired(&bad);
        assert_eq!(text.chars().count(), bad.len());
        assert!(text.len() <= bad.len() + REPAIRED_BYTES);
        assert!(text.ends_with('?'));
        assert!(lossy(&bad).len() <= 3 * REPAIRED_BYTES);
    }
}
