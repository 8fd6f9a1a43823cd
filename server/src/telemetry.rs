//! What sloburn says of itself: logs on standard error, and traces and metrics over OTLP when an endpoint is set.
//!
//! The endpoint may be our own: exporting to oneself does not feed itself. The receiving path makes no spans, the
//! crates that export and serve (h2, hyper, tonic, tower, reqwest, opentelemetry) are silenced for every layer, and
//! a batch of own spans is one request every 5 s at most, whose commit adds one span to a later batch.

mod gauges;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use thiserror::Error;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, ParseError, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::metrics::Metrics;

/// Crates whose own events would make an exporter to ourselves feed itself, or drown the log.
const SILENCED: [&str; 6] = ["h2", "hyper", "tonic", "tower", "reqwest", "opentelemetry"];

/// How long an export, or the last flush, may take.
const EXPORT_TIME: Duration = Duration::from_secs(5);

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// What to say of ourselves, and where.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// How logs are written. Default text.
    pub format: LogFormat,
    /// Which events are logged, as directives of `tracing-subscriber`: `info`, `info,server::journal=debug`.
    pub filter: String,
    /// Where own traces and metrics go over OTLP/gRPC, such as `http://127.0.0.1:4317`; none by default.
    pub otlp_endpoint: Option<String>,
    /// What tells this process from others of its kind, as `service.instance.id`.
    pub instance: String,
}

impl Default for TelemetryConfig {
    fn default() -> TelemetryConfig {
        TelemetryConfig {
            format: LogFormat::Text,
            filter: "info".to_owned(),
            otlp_endpoint: None,
            instance: "sloburn".to_owned(),
        }
    }
}

/// Why telemetry could not be started.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter's directives cannot be read; see `tracing-subscriber`'s documentation of `EnvFilter`.
    #[error("log filter `{filter}` is not understood")]
    Filter {
        /// The filter as configured.
        filter: String,
        /// Where it is wrong.
        source: ParseError,
    },
    /// The exporter to the configured endpoint could not be built.
    #[error("own telemetry cannot be sent to `{endpoint}`")]
    Exporter {
        /// The endpoint as configured.
        endpoint: String,
        /// Why not.
        source: ExporterBuildError,
    },
    /// Something else in this process has set up logging.
    #[error("logging is already set up")]
    AlreadySet(#[from] TryInitError),
}

/// Running telemetry. To be [shut down](Telemetry::shutdown) last, so that what was said on the way out is sent.
#[derive(Debug)]
#[must_use = "dropping it loses what was not exported yet"]
pub struct Telemetry {
    exporters: Option<Exporters>,
}

#[derive(Debug)]
struct Exporters {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

impl Telemetry {
    /// Sets up logging for the process and, with an endpoint, exports own traces. Once per process, within a runtime.
    pub fn start(config: &TelemetryConfig) -> Result<Telemetry, TelemetryError> {
        let (subscriber, telemetry) = Telemetry::prepare(config, std::io::stderr)?;
        subscriber.try_init()?;
        Ok(telemetry)
    }

    /// The same without making it the process's: what is to be subscribed, with its logs going to `writer`.
    pub(crate) fn prepare<W>(
        config: &TelemetryConfig,
        writer: W,
    ) -> Result<(impl Subscriber + Send + Sync + use<W>, Telemetry), TelemetryError>
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        let exporters = Exporters::start(config)?;
        let subscriber = subscriber(config, exporters.as_ref(), writer)?;
        Ok((subscriber, Telemetry { exporters }))
    }

    /// Exports `metrics`' main figures too, when there is an endpoint.
    pub(crate) fn export(&self, metrics: &Metrics) {
        if let Some(exporters) = &self.exporters {
            gauges::observe(&exporters.metrics, metrics);
        }
    }

