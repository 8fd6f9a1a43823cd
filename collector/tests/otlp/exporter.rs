//! A model of an exporter: true events become the points that an SDK would send of them.

use std::ops::Range;

use collector::{Kind, Points};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint,
    NumberDataPoint, Sum,
};
use proptest::prelude::*;

use crate::given::{decoded, metrics};
use crate::points::{CUMULATIVE, DELTA, UNKNOWN, at};

/// Bounds between which a sender changes; some have the threshold of 100, some miss it.
const BOUNDS: [&[f64]; 5] = [
    &[50.0, 100.0, 250.0],
    &[-5.0, 0.0, 1.0, 100.0, 500.0],
    &[90.0, 110.0],
    &[100.0],
    &[],
];
const FINEST: i32 = 10;
const ZEROES: [f64; 4] = [0.0, 0.01, 0.5, 3.0];

/// What a point is of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Sum,
    Explicit,
    Exponential,
}

/// One thing that happened: a value observed, and quarters that a sum grew by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) value: f64,
    pub(crate) quarters: u32,
}

/// An export interval, and what becomes of its point.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    events: Vec<Event>,
    restarted: bool,
    lost: bool,
    no_value: bool,
    delay: usize,
    again: Option<usize>,
    form: Form,
}

/// How a point is written.
#[derive(Clone, Copy, Debug)]
struct Form {
    bounds: usize,
    coarser: i32,
    zero: usize,
    as_int: bool,
    extremes: bool,
}

/// An exporter and all that it saw.
#[derive(Clone, Debug)]
pub(crate) struct Exporter {
    pub(crate) shape: Shape,
    pub(crate) cumulative: bool,
    /// Began to count before sloburn observed.
    pub(crate) old: bool,
    /// Delta points do not say when they start.
    pub(crate) unstarted: bool,
    pub(crate) steps: Vec<Step>,
}

/// A point that is sent.
#[derive(Clone, Debug)]
pub(crate) struct Export {
    pub(crate) run: usize,
    /// The events that it tells of, by their number.
    pub(crate) of: Range<usize>,
    pub(crate) no_value: bool,
    start: i64,
    time: i64,
    form: Form,
}

pub(crate) fn exporters() -> impl Strategy<Value = Exporter> {
    let shape = prop_oneof![
        Just(Shape::Sum),
        Just(Shape::Explicit),
        Just(Shape::Exponential)
    ];
    let steps = prop::collection::vec(step(), 1..25);
    (shape, any::<bool>(), any::<bool>(), any::<bool>(), steps).prop_map(
        |(shape, cumulative, old, unstarted, steps)| Exporter {
            shape,
            cumulative,
            old,
            unstarted: unstarted && !cumulative,
            steps,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![
        4 => (0_i32..4).prop_map(|value| f64::from(value) + 0.37),
        6 => (0_i32..600).prop_map(|value| f64::from(value) + 0.37),
        2 => Just(0.0),
        1 => Just(0.003),
        1 => Just(1.7e7),
        3 => (0_i32..4).prop_map(|value| -f64::from(value) - 0.37),
    ];
    let event = (value, 0_u32..9).prop_map(|(value, quarters)| Event { value, quarters });
    let form = (0..BOUNDS.len(), 0..3_i32, 0..12_usize, any::<[bool; 2]>()).prop_map(
        |(bounds, coarser, zero, [as_int, extremes])| Form {
            bounds,
            coarser,
            zero,
            as_int,
            extremes,
        },
    );
    let delay = prop_oneof![3 => Just(0_usize), 1 => 1_usize..4];
    let rarely = || prop::bool::weighted(0.12);
    let again = prop::option::weighted(0.2, 0_usize..5);
    let events = prop::collection::vec(event, 0..6);
    ((events, form, delay, again), (rarely(), rarely(), rarely())).prop_map(
        |((events, form, delay, again), (restarted, lost, no_value))| Step {
            events,
            restarted,
            lost,
            no_value,
            delay,
            again,
            form,
        },
    )
}

impl Exporter {
    pub(crate) fn events(&self) -> Vec<Event> {
        let events = self.steps.iter().flat_map(|step| &step.events);
        events.copied().collect()
    }

    /// What is sent, in the order in which it arrives.
    pub(crate) fn exports(&self) -> Vec<Export> {
        let mut arriving = Vec::new();
        let (mut run, mut began, mut start) = (0, 0, if self.old { -7000 } else { -3001 });
        let (mut happened, mut scale, mut zero) = (0, FINEST, 0);
        for (number, step) in self.steps.iter().enumerate() {
            let time = -3000 + 7 * i64::try_from(number).expect("few steps");
            if step.restarted && number > 0 {
                (run, began, start) = (run + 1, happened, time - 6);
                (scale, zero) = (FINEST, 0);
            }
            happened += step.events.len();
            // A running histogram gets coarser only, and its zero bucket wider.
            scale = (scale - step.form.coarser).max(-4);
            zero = zero.max(step.form.zero.min(ZEROES.len()) % ZEROES.len());
            let mut form = step.form;
            (form.coarser, form.zero) = (FINEST - scale, zero);
            let export = Export {
                run,
                of: began..happened,
                no_value: step.no_value,
                start: if self.unstarted { UNKNOWN } else { start },
                time,
                form,
            };
            if !self.cumulative {
                (began, start) = (happened, time);
            }
            if !step.lost {
                arriving.push((number + step.delay, export.clone()));
                arriving.extend(
                    step.again
                        .map(|again| (number + step.delay + again, export)),
                );
            }
        }
        arriving.sort_by_key(|(place, _)| *place);
        arriving.into_iter().map(|(_, export)| export).collect()
    }

    /// The point of an export, through the decoder.
    pub(crate) fn points(&self, export: &Export) -> Points {
        let of = &self.events()[export.of.clone()];
        let temporality = if self.cumulative { CUMULATIVE } else { DELTA };
        let data = match self.shape {
            Shape::Sum => Data::Sum(Sum {
                data_points: vec![sum(export, of)],
                aggregation_temporality: temporality,
                is_monotonic: true,
            }),
            Shape::Explicit => Data::Histogram(Histogram {
                data_points: vec![explicit(export, of)],
                aggregation_temporality: temporality,
            }),
            Shape::Exponential => Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![exponential(export, of)],
                aggregation_temporality: temporality,
            }),
        };
        decoded(Kind::Metrics, &metrics("latency", "ms", data)).points
    }
}

