//! The shop's instances, one for each service, region and version: each a real OpenTelemetry SDK with its own resource,
//! exporting to the server as any service would. Some use gRPC, some HTTP; some counters are cumulative, some delta.

mod platform;
mod transport;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use opentelemetry::metrics::{Counter, Gauge, Histogram, MeterProvider as _};
use opentelemetry::trace::{
    Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use self::platform::Platform;
use self::transport::{Transport, metrics_over, temporality, traces_over};
use super::faults::{Effect, FAULTS};
use super::shop::{Operation, Region, Service, Tier};
use super::traffic::{Call, Shape, Visit};

/// Bounds of request durations in seconds: those of the semantic conventions.
const DURATION_BOUNDS_S: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Where to send, as URLs without a path.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    pub(crate) grpc: String,
    pub(crate) http: String,
}

/// All instances of the shop.
#[derive(Debug)]
pub(crate) struct Fleet {
    instances: BTreeMap<(Service, Region, &'static str), Instance>,
}

/// Whether a visit shows in metrics too. The SDK stamps metrics with the present, so what lies in the past has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signals {
    Traces,
    TracesAndMetrics,
}

/// One running copy of a service.
#[derive(Debug)]
struct Instance {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    tracer: SdkTracer,
    durations: Histogram<f64>,
    sign_ins: Counter<u64>,
    orders: Counter<u64>,
    busy: Gauge<f64>,
    platform: Platform,
}

/// What all spans of a visit share.
#[derive(Clone, Copy, Debug)]
struct Trace<'a> {
    visit: &'a Visit,
    began: SystemTime,
    signals: Signals,
}

impl Endpoints {
    /// Endpoints of listeners on this machine.
    pub(crate) fn of(grpc: SocketAddr, http: SocketAddr) -> Self {
        Self {
            grpc: format!("http://{grpc}"),
            http: format!("http://{http}"),
        }
    }
}

impl Fleet {
    /// Builds every instance of the shop. Must be called in a Tokio runtime, whose threads the exporters use.
    pub(crate) fn open(endpoints: &Endpoints) -> Result<Self, ExporterBuildError> {
        Self::build(|service, resource| {
            let transport = Transport::of(service);
            Ok((
                traces_over(transport, endpoints, resource.clone())?,
                metrics_over(transport, endpoints, resource, temporality(service))?,
            ))
        })
    }

    fn build<E>(
        mut providers: impl FnMut(Service, Resource) -> Result<(SdkTracerProvider, SdkMeterProvider), E>,
    ) -> Result<Self, E> {
        let mut instances = BTreeMap::new();
        for service in Service::ALL {
            for region in Region::ALL {
                for version in versions(service, region) {
                    let (traces, metrics) = providers(service, resource(service, region, version))?;
                    instances.insert(
                        (service, region, version),
                        Instance::new(service, traces, metrics),
                    );
                }
            }
        }
        Ok(Self { instances })
    }

    /// Records a visit as spans and metrics; `opened` is when the shop opened. Returns the number of spans.
    pub(crate) fn record(&self, visit: &Visit, opened: SystemTime, signals: Signals) -> u64 {
        let trace = Trace {
            visit,
            began: opened + visit.began(),
            signals,
        };
        self.call(&visit.root, trace, &Context::new())
    }

    fn call(&self, call: &Call, trace: Trace<'_>, parent: &Context) -> u64 {
        let Some(instance) = self
            .instances
            .get(&(call.service, trace.visit.region, call.version))
        else {
            return 0;
        };
        let begins = trace.began + call.begins;
        let ends = begins + call.took;
        let (kind, name) = call.shape.kind_and_name();
        let mut span = instance
            .tracer
            .span_builder(name)
            .with_kind(kind)
            .with_start_time(begins)
            .with_attributes(call.attributes(trace.visit.tier))
            .start_with_context(&instance.tracer, parent);
        if call.shape.failed() {
            span.set_status(Status::error(call.error.map_or("", |(_, message)| message)));
        }
        if let Some((kind, message)) = call.error {
            let facts = vec![
                KeyValue::new("exception.type", kind),
                KeyValue::new("exception.message", message),
            ];
            span.add_event_with_timestamp("exception", ends, facts);
        }
        let context = Context::new().with_remote_span_context(span.span_context().clone());
        let inner: u64 = call
            .calls
            .iter()
            .map(|call| self.call(call, trace, &context))
            .sum();
        span.end_with_timestamp(ends);
        if trace.signals == Signals::TracesAndMetrics {
            instance.measure(call, trace.visit.tier);
        }
        inner + 1
    }

    /// Records how busy each instance was, from all visits that ended within `step`.
    pub(crate) fn record_load(&self, visits: &[Visit], step: Duration) {
        let mut busy: BTreeMap<_, Duration> = self
            .instances
            .keys()
            .map(|key| (*key, Duration::ZERO))
            .collect();
        for visit in visits {
            visit.root.each(&mut |call| {
                if let Shape::Server { .. } = call.shape {
                    *busy
                        .entry((call.service, visit.region, call.version))
                        .or_default() += call.took;
                }
            });
        }
        for (key, spent) in busy {
            if let Some(instance) = self.instances.get(&key) {
                // Requests in progress = time spent in requests ÷ time passed (Little's law).
                let busy = spent.div_duration_f64(step);
                instance.busy.record(busy, &[]);
                instance.platform.record(busy);
            }
        }
    }