    /// Sends what is left, within some seconds. To be called off the runtime's worker threads.
    pub fn shutdown(self) {
        let Some(exporters) = self.exporters else {
            return;
        };
        for ended in [
            exporters.traces.shutdown_with_timeout(EXPORT_TIME),
            exporters.metrics.shutdown_with_timeout(EXPORT_TIME),
        ] {
            if let Err(error) = ended {
                tracing::warn!(error = %error, "the last own telemetry could not be sent");
            }
        }
    }
}

impl Exporters {
    fn start(config: &TelemetryConfig) -> Result<Option<Exporters>, TelemetryError> {
        let Some(endpoint) = &config.otlp_endpoint else {
            return Ok(None);
        };
        let wrong = |source| TelemetryError::Exporter {
            endpoint: endpoint.clone(),
            source,
        };
        let spans = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(EXPORT_TIME)
            .build()
            .map_err(wrong)?;
        let points = MetricExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(EXPORT_TIME)
            .build()
            .map_err(wrong)?;
        let resource = resource(&config.instance);
        let traces = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(spans)
            .build();
        let metrics = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_periodic_exporter(points)
            .build();
        Ok(Some(Exporters { traces, metrics }))
    }
}

fn resource(instance: &str) -> Resource {
    Resource::builder_empty()
        .with_service_name("sloburn")
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", instance.to_owned()),
        ])
        .build()
}

fn subscriber<W>(
    config: &TelemetryConfig,
    exporters: Option<&Exporters>,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&config.filter).map_err(|source| TelemetryError::Filter {
        filter: config.filter.clone(),
        source,
    })?;
    let traces = exporters.map(|exporters| {
        let tracer = exporters.traces.tracer("sloburn");
        let info = Targets::new().with_default(LevelFilter::INFO);
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_filter(info)
    });
    Ok(tracing_subscriber::registry()
        .with(silence())
        .with(traces)
        .with(lines(config.format, writer).with_filter(filter)))
}

/// Turns the exporting and serving crates off for every layer, below warnings.
fn silence() -> Targets {
    let targets = SILENCED.map(|target| (target, LevelFilter::WARN));
    Targets::new()
        .with_default(LevelFilter::TRACE)
        .with_targets(targets)
}

fn lines<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => layer.with_ansi(false).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing::subscriber::with_default;

    use super::*;

    /// Keeps what is logged.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: &str, say: impl FnOnce()) -> String {
        let config = TelemetryConfig {
            format,
            filter: filter.to_owned(),
            ..TelemetryConfig::default()
        };
        let paper = Paper::default();
        let writer = paper.clone();
        let (subscriber, _telemetry) = Telemetry::prepare(&config, move || writer.clone()).unwrap();
        with_default(subscriber, say);
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_log_line_is_one_object_with_its_fields() {
        let text = logged(LogFormat::Json, "info", || {
            tracing::info!(objective.id = "checkout", "it is\nburning");
        });
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "it is\nburning");
        assert_eq!(line["objective.id"], "checkout");
        assert_eq!(line["level"], "INFO");
        assert_eq!(text.matches('\n').count(), 1);
    }

    #[test]
    fn the_filter_holds_and_the_exporting_crates_are_silent_whatever_it_says() {
        let text = logged(LogFormat::Text, "trace,server=warn", || {
            tracing::info!(target: "server", "hidden by the filter");
            tracing::warn!(target: "server", "shown");
            tracing::debug!(target: "h2::codec", "would feed itself");
            tracing::info!(target: "opentelemetry_sdk", "would feed itself");
            tracing::warn!(target: "opentelemetry_sdk", "an export failed");
        });
        assert!(text.contains("shown") && text.contains("an export failed"));
        assert!(!text.contains("hidden") && !text.contains("feed"), "{text}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let config = TelemetryConfig {
            filter: "server=loud".to_owned(),
            ..TelemetryConfig::default()
        };
        let Err(error) = Telemetry::prepare(&config, io::sink) else {
            panic!("the filter was accepted");
        };
        assert_eq!(
            error.to_string(),
            "log filter `server=loud` is not understood"
        );
    }
}
