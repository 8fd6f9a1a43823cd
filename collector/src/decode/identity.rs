//! Attributes as an identity: all of them, whatever their order.

use crate::codec::{put_bytes, put_varint};
use crate::decode::attributes::Any;

/// Bytes of one value that tell streams apart.
pub(crate) const MAX_VALUE_BYTES: usize = 4096;

/// The attributes of one resource, scope or point; buffers are reused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    bytes: Vec<u8>,
    /// Start, end of the key, end of the value.
    places: Vec<(usize, usize, usize)>,
}

impl Identity {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }

    pub(crate) fn add(&mut self, key: &[u8], value: &Any<'_>) {
        let start = self.bytes.len();
        self.bytes
            .extend_from_slice(String::from_utf8_lossy(key).as_bytes());
        let middle = self.bytes.len();
        value.encode_into(&mut self.bytes, MAX_VALUE_BYTES);
        self.places.push((start, middle, self.bytes.len()));
    }

    /// Appends the attributes in the order of their keys.
    pub(crate) fn put_into(&mut self, out: &mut Vec<u8>) {
        let bytes = &self.bytes;
        self.places
            .sort_by(|a, b| bytes[a.0..a.1].cmp(&bytes[b.0..b.1]));
        put_varint(out, self.places.len() as u64);
        for (start, middle, end) in &self.places {
            put_bytes(out, &bytes[*start..*middle]);
            put_bytes(out, &bytes[*middle..*end]);
        }
    }
}
