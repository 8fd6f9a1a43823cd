//! More distinct values than anybody means: the memory stays bounded, and every total and budget exact.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use acceptance::footprint::Footprint;
use acceptance::home::Home;
use acceptance::otlp::{Coding, Spans, post, text};
use acceptance::sloburn::Sloburn;
use acceptance::specs;
use anyhow::{Context, Result, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::honest_is_served;

/// Distinct values sent: a million of them within a minute, where the build is not for debugging.
const VALUES: usize = if cfg!(debug_assertions) {
    120_000
} else {
    1_000_000
};

/// Spans of one request.
const BATCH: usize = 1000;

/// What the values may add to the resident memory: 20 000 series with their names, a request's decoding, and the
/// slices of one tick.
const GROWTH: u64 = 160 << 20;

const PROTOBUF: &str = "application/x-protobuf";

/// Bad are those with a status of 500 and more; another objective is about one route.
fn home() -> Result<Home> {
    let home = Home::new()?;
    let judged = |name: &str, matching: &str| {
        let bad = format!("{matching}, http.response.status_code: {{ gte: 500 }} }}");
        specs::availability(name, "shop", 0.99, "1d")
            .replace("service.name: shop }, status: error", &bad)
            .replace("service.name: shop }", &format!("{matching} }}"))
    };
    home.spec("shop.yaml", &judged("shop", "service.name: shop"))?;
    let cart = "service.name: shop, http.route: /cart";
    home.spec("cart.yaml", &judged("cart", cart))?;
    home.config("[limits]\nring_bytes = 0\n")?;
    Ok(home)
}

/// A request of spans that differ in all that tells series apart; one in ten is bad.
fn different(first: usize) -> Vec<u8> {
    let mut request = Spans::now("shop", BATCH, 0).request();
    let template = request.resource_spans[0].clone();
    for (number, span) in (first..).zip(&mut request.resource_spans[0].scope_spans[0].spans) {
        span.name = format!("GET /{number}");
        span.attributes = vec![text("http.route", &format!("/{number}"))];
        let status = if number % 10 == 0 { 503 } else { 200 };
        span.attributes
            .push(int("http.response.status_code", status));
    }
    // Services as well: each of them says that it is another one.
    for number in first / 10..first / 10 + BATCH / 10 {
        let mut other = template.clone();
        if let Some(resource) = &mut other.resource {
            resource.attributes = vec![text("service.name", &format!("service-{number}"))];
        }
        other.scope_spans[0].spans.truncate(1);
        request.resource_spans.push(other);
    }
    request.encode_to_vec()
}

fn int(key: &str, value: i64) -> opentelemetry_proto::tonic::common::v1::KeyValue {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
    let mut attribute = text(key, "");
    attribute.value = Some(AnyValue {
        value: Some(Value::IntValue(value)),
    });
    attribute
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_distinct_values_change_no_total_and_are_bounded() -> Result<()> {
    let home = home()?;
    let sloburn = home.start().await?;
    let process = Footprint(sloburn.pid()?);
    honest_is_served(&sloburn).await?;
    let before = process.resident()?;
    let started = Instant::now();
    let told = send_all(&sloburn).await?;
    let took = started.elapsed();
    // Routes and errors that are seen now for the first time, when there is no room any more.
    let mut last = Spans::now("shop", 7, 0);
    last.attributes = vec![("http.route".to_owned(), "/cart".to_owned())];
    let mut last = last.request();
    last.resource_spans[0].scope_spans[0].spans[0]
        .attributes
        .push(int("http.response.status_code", 500));
    let (endpoint, body) = (sloburn.http(), last.encode_to_vec());
    let sent = post(&endpoint, "/v1/traces", PROTOBUF, Coding::Identity, &body);
    ensure!(sent.await?.0 == 200);

    let values = u64::try_from(VALUES)?;
    let shop = sloburn
        .slo_that("shop", |slo| slo.total >= values + 8)
        .await?;
    ensure!(
        (shop.total, shop.bad) == (values + 8, values / 10 + 1),
        "{shop:?}"
    );
    let cart = sloburn.slo_that("cart", |slo| slo.total > 0).await?;
    ensure!((cart.total, cart.bad) == (7, 1), "{cart:?}");
    ensure!(
        told.contains("too many series") && told.contains('`'),
        "{told}"
    );
    let growth = process.peak()?.saturating_sub(before);
    println!(
        "{VALUES} distinct values in {took:?}: {} KiB more",
        growth >> 10
    );
    ensure!(growth < GROWTH, "{} KiB more", growth >> 10);
    for (path, most) in [
        ("/metrics", 200 << 10),
        ("/oncall", 1 << 20),
        ("/debug/shop", 1 << 20),
    ] {
        let (status, page) = sloburn.get(path).await?;
        ensure!(status == 200, "{path}: {status}");
        ensure!(page.len() < most, "{path}: {} bytes", page.len());
    }
    after_a_restart(&home, sloburn, (shop.total, shop.bad)).await
}

/// Sends all values; answers what the last sender was told.
async fn send_all(sloburn: &Sloburn) -> Result<String> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..4 {
        let (next, endpoint) = (Arc::clone(&next), sloburn.http());
        senders.spawn(async move {
            let mut told = String::new();
            loop {
                let first = next.fetch_add(BATCH, Ordering::Relaxed);
                if first >= VALUES {
                    return anyhow::Ok(told);
                }
                let body = different(first);
                let (status, answer) =
                    post(&endpoint, "/v1/traces", PROTOBUF, Coding::Identity, &body).await?;
                ensure!(status == 200, "{status}");
                let answer = ExportTraceServiceResponse::decode(answer.as_slice())?;
                let partial = answer.partial_success.unwrap_or_default();
                ensure!(partial.rejected_spans == 0, "{partial:?}");
                told = partial.error_message;
            }
        });
    }
    let told = senders
        .join_all()
        .await
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    told.into_iter()
        .max_by_key(String::len)
        .context("nobody was told anything")
}

async fn after_a_restart(home: &Home, sloburn: Sloburn, counted: (u64, u64)) -> Result<()> {
    sloburn.stop().await?;
    let sloburn = home.start().await?;
    let shop = sloburn.slo_that("shop", |slo| slo.total > 0).await?;
    ensure!((shop.total, shop.bad) == counted, "{shop:?}");
    Ok(())
}
