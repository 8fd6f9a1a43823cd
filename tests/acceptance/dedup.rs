//! `dedup = "span"`: a span counts once, in whatever request, encoding and order it comes, also after `kill -9`.

use acceptance::home::Home;
use acceptance::otlp::{Coding, Spans, post};
use acceptance::postgres::Postgres;
use acceptance::sloburn::Sloburn;
use acceptance::{clock, specs};
use anyhow::{Context, Result, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};

/// Some of what is sent ended that long ago: in a part of its own.
const EARLIER_NANOS: u64 = 25 * 60 * 1_000_000_000;

#[tokio::test]
async fn a_span_counts_once_whatever_it_comes_in_on_sqlite() -> Result<()> {
    counts_once(Home::new()?).await
}

#[tokio::test]
async fn a_span_counts_once_whatever_it_comes_in_on_postgres() -> Result<()> {
    let postgres = Postgres::start().await?;
    counts_once(Home::new()?.on_postgres(&postgres.url())).await?;
    postgres.stop().await
}

async fn counts_once(home: Home) -> Result<()> {
    home.config("dedup = \"span\"\n")?;
    for service in ["shop", "barrier"] {
        let spec = specs::availability(service, service, 0.99, "1d");
        home.spec(&format!("{service}.yaml"), &spec)?;
    }
    let now = clock::now_nanos();
    let recent = Spans::ended_at("shop", 40, 10, now).request();
    let earlier = Spans::ended_at("shop", 20, 5, now - EARLIER_NANOS).request();
    let both = |taken: fn(&[Span]) -> Vec<Span>| {
        let spans = [spans_of(&recent), spans_of(&earlier)];
        let spans = spans.map(|spans| taken(&spans)).concat();
        with_spans(&recent, spans)
    };

    let sloburn = home.start().await?;
    grpc(&sloburn, &recent).await?;
    http(&sloburn, "application/x-protobuf", &earlier.encode_to_vec()).await?;
    // In another encoding, in other batches, and twice in one request.
    http(&sloburn, "application/json", &as_json(&recent)).await?;
    grpc(&sloburn, &both(|spans| spans[..spans.len() / 2].to_vec())).await?;
    counted(&sloburn, (75, 15), 1).await?;
    sloburn.kill().await?;

    let sloburn = home.start().await?;
    http(
        &sloburn,
        "application/json",
        &as_json(&both(<[Span]>::to_vec)),
    )
    .await?;
    grpc(&sloburn, &both(|spans| [spans, spans].concat())).await?;
    let more = Spans::ended_at("shop", 3, 1, now).request();
    let mixed = [spans_of(&more), spans_of(&recent), spans_of(&more)].concat();
    grpc(&sloburn, &with_spans(&more, mixed)).await?;
    counted(&sloburn, (79, 16), 2).await?;

    let (_, metrics) = sloburn.get("/metrics").await?;
    for figure in [
        "sloburn_dedup_horizon_seconds{by=\"span\"}",
        "sloburn_dedup_bytes",
    ] {
        let line = metrics.lines().find(|line| line.starts_with(figure));
        let value = line
            .and_then(|line| line.split(' ').nth(1))
            .context(figure)?;
        ensure!(
            value.parse::<u64>()? > 0 || figure.contains("horizon"),
            "{figure} is {value}"
        );
    }
    for (bad, spans) in [("false", 300), ("true", 66)] {
        let class = format!("signal=\"traces\",class=\"duplicate\",bad=\"{bad}\"");
        let line = format!("sloburn_receive_items_total{{{class}}} {spans}\n");
        ensure!(metrics.contains(&line), "{line} is not in {metrics}");
    }
    Ok(())
}

/// Nothing but full success: a duplicate is no loss.
async fn grpc(sloburn: &Sloburn, request: &ExportTraceServiceRequest) -> Result<()> {
    let mut client = TraceServiceClient::connect(sloburn.grpc()).await?;
    let answer = client.export(request.clone()).await?.into_inner();
    ensure!(answer.partial_success.is_none(), "{answer:?}");
    Ok(())
}

async fn http(sloburn: &Sloburn, content_type: &str, body: &[u8]) -> Result<()> {
    let endpoint = sloburn.http();
    let sent = post(
        &endpoint,
        "/v1/traces",
        content_type,
        Coding::Identity,
        body,
    );
    let (status, answer) = sent.await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    ensure!(
        status == 200 && (answer.is_empty() || answer == "{}"),
        "{status} {answer}"
    );
    Ok(())
}

/// Waits until all that was sent is judged, and says what of it counted.
async fn counted(sloburn: &Sloburn, expected: (u64, u64), barrier: u64) -> Result<()> {
    grpc(sloburn, &Spans::now("barrier", 1, 0).request()).await?;
    sloburn
        .slo_that("barrier", |slo| slo.total >= barrier)
        .await?;
    let slos = sloburn.slos().await?;
    let shop = slos.slos.iter().find(|slo| slo.name == "shop");
    let shop = shop.context("no objective `shop`")?;
    ensure!(
        (shop.total, shop.bad) == expected,
        "{shop:?}, not {expected:?}"
    );
    Ok(())
}

fn spans_of(request: &ExportTraceServiceRequest) -> Vec<Span> {
    let scopes = request.resource_spans.iter().flat_map(|of| &of.scope_spans);
    scopes.flat_map(|of| of.spans.clone()).collect()
}

/// The first request's resource with these spans.
fn with_spans(like: &ExportTraceServiceRequest, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let mut request = like.clone();
    request.resource_spans[0].scope_spans[0].spans = spans;
    request
}

fn as_json(request: &ExportTraceServiceRequest) -> Vec<u8> {
    // Hexadecimal ids may come in either case.
    let hex = |id: &[u8]| {
        id.iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02X}"))
    };
    let span = |span: Span| {
        json!({
            "traceId": hex(&span.trace_id), "spanId": hex(&span.span_id),
            "name": span.name, "kind": span.kind,
            "startTimeUnixNano": span.start_time_unix_nano.to_string(),
            "endTimeUnixNano": span.end_time_unix_nano.to_string(),
            "status": {"code": span.status.map_or(0, |status| status.code)},
        })
    };
    let spans: Vec<Value> = spans_of(request).into_iter().map(span).collect();
    let service = json!({"key": "service.name", "value": {"stringValue": "shop"}});
    json!({"resourceSpans": [{"resource": {"attributes": [service]}, "scopeSpans": [{"spans": spans}]}]})
        .to_string()
        .into_bytes()
}
