//! States of streams as they are stored, one behind the other.

use std::fmt;
use std::iter;
use std::ops::Range;

use crate::codec::{CodecError, Reader, put_bytes, put_fixed, put_varint};
use crate::point::StreamId;

/// Stored states of streams. A stream may have several: the latest counts.
///
/// Points that are sent together mostly are of the same time, so that the states of their streams are the same: one
/// that is as the one before takes no room of its own.
#[derive(Clone, Default, PartialEq)]
pub struct StreamStates {
    len: usize,
    /// Of each its id, its length, and itself; a length of 0 is that of a state that is as the one before.
    bytes: Vec<u8>,
    /// Where the last state stands.
    last: Range<usize>,
}

/// What a state of the common kinds takes, with its id and length.
const LIKELY_BYTES: usize = 32;

impl StreamStates {
    /// None yet, with room for so many.
    pub(crate) fn with_room(states: usize) -> StreamStates {
        StreamStates {
            bytes: Vec::with_capacity(states * LIKELY_BYTES),
            ..StreamStates::default()
        }
    }

    /// Adds a state, which is never empty, in place of an earlier one of the same stream.
    pub fn push(&mut self, id: StreamId, state: &[u8]) {
        if !self.last.is_empty() && self.bytes[self.last.clone()] == *state {
            return self.push_same(id);
        }
        put_fixed(&mut self.bytes, id.0);
        put_bytes(&mut self.bytes, state);
        self.last = self.bytes.len() - state.len()..self.bytes.len();
        self.len += 1;
    }

    /// Adds a state that is as the one before.
    pub(crate) fn push_same(&mut self, id: StreamId) {
        put_fixed(&mut self.bytes, id.0);
        put_bytes(&mut self.bytes, &[]);
        self.len += 1;
    }

    /// The states, from the earliest on.
    pub fn iter(&self) -> impl Iterator<Item = (StreamId, &[u8])> {
        let mut reader = Reader::new(&self.bytes);
        let mut last: &[u8] = &[];
        iter::from_fn(move || {
            let (id, state) = next(&mut reader).ok()?;
            last = if state.is_empty() { last } else { state };
            Some((id, last))
        })
    }

    /// Number of states.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        put_varint(out, self.len as u64);
        out.extend_from_slice(&self.bytes);
    }

    pub(crate) fn decode_from(reader: &mut Reader<'_>) -> Result<StreamStates, CodecError> {
        let mut states = StreamStates::default();
        for _ in 0..reader.length()? {
            match next(reader)? {
                (_, []) if states.is_empty() => return Err(CodecError::Invalid("stream state")),
                (id, []) => states.push_same(id),
                (id, state) => states.push(id, state),
            }
        }
        Ok(states)
    }
}

fn next<'s>(reader: &mut Reader<'s>) -> Result<(StreamId, &'s [u8]), CodecError> {
    Ok((StreamId(reader.fixed()?), reader.bytes()?))
}

impl fmt::Debug for StreamStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
