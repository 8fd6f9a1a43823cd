//! Words that come from outside, made fit to be shown.

use std::fmt;

/// Longest text shown, in characters; what is beyond is cut and marked with `…`.
const LONGEST: usize = 2_000;

/// A string from telemetry or a spec: control characters and bidirectional overrides become visible
/// marks, and it is cut at 2 000 characters. Templates escape it like every other string.
///
/// ```
/// use dashboards::Text;
/// assert_eq!(Text::new("pay\u{202e}ments\n").as_str(), "pay\u{2426}ments\u{240a}");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(String);

impl Text {
    /// Takes any string.
    pub fn new(raw: &str) -> Text {
        let mut shown = String::with_capacity(raw.len());
        for (index, character) in raw.chars().enumerate() {
            if index == LONGEST {
                shown.push('…');
                break;
            }
            shown.push(visible(character));
        }
        Text(shown)
    }

    /// The text as shown, not yet escaped for HTML.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Text {
    fn from(raw: &str) -> Text {
        Text::new(raw)
    }
}

impl From<&String> for Text {
    fn from(raw: &String) -> Text {
        Text::new(raw)
    }
}

impl From<String> for Text {
    fn from(raw: String) -> Text {
        Text::new(&raw)
    }
}

/// The mark that stands for a character one cannot see: Unicode's control pictures for C0, `␦` for the rest.
fn visible(character: char) -> char {
    match character {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('␦'),
        '\u{7f}' => '␡',
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffc}'
        | '\u{e0000}'..='\u{e007f}' => '␦',
        seen => seen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_made_visible() {
        assert_eq!(Text::new("a\tb\u{0}").as_str(), "a␉b␀");
        assert_eq!(
            Text::new("\u{202e}gnp\u{2066}.exe\u{200b}").as_str(),
            "␦gnp␦.exe␦"
        );
        assert_eq!(Text::new("naïve 日本 — ok").as_str(), "naïve 日本 — ok");
    }

    #[test]
    fn a_long_message_is_cut_and_says_so() {
        let shown = Text::new(&"x".repeat(1_000_000));
        assert_eq!(shown.as_str().chars().count(), LONGEST + 1);
        assert!(shown.as_str().ends_with('…'));
    }
}
