//! Latencies of one indicator over time, so that percentiles of any window are a merge away.
//!
//! A window up to 6 h is exact to 10 s at its far edge, one up to two days to the minute, beyond
//! that to the hour: at most half a percent of the window.

use std::collections::BTreeMap;

use collector::SparseHistogram;
use hdrhistogram::Histogram;

/// How far back 10-second histograms are kept at least, in seconds.
const TENS_S: i64 = 15 * 60;
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

/// Histograms by (end, length in seconds).
#[derive(Debug, Default)]
pub(crate) struct Latency {
    slices: BTreeMap<(i64, i64), SparseHistogram>,
}

impl Latency {
    /// Adds a histogram of a slice named by its end, in Unix seconds.
    pub(crate) fn add(&mut self, end: i64, length_s: i64, histogram: &SparseHistogram) {
        if !histogram.is_empty() {
            self.slices
                .entry((end, length_s))
                .or_default()
                .merge(histogram);
        }
    }

    /// Merges what is old into longer slices and drops what no window reaches. Minutes are kept for
    /// `minutes_s` seconds if a window is as long.
    pub(crate) fn advance(&mut self, now: i64, longest_window_s: i64, minutes_s: i64) {
        let tens_s = if longest_window_s <= TENS_WINDOW_S {
            longest_window_s.max(TENS_S)
        } else {
            TENS_S
        };
        self.coarsen(now - tens_s, 10, 60);
        self.coarsen(
            now - longest_window_s.clamp(TENS_WINDOW_S, minutes_s),
            60,
            3600,
        );
        let oldest = now - longest_window_s.max(TENS_WINDOW_S);
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
                self.add(ceil(key.0, to_s), to_s, &histogram);
            }
        }
    }

    /// Percentiles over `(from, upto]`; none without events.
    pub(crate) fn quantiles(&self, from: i64, upto: i64) -> Option<Quantiles> {
        let mut merged = Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3).ok()?;
        for ((end, _), histogram) in self.slices.range((from + 1, 0)..) {
            if *end <= upto {
                histogram.add_into(&mut merged);
            }
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
