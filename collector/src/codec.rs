//! The stored forms' common ground: varints, bounded reading, checksums.

/// Why stored bytes cannot be used. They were damaged, or written by a newer version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end in the middle of a value.
    #[error("stored bytes end too early")]
    Truncated,
    /// The bytes were written by another version; upgrade to read them.
    #[error("stored bytes have format version {0}, which this version does not know")]
    Version(u8),
    /// The bytes are not those that were written; restore them from a backup.
    #[error("checksum does not match: the stored bytes are damaged")]
    Checksum,
    /// A value that no writer writes.
    #[error("stored bytes hold an impossible {0}")]
    Invalid(&'static str),
}

/// A count would not fit 64 bits. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a count would exceed 64 bits")]
pub struct CountOverflow;

const CHECKSUM_BYTES: usize = 8;

/// Appends `value` in 7-bit groups, lowest first.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a signed value so that small magnitudes stay short.
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Appends a length and the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends all of a large number.
pub(crate) fn put_fixed(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends the bits of a double.
pub(crate) fn put_f64(out: &mut Vec<u8>, value: f64) {
    put_fixed(out, value.to_bits());
}

/// Puts a version before `body` and a checksum of both behind it.
pub(crate) fn seal(version: u8, body: &[u8]) -> Vec<u8> {
    let mut out = versioned(version, body.len());
    out.extend_from_slice(body);
    sealed(out)
}

/// The beginning of what will be [`sealed`], with room for a body of so many bytes.
pub(crate) fn versioned(version: u8, room: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(room + 1 + CHECKSUM_BYTES);
    out.push(version);
    out
}

/// Puts a checksum behind a version and a body.
pub(crate) fn sealed(mut versioned: Vec<u8>) -> Vec<u8> {
    let checksum = checksum(&versioned);
    versioned.extend_from_slice(&checksum);
    versioned
}

/// Checks what [`seal`] wrote and gives a reader over the body.
pub(crate) fn unseal(version: u8, bytes: &[u8]) -> Result<Reader<'_>, CodecError> {
    let (sealed, sum) = bytes
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or(CodecError::Truncated)?;
    if checksum(sealed) != *sum {
        return Err(CodecError::Checksum);
    }
    let (found, body) = sealed.split_first().ok_or(CodecError::Truncated)?;
    if *found != version {
        return Err(CodecError::Version(*found));
    }
    Ok(Reader::new(body))
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    first_eight(blake3::hash(bytes))
}

/// The first eight bytes of a hash.
pub(crate) fn first_eight(hash: blake3::Hash) -> [u8; 8] {
    let mut eight = [0; 8];
    eight.copy_from_slice(&hash.as_bytes()[..8]);
    eight
}

/// Reads stored bytes from front to back; never past the end, never panics.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, CodecError> {
        let (first, rest) = self.rest.split_first().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, CodecError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(CodecError::Invalid("integer"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, CodecError> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// An integer that must fit `T`.
    pub(crate) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, CodecError> {
        T::try_from(self.varint()?).map_err(|_| CodecError::Invalid("integer"))
    }

    /// A number of elements of at least one byte each: never more than the bytes left, so it is
    /// safe to reserve.
    pub(crate) fn length(&mut self) -> Result<usize, CodecError> {
        let length = self.small::<usize>()?;
        if length > self.rest.len() {
            return Err(CodecError::Truncated);
        }
        Ok(length)
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let length = self.length()?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, CodecError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| CodecError::Invalid("text"))
    }

    pub(crate) fn fixed(&mut self) -> Result<u64, CodecError> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<8>()
            .ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*taken))
    }

    pub(crate) fn f64(&mut self) -> Result<f64, CodecError> {
        Ok(f64::from_bits(self.fixed()?))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends the reading: anything left is an error.
    pub(crate) fn done(self) -> Result<(), CodecError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(CodecError::Invalid("tail"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn integers_survive_the_round_trip(unsigned: u64, signed: i64) {
            let mut out = Vec::new();
            put_varint(&mut out, unsigned);
            put_signed(&mut out, signed);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varint(), Ok(unsigned));
            prop_assert_eq!(reader.signed(), Ok(signed));
            prop_assert_eq!(reader.done(), Ok(()));
        }

        #[test]
        fn one_flipped_bit_is_noticed(body: Vec<u8>, at: prop::sample::Index, bit in 0_u32..8) {
            let mut sealed = seal(1, &body);
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(unseal(1, &sealed).err(), Some(CodecError::Checksum));
        }
    }
}
