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

/// A number without a fraction that is not written as an integer.
fn whole(number: &str) -> Option<i128> {
    let value = number
        .parse::<f64>()
        .ok()
        .filter(|value| value.fract() == 0.0)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates: too large for any target type anyway"
    )]
    let whole = value as i128;
    Some(whole)
}
