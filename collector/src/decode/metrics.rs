//! Metric points: one check of each, so that what is handed on can count.

mod others;
mod values;

use std::sync::Arc;

use crate::codec::put_bytes;
use crate::decode::RequestError;
use crate::decode::admission::Timing;
use crate::decode::attributes::kept;
use crate::decode::exemplars::SentExemplar;
use crate::decode::fold::{Fold, UNREADABLE};
use crate::decode::identity::MAX_VALUE_BYTES as MAX_IDENTIFYING_BYTES;
use crate::decode::interning::Belongs;
use crate::measure::{Reading, Subject};
use crate::measured::{Bound, Scale};
use crate::point::{Filled, KeptPoint, Layout, Number, PointValue, Scheme, StreamId, Temporality};
use crate::series::{KeyHead, PlaceHash, PointPlace, Signal, SpanKind, SpanStatus};

pub(crate) use values::{MAX_BUCKETS, SentExponential, SentHistogram, SentValue};

/// The flag of points without a value: a stream's end, not a zero.
const NO_RECORDED_VALUE: u64 = 1;

/// What a metric's points are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Data {
    #[default]
    Absent,
    Gauge,
    Sum {
        temporality: Option<Temporality>,
        monotonic: bool,
    },
    Histogram(Option<Temporality>),
    Exponential(Option<Temporality>),
    Summary,
}

/// A point as it was sent; its attributes are in the fold.
#[derive(Clone, Debug, Default)]
pub(crate) struct SentPoint {
    pub(crate) start_nanos: u64,
    pub(crate) time_nanos: u64,
    pub(crate) flags: u64,
    pub(crate) value: SentValue,
    pub(crate) exemplars: Vec<SentExemplar>,
    /// A field was broken or had a value of the wrong type.
    pub(crate) mistaken: bool,
}

/// The metric whose points are under way.
#[derive(Debug, Default)]
pub(crate) struct Metric {
    pub(crate) data: Data,
    unit: String,
    /// Hash of all that tells the metric's streams from others': resource, scope, name, unit, type.
    identity: [u8; 32],
    declared: Vec<Bound>,
    reading: Arc<Scheme>,
    /// The other ways in which it is read.
    others: Vec<Arc<Scheme>>,
}

/// Why a point is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Invalid(&'static str),
    Unsupported(&'static str),
}

impl Data {
    fn signal(self) -> Signal {
        match self {
            Data::Sum {
                monotonic: true, ..
            } => Signal::Sum,
            Data::Histogram(_) | Data::Exponential(_) => Signal::Distribution,
            Data::Sum {
                monotonic: false, ..
            }
            | Data::Gauge
            | Data::Summary
            | Data::Absent => Signal::Gauge,
        }
    }

    /// Why points of this kind are not measured, if they are not.
    fn unsupported(self) -> Option<&'static str> {
        match self {
            Data::Absent => Some("metric without data"),
            Data::Summary => Some("summaries are not measured"),
            Data::Sum {
                temporality: Some(Temporality::Delta),
                monotonic: false,
            } => Some("delta sums that may fall are not measured"),
            Data::Gauge | Data::Sum { .. } | Data::Histogram(_) | Data::Exponential(_) => None,
        }
    }

    /// Tells the types of streams apart. Temporality is no part of it: a stream that mixes both is
    /// one stream.
    fn code(self) -> u8 {
        match self {
            Data::Absent => 0,
            Data::Gauge => 1,
            Data::Sum {
                monotonic: true, ..
            } => 2,
            Data::Sum {
                monotonic: false, ..
            } => 3,
            Data::Histogram(_) => 4,
            Data::Exponential(_) => 5,
            Data::Summary => 6,
        }
    }
}

