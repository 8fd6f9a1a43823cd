//! Receiving OTLP: the three signals over gRPC and HTTP, all of it on both ports.
//!
//! A request is read and decompressed within bounds ([`ReceiveLimits`]), decoded by the collector, handed to the
//! journal, and acknowledged when it is durable.
//!
//! gRPC's frames are read here and not by tonic's codec: that one reserves the length a frame claims before it has
//! come, inflates a bomb up to the whole size limit, answers an over-long frame with `OUT_OF_RANGE`, which senders
//! repeat for ever, and a missing one with INTERNAL. Its status codes and their headers are tonic's.

mod body;
mod grpc;
mod http;
mod inflate;
mod limits;
mod refusal;
mod room;
#[cfg(test)]
mod tests;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use ::http::header::CONTENT_LENGTH;
use ::http::{HeaderValue, Method, Request, Response};
use arc_swap::ArcSwap;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use collector::{Answer, Decoded, Encoding, Kind, Known, Measure, RequestHasher};
use futures_util::FutureExt;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::clock::SystemClock;
use crate::journal::queue::{JournalHandle, Submission};
use crate::listen::{Responder, WatchedBody};
use crate::metrics::{Metrics, Outcome, RequestSeen, Transport};
use crate::overflow::Overflow;
use crate::ring::{Received, Ring};
use crate::senders::Senders;

pub use limits::ReceiveLimits;

use inflate::Coding;
use refusal::Refusal;
use room::Room;

/// What receiving needs from the rest of the server.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// Where requests become durable.
    pub(crate) journal: JournalHandle,
    /// What to measure; replaced when the specs change.
    pub(crate) measure: Arc<ArcSwap<Measure>>,
    /// The series known so far.
    pub(crate) known: Arc<Known>,
    /// Where events of further ones go.
    pub(crate) overflow: Arc<Overflow>,
    /// Where acknowledged requests are kept for a while.
    pub(crate) ring: Ring,
    /// Where requests are counted.
    pub(crate) metrics: Metrics,
    /// What tells resent requests.
    pub(crate) hasher: RequestHasher,
    /// Whose clocks are off.
    pub(crate) senders: Senders,
    /// When a request came.
    pub(crate) clock: SystemClock,
    /// What a sender may cost.
    pub(crate) limits: ReceiveLimits,
}

/// The receiver of OTLP over gRPC and HTTP: a cheap handle.
#[derive(Clone, Debug)]
pub(crate) struct Receive {
    parts: Arc<Parts>,
    room: Room,
}

/// What a request says about its body before that is read.
#[derive(Clone, Copy, Debug)]
struct Call {
    kind: Kind,
    transport: Transport,
    coding: Coding,
}

/// Sizes of a body, as far as they became known.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    wire: usize,
    payload: usize,
}

impl Responder for Receive {
    async fn respond(self, request: Request<WatchedBody>) -> Response<Body> {
        let (method, path) = (request.method().clone(), request.uri().path());
        let response = match (http::signal(path), grpc::signal(path)) {
            (None, None) => http::astray(&request, &Refusal::NotFound),
            _ if method != Method::POST => http::astray(&request, &Refusal::MethodNotAllowed),
            (Some(kind), _) => http::export(&self, kind, request).await,
            (None, Some(kind)) => grpc::export(&self, kind, request).await,
        };
        measured(&method, response)
    }
}

impl Receive {
    /// With the room that all its requests share.
    pub(crate) fn new(parts: Parts) -> Receive {
        let most = parts.limits.request_bytes.saturating_mul(2);
        let room = Room::new(
            parts.limits.in_flight_bytes.max(most) + room::STEP * 2,
            parts.limits.hold,
        );
        Receive {
            parts: Arc::new(parts),
            room,
        }
    }

    /// Takes one request to its answer, and counts it. A panic on the way is a passing trouble to the sender.
    async fn export(&self, call: Call, body: &mut WatchedBody) -> Result<Answer, Refusal> {
        let mut watch = Watch::new(self, call);
        let answer = unpanicked(self.take(call, body, &mut watch.sizes)).await;
        watch.outcome = match &answer {
            Ok(answer) if answer.rejected > 0 => Outcome::Partial,
            Ok(_) => Outcome::Accepted,
            Err(refusal) => refusal.outcome(),
        };
        drop(watch);
        if let Err(refusal) = &answer
            && !matches!(refusal, Refusal::Slow)
        {
            body::drain(body, &self.parts.limits).await;
        }
        answer
    }

    async fn take(
        &self,
        call: Call,
        body: &mut WatchedBody,
        sizes: &mut Sizes,
    ) -> Result<Answer, Refusal> {
        let limits = &self.parts.limits;
        let mut share = self.room.share();
        let (coding, wire) = match call.transport {
            Transport::Grpc => grpc::read(call.coding, body, limits, &mut share).await?,
            Transport::HttpProtobuf | Transport::HttpJson => {
                let accept = |_: &[u8]| Ok(None);
                let most = limits.request_bytes;
                let wire = body::read(body, most, limits, &mut share, accept).await?;
                (call.coding, wire)
            }
        };
        sizes.wire = wire.len();
        let payload = inflate::inflate(coding, wire, limits, &mut share).await?;
        sizes.payload = payload.len();
        self.admit(call, payload).await
    }

