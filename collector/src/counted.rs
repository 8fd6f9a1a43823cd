//! Counted spans: a record of each, what many of them add up to, and fingerprints that tell them apart.
//!
//! A request's spans are spread over many series, so that sums of one request would hardly be smaller than its spans.
//! They are sorted and summed once for all requests that are committed together.

mod sorting;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::classes::{Class, Classes};
use crate::codec::{CountOverflow, first_eight};
use crate::decode::Decoded;
use crate::decode::spans::Span;
use crate::delta::{self, Entry};
use crate::histogram::{HIGHEST_US, SparseHistogram, index_of};
use crate::measure::{Subject, Threshold};
use crate::measured::{Bound, Measured, Range, Ranges, Scale, Steps};
use crate::series::SeriesId;
use crate::slice::Slice;

use self::sorting::Item;
pub use self::sorting::Sorting;

/// The secret that fingerprints are made with: who does not know it cannot make two spans look like
/// one.
#[derive(Clone, PartialEq)]
pub struct FingerprintKey([u8; 32]);

/// A counted span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanRecord {
    /// Of its trace id, span id and kind; 0 unless [`Measure::fingerprints`](crate::Measure) is set.
    pub fingerprint: u64,
    /// When it ended by its own clock, in Unix seconds, rounded down.
    pub end_seconds: u32,
    pub(crate) series: SeriesId,
    pub(crate) slice: Slice,
    pub(crate) nanos: u64,
    pub(crate) weight: Weight,
    pub(crate) bad: bool,
    pub(crate) clamped: bool,
    pub(crate) overflowed: bool,
}

/// How many spans one stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    One,
    Many(u64),
    /// Counted once, although it stands for more.
    Unknown,
}

/// A request's counted spans, in the order sent, and at which bounds they are counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spans {
    records: Vec<SpanRecord>,
    bounds: Arc<SpanBounds>,
}

/// The bounds on durations that are counted exactly.
#[derive(Debug, Default, PartialEq, Eq)]
struct SpanBounds {
    bounds: Arc<[Bound]>,
    /// For each bound, the longest duration in nanoseconds that it holds; −1 if none.
    longest: Vec<i64>,
}

/// What spans add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summed {
    /// The counts, sorted by slice and series, each pair once.
    pub entries: Vec<Entry>,
    /// How many spans each series took, whatever they stand for; a series may stand more than once.
    pub taken: Vec<(SeriesId, u64)>,
    /// Series and slices with spans that were sampled, but not known by how much.
    pub unweighted: Vec<(SeriesId, Slice)>,
}

/// What becomes of a span that could be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not seen before: counts.
    Fresh,
    /// Counted before: adds nothing, and is no loss.
    Duplicate,
    /// So old that it cannot be known whether it was counted before: rejected.
    Late,
}

impl FingerprintKey {
    /// A key made from a secret that never changes, as fingerprints are kept over restarts.
    pub fn new(secret: &[u8]) -> FingerprintKey {
        FingerprintKey(blake3::derive_key("sloburn span fingerprint v1", secret))
    }

    /// Senders that share one id between a request's client and its server span exist (Zipkin's
    /// do), so that the kind is part of what a span is.
    pub(crate) fn fingerprint(&self, span: &Span<'_>) -> u64 {
        let mut identity = [0; 25];
        identity[..16].copy_from_slice(&span.trace.number().to_be_bytes());
        identity[16..24].copy_from_slice(&span.id.number().to_be_bytes()[8..]);
        identity[24] = span.kind.code();
        let hash = blake3::keyed_hash(&self.0, &identity);
        u64::from_le_bytes(first_eight(hash)).max(1)
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(…)")
    }
}

impl SpanBounds {
    fn new(thresholds: &[Threshold]) -> SpanBounds {
        let of_spans = thresholds
            .iter()
            .filter(|threshold| threshold.subject == Subject::Spans);
        let bounds = of_spans
            .filter(|threshold| !threshold.bound.is_nan())
            .map(|threshold| Bound::new(threshold.bound, threshold.inclusive));
        let mut bounds: Vec<_> = bounds.collect();
        bounds.sort_unstable();
        bounds.dedup();
        SpanBounds {
            longest: bounds.iter().map(|bound| longest_held(*bound)).collect(),
            bounds: bounds.into(),
        }
    }

