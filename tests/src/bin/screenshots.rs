//! Takes the pictures of the README: `screenshots DIRECTORY` starts the demo, waits for its first page, opens the
//! dashboards in headless Chromium, and the inbox once it is resolved.

use std::path::{Path, PathBuf};
use std::time::Duration;

use acceptance::browser::{Browser, Scripts};
use acceptance::demo::Demo;
use acceptance::wait;
use anyhow::{Context, Result};

/// Width and height of the pictures' windows in CSS pixels: what one sees before scrolling.
const DESK: (u32, u32) = (1440, 1100);
const PHONE: (u32, u32) = (390, 844);

/// File name, page, window: while the first fault burns.
const BURNING: [(&str, &str, (u32, u32)); 5] = [
    ("oncall", "/oncall", DESK),
    ("oncall-phone", "/oncall", PHONE),
    ("slo", "/slos/checkout-availability", DESK),
    ("debug", "/debug/checkout", DESK),
    ("executive", "/executive", DESK),
];

#[tokio::main]
async fn main() -> Result<()> {
    let directory = PathBuf::from(std::env::args().nth(1).context("name a directory")?);
    std::fs::create_dir_all(&directory)?;
    let demo = Demo::start().await?;
    inbox_shows(&demo, "Page").await?;
    two_ticks(&demo).await?;
    for (name, path, window) in BURNING {
        take(&directory, name, &demo.web(path), window).await?;
    }
    inbox_shows(&demo, "Resolved").await?;
    take(&directory, "slos", &demo.web("/slos"), DESK).await?;
    take(&directory, "inbox", &demo.inbox(), DESK).await?;
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

async fn take(directory: &Path, name: &str, url: &str, (width, height): (u32, u32)) -> Result<()> {
    let browser = Browser::open(width, height, Scripts::Run).await?;
    browser.goto(url).await?;
    std::fs::write(
        directory.join(name).with_extension("png"),
        browser.picture(height).await?,
    )?;
    browser.close().await
}
