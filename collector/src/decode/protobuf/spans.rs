//! Spans in protobuf.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::{WRONG_TYPE, each, likely_items, readable, request};
use crate::decode::fold::Fold;
use crate::decode::protobuf::values::{key_of, value_in};
use crate::decode::sampling::Sampling;
use crate::decode::spans::{SentId, Span};
use crate::decode::{Broken, Decoded, RequestError};
use crate::series::{PlaceHash, SpanKind, SpanStatus};
use crate::wire::{Field, Message};

/// The field that most of a span is.
const ATTRIBUTE: u8 = 9;

/// Decodes an `ExportTraceServiceRequest`.
pub(crate) fn traces(body: &[u8], mut fold: Fold<'_>) -> Result<Decoded, RequestError> {
    fold.spans.reserve(likely_items(body));
    let mut spans = Spans::default();
    request(body, fold, |of_scope, fold| {
        each(of_scope, 2, |bytes| {
            fold.budget.item()?;
            spans.read(bytes, fold)?;
            if spans.read == spans.all.len() {
                spans.hand_on(fold)?;
            }
            Ok(())
        })?;
        spans.hand_on(fold)
    })
}

/// Spans of one scope that are handed on together, as where they belong is looked up together: memory is slow, and can
/// be asked for many things at once.
#[derive(Default)]
struct Spans<'a> {
    all: [Sent<'a>; 16],
    /// So many of them are read.
    read: usize,
}

#[derive(Default)]
struct Sent<'a> {
    span: Span<'a>,
    /// Those of its attributes that are dimensions, each by its position and as it was sent.
    dimensions: SmallVec<[(usize, &'a [u8]); 4]>,
    hash: Option<PlaceHash>,
    /// Attributes read.
    attributes: usize,
}

impl<'a> Spans<'a> {
    fn read(&mut self, bytes: &'a [u8], fold: &mut Fold<'_>) -> Result<(), RequestError> {
        if let Some(sent) = self.all.get_mut(self.read) {
            *sent = Sent::default();
            let read = sent.read(bytes, fold);
            sent.span.mistaken = !readable(read)?;
            sent.hash = Some(fold.hash_of_span(&sent.span, &sent.dimensions));
            self.read += 1;
        }
        Ok(())
    }

    fn hand_on(&mut self, fold: &mut Fold<'_>) -> Result<(), RequestError> {
        let all = &mut self.all[..self.read];
        self.read = 0;
        fold.fetch_places(all.iter().filter_map(|sent| sent.hash));
        for sent in all {
            let known = sent.hash.is_some_and(|hash| fold.begin_span(hash));
            if !known && !sent.span.mistaken {
                sent.span.mistaken = !readable(sent.hand_to(fold))?;
            }
            fold.span(&sent.span);
        }
        Ok(())
    }
}

impl<'a> Sent<'a> {
    fn read(&mut self, bytes: &'a [u8], fold: &Fold<'_>) -> Result<(), RequestError> {
        let mut message = Message::new(bytes);
        self.span.read_usual(&mut message);
        loop {
            while let Some(attribute) = message.next_short(ATTRIBUTE) {
                self.attribute(attribute, fold)?;
            }
            let Some((number, field)) = message.next()? else {
                return Ok(());
            };
            let span = &mut self.span;
            match (number, field) {
                (1, Field::Bytes(id)) => span.trace = SentId::of(id, 16),
                (2, Field::Bytes(id)) => span.id = SentId::of(id, 8),
                (3, Field::Bytes(state)) => span.sampling = Sampling::of_tracestate(state),
                (4, Field::Bytes(parent)) => span.has_parent = parent.iter().any(|byte| *byte != 0),
                (5, Field::Bytes(name)) => span.name = Cow::Borrowed(name),
                (6, Field::Varint(kind)) => span.kind = SpanKind::from_code(kind),
                (7, Field::Fixed64(start)) => span.start_nanos = start,
                (8, Field::Fixed64(end)) => span.end_nanos = end,
                (9, Field::Bytes(attribute)) => self.long_attribute(attribute, fold)?,
                (15, Field::Bytes(status)) => span.status = status_of(status)?,
                (11 | 13, Field::Bytes(_)) => {}
                (1..=9 | 11 | 13 | 15, _) => return Err(WRONG_TYPE.into()),
                _ => {}
            }
        }
    }

    /// Keeps an attribute that is a dimension.
    #[inline]
    fn attribute(&mut self, attribute: &'a [u8], fold: &Fold<'_>) -> Result<(), Broken> {
        if self.attributes < fold.measure.limits.max_attributes {
            self.attributes += 1;
            let (key, rest) = key_of(attribute)?;
            if let Some(at) = fold.dimensions.find(key) {
                self.dimensions.push((at, rest));
            }
        }
        Ok(())
    }

    /// Apart from the loop that reads most of them.
    #[cold]
    fn long_attribute(&mut self, attribute: &'a [u8], fold: &Fold<'_>) -> Result<(), Broken> {
        self.attribute(attribute, fold)
    }

    /// Reads the values of its dimensions.
    fn hand_to(&self, fold: &mut Fold<'_>) -> Result<(), RequestError> {
        let most = fold.measure.limits.max_value_bytes;
        for (at, sent) in &self.dimensions {
            fold.own.slots.set(*at, &value_in(sent)?, most);
        }
        Ok(())
    }
}

impl<'a> Span<'a> {
    /// Reads the fields that a span begins with, if they are in the order that nearly everybody writes them in, and
    /// leaves the others: each of these steps costs less than finding out which field comes next.
    #[inline]
    fn read_usual(&mut self, message: &mut Message<'a>) {
        if let Some(id) = message.next_exact::<16>(1) {
            self.trace = SentId::of(id, 16);
        }
        if let Some(id) = message.next_exact::<8>(2) {
            self.id = SentId::of(id, 8);
        }
        if let Some(parent) = message.next_exact::<8>(4) {
            self.has_parent = u64::from_le_bytes(*parent) != 0;
        }
        if let Some(name) = message.next_short(5) {
            self.name = Cow::Borrowed(name);
        }
        if let Some(kind) = message.next_small(6) {
            self.kind = SpanKind::from_code(kind);
        }
        if let Some(start) = message.next_fixed64(7) {
            self.start_nanos = start;
        }
        if let Some(end) = message.next_fixed64(8) {
            self.end_nanos = end;
        }
    }
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
