//! Start, probes, and an orderly end.

use acceptance::home::Home;
use acceptance::otlp::{Coding, Spans, post, send};
use acceptance::replay::{Event, line};
use acceptance::sloburn::Sloburn;
use acceptance::{clock, specs};
use anyhow::Result;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use tokio::task::JoinSet;
use tonic::codec::CompressionEncoding;
use tonic::transport::Endpoint;

#[tokio::test]
async fn sigterm_finishes_what_is_in_flight_and_loses_nothing() -> Result<()> {
    let home = Home::new()?;
    home.spec(
        "shop.yaml",
        &specs::availability("shop", "shop", 0.99, "1d"),
    )?;
    let sloburn = home.start().await?;
    let endpoint = sloburn.http();
    let mut senders = JoinSet::new();
    for _ in 0..8 {
        let endpoint = endpoint.clone();
        senders.spawn(async move {
            let mut acknowledged = 0;
            // Ends when the server takes no more.
            while let Ok(200) = send(&endpoint, &Spans::now("shop", 7, 0)).await {
                acknowledged += 7;
            }
            acknowledged
        });
    }
    sloburn.slo_that("shop", |slo| slo.total > 0).await?;
    let ended = sloburn.stop().await?;
    assert!(ended.success(), "{ended}");
    let acknowledged: u64 = senders.join_all().await.iter().sum();

    let sloburn = home.start().await?;
    let slo = sloburn
        .slo_that("shop", |slo| slo.total >= acknowledged)
        .await?;
    assert_eq!((slo.total, slo.bad), (acknowledged, 0));
    Ok(())
}

#[tokio::test]
async fn probes_and_metrics_tell_the_truth() -> Result<()> {
    let home = Home::new()?;
    home.spec(
        "shop.yaml",
        &specs::availability("shop", "shop", 0.99, "1d"),
    )?;
    let sloburn = home.start().await?;
    assert_eq!(sloburn.get("/livez").await?.0, 200);
    assert_eq!(sloburn.get("/readyz").await?.0, 200);
    assert_eq!(sloburn.get("/no/such/page").await?.0, 404);
    assert_eq!(send(&sloburn.http(), &Spans::now("shop", 6, 2)).await?, 200);
    sloburn.slo_that("shop", |slo| slo.total == 8).await?;
    let (status, metrics) = sloburn.get("/metrics").await?;
    assert_eq!(status, 200);
    // Every sample line is `name{labels} number`, and the objective is among them.
    for line in metrics
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let value = line.rsplit(' ').next().unwrap_or_default();
        assert!(value.parse::<f64>().is_ok(), "`{line}` is no sample");
    }
    assert!(
        metrics.lines().any(|line| line.contains("\"shop\"")),
        "{metrics}"
    );
    Ok(())
}

#[tokio::test]
async fn encodings_codings_and_transports_count_alike_and_resent_once() -> Result<()> {
    let home = Home::new()?;
    home.spec(
        "shop.yaml",
        &specs::availability("shop", "shop", 0.99, "1d"),
    )?;
    let sloburn = home.start().await?;
    let (protobuf, json, path) = ("application/x-protobuf", "application/json", "/v1/traces");
    let endpoint = sloburn.http();
    let codings = [Coding::Identity, Coding::Gzip, Coding::Zstd];
    for (end, coding) in (clock::now_nanos()..).zip(codings) {
        let body = Spans::ended_at("shop", 3, 1, end).encode();
        assert_eq!(post(&endpoint, path, protobuf, coding, &body).await?.0, 200);
        // The same payload in another coding, or by another transport, is the same request.
        assert_eq!(
            post(&endpoint, path, protobuf, Coding::Gzip, &body)
                .await?
                .0,
            200
        );
        over_grpc(&sloburn, Coding::Identity, &body).await?;

        over_grpc(
            &sloburn,
            coding,
            &Spans::ended_at("shop", 2, 0, end).encode(),
        )
        .await?;

        let event = Event {
            end,
            duration_us: 10,
            bad: true,
        };
        let body = line("shop", &[event]);
        assert_eq!(
            post(&endpoint, path, json, coding, body.as_bytes())
                .await?
                .0,
            200
        );
    }
    let slo = sloburn
        .slo_that("shop", |slo| slo.total >= 3 * (4 + 2 + 1))
        .await?;
    assert_eq!((slo.total, slo.bad), (21, 6));
    Ok(())
}

/// Sends the protobuf request `body` over gRPC; fails unless it is acknowledged.
async fn over_grpc(sloburn: &Sloburn, coding: Coding, body: &[u8]) -> Result<()> {
    let channel = Endpoint::from_shared(sloburn.grpc())?.connect().await?;
    let mut client = TraceServiceClient::new(channel);
    client = match coding {
        Coding::Identity => client,
        Coding::Gzip => client.send_compressed(CompressionEncoding::Gzip),
        Coding::Zstd => client.send_compressed(CompressionEncoding::Zstd),
    };
    let answer = client
        .export(ExportTraceServiceRequest::decode(body)?)
        .await?
        .into_inner();
    assert_eq!(answer.partial_success, None);
    Ok(())
}
