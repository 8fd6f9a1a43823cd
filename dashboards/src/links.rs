//! Addresses of pages. Query keys stand in one order, so that links can be compared.

use std::fmt::Write;

use jiff::Timestamp;

use crate::view::Range;

/// `/slos/{id}`
pub fn slo(id: &str) -> String {
    format!("/slos/{}", segment(id))
}

/// `/debug/{service}`
pub fn debug(service: &str) -> String {
    format!("/debug/{}", segment(service))
}

/// `/specs/{file}`
pub fn specs(path: &str) -> String {
    format!("/specs/{}", segment(path))
}

/// A page at a range and with a focus: `from`, `to`, `focus`, in this order. A range that follows the clock
/// keeps its start and says `to=live`.
///
/// ```
/// use dashboards::{links, view::Range};
/// let range = Range {
///     from: "2026-03-10T02:21:00Z".parse().unwrap(),
///     to: "2026-03-10T03:14:06Z".parse().unwrap(),
///     live: true,
/// };
/// assert_eq!(
///     links::at("/slos/checkout", range, Some("rule:page-fast")),
///     "/slos/checkout?from=2026-03-10T02:21:00Z&to=live&focus=rule:page-fast"
/// );
/// ```
pub fn at(path: &str, range: Range, focus: Option<&str>) -> String {
    let to = if range.live {
        "live".to_owned()
    } else {
        instant(range.to)
    };
    let mut link = format!("{path}?from={}&to={to}", instant(range.from));
    if let Some(focus) = focus {
        link.push_str("&focus=");
        link.push_str(&query_value(focus));
    }
    link
}

/// A page that shows the last so long: `from=-6h`.
pub fn last(path: &str, minutes: u32) -> String {
    if minutes.is_multiple_of(60) {
        format!("{path}?from=-{}h&to=live", minutes / 60)
    } else {
        format!("{path}?from=-{minutes}m&to=live")
    }
}

/// Shows a link only if it leads to an `https:` page of a named host.
pub(crate) fn outside(link: &str) -> Option<&str> {
    let rest = link.strip_prefix("https://")?;
    let named = rest
        .chars()
        .next()
        .is_some_and(|first| first.is_ascii_alphanumeric() || first == '[');
    (named && !link.chars().any(|c| c.is_control() || c.is_whitespace())).then_some(link)
}

/// RFC 3339 in UTC to the second.
fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn segment(text: &str) -> String {
    // `.` and `..` would be taken for directories.
    if text.chars().all(|c| c == '.') {
        return text.chars().map(|_| "%2E").collect();
    }
    percent_encoded(text, b"-._~!$'()*,;:@")
}

/// Encodes the value of a query key.
pub fn query_value(text: &str) -> String {
    percent_encoded(text, b"-._~:/@,")
}

fn percent_encoded(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap_or_default();
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_segment() {
        assert_eq!(slo("checkout-success"), "/slos/checkout-success");
        assert_eq!(debug("a/b?c#d \"<é"), "/debug/a%2Fb%3Fc%23d%20%22%3C%C3%A9");
        assert_eq!(debug(".."), "/debug/%2E%2E");
        assert_eq!(last("/slos/x", 360), "/slos/x?from=-6h&to=live");
        assert_eq!(last("/slos/x", 15), "/slos/x?from=-15m&to=live");
    }

    #[test]
    fn only_https_leads_outside() {
        assert_eq!(
            outside("https://runbooks.example/a"),
            Some("https://runbooks.example/a")
        );
        for bad in [
            "javascript:alert(1)",
            "http://a",
            "https://",
            "https:///x",
            "https://a b",
            "//a",
        ] {
            assert_eq!(outside(bad), None, "{bad}");
        }
    }
}