    /// What spans with these bounds add up to.
    fn summed(&self, spans: &[&Spans], sorting: &mut Sorting) -> Summed {
        sorting.sorted(spans, |items| self.sum(items))
    }

    /// What sorted spans add up to.
    fn sum(&self, items: &[Item]) -> Summed {
        let places = || items.chunk_by(|one, next| one.place() == next.place());
        let room = places().count();
        let mut summed = Summed {
            entries: Vec::with_capacity(room),
            taken: Vec::with_capacity(room),
            unweighted: Vec::new(),
        };
        for same in places() {
            let Some(&Item { series, slice, .. }) = same.first() else {
                continue;
            };
            summed.entries.push(Entry {
                series,
                slice,
                measured: self.measured(same),
            });
            summed.taken.push((series, same.len() as u64));
            if same.iter().any(|item| item.unweighted) {
                summed.unweighted.push((series, slice));
            }
        }
        summed
    }

    /// Sorted spans of one series in one slice.
    fn measured(&self, items: &[Item]) -> Measured {
        let mut held = Ranges::from_elem(Range::default(), self.longest.len());
        let (mut count, mut clamped) = (0, 0);
        for item in items {
            let spans = item.spans;
            count += spans;
            let duration = i64::try_from(item.nanos).unwrap_or(i64::MAX);
            let first_held = self.longest.partition_point(|longest| *longest < duration);
            if let Some(range) = held.get_mut(first_held) {
                *range = range.plus(Range::exact(spans));
            }
            clamped += if item.nanos / 1000 > HIGHEST_US {
                spans
            } else {
                0
            };
        }
        // What a bound holds, the longer ones hold too.
        let mut shorter = Range::default();
        for range in &mut held {
            *range = range.plus(shorter);
            shorter = *range;
        }
        let steps = Steps::new(Arc::clone(&self.bounds), held);
        let values = SparseHistogram::of_sorted(items, |item| (item.bin, item.spans), clamped);
        Measured::of_values(count, Scale::Millis, steps, values)
    }
}

impl Weight {
    fn spans(self) -> u64 {
        match self {
            Weight::One | Weight::Unknown => 1,
            Weight::Many(spans) => spans,
        }
    }
}

impl Spans {
    pub(crate) fn new(records: Vec<SpanRecord>, thresholds: &[Threshold]) -> Spans {
        if records.is_empty() {
            return Spans::default();
        }
        Spans {
            records,
            bounds: Arc::new(SpanBounds::new(thresholds)),
        }
    }

    /// The spans.
    pub fn records(&self) -> &[SpanRecord] {
        &self.records
    }

    /// Changes the series of every span.
    pub(crate) fn place(&mut self, place: impl Fn(&mut SeriesId)) {
        for record in &mut self.records {
            place(&mut record.series);
        }
    }

    /// What the spans add up to.
    pub fn summed(&self) -> Summed {
        self.bounds.summed(&[self], &mut Sorting::default())
    }

    /// What the spans of several requests add up to, the same in whatever order they are. The sum
    /// overflows only with more spans than memory can hold.
    pub fn sum(requests: &[Spans], sorting: &mut Sorting) -> Result<Summed, CountOverflow> {
        let mut all = Summed::default();
        let mut left: Vec<&Spans> = requests
            .iter()
            .filter(|spans| !spans.records.is_empty())
            .collect();
        // Requests that were decoded before and after a change of the specs have different bounds.
        while let Some(first) = left.first() {
            let bounds = sorting.shared(&first.bounds);
            let (alike, others): (Vec<&Spans>, Vec<&Spans>) =
                left.into_iter().partition(|spans| spans.bounds == bounds);
            left = others;
            let mut summed = bounds.summed(&alike, sorting);
            if all == Summed::default() {
                all = summed;
            } else {
                all.entries.append(&mut summed.entries);
                all.entries = delta::merged(all.entries)?;
                all.taken.append(&mut summed.taken);
                all.unweighted.append(&mut summed.unweighted);
            }
        }
        Ok(all)
    }
}

