//! OTLP over gRPC: the `Export` methods of the three collector services.

use axum::body::Body;
use bytes::{BufMut, Bytes};
use collector::{Answer, Encoding, Kind};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tonic::{Code, Status};

use crate::listen::WatchedBody;
use crate::metrics::Transport;

use super::inflate::Coding;
use super::limits::ReceiveLimits;
use super::refusal::Refusal;
use super::room::Share;
use super::{Call, Receive, body, http as otlp_http};

/// Bytes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

const ENCODING: &str = "grpc-encoding";
const GRPC: &str = "application/grpc";

/// The signal whose service has its `Export` at `path`.
pub(super) fn signal(path: &str) -> Option<Kind> {
    let service = path
        .strip_prefix("/opentelemetry.proto.collector.")?
        .strip_suffix("/Export")?;
    match service {
        "trace.v1.TraceService" => Some(Kind::Traces),
        "metrics.v1.MetricsService" => Some(Kind::Metrics),
        "logs.v1.LogsService" => Some(Kind::Logs),
        _ => None,
    }
}

/// Whether a request is gRPC's.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    media.is_some_and(|media| media.starts_with(GRPC.as_bytes()))
}

/// The answer to a call of `kind`'s `Export`.
pub(super) async fn export(
    receive: &Receive,
    kind: Kind,
    request: Request<WatchedBody>,
) -> Response<Body> {
    let (head, mut body) = request.into_parts();
    if !is_grpc(&head.headers) {
        return otlp_http::not_grpc(&head.headers);
    }
    let call = call(kind, &head.headers);
    // Bodies may be long in coming, and heads are not in the room that they share.
    drop(head);
    let answer = match call {
        Ok(call) => receive.export(call, &mut body).await,
        Err(refusal) => Err(refusal),
    };
    match answer {
        Ok(answer) => accepted(kind, &answer),
        Err(refusal) => refused(&refusal),
    }
}

fn call(kind: Kind, headers: &HeaderMap) -> Result<Call, Refusal> {
    let coding = headers
        .get(ENCODING)
        .map_or(&b""[..], HeaderValue::as_bytes);
    Ok(Call {
        kind,
        transport: Transport::Grpc,
        coding: Coding::parse(coding)?,
    })
}

/// Reads the one message of a call, and how it is compressed.
pub(super) async fn read(
    coding: Coding,
    body: &mut WatchedBody,
    limits: &ReceiveLimits,
    share: &mut Share,
) -> Result<(Coding, Bytes), Refusal> {
    let most = limits.request_bytes.saturating_add(PREFIX);
    let early = |bytes: &[u8]| match claimed(bytes) {
        Some(length) if length > limits.request_bytes => Err(Refusal::TooLarge {
            most: limits.request_bytes,
        }),
        claimed => Ok(claimed.map(|length| PREFIX + length)),
    };
    let wire = body::read(body, most, limits, share, early).await?;
    let message = wire.slice(PREFIX.min(wire.len())..);
    match claimed(&wire) {
        Some(length) if length == message.len() => {}
        Some(_) => {
            return Err(malformed(
                "the message's length is not the one its frame says",
            ));
        }
        None => return Err(malformed("the call has no message")),
    }
    match (wire.first(), coding) {
        (Some(0), _) => Ok((Coding::Identity, message)),
        (Some(1), Coding::Identity) => Err(malformed(
            "the message is compressed but grpc-encoding does not say how",
        )),
        (Some(1), _) => Ok((coding, message)),
        _ => Err(malformed("the frame's compression flag is neither 0 nor 1")),
    }
}

/// The length that a frame claims, once its prefix is there.
fn claimed(bytes: &[u8]) -> Option<usize> {
    let prefix = bytes.first_chunk::<PREFIX>()?;
    let [_, length @ ..] = *prefix;
    usize::try_from(u32::from_be_bytes(length)).ok()
}

fn malformed(what: &str) -> Refusal {
    Refusal::Malformed(what.to_owned())
}

fn accepted(kind: Kind, answer: &Answer) -> Response<Body> {
    let message = answer.encode(kind, Encoding::Protobuf);
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(PREFIX + message.len());
    frame.put_u8(0);
    frame.put_u32(length);
    frame.put_slice(&message);
    let mut trailers = HeaderMap::new();
    trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
    let body = Full::<Bytes>::from(frame).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
    response
}

/// The answer to a call that was not accepted: headers alone.
pub(super) fn refused(refusal: &Refusal) -> Response<Body> {
    let status = refusal.status();
    let details = Bytes::from(status.encode(Encoding::Protobuf));
    let code = Code::from_i32(status.code.number().into());
    let mut response = Status::with_details(code, status.message, details).into_http::<Body>();
    if matches!(refusal, Refusal::UnsupportedEncoding(_)) {
        let known = HeaderValue::from_static("identity,gzip,zstd");
        response.headers_mut().insert("grpc-accept-encoding", known);
    }
    response
}
