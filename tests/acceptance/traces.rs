//! Traces worth a look are kept with what is counted, also over a crash before the next tick.

use acceptance::home::Home;
use acceptance::otlp::{Coding, Spans, post};
use acceptance::{specs, wait};
use anyhow::{Context, Result, ensure};
use prost::Message as _;
use serde_json::Value;

#[tokio::test]
async fn traces_of_acknowledged_failures_outlive_a_crash() -> Result<()> {
    let home = Home::new()?;
    home.spec(
        "shop.yaml",
        &specs::availability("shop", "shop", 0.99, "1d"),
    )?;
    let sloburn = home.start().await?;
    let sent = Spans::now("shop", 2, 1).request();
    let (protobuf, body) = ("application/x-protobuf", sent.encode_to_vec());
    let http = sloburn.http();
    let answer = post(&http, "/v1/traces", protobuf, Coding::Identity, &body).await?;
    ensure!(answer.0 == 200);
    sloburn.kill().await?;
    let sloburn = home.start().await?;
    let spans = &sent.resource_spans[0].scope_spans[0].spans;
    let failed = spans
        .iter()
        .find(|span| span.status.as_ref().is_some_and(|status| status.code == 2))
        .context("a failed span")?;
    let failed = u128::from_be_bytes(failed.trace_id.as_slice().try_into()?);
    let failed = format!("{failed:032x}");
    let told = wait::until("the traces are stored", wait::TICKS, async || {
        let (status, body) = sloburn.get("/api/v1/services/shop/traces").await?;
        Ok((status == 200 && body.contains("trace_id")).then_some(body))
    })
    .await
    .with_context(|| sloburn.told())?;
    let told: Value = serde_json::from_str(&told)?;
    assert_eq!(told["failed"][0]["trace_id"], failed.as_str());
    assert_eq!(told["failed"].as_array().map(Vec::len), Some(1));
    assert_eq!(told["slow"].as_array().map(Vec::len), Some(2));
    let (_, page) = sloburn.get("/debug/shop").await?;
    assert!(page.contains(&failed), "the debug page lists it");
    Ok(())
}
