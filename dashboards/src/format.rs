//! The number rules: every figure on a page is made here, so that it reads the same everywhere.
//!
//! What is not known is `—`. Nothing is ever `NaN`, `-0`, in exponents, or above 100 % of a budget; minus is
//! U+2212; ratios are cut *toward bad*, so that 99.8999 % is never shown as 99.9 %.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::number::whole;
use crate::view::Counts;

/// What stands for a figure that is not known.
pub(crate) const UNKNOWN: &str = "—";
/// Separates thousands: a thin space that does not break.
const THIN: char = '\u{202f}';
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Budget left as a whole percent, cut toward bad: `0.419` is `41%`, `-0.082` is `−9%`.
pub(crate) fn budget(left: Option<f64>) -> String {
    match left.and_then(|left| tenths_of_percent(left, 10.0)) {
        Some(..-999) => "under −999%".to_owned(),
        Some(percent) => format!("{}%", signed(percent)),
        None => UNKNOWN.to_owned(),
    }
}

/// Budget left or spent with one decimal, cut toward bad.
pub(crate) fn budget_fine(left: Option<f64>) -> String {
    match left.and_then(|left| tenths_of_percent(left, 1.0)) {
        Some(..-9_990) => "under −999%".to_owned(),
        Some(tenths) => {
            let sign = if tenths < 0 { "−" } else { "" };
            format!(
                "{sign}{}.{}%",
                tenths.unsigned_abs() / 10,
                tenths.unsigned_abs() % 10
            )
        }
        None => UNKNOWN.to_owned(),
    }
}

/// `left` in units of `size` tenths of a percent, rounded down, at most 100 %.
fn tenths_of_percent(left: f64, size: f64) -> Option<i64> {
    if !left.is_finite() {
        return None;
    }
    // The small term undoes representation: 0.41 is stored as 0.40999….
    let units = (left.min(1.0) * 1_000.0 / size + 1e-9).floor();
    let magnitude = i64::try_from(whole(units.abs())).ok()?;
    Some(if units < 0.0 { -magnitude } else { magnitude })
}

fn signed(value: i64) -> String {
    let sign = if value < 0 { "−" } else { "" };
    format!("{sign}{}", value.unsigned_abs())
}

/// Share of good events in percent, with as many decimals as the target has nines (99.9 % → 3), cut toward
/// bad from the integers themselves.
pub(crate) fn good(counts: Counts, target: f64) -> String {
    if counts.total == 0 {
        return UNKNOWN.to_owned();
    }
    let decimals = nines(target);
    let scale = 10_u128.pow(decimals);
    let good = u128::from(counts.total.saturating_sub(counts.bad));
    let units = good * 100 * scale / u128::from(counts.total);
    let fraction = units % scale;
    let width = decimals as usize;
    format!("{}.{fraction:0width$}%", units / scale)
}

/// How many nines a target has, at least 1, at most 6: `0.999` has 3, `0.995` counts as 3, `0.95` as 2.
pub(crate) fn nines(target: f64) -> u32 {
    (1..6)
        .find(|nines| (1.0 - target) * 10_f64.powi(*nines) >= 1.0 - 1e-9)
        .unwrap_or(6)
        .unsigned_abs()
}

/// Share of bad events in percent with one decimal, cut toward bad (upward).
pub(crate) fn failing(counts: Counts) -> String {
    if counts.total == 0 {
        return UNKNOWN.to_owned();
    }
    let tenths = (u128::from(counts.bad) * 1_000).div_ceil(u128::from(counts.total));
    match tenths {
        0 => "0%".to_owned(),
        1 if u128::from(counts.bad) * 1_000 < u128::from(counts.total) => "under 0.1%".to_owned(),
        _ if tenths % 10 == 0 => format!("{}%", tenths / 10),
        _ => format!("{}.{}%", tenths / 10, tenths % 10),
    }
}

/// `1 in 4` when the share is within 10 % of a small fraction.
pub(crate) fn one_in(ratio: f64) -> Option<String> {
    let whole = (1.0 / ratio).round();
    ((2.0..=20.0).contains(&whole) && (ratio * whole - 1.0).abs() <= 0.1)
        .then(|| format!("1 in {whole:.0}"))
}

