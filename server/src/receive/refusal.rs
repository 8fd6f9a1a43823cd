//! Why a request was not accepted, and what its sender should do: the one place that decides which refusals are final.
//!
//! Senders repeat a request only on 429, 502, 503, 504 and on UNAVAILABLE; any other answer makes them drop it. So
//! what may pass is never answered with 500 or INTERNAL.

use std::time::Duration;

use collector::{Code, RequestError, Status};
use http::StatusCode;
use thiserror::Error;

use crate::journal::queue::Refused;
use crate::metrics::Outcome;

/// When a sender should come back whose request met a passing trouble without a time of its own.
const RETRY: Duration = Duration::from_secs(2);

/// Longest message sent to a client, in bytes: it may quote what the client sent.
const MESSAGE_BYTES: usize = 200;

/// Why a request was not accepted.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    /// The bytes are not what they claim to be.
    #[error("{0}")]
    Malformed(String),
    /// The payload is larger than the limit, or grows beyond it when it is decompressed.
    #[error("the request is too large: at most {most} bytes after decompression are accepted")]
    TooLarge {
        /// Bytes that would have been accepted.
        most: usize,
    },
    /// The payload holds more spans or points than one request may.
    #[error("{0}")]
    TooManyItems(String),
    /// The content type is not one of OTLP's.
    #[error("content type `{0}` is not supported: send application/x-protobuf or application/json")]
    UnsupportedType(String),
    /// The compression is not one we know.
    #[error("encoding `{0}` is not supported: send gzip, zstd or identity")]
    UnsupportedEncoding(String),
    /// There is nothing at this path.
    #[error("nothing is here: POST to /v1/traces, /v1/metrics or /v1/logs")]
    NotFound,
    /// The path takes only POST.
    #[error("only POST is accepted here")]
    MethodNotAllowed,
    /// The body took longer than it may.
    #[error("the request's body did not arrive in time")]
    Slow,
    /// Other requests hold the memory.
    #[error("the server is busy; try again in {} s", RETRY.as_secs())]
    Busy,
    /// The journal did not take it.
    #[error(transparent)]
    Journal(#[from] Refused),
    /// Our own fault: the request may pass at another try, or on the next version.
    #[error("the server failed on this request; try again")]
    Panicked,
}

impl Refusal {
    /// The answer over HTTP.
    pub(super) fn http_status(&self) -> StatusCode {
        match self {
            Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
            Refusal::TooLarge { .. } | Refusal::TooManyItems(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::UnsupportedType(_) | Refusal::UnsupportedEncoding(_) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Refusal::NotFound => StatusCode::NOT_FOUND,
            Refusal::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Slow | Refusal::Busy | Refusal::Journal(_) | Refusal::Panicked => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The `google.rpc.Status`: the answer over gRPC, and the body of the one over HTTP.
    pub(super) fn status(&self) -> Status {
        let message = self.message();
        let violation =
            matches!(self, Refusal::Malformed(_)).then(|| ("body".to_owned(), message.clone()));
        Status {
            code: self.code(),
            message,
            retry_after: self.retry_after(),
            violation,
        }
    }

    fn code(&self) -> Code {
        match self {
            Refusal::Malformed(_) | Refusal::UnsupportedType(_) => Code::InvalidArgument,
            Refusal::TooLarge { .. } | Refusal::TooManyItems(_) => Code::ResourceExhausted,
            Refusal::UnsupportedEncoding(_) | Refusal::NotFound | Refusal::MethodNotAllowed => {
                Code::Unimplemented
            }
            Refusal::Slow | Refusal::Busy | Refusal::Journal(_) | Refusal::Panicked => {
                Code::Unavailable
            }
        }
    }

    /// When to send the same bytes again; `None` when that would be in vain.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Refusal::Journal(refused) => Some(refused.retry_after()),
            Refusal::Slow | Refusal::Busy | Refusal::Panicked => Some(RETRY),
            _ => None,
        }
    }

    /// What the sender is told, cut to [`MESSAGE_BYTES`].
    fn message(&self) -> String {
        let mut message = self.to_string();
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        message
    }

    /// How it is counted in `/metrics`.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Refusal::Malformed(_) => Outcome::Malformed,
            Refusal::TooLarge { .. } | Refusal::TooManyItems(_) => Outcome::TooLarge,
            Refusal::UnsupportedType(_) | Refusal::UnsupportedEncoding(_) => Outcome::Unsupported,
            Refusal::NotFound | Refusal::MethodNotAllowed => Outcome::Misdirected,
            Refusal::Slow => Outcome::Slow,
            Refusal::Busy | Refusal::Journal(Refused::Busy { .. }) => Outcome::Busy,
            Refusal::Journal(Refused::Unavailable { .. }) => Outcome::Unavailable,
            Refusal::Journal(Refused::Stopping) => Outcome::Stopping,
            Refusal::Panicked => Outcome::Panicked,
        }
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Refusal {
        match error {
            RequestError::Malformed { .. } => Refusal::Malformed(error.to_string()),
            RequestError::TooManyItems { .. } => Refusal::TooManyItems(error.to_string()),
        }
    }
}