    /// Sends all that is waiting; blocks until it is answered or has failed.
    pub(crate) fn flush_traces(&self) -> OTelSdkResult {
        self.instances
            .values()
            .try_for_each(|instance| instance.traces.force_flush())
    }

    /// Sends all that is waiting and ends every instance; blocks up to `patience` for each.
    pub(crate) fn close(&self, patience: Duration) -> OTelSdkResult {
        let closed: Vec<OTelSdkResult> = self
            .instances
            .values()
            .flat_map(|instance| {
                [
                    instance.traces.shutdown_with_timeout(patience),
                    instance.metrics.shutdown_with_timeout(patience),
                ]
            })
            .collect();
        closed.into_iter().collect()
    }
}

impl Instance {
    fn new(service: Service, traces: SdkTracerProvider, metrics: SdkMeterProvider) -> Self {
        let meter = metrics.meter("shop");
        let durations = meter
            .f64_histogram("http.server.request.duration")
            .with_unit("s")
            .with_description("How long requests took to answer")
            .with_boundaries(DURATION_BOUNDS_S.to_vec())
            .build();
        let sign_ins = meter
            .u64_counter("shop.sign_ins")
            .with_unit("{attempt}")
            .with_description("Attempts to sign in, by outcome")
            .build();
        let orders = meter
            .u64_counter("shop.orders")
            .with_unit("{order}")
            .with_description("Orders taken, by customer tier")
            .build();
        let busy = meter
            .f64_gauge("shop.workers.busy")
            .with_unit("{worker}")
            .with_description("Requests in progress, on average over the last step")
            .build();
        let tracer = traces.tracer(service.name());
        let platform = Platform::new(service, &meter);
        Self {
            traces,
            metrics,
            tracer,
            durations,
            sign_ins,
            orders,
            busy,
            platform,
        }
    }

    fn measure(&self, call: &Call, tier: Tier) {
        let Shape::Server { operation, status } = call.shape else {
            return;
        };
        let facts = request_facts(operation, status, tier);
        self.durations.record(call.took.as_secs_f64(), &facts);
        let by_tier = KeyValue::new("customer.tier", tier.name());
        match (operation.service, operation.route) {
            (Service::Identity, "/sign-in") => {
                let outcome = match status {
                    500.. => "error",
                    400.. => "rejected",
                    _ => "success",
                };
                self.sign_ins
                    .add(1, &[KeyValue::new("outcome", outcome), by_tier]);
            }
            (Service::Checkout, "/checkout") if status < 400 => self.orders.add(1, &[by_tier]),
            _ => {}
        }
    }
}

impl Shape {
    fn kind_and_name(self) -> (SpanKind, &'static str) {
        match self {
            Self::Server { operation, .. } => (SpanKind::Server, operation.name),
            Self::Client { operation, .. } => (SpanKind::Client, operation.name),
            Self::Inside { name, .. } => (SpanKind::Internal, name),
        }
    }

    /// Whether the span's status is error: a server's answers below 500 are not its failures, a client's are.
    fn failed(self) -> bool {
        match self {
            Self::Server { status, .. } => status >= 500,
            Self::Client { status, .. } => status >= 400,
            Self::Inside { failed, .. } => failed,
        }
    }
}

impl Call {
    fn attributes(&self, tier: Tier) -> Vec<KeyValue> {
        let mut facts = match self.shape {
            Shape::Server { operation, status } => request_facts(operation, status, tier),
            Shape::Client { operation, status } => {
                let mut facts = request_facts(operation, status, tier);
                facts.push(KeyValue::new("server.address", operation.service.name()));
                facts
            }
            Shape::Inside { .. } => vec![KeyValue::new("customer.tier", tier.name())],
        };
        if let Some((kind, _)) = self.error {
            facts.push(KeyValue::new("error.type", kind));
        }
        facts
    }
}

/// The versions a service ever runs in a region.
fn versions(service: Service, region: Region) -> Vec<&'static str> {
    let mut versions = vec![service.version()];
    versions.extend(
        FAULTS
            .iter()
            .filter(|fault| fault.runs_in(service, region))
            .filter_map(|fault| match fault.effect {
                Effect::BadRelease { version, .. } => Some(version),
                Effect::Slow { .. } | Effect::Failing { .. } => None,
            }),
    );
    versions
}

fn resource(service: Service, region: Region, version: &'static str) -> Resource {
    let pod = format!(
        "{}-{}-{}",
        service.name(),
        version.replace('.', ""),
        region.name()
    );
    Resource::builder_empty()
        .with_service_name(service.name())
        .with_attributes([
            KeyValue::new("service.namespace", "shop"),
            KeyValue::new("service.version", version),
            KeyValue::new("service.instance.id", pod),
            KeyValue::new("deployment.environment.name", "demo"),
            KeyValue::new("cloud.region", region.name()),
        ])
        .build()
}

fn request_facts(operation: &Operation, status: u16, tier: Tier) -> Vec<KeyValue> {
    vec![
        KeyValue::new("http.request.method", operation.method),
        KeyValue::new("http.route", operation.route),
        KeyValue::new("http.response.status_code", i64::from(status)),
        KeyValue::new("url.scheme", "http"),
        KeyValue::new("customer.tier", tier.name()),
    ]
}

#[cfg(test)]
mod tests;
