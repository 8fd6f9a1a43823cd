//! Takes the pictures of the README: `screenshots DIRECTORY` starts the demo, waits for its first page, and opens
//! the dashboards in headless Chromium.

use std::path::PathBuf;
use std::time::Duration;

use acceptance::browser::{Browser, Scripts};
use acceptance::demo::Demo;
use acceptance::wait;
use anyhow::{Context, Result};

/// File name, page, width in CSS pixels.
const PICTURES: [(&str, &str, u32); 6] = [
    ("oncall", "/oncall", 1440),
    ("debug", "/debug/checkout", 1440),
    ("slo", "/slos/checkout-availability", 1440),
    ("slos", "/slos", 1440),
    ("executive", "/executive", 1440),
    ("oncall-phone", "/oncall", 390),
];

#[tokio::main]
async fn main() -> Result<()> {
    let directory = PathBuf::from(std::env::args().nth(1).context("name a directory")?);
    std::fs::create_dir_all(&directory)?;
    let demo = Demo::start().await?;
    wait::until(
        "the first page is delivered",
        Duration::from_mins(4),
        async || {
            Ok(demo
                .read_inbox()
                .await?
                .contains("</i> Page</span>")
                .then_some(()))
        },
    )
    .await?;
    for (name, path, width) in PICTURES {
        take(
            &directory.join(name).with_extension("png"),
            &demo.web(path),
            width,
        )
        .await?;
    }
    take(&directory.join("inbox.png"), &demo.inbox(), 1440).await?;
    demo.stop().await
}

async fn take(file: &std::path::Path, url: &str, width: u32) -> Result<()> {
    let browser = Browser::open(width, 900, Scripts::Run).await?;
    browser.goto(url).await?;
    std::fs::write(file, browser.picture().await?)?;
    browser.close().await
}
