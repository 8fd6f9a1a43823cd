//! What an address asks for: a page, its time range, its focus, its theme.
//!
//! Unknown keys are ignored; what cannot be read falls back to the last hour, so that an old link never fails.

use axum::extract::Query;
use axum::http::Uri;
use dashboards::view::{Range, Theme};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// What is shown unless the address says otherwise.
const USUAL: SignedDuration = SignedDuration::from_hours(1);
/// Shorter ranges are widened to this.
const SHORTEST: SignedDuration = SignedDuration::from_mins(5);
/// Longer ranges are cut to this, at their old end. A day of 10-second slices is what one page may read.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// A page with everything its address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) page: Page,
    pub(super) span: Span,
    pub(super) focus: Option<String>,
    pub(super) theme: Option<Theme>,
}

/// Which page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Executive,
    Oncall,
    Slos,
    /// Objective id.
    Slo(String),
    /// Service name.
    Debug(String),
    /// The file that is shown, if one is named.
    Specs(Option<String>),
}

/// A range as written: its ends are moments, or follow the clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    from: Option<Edge>,
    to: Option<Edge>,
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    At(Timestamp),
    Ago(SignedDuration),
}

#[derive(Debug, Default, Deserialize)]
struct Written {
    from: Option<String>,
    to: Option<String>,
    focus: Option<String>,
    theme: Option<String>,
}

impl Ask {
    /// Reads path and query; `None` when there is no such page.
    pub(super) fn parse(uri: &Uri) -> Option<Ask> {
        let page = page(uri.path())?;
        let written = written(uri);
        Some(Ask {
            page,
            span: Span::of(&written),
            focus: written.focus.filter(|focus| focus.len() <= 300),
            theme: match written.theme.as_deref() {
                Some("light") => Some(Theme::Light),
                Some("dark") => Some(Theme::Dark),
                _ => None,
            },
        })
    }

    /// The address in one canonical form: the key of its cached page, and what the page's stream asks for.
    pub(super) fn url(&self) -> String {
        let path = match &self.page {
            Page::Executive => "/executive".to_owned(),
            Page::Oncall => "/oncall".to_owned(),
            Page::Slos => "/slos".to_owned(),
            Page::Slo(id) => dashboards::links::slo(id),
            Page::Debug(service) => dashboards::links::debug(service),
            Page::Specs(None) => "/specs".to_owned(),
            Page::Specs(Some(file)) => dashboards::links::specs(file),
        };
        let theme = self.theme.map(|theme| match theme {
            Theme::Light => "light".to_owned(),
            Theme::Dark => "dark".to_owned(),
        });
        let parts = [
            ("from", self.span.from.map(Edge::written)),
            ("to", self.span.to.map(Edge::written)),
            (
                "focus",
                self.focus.as_deref().map(dashboards::links::query_value),
            ),
            ("theme", theme),
        ];
        let query: Vec<String> = parts
            .into_iter()
            .filter_map(|(key, value)| value.map(|value| format!("{key}={value}")))
            .collect();
        if query.is_empty() {
            path
        } else {
            format!("{path}?{}", query.join("&"))
        }
    }
}

fn written(uri: &Uri) -> Written {
    let Query(written) = Query::<Written>::try_from_uri(uri).unwrap_or_default();
    written
}

impl Span {
    /// Reads the range of an address.
    pub(super) fn parse(uri: &Uri) -> Span {
        Span::of(&written(uri))
    }

    fn of(written: &Written) -> Span {
        Span {
            from: written.from.as_deref().and_then(edge),
            to: written.to.as_deref().and_then(edge),
        }
    }

    /// The range as of an evaluation. It follows the clock unless its end is a moment that has passed.
    pub(super) fn resolve(&self, now: Timestamp) -> Range {
        let at = |edge: Edge| match edge {
            Edge::At(at) => at,
            Edge::Ago(length) => now.saturating_sub(length).unwrap_or(now),
        };
        let live = match self.to {
            None => true,
            Some(Edge::Ago(length)) => length.is_zero(),
            Some(Edge::At(at)) => at >= now,
        };
        let to = self.to.map_or(now, at).min(now);
        let from = self.from.map_or_else(|| ahead(to, -USUAL), at);
        let length = to.duration_since(from).clamp(SHORTEST, LONGEST);
        Range {
            from: ahead(to, -length),
            to,
            live,
        }
    }
}

impl Edge {
    fn written(self) -> String {
        match self {
            Edge::At(at) => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            Edge::Ago(length) if length.is_zero() => "live".to_owned(),
            Edge::Ago(length) => format!("-{}s", length.as_secs()),
        }
    }
}

