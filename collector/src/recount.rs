//! Counting spans one by one: fingerprints that tell spans apart, and a request's counts again
//! without the spans that were counted before.

use std::fmt;

use crate::classes::{Class, Classes};
use crate::codec::first_eight;
use crate::decode::Decoded;
use crate::decode::spans::{Accounts, Span, Weight};
use crate::delta::{self, Entry};
use crate::series::SeriesId;
use crate::slice::Slice;

/// The secret that fingerprints are made with: who does not know it cannot make two spans look like
/// one.
#[derive(Clone, PartialEq)]
pub struct FingerprintKey([u8; 32]);

/// A counted span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanRecord {
    /// Of its trace id, span id and kind; never 0.
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

/// A request's counted spans, in the order sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spans {
    records: Vec<SpanRecord>,
    accounts: Option<Box<Accounts>>,
}

/// What some of a request's spans add: as in [`Decoded`].
#[derive(Debug, Default)]
struct Recounted {
    entries: Vec<Entry>,
    taken: Vec<(SeriesId, u64)>,
    unweighted: Vec<(SeriesId, Slice)>,
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

impl Spans {
    pub(crate) fn new(records: Vec<SpanRecord>, empty: Accounts) -> Spans {
        let accounts = (!records.is_empty()).then(|| Box::new(empty));
        Spans { records, accounts }
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

    /// What some of the spans add.
    fn recounted(&self, counts: impl Fn(usize) -> bool) -> Recounted {
        let mut recounted = Recounted::default();
        let Some(empty) = &self.accounts else {
            return recounted;
        };
        let counted = || {
            let all = self.records.iter().enumerate();
            all.filter(|(at, _)| counts(*at)).map(|(_, record)| record)
        };
        let mut series: Vec<SeriesId> = counted().map(|record| record.series).collect();
        series.sort_unstable();
        series.dedup();
        let mut accounts = empty.emptied();
        for record in counted() {
            let position = series.partition_point(|id| *id < record.series);
            accounts.add(position, record.slice, record.nanos, record.weight);
        }
        let mut entries = Vec::new();
        for (id, of_series) in series.iter().zip(accounts.take()) {
            for mut accounted in of_series {
                accounted.entry.series = *id;
                recounted.taken.push((*id, accounted.spans));
                if accounted.unweighted {
                    recounted.unweighted.push((*id, accounted.entry.slice));
                }
                entries.push(accounted.entry);
            }
        }
        // Part of what was one request's counts before cannot exceed 64 bits.
        recounted.entries = delta::merged(entries).unwrap_or_default();
        recounted
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
        let fresh = |at: usize| verdicts.get(at) == Some(&Verdict::Fresh);
        let recounted = self.spans.recounted(fresh);
        self.entries = recounted.entries;
        self.taken = recounted.taken;
        self.unweighted = recounted.unweighted;
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
