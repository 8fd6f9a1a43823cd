//! Trouble with the disk and the database: nothing is acknowledged that is not kept, no wrong number goes unmarked,
//! pages go out, and all is well again without a hand.

mod damage;
mod postgres;

use std::process::Stdio;
use std::time::Duration;

use acceptance::disk::Disk;
use acceptance::home::Home;
use acceptance::inbox::{Delivery, Inbox};
use acceptance::otlp::{Coding, Spans, post, send};
use acceptance::sloburn::Sloburn;
use acceptance::specs::quick;
use acceptance::{clock, wait};
use anyhow::{Context, Result, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

/// From a fault to what follows from it: some ticks.
const SOON: Duration = Duration::from_mins(2);

/// Whether the shop has as many requests as were acknowledged, also after a kill.
async fn kept_over_a_kill(home: &Home, sloburn: Sloburn, total: u64) -> Result<()> {
    sloburn.slo_that("shop", |slo| slo.total == total).await?;
    sloburn.kill().await?;
    let sloburn = home.start().await?;
    sloburn
        .slo_that("shop", |slo| slo.total == total)
        .await
        .map(drop)
}

#[tokio::test]
async fn a_full_disk_refuses_requests_pages_and_recovers() -> Result<()> {
    let inbox = Inbox::start().await?;
    let home = home(&inbox)?;
    let disk = Disk::mount(&home.data(), 24)?;
    let sloburn = home.start().await?;
    ensure!(room(&home)? > 1_000_000, "no room is kept");
    clock::within_a_slice().await?;
    ensure!(send(&sloburn.http(), &Spans::now("shop", 50, 50)).await? == 200);
    disk.fill()?;
    let (acknowledged, refused) = send_until_refused(&sloburn).await?;
    let (status, why) = sloburn.get("/readyz").await?;
    assert_eq!(status, 503);
    assert!(why.contains("commit: the disk is full"), "{why}");

    // The alert that was about to fire, and the disk itself.
    let pages = inbox.deliveries_at_least(2, SOON).await;
    let pages = pages.with_context(|| sloburn.told())?;
    fires_once(&pages, "shop");
    fires_once(&pages, "sloburn:storage");
    let (_, page) = sloburn.get("/slos").await?;
    assert!(
        page.contains("senders are asked to try again: the disk is full"),
        "{page}"
    );
    ensure!(
        !sloburn.told().contains("without the store"),
        "the outbox had no room: {}",
        sloburn.told()
    );
    assert_eq!(room(&home)?, 0, "the room was not used");
    assert_eq!(
        post_body(&sloburn, &refused).await?,
        503,
        "requests took the room"
    );

    disk.free()?;
    wait::until("requests are accepted again", SOON, async || {
        Ok((post_body(&sloburn, &refused).await? == 200).then_some(()))
    })
    .await
    .with_context(|| sloburn.told())?;
    wait::until("the room is kept again", SOON, async || {
        Ok((room(&home)? > 1_000_000).then_some(()))
    })
    .await?;
    resolved(&inbox, "sloburn:storage")
        .await
        .with_context(|| sloburn.told())?;
    kept_over_a_kill(&home, sloburn, 100 + acknowledged + 10).await?;
    drop(disk);
    Ok(())
}

#[tokio::test]
async fn a_read_only_disk_is_one_sentence_at_the_start() -> Result<()> {
    let home = Home::new()?;
    home.spec("shop.yaml", &quick("shop", "shop"))?;
    let disk = Disk::mount(&home.data(), 24)?;
    home.start().await?.stop().await?;
    disk.read_only(true)?;
    let refused = home.refuse_to_start(&[]).await?;
    let said = String::from_utf8(refused.stderr)?;
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot write in the data directory"),
        "{said}"
    );
    disk.read_only(false)?;
    home.start().await?.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_locked_by_another_delays_nothing_but_acknowledgements() -> Result<()> {
    let inbox = Inbox::start().await?;
    let home = home(&inbox)?;
    let sloburn = home.start().await?;
    clock::within_a_slice().await?;
    ensure!(send(&sloburn.http(), &Spans::now("shop", 50, 50)).await? == 200);
    let holder = Python::start(
        &home,
        "import sqlite3,sys
c=sqlite3.connect(sys.argv[1],isolation_level=None)
c.execute('begin exclusive')
print('held',flush=True)
sys.stdin.read()",
    )
    .await?;
    let refused = Spans::now("shop", 10, 0).encode();
    let answered = post_body(&sloburn, &refused).await?;
    assert_eq!(answered, 503, "{}", sloburn.told());
    let (status, why) = sloburn.get("/readyz").await?;
    assert_eq!(status, 503);
    assert!(
        why.contains("another process holds the database locked"),
        "{why}"
    );
    // No alert is decided by the lock, and none is lost to it.
    let pages = inbox.deliveries_at_least(2, SOON).await;
    let pages = pages.with_context(|| sloburn.told())?;
    fires_once(&pages, "shop");
    fires_once(&pages, "sloburn:storage");

    holder.end().await?;
    wait::until("requests are accepted again", SOON, async || {
        Ok((post_body(&sloburn, &refused).await? == 200).then_some(()))
    })
    .await
    .with_context(|| sloburn.told())?;
    sloburn.slo_that("shop", |slo| slo.total == 110).await?;
    resolved(&inbox, "sloburn:storage")
        .await
        .with_context(|| sloburn.told())?;
    fires_once(&inbox.deliveries(), "shop");
    fires_once(&inbox.deliveries(), "sloburn:storage");
    Ok(())
}

fn home(inbox: &Inbox) -> Result<Home> {
    let mut home = Home::new()?;
    home.deliver_to("inbox", inbox)?;
    home.spec("shop.yaml", &quick("shop", "shop"))?;
    Ok(home)
}

/// Bytes of the file that keeps room on the disk.
fn room(home: &Home) -> Result<u64> {
    Ok(std::fs::metadata(home.data().join("ballast"))?.len())
}

async fn post_body(sloburn: &Sloburn, body: &[u8]) -> Result<u16> {
    let kind = "application/x-protobuf";
    let endpoint = sloburn.http();
    let sent = post(&endpoint, "/v1/traces", kind, Coding::Identity, body);
    Ok(sent.await?.0)
}

/// Sends until a request of ten spans is refused; spans acknowledged, and the refused body.
async fn send_until_refused(sloburn: &Sloburn) -> Result<(u64, Vec<u8>)> {
    let mut acknowledged = 0;
    for _ in 0..20_000 {
        let body = Spans::now("shop", 10, 0).encode();
        match post_body(sloburn, &body).await? {
            200 => acknowledged += 10,
            503 => return Ok((acknowledged, body)),
            other => anyhow::bail!("answered {other}"),
        }
    }
    anyhow::bail!("the disk was never full")
}

/// Exactly one page says that the objective fires.
fn fires_once(pages: &[Delivery], objective: &str) {
    let fires = pages
        .iter()
        .filter(|page| page.body["event"] == "fire" && page.body["slo"]["id"] == objective);
    assert_eq!(fires.count(), 1, "{objective}: {pages:#?}");
}

async fn resolved(inbox: &Inbox, objective: &str) -> Result<()> {
    told(inbox, "resolve", objective).await
}

/// Waits until such a page of the objective is there.
async fn told(inbox: &Inbox, event: &str, objective: &str) -> Result<()> {
    wait::until(&format!("{event} of {objective}"), SOON, async || {
        let pages = inbox.deliveries();
        let told = pages
            .iter()
            .any(|page| page.body["event"] == event && page.body["slo"]["id"] == objective);
        Ok(told.then_some(()))
    })
    .await
}

/// Another process on the same database.
#[derive(Debug)]
struct Python(Child);

impl Python {
    /// Starts a script with the database as its argument, and waits until it has printed something.
    async fn start(home: &Home, script: &str) -> Result<Python> {
        let mut child = Command::new("python3")
            .args(["-c", script])
            .arg(home.data().join("sloburn.db"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut said = [0; 4];
        let output = child.stdout.as_mut().context("no output")?;
        tokio::io::AsyncReadExt::read_exact(output, &mut said).await?;
        Ok(Python(child))
    }

    /// Lets it go, and waits for its end.
    async fn end(mut self) -> Result<()> {
        if let Some(mut input) = self.0.stdin.take() {
            // It may have ended by itself.
            drop(input.shutdown().await);
        }
        ensure!(self.0.wait().await?.success());
        Ok(())
    }
}
