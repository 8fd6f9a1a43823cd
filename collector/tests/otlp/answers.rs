//! Answers are what OTLP asks for, read back by others' code.

use std::time::Duration;

use collector::{Answer, Code, Encoding, Kind, RequestError, RequestHasher, Status};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use serde_json::{Value, json};

use crate::given::{decoded, span, traces};

fn parsed(json: &[u8]) -> Value {
    serde_json::from_slice(json).expect("JSON")
}

#[test]
fn full_success_is_empty() {
    let answer = Answer::default();
    for kind in [Kind::Traces, Kind::Metrics, Kind::Logs] {
        assert_eq!(answer.encode(kind, Encoding::Protobuf), b"");
        assert_eq!(answer.encode(kind, Encoding::Json), b"{}");
    }
}

#[test]
fn partial_success_says_how_many_and_why() {
    let mut bad = span("bad");
    bad.trace_id.clear();
    let decoded = decoded(Kind::Traces, &traces("shop", vec![bad, span("good")]));
    let answer = Answer::new(&decoded.classes, &decoded.problems);
    let message = "invalid trace id: span `bad` of `shop`";
    let response =
        ExportTraceServiceResponse::decode(&*answer.encode(Kind::Traces, Encoding::Protobuf));
    let partial = response.unwrap().partial_success.unwrap();
    assert_eq!(
        (partial.rejected_spans, &*partial.error_message),
        (1, message)
    );
    for (kind, field) in [
        (Kind::Traces, "rejectedSpans"),
        (Kind::Metrics, "rejectedDataPoints"),
        (Kind::Logs, "rejectedLogRecords"),
    ] {
        let expected = json!({ "partialSuccess": { field: "1", "errorMessage": message } });
        assert_eq!(parsed(&answer.encode(kind, Encoding::Json)), expected);
    }
    assert_eq!(Answer::from_bytes(&answer.to_bytes()), Ok(answer));
    let warning = Answer {
        rejected: 0,
        message: "clock skew".to_owned(),
    };
    let response =
        ExportMetricsServiceResponse::decode(&*warning.encode(Kind::Metrics, Encoding::Protobuf));
    assert_eq!(
        response.unwrap().partial_success.unwrap().error_message,
        "clock skew"
    );
    assert_eq!(Answer::from_bytes(&warning.to_bytes()), Ok(warning));
    assert_eq!(Answer::from_bytes(b""), Ok(Answer::default()));
}

/// `google.rpc.Status` and its details, as their `.proto` files say.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[test]
fn refusals_are_google_rpc_status() {
    let mut status = Status::new(Code::Unavailable, "busy");
    status.retry_after = Some(Duration::from_millis(1500));
    let body = RpcStatus::decode(&*status.encode(Encoding::Protobuf)).unwrap();
    assert_eq!((body.code, &*body.message), (14, "busy"));
    assert_eq!(
        body.details[0].type_url,
        "type.googleapis.com/google.rpc.RetryInfo"
    );
    assert_eq!(
        body.details[0].value,
        [0x0a, 8, 0x08, 1, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01],
        "1 s and 500 000 000 ns"
    );
    let retry = json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.500000000s" });
    assert_eq!(
        parsed(&status.encode(Encoding::Json)),
        json!({ "code": 14, "message": "busy", "details": [retry] })
    );

    let malformed = RequestError::Malformed {
        reason: "cut off".to_owned(),
    }
    .status();
    let violation = json!({ "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{ "field": "body", "description": "cut off" }] });
    let expected =
        json!({ "code": 3, "message": "malformed request: cut off", "details": [violation] });
    assert_eq!(parsed(&malformed.encode(Encoding::Json)), expected);
    let body = RpcStatus::decode(&*malformed.encode(Encoding::Protobuf)).unwrap();
    assert_eq!((body.code, body.details.len()), (3, 1));

    let too_many = RequestError::TooManyItems {
        what: "spans",
        limit: 5,
    }
    .status();
    assert_eq!(
        (too_many.code, too_many.retry_after),
        (Code::ResourceExhausted, None),
        "never to be sent again"
    );
}

#[test]
fn messages_are_cut() {
    let status = Status::new(Code::InvalidArgument, "ä".repeat(3_000_000));
    assert!(status.encode(Encoding::Protobuf).len() < 5000);
    assert!(status.encode(Encoding::Json).len() < 5000);
}

#[test]
fn a_resent_request_has_the_same_hash_and_no_other_has() {
    let hasher = RequestHasher::new(b"secret");
    let long = vec![7; 5000];
    for body in [&b""[..], b"body", &long] {
        let hash = hasher.hash(Kind::Traces, body);
        let resent = RequestHasher::new(b"secret").hash(Kind::Traces, body);
        let mut changed = body.to_vec();
        match changed.last_mut() {
            Some(last) => *last ^= 1,
            None => changed.push(0),
        }
        let others = [
            ("another kind", hasher.hash(Kind::Metrics, body)),
            ("a third kind", hasher.hash(Kind::Logs, body)),
            ("another bit", hasher.hash(Kind::Traces, &changed)),
            (
                "another secret",
                RequestHasher::default().hash(Kind::Traces, body),
            ),
        ];
        let bytes = body.len();
        assert_eq!(resent, hash, "{bytes} bytes");
        for (what, other) in others {
            assert_ne!(other, hash, "{what}, {bytes} bytes");
        }
    }
}
