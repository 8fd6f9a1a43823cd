//! One burst of errors, from a real exporter to one delivered page and its resolve.

use std::time::Duration;

use acceptance::exporter::Exporter;
use acceptance::home::Home;
use acceptance::inbox::{Behaviour, Delivery, Inbox};
use acceptance::otlp::{Spans, send};
use acceptance::postgres::Postgres;
use acceptance::sloburn::Sloburn;
use acceptance::{clock, specs, wait};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

#[tokio::test]
async fn a_burst_of_errors_is_one_page_and_its_resolve_on_sqlite() -> Result<()> {
    burst(Home::new()?).await
}

#[tokio::test]
async fn a_burst_of_errors_is_one_page_and_its_resolve_on_postgres() -> Result<()> {
    let postgres = Postgres::start().await?;
    burst(Home::new()?.on_postgres(&postgres.url())).await?;
    postgres.stop().await
}

async fn burst(mut home: Home) -> Result<()> {
    let inbox = Inbox::start().await?;
    home.deliver_to("inbox", &inbox)?;
    home.spec("checkout.yaml", &specs::quick("checkout", "checkout"))?;
    let sloburn = home.start().await?;
    let checkout = Exporter::grpc("checkout", &sloburn.grpc())?;

    clock::within_a_slice().await?;
    checkout.serve_requests(140, 0).await?;
    checkout.serve_requests(10, 50).await?;
    let fired = inbox.deliveries_at_least(1, wait::TICKS).await;
    let fired = fired.with_context(|| sloburn.told())?;
    trigger(&fired[0])?;

    let all = recovered(&sloburn, &checkout, &inbox)
        .await
        .with_context(|| sloburn.told())?;
    resolve(&all[1], &fired[0])?;

    // Two ticks of calm later nothing has been added.
    let bad = sloburn.slos().await?.named("checkout")?.total;
    checkout.serve_requests(20, 0).await?;
    sloburn
        .slo_that("checkout", |slo| slo.total >= bad + 20)
        .await?;
    assert_eq!(inbox.deliveries().len(), 2);
    assert_eq!(
        inbox.attempts().len(),
        2,
        "each was accepted at once, so it was sent once"
    );
    assert!(sloburn.stop().await?.success());
    Ok(())
}

/// Good traffic until the page resolves.
async fn recovered(sloburn: &Sloburn, checkout: &Exporter, inbox: &Inbox) -> Result<Vec<Delivery>> {
    wait::until("the page resolves", Duration::from_mins(2), async || {
        checkout.serve_requests(5, 0).await?;
        sloburn.slos().await?;
        let deliveries = inbox.deliveries();
        Ok((deliveries.len() >= 2).then_some(deliveries))
    })
    .await
}

#[tokio::test]
async fn a_slow_receiver_and_a_broken_one_delay_no_other() -> Result<()> {
    let mut home = Home::new()?;
    let (slow, broken, quick_inbox) = (
        Inbox::start().await?,
        Inbox::start().await?,
        Inbox::start().await?,
    );
    home.deliver_to("slow", &slow)?;
    home.deliver_to("broken", &broken)?;
    home.deliver_to("quick", &quick_inbox)?;
    slow.plan([Behaviour::Dawdle(Duration::from_secs(10))]);
    broken.plan([
        Behaviour::Refuse(500, None),
        Behaviour::Refuse(429, Some(2)),
    ]);
    home.spec("shop.yaml", &specs::quick("shop", "shop"))?;
    let sloburn = home.start().await?;
    ensure!(send(&sloburn.http(), &Spans::now("shop", 50, 50)).await? == 200);

    let pages = quick_inbox.deliveries_at_least(1, wait::TICKS).await;
    let page = pages.with_context(|| sloburn.told())?.remove(0);
    assert!(
        slow.deliveries().is_empty(),
        "the quick receiver waited for the slow one"
    );
    for late in [&slow, &broken] {
        let pages = late.deliveries_at_least(1, Duration::from_mins(2)).await;
        assert_eq!(
            pages.with_context(|| sloburn.told())?[0].body["dedup_key"],
            page.body["dedup_key"]
        );
    }
    assert_eq!(broken.attempts().len(), 3, "two refusals, then accepted");
    assert_eq!(
        slow.attempts().len(),
        1,
        "ten seconds are within what a receiver may take"
    );
    Ok(())
}

/// What the page says: the objective and rule, the exact counts of both windows, and where to look.
fn trigger(page: &Delivery) -> Result<()> {
    let body = &page.body;
    assert_eq!(body["event"], "fire");
    assert_eq!(body["severity"], "page");
    assert_eq!(body["slo"]["id"], "checkout");
    assert_eq!(body["rule"]["name"], "quick-page");
    for window in ["long", "short"] {
        let window = &body["rule"][window];
        assert_eq!(
            (&window["bad"], &window["good"]),
            (&Value::from(50), &Value::from(150))
        );
        let burn = window["burn"].as_f64().context("no burn rate")?;
        assert!(
            (burn - 25.0).abs() < 1e-9,
            "a quarter failed, and a hundredth may: {burn}"
        );
    }
    let left = body["slo"]["budget_left"]
        .as_f64()
        .context("no budget left")?;
    assert!((left - (1.0 - 25.0)).abs() < 1e-9, "{left}");
    for (link, path) in [("slo", "/slos/checkout"), ("debug", "/debug/checkout")] {
        let link = body["links"][link].as_str().context("no link")?;
        assert!(link.contains(path), "{link} does not lead to {path}");
    }
    Ok(())
}

/// The resolve belongs to its page, and is a delivery of its own.
fn resolve(resolve: &Delivery, page: &Delivery) -> Result<()> {
    assert_eq!(resolve.body["event"], "resolve");
    for same in ["dedup_key", "incident", "severity"] {
        assert_eq!(resolve.body[same], page.body[same], "{same}");
    }
    assert!(
        resolve.body["dedup_key"]
            .as_str()
            .is_some_and(|key| !key.is_empty())
    );
    assert_ne!(resolve.id, page.id);
    let time = |delivery: &Delivery, field: &str| -> Result<jiff::Timestamp> {
        Ok(delivery.body[field]
            .as_str()
            .with_context(|| format!("no {field}"))?
            .parse()?)
    };
    assert!(time(resolve, "resolved")? > time(page, "fired")?);
    Ok(())
}
