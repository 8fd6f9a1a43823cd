//! Scalars as OTLP/JSON spells them. A value of another type is a mistake and reads as absent.

use std::borrow::Cow;

use super::Json;
use crate::decode::Broken;

impl<'a> Json<'a> {
    /// A text.
    pub(crate) fn text(&mut self) -> Result<Option<Cow<'a, str>>, Broken> {
        match self.peek() {
            Some(b'"') => self.string().map(Some),
            _ => self.mistaken(),
        }
    }

    /// A truth value.
    pub(crate) fn boolean(&mut self) -> Result<Option<bool>, Broken> {
        match self.peek() {
            Some(b't' | b'f') => Ok(Some(self.literal()? == "true")),
            _ => self.mistaken(),
        }
    }

    /// An integer, as a number or as a text: `5`, `"5"`, and as protobuf's JSON allows also `5.0`
    /// and `5e0`.
    pub(crate) fn integer<T: TryFrom<i128>>(&mut self) -> Result<Option<T>, Broken> {
        let Some(number) = self.number()? else {
            return Ok(None);
        };
        let value = number.parse::<i128>().ok().or_else(|| whole(&number));
        let value = value.and_then(|value| T::try_from(value).ok());
        self.mistakes += u32::from(value.is_none());
        Ok(value)
    }

    /// A double, as a number or as a text, `"NaN"`, `"Infinity"` and `"-Infinity"` included.
    pub(crate) fn double(&mut self) -> Result<Option<f64>, Broken> {
        let Some(number) = self.number()? else {
            return Ok(None);
        };
        let value = number.parse::<f64>().ok();
        self.mistakes += u32::from(value.is_none());
        Ok(value)
    }

    /// An enumeration: its number, or one of its names, which some senders write. A name that is
    /// not known reads as 0.
    pub(crate) fn enumeration(&mut self, names: &[(&str, u64)]) -> Result<Option<u64>, Broken> {
        if self.peek() != Some(b'"') {
            return self
                .integer::<i32>()
                .map(|number| number.map(|number| u64::try_from(number).unwrap_or_default()));
        }
        let name = self.string()?;
        let by_name = names
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, number)| *number);
        Ok(Some(
            by_name.or_else(|| name.parse().ok()).unwrap_or_default(),
        ))
    }

    fn number(&mut self) -> Result<Option<Cow<'a, str>>, Broken> {
        match self.peek() {
            Some(b'"') => self.string().map(Some),
            Some(b'-' | b'0'..=b'9') => Ok(Some(Cow::Borrowed(self.literal()?))),
            _ => self.mistaken(),
        }
    }

    /// Passes `null`, or notes a value of the wrong type.
    fn mistaken<T>(&mut self) -> Result<Option<T>, Broken> {
        if !self.null()? {
            self.mistakes += 1;
            self.skip()?;
        }
        Ok(None)
    }
}

/// A whole number that is not written as an integer: `5.0`, `5e3`, `12.5e1`. Exact, as times and counts are.
fn whole(number: &str) -> Option<i128> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (number, 0),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let after = after.trim_end_matches('0');
    if !after.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // Nothing that fits 128 bits has more digits.
    if before.len() + after.len() > 50 {
        return None;
    }
    let digits: i128 = format!("{before}{after}").parse().ok()?;
    if digits == 0 {
        return Some(0);
    }
    let shift = exponent.checked_sub(i64::try_from(after.len()).ok()?)?;
    let power = 10_i128.checked_pow(u32::try_from(shift.unsigned_abs()).ok()?)?;
    if shift >= 0 {
        return digits.checked_mul(power);
    }
    (digits % power == 0).then(|| digits / power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_exact_however_they_are_written() {
        for (written, value) in [
            ("5.0", Some(5)),
            ("5e0", Some(5)),
            ("-12.50e1", Some(-125)),
            ("1.700000000123456789e18", Some(1_700_000_000_123_456_789)),
            ("9007199254740993.0", Some(9_007_199_254_740_993)),
            ("1700E-2", Some(17)),
            ("0e999999999", Some(0)),
            ("1.5", None),
            ("1e-1", None),
            ("1e40", None),
            ("1e99999999999999999999", None),
            ("NaN", None),
            ("", None),
            ("1.-5", None),
        ] {
            assert_eq!(whole(written), value, "{written}");
        }
    }
}
