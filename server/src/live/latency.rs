//! Latencies of one indicator over time, so that percentiles of any window are a merge away.
//!
//! A window up to 6 h is exact to 10 s at its far edge, one up to two days to the minute, beyond
//! that to the hour. A calendar's period is exact to the minute in its first two days. What no window's far edge needs
//! is soon kept by the hour.

use std::collections::BTreeMap;

use collector::{PackedHistogram, SparseHistogram};
use hdrhistogram::Histogram;
use slo_specs::Window;

/// How far back slices of 10 s and of minutes are kept at least, whatever windows need: for a clock that goes back, and
/// for a window that another catalog brings.
const TENS_S: i64 = 120;
const LEAST_MINUTES_S: i64 = 3600;
/// Longest window that 10-second histograms are kept for, in seconds.
const TENS_WINDOW_S: i64 = 6 * 3600;
/// How far back minute histograms are kept, if a window needs them, in seconds.
pub(crate) const MINUTES_S: i64 = 48 * 3600;

/// Percentiles in microseconds, by nearest rank over merged histograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quantiles {
    pub(crate) p50: u64,
    pub(crate) p95: u64,
    pub(crate) p99: u64,
}

/// How far back slices are needed, in seconds: of 10 s, of minutes, and any.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    tens: i64,
    minutes: i64,
    longest: i64,
}

impl Reach {
    /// What a window needs as well. Minutes are kept for `minutes_s` seconds if a window is as long.
    pub(crate) fn add(&mut self, window: &Window, minutes_s: i64) {
        let longest_s = i64::try_from(window.longest().as_secs()).unwrap_or(i64::MAX);
        let is_rolling = matches!(window, Window::Rolling(_));
        if is_rolling && longest_s <= TENS_WINDOW_S {
            self.tens = self.tens.max(longest_s);
        } else if !is_rolling || longest_s <= minutes_s {
            self.minutes = self.minutes.max(longest_s.min(minutes_s));
        }
        self.longest = self.longest.max(longest_s);
    }
}

/// Histograms by (end, length in seconds).
#[derive(Debug, Default)]
pub(crate) struct Latency {
    slices: BTreeMap<(i64, i64), PackedHistogram>,
    /// What is added to the slice that is under way, as many series are in turn.
    open: Option<((i64, i64), SparseHistogram)>,
}

impl Latency {
    /// Adds a histogram of a slice named by its end, in Unix seconds.
    pub(crate) fn add(&mut self, end: i64, length_s: i64, histogram: &SparseHistogram) {
        if histogram.is_empty() {
            return;
        }
        match &mut self.open {
            Some((key, open)) if *key == (end, length_s) => open.merge(histogram),
            _ => {
                self.close();
                self.open = Some(((end, length_s), histogram.clone()));
            }
        }
    }

    fn close(&mut self) {
        if let Some((key, mut open)) = self.open.take() {
            if let Some(before) = self.slices.get(&key) {
                open.merge(&before.unpack());
            }
            self.slices.insert(key, open.pack());
        }
    }

    /// Merges into longer slices what no window needs as fine, and drops what none reaches.
    pub(crate) fn advance(&mut self, now: i64, reach: Reach) {
        self.close();
        let tens = reach.tens.max(TENS_S);
        let minutes = reach.minutes.max(tens).max(LEAST_MINUTES_S);
        self.coarsen(now - tens, 10, 60);
        self.coarsen(now - minutes, 60, 3600);
        let oldest = now - reach.longest.max(TENS_WINDOW_S);
        self.slices.retain(|(end, _), _| *end > oldest);
    }

    fn coarsen(&mut self, before: i64, from_s: i64, to_s: i64) {
        let old: Vec<(i64, i64)> = self
            .slices
            .range(..=(before, i64::MAX))
            .map(|(key, _)| *key)
            .filter(|(end, length)| *length == from_s && ceil(*end, to_s) <= before)
            .collect();
        for key in old {
            if let Some(histogram) = self.slices.remove(&key) {
                self.add(ceil(key.0, to_s), to_s, &histogram.unpack());
            }
        }
        self.close();
    }