/// A target as written: `99.9%`.
pub(crate) fn target(target: f64) -> String {
    if !(0.0..=1.0).contains(&target) {
        return UNKNOWN.to_owned();
    }
    let percent = format!("{:.6}", target * 100.0);
    format!("{}%", percent.trim_end_matches('0').trim_end_matches('.'))
}

/// A whole-percent share: `98%`.
pub(crate) fn share(ratio: f64) -> String {
    if !ratio.is_finite() {
        return UNKNOWN.to_owned();
    }
    format!("{:.0}%", (ratio * 100.0).clamp(0.0, 100.0).abs())
}

/// A burn rate: from 10 on whole, below with one decimal, `under 0.1×` below that.
pub(crate) fn burn(rate: Option<f64>) -> String {
    match rate {
        Some(rate) if (9.95..1e15).contains(&rate) => {
            let whole = whole(rate.round());
            format!("{}×", grouped(whole))
        }
        Some(rate) if (0.1..9.95).contains(&rate) => format!("{rate:.1}×"),
        Some(rate) if rate > 0.0 && rate < 0.1 => "under 0.1×".to_owned(),
        Some(0.0) => "0×".to_owned(),
        _ => UNKNOWN.to_owned(),
    }
}

/// A rule's threshold as written: `14.4×`, `6×`.
pub(crate) fn threshold(rate: f64) -> String {
    if !rate.is_finite() {
        return UNKNOWN.to_owned();
    }
    let written = format!("{:.3}", rate.abs());
    format!("{}×", written.trim_end_matches('0').trim_end_matches('.'))
}

/// A count with three significant figures, cut: `58.6k`, `1.32 M`, `3.21 bn`.
pub(crate) fn count(value: u64) -> String {
    match value {
        0..1_000 => value.to_string(),
        1_000..1_000_000 => format!("{}k", three_figures(value, 1_000)),
        1_000_000..1_000_000_000 => format!("{} M", three_figures(value, 1_000_000)),
        1_000_000_000..1_000_000_000_000 => format!("{} bn", three_figures(value, 1_000_000_000)),
        _ => format!("{} tn", three_figures(value, 1_000_000_000_000)),
    }
}

fn three_figures(value: u64, unit: u64) -> String {
    let whole = value / unit;
    match whole {
        0..10 => format!("{whole}.{:02}", value / (unit / 100) % 100),
        10..100 => format!("{whole}.{}", value / (unit / 10) % 10),
        _ => grouped(whole),
    }
}

/// All digits, thousands apart: `1 932`.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut shown = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(THIN);
        }
        shown.push(digit);
    }
    shown
}

/// A number to be divided by, so that the division can be done again: whole from 1 000 on, two digits below, six
/// below a tenth: `1 932`, `12.5`, `0.54`, `0.004`. Never below 0.
pub(crate) fn amount(value: f64) -> String {
    let value = value.max(0.0);
    if value >= 1_000.0 {
        return grouped(whole(value + 1e-6));
    }
    let digits = if value < 0.1 { 6 } else { 2 };
    let shown = format!("{value:.digits$}");
    shown.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Events a second: `73`, `0.4`, `under 0.1`.
pub(crate) fn per_second(rate: f64) -> String {
    if !rate.is_finite() || rate < 0.0 {
        UNKNOWN.to_owned()
    } else if rate >= 9.95 {
        count(whole(rate.round()))
    } else if rate >= 0.1 {
        format!("{rate:.1}")
    } else if rate > 0.0 {
        "under 0.1".to_owned()
    } else {
        "0".to_owned()
    }
}

/// A length of time in at most two units, cut: `95 s`, `23 min`, `5 h 00 min`, `13 h`, `2 d 4 h`, `15 d`.
pub(crate) fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let (days, hours, minutes) = (seconds / DAY, seconds / HOUR, seconds / MINUTE);
    if seconds <= 120 {
        format!("{seconds} s")
    } else if hours == 0 {
        format!("{minutes} min")
    } else if hours < 6 {
        format!("{hours} h {:02} min", minutes % 60)
    } else if days == 0 {
        format!("{hours} h")
    } else if days >= 3_650 {
        "over 10 years".to_owned()
    } else if days < 10 && hours % 24 > 0 {
        format!("{days} d {} h", hours % 24)
    } else {
        format!("{} d", grouped(days))
    }
}