    /// Decodes a payload and makes it durable. Logs are only kept for a while: there is nothing of them to count.
    async fn admit(&self, call: Call, payload: Bytes) -> Result<Answer, Refusal> {
        let received = Received {
            kind: call.kind,
            encoding: call.transport.encoding(),
            at: self.parts.clock.now(),
            payload,
        };
        let (hash, decoded) = self.decode(&received).await?;
        self.parts
            .senders
            .note(&decoded.senders, received.at.as_second());
        let bytes = received.payload.len();
        // A copy: the payload may lie in a larger buffer, and is let go before its commit.
        let takes = self.parts.ring.takes(received.at, bytes);
        let kept = takes.then(|| received.copied());
        drop(received);
        let answer = if call.kind == Kind::Logs {
            self.parts.journal.owed().note(Kind::Logs, &decoded.classes);
            Answer::new(&decoded.classes, &decoded.problems)
        } else {
            let submission = Submission {
                hash,
                kind: call.kind,
                bytes: bytes.max(decoded.held_bytes()),
                decoded,
            };
            self.parts.journal.submit(submission).await?
        };
        if let Some(received) = kept {
            self.parts.ring.push(received);
            self.parts.metrics.ring_bytes(self.parts.ring.bytes());
        }
        Ok(answer)
    }

    async fn decode(&self, received: &Received) -> Result<([u8; 16], Decoded), Refusal> {
        if received.payload.len() <= self.parts.limits.inline_bytes {
            return decode(&self.parts, received);
        }
        let (parts, received) = (Arc::clone(&self.parts), received.clone());
        spawn_blocking(move || decode(&parts, &received))
            .await
            .unwrap_or(Err(Refusal::Panicked))
    }
}

/// An answer that says how long it is, also if that is 0, as hyper does not over HTTP/2; to HEAD it says no more.
fn measured(method: &Method, mut response: Response<Body>) -> Response<Body> {
    // What gRPC answers to CONNECT with 200 would open a tunnel: it may not have a length.
    if method == Method::CONNECT && response.status().is_success() {
        return response;
    }
    if let Some(length) = response.body().size_hint().exact() {
        let length = match length {
            0 => HeaderValue::from_static("0"),
            length => length.into(),
        };
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    if method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

/// Makes a panic a passing trouble: a sender that is told INTERNAL drops what it sent.
fn unpanicked(
    taking: impl Future<Output = Result<Answer, Refusal>>,
) -> impl Future<Output = Result<Answer, Refusal>> {
    AssertUnwindSafe(taking).catch_unwind().map(|caught| {
        caught.unwrap_or_else(|_| {
            tracing::error!("receiving a request panicked");
            Err(Refusal::Panicked)
        })
    })
}

fn decode(parts: &Parts, received: &Received) -> Result<([u8; 16], Decoded), Refusal> {
    let hash = parts.hasher.hash(received.kind, &received.payload);
    let now = u64::try_from(received.at.as_nanosecond()).unwrap_or(0);
    let measure = parts.measure.load();
    let mut decoded = collector::decode(
        received.kind,
        received.encoding,
        &received.payload,
        &measure,
        &parts.known,
        now,
    )?;
    parts.overflow.place(&mut decoded, &measure.limits);
    Ok((hash, decoded))
}

/// Counts a request when it ends, be it that its sender hung up.
struct Watch<'a> {
    receive: &'a Receive,
    call: Call,
    started: Instant,
    sizes: Sizes,
    outcome: Outcome,
}

impl<'a> Watch<'a> {
    fn new(receive: &'a Receive, call: Call) -> Watch<'a> {
        Watch {
            receive,
            call,
            started: Instant::now(),
            sizes: Sizes::default(),
            outcome: Outcome::Abandoned,
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let parts = &self.receive.parts;
        if self.outcome != Outcome::Accepted {
            // Whatever the writer does, which else tells of it.
            parts.metrics.queue_depth(parts.journal.depth());
        }
        parts.metrics.request(&RequestSeen {
            kind: self.call.kind,
            transport: self.call.transport,
            outcome: self.outcome,
            took: self.started.elapsed(),
            wire_bytes: self.sizes.wire,
            payload_bytes: self.sizes.payload,
        });
    }
}

impl Transport {
    /// How payloads that come this way are encoded.
    fn encoding(self) -> Encoding {
        match self {
            Transport::Grpc | Transport::HttpProtobuf => Encoding::Protobuf,
            Transport::HttpJson => Encoding::Json,
        }
    }
}