    /// Percentiles over `(from, upto]`; none without events.
    pub(crate) fn quantiles(&self, from: i64, upto: i64) -> Option<Quantiles> {
        let mut merged = Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3).ok()?;
        let closed = self.slices.range((from + 1, 0)..);
        for (_, histogram) in closed.take_while(|((end, _), _)| *end <= upto) {
            histogram.unpack().add_into(&mut merged);
        }
        if let Some(((end, _), open)) = &self.open
            && from < *end
            && *end <= upto
        {
            open.add_into(&mut merged);
        }
        (!merged.is_empty()).then(|| Quantiles {
            p50: merged.value_at_quantile(0.50),
            p95: merged.value_at_quantile(0.95),
            p99: merged.value_at_quantile(0.99),
        })
    }
}

/// The end of the longer slice that a time belongs to.
fn ceil(end: i64, length_s: i64) -> i64 {
    -(-end).div_euclid(length_s) * length_s
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: i64 = 3600;

    fn of(values: impl Iterator<Item = u64>) -> SparseHistogram {
        SparseHistogram::of_values(values.map(|value| (value, 1)))
    }

    /// A slice every ten seconds, each with two values of its own.
    fn filled(until: i64) -> Latency {
        let mut latency = Latency::default();
        for end in (10..=until).step_by(10) {
            latency.add(end, 10, &of([value(end)].into_iter()));
            latency.add(end, 10, &of([value(end) + 1].into_iter()));
        }
        latency
    }

    fn value(end: i64) -> u64 {
        u64::try_from(end).unwrap() * 3
    }

    fn reach(windows: &[i64]) -> Reach {
        let mut reach = Reach::default();
        for window in windows {
            let length = Duration::from_secs(u64::try_from(*window).unwrap());
            reach.add(&Window::Rolling(length), MINUTES_S);
        }
        reach
    }

    #[test]
    fn slices_are_as_fine_as_the_far_edges_of_windows_need() {
        let now = 3 * HOUR + 1230;
        for (windows, [tens, minutes, hours]) in [
            (vec![30 * 24 * HOUR], [15, 78, 2]),
            (vec![24 * HOUR], [15, 198, 0]),
            (vec![2 * HOUR, 24 * HOUR], [723, 80, 0]),
            (vec![HOUR, 30 * 24 * HOUR], [363, 20, 2]),
        ] {
            let mut latency = filled(now);
            latency.advance(now, reach(&windows));
            let kept = [10, 60, 3600].map(|length| {
                let keys = latency.slices.keys();
                keys.filter(|key| key.1 == length).count()
            });
            assert_eq!(kept, [tens, minutes, hours], "{windows:?}");
        }
    }

    #[test]
    fn percentiles_are_those_of_all_values_however_they_are_kept() {
        let now = 3 * HOUR;
        let mut latency = filled(now);
        let before = latency.quantiles(HOUR, now);
        let mut all = SparseHistogram::dense();
        for end in (HOUR + 10..=now).step_by(10) {
            all.saturating_record(value(end));
            all.saturating_record(value(end) + 1);
        }
        let expected = Quantiles {
            p50: all.value_at_quantile(0.5),
            p95: all.value_at_quantile(0.95),
            p99: all.value_at_quantile(0.99),
        };
        assert_eq!(before, Some(expected));
        latency.advance(now, reach(&[30 * 24 * HOUR]));
        assert_eq!(latency.quantiles(HOUR, now), Some(expected));
        // What comes late counts in the hour that it belongs to.
        let later = latency.quantiles(2 * HOUR, now);
        latency.add(HOUR + 70, 10, &of(std::iter::repeat_n(5_000_000, 100)));
        latency.advance(now, reach(&[30 * 24 * HOUR]));
        let late = latency.quantiles(HOUR, now).unwrap();
        assert_eq!(
            late.p99,
            SparseHistogram::dense().highest_equivalent(5_000_000)
        );
        assert_eq!(latency.quantiles(2 * HOUR, now), later);
    }
}
