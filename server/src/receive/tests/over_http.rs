//! OTLP over HTTP.

use super::*;

#[tokio::test]
async fn a_full_success_is_an_empty_message_or_an_empty_object() {
    let mut served = Served::start().await;
    let mut submitted = served.journal_answers(Ok(Answer::default()));

    let reply = served.post_protobuf(&[], one_span(5)).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), Some("application/x-protobuf"));
    assert!(reply.body.is_empty());
    let seen = submitted.recv().await.unwrap();
    assert_eq!((seen.kind, seen.items), (Kind::Traces, 1));
    assert_eq!(served.ring.recent(Kind::Traces).len(), 1);

    let json = [("content-type", "Application/JSON; charset=utf-8")];
    for path in ["/v1/traces", "/v1/metrics", "/v1/logs"] {
        let reply = served.post(path, &json, b"{}".to_vec()).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.body, b"{}", "{path}");
    }
    for line in [
        "sloburn_receive_requests_total{signal=\"traces\",transport=\"http_protobuf\",outcome=\"accepted\"} 1",
        "sloburn_receive_requests_total{signal=\"logs\",transport=\"http_json\",outcome=\"accepted\"} 1",
    ] {
        served.assert_counted(line);
    }
}

#[tokio::test]
async fn a_partial_success_says_how_many_and_why() {
    let mut served = Served::start().await;
    let answer = Answer {
        rejected: 3,
        message: "3 spans were too late".to_owned(),
    };
    let _submitted = served.journal_answers(Ok(answer));

    let json = [("content-type", "application/json")];
    let reply = served.post("/v1/traces", &json, b"{}".to_vec()).await;
    let partial = &reply.json()["partialSuccess"];
    assert_eq!(partial["rejectedSpans"], "3");
    assert_eq!(partial["errorMessage"], "3 spans were too late");

    let reply = served.post_protobuf(&[], one_span(5)).await;
    let body =
        opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse::decode(
            reply.body.as_slice(),
        )
        .unwrap();
    let partial = body.partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 3);
    assert_eq!(partial.error_message, "3 spans were too late");
    served.assert_counted(
        "sloburn_receive_requests_total{signal=\"traces\",transport=\"http_protobuf\",outcome=\"partial\"} 1",
    );
}

#[tokio::test]
async fn every_compression_is_the_same_request() {
    let mut served = Served::start().await;
    let mut submitted = served.journal_answers(Ok(Answer::default()));
    let span = one_span(400_000);
    let bodies = [
        ("identity", span.clone()),
        ("gzip", gzip(&span)),
        ("zstd", zstd(&span)),
    ];
    for (coding, body) in bodies {
        let reply = served
            .post_protobuf(&[("content-encoding", coding)], body)
            .await;
        assert_eq!(reply.status, StatusCode::OK, "{coding}");
        let seen = submitted.recv().await.unwrap();
        assert_eq!(seen.items, 1, "{coding}");
        let hash = RequestHasher::default().hash(Kind::Traces, &span);
        assert_eq!(seen.hash, hash, "{coding}");
    }
}

/// A body, how it is said to be encoded, and the answer it deserves: HTTP status and code.
struct Bad {
    case: &'static str,
    coding: &'static str,
    body: Vec<u8>,
    deserves: (u16, i32),
}

fn bad_bodies() -> [Bad; 7] {
    let bad = |case, coding, body, deserves| Bad {
        case,
        coding,
        body,
        deserves,
    };
    let zeros = vec![0; 50 << 20];
    let span = || one_span(50);
    let cut = one_span(50)[..40].to_vec();
    [
        bad("bad protobuf", "", b"\xff\xff\xff".to_vec(), (400, 3)),
        bad("cut protobuf", "", cut, (400, 3)),
        bad("bad gzip", "gzip", span(), (400, 3)),
        bad("bad zstd", "zstd", span(), (400, 3)),
        bad("brotli", "br", span(), (415, 12)),
        bad("gzip bomb", "gzip", gzip(&zeros), (413, 8)),
        bad("zstd bomb", "zstd", zstd(&zeros), (413, 8)),
    ]
}

