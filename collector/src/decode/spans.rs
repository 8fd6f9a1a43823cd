//! Spans become counts: one check of each, one account per series and slice.

use std::borrow::Cow;
use std::sync::Arc;

use crate::decode::attributes::kept;
use crate::decode::fold::{Fold, Timing, UNREADABLE};
use crate::decode::sampling::Sampling;
use crate::delta::Entry;
use crate::histogram::{HIGHEST_US, SparseHistogram, index_of};
use crate::measure::{Subject, Threshold};
use crate::measured::{Bound, Measured, Range, Scale, Steps};
use crate::recount::SpanRecord;
use crate::series::{KeyHead, SeriesId, Signal, SpanKind, SpanStatus};
use crate::slice::Slice;

/// A span as far as it is looked at; its dimensions are in the fold's own slots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) kind: SpanKind,
    pub(crate) status: SpanStatus,
    pub(crate) start_nanos: u64,
    pub(crate) end_nanos: u64,
    pub(crate) trace: SentId,
    pub(crate) id: SentId,
    pub(crate) sampling: Sampling,
    /// A field was broken or had a value of the wrong type.
    pub(crate) mistaken: bool,
}

/// A trace or span id as a number; 0 if it is absent or not usable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SentId(u128);

/// The counts of the request under way, by position of series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Accounts {
    bounds: Arc<[Bound]>,
    /// For each bound, the longest duration in nanoseconds that it holds; −1 if none.
    longest: Arc<[i64]>,
    by_series: Vec<Vec<Account>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Account {
    slice: Slice,
    count: u64,
    /// Spans whose shortest holding bound is this one; the last entry is for those that none holds.
    first_held: Vec<u64>,
    bins: Vec<u16>,
    /// Bins of spans that stand for several, each with its weight.
    weighted: Vec<(u16, u64)>,
    clamped: u64,
    /// Spans were sampled, but not known by how much.
    unweighted: bool,
}

/// How many spans one stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    One,
    Many(u64),
    /// Counted once, although it stands for more.
    Unknown,
}

/// What a series measured in a slice.
#[derive(Debug)]
pub(crate) struct Accounted {
    pub(crate) entry: Entry,
    /// Spans that arrived, whatever they stand for.
    pub(crate) spans: u64,
    pub(crate) unweighted: bool,
}

impl SentId {
    /// An id of `length` bytes (at most 16) that are not all zero.
    pub(crate) fn of(id: &[u8], length: usize) -> SentId {
        if id.len() != length {
            return SentId(0);
        }
        let mut bytes = [0; 16];
        bytes[16 - length..].copy_from_slice(id);
        SentId(u128::from_be_bytes(bytes))
    }

    /// An id of `length` bytes in hexadecimal, in either case.
    pub(crate) fn of_hex(id: &str, length: usize) -> SentId {
        let digits = id.bytes().all(|digit| digit.is_ascii_hexdigit());
        if id.len() != 2 * length || !digits {
            return SentId(0);
        }
        SentId(u128::from_str_radix(id, 16).unwrap_or_default())
    }

    pub(crate) fn number(self) -> u128 {
        self.0
    }
}

/// A sender whose clock is further ahead is told: what is nearer is within what clocks kept by NTP
/// differ.
const TELLING_AHEAD_NANOS: u64 = 1_000_000_000;

impl Fold<'_> {
    /// Counts one span, or rejects it by name.
    pub(crate) fn span(&mut self, span: &Span<'_>) {
        let bad = span.status == SpanStatus::Error;
        self.classes.received.note(bad);
        if let Some(fault) = span.fault() {
            self.classes.invalid.note(bad);
            let service = &self.resource.service;
            self.problems
                .note(fault, || format!("span `{}` of `{service}`", span.name));
            return;
        }
        let timing = self.saw_event(span.end_nanos);
        self.resource
            .skew
            .note(self.clock.now, span.end_nanos, timing);
        let counted_at = match timing {
            Timing::Due => span.end_nanos,
            Timing::Ahead => {
                self.classes.clamped.note(bad);
                if span.end_nanos - self.clock.now > TELLING_AHEAD_NANOS {
                    self.note_timing("span ends ahead of our clock and is taken as now", span);
                }
                self.clock.now
            }
            Timing::Late => {
                self.classes.late.note(bad);
                return self.note_timing("span ended too long ago", span);
            }
            Timing::Future => {
                self.classes.future.note(bad);
                return self.note_timing("span ends in the future", span);
            }
        };
        self.classes.counted.note(bad);
        self.build_span_key(span);
        let position = self.interning.position(&self.key);
        let slice = Slice::containing(counted_at);
        let nanos = span.end_nanos - span.start_nanos;
        let weight = match span.sampling {
            Sampling::Unsaid => Weight::One,
            Sampling::Kept(_) => Weight::Many(span.weight()),
            Sampling::Unknown => {
                self.note_unweighted(span, bad);
                Weight::Unknown
            }
        };
        self.accounts.add(position, slice, nanos, weight);
        if let Some(key) = &self.measure.fingerprints {
            self.spans.push(SpanRecord {
                fingerprint: key.fingerprint(span),
                end_seconds: u32::try_from(span.end_nanos / 1_000_000_000).unwrap_or(u32::MAX),
                slice,
                series: SeriesId(position as u64),
                nanos,
                weight,
                bad,
                clamped: counted_at != span.end_nanos,
                overflowed: false,
            });
        }
    }

    fn note_unweighted(&mut self, span: &Span<'_>, bad: bool) {
        self.classes.unweighted.note(bad);
        let service = &self.resource.service;
        self.problems
            .note("sampled without a weight, so counted once", || {
                format!("span `{}` of `{service}`", span.name)
            });
    }

    fn build_span_key(&mut self, span: &Span<'_>) {
        self.key.clear();
        let head = KeyHead {
            signal: Signal::Spans,
            overflow: false,
            kind: span.kind,
            status: span.status,
            service: &self.resource.service,
            name: kept(&span.name, self.measure.limits.max_value_bytes),
            unit: "",
        };
        head.encode_into(&mut self.key);
        self.put_dimensions();
    }

    fn note_timing(&mut self, kind: &'static str, span: &Span<'_>) {
        let (now, service) = (self.clock.now, &self.resource.service);
        let instance = self.resource.instance();
        self.problems.note(kind, || {
            let seconds = span.end_nanos.abs_diff(now) / 1_000_000_000;
            let on = match instance {
                "" => String::new(),
                instance => format!(" on `{instance}`"),
            };
            format!("span `{}` of `{service}`{on}, by {seconds} s", span.name)
        });
    }
}

