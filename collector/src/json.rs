//! Reading JSON where it lies: a pull parser that builds nothing, nests without recursion, and
//! tells a wrong type (a mistake, which costs one item) from broken structure (which costs the
//! request).

mod scalar;
mod scan;

use std::borrow::Cow;

use crate::decode::Broken;

/// A position in a JSON text. Every reading method consumes one value; `null` reads as absent.
#[derive(Clone, Debug)]
pub(crate) struct Json<'a> {
    text: &'a str,
    at: usize,
    mistakes: u32,
}

/// Arrays and objects within each other. They cost a byte each while they are skipped.
const MAX_DEPTH: usize = 10_000;

impl<'a> Json<'a> {
    pub(crate) fn new(text: &'a str) -> Json<'a> {
        Json {
            text,
            at: 0,
            mistakes: 0,
        }
    }

    /// Values of a wrong type so far; they were read as absent.
    pub(crate) fn mistakes(&self) -> u32 {
        self.mistakes
    }

    /// Visits the members of an object; `visit` consumes each value.
    pub(crate) fn object<E: From<Broken>>(
        &mut self,
        mut visit: impl FnMut(&str, &mut Json<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.null()? {
            return Ok(());
        }
        self.expect(b'{')?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = self.key()?;
            visit(&key, self)?;
            if !self.more(b'}')? {
                return Ok(());
            }
        }
    }

    /// Visits the elements of an array; `visit` consumes each.
    pub(crate) fn array<E: From<Broken>>(
        &mut self,
        mut visit: impl FnMut(&mut Json<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.null()? {
            return Ok(());
        }
        self.expect(b'[')?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            visit(self)?;
            if !self.more(b']')? {
                return Ok(());
            }
        }
    }

    /// Whether an object (`{`) or array (`[`) comes next, or `null` in its place. Anything else is
    /// passed as a mistake.
    pub(crate) fn begins(&mut self, begin: u8) -> Result<bool, Broken> {
        let begins = self
            .peek()
            .is_some_and(|found| found == begin || found == b'n');
        if !begins {
            self.mistakes += 1;
            self.skip()?;
        }
        Ok(begins)
    }

    /// Whether an object comes next.
    pub(crate) fn is_object(&mut self) -> bool {
        self.peek() == Some(b'{')
    }

    /// Consumes a value without a look at it and gives it to be read later.
    pub(crate) fn capture(&mut self) -> Result<Json<'a>, Broken> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(Json::new(self.text.get(start..self.at).unwrap_or_default()))
    }

    /// Consumes a value without a look at it.
    pub(crate) fn skip(&mut self) -> Result<(), Broken> {
        let mut open = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => self.skip_string()?,
                Some(begin @ (b'{' | b'[')) => {
                    self.at += 1;
                    let end = begin + 2; // `}` and `]` follow their openings at a distance of two
                    if self.peek() != Some(end) {
                        open.push(end);
                        if open.len() > MAX_DEPTH {
                            return Err(Broken("nested too deeply"));
                        }
                        self.skip_key(end)?;
                        continue;
                    }
                    self.at += 1;
                }
                _ => {
                    self.literal()?;
                }
            }
            loop {
                let Some(end) = open.last().copied() else {
                    return Ok(());
                };
                if self.more(end)? {
                    self.skip_key(end)?;
                    break;
                }
                open.pop();
            }
        }
    }

    /// Ends the reading: nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<(), Broken> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Broken("text after the end of the JSON value")),
        }
    }

    fn key(&mut self) -> Result<Cow<'a, str>, Broken> {
        if self.peek() != Some(b'"') {
            return Err(Broken("a member without a name"));
        }
        let key = self.string()?;
        self.expect(b':')?;
        Ok(key)
    }

    /// In an object, the name before the next value.
    fn skip_key(&mut self, end: u8) -> Result<(), Broken> {
        if end != b'}' {
            return Ok(());
        }
        if self.peek() != Some(b'"') {
            return Err(Broken("a member without a name"));
        }
        self.skip_string()?;
        self.expect(b':')
    }

    /// After an element: whether another one follows before `end`.
    fn more(&mut self, end: u8) -> Result<bool, Broken> {
        let found = self.peek();
        self.at += 1;
        match found {
            Some(b',') => Ok(true),
            Some(found) if found == end => Ok(false),
            Some(_) => Err(Broken("neither a comma nor an end after an element")),
            None => Err(Broken("JSON that ends too early")),
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Broken> {
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) if byte == b'{' => Err(Broken("something else than an object")),
            Some(_) if byte == b'[' => Err(Broken("something else than an array")),
            Some(_) => Err(Broken("a member without a value")),
            None => Err(Broken("JSON that ends too early")),
        }
    }

    fn null(&mut self) -> Result<bool, Broken> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.literal().map(|_| true)
    }

    /// The next byte that is not white space, still to be consumed.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_json(text: &str) -> bool {
        let mut json = Json::new(text);
        json.skip().and_then(|()| json.end()).is_ok()
    }

    #[test]
    fn exactly_json_is_accepted() {
        let long = format!("\"{}\\n{}\"", "ä".repeat(50), "x".repeat(50));
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        for text in [
            "{}",
            "[]",
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1.5e+3",
            "\"\"",
            " [1 , 2 ] ",
            "{\"a\":{}}",
            &long,
            &deep,
            "\"\\u00e4\\\"\\\\\"",
            "[[],{},[{}]]", // and what is no JSON:
            "",
            "{",
            "}",
            "[1,]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "nul",
            "truely",
            "\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"a\nb\"",
            "[1 2]",
            "{\"a\":1,}",
            "[}",
            "{]",
            "1 2",
            "--1",
            "\"\\u12",
        ] {
            let expected = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(is_json(text), expected, "{text}");
        }
    }

    #[test]
    fn nesting_without_end_is_refused_and_not_a_stack_overflow() {
        assert!(!is_json(&"[".repeat(1_000_000)));
        assert!(!is_json(&"{\"a\":".repeat(1_000_000)));
    }

    proptest! {
        #[test]
        fn strings_read_as_serde_json_reads_them(text: String) {
            let written = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(Json::new(&written).text().unwrap().unwrap(), text.as_str());
            prop_assert!(is_json(&written));
        }

        #[test]
        fn bent_json_is_judged_as_serde_json_judges_it(
            at: prop::sample::Index,
            byte in prop::sample::select(b"{}[]\",:\\ 0-.eantrul".to_vec()),
        ) {
            let mut text = br#"{"a":[1,-2.5e3,"x\u00e9\n",null],"b":{"c":true,"d":[[]]}}"#.to_vec();
            let at = at.index(text.len());
            text[at] = byte;
            let text = String::from_utf8(text).unwrap();
            let expected = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            prop_assert_eq!(is_json(&text), expected, "{}", text);
        }
    }
}
