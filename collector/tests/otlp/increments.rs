//! Points that are committed together add what they add one by one.

use std::collections::BTreeMap;

use collector::{Entry, Increments, Kind, Measured, Points, Streams};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::given::{decoded, metrics, text};
use crate::points::{CUMULATIVE, DELTA, LIVE, at};

/// A distribution as one of several senders of a series tells it.
#[derive(Clone, Debug)]
struct Told {
    sender: u8,
    /// Seconds before now: its begin, and how long it took.
    time: (i64, i64),
    cumulative: bool,
    bounds: Vec<u8>,
    /// Instead of the bounds, the buckets of an exponential histogram: scale and offset.
    exponential: Option<(i32, i32)>,
    counts: [u8; 4],
    /// Whether the lowest and the highest value are told, and how far into their buckets they are.
    extremes: Option<(u8, u8)>,
}

fn any_told() -> impl Strategy<Value = Told> {
    let shape = (
        vec(1_u8..200, 3),
        prop::option::weighted(0.3, (-1_i32..4, -4_i32..12)),
        prop::array::uniform4(0_u8..5),
        prop::option::of((0_u8..100, 0_u8..100)),
    );
    (0_u8..4, (1_i64..60, 1_i64..40), any::<bool>(), shape).prop_map(
        |(sender, time, cumulative, (mut bounds, exponential, counts, extremes))| {
            bounds.sort_unstable();
            bounds.dedup();
            Told {
                sender,
                time,
                cumulative,
                bounds,
                exponential,
                counts,
                extremes,
            }
        },
    )
}

impl Told {
    fn points(&self) -> Points {
        let (before, took) = self.time;
        let (end, begin) = (at(-before), at(-before - took));
        let temporality = if self.cumulative { CUMULATIVE } else { DELTA };
        let attributes = vec![text(
            "sender",
            &format!("{}-{}", self.sender, self.cumulative),
        )];
        let extreme = |of: (u8, u8), low: bool| f64::from(if low { of.0 } else { 100 + of.1 });
        let (min, max) = (
            self.extremes.map(|of| extreme(of, true)),
            self.extremes.map(|of| extreme(of, false)),
        );
        let counts: Vec<u64> = self.counts.iter().map(|count| u64::from(*count)).collect();
        let data = if let Some((scale, offset)) = self.exponential {
            let point = ExponentialHistogramDataPoint {
                attributes,
                start_time_unix_nano: begin,
                time_unix_nano: end,
                count: counts.iter().sum(),
                scale,
                positive: Some(Buckets {
                    offset,
                    bucket_counts: counts,
                }),
                min,
                max,
                ..ExponentialHistogramDataPoint::default()
            };
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![point],
                aggregation_temporality: temporality,
            })
        } else {
            let counts = &counts[..=self.bounds.len()];
            let point = HistogramDataPoint {
                attributes,
                start_time_unix_nano: begin,
                time_unix_nano: end,
                count: counts.iter().sum(),
                bucket_counts: counts.to_vec(),
                explicit_bounds: self.bounds.iter().map(|bound| f64::from(*bound)).collect(),
                min,
                max,
                ..HistogramDataPoint::default()
            };
            Data::Histogram(Histogram {
                data_points: vec![point],
                aggregation_temporality: temporality,
            })
        };
        decoded(Kind::Metrics, &metrics("latency", "ms", data)).points
    }
}

proptest! {
    #[test]
    fn points_committed_together_add_what_they_add_alone(told in vec(any_told(), 1..30)) {
        let mut one_by_one = BTreeMap::<_, Measured>::new();
        let (mut alone, mut together) = (Streams::new(LIVE), Streams::new(LIVE));
        let mut increments = Increments::default();
        for told in &told {
            let points = told.points();
            let absorbed = alone.absorb(&points);
            for Entry { slice, series, measured } in absorbed.entries {
                one_by_one.entry((slice, series)).or_default().merge(&measured).expect("small counts");
            }
            let (classes, problems) = together.absorb_into(&mut increments, &points);
            prop_assert_eq!((classes, problems), (absorbed.classes, absorbed.problems));
        }
        let absorbed = increments.finish();
        let entries: Vec<_> = absorbed.entries.into_iter().map(|one| ((one.slice, one.series), one.measured)).collect();
        prop_assert_eq!(entries, one_by_one.into_iter().collect::<Vec<_>>());
    }
}
