//! States of streams as they are stored, one behind the other.

use std::fmt;
use std::iter;

use crate::codec::{CodecError, Reader, put_bytes, put_fixed, put_varint};
use crate::point::StreamId;

/// Stored states of streams. A stream may have several: the latest counts.
#[derive(Clone, Default, PartialEq)]
pub struct StreamStates {
    len: usize,
    /// Of each its id, its length, and itself.
    bytes: Vec<u8>,
}

/// What a state of the common kinds takes, with its id and length.
const LIKELY_BYTES: usize = 32;

impl StreamStates {
    /// None yet, with room for so many.
    pub(crate) fn with_room(states: usize) -> StreamStates {
        StreamStates {
            len: 0,
            bytes: Vec::with_capacity(states * LIKELY_BYTES),
        }
    }

    /// Adds a state, in place of an earlier one of the same stream.
    pub fn push(&mut self, id: StreamId, state: &[u8]) {
        put_fixed(&mut self.bytes, id.0);
        put_bytes(&mut self.bytes, state);
        self.len += 1;
    }

    /// The states, from the earliest on.
    pub fn iter(&self) -> impl Iterator<Item = (StreamId, &[u8])> {
        let mut reader = Reader::new(&self.bytes);
        iter::from_fn(move || next(&mut reader).ok())
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
            let (id, state) = next(reader)?;
            states.push(id, state);
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