impl Export {
    fn flags(&self) -> u32 {
        u32::from(self.no_value)
    }

    /// Whether the sender tells how many values are up to 100.
    pub(crate) fn has_the_threshold(&self) -> bool {
        BOUNDS[self.form.bounds].contains(&100.0)
    }

    fn extremes(&self, of: &[Event]) -> (Option<f64>, Option<f64>) {
        let values = || {
            of.iter()
                .map(|event| event.value)
                .filter(|_| self.form.extremes)
        };
        (values().reduce(f64::min), values().reduce(f64::max))
    }
}

fn sum(export: &Export, of: &[Event]) -> NumberDataPoint {
    let quarters: u32 = of.iter().map(|event| event.quarters).sum();
    let value = if export.form.as_int && quarters.is_multiple_of(4) {
        Number::AsInt(i64::from(quarters / 4))
    } else {
        Number::AsDouble(f64::from(quarters) / 4.0)
    };
    NumberDataPoint {
        start_time_unix_nano: at(export.start),
        time_unix_nano: at(export.time),
        flags: export.flags(),
        value: (!export.no_value).then_some(value),
        ..NumberDataPoint::default()
    }
}

fn explicit(export: &Export, of: &[Event]) -> HistogramDataPoint {
    let bounds = BOUNDS[export.form.bounds];
    let mut counts = vec![0; bounds.len() + 1];
    for event in of {
        counts[bounds.partition_point(|bound| *bound < event.value)] += 1;
    }
    let (min, max) = export.extremes(of);
    let (count, bucket_counts, explicit_bounds) = if bounds.is_empty() {
        (of.len() as u64, vec![], vec![])
    } else {
        (of.len() as u64, counts, bounds.to_vec())
    };
    HistogramDataPoint {
        start_time_unix_nano: at(export.start),
        time_unix_nano: at(export.time),
        flags: export.flags(),
        count: if export.no_value { 0 } else { count },
        bucket_counts: if export.no_value {
            vec![]
        } else {
            bucket_counts
        },
        explicit_bounds: if export.no_value {
            vec![]
        } else {
            explicit_bounds
        },
        min,
        max,
        ..HistogramDataPoint::default()
    }
}

fn exponential(export: &Export, of: &[Event]) -> ExponentialHistogramDataPoint {
    let zero_threshold = ZEROES[export.form.zero];
    let of = if export.no_value { &[] } else { of };
    let (zeroes, others): (Vec<f64>, Vec<f64>) = of
        .iter()
        .map(|event| event.value)
        .partition(|value| value.abs() <= zero_threshold);
    let (positive, negative): (Vec<f64>, Vec<f64>) = others.iter().partition(|value| **value > 0.0);
    let (min, max) = export.extremes(of);
    let coarser = export.form.coarser + crowded(&positive, export).max(crowded(&negative, export));
    ExponentialHistogramDataPoint {
        start_time_unix_nano: at(export.start),
        time_unix_nano: at(export.time),
        flags: export.flags(),
        count: of.len() as u64,
        scale: FINEST - coarser,
        zero_count: zeroes.len() as u64,
        zero_threshold,
        positive: buckets(&positive, coarser),
        negative: buckets(&negative, coarser),
        min,
        max,
        ..ExponentialHistogramDataPoint::default()
    }
}

fn index(value: f64, coarser: i32) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "indices of 32 bits")]
    let finest = (value.abs().log2() * f64::from(FINEST).exp2()).ceil() as i32 - 1;
    finest >> coarser
}

/// By how much a scale must get coarser to hold these values in as many buckets as an SDK has.
fn crowded(values: &[f64], export: &Export) -> i32 {
    let spans = |more: &i32| {
        let indices = || {
            values
                .iter()
                .map(|value| index(*value, export.form.coarser + more))
        };
        let (lowest, highest) = (indices().min(), indices().max());
        highest.unwrap_or_default() - lowest.unwrap_or_default() < 160
    };
    (0..20).find(spans).expect("few buckets at a coarse scale")
}

/// Buckets from an empty one below the lowest value to an empty one above the highest.
fn buckets(values: &[f64], coarser: i32) -> Option<Buckets> {
    let indices = || values.iter().map(|value| index(*value, coarser));
    let (lowest, highest) = (indices().min()? - 1, indices().max()? + 1);
    let count = |at: i32| indices().filter(|index| *index == at).count() as u64;
    Some(Buckets {
        offset: lowest,
        bucket_counts: (lowest..=highest).map(count).collect(),
    })
}
