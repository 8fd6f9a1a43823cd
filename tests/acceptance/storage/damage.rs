//! Bits that flip in what is stored.

use acceptance::home::Home;
use acceptance::otlp::{Spans, send};
use acceptance::sloburn::Sloburn;
use acceptance::specs::{availability, quick};
use acceptance::{clock, wait};
use anyhow::{Result, ensure};

use super::{Python, SOON};

#[tokio::test]
async fn damaged_rows_are_found_marked_and_made_again_where_possible() -> Result<()> {
    let home = Home::new()?;
    home.spec("shop.yaml", &availability("shop", "shop", 0.99, "1d"))?;
    let sloburn = home.start().await?;
    ensure!(send(&sloburn.http(), &Spans::now("shop", 90, 10)).await? == 200);
    sloburn.slo_that("shop", |slo| slo.total == 100).await?;
    assert!(sloburn.stop().await?.success());

    // A tally: counted again from the slices, to the unit.
    damage(&home, "tally", "chunk", "length(chunk) > 0").await?;
    let sloburn = home.start().await?;
    let slo = sloburn.slo_that("shop", |slo| slo.total > 0).await?;
    assert_eq!((slo.total, slo.bad), (100, 10));
    assert!(!incomplete(&sloburn).await?, "nothing is missing");
    quarantined(&sloburn, "tally").await?;
    assert!(sloburn.stop().await?.success());

    // Three commits wait in the journal at a crash; the one in the middle is damaged.
    let sloburn = home.start().await?;
    clock::within_a_slice().await?;
    for _ in 0..3 {
        ensure!(send(&sloburn.http(), &Spans::now("shop", 5, 0)).await? == 200);
    }
    sloburn.kill().await?;
    damage(
        &home,
        "journal",
        "delta",
        "seq = (select max(seq) - 1 from journal)",
    )
    .await?;
    let sloburn = home.start().await?;
    let slo = sloburn.slo_that("shop", |slo| slo.total > 100).await?;
    assert_eq!(slo.total, 110, "the rest counts, what is damaged does not");
    assert!(incomplete(&sloburn).await?, "the loss is not marked");
    quarantined(&sloburn, "journal").await?;
    let (_, page) = sloburn.get("/slos").await?;
    assert!(
        page.contains("requests received then are not counted"),
        "{page}"
    );
    let (status, ready) = sloburn.get("/readyz").await?;
    assert_eq!(status, 200);
    assert!(ready.contains("damaged rows in quarantine"), "{ready}");
    assert!(sloburn.stop().await?.success());

    Ok(())
}

#[tokio::test]
async fn a_damaged_slice_is_missing_from_charts_and_not_from_the_budget() -> Result<()> {
    let home = Home::new()?;
    home.spec("shop.yaml", &availability("shop", "shop", 0.99, "1d"))?;
    let sloburn = home.start().await?;
    ensure!(send(&sloburn.http(), &Spans::now("shop", 90, 20)).await? == 200);
    sloburn.slo_that("shop", |slo| slo.total == 110).await?;
    assert!(sloburn.stop().await?.success());
    damage(&home, "slice", "pack", "service = 'shop'").await?;
    let sloburn = home.start().await?;
    sloburn.slo_that("shop", |slo| slo.total == 110).await?;
    wait::until("the slice is found", SOON, async || {
        Ok(quarantined(&sloburn, "slice").await.is_ok().then_some(()))
    })
    .await?;
    let (_, page) = sloburn.get("/debug/shop").await?;
    assert!(page.contains("charts and percentiles miss"), "{page}");
    assert!(sloburn.stop().await?.success());
    let sloburn = home.start().await?;
    sloburn.slo_that("shop", |slo| slo.total == 110).await?;
    assert!(incomplete(&sloburn).await?, "the mark is kept");
    assert!(sloburn.stop().await?.success());
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_no_database_is_one_sentence() -> Result<()> {
    let home = Home::new()?;
    home.spec("shop.yaml", &quick("shop", "shop"))?;
    home.start().await?.stop().await?;
    let file = home.data().join("sloburn.db");
    let sound = std::fs::read(&file)?;
    let mut flipped = sound.clone();
    flipped[3] ^= 0x10;
    std::fs::write(&file, &flipped)?;
    let refused = home.refuse_to_start(&[]).await?;
    let said = String::from_utf8(refused.stderr)?;
    assert_eq!(refused.status.code(), Some(65), "{said}");
    assert!(said.contains("sloburn.db"), "{said}");
    assert!(said.contains("restore it from a backup"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    std::fs::write(&file, &sound)?;
    home.start().await?.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_log_that_is_damaged_after_a_crash_is_no_reason_not_to_start() -> Result<()> {
    let home = Home::new()?;
    home.spec("shop.yaml", &availability("shop", "shop", 0.99, "1d"))?;
    let sloburn = home.start().await?;
    for _ in 0..20 {
        ensure!(send(&sloburn.http(), &Spans::now("shop", 10, 0)).await? == 200);
    }
    sloburn.kill().await?;
    let file = home.data().join("sloburn.db-wal");
    let mut log = std::fs::read(&file)?;
    // What is in front of it is whole; with it goes what comes behind, which is some commits of a few pages: a
    // damaged last one alone looks like one that was never finished.
    let page = u32::from_be_bytes([log[8], log[9], log[10], log[11]]);
    let at = log.len() - 9 * (24 + usize::try_from(page)?);
    log[at] ^= 0x40;
    std::fs::write(&file, &log)?;
    let sloburn = home.start().await?;
    let slo = sloburn.slo_that("shop", |slo| slo.total > 0).await?;
    assert!(slo.total < 200 && slo.total >= 100, "{slo:?}");
    assert!(incomplete(&sloburn).await?, "the loss is not marked");
    let (_, metrics) = sloburn.get("/metrics").await?;
    assert!(
        metrics.contains("sloburn_prev_shutdown_unclean 1"),
        "{metrics}"
    );
    assert!(sloburn.stop().await?.success());
    let sloburn = home.start().await?;
    let (_, metrics) = sloburn.get("/metrics").await?;
    assert!(
        metrics.contains("sloburn_prev_shutdown_unclean 0"),
        "{metrics}"
    );
    assert!(sloburn.stop().await?.success());
    Ok(())
}

/// Whether the API says of the only objective that some of its data is damaged.
async fn incomplete(sloburn: &Sloburn) -> Result<bool> {
    Ok(sloburn
        .get("/api/v1/slos")
        .await?
        .1
        .contains("\"incomplete\""))
}

async fn quarantined(sloburn: &Sloburn, table: &str) -> Result<()> {
    let line = format!("sloburn_store_quarantined_rows{{table=\"{table}\"}} ");
    let (_, metrics) = sloburn.get("/metrics").await?;
    ensure!(
        metrics.lines().any(|one| one.starts_with(&line)),
        "no `{line}`"
    );
    Ok(())
}

/// Flips one bit in the middle of a blob, in every row that fits.
async fn damage(home: &Home, table: &str, column: &str, rows: &str) -> Result<()> {
    let script = format!(
        "import sqlite3,sys
c=sqlite3.connect(sys.argv[1])
found=c.execute(\"select rowid,{column} from {table} where {rows}\").fetchall()
assert found
for row,blob in found:
    blob=bytearray(blob); blob[len(blob)//2]^=4
    c.execute('update {table} set {column}=? where rowid=?',(bytes(blob),row))
c.commit()
print('held',flush=True)"
    );
    Python::start(home, &script).await?.end().await
}
