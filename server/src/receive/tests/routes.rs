//! What is answered where, over HTTP/1 and HTTP/2.

use http::Method;

use super::*;

const GRPC_TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const GRPC_METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const GRPC_LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

async fn ask(
    served: &Served,
    client: &reqwest::Client,
    method: &Method,
    path: &str,
    media: &'static str,
    body: &'static [u8],
) -> Reply {
    let request = client
        .request(method.clone(), served.url(path))
        .header("content-type", media)
        .body(body);
    Reply::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn what_is_posted_to_a_signals_path_is_taken_as_that_signal() {
    let mut served = Served::start().await;
    let mut submitted = served.journal_answers(Ok(Answer::default()));
    let posts: [(_, &str, &[u8], _); 2] = [
        (
            ["/v1/traces", "/v1/metrics", "/v1/logs?x=1"],
            "application/x-protobuf",
            b"",
            "0",
        ),
        (
            [GRPC_TRACES, GRPC_METRICS, GRPC_LOGS],
            "application/grpc",
            &[0; 5],
            "5",
        ),
    ];
    for http2 in [false, true] {
        let client = client(http2);
        for (paths, media, body, length) in posts {
            for path in paths {
                let reply = ask(&served, &client, &Method::POST, path, media, body).await;
                assert_eq!(reply.status, StatusCode::OK, "{path}");
                assert_eq!(reply.header("content-length"), Some(length), "{path}");
            }
            // Of logs there is nothing to commit.
            for kind in [Kind::Traces, Kind::Metrics] {
                assert_eq!(submitted.recv().await.unwrap().kind, kind, "{media}");
            }
        }
    }
}

#[tokio::test]
async fn anything_but_post_is_405_and_any_other_path_404() {
    let served = Served::start().await;
    let (not_allowed, not_found) = (StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_FOUND);
    let cases = [
        ("GET", "/v1/traces", not_allowed),
        ("HEAD", "/v1/metrics", not_allowed),
        ("OPTIONS", "/v1/logs", not_allowed),
        ("PURGE", "/v1/logs", not_allowed),
        ("GET", GRPC_TRACES, not_allowed),
        ("HEAD", GRPC_METRICS, not_allowed),
        ("DELETE", GRPC_LOGS, not_allowed),
        ("GET", "/", not_found),
        ("HEAD", "/v2/traces", not_found),
        ("OPTIONS", "/v1", not_found),
        ("POST", "/v1/traces/", not_found),
        ("POST", "/v1/%74races", not_found),
        ("POST", "/V1/traces", not_found),
        (
            "POST",
            "/opentelemetry.proto.collector.trace.v1.TraceService",
            not_found,
        ),
    ];
    for http2 in [false, true] {
        let client = client(http2);
        for (method, path, status) in cases {
            let case = format!("{method} {path}");
            let method = method.parse().unwrap();
            let allowed = (status == not_allowed).then_some("POST");

            let reply = ask(&served, &client, &method, path, "application/json", b"").await;
            assert_eq!(reply.status, status, "{case}");
            assert_eq!(reply.header("allow"), allowed, "{case}");
            let length = reply.header("content-length").unwrap();
            assert_ne!(length, "0", "{case}");
            if method == Method::HEAD {
                assert!(reply.body.is_empty(), "{case}");
            } else {
                assert_eq!(length, reply.body.len().to_string(), "{case}");
                assert_eq!(reply.json()["code"], 12, "{case}");
            }

            let reply = ask(&served, &client, &method, path, "application/grpc", b"").await;
            assert_eq!(reply.status, StatusCode::OK, "{case}");
            assert_eq!(reply.header("allow"), allowed, "{case}");
            assert_eq!(reply.header("grpc-status"), Some("12"), "{case}");
        }
    }
}
