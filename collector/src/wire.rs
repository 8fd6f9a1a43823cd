//! Reading protobuf's wire format where it lies: nothing is copied or built.

use crate::decode::Broken;

/// A field's value as it is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// The fields of one message, in the order of the wire.
#[derive(Clone, Debug)]
pub(crate) struct Message<'a> {
    rest: &'a [u8],
}

/// Groups within groups that are skipped; nobody sends any.
const MAX_GROUP_DEPTH: u32 = 64;

impl<'a> Message<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Message<'a> {
        Message { rest: bytes }
    }

    /// The next field's number and value; groups are skipped.
    #[expect(
        clippy::inline_always,
        reason = "measured: a call for every field costs a tenth more"
    )]
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Field<'a>)>, Broken> {
        while !self.rest.is_empty() {
            let (number, wire_type) = self.tag()?;
            if wire_type == 3 {
                self.skip_group(number)?;
                continue;
            }
            return Ok(Some((number, self.field(wire_type)?)));
        }
        Ok(None)
    }

    /// The next field's bytes, if it is this one and its tag and length take a byte each: a step that costs little, for
    /// fields that come again and again.
    #[inline]
    pub(crate) fn next_short(&mut self, number: u8) -> Option<&'a [u8]> {
        match self.rest {
            [tag, length, rest @ ..] if *tag == number << 3 | 2 && *length < 0x80 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(*length))?;
                self.rest = rest;
                Some(bytes)
            }
            _ => None,
        }
    }

    /// The next field's bytes, if it is this one and of this length; a quick step as well.
    #[inline]
    pub(crate) fn next_exact<const N: usize>(&mut self, number: u8) -> Option<&'a [u8; N]> {
        match self.rest {
            [tag, length, rest @ ..] if *tag == number << 3 | 2 && usize::from(*length) == N => {
                let (bytes, rest) = rest.split_first_chunk()?;
                self.rest = rest;
                Some(bytes)
            }
            _ => None,
        }
    }

    /// The next field's number, if it is this one and takes 8 bytes; a quick step as well.
    #[inline]
    pub(crate) fn next_fixed64(&mut self, number: u8) -> Option<u64> {
        match self.rest {
            [tag, rest @ ..] if *tag == number << 3 | 1 => {
                let (bytes, rest) = rest.split_first_chunk()?;
                self.rest = rest;
                Some(u64::from_le_bytes(*bytes))
            }
            _ => None,
        }
    }

    /// The next field's number, if it is this one and takes one byte; a quick step as well.
    #[inline]
    pub(crate) fn next_small(&mut self, number: u8) -> Option<u64> {
        match self.rest {
            [tag, value, rest @ ..] if *tag == number << 3 && *value < 0x80 => {
                self.rest = rest;
                Some(u64::from(*value))
            }
            _ => None,
        }
    }

    #[inline]
    fn tag(&mut self) -> Result<(u32, u8), Broken> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number != 0);
        Ok((
            number.ok_or(Broken("a field number that does not exist"))?,
            tag.to_le_bytes()[0] & 7,
        ))
    }

    #[inline]
    fn field(&mut self, wire_type: u8) -> Result<Field<'a>, Broken> {
        match wire_type {
            0 => Ok(Field::Varint(self.varint()?)),
            1 => Ok(Field::Fixed64(u64::from_le_bytes(*self.chunk()?))),
            2 => Ok(Field::Bytes(self.bytes()?)),
            5 => Ok(Field::Fixed32(u32::from_le_bytes(*self.chunk()?))),
            _ => Err(Broken("a wire type that does not exist")),
        }
    }

    #[inline]
    fn bytes(&mut self) -> Result<&'a [u8], Broken> {
        let length = self.length()?;
        let split = self.rest.split_at_checked(length);
        let (bytes, rest) = split.ok_or(Broken("a length beyond the end of its message"))?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn length(&mut self) -> Result<usize, Broken> {
        match self.rest {
            // That of a span.
            [low, high, rest @ ..] if *low >= 0x80 && *high < 0x80 => {
                self.rest = rest;
                Ok(usize::from(*low & 0x7f) | usize::from(*high) << 7)
            }
            _ => Ok(usize::try_from(self.varint()?).unwrap_or(usize::MAX)),
        }
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Result<&'a [u8; N], Broken> {
        let split = self.rest.split_first_chunk();
        let (chunk, rest) = split.ok_or(Broken("a number cut off at the end of its message"))?;
        self.rest = rest;
        Ok(chunk)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Broken> {
        let (value, rest) = varint(self.rest)?;
        self.rest = rest;
        Ok(value)
    }

    fn skip_group(&mut self, number: u32) -> Result<(), Broken> {
        let mut open = vec![number];
        while let Some(innermost) = open.last() {
            let (number, wire_type) = self.tag()?;
            match wire_type {
                3 if open.len() < MAX_GROUP_DEPTH as usize => open.push(number),
                3 => return Err(Broken("groups nested too deeply")),
                4 if number == *innermost => {
                    open.pop();
                }
                4 => return Err(Broken("the end of a group that was not begun")),
                _ => {
                    self.field(wire_type)?;
                }
            }
        }
        Ok(())
    }
}

/// The integer at the front of `bytes`, and what follows it.
#[inline]
pub(crate) fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), Broken> {
    match bytes {
        // Tags and most lengths fit one byte.
        [only, rest @ ..] if *only < 0x80 => Ok((u64::from(*only), rest)),
        _ => long_varint(bytes),
    }
}

fn long_varint(bytes: &[u8]) -> Result<(u64, &[u8]), Broken> {
    let mut value = 0_u64;
    for (position, byte) in bytes.iter().take(10).enumerate() {
        let part = u64::from(byte & 0x7f);
        if position == 9 && *byte > 1 {
            break;
        }
        value |= part << (7 * position);
        if *byte < 0x80 {
            return Ok((value, &bytes[position + 1..]));
        }
    }
    Err(Broken("an integer that is cut off or longer than 64 bits"))
}

/// The values of a packed field of 8-byte numbers.
pub(crate) fn packed_fixed64(bytes: &[u8]) -> Result<impl Iterator<Item = u64>, Broken> {
    let (chunks, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(Broken("packed numbers that are cut off"));
    }
    Ok(chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_bytes_are_named() {
        for (case, bytes) in [
            ("a varint without an end", &[0x08, 0x80][..]),
            (
                "a varint of eleven bytes",
                &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            ),
            ("a length beyond the end", &[0x0a, 0x05, 1, 2]),
            (
                "a huge length",
                &[0x0a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            ),
            ("field number zero", &[0x02, 0x00]),
            ("wire type six", &[0x0e]),
            ("an unopened group's end", &[0x0c]),
            ("an open group", &[0x0b, 0x08, 0x01]),
            ("half a double", &[0x09, 1, 2, 3]),
        ] {
            let mut message = Message::new(bytes);
            let result = std::iter::from_fn(|| message.next().transpose()).find(Result::is_err);
            assert!(result.is_some(), "{case}");
        }
    }

    #[test]
    fn groups_are_skipped() {
        let mut message = Message::new(&[0x0b, 0x13, 0x08, 0x01, 0x14, 0x0c, 0x10, 0x07]);
        assert_eq!(message.next(), Ok(Some((2, Field::Varint(7)))));
        assert_eq!(message.next(), Ok(None));
    }
}