impl Span<'_> {
    /// How many spans this one stands for.
    fn weight(&self) -> u64 {
        self.sampling.weight(self.trace.number(), self.id.number())
    }

    fn fault(&self) -> Option<&'static str> {
        if self.mistaken {
            Some(UNREADABLE)
        } else if self.trace == SentId(0) {
            Some("invalid trace id")
        } else if self.id == SentId(0) {
            Some("invalid span id")
        } else if self.end_nanos == 0 {
            Some("no end time")
        } else if self.start_nanos == 0 {
            Some("no start time")
        } else if self.end_nanos < self.start_nanos {
            Some("end before start")
        } else {
            None
        }
    }
}

impl Accounts {
    pub(crate) fn new(thresholds: &[Threshold]) -> Accounts {
        let of_spans = thresholds
            .iter()
            .filter(|threshold| threshold.subject == Subject::Spans);
        let bounds = of_spans
            .filter(|threshold| !threshold.bound.is_nan())
            .map(|threshold| Bound::new(threshold.bound, threshold.inclusive));
        let mut bounds: Vec<_> = bounds.collect();
        bounds.sort_unstable();
        bounds.dedup();
        let longest = bounds.iter().map(|bound| longest_held(*bound)).collect();
        Accounts {
            bounds: bounds.into(),
            longest,
            by_series: Vec::new(),
        }
    }

    /// No counts yet, for spans at the same bounds.
    pub(crate) fn emptied(&self) -> Accounts {
        Accounts {
            bounds: Arc::clone(&self.bounds),
            longest: Arc::clone(&self.longest),
            by_series: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, position: usize, slice: Slice, nanos: u64, weight: Weight) {
        if position >= self.by_series.len() {
            self.by_series.resize_with(position + 1, Vec::new);
        }
        let accounts = &mut self.by_series[position];
        let at = accounts.iter().rposition(|account| account.slice == slice);
        let at = at.unwrap_or_else(|| {
            let first_held = vec![0; self.longest.len() + 1];
            accounts.push(Account {
                slice,
                count: 0,
                first_held,
                bins: Vec::new(),
                weighted: Vec::new(),
                clamped: 0,
                unweighted: false,
            });
            accounts.len() - 1
        });
        let account = &mut accounts[at];
        let duration = i64::try_from(nanos).unwrap_or(i64::MAX);
        let first_held = self.longest.partition_point(|longest| *longest < duration);
        let micros = nanos / 1000;
        let spans = if let Weight::Many(spans) = weight {
            account.weighted.push((index_of(micros), spans));
            spans
        } else {
            account.bins.push(index_of(micros));
            account.unweighted |= weight == Weight::Unknown;
            1
        };
        account.first_held[first_held] += spans;
        account.count += spans;
        account.clamped += if micros > HIGHEST_US { spans } else { 0 };
    }

    /// What was measured by position of series; the ids of the series are still to be set.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Vec<Accounted>> {
        let bounds = Arc::clone(&self.bounds);
        std::mem::take(&mut self.by_series)
            .into_iter()
            .map(move |accounts| {
                accounts
                    .into_iter()
                    .map(|account| account.into_entry(&bounds))
                    .collect()
            })
    }
}

impl Account {
    fn into_entry(mut self, bounds: &Arc<[Bound]>) -> Accounted {
        let spans = (self.bins.len() + self.weighted.len()) as u64;
        let mut held = 0;
        let ranges = self.first_held.iter().take(bounds.len()).map(|count| {
            held += count;
            Range::exact(held)
        });
        let steps = Steps::new(Arc::clone(bounds), ranges.collect());
        let mut values = SparseHistogram::of_indices(&mut self.bins, self.clamped);
        for (index, spans) in self.weighted {
            values.add(index, spans);
        }
        let measured = Measured::of_values(self.count, Scale::Millis, steps, values);
        let entry = Entry {
            series: SeriesId::default(),
            slice: self.slice,
            measured,
        };
        Accounted {
            entry,
            spans,
            unweighted: self.unweighted,
        }
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
