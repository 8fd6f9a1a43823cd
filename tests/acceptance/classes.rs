//! Where everything received went: the page, the API and the metrics say the same, also after a crash.

use std::time::Duration;

use acceptance::home::Home;
use acceptance::otlp::{Coding, Spans, post, send, text};
use acceptance::sloburn::Sloburn;
use acceptance::{clock, specs, wait};
use anyhow::{Context, Result, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use serde_json::Value;

const HOUR: u64 = 3_600 * 1_000_000_000;

/// Classes of spans as the API has them: name, total and bad.
async fn spans(sloburn: &Sloburn) -> Result<(Value, Vec<(String, u64, u64)>)> {
    let (status, body) = sloburn.get("/api/v1/ingest").await?;
    ensure!(status == 200, "{status}: {body}");
    let ingest: Value = serde_json::from_str(&body)?;
    let classes = ingest["signals"]["spans"]["classes"].as_object();
    let classes = classes.context("no classes of spans")?.iter();
    let number = |class: &Value, name: &str| class[name].as_u64().unwrap_or(u64::MAX);
    let classes = classes
        .filter(|(_, class)| number(class, "total") > 0)
        .map(|(name, class)| (name.clone(), number(class, "total"), number(class, "bad")))
        .collect();
    Ok((ingest, classes))
}

/// Waits until a tick has seen so many spans.
async fn received(sloburn: &Sloburn, total: u64) -> Result<(Value, Vec<(String, u64, u64)>)> {
    wait::until("all spans are received", wait::TICKS, async || {
        let (ingest, classes) = spans(sloburn).await?;
        let found = ingest["signals"]["spans"]["received"]["total"].as_u64();
        Ok((found == Some(total)).then_some((ingest, classes)))
    })
    .await
    .with_context(|| sloburn.told())
}

#[tokio::test]
async fn every_span_is_in_one_class_everywhere_and_after_a_crash() -> Result<()> {
    let home = Home::new()?;
    home.spec(
        "shop.yaml",
        &specs::availability("shop", "shop", 0.99, "1d"),
    )?;
    let sloburn = home.start().await?;
    send_everything(&sloburn).await?;
    let classes = |classes: &[(&str, u64, u64)]| -> Vec<(String, u64, u64)> {
        let owned = |(name, total, bad): &(&str, u64, u64)| ((*name).to_owned(), *total, *bad);
        classes.iter().map(owned).collect()
    };
    let expected = classes(&[
        ("counted", 100, 10),
        ("duplicate", 100, 10),
        ("future", 4, 0),
        ("late", 5, 3),
        ("unmatched", 7, 1),
    ]);
    let (ingest, found) = received(&sloburn, 216).await?;
    assert_eq!(found, expected);
    drop_rate_and_skew(&ingest)?;
    page_and_metrics_agree(&sloburn, &expected).await?;
    // sloburn judges its own drop rate: what came again is neither good nor bad.
    let own = sloburn
        .slo_that("sloburn-ingest", |slo| slo.total == 116)
        .await?;
    assert_eq!(own.bad, 9);

    sloburn.kill().await?;
    let sloburn = home.start().await?;
    let (_, found) = received(&sloburn, 216).await?;
    assert_eq!(found, expected, "after kill -9");
    let own = sloburn
        .slo_that("sloburn-ingest", |slo| slo.total == 116)
        .await?;
    assert_eq!(own.bad, 9);
    let (status, _) = sloburn.get("/slos/sloburn-ingest").await?;
    assert_eq!(status, 200);
    Ok(())
}

/// Spans of every class that a sender can choose; the first request comes twice.
async fn send_everything(sloburn: &Sloburn) -> Result<()> {
    let now = clock::now_nanos();
    let shop = Spans::now("shop", 90, 10).encode();
    let protobuf = "application/x-protobuf";
    let http = sloburn.http();
    for _ in 0..2 {
        let sent = post(&http, "/v1/traces", protobuf, Coding::Identity, &shop);
        ensure!(sent.await?.0 == 200);
    }
    ensure!(send(&sloburn.http(), &Spans::now("elsewhere", 6, 1)).await? == 200);
    ensure!(
        send(
            &sloburn.http(),
            &Spans::ended_at("shop", 2, 3, now - 3 * HOUR)
        )
        .await?
            == 200
    );
    let mut ahead = Spans::ended_at("shop", 4, 0, now + HOUR).request();
    let resource = ahead.resource_spans[0].resource.as_mut();
    let resource = resource.context("a resource")?;
    resource
        .attributes
        .push(text("service.instance.id", "shop-7"));
    let (status, answer) = post(
        &sloburn.http(),
        "/v1/traces",
        protobuf,
        Coding::Identity,
        &ahead.encode_to_vec(),
    )
    .await?;
    ensure!(status == 200);
    let told = ExportTraceServiceResponse::decode(&*answer)?.partial_success;
    let told = told.context("no partial success")?;
    assert_eq!(told.rejected_spans, 4);
    assert!(told.error_message.contains("on `shop-7`"), "{told:?}");
    Ok(())
}

fn drop_rate_and_skew(ingest: &Value) -> Result<()> {
    let lost = ingest["drop_rate"].as_f64().context("a drop rate")?;
    assert!((lost - 9.0 / 116.0).abs() < 1e-9, "{lost}");
    let skewed = &ingest["senders"][0];
    assert_eq!(
        (&skewed["instance"], &skewed["future"]),
        (&"shop-7".into(), &4.into())
    );
    let skew = skewed["skew_seconds"].as_f64().context("a skew")?;
    assert!((-3_600.0..-3_500.0).contains(&skew), "{skew}");
    Ok(())
}

async fn page_and_metrics_agree(sloburn: &Sloburn, expected: &[(String, u64, u64)]) -> Result<()> {
    let (_, page) = sloburn.get("/debug/shop").await?;
    for cell in ["data-key=\"spans-Late\"", ">shop-7<", "ahead</td>"] {
        assert!(page.contains(cell), "no {cell} in {page}");
    }
    let (_, metrics) = sloburn.get("/metrics").await?;
    for (name, total, bad) in expected {
        for (label, count) in [("false", total - bad), ("true", *bad)] {
            let line = format!(
                "sloburn_receive_items_total{{signal=\"traces\",class=\"{name}\",bad=\"{label}\"}} {count}"
            );
            assert!(
                metrics.lines().any(|one| one == line),
                "no {line} in {metrics}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn sloburns_own_objective_can_be_turned_off() -> Result<()> {
    let home = Home::new()?;
    home.config("ingest_slo = false\n")?;
    home.spec(
        "shop.yaml",
        &specs::availability("shop", "shop", 0.99, "1d"),
    )?;
    let sloburn = home.start().await?;
    ensure!(send(&sloburn.http(), &Spans::now("shop", 1, 0)).await? == 200);
    let limit = Duration::from_mins(1);
    wait::until("the span is judged", limit, async || {
        Ok((sloburn.slos().await?.named("shop")?.total == 1).then_some(()))
    })
    .await?;
    let names: Vec<_> = sloburn.slos().await?.slos;
    let names: Vec<_> = names.iter().map(|slo| slo.name.as_str()).collect();
    assert_eq!(names, ["shop"]);
    Ok(())
}
