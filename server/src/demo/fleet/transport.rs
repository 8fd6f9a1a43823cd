//! How an instance reaches the server: OTLP by gRPC, by gRPC with gzip, or by HTTP with protobuf.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use opentelemetry_otlp::{
    Compression, ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig as _,
    WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanData,
    SpanExporter as ExportSpans,
};
use tokio::runtime::Handle;

use super::Endpoints;
use crate::demo::shop::Service;

/// How often spans leave an instance; the SDK's own default is 5 s, which a person watching feels.
const SPAN_DELAY: Duration = Duration::from_secs(1);

/// How often metrics leave an instance: twice in a slice.
const METRIC_INTERVAL: Duration = Duration::from_secs(5);

/// How an instance reaches the server.
#[derive(Clone, Copy, Debug)]
pub(super) enum Transport {
    Grpc,
    GrpcGzip,
    Http,
}

/// An exporter that needs Tokio, made usable on the SDK's own threads: every poll happens inside the runtime.
#[derive(Debug)]
struct InRuntime<E> {
    exporter: E,
    runtime: Handle,
}

impl Transport {
    pub(super) fn of(service: Service) -> Self {
        match service {
            Service::EdgeGateway | Service::Identity => Self::Grpc,
            Service::Checkout => Self::GrpcGzip,
            Service::Payments | Service::Search => Self::Http,
        }
    }
}

impl<E: ExportSpans> ExportSpans for InRuntime<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        inside(&self.runtime, self.exporter.export(batch)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for InRuntime<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        inside(&self.runtime, self.exporter.export(metrics)).await
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

async fn inside<F: Future>(runtime: &Handle, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _inside = runtime.enter();
        future.as_mut().poll(context)
    })
    .await
}

/// Payments and identity count in deltas, so that the demo shows both kinds.
pub(super) fn temporality(service: Service) -> Temporality {
    match service {
        Service::Payments | Service::Identity => Temporality::Delta,
        Service::EdgeGateway | Service::Checkout | Service::Search => Temporality::Cumulative,
    }
}

/// A tracer provider with this resource that sends in batches.
pub(super) fn traces_over(
    transport: Transport,
    endpoints: &Endpoints,
    resource: Resource,
) -> Result<SdkTracerProvider, ExporterBuildError> {
    let batches = BatchConfigBuilder::default()
        .with_scheduled_delay(SPAN_DELAY)
        .with_max_queue_size(16_384)
        .build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let processor = match transport {
        Transport::Grpc | Transport::GrpcGzip => {
            let mut exporter = SpanExporter::builder()
                .with_tonic()
                .with_endpoint(&endpoints.grpc);
            if matches!(transport, Transport::GrpcGzip) {
                exporter = exporter.with_compression(Compression::Gzip);
            }
            BatchSpanProcessor::new(exporter.build()?, batches)
        }
        Transport::Http => {
            let exporter = SpanExporter::builder()
                .with_http()
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(format!("{}/v1/traces", endpoints.http))
                .build()?;
            BatchSpanProcessor::new(
                InRuntime {
                    exporter,
                    runtime: Handle::current(),
                },
                batches,
            )
        }
    };
    Ok(builder.with_span_processor(processor).build())
}

/// A meter provider with this resource that sends every [`METRIC_INTERVAL`].
pub(super) fn metrics_over(
    transport: Transport,
    endpoints: &Endpoints,
    resource: Resource,
    temporality: Temporality,
) -> Result<SdkMeterProvider, ExporterBuildError> {
    let exporter = MetricExporter::builder().with_temporality(temporality);
    let builder = SdkMeterProvider::builder().with_resource(resource);
    Ok(match transport {
        Transport::Grpc | Transport::GrpcGzip => {
            let mut exporter = exporter.with_tonic().with_endpoint(&endpoints.grpc);
            if matches!(transport, Transport::GrpcGzip) {
                exporter = exporter.with_compression(Compression::Gzip);
            }
            let reader = PeriodicReader::builder(exporter.build()?);
            builder
                .with_reader(reader.with_interval(METRIC_INTERVAL).build())
                .build()
        }
        Transport::Http => {
            let exporter = exporter
                .with_http()
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(format!("{}/v1/metrics", endpoints.http))
                .build()?;
            let reader = PeriodicReader::builder(InRuntime {
                exporter,
                runtime: Handle::current(),
            });
            builder
                .with_reader(reader.with_interval(METRIC_INTERVAL).build())
                .build()
        }
    })
}