fn ahead(at: Timestamp, length: SignedDuration) -> Timestamp {
    at.saturating_add(length).unwrap_or(at)
}

fn page(path: &str) -> Option<Page> {
    match path {
        "/executive" => Some(Page::Executive),
        "/oncall" => Some(Page::Oncall),
        "/slos" => Some(Page::Slos),
        "/specs" => Some(Page::Specs(None)),
        _ => {
            let named = |prefix: &str| path.strip_prefix(prefix).filter(|name| !name.contains('/'));
            if let Some(id) = named("/slos/") {
                Some(Page::Slo(decoded(id)?))
            } else if let Some(file) = named("/specs/") {
                Some(Page::Specs(Some(decoded(file)?)))
            } else {
                Some(Page::Debug(decoded(named("/debug/")?)?))
            }
        }
    }
}

/// Undoes percent-encoding; `None` for an empty name, or bytes that are no text.
fn decoded(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|name| !name.is_empty())
}

/// `live`, `now`, a moment in RFC 3339, or so long ago: `-6h`, `-15m`, `-90s`, `-2d`.
fn edge(written: &str) -> Option<Edge> {
    if matches!(written, "live" | "now") {
        return Some(Edge::Ago(SignedDuration::ZERO));
    }
    let Some(ago) = written.strip_prefix('-') else {
        return written.parse().ok().map(Edge::At);
    };
    let (digits, unit) = ago.split_at_checked(ago.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let seconds = digits
        .parse::<u32>()
        .ok()
        .map(|count| i64::from(count) * seconds)?;
    Some(Edge::Ago(SignedDuration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(uri: &str) -> Option<Ask> {
        Ask::parse(&uri.parse().unwrap())
    }

    fn range(uri: &str) -> (String, String, bool) {
        let now = "2026-03-10T03:14:00Z".parse().unwrap();
        let range = ask(uri).unwrap().span.resolve(now);
        (range.from.to_string(), range.to.to_string(), range.live)
    }

    fn owned(from: &str, to: &str, live: bool) -> (String, String, bool) {
        (
            format!("2026-03-10T{from}Z"),
            format!("2026-03-10T{to}Z"),
            live,
        )
    }

    #[test]
    fn addresses_name_pages() {
        assert_eq!(ask("/oncall").unwrap().page, Page::Oncall);
        assert_eq!(
            ask("/slos/a%2Fb").unwrap().page,
            Page::Slo("a/b".to_owned())
        );
        assert_eq!(
            ask("/debug/caf%C3%A9").unwrap().page,
            Page::Debug("café".to_owned())
        );
        for none in [
            "/",
            "/slos/",
            "/slos/a/b",
            "/debug/%ff",
            "/debug/%zz",
            "/debug/%",
            "/executives",
        ] {
            assert_eq!(ask(none), None, "{none}");
        }
    }

    #[test]
    fn ranges_follow_the_clock_or_stand_still() {
        assert_eq!(range("/slos/a"), owned("02:14:00", "03:14:00", true));
        assert_eq!(
            range("/slos/a?from=-15m&to=live"),
            owned("02:59:00", "03:14:00", true)
        );
        assert_eq!(
            range("/slos/a?from=2026-03-10T02:21Z&to=live"),
            owned("02:21:00", "03:14:00", true)
        );
        assert_eq!(
            range("/slos/a?from=2026-03-10T01:00:00Z&to=2026-03-10T02:00:00Z"),
            owned("01:00:00", "02:00:00", false)
        );
        assert_eq!(
            range("/slos/a?from=2026-03-10T03:13:00Z"),
            owned("03:09:00", "03:14:00", true)
        );
        assert_eq!(
            range("/slos/a?to=2027-01-01T00:00:00Z"),
            owned("02:14:00", "03:14:00", true)
        );
        assert_eq!(
            range("/slos/a?from=-9999999999h&to=x"),
            owned("02:14:00", "03:14:00", true)
        );
        assert_eq!(range("/slos/a?from=-90d").0, "2026-03-09T03:14:00Z");
    }

    #[test]
    fn one_page_has_one_address() {
        let url = ask("/slos/a?x=1&to=now&focus=rule:page-fast&from=-6h")
            .unwrap()
            .url();
        assert_eq!(url, "/slos/a?from=-21600s&to=live&focus=rule:page-fast");
        assert_eq!(ask(&url).unwrap().url(), url);
        assert_eq!(ask("/oncall?unknown=1").unwrap().url(), "/oncall");
    }
}
