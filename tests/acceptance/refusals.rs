//! Bad input: each fault is told in words, and costs nothing that was right.

use std::net::TcpListener;
use std::process::Output;

use acceptance::home::Home;
use acceptance::otlp::{Coding, Spans, post, send};
use acceptance::sloburn::{Listeners, Sloburn};
use acceptance::{specs, wait};
use anyhow::{Result, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;

/// What a bad configuration ends with: `EX_CONFIG`.
const EX_CONFIG: i32 = 78;

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn lines(output: &Output) -> usize {
    told(output)
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count()
}

fn shop() -> String {
    specs::availability("shop", "shop", 0.99, "1d")
}

#[tokio::test]
async fn every_problem_of_every_spec_is_told_and_serve_refuses_to_start() -> Result<()> {
    let home = Home::new()?;
    home.spec(
        "target.yaml",
        &shop().replace("target: 0.99", "target: 1.5"),
    )?;
    home.spec(
        "twice.yaml",
        &(shop() + &specs::availability("cart", "cart", 0.99, "1x")),
    )?;
    home.spec(
        "unknown.yaml",
        &shop().replace("budgetingMethod:", "budgetingMethodd:"),
    )?;
    let output = home.refuse_to_start(&[]).await?;
    assert!(!output.status.success());
    let serve = told(&output);
    let check = home.run(&["check", "specs"]).await?;
    assert_eq!(check.status.code(), Some(1));
    let check = String::from_utf8_lossy(&check.stdout).into_owned() + &told(&check);
    for place in ["target.yaml:16:", "twice.yaml:24:", "unknown.yaml:8:"] {
        assert!(
            serve.contains(place),
            "serve does not tell {place}\n{serve}"
        );
        assert!(
            check.contains(place),
            "check does not tell {place}\n{check}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn every_problem_of_the_configuration_is_told_with_exit_78() -> Result<()> {
    let home = Home::new()?;
    home.spec("shop.yaml", &shop())?;
    home.config(
        "[[receivers]]
name = \"first\"
kind = \"carrier-pigeon\"
url = \"https://example.com/a\"
secret = \"env:NOT_SET_ANYWHERE\"

[[receivers]]
name = \"second\"
kind = \"webhook\"
url = \"not a url\"
secret = \"env:NOT_SET_ANYWHERE\"
severities = [\"page\"]
",
    )?;
    let output = home.refuse_to_start(&[]).await?;
    assert_eq!(output.status.code(), Some(EX_CONFIG), "{}", told(&output));
    for word in ["carrier-pigeon", "not a url", "NOT_SET_ANYWHERE"] {
        assert!(
            told(&output).contains(word),
            "`{word}` is not told:\n{}",
            told(&output)
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_port_in_use_is_one_sentence() -> Result<()> {
    let home = Home::new()?;
    home.spec("shop.yaml", &shop())?;
    let taken = TcpListener::bind(("127.0.0.1", 0))?;
    let address = taken.local_addr()?;
    for listeners in [
        Listeners {
            grpc: address,
            ..Listeners::ANY
        },
        Listeners {
            http: address,
            ..Listeners::ANY
        },
        Listeners {
            web: address,
            ..Listeners::ANY
        },
    ] {
        let output = home.refuse_to_listen(listeners).await?;
        assert!(!output.status.success());
        assert!(
            told(&output).contains(&address.to_string()),
            "{listeners:?}: {}",
            told(&output)
        );
        assert_eq!(lines(&output), 1, "{listeners:?}: {}", told(&output));
    }
    Ok(())
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_written_is_one_sentence() -> Result<()> {
    let home = Home::new()?;
    home.spec("shop.yaml", &shop())?;
    // A file where the directory should be stops root as well as anybody.
    std::fs::write(home.data(), "in the way")?;
    let output = home.refuse_to_start(&[]).await?;
    assert!(!output.status.success());
    assert!(
        told(&output).contains(&home.data().display().to_string()),
        "{}",
        told(&output)
    );
    assert_eq!(lines(&output), 1, "{}", told(&output));
    Ok(())
}

#[tokio::test]
async fn an_unknown_flag_is_named() -> Result<()> {
    let home = Home::new()?;
    let output = home.refuse_to_start(&["--fast"]).await?;
    assert!(!output.status.success());
    assert!(told(&output).contains("--fast"), "{}", told(&output));
    Ok(())
}

#[tokio::test]
async fn a_second_process_on_one_data_directory_is_refused() -> Result<()> {
    let home = Home::new()?;
    home.spec("shop.yaml", &shop())?;
    let first = home.start().await?;
    let second = home.refuse_to_start(&[]).await?;
    assert!(!second.status.success());
    assert!(
        told(&second).contains(&home.data().display().to_string()),
        "{}",
        told(&second)
    );
    assert_eq!(lines(&second), 1, "{}", told(&second));
    // The first is none the worse.
    assert_eq!(send(&first.http(), &Spans::now("shop", 3, 1)).await?, 200);
    let slo = first.slo_that("shop", |slo| slo.total > 0).await?;
    assert_eq!((slo.total, slo.bad), (4, 1));
    Ok(())
}

#[tokio::test]
async fn a_malformed_request_is_refused_whole_and_a_bad_span_alone() -> Result<()> {
    let home = Home::new()?;
    home.spec("shop.yaml", &shop())?;
    let sloburn = home.start().await?;

    malformed_over_http(&sloburn).await?;
    malformed_over_grpc(&sloburn).await?;
    one_bad_span(&sloburn).await?;

    let slo = sloburn.slo_that("shop", |slo| slo.total >= 9).await?;
    assert_eq!(
        (slo.total, slo.bad),
        (9, 2),
        "only the nine good spans of the last request"
    );
    Ok(())
}

/// Bodies that are cut short, of another shape, or of another encoding: 400 and a `google.rpc.Status`.
async fn malformed_over_http(sloburn: &Sloburn) -> Result<()> {
    let whole = Spans::now("shop", 20, 20).encode();
    let cut = &whole[..whole.len() - 7];
    let (protobuf, json) = ("application/x-protobuf", "application/json");
    for (content_type, body) in [
        (protobuf, cut),
        (protobuf, b"\xff\xff\xff\xff\xff".as_slice()),
        (json, b"{\"resourceSpans\": [{"),
        (json, b"[1, 2, 3]"),
        (json, &whole),
    ] {
        let (status, answer) = post(
            &sloburn.http(),
            "/v1/traces",
            content_type,
            Coding::Identity,
            body,
        )
        .await?;
        assert_eq!(
            status,
            400,
            "{content_type}: {}",
            String::from_utf8_lossy(&answer)
        );
        assert!(
            !answer.is_empty(),
            "a refusal has a google.rpc.Status as its body"
        );
    }
    let (status, _) = post(
        &sloburn.http(),
        "/v1/traces",
        "text/plain",
        Coding::Identity,
        &whole,
    )
    .await?;
    assert_eq!(status, 415);
    Ok(())
}

/// A gRPC message that is no request: `INVALID_ARGUMENT`.
async fn malformed_over_grpc(sloburn: &Sloburn) -> Result<()> {
    let channel = tonic::transport::Endpoint::from_shared(sloburn.grpc())?
        .connect()
        .await?;
    let mut client = TraceServiceClient::new(channel.clone());
    client.export(ExportTraceServiceRequest::default()).await?;
    let mut raw = tonic::client::Grpc::new(channel);
    raw.ready().await?;
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let request = tonic::Request::new(Nonsense { field: 1 });
    let refused: Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> = raw
        .unary(request, path.parse()?, tonic_prost::ProstCodec::default())
        .await;
    let code = refused.expect_err("nonsense was accepted").code();
    assert_eq!(code, tonic::Code::InvalidArgument);
    Ok(())
}

/// Field 1 of a trace request is a message; here it is a number.
#[derive(Clone, PartialEq, prost::Message)]
struct Nonsense {
    #[prost(uint64, tag = "1")]
    field: u64,
}

/// A span without ids among nine good ones: rejected alone, and told so.
async fn one_bad_span(sloburn: &Sloburn) -> Result<()> {
    let mut request = Spans::now("shop", 8, 2).request();
    request.resource_spans[0].scope_spans[0].spans[3].trace_id = vec![0; 16];
    let body = request.encode_to_vec();
    for _ in 0..2 {
        let protobuf = "application/x-protobuf";
        let (status, answer) =
            post(&sloburn.http(), "/v1/traces", protobuf, Coding::Gzip, &body).await?;
        assert_eq!(status, 200);
        let answer = ExportTraceServiceResponse::decode(answer.as_slice())?;
        let partial = answer.partial_success.unwrap_or_default();
        assert_eq!(partial.rejected_spans, 1, "{partial:?}");
        assert!(!partial.error_message.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_reload_with_a_bad_spec_keeps_the_catalog_and_tells_the_problem() -> Result<()> {
    let home = Home::new()?;
    home.spec("shop.yaml", &shop())?;
    let sloburn = home.start().await?;
    assert_eq!(send(&sloburn.http(), &Spans::now("shop", 5, 0)).await?, 200);
    sloburn.slo_that("shop", |slo| slo.total == 5).await?;

    home.spec("cart.yaml", &specs::availability("cart", "cart", 7.0, "1d"))?;
    sloburn.signal("HUP").await?;
    wait::until("the problem is told", wait::TICKS, async || {
        let page = sloburn.get("/slos").await?.1;
        Ok((page.contains("cart.yaml") && sloburn.told().contains("cart.yaml")).then_some(()))
    })
    .await?;
    let slos = sloburn.slos().await?;
    assert_eq!(slos.named("shop")?.total, 5);
    ensure!(slos.named("cart").is_err());

    // Put right, it is taken, and what was there stays counted.
    home.spec(
        "cart.yaml",
        &specs::availability("cart", "cart", 0.99, "1d"),
    )?;
    sloburn.signal("HUP").await?;
    assert_eq!(send(&sloburn.http(), &Spans::now("cart", 2, 1)).await?, 200);
    let cart = sloburn.slo_that("cart", |slo| slo.total > 0).await?;
    assert_eq!((cart.total, cart.bad), (3, 1));
    assert_eq!(sloburn.slos().await?.named("shop")?.total, 5);
    Ok(())
}
