//! What runs below the shop's requests, as OpenTelemetry's conventions and the Collector's receivers name it: replicas,
//! queues, containers, pipelines.

use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};

use crate::demo::shop::Service;

/// A pipeline runs once in so many steps.
const STEPS_A_RUN: u64 = 40;
/// Every so many steps the scheduler holds a busy container back once.
const STEPS_A_THROTTLING: u64 = 50;
/// Periods of the scheduler in a step: they take a tenth of a second.
const PERIODS: u64 = 3;
/// Bounds of how long pipelines run, in seconds.
const RUN_BOUNDS_S: [f64; 6] = [10.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// The instruments of one instance.
#[derive(Debug)]
pub(super) struct Platform {
    service: Service,
    /// Steps so far.
    steps: AtomicU64,
    restarts: UpDownCounter<i64>,
    replica_lag: Gauge<f64>,
    waiting: Gauge<u64>,
    periods: Counter<u64>,
    throttled: Counter<u64>,
    runs: Histogram<f64>,
}

impl Platform {
    pub(super) fn new(service: Service, meter: &Meter) -> Self {
        Self {
            service,
            steps: AtomicU64::new(0),
            restarts: meter
                .i64_up_down_counter("k8s.container.restart.count")
                .with_unit("{restart}")
                .build(),
            replica_lag: meter
                .f64_gauge("postgresql.wal.delay")
                .with_unit("s")
                .build(),
            waiting: meter
                .u64_gauge("kafka.consumer_group.lag")
                .with_unit("1")
                .build(),
            periods: meter
                .u64_counter("container.cpu.throttling_data.periods")
                .with_unit("{periods}")
                .build(),
            throttled: meter
                .u64_counter("container.cpu.throttling_data.throttled_periods")
                .with_unit("{periods}")
                .build(),
            runs: meter
                .f64_histogram("cicd.pipeline.run.duration")
                .with_unit("s")
                .with_boundaries(RUN_BOUNDS_S.to_vec())
                .build(),
        }
    }

    /// Records a step in which so many requests were in progress, on average.
    pub(super) fn record(&self, busy: f64) {
        let step = self.steps.fetch_add(1, Ordering::Relaxed);
        let container = KeyValue::new("k8s.container.name", self.service.name());
        self.restarts.add(0, &[container]);
        match self.service {
            Service::Checkout => {
                let replay = KeyValue::new("operation", "replay");
                self.replica_lag.record(0.2 + busy / 10.0, &[replay]);
            }
            Service::Payments => {
                let queue = [("group", "payments"), ("topic", "charges")];
                let queue = queue.map(|(key, value)| KeyValue::new(key, value));
                self.waiting.record(step % 40, &queue);
            }
            Service::Search => {
                self.periods.add(PERIODS, &[]);
                self.throttled
                    .add(u64::from(step.is_multiple_of(STEPS_A_THROTTLING)), &[]);
            }
            Service::EdgeGateway if step.is_multiple_of(STEPS_A_RUN) => self.run("deploy", 45.0),
            Service::Identity if step.is_multiple_of(STEPS_A_RUN) => {
                self.run("provision-tenant", 100.0);
            }
            Service::EdgeGateway | Service::Identity => {}
        }
    }

    fn run(&self, pipeline: &'static str, seconds: f64) {
        let run = [
            ("cicd.pipeline.name", pipeline),
            ("cicd.pipeline.run.state", "executing"),
            ("cicd.pipeline.result", "success"),
        ];
        let run = run.map(|(key, value)| KeyValue::new(key, value));
        self.runs.record(seconds, &run);
    }
}
