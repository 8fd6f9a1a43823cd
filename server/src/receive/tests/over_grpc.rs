//! OTLP over gRPC, with frames that no decent client sends.

use super::*;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

fn frame(flag: u8, length: usize, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![flag];
    frame.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

async fn call(served: &Served, path: &str, coding: Option<&str>, body: Vec<u8>) -> Reply {
    let mut request = client(true)
        .post(served.url(path))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body);
    if let Some(coding) = coding {
        request = request.header("grpc-encoding", coding);
    }
    Reply::of(request.send().await.unwrap()).await
}

/// A body, how it is said to be encoded, and the code it deserves.
struct Bad {
    case: &'static str,
    coding: Option<&'static str>,
    body: Vec<u8>,
    deserves: tonic::Code,
}

fn bad_frames() -> [Bad; 13] {
    let bad = |case, coding, body, deserves| Bad {
        case,
        coding,
        body,
        deserves,
    };
    let invalid = tonic::Code::InvalidArgument;
    let exhausted = tonic::Code::ResourceExhausted;
    let whole = |flag, message: &[u8]| frame(flag, message.len(), message);
    let zeros = vec![0; 50 << 20];
    let span = one_span(50);
    let twice = [whole(0, &span), whole(0, &span)].concat();
    let long = frame(0, (64 << 20) + 1, &span);
    [
        bad("no message", None, Vec::new(), invalid),
        bad("half a prefix", None, vec![0, 0], invalid),
        bad("bad protobuf", None, whole(0, b"\xff\xff"), invalid),
        bad("too short", None, frame(0, span.len() + 1, &span), invalid),
        bad("two messages", None, twice, invalid),
        bad("a flag of 7", None, whole(7, &span), invalid),
        bad("unsaid compression", None, whole(1, &gzip(&span)), invalid),
        bad("bad gzip", Some("gzip"), whole(1, &span), invalid),
        bad("bad zstd", Some("zstd"), whole(1, &span), invalid),
        bad("over-long", None, long, exhausted),
        bad(
            "gzip bomb",
            Some("gzip"),
            whole(1, &gzip(&zeros)),
            exhausted,
        ),
        bad(
            "zstd bomb",
            Some("zstd"),
            whole(1, &zstd(&zeros)),
            exhausted,
        ),
        bad(
            "snappy",
            Some("snappy"),
            whole(1, &span),
            tonic::Code::Unimplemented,
        ),
    ]
}

#[tokio::test]
async fn what_can_never_be_accepted_is_refused_for_good() {
    let mut served = Served::start().await;
    let _submitted = served.journal_answers(Ok(Answer::default()));
    for bad in bad_frames() {
        let case = bad.case;
        let reply = call(&served, EXPORT, bad.coding, bad.body).await;
        assert_eq!(reply.status, StatusCode::OK, "{case}");
        let status = reply.rpc_status();
        assert_eq!(status.code(), bad.deserves, "{case}: {status:?}");
        let (code, message, retries) = rpc_status_of(status.details());
        assert_eq!(code, i32::from(bad.deserves), "{case}");
        assert_eq!(
            (message.as_str(), retries),
            (status.message(), false),
            "{case}"
        );
        let known = reply.header("grpc-accept-encoding");
        let unknown = bad.deserves == tonic::Code::Unimplemented;
        assert_eq!(known.is_some(), unknown, "{case}");
    }
}

#[tokio::test]
async fn an_uncompressed_message_is_taken_whatever_encoding_is_declared() {
    let mut served = Served::start().await;
    let mut submitted = served.journal_answers(Ok(Answer::default()));
    let span = one_span(5);
    let reply = call(&served, EXPORT, Some("gzip"), frame(0, span.len(), &span)).await;
    assert_eq!(reply.body, [0; 5]);
    assert_eq!(submitted.recv().await.unwrap().items, 1);
}

#[tokio::test]
async fn passing_trouble_is_unavailable_with_the_time_to_come_back() {
    let mut served = Served::start().await;
    let retry_after = Duration::from_secs(3);
    let _submitted = served.journal_answers(Err(Refused::Busy { retry_after }));
    let span = one_span(5);
    let reply = call(&served, EXPORT, None, frame(0, span.len(), &span)).await;
    let status = reply.rpc_status();
    assert_eq!(status.code(), tonic::Code::Unavailable);
    let (_, message, retries) = rpc_status_of(status.details());
    assert_eq!(message, "the server is busy; try again in 3 s");
    assert!(retries);
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented_and_an_unknown_type_is_415() {
    let served = Served::start().await;
    let unknown = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";
    let reply = call(&served, unknown, None, Vec::new()).await;
    assert_eq!(reply.rpc_status().code(), tonic::Code::Unimplemented);
    let reply = served
        .post(EXPORT, &[("content-type", "text/plain")], Vec::new())
        .await;
    assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}