#[tokio::test]
async fn what_can_never_be_accepted_is_refused_for_good_with_a_status_body() {
    let mut served = Served::start().await;
    let _submitted = served.journal_answers(Ok(Answer::default()));
    for bad in bad_bodies() {
        let coding = [("content-encoding", bad.coding)];
        let reply = served.post_protobuf(&coding, bad.body).await;
        let (code, message, retries) = reply.protobuf_status();
        let case = bad.case;
        assert_eq!((reply.status.as_u16(), code), bad.deserves, "{case}");
        assert_eq!(
            reply.header("content-type"),
            Some("application/x-protobuf"),
            "{case}"
        );
        assert_eq!(
            (retries, reply.header("retry-after")),
            (false, None),
            "{case}"
        );
        assert!(!message.is_empty() && message.len() <= 200, "{case}");
    }
    assert!(served.ring.recent(Kind::Traces).is_empty());
}

#[tokio::test]
async fn a_refusal_of_json_is_json() {
    let mut served = Served::start().await;
    let _submitted = served.journal_answers(Ok(Answer::default()));
    let json = [("content-type", "application/json")];
    let reply = served
        .post("/v1/traces", &json, b"{\"resourceSpans\":[".to_vec())
        .await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(reply.json()["code"], 3);
    assert_eq!(
        reply.json()["details"][0]["@type"],
        "type.googleapis.com/google.rpc.BadRequest"
    );
}

#[tokio::test]
async fn a_wrong_address_or_type_is_said_in_words() {
    let served = Served::start().await;
    let reply = served
        .post("/v1/traces", &[("content-type", "text/plain")], Vec::new())
        .await;
    assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(
        reply.json()["message"],
        "content type `text/plain` is not supported: send application/x-protobuf or application/json"
    );
    let reply = served.post("/v1/profiles", &[], Vec::new()).await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    assert_eq!(reply.json()["code"], 12);

    let got = served
        .client
        .get(served.url("/v1/traces"))
        .send()
        .await
        .unwrap();
    let reply = Reply::of(got).await;
    assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(reply.header("allow"), Some("POST"));
    assert_eq!(reply.json()["message"], "only POST is accepted here");
}

#[tokio::test]
async fn a_body_over_the_limit_is_answered_413_although_it_is_still_being_sent() {
    let limits = ReceiveLimits {
        request_bytes: 1 << 20,
        ..ReceiveLimits::default()
    };
    let served = Served::with(limits, ConnectionLimits::default()).await;
    let body = vec![0_u8; (1 << 20) + 1];
    let declared = served.post_protobuf(&[], body.clone()).await;
    assert_eq!(declared.status, StatusCode::PAYLOAD_TOO_LARGE);

    let parts = body
        .chunks(10_000)
        .map(|part| Ok::<_, std::io::Error>(part.to_vec()));
    let stream = futures_util::stream::iter(parts.collect::<Vec<_>>());
    let chunked = http_body_util::StreamBody::new(futures_util::StreamExt::map(stream, |part| {
        part.map(|part| hyper::body::Frame::data(bytes::Bytes::from(part)))
    }));
    let sent = served
        .client
        .post(served.url("/v1/traces"))
        .header("content-type", "application/x-protobuf")
        .body(reqwest::Body::wrap(chunked))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn passing_trouble_is_answered_503_with_the_time_to_come_back() {
    let second = Duration::from_secs(1);
    let cases = [
        (
            Refused::Busy {
                retry_after: 3 * second,
            },
            "3",
            "busy",
        ),
        (
            Refused::Unavailable {
                retry_after: second / 2,
            },
            "1",
            "unavailable",
        ),
        (Refused::Stopping, "1", "stopping"),
    ];
    for (refused, after, outcome) in cases {
        let mut served = Served::start().await;
        let _submitted = served.journal_answers(Err(refused));
        let reply = served.post_protobuf(&[], one_span(5)).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{outcome}");
        assert_eq!(reply.header("retry-after"), Some(after), "{outcome}");
        let (code, _, retries) = reply.protobuf_status();
        assert_eq!((code, retries), (14, true), "{outcome}");
        assert!(served.ring.recent(Kind::Traces).is_empty(), "{outcome}");
        served.assert_counted(&format!(
            "sloburn_receive_requests_total{{signal=\"traces\",transport=\"http_protobuf\",outcome=\"{outcome}\"}} 1"
        ));
    }
}

#[tokio::test]
async fn a_panic_is_passing_trouble() {
    let panicking = async { panic!("as a bug would") };
    let refusal = super::super::unpanicked(panicking).await.unwrap_err();
    assert_eq!(refusal.http_status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refusal.retry_after().is_some());
}
