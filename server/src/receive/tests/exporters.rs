//! Unmodified OpenTelemetry exporters.

use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_otlp::{
    Compression, ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig,
    WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::task::spawn_blocking;

use super::*;
use crate::telemetry::{Telemetry, TelemetryConfig};

const COMPRESSIONS: [Option<Compression>; 3] =
    [None, Some(Compression::Gzip), Some(Compression::Zstd)];

fn over_grpc(
    served: &Served,
    compression: Option<Compression>,
) -> Result<SpanExporter, ExporterBuildError> {
    let builder = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(served.url(""));
    match compression {
        Some(compression) => builder.with_compression(compression).build(),
        None => builder.build(),
    }
}

fn over_http(
    served: &Served,
    compression: Option<Compression>,
) -> Result<SpanExporter, ExporterBuildError> {
    let builder = SpanExporter::builder()
        .with_http()
        .with_http_client(client(false))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(served.url("/v1/traces"));
    match compression {
        Some(compression) => builder.with_compression(compression).build(),
        None => builder.build(),
    }
}

/// Ends one span, which the provider exports before the call returns.
async fn export_one_span(exporter: SpanExporter) {
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter)
        .build();
    let ended = spawn_blocking(move || {
        provider.tracer("test").in_span("checkout", |_| {});
        provider.shutdown()
    });
    ended.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_arrive_over_grpc_and_http_in_every_compression() {
    let mut served = Served::start().await;
    let mut submitted = served.journal_answers(Ok(Answer::default()));
    for compression in COMPRESSIONS {
        for exporter in [over_grpc, over_http] {
            export_one_span(exporter(&served, compression).unwrap()).await;
            let seen = submitted.recv().await.unwrap();
            assert_eq!(
                (seen.kind, seen.items),
                (Kind::Traces, 1),
                "{compression:?}"
            );
        }
    }
    for transport in ["grpc", "http_protobuf"] {
        served.assert_counted(&format!(
            "sloburn_receive_requests_total{{signal=\"traces\",transport=\"{transport}\",outcome=\"accepted\"}} 3"
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_arrive_over_grpc_and_the_exporter_is_content_with_the_answer() {
    let mut served = Served::start().await;
    let mut submitted = served.journal_answers(Ok(Answer::default()));
    let exporter = MetricExporter::builder()
        .with_tonic()
        .with_endpoint(served.url(""))
        .build()
        .unwrap();
    let provider = SdkMeterProvider::builder()
        .with_periodic_exporter(exporter)
        .build();
    provider
        .meter("test")
        .u64_counter("orders")
        .build()
        .add(1, &[]);
    let flushed = spawn_blocking(move || {
        let flushed = provider.force_flush();
        provider.shutdown().and(flushed)
    });
    flushed.await.unwrap().unwrap();
    let seen = submitted.recv().await.unwrap();
    assert_eq!((seen.kind, seen.items), (Kind::Metrics, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_traces_and_metrics_arrive_at_the_configured_endpoint() {
    let mut served = Served::start().await;
    let mut submitted = served.journal_answers(Ok(Answer::default()));
    let config = TelemetryConfig {
        otlp_endpoint: Some(served.url("")),
        ..TelemetryConfig::default()
    };
    let (subscriber, telemetry) = Telemetry::prepare(&config, std::io::sink).unwrap();
    telemetry.export(&served.metrics);
    let said = spawn_blocking(move || {
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("tick").in_scope(|| {});
            tracing::info_span!(target: "h2::codec", "would feed itself").in_scope(|| {});
        });
        telemetry.shutdown();
    });
    said.await.unwrap();
    served.stop.cancel();
    let mut arrived = Vec::new();
    while let Ok(seen) = submitted.try_recv() {
        arrived.push((seen.kind, seen.items));
    }
    // One span; and the figures of `/metrics` that have no labels.
    assert_eq!(arrived, [(Kind::Traces, 1), (Kind::Metrics, 5)]);
}
