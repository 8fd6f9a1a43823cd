//! Points: what is rejected by name, and what tells streams and series apart.

use collector::{Encoding, Kind, Known, Signal, StreamId, decode};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, NumberDataPoint, ScopeMetrics, Sum, Summary,
    SummaryDataPoint,
};
use prost::Message;

use crate::given::{NOW, decoded, measure, metrics, text};
use crate::points::{CUMULATIVE, DELTA, at, first_of};

const ONE: Number = Number::AsInt(1);

fn point(start: u64, time: u64, value: Option<Number>) -> NumberDataPoint {
    NumberDataPoint {
        start_time_unix_nano: start,
        time_unix_nano: time,
        value,
        ..NumberDataPoint::default()
    }
}

fn sum(aggregation_temporality: i32, point: NumberDataPoint) -> Data {
    let data_points = vec![point];
    Data::Sum(Sum {
        data_points,
        aggregation_temporality,
        is_monotonic: true,
    })
}

fn gauge(point: NumberDataPoint) -> Data {
    Data::Gauge(Gauge {
        data_points: vec![point],
    })
}

/// Three values in these buckets.
fn buckets(bucket_counts: &[u64], explicit_bounds: &[f64]) -> Data {
    let point = HistogramDataPoint {
        time_unix_nano: NOW,
        count: 3,
        bucket_counts: bucket_counts.to_vec(),
        explicit_bounds: explicit_bounds.to_vec(),
        ..HistogramDataPoint::default()
    };
    Data::Histogram(Histogram {
        data_points: vec![point],
        aggregation_temporality: DELTA,
    })
}

fn may_fall(aggregation_temporality: i32) -> Data {
    let data_points = vec![point(at(-40), NOW, Some(ONE))];
    Data::Sum(Sum {
        data_points,
        aggregation_temporality,
        is_monotonic: false,
    })
}

#[test]
fn points_that_cannot_count_are_rejected_by_name() {
    let start = at(-40);
    let value = |value| point(start, NOW, Some(value));
    let summary = Summary {
        data_points: vec![SummaryDataPoint::default()],
    };
    for (reason, data) in [
        ("without a time", sum(DELTA, point(0, 0, Some(ONE)))),
        ("no aggregation temporality", sum(0, value(ONE))),
        ("without a value", sum(DELTA, point(start, NOW, None))),
        ("without a value", gauge(value(Number::AsDouble(f64::NAN)))),
        (
            "starts after its time",
            sum(DELTA, point(start, start - 1, Some(ONE))),
        ),
        ("negative", sum(DELTA, value(Number::AsInt(-1)))),
        (
            "no number",
            sum(CUMULATIVE, value(Number::AsDouble(f64::INFINITY))),
        ),
        ("may fall", may_fall(DELTA)),
        ("in the future", sum(DELTA, point(start, at(61), Some(ONE)))),
        ("too old", gauge(point(0, at(-7201), Some(ONE)))),
        ("do not sum", buckets(&[1, 1], &[5.0])),
        ("do not fit", buckets(&[1, 2], &[5.0, 6.0])),
        ("do not rise", buckets(&[1, 1, 1], &[6.0, 5.0])),
        ("summaries", Data::Summary(summary)),
    ] {
        let decoded = decoded(Kind::Metrics, &metrics("requests", "1", data));
        assert!(decoded.points.is_empty(), "{reason}");
        assert_eq!(decoded.classes.rejected(), 1, "{reason}");
        let problems = decoded.problems.to_string();
        assert!(problems.contains(reason), "{reason}: {problems}");
    }
}

#[test]
fn a_point_without_a_recorded_value_is_no_zero() {
    let stale = NumberDataPoint {
        flags: 1,
        ..point(0, NOW, Some(Number::AsInt(0)))
    };
    let decoded = decoded(Kind::Metrics, &metrics("m", "1", gauge(stale)));
    assert_eq!(
        (decoded.points.len(), decoded.classes.counted.total),
        (0, 1)
    );
}

#[test]
fn series_of_metrics_say_what_they_are() {
    let rises = sum(CUMULATIVE, point(at(-40), NOW, Some(ONE)));
    for (case, data, signal) in [
        ("a sum that only rises", rises, Signal::Sum),
        ("a sum that may fall", may_fall(CUMULATIVE), Signal::Gauge),
        (
            "a histogram",
            buckets(&[1, 2], &[5.0]),
            Signal::Distribution,
        ),
    ] {
        let decoded = decoded(Kind::Metrics, &metrics("m", "By", data));
        let key = &decoded.new_series[0].1;
        assert_eq!(
            (&*key.service, &*key.name, &*key.unit),
            ("shop", "m", "By"),
            "{case}"
        );
        assert_eq!(key.signal, signal, "{case}");
        assert_eq!(
            first_of(&decoded.points).series,
            decoded.new_series[0].0,
            "{case}"
        );
    }
}

fn stream(change: fn(&mut ExportMetricsServiceRequest)) -> StreamId {
    let mut one = point(0, NOW, Some(ONE));
    one.attributes = vec![text("a", "1"), text("b", "2")];
    let mut request = metrics("m", "1", gauge(one));
    change(&mut request);
    let (body, known) = (request.encode_to_vec(), Known::new());
    let decoded = decode(
        Kind::Metrics,
        Encoding::Protobuf,
        &body,
        &measure(),
        &known,
        NOW,
    );
    first_of(&decoded.expect("a good request").points).stream
}

#[test]
fn streams_are_told_apart_by_everything_but_order() {
    let same = stream(|_| {});
    let turned = stream(|request| {
        let resource = request.resource_metrics[0].resource.as_mut();
        resource.expect("a resource").attributes.reverse();
    });
    assert_eq!(turned, same, "order");
    for (case, other) in [
        (
            "resource",
            stream(|request| {
                request.resource_metrics[0].resource = None;
            }),
        ),
        (
            "scope",
            stream(|request| {
                in_scope(request).scope = None;
            }),
        ),
        (
            "unit",
            stream(|request| in_scope(request).metrics[0].unit.clear()),
        ),
        (
            "name",
            stream(|request| in_scope(request).metrics[0].name.push('x')),
        ),
    ] {
        assert_ne!(other, same, "{case}");
    }
}

fn in_scope(request: &mut ExportMetricsServiceRequest) -> &mut ScopeMetrics {
    &mut request.resource_metrics[0].scope_metrics[0]
}
