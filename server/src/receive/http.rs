//! OTLP over HTTP: `POST /v1/traces`, `/v1/metrics`, `/v1/logs`, in protobuf and in JSON.

use ::http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use ::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use axum::body::Body;
use collector::{Answer, Encoding, Kind};

use crate::listen::WatchedBody;
use crate::metrics::Transport;

use super::inflate::Coding;
use super::refusal::Refusal;
use super::{Call, Receive, grpc};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// The signal that is posted to `path`.
pub(super) fn signal(path: &str) -> Option<Kind> {
    match path {
        "/v1/traces" => Some(Kind::Traces),
        "/v1/metrics" => Some(Kind::Metrics),
        "/v1/logs" => Some(Kind::Logs),
        _ => None,
    }
}

/// The answer to a request that is for none of the signals: its path is none, or it is no POST.
pub(super) fn astray(request: &Request<WatchedBody>, refusal: &Refusal) -> Response<Body> {
    let headers = request.headers();
    let mut response = if grpc::is_grpc(headers) {
        grpc::refused(refusal)
    } else {
        refused(reply_encoding(headers), refusal)
    };
    if matches!(refusal, Refusal::MethodNotAllowed) {
        let allowed = HeaderValue::from_static("POST");
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// The answer to a call of a gRPC method whose content type is not gRPC's.
pub(super) fn not_grpc(headers: &HeaderMap) -> Response<Body> {
    let media = String::from_utf8_lossy(media_type(headers)).into_owned();
    refused(reply_encoding(headers), &Refusal::UnsupportedType(media))
}

/// The answer to a POST of telemetry.
pub(super) async fn export(
    receive: &Receive,
    kind: Kind,
    request: Request<WatchedBody>,
) -> Response<Body> {
    let (head, mut body) = request.into_parts();
    let (call, encoding) = (call(kind, &head.headers), reply_encoding(&head.headers));
    // Bodies may be long in coming, and heads are not in the room that they share.
    drop(head);
    let answer = match call {
        Ok(call) => receive.export(call, &mut body).await,
        Err(refusal) => {
            super::body::drain(&mut body, &receive.parts.limits).await;
            Err(refusal)
        }
    };
    match answer {
        Ok(answer) => accepted(kind, encoding, &answer),
        Err(refusal) => refused(encoding, &refusal),
    }
}

/// What the headers say about the body; [`Refusal::UnsupportedType`] or [`Refusal::UnsupportedEncoding`].
fn call(kind: Kind, headers: &HeaderMap) -> Result<Call, Refusal> {
    let media = media_type(headers);
    let transport = if media.eq_ignore_ascii_case(PROTOBUF.as_bytes()) {
        Transport::HttpProtobuf
    } else if media.eq_ignore_ascii_case(JSON.as_bytes()) {
        Transport::HttpJson
    } else {
        let media = String::from_utf8_lossy(media).into_owned();
        return Err(Refusal::UnsupportedType(media));
    };
    let coding = headers
        .get(CONTENT_ENCODING)
        .map_or(&b""[..], HeaderValue::as_bytes);
    Ok(Call {
        kind,
        transport,
        coding: Coding::parse(coding)?,
    })
}

/// The content type without its parameters; empty when there is none.
fn media_type(headers: &HeaderMap) -> &[u8] {
    let value = headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    let media = value.split(|byte| *byte == b';').next();
    media.unwrap_or_default().trim_ascii()
}

/// Answers go in the request's content type; in JSON, which a person can read, when that is none of OTLP's.
fn reply_encoding(headers: &HeaderMap) -> Encoding {
    if media_type(headers).eq_ignore_ascii_case(PROTOBUF.as_bytes()) {
        Encoding::Protobuf
    } else {
        Encoding::Json
    }
}

fn accepted(kind: Kind, encoding: Encoding, answer: &Answer) -> Response<Body> {
    response(StatusCode::OK, encoding, answer.encode(kind, encoding))
}

fn refused(encoding: Encoding, refusal: &Refusal) -> Response<Body> {
    let body = refusal.status().encode(encoding);
    let mut response = response(refusal.http_status(), encoding, body);
    let headers = response.headers_mut();
    if let Some(after) = refusal.retry_after() {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, seconds.max(1).into());
    }
    if matches!(refusal, Refusal::UnsupportedEncoding(_)) {
        let known = HeaderValue::from_static("gzip, zstd, identity");
        headers.insert(ACCEPT_ENCODING, known);
    }
    response
}

fn response(status: StatusCode, encoding: Encoding, body: Vec<u8>) -> Response<Body> {
    let media = match encoding {
        Encoding::Protobuf => PROTOBUF,
        Encoding::Json => JSON,
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
