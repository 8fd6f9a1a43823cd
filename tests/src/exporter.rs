//! The real OpenTelemetry SDK for Rust with its real OTLP exporter, as an instrumented service uses it.

use std::time::Duration;

use anyhow::{Context, Result};
use opentelemetry::trace::{SpanKind, Status, Tracer, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;

/// An instrumented service: its spans leave through a batch processor and a gRPC exporter.
#[derive(Debug)]
pub struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    /// A service named `service` that exports to `endpoint`. Call it within a Tokio runtime.
    pub fn grpc(service: &str, endpoint: &str) -> Result<Exporter> {
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(Duration::from_secs(10))
            .build()
            .context("no exporter")?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(
                Resource::builder()
                    .with_service_name(service.to_owned())
                    .build(),
            )
            .build();
        Ok(Exporter { provider })
    }

    /// Ends `good` and `bad` server spans now, and waits until the exporter has had them acknowledged.
    pub async fn serve_requests(&self, good: usize, bad: usize) -> Result<()> {
        let tracer = self.provider.tracer("acceptance");
        for number in 0..good + bad {
            let mut span = tracer
                .span_builder("POST /checkout")
                .with_kind(SpanKind::Server)
                .start(&tracer);
            if number >= good {
                opentelemetry::trace::Span::set_status(&mut span, Status::error("no answer"));
            }
        }
        let provider = self.provider.clone();
        // The SDK's flush blocks its thread.
        tokio::task::spawn_blocking(move || provider.force_flush())
            .await?
            .context("the exporter did not get its spans acknowledged")
    }
}
