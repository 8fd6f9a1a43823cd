//! Traces that are kept of a request, by resource.

use std::sync::Arc;

use crate::decode::fold::Fold;
use crate::decode::metrics::SentPoint;
use crate::decode::spans::{SentId, Span};
use crate::exemplar::{Exemplar, Exemplars, Why};
use crate::series::{SpanKind, SpanStatus};
use crate::slice::Slice;

/// Slices of one resource that traces are kept of; a resource's spans of one request are in one or two.
const MOST_SLICES: usize = 8;

/// Exemplars of one point that are looked at.
pub(crate) const MOST_OF_POINT: usize = 8;

/// An exemplar of a point as it was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SentExemplar {
    pub(crate) trace: SentId,
    pub(crate) time_nanos: u64,
}

/// Exemplars of the resource under way.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    by_slice: Vec<(Slice, Exemplars)>,
}

impl Traces {
    fn note(&mut self, slice: Slice, one: Exemplar) {
        let at = self.by_slice.iter().rposition(|known| known.0 == slice);
        if let Some(at) = at {
            self.by_slice[at].1.note(one);
        } else if self.by_slice.len() < MOST_SLICES {
            let mut exemplars = Exemplars::default();
            exemplars.note(one);
            self.by_slice.push((slice, exemplars));
        }
    }
}

impl Fold<'_> {
    /// Notes the trace of a span that counts in this slice.
    pub(crate) fn span_trace(&mut self, span: &Span<'_>, slice: Slice) {
        // What a service asked others for is theirs.
        if matches!(span.kind, SpanKind::Server | SpanKind::Consumer) {
            let one = Exemplar {
                why: if span.status == SpanStatus::Error {
                    Why::Failed
                } else {
                    Why::Slow
                },
                trace: span.trace.number(),
                nanos: span.end_nanos - span.start_nanos,
            };
            self.resource.traces.note(slice, one);
        }
    }

    /// Notes the traces that a usable point names.
    pub(crate) fn point_traces(&mut self, point: &SentPoint) {
        for sent in &point.exemplars {
            // A running total names a trace again and again: it belongs to its own time.
            let time = match sent.time_nanos {
                0 => point.time_nanos,
                time => time,
            };
            let slice = Slice::containing(time.min(self.clock.now));
            if sent.trace != SentId::default() && time >= self.clock.earliest {
                let one = Exemplar {
                    why: Why::Point,
                    trace: sent.trace.number(),
                    nanos: 0,
                };
                self.resource.traces.note(slice, one);
            }
        }
    }

    /// The resource under way ends.
    pub(crate) fn end_traces(&mut self) {
        let by_slice = &mut self.resource.traces.by_slice;
        if !by_slice.is_empty() {
            let service = Arc::from(self.resource.service.as_str());
            for (slice, exemplars) in by_slice.drain(..) {
                self.exemplars.add(slice, &service, &exemplars);
            }
        }
    }
}
