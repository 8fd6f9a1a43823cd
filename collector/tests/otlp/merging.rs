//! Merging loses nothing, in any order.

use collector::{
    Encoding, Entry, Kind, Known, Measure, Measured, Origin, Pack, Streams, Subject, Threshold,
    decode,
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Histogram, HistogramDataPoint};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use crate::given::{MILLI, NOW, SECOND, metrics, span, traces};

/// What spans of these durations (in thousandths of a millisecond) measure with these thresholds
/// (ms) declared.
fn of_spans(durations: &[u64], bounds: &[u8]) -> Measured {
    let spans = durations.iter().map(|micros| {
        let mut span = span("");
        span.start_time_unix_nano = NOW - micros * (MILLI / 1000);
        span
    });
    let thresholds = bounds.iter().map(|bound| Threshold {
        subject: Subject::Spans,
        bound: f64::from(*bound),
        inclusive: true,
    });
    let measure = Measure {
        thresholds: thresholds.collect(),
        ..Measure::default()
    };
    let body = traces("shop", spans.collect()).encode_to_vec();
    let decoded = decode(
        Kind::Traces,
        Encoding::Protobuf,
        &body,
        &measure,
        &Known::new(),
        NOW,
    )
    .expect("spans");
    decoded
        .spans
        .summed()
        .entries
        .into_iter()
        .next()
        .map(|entry| entry.measured)
        .unwrap_or_default()
}

/// What a histogram with these bounds (ms) measures with one threshold declared.
fn of_buckets(counts: &[u64; 3], bounds: (u8, u8), threshold: u8) -> Measured {
    let (low, high) = (
        f64::from(bounds.0),
        f64::from(bounds.0) + f64::from(bounds.1) + 1.0,
    );
    let point = HistogramDataPoint {
        start_time_unix_nano: NOW - 5 * SECOND,
        time_unix_nano: NOW,
        count: counts.iter().sum(),
        bucket_counts: counts.to_vec(),
        explicit_bounds: vec![low, high],
        ..HistogramDataPoint::default()
    };
    let data = Histogram {
        data_points: vec![point],
        aggregation_temporality: 1,
    };
    let body = metrics("latency", "ms", Data::Histogram(data)).encode_to_vec();
    let declared = Threshold {
        subject: Subject::Metric("latency".to_owned()),
        bound: f64::from(threshold),
        inclusive: true,
    };
    let measure = Measure {
        thresholds: vec![declared],
        ..Measure::default()
    };
    let decoded = decode(
        Kind::Metrics,
        Encoding::Protobuf,
        &body,
        &measure,
        &Known::new(),
        NOW,
    )
    .expect("points");
    let absorbed = Streams::new(Origin::Replay).absorb(&decoded.points);
    absorbed
        .entries
        .into_iter()
        .next()
        .map(|entry| entry.measured)
        .unwrap_or_default()
}

fn any_measured() -> impl Strategy<Value = Measured> {
    prop_oneof![
        (vec(0_u64..300_000, 0..12), vec(any::<u8>(), 0..3))
            .prop_map(|(durations, bounds)| of_spans(&durations, &bounds)),
        (
            prop::array::uniform3(0_u64..4),
            any::<(u8, u8)>(),
            any::<u8>()
        )
            .prop_map(|(counts, bounds, threshold)| of_buckets(&counts, bounds, threshold)),
        any::<u32>().prop_map(|count| Measured::counted(u64::from(count))),
    ]
}

fn merged(one: &Measured, other: &Measured) -> Measured {
    let mut merged = one.clone();
    merged.merge(other).expect("small counts");
    merged
}

proptest! {
    #[test]
    fn merging_is_commutative(a in any_measured(), b in any_measured()) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
    }

    #[test]
    fn merging_is_associative(a in any_measured(), b in any_measured(), c in any_measured()) {
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
    }

    #[test]
    fn merging_loses_no_counts(a in any_measured(), b in any_measured()) {
        let both = merged(&a, &b);
        prop_assert_eq!(both.count(), a.count() + b.count());
        prop_assert_eq!(both.histogram().total(), a.histogram().total() + b.histogram().total());
        prop_assert_eq!(merged(&a, &Measured::default()).count(), a.count());
    }

    #[test]
    fn the_true_count_is_always_within_the_interval(
        one in vec(0_u64..300_000, 1..20), other in vec(0_u64..300_000, 1..20),
        bounds in vec(any::<u8>(), 0..3), other_bounds in vec(any::<u8>(), 0..3), asked: u8,
    ) {
        let both = merged(&of_spans(&one, &bounds), &of_spans(&other, &other_bounds));
        for bound in bounds.iter().chain(&other_bounds).chain([&asked]) {
            let within = both.within(f64::from(*bound), true).unwrap();
            let truth = one.iter().chain(&other).filter(|micros| **micros <= u64::from(*bound) * 1000).count() as u64;
            prop_assert!(within.lo <= truth && truth <= within.hi, "{truth} outside of {within:?}");
        }
        for bound in bounds.iter().filter(|bound| other_bounds.contains(bound)) {
            prop_assert!(both.within(f64::from(*bound), true).unwrap().exact);
        }
    }

    #[test]
    fn packs_merge_series_by_series(a in any_measured(), b in any_measured(), c in any_measured()) {
        let entries = |list: &[(u64, &Measured)]| {
            let mut pack = Pack::default();
            for (id, measured) in list {
                pack.add(collector::SeriesId(*id), measured).unwrap();
            }
            pack
        };
        let mut one = entries(&[(1, &a), (2, &b)]);
        one.merge(&entries(&[(2, &c), (3, &a)])).unwrap();
        prop_assert_eq!(one, entries(&[(1, &a), (2, &merged(&b, &c)), (3, &a)]));
    }
}

#[test]
fn a_count_that_would_not_fit_changes_nothing() {
    let mut measured = Measured::counted(u64::MAX);
    assert!(measured.merge(&Measured::counted(1)).is_err());
    assert_eq!(measured, Measured::counted(u64::MAX));
    let entry = |count| Entry {
        series: collector::SeriesId(1),
        slice: collector::Slice::containing(NOW),
        measured: Measured::counted(count),
    };
    let mut delta = collector::Delta::default();
    delta
        .add(vec![entry(u64::MAX)], &collector::Ledger::default())
        .unwrap();
    let before = delta.clone();
    assert!(
        delta
            .add(vec![entry(1)], &collector::Ledger::default())
            .is_err()
    );
    assert_eq!(delta, before);
}
