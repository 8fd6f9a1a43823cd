//! `kill -9` at random moments under load: what was acknowledged is counted, nothing is counted twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use acceptance::home::Home;
use acceptance::inbox::{Behaviour, Inbox};
use acceptance::otlp::{Coding, Spans, post, send};
use acceptance::postgres::Postgres;
use acceptance::sloburn::Sloburn;
use acceptance::{specs, wait};
use anyhow::{Context, Result, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

/// Crashes of one test.
const CRASHES: u64 = 6;

/// Senders at a time: half over gRPC, half over HTTP.
const SENDERS: u64 = 6;

/// One request, and whether it was ever acknowledged.
#[derive(Debug)]
struct Request {
    body: Vec<u8>,
    good: u64,
    bad: u64,
    acknowledged: bool,
}

#[derive(Debug, Default)]
struct Load {
    stop: AtomicBool,
    acknowledged: AtomicU64,
}

enum Way {
    Grpc(Box<TraceServiceClient<Channel>>),
    Http(String),
}

impl Way {
    /// Sends a body; whether it was acknowledged.
    async fn send(&mut self, body: &[u8]) -> bool {
        match self {
            Way::Grpc(client) => {
                let Ok(request) = ExportTraceServiceRequest::decode(body) else {
                    return false;
                };
                client.export(request).await.is_ok()
            }
            Way::Http(endpoint) => {
                let protobuf = "application/x-protobuf";
                let sent = post(endpoint, "/v1/traces", protobuf, Coding::Identity, body).await;
                sent.is_ok_and(|(status, _)| status == 200)
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_nothing_and_repeats_nothing_on_sqlite() -> Result<()> {
    crash_under_load(Home::new()?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_nothing_and_repeats_nothing_on_postgres() -> Result<()> {
    let postgres = Postgres::start().await?;
    crash_under_load(Home::new()?.on_postgres(&postgres.url())).await?;
    postgres.stop().await
}

async fn crash_under_load(home: Home) -> Result<()> {
    home.spec(
        "shop.yaml",
        &specs::availability("shop", "shop", 0.99, "1d"),
    )?;
    home.spec(
        "barrier.yaml",
        &specs::availability("barrier", "barrier", 0.99, "1d"),
    )?;
    let mut sloburn = home.start().await?;
    let load = Arc::new(Load::default());
    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        let way = way(number, &sloburn.grpc(), &sloburn.http())?;
        senders.spawn(sender(way, sloburn.listeners().http, load.clone()));
    }
    for _ in 0..CRASHES {
        // A random number of requests later is a random moment of the server's work.
        let enough = load.acknowledged.load(Ordering::Relaxed) + rand::random_range(20..400);
        wait::until(
            "requests are acknowledged",
            Duration::from_mins(1),
            async || Ok((load.acknowledged.load(Ordering::Relaxed) >= enough).then_some(())),
        )
        .await?;
        sloburn.kill().await?;
        sloburn = home.start().await?;
    }
    load.stop.store(true, Ordering::Relaxed);
    let requests: Vec<Request> = senders.join_all().await.into_iter().flatten().collect();
    let sent = sums(requests.iter());
    counted_what_was_acknowledged(&sloburn, &requests).await?;

    // Everything again, byte by byte: what was not acknowledged must be counted once, the rest not again.
    for (number, request) in (0..).zip(&requests) {
        let mut way = way(number, &sloburn.grpc(), &sloburn.http())?;
        ensure!(
            way.send(&request.body).await,
            "a resent request was not acknowledged"
        );
    }
    passed_barrier(&sloburn, 2).await?;
    let counted = sloburn.slos().await?.named("shop")?.clone();
    assert_eq!((counted.total, counted.bad), sent, "counted, sent");

    // And the same after one more start, from what is stored alone.
    assert!(sloburn.stop().await?.success());
    let sloburn = home.start().await?;
    passed_barrier(&sloburn, 3).await?;
    let counted = sloburn.slos().await?.named("shop")?.clone();
    assert_eq!(
        (counted.total, counted.bad),
        sent,
        "counted after a restart, sent"
    );
    Ok(())
}

/// Acknowledged ⊆ counted ⊆ sent.
async fn counted_what_was_acknowledged(sloburn: &Sloburn, requests: &[Request]) -> Result<()> {
    let acknowledged = requests.iter().filter(|request| request.acknowledged);
    ensure!(
        acknowledged.clone().count() < requests.len(),
        "no crash hit a request: the test shows nothing"
    );
    let (acknowledged, sent) = (sums(acknowledged), sums(requests.iter()));
    passed_barrier(sloburn, 1).await?;
    let counted = sloburn.slos().await?.named("shop")?.clone();
    assert!(
        acknowledged.0 <= counted.total && acknowledged.1 <= counted.bad,
        "acknowledged {acknowledged:?}, counted {counted:?}"
    );
    assert!(
        counted.total <= sent.0 && counted.bad <= sent.1,
        "sent {sent:?}, counted {counted:?}"
    );
    Ok(())
}

fn way(number: u64, grpc: &str, http: &str) -> Result<Way> {
    if number.is_multiple_of(2) {
        let channel = Endpoint::from_shared(grpc.to_owned())?.timeout(Duration::from_secs(10));
        return Ok(Way::Grpc(Box::new(TraceServiceClient::new(
            channel.connect_lazy(),
        ))));
    }
    Ok(Way::Http(http.to_owned()))
}

/// Sends requests of its own until told to stop; each once, whether acknowledged or not.
async fn sender(mut way: Way, address: SocketAddr, load: Arc<Load>) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut pace = tokio::time::interval(Duration::from_millis(2));
    while !load.stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let (good, bad) = (rand::random_range(1..40), rand::random_range(0..5));
        let body = Spans::now("shop", good, bad).encode();
        let acknowledged = way.send(&body).await;
        requests.push(Request {
            body,
            good: good as u64,
            bad: bad as u64,
            acknowledged,
        });
        if acknowledged {
            load.acknowledged.fetch_add(1, Ordering::Relaxed);
        } else {
            // One request lost in each crash is enough: the next goes to a server that is there.
            wait::for_listener(address).await;
        }
    }
    requests
}

/// All and bad events of some requests.
fn sums<'a>(requests: impl Iterator<Item = &'a Request>) -> (u64, u64) {
    requests.fold((0, 0), |(total, bad), request| {
        (total + request.good + request.bad, bad + request.bad)
    })
}

/// Sends one more span of another service and waits until it is evaluated: what was committed before it is too.
async fn passed_barrier(sloburn: &Sloburn, number: u64) -> Result<()> {
    ensure!(send(&sloburn.http(), &Spans::now("barrier", 1, 0)).await? == 200);
    sloburn
        .slo_that("barrier", |slo| slo.total >= number)
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_page_owed_at_a_crash_is_delivered_once_after_it() -> Result<()> {
    let inbox = Inbox::start().await?;
    let mut home = Home::new()?;
    home.deliver_to("inbox", &inbox)?;
    home.spec("shop.yaml", &specs::quick("shop", "shop"))?;
    // Down for as long as it takes: the page is owed, tried, and not delivered when the server dies.
    inbox.plan(std::iter::repeat_n(Behaviour::Refuse(503, None), 3));
    let sloburn = home.start().await?;
    ensure!(send(&sloburn.http(), &Spans::now("shop", 50, 50)).await? == 200);
    wait::until("the page is tried", wait::TICKS, async || {
        Ok((!inbox.attempts().is_empty()).then_some(()))
    })
    .await
    .with_context(|| sloburn.told())?;
    sloburn.kill().await?;
    let before = inbox.attempts();

    let sloburn = home.start().await?;
    let deliveries = inbox.deliveries_at_least(1, Duration::from_mins(2)).await;
    let deliveries = deliveries.with_context(|| sloburn.told())?;
    assert_eq!(
        deliveries[0].id, before[0],
        "the same page, not another one for the same incident"
    );
    assert!(
        inbox.attempts().iter().all(|id| *id == before[0]),
        "{:?}",
        inbox.attempts()
    );
    // The same incident goes on: no further page.
    ensure!(send(&sloburn.http(), &Spans::now("shop", 0, 10)).await? == 200);
    sloburn.slo_that("shop", |slo| slo.bad >= 60).await?;
    assert_eq!(inbox.deliveries().len(), 1);
    Ok(())
}
