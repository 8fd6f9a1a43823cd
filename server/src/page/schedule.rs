//! When a page is tried again. Pure: chance is an argument.

use std::time::Duration;

use jiff::Timestamp;

/// Bound of the wait after the first failure; it doubles with each.
const FIRST: Duration = Duration::from_secs(1);
/// No wait of our own is longer: a receiver that comes back has its pages within a minute.
const LONGEST: Duration = Duration::from_mins(1);
/// What a receiver may ask for with `Retry-After`.
const ASKED: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(5);
/// The wait after a refusal: somebody has to change something first.
pub(super) const REFUSED: Duration = Duration::from_mins(5);
/// A page not accepted for so long goes to the fallback receiver too.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// A page is tried for so long, which is well above the 72 hours promised, then it is abandoned.
pub(super) const GIVE_UP: Duration = Duration::from_hours(7 * 24);

/// The wait after the `attempts`th failed attempt (from 1): what the receiver asked for, within
/// limits, or `chance` (in `[0, 1)`) of 1 s, 2 s, 4 s, … 60 s, so that many pages do not come back at once.
pub(super) fn wait(attempts: u32, asked: Option<Duration>, chance: f64) -> Duration {
    if let Some(asked) = asked {
        return asked.clamp(*ASKED.start(), *ASKED.end());
    }
    let doublings = attempts.saturating_sub(1).min(16);
    let bound = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    bound.mul_f64(chance.clamp(0.0, 1.0))
}

/// What a `Retry-After` header asks for: seconds, or an HTTP date; a date that has passed asks for nothing.
pub(super) fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(header).ok()?.timestamp();
    Duration::try_from(date.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_from_a_second_to_a_minute() {
        let bounds: Vec<u64> = (1..=9)
            .map(|attempts| wait(attempts, None, 1.0).as_secs())
            .collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(wait(u32::MAX, None, 1.0), LONGEST);
    }

    #[test]
    fn chance_takes_any_part_of_the_bound() {
        assert_eq!(wait(4, None, 0.0), Duration::ZERO);
        assert_eq!(wait(4, None, 0.25), Duration::from_secs(2));
    }

    #[test]
    fn what_the_receiver_asks_for_is_kept_within_limits() {
        for (asked_s, waited_s) in [(0, 1), (1, 1), (42, 42), (300, 300), (86_400, 300)] {
            let waited = wait(1, Some(Duration::from_secs(asked_s)), 0.5);
            assert_eq!(
                waited,
                Duration::from_secs(waited_s),
                "asked for {asked_s} s"
            );
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2015-10-21T07:27:30Z".parse().unwrap();
        let asked = |header| retry_after(header, now);
        assert_eq!(asked("120"), Some(Duration::from_mins(2)));
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(asked(date), Some(Duration::from_secs(30)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:27:00 GMT"), None);
        for nonsense in ["", "-1", "soon", "99999999999999999999999"] {
            assert_eq!(asked(nonsense), None, "{nonsense}");
        }
    }
}