impl Fold<'_> {
    /// Begins a metric; its points follow.
    pub(crate) fn begin_metric(
        &mut self,
        name: &str,
        unit: &str,
        data: Data,
    ) -> Result<(), RequestError> {
        self.budget.container()?;
        self.key.clear();
        self.resource.identity.put_into(&mut self.key);
        self.scope.identity.put_into(&mut self.key);
        for text in [&*self.scope.name, &*self.scope.version, name, unit] {
            put_bytes(&mut self.key, text.as_bytes());
        }
        self.key.push(data.code());
        let about = |threshold: &&crate::Threshold| match &threshold.subject {
            Subject::Metric(metric) => metric == name && !threshold.bound.is_nan(),
            Subject::Spans | Subject::Age(_) => false,
        };
        let declared = self.measure.thresholds.iter().filter(about);
        let declared = declared.map(|threshold| Bound::new(threshold.bound, threshold.inclusive));
        self.metric = Metric {
            data,
            unit: kept(unit, self.measure.limits.max_value_bytes).to_owned(),
            identity: *blake3::hash(&self.key).as_bytes(),
            declared: declared.collect(),
            reading: Arc::new(Scheme {
                other: None,
                metric: kept(name, self.measure.limits.max_value_bytes).into(),
                scale: Scale::of_unit(unit),
                layout: Layout::default(),
                bounds: Arc::default(),
            }),
            others: others::schemes(self.measure, name),
        };
        self.metric.read_at(Arc::default());
        Ok(())
    }

    /// Hands one point on, or rejects it by name.
    pub(crate) fn point(&mut self, sent: &SentPoint) {
        self.classes.received.note(false);
        if let Some(reason) = self.metric.data.unsupported() {
            return self.reject_point(Fault::Unsupported(reason));
        }
        if sent.flags & NO_RECORDED_VALUE != 0 {
            self.classes.counted.note(false);
            return;
        }
        if let Err(fault) = sent.check() {
            return self.reject_point(fault);
        }
        let value = match self.metric.value(sent, &mut self.points) {
            Ok(value) => value,
            Err(fault) => return self.reject_point(fault),
        };
        match self.saw_event(sent.time_nanos) {
            Timing::Due => {}
            Timing::Ahead => self.classes.clamped.note(false),
            Timing::Late => {
                self.classes.late.note(false);
                self.note_point("point is too old");
                return self.points.unfill(&value);
            }
            Timing::Future => {
                self.classes.future.note(false);
                self.note_point("point is in the future");
                return self.points.unfill(&value);
            }
        }
        self.point_traces(sent);
        if !self.metric.others.is_empty() {
            self.read_otherwise(sent, &value);
        }
        let scheme = self.points.scheme(&self.metric.reading);
        self.hand_on(sent, value, None, scheme);
    }

    /// Hands a point on, as it was sent or as it is read otherwise.
    fn hand_on(
        &mut self,
        sent: &SentPoint,
        value: PointValue<Filled>,
        other: Option<Reading>,
        scheme: usize,
    ) {
        let (stream, belongs) = self.place(other);
        let beside = other.map(|_| self.stream_id(None));
        // A gauge has no start, whatever it says.
        let start_nanos = match other {
            Some(Reading::Amount) => 0,
            _ => sent.start_nanos,
        };
        let point = KeptPoint {
            stream,
            series: self.unsettled_points.series(belongs, self.points.len()),
            beside,
            start_nanos,
            time_nanos: sent.time_nanos,
            value,
            scheme,
        };
        let window = (self.clock.earliest, self.clock.now);
        self.points.push(point, window);
    }

    /// The stream of the point at hand, and where it belongs.
    fn place(&mut self, other: Option<Reading>) -> (StreamId, Belongs) {
        if let (Some(place), None) = (self.own.place, other) {
            return (place.stream, Belongs::To(place.series));
        }
        let signal = other.map(Signal::Read);
        let signal = signal.unwrap_or_else(|| self.metric.data.signal());
        let (stream, belongs) = (self.stream_id(other), self.point_belongs(signal));
        if let (None, Belongs::To(series)) = (other, belongs)
            && let Some(hash) = self.own.hash
        {
            let place = PointPlace { stream, series };
            self.interning.known().remember_point(hash, place);
        }
        (stream, belongs)
    }

    /// A hash of all that decides where a point of this metric with these attributes belongs; none if that is not
    /// remembered.
    pub(crate) fn hash_of_point(&mut self, attributes: &[&[u8]]) -> Option<PlaceHash> {
        // Other readings have streams and series of their own; longer values tell series apart, but not streams.
        if !self.metric.others.is_empty()
            || self.measure.limits.max_value_bytes > MAX_IDENTIFYING_BYTES
        {
            return None;
        }
        let deciding = &mut self.key;
        deciding.clear();
        deciding.extend_from_slice(&self.metric.identity);
        deciding.extend_from_slice(&self.splitting);
        for attribute in attributes {
            put_bytes(deciding, attribute);
        }
        Some(self.interning.known().point_hash(deciding))
    }

    /// Where a point belongs, if one of the same hash came before: then its attributes need not be read.
    pub(crate) fn place_of(&self, hash: PlaceHash) -> Option<PointPlace> {
        self.interning.known().point_place(hash)
    }

    /// Begins a point that was read before, but for its attributes.
    pub(crate) fn begin_point(&mut self, hash: Option<PlaceHash>, place: Option<PointPlace>) {
        self.forget_item();
        (self.own.hash, self.own.place) = (hash, place);
    }

    fn stream_id(&mut self, other: Option<Reading>) -> StreamId {
        self.key.clear();
        self.key.extend_from_slice(&self.metric.identity);
        self.own.identity.put_into(&mut self.key);
        if let Some(other) = other {
            self.key.push(Signal::Read(other).code());
        }
        StreamId::of(&self.key)
    }

    fn point_belongs(&mut self, signal: Signal) -> Belongs {
        self.key.clear();
        let head = KeyHead {
            signal,
            overflow: false,
            kind: SpanKind::Unspecified,
            status: SpanStatus::Unset,
            root: false,
            service: &self.resource.service,
            name: &self.metric.reading.metric,
            unit: &self.metric.unit,
        };
        head.encode_into(&mut self.key);
        self.put_dimensions();
        self.interning.find(&self.key)
    }

    fn reject_point(&mut self, fault: Fault) {
        match fault {
            Fault::Invalid(reason) => {
                self.classes.invalid.note(false);
                self.note_point(reason);
            }
            Fault::Unsupported(reason) => {
                self.classes.unsupported.note(false);
                self.note_point(reason);
            }
        }
    }

    fn note_point(&mut self, reason: &'static str) {
        let (metric, service) = (&self.metric.reading.metric, &self.resource.service);
        self.problems
            .note(reason, || format!("metric `{metric}` of `{service}`"));
    }
}

