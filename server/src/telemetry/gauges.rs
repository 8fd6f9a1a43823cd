//! The main figures of `/metrics`, exported over OTLP too.

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;

use crate::metrics::{Metrics, Vitals};

/// An instrument's name, its description, and which figure it reads.
type Reading<N> = (&'static str, &'static str, fn(Vitals) -> N);

/// Has `provider` read `metrics` at every export.
pub(super) fn observe(provider: &SdkMeterProvider, metrics: &Metrics) {
    let meter = provider.meter("sloburn");
    let counters: [Reading<u64>; 2] = [
        (
            "sloburn.journal.committed",
            "Requests made durable",
            |vitals| vitals.committed_requests,
        ),
        (
            "sloburn.journal.commit_failures",
            "Group commits that the store refused",
            |vitals| vitals.commit_failures,
        ),
    ];
    for (name, help, read) in counters {
        let metrics = metrics.clone();
        meter
            .u64_observable_counter(name)
            .with_description(help)
            .with_callback(move |observer| observer.observe(read(metrics.vitals()), &[]))
            .build();
    }
    let gauges: [Reading<i64>; 2] = [
        (
            "sloburn.journal.queued",
            "Requests that wait for their commit",
            |vitals| vitals.queued_requests,
        ),
        ("sloburn.series", "Series known", |vitals| vitals.series),
    ];
    for (name, help, read) in gauges {
        let metrics = metrics.clone();
        meter
            .i64_observable_gauge(name)
            .with_description(help)
            .with_callback(move |observer| observer.observe(read(metrics.vitals()), &[]))
            .build();
    }
    let metrics = metrics.clone();
    meter
        .f64_observable_gauge("sloburn.evaluation.lag")
        .with_unit("s")
        .with_description("Time between the last tick and the end of its evaluation")
        .with_callback(move |observer| {
            observer.observe(metrics.vitals().evaluation_lag_seconds, &[]);
        })
        .build();
}
