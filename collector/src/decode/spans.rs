//! Spans become records: one check of each.

use std::borrow::Cow;

use crate::codec::{put_bytes, put_varint};
use crate::counted::{SpanRecord, Weight};
use crate::decode::admission::Timing;
use crate::decode::attributes::kept;
use crate::decode::fold::{Fold, UNREADABLE};
use crate::decode::interning::Belongs;
use crate::decode::lossy;
use crate::decode::sampling::Sampling;
use crate::series::{KeyHead, PlaceHash, Signal, SpanKind, SpanStatus};
use crate::slice::Slice;

/// A span as far as it is looked at; its dimensions are in the fold's own slots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span<'a> {
    /// As it was sent: read only where it is not known already.
    pub(crate) name: Cow<'a, [u8]>,
    pub(crate) kind: SpanKind,
    pub(crate) status: SpanStatus,
    pub(crate) has_parent: bool,
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
                .note(fault, || format!("span `{}` of `{service}`", span.name()));
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
        let belongs = self.span_belongs(span);
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
        let fingerprint = self.measure.fingerprints.as_ref();
        self.spans.push(SpanRecord {
            fingerprint: fingerprint.map_or(0, |key| key.fingerprint(span)),
            end_seconds: u32::try_from(span.end_nanos / 1_000_000_000).unwrap_or(u32::MAX),
            slice,
            series: self.unsettled_spans.series(belongs, self.spans.len()),
            nanos,
            weight,
            bad,
            clamped: counted_at != span.end_nanos,
            overflowed: false,
        });
        self.span_trace(span, slice);
    }

    fn note_unweighted(&mut self, span: &Span<'_>, bad: bool) {
        self.classes.unweighted.note(bad);
        let service = &self.resource.service;
        self.problems
            .note("sampled without a weight, so counted once", || {
                format!("span `{}` of `{service}`", span.name())
            });
    }

    /// A hash of all that decides where a span belongs. `dimensions` are its attributes that are dimensions, each by its
    /// position and as it was sent.
    pub(crate) fn hash_of_span(
        &mut self,
        span: &Span<'_>,
        dimensions: &[(usize, &[u8])],
    ) -> PlaceHash {
        let surroundings = self.surroundings();
        let root = self.measure.roots && !span.has_parent;
        let deciding = &mut self.key;
        deciding.clear();
        deciding.extend_from_slice(&surroundings);
        deciding.extend_from_slice(&[span.kind.code(), span.status.code(), u8::from(root)]);
        put_bytes(deciding, &span.name);
        for (at, sent) in dimensions {
            put_varint(deciding, *at as u64);
            put_bytes(deciding, sent);
        }
        self.interning.known().span_hash(deciding)
    }

    /// Begins a span that was read before, but for its dimensions; whether one of the same hash came before, so that
    /// they need not be read.
    pub(crate) fn begin_span(&mut self, hash: PlaceHash) -> bool {
        self.forget_item();
        self.own.hash = Some(hash);
        self.own.series = self.interning.known().span_series(hash);
        self.own.series.is_some()
    }

    fn span_belongs(&mut self, span: &Span<'_>) -> Belongs {
        if let Some(series) = self.own.series {
            return Belongs::To(series);
        }
        self.build_span_key(span);
        let belongs = self.interning.find(&self.key);
        if let (Belongs::To(series), Some(hash)) = (belongs, self.own.hash) {
            self.interning.known().remember_span(hash, series);
        }
        belongs
    }

    fn build_span_key(&mut self, span: &Span<'_>) {
        self.key.clear();
        let name = span.name();
        let head = KeyHead {
            signal: Signal::Spans,
            overflow: false,
            kind: span.kind,
            status: span.status,
            root: self.measure.roots && !span.has_parent,
            service: &self.resource.service,
            name: kept(&name, self.measure.limits.max_value_bytes),
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
            format!("span `{}` of `{service}`{on}, by {seconds} s", span.name())
        });
    }
}

impl Span<'_> {
    fn name(&self) -> Cow<'_, str> {
        lossy(&self.name)
    }

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
