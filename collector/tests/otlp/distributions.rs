//! Distributions and gauges: exact where the sender says enough, an interval elsewhere.

use collector::{Delta, Kind, Ledger, Streams, Within};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    NumberDataPoint,
};

use crate::given::{decoded, metrics, text};
use crate::points::{CUMULATIVE, DELTA, LIVE, at, by_slice, exponential, histogram, total};

#[test]
fn a_histogram_is_exact_at_its_bounds_and_an_interval_between() {
    let mut streams = Streams::new(LIVE);
    let bounds = [50.0, 100.0, 250.0];
    let first = total(&streams.absorb(&histogram(CUMULATIVE, -20, &bounds, &[1, 2, 3, 4])));
    for (case, bound, lo, hi, exact) in [
        ("declared, and a bucket's bound", 100.0, 3, 3, true),
        ("a bucket's bound", 250.0, 6, 6, true),
        ("inside a bucket", 150.0, 3, 6, false),
        ("beyond the last bound", 1000.0, 6, 10, false),
    ] {
        assert_eq!(
            first.within(bound, true),
            Some(Within { lo, hi, exact }),
            "{case}"
        );
    }
    let grown = total(&streams.absorb(&histogram(CUMULATIVE, -10, &bounds, &[1, 5, 3, 5])));
    assert_eq!(grown.count(), 4);
    assert_eq!(
        grown.within(250.0, true),
        Some(Within {
            lo: 3,
            hi: 3,
            exact: true
        })
    );
    let (low, high, count) = first.histogram().iter().next().unwrap();
    assert!(
        (low..=high).contains(&50_000),
        "microseconds, at the bucket's upper end"
    );
    assert_eq!(count, 1);
}

#[test]
fn a_declared_threshold_inside_a_bucket_is_an_interval() {
    let absorbed = Streams::new(LIVE).absorb(&histogram(DELTA, -20, &[90.0, 110.0], &[5, 7, 1]));
    assert_eq!(
        total(&absorbed).within(100.0, true),
        Some(Within {
            lo: 5,
            hi: 12,
            exact: false
        })
    );
}

#[test]
fn a_point_of_many_buckets_and_a_long_time_counts_in_few_slices() {
    let bounds: Vec<f64> = (1..4_096).map(f64::from).collect();
    let point = HistogramDataPoint {
        start_time_unix_nano: at(-7_000),
        time_unix_nano: at(0),
        count: 4_096 * 1_000,
        bucket_counts: vec![1_000; 4_096],
        explicit_bounds: bounds,
        ..HistogramDataPoint::default()
    };
    let data = Data::Histogram(Histogram {
        data_points: vec![point],
        aggregation_temporality: DELTA,
    });
    let points = decoded(Kind::Metrics, &metrics("latency", "ms", data)).points;
    let absorbed = Streams::new(LIVE).absorb(&points);
    let ends: Vec<i64> = by_slice(&absorbed).iter().map(|slice| slice.0).collect();
    assert_eq!(ends, [-6120, -5240, -4360, -3480, -2600, -1720, -840, 0]);
    let sum = total(&absorbed);
    assert_eq!(sum.count(), 4_096 * 1_000);
    assert_eq!(
        sum.within(100.0, true).map(|held| (held.lo, held.exact)),
        Some((100_000, true))
    );
}

#[test]
fn what_buckets_occupy_is_said_whole() {
    let point = HistogramDataPoint {
        start_time_unix_nano: at(-10),
        time_unix_nano: at(0),
        count: 4_096,
        bucket_counts: vec![1; 4_096],
        explicit_bounds: (1..4_096).map(f64::from).collect(),
        ..HistogramDataPoint::default()
    };
    for points in [1, 100] {
        let data = Data::Histogram(Histogram {
            data_points: vec![point.clone(); points],
            aggregation_temporality: DELTA,
        });
        let held = decoded(Kind::Metrics, &metrics("latency", "ms", data)).held_bytes();
        // A number and a count each, and of all together the edges and what is counted at them; not many times as much.
        let least = points * 4_096 * 16 + 4_095 * (8 + 16);
        assert!((least..least * 2).contains(&held), "{held} of {least}");
    }
}

