//! A sender of running totals: a counter and a histogram of the same events, as an SDK exports them.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::chaos::load::Target;
use crate::chaos::oracle::{Counts, Running};
use crate::clock;
use crate::otlp::{Coding, post, text};

const CUMULATIVE: i32 = 2;
/// Upper bound, in seconds, that the latency objective of these events has.
pub const BOUND_S: f64 = 0.25;

/// One sender.
#[derive(Debug)]
pub struct Meter {
    service: String,
    /// When its present life began, in Unix nanoseconds.
    started: u64,
    /// Totals of the present life, sent and acknowledged.
    sent: Counts,
    acknowledged: Counts,
    /// Sum of its former lives; their last totals were acknowledged.
    former: Counts,
    /// Sent, and not answered.
    pending: Option<Vec<u8>>,
}

impl Meter {
    /// A sender that starts now.
    pub fn new(service: &str) -> Meter {
        Meter {
            service: service.to_owned(),
            started: clock::now_nanos(),
            sent: Counts::default(),
            acknowledged: Counts::default(),
            former: Counts::default(),
            pending: None,
        }
    }

    /// What may be counted of it.
    pub fn running(&self) -> Running {
        Running {
            acknowledged: self.former.plus(self.acknowledged),
            sent: self.former.plus(self.sent),
        }
    }

    /// Some events, and an export of all so far; or, by chance, once more what was not answered.
    pub async fn export(&mut self, target: Target, rng: &mut StdRng) {
        if self.pending.is_none() || rng.random() {
            let slow = rng.random_range(0..5);
            self.sent = self.sent.plus(Counts {
                total: slow + rng.random_range(0..30),
                bad: rng.random_range(0..=slow),
                slow,
            });
            self.pending = Some(self.request().encode_to_vec());
        }
        self.deliver(target).await;
    }

    /// Sends what was not answered; whether it is now.
    pub async fn deliver(&mut self, target: Target) -> bool {
        let Some(body) = &self.pending else {
            return true;
        };
        let endpoint = format!("http://{}", target.http);
        let protobuf = "application/x-protobuf";
        let sent = post(&endpoint, "/v1/metrics", protobuf, Coding::Gzip, body).await;
        let acknowledged = sent.is_ok_and(|(status, _)| status == 200);
        if acknowledged {
            self.acknowledged = self.sent;
            self.pending = None;
        }
        acknowledged
    }

    /// The sender is started again: its totals begin at zero. One that still waits for an answer is not.
    pub fn reset(&mut self) {
        if self.pending.is_none() {
            self.former = self.former.plus(self.sent);
            (self.sent, self.acknowledged) = (Counts::default(), Counts::default());
            self.started = clock::now_nanos();
        }
    }

    fn request(&self) -> ExportMetricsServiceRequest {
        let now = clock::now_nanos();
        let point = |outcome: &str, value: u64| NumberDataPoint {
            attributes: vec![text("outcome", outcome)],
            start_time_unix_nano: self.started,
            time_unix_nano: now,
            value: Some(Value::AsInt(value.cast_signed())),
            ..NumberDataPoint::default()
        };
        let Counts { total, bad, slow } = self.sent;
        let sum = Sum {
            data_points: vec![point("ok", total - bad), point("error", bad)],
            aggregation_temporality: CUMULATIVE,
            is_monotonic: true,
        };
        let histogram = Histogram {
            data_points: vec![HistogramDataPoint {
                start_time_unix_nano: self.started,
                time_unix_nano: now,
                count: total,
                bucket_counts: vec![0, total - slow, slow],
                explicit_bounds: vec![0.1, BOUND_S],
                ..HistogramDataPoint::default()
            }],
            aggregation_temporality: CUMULATIVE,
        };
        metrics(
            vec![text("service.name", &self.service)],
            vec![
                metric("requests", Data::Sum(sum)),
                metric("duration", Data::Histogram(histogram)),
            ],
        )
    }
}

fn metric(name: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        unit: if name == "duration" { "s" } else { "" }.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn metrics(resource: Vec<KeyValue>, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: resource,
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics {
                metrics,
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}