/// A configured window, exactly: `30 d`, `6 h`, `5 min`, `1 h 30 min`.
pub(crate) fn window(length: Duration) -> String {
    let mut rest = length.as_secs();
    let mut parts = Vec::new();
    for (unit, name) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s")] {
        if rest >= unit {
            parts.push(format!("{} {name}", rest / unit));
            rest %= unit;
        }
    }
    if parts.is_empty() {
        "0 s".to_owned()
    } else {
        parts.join(" ")
    }
}

/// How often a step of this length comes: `a day`, `a minute`, `every 5 min`.
pub(crate) fn each(step: Duration) -> String {
    match step.as_secs() {
        DAY => "a day".to_owned(),
        HOUR => "an hour".to_owned(),
        MINUTE => "a minute".to_owned(),
        _ => format!("every {}", window(step)),
    }
}

/// The length of a range: exact when it is made of whole minutes (`1 h`), else as [`duration`].
pub(crate) fn length(length: Duration) -> String {
    let exact = window(length);
    let whole = length.as_secs() >= MINUTE && length.as_secs().is_multiple_of(MINUTE);
    if whole && exact.split(' ').count() <= 4 {
        exact
    } else {
        duration(length)
    }
}

/// A latency in µs: `850 µs`, `2.4 ms`, `256 ms`, `2.03 s`, `12.4 s`, `4 min`.
pub(crate) fn latency(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => trimmed(us / 100, 1, " ms"),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..10_000_000 => trimmed(us / 10_000, 2, " s"),
        10_000_000..120_000_000 => trimmed(us / 100_000, 1, " s"),
        _ => duration(Duration::from_micros(us)),
    }
}

/// `units` with `decimals` of them after the point, zeros at the end left out.
fn trimmed(units: u64, decimals: u32, suffix: &str) -> String {
    let scale = 10_u64.pow(decimals);
    let width = decimals as usize;
    let written = format!("{}.{:0width$}", units / scale, units % scale);
    format!(
        "{}{suffix}",
        written.trim_end_matches('0').trim_end_matches('.')
    )
}

/// `02:51`, with the day when it is not `now`'s: `3 Mar 02:51`.
pub(crate) fn time(at: Timestamp, now: Timestamp) -> String {
    let (at, now) = (at.to_zoned(TimeZone::UTC), now.to_zoned(TimeZone::UTC));
    if at.date() == now.date() {
        at.strftime("%H:%M").to_string()
    } else if at.year() == now.year() {
        at.strftime("%-d %b %H:%M").to_string()
    } else {
        at.strftime("%-d %b %Y %H:%M").to_string()
    }
}

/// `02:51`, or the day alone when it is not `now`'s: `3 Mar`.
pub(crate) fn moment(at: Timestamp, now: Timestamp) -> String {
    let (zoned, today) = (at.to_zoned(TimeZone::UTC), now.to_zoned(TimeZone::UTC));
    if zoned.date() == today.date() {
        hour(at)
    } else {
        day(at)
    }
}

/// `02:51`
pub(crate) fn hour(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%H:%M").to_string()
}

/// `02:51:30`
pub(crate) fn second(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string()
}

/// `3 Mar 02:51`
pub(crate) fn day_hour(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%-d %b %H:%M")
        .to_string()
}

/// `3 Mar`
pub(crate) fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %b").to_string()
}

/// `10 Mar 2026 03:14 UTC`
pub(crate) fn stamp(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%-d %b %Y %H:%M UTC")
        .to_string()
}

/// How long from `earlier` to `later`; zero when it is the other way round.
pub(crate) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

/// Small numbers as words, for sentences.
pub(crate) fn words(value: usize) -> String {
    const WORDS: [&str; 13] = [
        "none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    WORDS
        .get(value)
        .map_or_else(|| grouped(value as u64), |word| (*word).to_owned())
}

/// The first letter in upper case, for the beginning of a sentence.
pub(crate) fn capitalised(sentence: &str) -> String {
    let mut rest = sentence.chars();
    rest.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(rest).collect()
    })
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
