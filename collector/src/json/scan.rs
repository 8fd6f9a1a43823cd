//! The tokens of JSON: strings and literals.

use std::borrow::Cow;

use super::Json;
use crate::decode::Broken;

const OPEN_STRING: Broken = Broken("a string without an end");
const BAD_ESCAPE: Broken = Broken("an escape that JSON does not have");

impl<'a> Json<'a> {
    /// The string at hand. Half a surrogate pair reads as `U+FFFD`: JavaScript sends such.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Broken> {
        let start = self.at + 1;
        let mut end = plain_until(self.text.as_bytes(), start);
        if self.byte(end) == Some(b'"') {
            self.at = end + 1;
            return Ok(Cow::Borrowed(self.text.get(start..end).unwrap_or_default()));
        }
        let mut text = self.text.get(start..end).unwrap_or_default().to_owned();
        loop {
            match self.byte(end) {
                Some(b'"') => {
                    self.at = end + 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => end = self.unescape(end + 1, &mut text)?,
                _ => return Err(OPEN_STRING),
            }
            let next = plain_until(self.text.as_bytes(), end);
            text.push_str(self.text.get(end..next).unwrap_or_default());
            end = next;
        }
    }

    /// Passes the string at hand.
    pub(super) fn skip_string(&mut self) -> Result<(), Broken> {
        let mut end = plain_until(self.text.as_bytes(), self.at + 1);
        loop {
            match self.byte(end) {
                Some(b'"') => {
                    self.at = end + 1;
                    return Ok(());
                }
                Some(b'\\') => end = self.skip_escape(end + 1)?,
                _ => return Err(OPEN_STRING),
            }
            end = plain_until(self.text.as_bytes(), end);
        }
    }

    /// `true`, `false`, `null` or a number, as it is written.
    pub(super) fn literal(&mut self) -> Result<&'a str, Broken> {
        self.peek();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let length = rest.bytes().take_while(|byte| inside(byte)).count();
        let literal = rest.get(..length).unwrap_or_default();
        if !matches!(literal, "true" | "false" | "null") && !is_number(literal.as_bytes()) {
            return Err(if rest.is_empty() {
                Broken("JSON that ends too early")
            } else {
                Broken("something that is no JSON value")
            });
        }
        self.at += length;
        Ok(literal)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn skip_escape(&self, at: usize) -> Result<usize, Broken> {
        match self.byte(at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
            Some(b'u') => self.hex(at + 1).map(|_| at + 5),
            _ => Err(BAD_ESCAPE),
        }
    }

    fn unescape(&self, at: usize, text: &mut String) -> Result<usize, Broken> {
        let plain = match self.byte(at) {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unescape_unit(at + 1, text),
            _ => return Err(BAD_ESCAPE),
        };
        text.push(plain);
        Ok(at + 1)
    }

    fn unescape_unit(&self, at: usize, text: &mut String) -> Result<usize, Broken> {
        let unit = self.hex(at)?;
        let follows = (self.byte(at + 4), self.byte(at + 5)) == (Some(b'\\'), Some(b'u'));
        if (0xd800..0xdc00).contains(&unit)
            && follows
            && let low @ 0xdc00..0xe000 = self.hex(at + 6)?
        {
            let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            return Ok(at + 10);
        }
        text.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
        Ok(at + 4)
    }

    fn hex(&self, at: usize) -> Result<u32, Broken> {
        let digits = self.text.get(at..at + 4).ok_or(BAD_ESCAPE)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(BAD_ESCAPE);
        }
        u32::from_str_radix(digits, 16).map_err(|_| BAD_ESCAPE)
    }
}

/// The first position from `at` on that a string does not simply contain: a quote, a backslash, a
/// control character. Looks at eight bytes at a time.
#[inline]
fn plain_until(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let quote = has_zero(word ^ (ONES * u64::from(b'"')));
        let backslash = has_zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let found = quote | backslash | control;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        at += 1;
    }
    at
}

fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text.first() == Some(&b'0')) {
        return false;
    }
    let mut rest = text.get(whole..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = fraction.get(length..).unwrap_or_default();
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
        let exponent = exponent
            .strip_prefix(b"+")
            .or_else(|| exponent.strip_prefix(b"-"))
            .unwrap_or(exponent);
        let length = digits(exponent);
        return length > 0 && length == exponent.len();
    }
    rest.is_empty()
}
