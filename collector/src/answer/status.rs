//! `google.rpc.Status`, the body of every refusal.

use std::time::Duration;

use serde_json::json;

use super::{BAD_REQUEST, RETRY_INFO, duration_json, trim};
use crate::codec::{put_bytes, put_varint};
use crate::decode::Encoding;

/// A refusal, as OTLP wants every 4xx and 5xx body and every gRPC status detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What kind of refusal.
    pub code: Code,
    /// Why, for a person; cut at 4 KiB when encoded.
    pub message: String,
    /// Adds a `RetryInfo`: the client may try again after this time.
    pub retry_after: Option<Duration>,
    /// Adds a `BadRequest`: where in the request, and what is wrong there.
    pub violation: Option<(String, String)>,
}

/// The gRPC codes that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request can never be accepted.
    InvalidArgument,
    /// Over a limit. Without retry information: never acceptable.
    ResourceExhausted,
    /// No such method.
    Unimplemented,
    /// Try again.
    Unavailable,
    /// No or wrong credential.
    Unauthenticated,
}

impl Code {
    /// The number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Code::InvalidArgument => 3,
            Code::ResourceExhausted => 8,
            Code::Unimplemented => 12,
            Code::Unavailable => 14,
            Code::Unauthenticated => 16,
        }
    }
}

impl Status {
    /// A refusal without details.
    pub fn new(code: Code, message: impl Into<String>) -> Status {
        Status {
            code,
            message: message.into(),
            retry_after: None,
            violation: None,
        }
    }

    /// The body, in the encoding of the request.
    pub fn encode(&self, encoding: Encoding) -> Vec<u8> {
        let mut message = self.message.clone();
        trim(&mut message);
        match encoding {
            Encoding::Protobuf => self.to_protobuf(&message),
            Encoding::Json => self.to_json(&message),
        }
    }

    fn to_protobuf(&self, message: &str) -> Vec<u8> {
        let mut out = vec![0x08, self.code.number(), 0x12];
        put_bytes(&mut out, message.as_bytes());
        if let Some((field, description)) = &self.violation {
            let mut violation = Vec::new();
            put_field(&mut violation, 1, field.as_bytes());
            put_field(&mut violation, 2, description.as_bytes());
            let mut detail = Vec::new();
            put_field(&mut detail, 1, &violation);
            put_detail(&mut out, BAD_REQUEST, &detail);
        }
        if let Some(after) = self.retry_after {
            let mut delay = vec![0x08];
            put_varint(&mut delay, after.as_secs());
            delay.push(0x10);
            put_varint(&mut delay, u64::from(after.subsec_nanos()));
            let mut detail = Vec::new();
            put_field(&mut detail, 1, &delay);
            put_detail(&mut out, RETRY_INFO, &detail);
        }
        out
    }

    fn to_json(&self, message: &str) -> Vec<u8> {
        let mut details = Vec::new();
        if let Some((field, description)) = &self.violation {
            let violation = json!({ "field": field, "description": description });
            details.push(json!({ "@type": BAD_REQUEST, "fieldViolations": [violation] }));
        }
        if let Some(after) = self.retry_after {
            details.push(json!({ "@type": RETRY_INFO, "retryDelay": duration_json(after) }));
        }
        let mut body = json!({ "code": self.code.number(), "message": message });
        if !details.is_empty() {
            body["details"] = details.into();
        }
        body.to_string().into_bytes()
    }
}

fn put_field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    put_bytes(out, bytes);
}

fn put_detail(out: &mut Vec<u8>, type_url: &str, value: &[u8]) {
    let mut any = Vec::new();
    put_field(&mut any, 1, type_url.as_bytes());
    put_field(&mut any, 2, value);
    put_field(out, 3, &any);
}
