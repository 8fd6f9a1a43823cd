//! Bombs in protobuf.

use acceptance::clock;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::{Bomb, GROWTH_OF_POINTS, LARGE, WIRE, gzip};

/// Elements without anything in them, and lengths without anything behind them.
pub(super) fn of_nothing() -> Vec<Bomb> {
    let empty = [0x0a, 0].repeat(LARGE / 2);
    let empty_in_scope = [0x12, 0].repeat(LARGE / 2);
    let groups = vec![0x0b; LARGE - 1];
    let of_spans = [
        ("millions of empty resources", empty, 413),
        ("millions of empty scopes", field(1, &empty_in_scope), 413),
        ("millions of empty spans", around(&empty_in_scope), 413),
        ("groups a million deep", groups.clone(), 400),
        (
            "groups a million deep in a span",
            span_with(&groups[..LARGE - 200]),
            200,
        ),
    ];
    let of_spans =
        of_spans.map(|(name, payload, answered)| Bomb::protobuf(name, &payload, answered));
    let many = gzip(&[0x0a, 0].repeat(32 << 20));
    let lengths = [
        Bomb::new("32 million empty resources", "gzip", many, 413),
        Bomb::new(
            "a length of 4 GiB",
            "",
            vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
            400,
        ),
        Bomb::new(
            "a length of 2^64",
            "",
            [vec![0x0a], vec![0xff; 9], vec![1]].concat(),
            400,
        ),
    ];
    of_spans.into_iter().chain(lengths).collect()
}

/// One span, and what may be in it.
pub(super) fn of_one_span() -> Vec<Bomb> {
    let in_span = [
        (
            "a span with millions of empty attributes",
            [0x4a, 0].repeat(LARGE / 2),
        ),
        (
            "a span with millions of empty events",
            [0x5a, 0].repeat(LARGE / 2),
        ),
        (
            "a span with an attribute a million times",
            route(&field(1, b"x")).repeat(LARGE / 19),
        ),
        (
            "an attribute of 7 MiB",
            route(&field(1, &vec![b'x'; LARGE - 200])),
        ),
        (
            "an attribute of 7 MiB that is no text",
            route(&field(1, &vec![0xff; LARGE - 200])),
        ),
        ("a name of 7 MiB", field(5, &vec![b'x'; LARGE - 200])),
        (
            "a name of 7 MiB that is no text",
            field(5, &vec![0xff; LARGE - 200]),
        ),
        (
            "arrays ten thousand deep",
            route(&nested_arrays(WIRE - 400)),
        ),
        (
            "an array of a million texts",
            route(&field(5, &field(1, &field(1, b"x")).repeat(LARGE / 6))),
        ),
    ];
    in_span
        .map(|(name, more)| Bomb::protobuf(name, &span_with(&more), 200))
        .into()
}

/// Points of metrics.
pub(super) fn of_points() -> Vec<Bomb> {
    let now = clock::now_nanos();
    let number = |attributes| NumberDataPoint {
        attributes,
        start_time_unix_nano: now - 1_000_000,
        time_unix_nano: now,
        value: Some(Value::AsInt(1)),
        ..NumberDataPoint::default()
    };
    let sum = |points| {
        metrics(Data::Sum(Sum {
            data_points: points,
            aggregation_temporality: 2,
            is_monotonic: true,
        }))
    };
    let histogram = HistogramDataPoint {
        start_time_unix_nano: now - 1_000_000,
        time_unix_nano: now,
        count: 400_000,
        bucket_counts: vec![1; 400_000],
        explicit_bounds: (1..400_000_u32).map(|n| f64::from(n / 64)).collect(),
        ..HistogramDataPoint::default()
    };
    let histogram = metrics(Data::Histogram(Histogram {
        data_points: vec![histogram],
        aggregation_temporality: 2,
    }));
    let empty = field(
        1,
        &field(2, &field(2, &field(7, &[0x0a, 0].repeat(LARGE / 2)))),
    );
    [
        Bomb::protobuf(
            "a point a hundred thousand times",
            &sum(vec![number(Vec::new()); 99_000]),
            200,
        ),
        Bomb::protobuf("millions of empty points", &empty, 413),
        Bomb::protobuf("a histogram of 400 000 buckets", &histogram, 200),
        Bomb::protobuf(
            "millions of empty metrics",
            &around(&[0x12, 0].repeat(LARGE / 2)),
            413,
        ),
    ]
    .map(|bomb| Bomb {
        path: "/v1/metrics",
        growth: GROWTH_OF_POINTS,
        ..bomb
    })
    .into()
}

fn metrics(data: Data) -> Vec<u8> {
    let metric = Metric {
        name: "requests".to_owned(),
        data: Some(data),
        ..Metric::default()
    };
    let of_scope = ScopeMetrics {
        metrics: vec![metric],
        ..ScopeMetrics::default()
    };
    let of_resource = ResourceMetrics {
        scope_metrics: vec![of_scope],
        ..ResourceMetrics::default()
    };
    let resource_metrics = vec![of_resource];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

/// A field that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    field.push(length.to_le_bytes()[0]);
    field.extend_from_slice(bytes);
    field
}

/// A request of one resource and one scope with these bytes as its spans.
fn around(spans: &[u8]) -> Vec<u8> {
    field(1, &field(2, spans))
}

/// The bytes of a span that is well, to be added to.
fn span() -> Vec<u8> {
    let now = clock::now_nanos();
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "GET /".to_owned(),
        kind: 2,
        start_time_unix_nano: now - 1_000_000,
        end_time_unix_nano: now,
        ..Span::default()
    };
    span.encode_to_vec()
}

/// A request with a span that has these bytes as well.
fn span_with(more: &[u8]) -> Vec<u8> {
    around(&field(2, &[span(), more.to_vec()].concat()))
}

/// The attribute that specs look at, with these bytes as its value.
fn route(value: &[u8]) -> Vec<u8> {
    field(9, &[field(1, b"http.route"), field(2, value)].concat())
}

/// Arrays within arrays, outermost last.
fn nested_arrays(bytes: usize) -> Vec<u8> {
    // Written from the inside, back to front.
    let mut reversed = Vec::new();
    while reversed.len() < bytes {
        for number in [1_u8, 5] {
            let header = field(number, &[]);
            let mut length = reversed.len();
            let mut varint = Vec::new();
            while length >= 0x80 {
                varint.push(length.to_le_bytes()[0] | 0x80);
                length >>= 7;
            }
            varint.push(length.to_le_bytes()[0]);
            reversed.extend(varint.iter().rev());
            reversed.push(header[0]);
        }
    }
    reversed.reverse();
    reversed
}
