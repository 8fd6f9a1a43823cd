//! Metric points as decoded: still to be made counts by [`Streams`](crate::Streams), in commit
//! order.

use std::borrow::Cow;
use std::sync::Arc;

use crate::measure::Reading;
use crate::measured::{Bound, Scale};
use crate::series::SeriesId;

/// Schemes that a point's own is looked for among: a metric is read in this many ways at most.
const LATEST_SCHEMES: usize = 8;

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

/// One request's metric points that may count. What they have beside themselves is kept for all of them together: so a
/// point takes no allocation, and shares nothing that has to be counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Points {
    /// The earliest and latest time that what they add may be counted at.
    window: (u64, u64),
    kept: Vec<KeptPoint>,
    /// How the points' metrics are read.
    schemes: Vec<Arc<Scheme>>,
    /// Buckets of all distributions: number and count.
    counts: Vec<(i64, u64)>,
}

/// A [`Point`] as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeptPoint {
    pub(crate) stream: StreamId,
    pub(crate) series: SeriesId,
    pub(crate) beside: Option<StreamId>,
    pub(crate) start_nanos: u64,
    pub(crate) time_nanos: u64,
    pub(crate) value: PointValue<Filled>,
    /// Where among the schemes its own stands.
    pub(crate) scheme: usize,
}

/// A distribution as it is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Filled {
    /// Where its buckets stand among those of all.
    first: usize,
    end: usize,
    /// Scale and zero threshold; none if its layout is that of the point's scheme.
    exponential: Option<(i32, f64)>,
    min: Option<f64>,
    max: Option<f64>,
}

/// One metric point that may count.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<'p> {
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
    pub(crate) value: PointValue<Buckets<'p>>,
    pub(crate) reading: &'p Scheme,
}

impl Points {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The points in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = Point<'_>> {
        self.kept.iter().map(|kept| Point {
            stream: kept.stream,
            series: kept.series,
            beside: kept.beside,
            start_nanos: kept.start_nanos,
            time_nanos: kept.time_nanos,
            window: self.window,
            value: self.value(kept),
            reading: &self.schemes[kept.scheme],
        })
    }

    #[inline]
    fn value(&self, kept: &KeptPoint) -> PointValue<Buckets<'_>> {
        match kept.value {
            PointValue::Sum(temporality, number) => PointValue::Sum(temporality, number),
            PointValue::Level(value) => PointValue::Level(value),
            PointValue::Total(number) => PointValue::Total(number),
            PointValue::Buckets(temporality, filled) => {
                let layout = match filled.exponential {
                    None => Cow::Borrowed(&self.schemes[kept.scheme].layout),
                    Some((scale, zero_threshold)) => Cow::Owned(Layout::Exponential {
                        scale,
                        zero_threshold,
                    }),
                };
                let buckets = Buckets {
                    layout,
                    counts: Cow::Borrowed(&self.counts[filled.first..filled.end]),
                    min: filled.min,
                    max: filled.max,
                };
                PointValue::Buckets(temporality, buckets)
            }
        }
    }

    /// Their streams, in the order sent.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &StreamId> {
        self.kept.iter().map(|kept| &kept.stream)
    }

    /// Their series, to be settled.
    pub(crate) fn series_mut(&mut self) -> impl Iterator<Item = &mut SeriesId> {
        self.kept.iter_mut().map(|kept| &mut kept.series)
    }

    /// The series of point number `at`, to be settled, and how the point is read.
    pub(crate) fn at_mut(&mut self, at: usize) -> (&mut SeriesId, &Scheme) {
        let kept = &mut self.kept[at];
        (&mut kept.series, &self.schemes[kept.scheme])
    }

    pub(crate) fn reserve(&mut self, points: usize) {
        self.kept.reserve(points);
    }

    /// Takes a point, which may be counted within a window that all of the request have.
    pub(crate) fn push(&mut self, point: KeptPoint, window: (u64, u64)) {
        self.window = window;
        self.kept.push(point);
    }

    /// Where a scheme stands; it is taken up if it is not among the latest.
    #[inline]
    pub(crate) fn scheme(&mut self, scheme: &Arc<Scheme>) -> usize {
        let latest = self.schemes.len().saturating_sub(LATEST_SCHEMES);
        let mut known = self.schemes[latest..].iter();
        if let Some(at) = known.rposition(|known| Arc::ptr_eq(known, scheme)) {
            return latest + at;
        }
        self.schemes.push(Arc::clone(scheme));
        self.schemes.len() - 1
    }

    /// Takes a distribution's buckets, which are sorted, but for the empty ones; none if they do not sum to its count.
    #[inline]
    pub(crate) fn fill(
        &mut self,
        exponential: Option<(i32, f64)>,
        counts: impl Iterator<Item = (i64, u64)>,
        count: u64,
    ) -> Option<Filled> {
        let first = self.counts.len();
        let mut sum = Some(0_u64);
        for (number, count) in counts.filter(|(_, count)| *count > 0) {
            sum = sum.and_then(|sum| sum.checked_add(count));
            self.counts.push((number, count));
        }
        if sum != Some(count) {
            self.counts.truncate(first);
            return None;
        }
        Some(Filled {
            first,
            end: self.counts.len(),
            exponential,
            min: None,
            max: None,
        })
    }

    /// Forgets what was taken last, as its point does not count.
    pub(crate) fn unfill(&mut self, value: &PointValue<Filled>) {
        if let PointValue::Buckets(_, filled) = value {
            self.counts.truncate(filled.first);
        }
    }

    /// About how many bytes they occupy: a small payload may become many times as large.
    pub(crate) fn held_bytes(&self) -> usize {
        let of_scheme = |scheme: &Arc<Scheme>| {
            let layout = match &scheme.layout {
                Layout::Explicit(bounds) => size_of_val(&**bounds),
                Layout::Exponential { .. } => 0,
            };
            size_of::<Scheme>() + scheme.metric.len() + layout + size_of_val(&*scheme.bounds)
        };
        self.kept.capacity() * size_of::<KeptPoint>()
            + self.counts.capacity() * size_of::<(i64, u64)>()
            + self.schemes.iter().map(of_scheme).sum::<usize>()
    }
}

impl Filled {
    /// With the lowest and the highest value, where they are said and are numbers.
    pub(crate) fn within(self, min: Option<f64>, max: Option<f64>) -> Filled {
        let number = |value: Option<f64>| value.filter(|value| !value.is_nan());
        Filled {
            min: number(min),
            max: number(max),
            ..self
        }
    }
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
    /// The buckets of the metric's explicit histograms.
    pub(crate) layout: Layout,
    /// Declared bounds and those of the explicit buckets, sorted and unique.
    pub(crate) bounds: Arc<[Bound]>,
}

/// The value of a point; `B` are the buckets of a distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PointValue<B> {
    /// What a sum was or grew by.
    Sum(Temporality, Number),
    /// One observation.
    Level(f64),
    /// A running total that was sent as a level: it does not say when it started.
    Total(Number),
    /// What a distribution was or grew by.
    Buckets(Temporality, B),
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
pub(crate) struct Buckets<'b> {
    pub(crate) layout: Cow<'b, Layout>,
    /// Bucket number and count, sorted, no zeros. Exponential: see [`Layout::Exponential`].
    pub(crate) counts: Cow<'b, [(i64, u64)]>,
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

impl Default for Layout {
    /// One bucket of all values.
    fn default() -> Layout {
        Layout::Explicit(Arc::default())
    }
}

/// Puts every index of 32 bits above zero.
pub(crate) const POSITIVE: i64 = 1 << 32;
