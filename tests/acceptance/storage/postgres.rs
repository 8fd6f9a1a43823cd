//! PostgreSQL that drops sessions, crashes, and turns read-only.

use acceptance::home::Home;
use acceptance::inbox::Inbox;
use acceptance::otlp::{Spans, send};
use acceptance::postgres::Postgres;
use acceptance::sloburn::Sloburn;
use acceptance::specs::availability;
use acceptance::{clock, wait};
use anyhow::{Context, Result, ensure};

use super::{SOON, fires_once, home, post_body, resolved};

/// What happens to PostgreSQL while requests come.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Every session of sloburn is ended.
    Sessions,
    /// It crashes and comes back.
    Restart,
}

#[tokio::test]
async fn postgres_that_drops_sessions_and_crashes_loses_nothing_acknowledged() -> Result<()> {
    let mut postgres = Postgres::start().await?;
    let home = Home::new()?.on_postgres(&postgres.url());
    home.spec("shop.yaml", &availability("shop", "shop", 0.99, "1d"))?;
    let sloburn = home.start().await?;
    let mut bodies: Vec<(Vec<u8>, bool)> = Vec::new();
    for fault in [Fault::Sessions, Fault::Restart, Fault::Sessions] {
        let (done, sent) = tokio::join!(happen(&mut postgres, fault), send_many(&sloburn, 150));
        done?;
        bodies.extend(sent?);
        wait::until("requests are accepted again", SOON, async || {
            let body = Spans::now("shop", 10, 0).encode();
            Ok((post_body(&sloburn, &body).await? == 200).then(|| bodies.push((body, true))))
        })
        .await
        .with_context(|| format!("after {fault:?}; {}", sloburn.told()))?;
    }
    let acknowledged = 10 * bodies.iter().filter(|(_, yes)| *yes).count() as u64;
    let slo = sloburn
        .slo_that("shop", |slo| slo.total >= acknowledged)
        .await;
    let slo = slo.context("acknowledged and not counted")?;
    ensure!(
        slo.total <= sent_spans(&sloburn, &mut bodies).await?,
        "counted twice"
    );
    let sent = 10 * bodies.len() as u64;
    sloburn.slo_that("shop", |slo| slo.total == sent).await?;
    sloburn.kill().await?;
    let sloburn = home.start().await?;
    sloburn.slo_that("shop", |slo| slo.total == sent).await?;
    drop(sloburn);
    postgres.stop().await
}

async fn happen(postgres: &mut Postgres, fault: Fault) -> Result<()> {
    match fault {
        Fault::Restart => postgres.restart().await,
        Fault::Sessions => {
            let end = "select pg_terminate_backend(pid) from pg_stat_activity \
                       where application_name = 'sloburn'";
            let ended = postgres.psql("sloburn", end).await?;
            ensure!(ended.contains('t'), "no session was ended");
            Ok(())
        }
    }
}

/// Requests of ten spans, and whether each was acknowledged.
async fn send_many(sloburn: &Sloburn, count: usize) -> Result<Vec<(Vec<u8>, bool)>> {
    let mut sent = Vec::new();
    for _ in 0..count {
        let body = Spans::now("shop", 10, 0).encode();
        let status = post_body(sloburn, &body).await?;
        ensure!(status == 200 || status == 503, "answered {status}");
        sent.push((body, status == 200));
    }
    Ok(sent)
}

/// Sends what was not acknowledged again, until it is; answers all spans.
async fn sent_spans(sloburn: &Sloburn, bodies: &mut [(Vec<u8>, bool)]) -> Result<u64> {
    for (body, acknowledged) in bodies.iter_mut().filter(|(_, yes)| !*yes) {
        ensure!(post_body(sloburn, body).await? == 200);
        *acknowledged = true;
    }
    Ok(10 * bodies.len() as u64)
}

#[tokio::test]
async fn a_read_only_postgres_refuses_requests_and_pages_all_the_same() -> Result<()> {
    let postgres = Postgres::start().await?;
    let inbox = Inbox::start().await?;
    let home = home(&inbox)?.on_postgres(&postgres.url());
    let sloburn = home.start().await?;
    clock::within_a_slice().await?;
    ensure!(send(&sloburn.http(), &Spans::now("shop", 50, 50)).await? == 200);
    // As after a failover to a standby.
    postgres
        .psql(
            "sloburn",
            "alter system set default_transaction_read_only = on",
        )
        .await?;
    postgres.psql("sloburn", "select pg_reload_conf()").await?;
    let body = Spans::now("shop", 10, 0).encode();
    wait::until("requests are refused", SOON, async || {
        Ok((post_body(&sloburn, &body).await? == 503).then_some(()))
    })
    .await?;
    let (status, why) = sloburn.get("/readyz").await?;
    assert_eq!(status, 503);
    assert!(why.contains("the database is read-only"), "{why}");
    let pages = inbox.deliveries_at_least(2, SOON).await;
    let pages = pages.with_context(|| sloburn.told())?;
    fires_once(&pages, "shop");
    fires_once(&pages, "sloburn:storage");

    postgres
        .psql(
            "sloburn",
            "alter system reset default_transaction_read_only",
        )
        .await?;
    postgres.psql("sloburn", "select pg_reload_conf()").await?;
    wait::until("requests are accepted again", SOON, async || {
        Ok((post_body(&sloburn, &body).await? == 200).then_some(()))
    })
    .await
    .with_context(|| sloburn.told())?;
    sloburn.slo_that("shop", |slo| slo.total == 110).await?;
    resolved(&inbox, "sloburn:storage")
        .await
        .with_context(|| sloburn.told())?;
    fires_once(&inbox.deliveries(), "shop");
    drop(sloburn);
    postgres.stop().await
}
