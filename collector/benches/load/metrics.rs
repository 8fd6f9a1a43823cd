//! Requests of 100 metric points.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
};
use prost::Message;

use crate::load::{MILLI, NOW, int, resource, text};

fn metric(name: &str, unit: &str, data: Data) -> Vec<u8> {
    let metric = Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    };
    let scope_metrics = vec![ScopeMetrics {
        metrics: vec![metric],
        ..ScopeMetrics::default()
    }];
    let resource = Some(resource());
    let of_resource = ResourceMetrics {
        resource,
        scope_metrics,
        ..ResourceMetrics::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![of_resource],
    }
    .encode_to_vec()
}

fn point_attributes(n: u64) -> Vec<KeyValue> {
    vec![
        text("http.route", &format!("/api/v1/route-{}", n % 12)),
        text("http.request.method", "GET"),
        int("worker", n.cast_signed()),
    ]
}

/// 100 running totals, `round` seconds after the first ones.
pub(crate) fn sums(round: u64) -> Vec<u8> {
    let point = |n: u64| NumberDataPoint {
        attributes: point_attributes(n),
        start_time_unix_nano: NOW - 3_000_000 * MILLI,
        time_unix_nano: NOW - 2_000_000 * MILLI + round * 1000 * MILLI,
        value: Some(Number::AsInt((round * 10 + n).cast_signed())),
        ..NumberDataPoint::default()
    };
    let data_points = (0..100).map(point).collect();
    let sum = Sum {
        data_points,
        aggregation_temporality: 2,
        is_monotonic: true,
    };
    metric("http.server.requests", "{request}", Data::Sum(sum))
}

/// 100 histograms of 15 bounds, `round` seconds after the first ones.
pub(crate) fn histograms(round: u64) -> Vec<u8> {
    let bounds = [
        5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000, 20_000,
    ];
    let counts: Vec<_> = (0..16_u64).map(|bucket| round * (16 - bucket)).collect();
    let point = |n: u64| HistogramDataPoint {
        attributes: point_attributes(n),
        start_time_unix_nano: NOW - 3_000_000 * MILLI,
        time_unix_nano: NOW - 2_000_000 * MILLI + round * 1000 * MILLI,
        count: counts.iter().sum(),
        bucket_counts: counts.clone(),
        explicit_bounds: bounds.map(f64::from).to_vec(),
        ..HistogramDataPoint::default()
    };
    let data_points = (0..100).map(point).collect();
    let histogram = Histogram {
        data_points,
        aggregation_temporality: 2,
    };
    metric("http.server.duration", "ms", Data::Histogram(histogram))
}
