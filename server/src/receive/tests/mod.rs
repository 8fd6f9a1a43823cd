//! The receiving side over real sockets, with a journal that answers as the test says.

mod connections;
mod exporters;
mod over_grpc;
mod over_http;
mod routes;
mod together;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use collector::{Answer, Kind, Known, Measure, RequestHasher};
use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use slo_specs::Catalog;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Parts, Receive, ReceiveLimits};
use crate::clock::SystemClock;
use crate::journal::queue::{JournalHandle, Queue, Refused};
use crate::listen::{ConnectionLimits, Pool, serve};
use crate::metrics::Metrics;
use crate::overflow::Overflow;
use crate::ring::Ring;

/// A served receiver whose journal is the test's.
struct Served {
    address: SocketAddr,
    queue: Option<Queue>,
    ring: Ring,
    metrics: Metrics,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    client: reqwest::Client,
}

/// What the client got.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// What the journal got.
#[derive(Debug, PartialEq)]
struct Submitted {
    kind: Kind,
    hash: [u8; 16],
    items: u64,
}

impl Served {
    async fn start() -> Served {
        Served::with(ReceiveLimits::default(), ConnectionLimits::default()).await
    }

    async fn with(limits: ReceiveLimits, connections: ConnectionLimits) -> Served {
        let (journal, queue) = JournalHandle::new(16);
        let ring = Ring::new(1 << 20);
        let metrics = Metrics::new("0", jiff::Timestamp::UNIX_EPOCH);
        let known = Arc::new(Known::new());
        let parts = Parts {
            journal,
            measure: Arc::new(ArcSwap::from_pointee(Measure::default())),
            known: Arc::clone(&known),
            overflow: Arc::new(Overflow::new(&Catalog::default(), known)),
            ring: ring.clone(),
            metrics: metrics.clone(),
            hasher: RequestHasher::default(),
            senders: crate::senders::Senders::default(),
            clock: SystemClock,
            limits,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(
            listener,
            Receive::new(parts),
            Pool::new(connections),
            stop.clone(),
        ));
        Served {
            address,
            queue: Some(queue),
            ring,
            metrics,
            stop,
            tasks,
            client: client(false),
        }
    }

    /// Has the journal answer every request so; what it got comes out of the channel.
    fn journal_answers(&mut self, answer: Result<Answer, Refused>) -> mpsc::Receiver<Submitted> {
        let (seen, submitted) = mpsc::channel(64);
        let mut queue = self.queue.take().unwrap();
        self.tasks.spawn(async move {
            while let Some(queued) = queue.requests.recv().await {
                let submission = &queued.submission;
                let one = Submitted {
                    kind: submission.kind,
                    hash: submission.hash,
                    items: submission.decoded.classes.received.total,
                };
                seen.send(one).await.unwrap_or_default();
                queued.reply.send(answer.clone()).unwrap_or_default();
            }
        });
        submitted
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
        let mut request = self.client.post(self.url(path)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reply::of(request.send().await.unwrap()).await
    }

    async fn post_protobuf(&self, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
        let mut all = vec![("content-type", "application/x-protobuf")];
        all.extend(headers);
        self.post("/v1/traces", &all, body).await
    }

    fn assert_counted(&self, line: &str) {
        let text = self.metrics.encode().unwrap();
        assert!(text.lines().any(|one| one == line), "no `{line}` in {text}");
    }
}

impl Reply {
    async fn of(response: reqwest::Response) -> Reply {
        Reply {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap().to_vec(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn rpc_status(&self) -> tonic::Status {
        tonic::Status::from_header_map(&self.headers).unwrap()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// `code` and `message` of a `google.rpc.Status` in protobuf, and whether it says when to come back.
    fn protobuf_status(&self) -> (i32, String, bool) {
        rpc_status_of(&self.body)
    }
}

/// A client of HTTP/1, or of HTTP/2 alone.
fn client(http2: bool) -> reqwest::Client {
    // Another test of this process may have installed it.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().timeout(Duration::from_secs(30));
    let builder = if http2 {
        builder.http2_prior_knowledge()
    } else {
        builder
    };
    builder.build().unwrap()
}

fn rpc_status_of(bytes: &[u8]) -> (i32, String, bool) {
    #[derive(Clone, PartialEq, prost::Message)]
    struct RpcStatus {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(string, tag = "2")]
        message: String,
        #[prost(message, repeated, tag = "3")]
        details: Vec<Detail>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Detail {
        #[prost(string, tag = "1")]
        type_url: String,
    }
    let status = RpcStatus::decode(bytes).unwrap();
    let retries = status
        .details
        .iter()
        .any(|detail| detail.type_url == "type.googleapis.com/google.rpc.RetryInfo");
    (status.code, status.message, retries)
}

/// A request of one span with a name of `padding` letters.
fn one_span(padding: usize) -> Vec<u8> {
    let now = SystemClock.now_nanos();
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "n".repeat(padding),
        start_time_unix_nano: now - 1_000_000,
        end_time_unix_nano: now,
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans {
        spans: vec![span],
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        scope_spans,
        ..ResourceSpans::default()
    }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}