impl FromIterator<SpanRecord> for Spans {
    /// Spans that are counted at no bounds.
    fn from_iter<I: IntoIterator<Item = SpanRecord>>(records: I) -> Spans {
        Spans::new(records.into_iter().collect(), &[])
    }
}

impl SpanRecord {
    /// A good span that counts once, in a slice of a series, without a fingerprint.
    pub fn new(series: SeriesId, slice: Slice, duration: Duration) -> SpanRecord {
        SpanRecord {
            fingerprint: 0,
            end_seconds: u32::try_from(slice.end_seconds()).unwrap_or_default(),
            series,
            slice,
            nanos: u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX),
            weight: Weight::One,
            bad: false,
            clamped: false,
            overflowed: false,
        }
    }

    fn item(&self) -> Item {
        Item {
            series: self.series,
            slice: self.slice,
            bin: index_of(self.nanos / 1000),
            unweighted: self.weight == Weight::Unknown,
            nanos: self.nanos,
            spans: self.weight.spans(),
        }
    }
}

impl Decoded {
    /// Takes out of the counts every span whose verdict is not [`Verdict::Fresh`], and moves it to
    /// its class. `verdicts` are of [`Spans::records`], in their order.
    pub fn settle(&mut self, verdicts: &[Verdict]) {
        if verdicts.iter().all(|verdict| *verdict == Verdict::Fresh) {
            return;
        }
        for (record, verdict) in self.spans.records.iter().zip(verdicts) {
            let classes = &mut self.classes;
            match verdict {
                Verdict::Fresh => continue,
                Verdict::Duplicate => classes.duplicate.note(record.bad),
                Verdict::Late => {
                    classes.late.note(record.bad);
                    self.problems
                        .note("span too old to tell from one counted before", String::new);
                }
            }
            classes.uncount(record);
        }
        let mut verdicts = verdicts.iter();
        let fresh = |_: &SpanRecord| verdicts.next() == Some(&Verdict::Fresh);
        self.spans.records.retain(fresh);
    }
}

impl Classes {
    fn uncount(&mut self, record: &SpanRecord) {
        self.counted.unnote(record.bad);
        if record.clamped {
            self.clamped.unnote(record.bad);
        }
        if record.overflowed {
            self.overflowed.unnote(false);
        }
        if record.weight == Weight::Unknown {
            self.unweighted.unnote(record.bad);
        }
    }
}

impl Class {
    fn unnote(&mut self, bad: bool) {
        self.total -= 1;
        self.bad -= u64::from(bad);
    }
}

/// The longest duration in nanoseconds within a bound in milliseconds; −1 if there is none.
///
/// Decimal fractions of a millisecond are meant as they are written: 0.3 ms is 300 000 ns although
/// no double is 0.3.
fn longest_held(bound: Bound) -> i64 {
    let nanos = bound.value() * 1e6;
    let rounded = nanos.round();
    let whole = (nanos - rounded).abs() <= nanos.abs() * 1e-12;
    let longest = match (whole, bound.is_inclusive()) {
        (true, true) => rounded,
        (true, false) => rounded - 1.0,
        (false, _) => nanos.floor(),
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates: beyond, everything is held"
    )]
    let longest = longest.max(-1.0) as i64;
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_durations_to_the_nanosecond() {
        for (case, bound, inclusive, longest) in [
            ("lte 250 ms", 250.0, true, 250_000_000),
            ("lt 250 ms", 250.0, false, 249_999_999),
            ("lte a decimal fraction", 0.3, true, 300_000),
            ("lt a decimal fraction", 0.3, false, 299_999),
            ("between two nanoseconds", 0.000_000_5, true, 0),
            ("lt nothing", 0.0, false, -1),
            ("negative", -5.0, true, -1),
            ("endless", f64::INFINITY, true, i64::MAX),
        ] {
            assert_eq!(
                longest_held(Bound::new(bound, inclusive)),
                longest,
                "{case}"
            );
        }
    }
}
