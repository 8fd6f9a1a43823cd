//! What a fold writes: all that was counted since the last one.

use std::collections::BTreeMap;
use std::sync::Arc;

use collector::{
    ExemplarSet, Ledger, Measured, Pack, SeriesId, SeriesKey, Signal, Slice, SpanKind, SpanStatus,
    StreamId,
};
use slo_specs::Fingerprint;

use super::{Live, StateBytes, Unweighted, sum};

/// One service's slice, gathered since the last cut.
#[derive(Debug, Default, Clone)]
pub(crate) struct Gathered {
    /// Requests the service served: spans of kind server and consumer.
    pub(crate) requests: u64,
    /// Those of them whose status is error.
    pub(crate) failed: u64,
    /// Every series.
    pub(crate) pack: Pack,
}

/// What a fold writes: everything applied up to and with a journal row, exactly.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    /// Number of the last journal row that is part of this.
    pub(crate) upto: i64,
    pub(crate) slices: BTreeMap<(Slice, Arc<str>), Gathered>,
    pub(crate) chunks: BTreeMap<(Fingerprint, i64), slo_specs::Chunk>,
    pub(crate) streams: BTreeMap<StreamId, StateBytes>,
    /// Traces worth a look.
    pub(crate) exemplars: ExemplarSet,
    pub(crate) classes: Ledger,
    /// Who was sampled without a weight.
    pub(crate) unweighted: Unweighted,
    /// The earliest slice end that changed and was not judged since.
    pub(crate) touched: Option<i64>,
    /// Metric streams that began before this are unknown by now: their first point is a base.
    pub(crate) observing_since_nanos: Option<u64>,
}

impl Cut {
    /// Adds a later cut, after a fold that failed.
    pub(crate) fn add(&mut self, later: Cut) {
        self.upto = later.upto;
        for (key, gathered) in later.slices {
            self.slices.entry(key).or_default().add(&gathered);
        }
        self.chunks.extend(later.chunks);
        self.streams.extend(later.streams);
        self.exemplars.merge(&later.exemplars);
        self.classes = later.classes;
        self.unweighted = later.unweighted;
        self.touched = self.touched.into_iter().chain(later.touched).min();
        self.observing_since_nanos = later.observing_since_nanos.or(self.observing_since_nanos);
    }
}

impl Gathered {
    /// Adds what a series measured that is not here yet.
    fn take(&mut self, series: SeriesId, key: &SeriesKey, measured: Measured) {
        let serves = matches!(key.kind, SpanKind::Server | SpanKind::Consumer);
        if key.signal == Signal::Spans && serves {
            self.requests += measured.count();
            if key.status == SpanStatus::Error {
                self.failed += measured.count();
            }
        }
        self.pack.series.insert(series, measured);
    }

    pub(crate) fn add(&mut self, other: &Gathered) {
        self.requests += other.requests;
        self.failed += other.failed;
        sum(self.pack.merge(&other.pack), "a slice");
    }
}

impl Live {
    /// Takes what was counted since the last cut. `now` seals and drops what is old.
    pub(crate) fn cut(&mut self, now: i64) -> Cut {
        let slices = self.take_pending();
        for ((slice, _), gathered) in &slices {
            self.record_latencies(None, slice.end_seconds(), 10, &gathered.pack);
        }
        let reaches = self.reaches();
        for (fingerprint, latency) in &mut self.latencies {
            let reach = reaches.get(fingerprint).copied().unwrap_or_default();
            latency.advance(now, reach);
        }
        let mut chunks = BTreeMap::new();
        for (fingerprint, timeline) in &mut self.timelines {
            timeline.advance_but(now, |hour_end| {
                self.accounts.split_hour(*fingerprint, hour_end)
            });
            for chunk in timeline.take_dirty() {
                chunks.insert((*fingerprint, chunk.hour_end), chunk);
            }
        }
        self.accounts.note_up(now);
        self.derive(now);
        for (fingerprint, timeline) in self.accounts.timelines_mut() {
            timeline.advance(now);
            for chunk in timeline.take_dirty() {
                chunks.insert((fingerprint, chunk.hour_end), chunk);
            }
        }
        Cut {
            upto: self.applied,
            slices,
            chunks,
            streams: std::mem::take(&mut self.streams).into_iter().collect(),
            exemplars: std::mem::take(&mut self.exemplars),
            classes: self.classes,
            unweighted: self.unweighted.clone(),
            touched: self.touched.values().copied().min(),
            observing_since_nanos: self.observing_since_nanos.take(),
        }
    }

    /// What is pending, by slice and service.
    fn take_pending(&mut self) -> BTreeMap<(Slice, Arc<str>), Gathered> {
        let mut slices: BTreeMap<(Slice, Arc<str>), Gathered> = BTreeMap::new();
        for ((slice, series), measured) in std::mem::take(&mut self.pending) {
            if let Some(key) = self.known.get(series) {
                let place = (slice, Arc::clone(&key.service));
                slices
                    .entry(place)
                    .or_default()
                    .take(series, &key, measured);
            }
        }
        slices
    }
}
