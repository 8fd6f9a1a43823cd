//! Metric points as decoded: still to be made counts by [`Streams`](crate::Streams), in commit
//! order.

use std::sync::Arc;

use crate::measure::Reading;
use crate::measured::{Bound, Scale};
use crate::series::SeriesId;

/// Identifies one stream of points: resource, scope, metric and the point's attributes. From
/// BLAKE3, so that it is the same on every node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

impl StreamId {
    /// The id of the stream with this encoded identity.
    pub(crate) fn of(identity: &[u8]) -> StreamId {
        StreamId(SeriesId::of(identity).0)
    }
}

/// One metric point that may count.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The stream whose earlier points decide what this one adds.
    pub stream: StreamId,
    /// The series that takes what it adds.
    pub series: SeriesId,
    /// Of a point that is read in another way: the stream of the point as it was sent.
    pub(crate) beside: Option<StreamId>,
    pub(crate) start_nanos: u64,
    pub(crate) time_nanos: u64,
    /// The earliest and latest time that what it adds may be counted at.
    pub(crate) window: (u64, u64),
    pub(crate) value: PointValue,
    pub(crate) reading: Arc<Scheme>,
}

/// What is to be read off the values of a metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scheme {
    /// The metric's name, for messages.
    pub(crate) metric: Arc<str>,
    /// The other way in which it is read. Such a point is one that counts already, once more: it
    /// has no class of its own.
    pub(crate) other: Option<Reading>,
    pub(crate) scale: Scale,
    /// Declared bounds, sorted and unique.
    pub(crate) bounds: Arc<[Bound]>,
}

/// The value of a point.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PointValue {
    /// What a sum was or grew by.
    Sum(Temporality, Number),
    /// One observation.
    Level(f64),
    /// A running total that was sent as a level: it does not say when it started.
    Total(Number),
    /// What a distribution was or grew by.
    Buckets(Temporality, Buckets),
}

impl PointValue {
    /// Bytes that it occupies beside itself: a filled bucket takes 16, and may be a single one in its request.
    pub(crate) fn held_bytes(&self) -> usize {
        match self {
            PointValue::Buckets(_, buckets) => buckets.counts.capacity() * size_of::<(i64, u64)>(),
            PointValue::Sum(..) | PointValue::Level(_) | PointValue::Total(_) => 0,
        }
    }
}

/// Whether a value is since the stream's start or since the last point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temporality {
    Delta,
    Cumulative,
}

/// A number as it was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Double(f64),
}

/// Counts by buckets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Buckets {
    pub(crate) layout: Layout,
    /// Bucket number and count, sorted, no zeros. Exponential: see [`Layout::Exponential`].
    pub(crate) counts: Vec<(i64, u64)>,
    /// Lowest and highest value, where the sender says.
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
}

/// What the bucket numbers mean.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Layout {
    /// Bucket `i` holds `(bounds[i − 1], bounds[i]]`.
    Explicit(Arc<[f64]>),
    /// Number 0 holds `[−zero_threshold, zero_threshold]`; `i + POSITIVE` holds `(base^i,
    /// base^(i+1)]` with `base = 2^(2^−scale)`, and `−(i + POSITIVE)` the same below zero. Numbers
    /// rise with the values.
    Exponential { scale: i32, zero_threshold: f64 },
}

impl Layout {
    /// Whether it is the same one.
    pub(crate) fn is(&self, other: &Layout) -> bool {
        match (self, other) {
            (Layout::Explicit(one), Layout::Explicit(other)) if Arc::ptr_eq(one, other) => true,
            _ => self == other,
        }
    }
}

/// Puts every index of 32 bits above zero.
pub(crate) const POSITIVE: i64 = 1 << 32;
