//! Senders under chaos: each with a service of its own and one request at a time, as an exporter has.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::transport::Endpoint;

use crate::chaos::oracle::{Counts, Fate, Request};
use crate::otlp::{Coding, Spans, post};
use crate::{clock, wait};

/// How long a sender waits for its answer. Shorter than sloburn's own patience.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a sender rests that was asked to.
const RETREAT: Duration = Duration::from_millis(200);
/// Threshold of the latency objectives, and what is on each side of it.
pub const BOUND_MS: u64 = 100;
const FAST: Duration = Duration::from_millis(20);
const SLOW: Duration = Duration::from_millis(200);
const SECOND: u64 = 1_000_000_000;

/// How a request travels.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    /// gRPC, a connection for each request.
    Grpc,
    /// HTTP, in this coding.
    Http(Coding),
}

/// Where senders send to.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// OTLP over gRPC.
    pub grpc: SocketAddr,
    /// OTLP over HTTP.
    pub http: SocketAddr,
}

/// How senders go about it.
#[derive(Debug, Clone, Copy)]
pub struct Habit {
    /// Times that an unanswered request is sent, at once, as exporters do.
    pub attempts: u32,
    /// Spans ended within so many seconds before they are sent.
    pub spread_s: u64,
}

/// Load that runs until it is told to stop.
#[derive(Debug)]
pub struct Load {
    control: Arc<Control>,
    senders: JoinSet<Vec<Request>>,
}

#[derive(Debug, Default)]
struct Control {
    stop: AtomicBool,
    acknowledged: AtomicU64,
    unanswered: AtomicU64,
}

impl Load {
    /// Starts one sender for each service.
    pub fn start(services: &[String], target: Target, habit: Habit, rng: &mut StdRng) -> Load {
        let control = Arc::new(Control::default());
        let mut senders = JoinSet::new();
        for service in services {
            let rng = StdRng::seed_from_u64(rng.random());
            senders.spawn(send_on(
                service.clone(),
                target,
                habit,
                rng,
                control.clone(),
            ));
        }
        Load { control, senders }
    }

    /// Requests acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.control.acknowledged.load(Ordering::Relaxed)
    }

    /// Requests so far of which nothing is known.
    pub fn unanswered(&self) -> u64 {
        self.control.unanswered.load(Ordering::Relaxed)
    }

    /// Ends it; what was sent.
    pub async fn stop(self) -> Vec<Request> {
        self.control.stop.store(true, Ordering::Relaxed);
        self.senders
            .join_all()
            .await
            .into_iter()
            .flatten()
            .collect()
    }
}

async fn send_on(
    service: String,
    target: Target,
    habit: Habit,
    mut rng: StdRng,
    control: Arc<Control>,
) -> Vec<Request> {
    let mut sent = Vec::new();
    let mut pace = tokio::time::interval(Duration::from_millis(4));
    while !control.stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let mut request = spans(&service, clock::now_nanos(), habit.spread_s, &mut rng);
        for _ in 0..habit.attempts {
            request.fate = deliver(way(&mut rng), target, &request.body).await;
            if request.fate != Fate::Unknown || control.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        let fate = request.fate;
        sent.push(request);
        match fate {
            Fate::Acknowledged => drop(control.acknowledged.fetch_add(1, Ordering::Relaxed)),
            // One request lost in each crash is enough: the next goes to a server that is there.
            Fate::Unknown => {
                control.unanswered.fetch_add(1, Ordering::Relaxed);
                pace.reset_after(RETREAT);
                let stopped = || control.stop.load(Ordering::Relaxed);
                while !stopped() && !listens(target.http).await {}
            }
            Fate::Refused => {}
        }
    }
    sent
}

/// Waits a while for a listener.
async fn listens(address: SocketAddr) -> bool {
    timeout(PATIENCE, wait::for_listener(address)).await.is_ok()
}

/// A way by chance.
pub fn way(rng: &mut StdRng) -> Way {
    match rng.random_range(0..4) {
        0 => Way::Http(Coding::Gzip),
        1 => Way::Http(Coding::Identity),
        2 => Way::Http(Coding::Zstd),
        _ => Way::Grpc,
    }
}

/// A request of some spans, good and bad, fast and slow, that ended at most `spread_s` before `now`.
pub fn spans(service: &str, now: u64, spread_s: u64, rng: &mut StdRng) -> Request {
    let mut request = ExportTraceServiceRequest::default();
    let mut counts = Counts::default();
    let mut slices = BTreeMap::<i64, (u64, u64)>::new();
    for duration in [FAST, SLOW] {
        let (good, bad) = (rng.random_range(0..20), rng.random_range(0..3));
        let ended = now - rng.random_range(0..=spread_s) * SECOND;
        let part = Spans {
            duration,
            // New series all the time: their commits are longer.
            name: format!("GET /{}", rng.random_range(0..1000)),
            ..Spans::ended_at(service, good, bad, ended)
        };
        let (good, bad) = (good as u64, bad as u64);
        request.resource_spans.extend(part.request().resource_spans);
        let slow = if duration == SLOW { good + bad } else { 0 };
        counts = counts.plus(Counts {
            total: good + bad,
            bad,
            slow,
        });
        if good + bad > 0 {
            let slice = slices.entry(slice_end(ended)).or_default();
            *slice = (slice.0 + good + bad, slice.1 + bad);
        }
    }
    Request {
        service: service.to_owned(),
        body: request.encode_to_vec(),
        counts,
        slices,
        fate: Fate::Unknown,
    }
}

/// End in Unix seconds of the slice of a time: (end − 10 s, end].
pub fn slice_end(nanos: u64) -> i64 {
    i64::try_from(nanos.div_ceil(10 * SECOND) * 10).unwrap_or(i64::MAX)
}

/// Sends spans once. A request of which some spans are rejected is taken as rejected whole: senders here make
/// requests of which all spans are, or none.
pub async fn deliver(way: Way, target: Target, body: &[u8]) -> Fate {
    let sent = async {
        match way {
            Way::Grpc => by_grpc(target, body).await,
            Way::Http(coding) => by_http(target, coding, body).await,
        }
    };
    timeout(PATIENCE, sent)
        .await
        .ok()
        .and_then(Result::ok)
        .unwrap_or(Fate::Unknown)
}

async fn by_grpc(target: Target, body: &[u8]) -> Result<Fate> {
    let request = ExportTraceServiceRequest::decode(body)?;
    let endpoint = Endpoint::from_shared(format!("http://{}", target.grpc))?;
    let mut client = TraceServiceClient::new(endpoint.connect().await?);
    Ok(match client.export(request).await {
        Ok(answer) => accepted(&answer.into_inner()),
        Err(status) if status.code() == tonic::Code::InvalidArgument => Fate::Refused,
        Err(_) => Fate::Unknown,
    })
}

async fn by_http(target: Target, coding: Coding, body: &[u8]) -> Result<Fate> {
    let endpoint = format!("http://{}", target.http);
    let (status, answer) = post(
        &endpoint,
        "/v1/traces",
        "application/x-protobuf",
        coding,
        body,
    )
    .await?;
    Ok(match status {
        200 => accepted(&ExportTraceServiceResponse::decode(&answer[..])?),
        400..=428 | 430..=499 => Fate::Refused,
        _ => Fate::Unknown,
    })
}

fn accepted(answer: &ExportTraceServiceResponse) -> Fate {
    let rejected = answer
        .partial_success
        .as_ref()
        .is_some_and(|partial| partial.rejected_spans > 0);
    if rejected {
        Fate::Refused
    } else {
        Fate::Acknowledged
    }
}