impl Metric {
    /// Reads points at these explicit bounds as well from here on.
    pub(crate) fn read_at(&mut self, layout: Arc<[f64]>) {
        let explicit = layout.iter().map(|bound| Bound::new(*bound, true));
        let mut bounds: Vec<_> = self.declared.iter().copied().chain(explicit).collect();
        bounds.sort_unstable();
        bounds.dedup();
        self.reading = Arc::new(Scheme {
            bounds: bounds.into(),
            layout: Layout::Explicit(layout),
            ..(*self.reading).clone()
        });
    }
}

impl SentPoint {
    /// Forgets the point, but for the buffers that the next one may use.
    pub(crate) fn clear(&mut self) {
        let buffers = match std::mem::take(&mut self.value) {
            value @ SentValue::Histogram(_) => value,
            SentValue::Absent | SentValue::Number(_) | SentValue::Exponential(_) => {
                SentValue::Absent
            }
        };
        self.exemplars.clear();
        *self = SentPoint {
            exemplars: std::mem::take(&mut self.exemplars),
            value: buffers,
            ..SentPoint::default()
        };
    }

    /// An empty histogram, in the buffers of the one before.
    pub(crate) fn empty_histogram(&mut self) -> SentHistogram {
        match std::mem::take(&mut self.value) {
            SentValue::Histogram(mut sent) => {
                sent.bucket_counts.clear();
                sent.bounds.clear();
                SentHistogram {
                    bucket_counts: sent.bucket_counts,
                    bounds: sent.bounds,
                    ..SentHistogram::default()
                }
            }
            SentValue::Absent | SentValue::Number(_) | SentValue::Exponential(_) => {
                SentHistogram::default()
            }
        }
    }

    fn check(&self) -> Result<(), Fault> {
        if self.mistaken {
            Err(Fault::Invalid(UNREADABLE))
        } else if self.time_nanos == 0 {
            Err(Fault::Invalid("point without a time"))
        } else if self.start_nanos > self.time_nanos {
            Err(Fault::Invalid("point starts after its time"))
        } else {
            Ok(())
        }
    }
}

/// What a point has to say about its temporality.
pub(crate) fn temporality(number: u64) -> Option<Temporality> {
    match number {
        1 => Some(Temporality::Delta),
        2 => Some(Temporality::Cumulative),
        _ => None,
    }
}

impl Number {
    /// The value as a double; whole numbers beyond 2⁵³ lose their last digits.
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "levels are measured, not counted"
            )]
            Number::Int(value) => value as f64,
            Number::Double(value) => value,
        }
    }
}
