//! Look-back windows as people write them: `5m`, `1h`, `30d`.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// Why a text is not a length of time we can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Not a whole number and a unit: write `5m`, `1h`, `30d` or `4w`.
    #[error("not a number and a unit")]
    Malformed,
    /// Months, quarters and years differ in length and only fit calendar windows.
    #[error("only windows of SLOs have months, quarters and years")]
    Calendar,
    /// Zero, or beyond what a number can hold.
    #[error("not a usable length of time")]
    OutOfRange,
}

/// Parses OpenSLO's duration shorthand: a whole number and `m` (minutes), `h`, `d` or `w`.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(slo_specs::parse_window("30d"), Ok(Duration::from_secs(30 * 86_400)));
/// assert_eq!(slo_specs::parse_window("1M"), Err(slo_specs::WindowError::Calendar));
/// ```
pub fn parse_window(text: &str) -> Result<Duration, WindowError> {
    let (count, unit) = split_length(text).ok_or(WindowError::Malformed)?;
    let unit = match unit {
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        "w" => WEEK,
        "M" | "Q" | "Y" => return Err(WindowError::Calendar),
        _ => return Err(WindowError::Malformed),
    };
    match count.checked_mul(unit) {
        None | Some(0) => Err(WindowError::OutOfRange),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
    }
}

/// A whole number and what follows it; a number too large for any use is the largest there is.
pub(crate) fn split_length(text: &str) -> Option<(u64, &str)> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(unit_at);
    (!count.is_empty()).then(|| (count.parse().unwrap_or(u64::MAX), unit))
}

/// Name of a window in its largest whole unit up to days: `5m`, `1h`, `30d`; seconds if it must.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(slo_specs::window_name(Duration::from_secs(3_600)), "1h");
/// assert_eq!(slo_specs::window_name(Duration::from_secs(28 * 86_400)), "28d");
/// assert_eq!(slo_specs::window_name(Duration::from_secs(90)), "90s");
/// ```
pub fn window_name(window: Duration) -> String {
    let (count, unit) = largest_unit(window);
    format!("{count}{unit}")
}

/// The same as prose has it: `1 h`, `5 min`.
pub fn window_words(window: Duration) -> String {
    match largest_unit(window) {
        (count, "m") => format!("{count} min"),
        (count, unit) => format!("{count} {unit}"),
    }
}

fn largest_unit(window: Duration) -> (u64, &'static str) {
    let seconds = window.as_secs();
    [(DAY, "d"), (HOUR, "h"), (MINUTE, "m")]
        .into_iter()
        .find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit))
        .map_or((seconds, "s"), |(unit, name)| (seconds / unit, name))
}
