//! Takes the pictures of the README: `screenshots DIRECTORY` starts the demo, waits for its first page, opens the
//! dashboards in headless Chromium, and the inbox once it is resolved.

use std::path::{Path, PathBuf};
use std::time::Duration;

use acceptance::browser::{Browser, Scripts};
use acceptance::demo::Demo;
use acceptance::wait;
use anyhow::{Context, Result};

/// File name, page, width in CSS pixels: while the first fault burns.
const BURNING: [(&str, &str, u32); 5] = [
    ("oncall", "/oncall", 1440),
    ("oncall-phone", "/oncall", 390),
    ("slo", "/slos/checkout-availability", 1440),
    ("debug", "/debug/checkout", 1440),
    ("executive", "/executive", 1440),
];

#[tokio::main]
async fn main() -> Result<()> {
    let directory = PathBuf::from(std::env::args().nth(1).context("name a directory")?);
    std::fs::create_dir_all(&directory)?;
    let demo = Demo::start().await?;
    inbox_shows(&demo, "Page").await?;
    two_ticks(&demo).await?;
    for (name, path, width) in BURNING {
        take(&directory, name, &demo.web(path), width).await?;
    }
    inbox_shows(&demo, "Resolved").await?;
    take(&directory, "slos", &demo.web("/slos"), 1440).await?;
    take(&directory, "inbox", &demo.inbox(), 1440).await?;
    demo.stop().await
}

async fn inbox_shows(demo: &Demo, word: &str) -> Result<()> {
    wait::until(
        &format!("the inbox shows `{word}`"),
        Duration::from_mins(4),
        async || {
            Ok(demo
                .read_inbox()
                .await?
                .contains(&format!("</i> {word}</span>"))
                .then_some(()))
        },
    )
    .await
}

/// A page that fired this second has little to show: waits until the dashboards have been evaluated twice more.
async fn two_ticks(demo: &Demo) -> Result<()> {
    let browser = Browser::open(1440, 900, Scripts::Run).await?;
    browser.goto(&demo.web("/oncall")).await?;
    let evaluation = async || -> Result<u64> {
        let script = "return Number(document.body.dataset.evaluation)";
        browser
            .evaluate(script)
            .await?
            .as_u64()
            .context("no evaluation")
    };
    let first = evaluation().await?;
    wait::until("two more evaluations", wait::TICKS, async || {
        Ok((evaluation().await? >= first + 2).then_some(()))
    })
    .await?;
    browser.close().await
}

async fn take(directory: &Path, name: &str, url: &str, width: u32) -> Result<()> {
    let browser = Browser::open(width, 900, Scripts::Run).await?;
    browser.goto(url).await?;
    std::fs::write(
        directory.join(name).with_extension("png"),
        browser.picture().await?,
    )?;
    browser.close().await
}