#[test]
fn wide_distributions_of_a_long_time_fill_no_memory() {
    let point = |number: i32| ExponentialHistogramDataPoint {
        attributes: vec![text("number", &number.to_string())],
        start_time_unix_nano: at(-7_190),
        time_unix_nano: at(0),
        count: 45 * 800,
        scale: 8,
        positive: Some(Buckets {
            offset: number * 45 - 2_560,
            bucket_counts: vec![800; 45],
        }),
        ..ExponentialHistogramDataPoint::default()
    };
    let data = ExponentialHistogram {
        data_points: (0..200).map(point).collect(),
        aggregation_temporality: DELTA,
    };
    let request = metrics("latency", "ms", Data::ExponentialHistogram(data));
    let absorbed = Streams::new(LIVE).absorb(&decoded(Kind::Metrics, &request).points);
    assert_eq!(total(&absorbed).count(), 200 * 45 * 800);
    assert!(absorbed.entries.len() > 700, "as fine as there is room");
    let mut delta = Delta::default();
    delta.add(absorbed.entries, &Ledger::default()).unwrap();
    // Each in its own slice, they would be some six million buckets.
    assert!(delta.encode().len() < 8 << 20, "{}", delta.encode().len());
}

#[test]
fn histograms_survive_a_change_of_bounds() {
    let mut streams = Streams::new(LIVE);
    streams.absorb(&histogram(CUMULATIVE, -20, &[50.0, 100.0], &[1, 2, 3]));
    let changed = streams.absorb(&histogram(CUMULATIVE, -10, &[75.0, 100.0], &[2, 3, 5]));
    let grown = total(&changed);
    assert_eq!(grown.count(), 4);
    assert_eq!(
        grown.within(100.0, true),
        Some(Within {
            lo: 2,
            hi: 2,
            exact: true
        }),
        "the common bound"
    );
    let fallen = streams.absorb(&histogram(CUMULATIVE, -5, &[75.0, 100.0], &[2, 2, 6]));
    assert_eq!((fallen.entries.len(), fallen.classes.invalid.total), (0, 1));
}

#[test]
fn exponential_histograms_survive_a_change_of_scale() {
    let mut streams = Streams::new(LIVE);
    // Scale 1: base √2, bucket 12 is (64, 90.5], 13 is (90.5, 128].
    let first = total(&streams.absorb(&exponential(-20, 1, 2, (12, &[3, 4]))));
    assert_eq!(first.count(), 9);
    assert_eq!(
        first.within(100.0, true),
        Some(Within {
            lo: 5,
            hi: 9,
            exact: false
        })
    );
    // Scale 0: base 2, bucket 6 is (64, 128]; two more there, one more zero, and one in (128, 256].
    let grown = total(&streams.absorb(&exponential(-10, 0, 3, (6, &[9, 1]))));
    assert_eq!(grown.count(), 4);
    assert_eq!(
        grown.within(100.0, true),
        Some(Within {
            lo: 1,
            hi: 3,
            exact: false
        })
    );
    let fallen = streams.absorb(&exponential(-5, 0, 3, (6, &[8, 2])));
    assert_eq!(fallen.classes.invalid.total, 1);
}

#[test]
fn an_exponential_histogram_may_be_of_any_scale() {
    for (case, scale, offset, within) in [
        ("all above 1 in one bucket", -11, 0, (0, 3)),
        ("the coarsest that can be written", i32::MIN, 0, (0, 3)),
        ("all up to 1", i32::MIN, -1, (3, 3)),
        ("so fine that all are about 1", i32::MAX, 0, (3, 3)),
    ] {
        let points = exponential(-20, scale, 0, (offset, &[3]));
        let counted = total(&Streams::new(LIVE).absorb(&points));
        let found = counted.within(100.0, true).expect("values");
        assert_eq!((found.lo, found.hi), within, "{case}");
    }
}

#[test]
fn a_gauge_point_is_one_observation() {
    let points = |times: &[(i64, f64)]| {
        let point = |(time, value): &(i64, f64)| NumberDataPoint {
            time_unix_nano: at(*time),
            value: Some(Number::AsDouble(*value)),
            ..NumberDataPoint::default()
        };
        let data = Gauge {
            data_points: times.iter().map(point).collect(),
        };
        decoded(
            Kind::Metrics,
            &metrics("latency", "items", Data::Gauge(data)),
        )
        .points
    };
    let mut streams = Streams::new(LIVE);
    let absorbed = streams.absorb(&points(&[
        (-20, 100.0),
        (-15, 100.5),
        (-20, 100.0),
        (-25, -3.0),
    ]));
    assert_eq!(by_slice(&absorbed), [(-20, 2), (-10, 1)]);
    assert_eq!(absorbed.classes.duplicate.total, 1);
    assert_eq!(
        total(&absorbed).within(100.0, true),
        Some(Within {
            lo: 2,
            hi: 2,
            exact: true
        })
    );
    let highest = total(&absorbed)
        .histogram()
        .iter()
        .last()
        .map(|(low, high, _)| (low, high));
    assert_eq!(highest, Some((100_480, 100_543)), "thousandths of the unit");
}
