use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use collector::{Answer, Kind, Known, Measure};
use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, HistogramDataPoint, MetricData, ResourceMetrics, ScopeMetrics, SumDataPoint,
};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};

use tokio::net::TcpListener;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::{Endpoints, Fleet, Service, Shape, Signals};
use crate::clock::SystemClock;
use crate::demo::traffic::{Traffic, Visit};
use crate::journal::queue::{JournalHandle, Queue, Submission};
use crate::listen::{self, ConnectionLimits, Pool};
use crate::metrics::Metrics;
use crate::overflow::Overflow;
use crate::receive::{self, Receive, ReceiveLimits};
use crate::ring::Ring;

#[derive(Clone, Debug, Default)]
struct Kept {
    spans: Arc<Mutex<Vec<SpanData>>>,
    requests: Arc<Mutex<u64>>,
    sign_ins: Arc<Mutex<u64>>,
}

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.spans.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl PushMetricExporter for Kept {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        for metric in metrics.scope_metrics().flat_map(ScopeMetrics::metrics) {
            match metric.data() {
                AggregatedMetrics::F64(MetricData::Histogram(histogram))
                    if metric.name() == "http.server.request.duration" =>
                {
                    let counts = histogram.data_points().map(HistogramDataPoint::count);
                    *self.requests.lock().unwrap() += counts.sum::<u64>();
                }
                AggregatedMetrics::U64(MetricData::Sum(sum))
                    if metric.name() == "shop.sign_ins" =>
                {
                    let counts = sum.data_points().map(SumDataPoint::value);
                    *self.sign_ins.lock().unwrap() += counts.sum::<u64>();
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Delta
    }
}

fn fleet(kept: &Kept) -> Fleet {
    let built: Result<_, Infallible> = Fleet::build(|_, resource| {
        Ok((
            SdkTracerProvider::builder()
                .with_resource(resource.clone())
                .with_simple_exporter(kept.clone())
                .build(),
            SdkMeterProvider::builder()
                .with_resource(resource)
                .with_reader(PeriodicReader::builder(kept.clone()).build())
                .build(),
        ))
    });
    built.unwrap()
}

fn ten_seconds_of_a_fault() -> Vec<Visit> {
    let mut traffic = Traffic::new(9, Duration::ZERO);
    traffic.until(Duration::from_secs(50));
    traffic.until(Duration::from_mins(1))
}

#[test]
fn every_call_becomes_exactly_one_span_and_every_answer_one_measurement() {
    let visits = ten_seconds_of_a_fault();
    let (mut calls, mut answers, mut sign_ins) = (0, 0, 0);
    for visit in &visits {
        visit.root.each(&mut |call| {
            calls += 1;
            if let Shape::Server { operation, .. } = call.shape {
                answers += 1;
                sign_ins += u64::from(
                    operation.service == Service::Identity && operation.route == "/sign-in",
                );
            }
        });
    }
    let kept = Kept::default();
    let fleet = fleet(&kept);
    let record = |visit| fleet.record(visit, SystemTime::UNIX_EPOCH, Signals::TracesAndMetrics);
    assert_eq!(visits.iter().map(record).sum::<u64>(), calls);
    fleet.record_load(&visits, Duration::from_secs(10));
    fleet.close(Duration::from_secs(5)).unwrap();

    assert_eq!(
        u64::try_from(kept.spans.lock().unwrap().len()).unwrap(),
        calls
    );
    assert_eq!(*kept.requests.lock().unwrap(), answers);
    assert_eq!(*kept.sign_ins.lock().unwrap(), sign_ins);
    assert_eq!((visits.len(), sign_ins), (1_200, 110));
}

#[test]
fn the_past_has_spans_and_no_metrics() {
    let kept = Kept::default();
    let fleet = fleet(&kept);
    for visit in ten_seconds_of_a_fault() {
        fleet.record(&visit, SystemTime::UNIX_EPOCH, Signals::Traces);
    }
    fleet.close(Duration::from_secs(5)).unwrap();
    assert!(!kept.spans.lock().unwrap().is_empty());
    assert_eq!(*kept.requests.lock().unwrap(), 0);
}

#[test]
fn spans_have_the_times_of_their_calls_and_hang_together() {
    let visits = ten_seconds_of_a_fault();
    let failing = visits
        .iter()
        .find(|visit| visit.root.shape.failed() && visit.root.took > Duration::from_secs(2))
        .unwrap();
    let kept = Kept::default();
    let fleet = fleet(&kept);
    let opened = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    fleet.record(failing, opened, Signals::Traces);
    let spans = kept.spans.lock().unwrap();
    let root = spans
        .iter()
        .find(|span| span.parent_span_id == SpanId::INVALID)
        .unwrap();
    assert_eq!(root.end_time, opened + failing.ended);
    assert_eq!(
        root.end_time.duration_since(root.start_time).unwrap(),
        failing.root.took
    );
    assert_eq!(root.span_kind, SpanKind::Server);
    assert!(matches!(root.status, Status::Error { .. }));
    for span in spans
        .iter()
        .filter(|span| span.parent_span_id != SpanId::INVALID)
    {
        assert_eq!(span.span_context.trace_id(), root.span_context.trace_id());
        let parent = spans
            .iter()
            .find(|parent| parent.span_context.span_id() == span.parent_span_id)
            .unwrap();
        assert!(parent.start_time <= span.start_time && span.end_time <= parent.end_time);
    }
    let waiting = spans
        .iter()
        .find(|span| span.name == "append to ledger")
        .unwrap();
    assert!(waiting.events.iter().any(|event| event.name == "exception"));
}

/// Answers everything that is received, and adds up how many spans and points it was.
async fn count_all(mut queue: Queue) -> (u64, usize) {
    let (mut spans, mut points) = (0, 0);
    while let Some(queued) = queue.requests.recv().await {
        let Submission { kind, decoded, .. } = queued.submission;
        assert_eq!(decoded.classes.rejected(), 0, "{:?}", decoded.problems);
        match kind {
            Kind::Traces => spans += decoded.classes.received.total,
            Kind::Metrics | Kind::Logs => points += decoded.points.len(),
        }
        // Whoever asked may have gone by the end of the test.
        drop(
            queued
                .reply
                .send(Ok(Answer::new(&decoded.classes, &decoded.problems))),
        );
    }
    (spans, points)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_span_reaches_the_server_over_grpc_and_http() {
    // The HTTP client of the SDK wants one even where nothing is encrypted; a second call finds it installed.
    drop(rustls::crypto::ring::default_provider().install_default());
    let clock = SystemClock;
    let (journal, queue) = JournalHandle::new(64);
    let known = Arc::new(Known::default());
    let parts = receive::Parts {
        hasher: collector::RequestHasher::default(),
        senders: crate::senders::Senders::default(),
        journal,
        measure: Arc::new(ArcSwap::from_pointee(Measure::default())),
        known: Arc::clone(&known),
        overflow: Arc::new(Overflow::new(&slo_specs::Catalog::default(), known)),
        ring: Ring::new(1 << 20),
        metrics: Metrics::new("test", clock.now()),
        clock: clock.clone(),
        limits: ReceiveLimits::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = listen::serve(
        listener,
        Receive::new(parts),
        Pool::new(ConnectionLimits::default()),
        stop.clone(),
    );
    let mut tasks = JoinSet::new();
    tasks.spawn(serving);

    let fleet = Arc::new(Fleet::open(&Endpoints::of(address, address)).unwrap());
    let opened = SystemTime::from(clock.now()) - Duration::from_secs(61);
    let sending = Arc::clone(&fleet);
    tasks.spawn(async move {
        // However this ends, the server stops and the test with it.
        let _stop = stop.drop_guard();
        let sent: u64 = ten_seconds_of_a_fault()
            .iter()
            .map(|visit| sending.record(visit, opened, Signals::TracesAndMetrics))
            .sum();
        spawn_blocking(move || sending.close(Duration::from_secs(20)))
            .await
            .unwrap()
            .unwrap();
        assert!(sent > 4_000, "{sent}");
    });
    let (spans, points) = count_all(queue).await;
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let expected = count_calls(&ten_seconds_of_a_fault());
    assert_eq!(spans, expected);
    assert!(points > 50, "{points}");
}

fn count_calls(visits: &[Visit]) -> u64 {
    let mut calls = 0;
    for visit in visits {
        visit.root.each(&mut |_| calls += 1);
    }
    calls
}
