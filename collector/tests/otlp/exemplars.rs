//! Traces that are kept to be looked at.

use collector::{Decoded, Delta, Kind, Why};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint,
    NumberDataPoint, Sum, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::given::{MILLI, NOW, SECOND, decoded, decoded_json, failed, metrics, span, traces};
use crate::points::CUMULATIVE;

/// Seconds from now to the slice's end, service, why, last byte of the trace id, milliseconds.
fn kept(decoded: &Decoded) -> Vec<(i64, String, Why, u8, u64)> {
    let now = (NOW / SECOND).cast_signed();
    let places = decoded.exemplars.iter();
    let of_place = places.flat_map(|(slice, service, exemplars)| {
        let end = slice.end_seconds() - now;
        exemplars.iter().map(move |one| {
            let last = one.trace.to_be_bytes()[15];
            (end, service.to_string(), one.why, last, one.nanos / MILLI)
        })
    });
    of_place.collect()
}

fn taking(trace: u8, millis: u64) -> Span {
    Span {
        trace_id: vec![trace; 16],
        start_time_unix_nano: NOW - millis * MILLI,
        ..span("GET /")
    }
}

#[test]
fn the_slowest_requests_and_those_that_failed_are_kept() {
    let mut earlier = taking(9, 0);
    (earlier.start_time_unix_nano, earlier.end_time_unix_nano) =
        (NOW - 30 * SECOND, NOW - 25 * SECOND);
    let client = Span {
        kind: 3,
        ..taking(8, 900)
    };
    let invalid = Span {
        span_id: vec![],
        ..taking(7, 900)
    };
    let spans = vec![
        taking(1, 10),
        taking(2, 40),
        failed(taking(3, 5)),
        taking(4, 20),
        client,
        taking(5, 30),
        invalid,
        earlier,
    ];
    let decoded = decoded(Kind::Traces, &traces("shop", spans));
    let shop = |end, why, trace, millis| (end, "shop".to_owned(), why, trace, millis);
    assert_eq!(
        kept(&decoded),
        [
            shop(-20, Why::Slow, 9, 5000),
            shop(0, Why::Failed, 3, 5),
            shop(0, Why::Slow, 2, 40),
            shop(0, Why::Slow, 5, 30),
            shop(0, Why::Slow, 4, 20),
        ]
    );
    let delta = Delta {
        exemplars: decoded.exemplars,
        ..Delta::default()
    };
    assert_eq!(
        Delta::decode(&delta.encode()),
        Ok(delta),
        "the journal keeps them"
    );
}

#[test]
fn the_traces_that_points_name_are_kept_at_their_own_time() {
    let exemplar = |trace: u8, time_unix_nano| Exemplar {
        trace_id: vec![trace; 16],
        time_unix_nano,
        ..Exemplar::default()
    };
    let exemplars = vec![
        exemplar(1, NOW - 15 * SECOND),
        exemplar(2, 0),
        exemplar(3, NOW - 8000 * SECOND),
        Exemplar {
            trace_id: vec![1, 2, 3],
            ..exemplar(4, NOW)
        },
    ];
    let sum = Sum {
        data_points: vec![NumberDataPoint {
            time_unix_nano: NOW,
            value: Some(number_data_point::Value::AsInt(3)),
            exemplars: exemplars.clone(),
            ..NumberDataPoint::default()
        }],
        aggregation_temporality: CUMULATIVE,
        is_monotonic: true,
    };
    let histogram = Histogram {
        data_points: vec![HistogramDataPoint {
            time_unix_nano: NOW,
            exemplars: exemplars.clone(),
            ..HistogramDataPoint::default()
        }],
        aggregation_temporality: CUMULATIVE,
    };
    let exponential = ExponentialHistogram {
        data_points: vec![ExponentialHistogramDataPoint {
            time_unix_nano: NOW,
            exemplars,
            ..ExponentialHistogramDataPoint::default()
        }],
        aggregation_temporality: CUMULATIVE,
    };
    let expected = [
        (-10, "shop".to_owned(), Why::Point, 1, 0),
        (0, "shop".to_owned(), Why::Point, 2, 0),
    ];
    for data in [
        Data::Sum(sum),
        Data::Histogram(histogram),
        Data::ExponentialHistogram(exponential),
    ] {
        let request = metrics("latency", "ms", data);
        assert_eq!(
            kept(&decoded(Kind::Metrics, &request)),
            expected,
            "{request:?}"
        );
    }
}

#[test]
fn exemplars_in_json_are_read_and_broken_ones_cost_only_themselves() {
    let point = r#""timeUnixNano": "1704067200000000000", "asInt": "3", "exemplars": "#;
    let body = |exemplars: &str| {
        format!(
            r#"{{"resourceMetrics": [{{"resource": {{}}, "scopeMetrics": [{{"metrics": [{{"name": "a",
            "sum": {{"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [{{{point}{exemplars}}}]}}}}]}}]}}]}}"#
        )
    };
    for (case, exemplars, traces) in [
        (
            "whole",
            r#"[{"traceId": "0102030405060708090A0b0c0d0e0f10", "spanId": "0102030405060708"}]"#,
            &[16][..],
        ),
        ("of another type", r#""none""#, &[]),
        (
            "with another inside",
            r#"[7, {"traceId": 5}, {"traceId": "00000000000000000000000000000003"}]"#,
            &[3],
        ),
        ("without a trace", r#"[{"asInt": "1"}]"#, &[]),
    ] {
        let decoded = decoded_json(Kind::Metrics, &body(exemplars));
        assert_eq!(decoded.points.len(), 1, "{case}");
        let kept: Vec<_> = kept(&decoded).iter().map(|one| one.3).collect();
        assert_eq!(kept, traces, "{case}");
    }
}
