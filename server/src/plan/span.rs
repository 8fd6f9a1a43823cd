//! Which past is asked for: moments, or so long before the end of what there is.

use jiff::{SignedDuration, Timestamp};

use super::PlanError;

/// Seconds between ticks.
const TICK_S: i64 = 10;
/// What is judged unless asked otherwise, in seconds.
const USUAL_S: i64 = 30 * 86_400;

/// One end of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// A moment.
    At(Timestamp),
    /// So long before the end of what there is.
    Ago(SignedDuration),
}

/// From when to when, as asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Option<Edge>,
    pub(crate) to: Option<Edge>,
}

impl std::fmt::Display for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Edge::At(at) => write!(f, "{at}"),
            Edge::Ago(length) => write!(f, "-{}s", length.as_secs()),
        }
    }
}

impl std::str::FromStr for Edge {
    type Err = String;

    /// A moment in RFC 3339, or so long ago: `-90s`, `-15m`, `-6h`, `-7d`, `-4w`; `now` is the end.
    fn from_str(text: &str) -> Result<Edge, String> {
        let wrong = || {
            format!(
                "`{text}` is no time; write one like `2026-03-10T02:14:00Z`, or `-7d` for a week before the end"
            )
        };
        if text == "now" {
            return Ok(Edge::Ago(SignedDuration::ZERO));
        }
        let Some(ago) = text.strip_prefix('-') else {
            return text.parse().map(Edge::At).map_err(|_| wrong());
        };
        let unit_at = ago.len().saturating_sub(1);
        let (digits, unit) = ago.split_at_checked(unit_at).ok_or_else(wrong)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            _ => return Err(wrong()),
        };
        let count: u32 = digits.parse().map_err(|_| wrong())?;
        Ok(Edge::Ago(SignedDuration::from_secs(
            i64::from(count) * seconds,
        )))
    }
}

impl Span {
    /// The ticks `(from, to)` of a past that has data in `(first, last]`, and what to say if less than
    /// was asked for is judged.
    pub(super) fn within(
        self,
        first: i64,
        last: i64,
    ) -> Result<(i64, i64, Option<String>), PlanError> {
        let at = |edge: Edge, end: i64| match edge {
            Edge::At(at) => at.as_second(),
            Edge::Ago(length) => end.saturating_sub(length.as_secs()),
        };
        let told = |second: i64| super::instant(second);
        let to = self.to.map_or(last, |edge| at(edge, last)).min(last);
        let to = to.div_euclid(TICK_S) * TICK_S;
        let asked = self.from.map(|edge| at(edge, to));
        let from = asked.unwrap_or(to - USUAL_S).max(first);
        let from = from.div_euclid(TICK_S) * TICK_S;
        if from >= to {
            return Err(PlanError::Range(format!(
                "there is nothing to judge between the times asked for: data is kept from {} to {}",
                told(first),
                told(last)
            )));
        }
        let less = asked.is_some_and(|asked| asked < first);
        let note = less.then(|| format!("nothing is kept from before {}", told(first)));
        Ok((from, to, note))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_moments_or_so_long_ago() {
        let day = SignedDuration::from_hours(24);
        for (text, expected) in [
            (
                "2026-03-10T02:14:00Z",
                Some(Edge::At("2026-03-10T02:14:00Z".parse().unwrap())),
            ),
            ("-1d", Some(Edge::Ago(day))),
            ("-24h", Some(Edge::Ago(day))),
            ("-1w", Some(Edge::Ago(day * 7))),
            ("now", Some(Edge::Ago(SignedDuration::ZERO))),
            ("-d", None),
            ("-", None),
            ("", None),
            ("-3x", None),
            ("-1é", None),
            ("yesterday", None),
        ] {
            assert_eq!(text.parse::<Edge>().ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_span_is_cut_to_what_is_kept() {
        let (first, last) = (1_000_003, 10_000_009);
        let ago = |days: i64| Some(Edge::Ago(SignedDuration::from_hours(24 * days)));
        let span = |from, to| Span { from, to }.within(first, last).ok();
        let cases = [
            (
                "thirty days",
                span(None, None),
                Some((7_408_000, 10_000_000, false)),
            ),
            (
                "a day",
                span(ago(1), None),
                Some((9_913_600, 10_000_000, false)),
            ),
            (
                "a year is less",
                span(ago(365), None),
                Some((1_000_000, 10_000_000, true)),
            ),
            (
                "a day until a week ago",
                span(ago(1), ago(7)),
                Some((9_308_800, 9_395_200, false)),
            ),
            ("backwards", span(ago(1), ago(400)), None),
        ];
        for (case, found, expected) in cases {
            let found = found.map(|(from, to, note)| (from, to, note.is_some()));
            assert_eq!(found, expected, "{case}");
        }
        let later = Some(Edge::At(crate::plan::instant(20_000_000)));
        assert!(
            Span {
                from: later,
                to: None
            }
            .within(first, last)
            .is_err()
        );
    }
}
