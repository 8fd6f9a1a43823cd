//! Metric points to absorb. Times are in seconds relative to `NOW`.

use collector::{Absorbed, Kind, Measured, Origin, Point, Points};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint,
    NumberDataPoint, Sum,
};

use crate::given::{NOW, SECOND, decoded, metrics};

pub(crate) const DELTA: i32 = 1;
pub(crate) const CUMULATIVE: i32 = 2;
/// Observing for an hour.
pub(crate) const LIVE: Origin = Origin::Live {
    observing_since_nanos: NOW - 3600 * SECOND,
};
/// Stands for a start that the sender does not say.
pub(crate) const UNKNOWN: i64 = i64::MIN;

pub(crate) fn at(seconds: i64) -> u64 {
    if seconds == UNKNOWN {
        0
    } else {
        NOW.saturating_add_signed(seconds * 1_000_000_000)
    }
}

/// The first of them.
pub(crate) fn first_of(points: &Points) -> Point<'_> {
    points.iter().next().expect("a point")
}

/// Points of one sum: start, time, value.
pub(crate) fn sum_points(temporality: i32, points: &[(i64, i64, Number)]) -> Points {
    let point = |(start, time, value): &(i64, i64, Number)| NumberDataPoint {
        start_time_unix_nano: at(*start),
        time_unix_nano: at(*time),
        value: Some(*value),
        ..NumberDataPoint::default()
    };
    let data = Sum {
        data_points: points.iter().map(point).collect(),
        aggregation_temporality: temporality,
        is_monotonic: true,
    };
    decoded(Kind::Metrics, &metrics("requests", "1", Data::Sum(data))).points
}

pub(crate) fn ints(temporality: i32, points: &[(i64, i64, i64)]) -> Points {
    let points = points
        .iter()
        .map(|(start, time, value)| (*start, *time, Number::AsInt(*value)));
    sum_points(temporality, &points.collect::<Vec<_>>())
}

/// Count by slice end.
pub(crate) fn by_slice(absorbed: &Absorbed) -> Vec<(i64, u64)> {
    let now = (NOW / SECOND).cast_signed();
    let entries = absorbed.entries.iter();
    entries
        .map(|entry| (entry.slice.end_seconds() - now, entry.measured.count()))
        .collect()
}

/// All that was added, whenever.
pub(crate) fn total(absorbed: &Absorbed) -> Measured {
    absorbed
        .entries
        .iter()
        .fold(Measured::default(), |mut sum, entry| {
            sum.merge(&entry.measured).expect("small counts");
            sum
        })
}

pub(crate) fn histogram(temporality: i32, time: i64, bounds: &[f64], counts: &[u64]) -> Points {
    let point = HistogramDataPoint {
        start_time_unix_nano: at(-40),
        time_unix_nano: at(time),
        count: counts.iter().sum(),
        bucket_counts: counts.to_vec(),
        explicit_bounds: bounds.to_vec(),
        ..HistogramDataPoint::default()
    };
    let data = Histogram {
        data_points: vec![point],
        aggregation_temporality: temporality,
    };
    decoded(
        Kind::Metrics,
        &metrics("latency", "ms", Data::Histogram(data)),
    )
    .points
}

pub(crate) fn exponential(
    time: i64,
    scale: i32,
    zero: u64,
    (offset, counts): (i32, &[u64]),
) -> Points {
    let point = ExponentialHistogramDataPoint {
        start_time_unix_nano: at(-40),
        time_unix_nano: at(time),
        count: counts.iter().sum::<u64>() + zero,
        scale,
        zero_count: zero,
        positive: Some(Buckets {
            offset,
            bucket_counts: counts.to_vec(),
        }),
        ..ExponentialHistogramDataPoint::default()
    };
    let data = ExponentialHistogram {
        data_points: vec![point],
        aggregation_temporality: CUMULATIVE,
    };
    decoded(
        Kind::Metrics,
        &metrics("latency", "ms", Data::ExponentialHistogram(data)),
    )
    .points
}
