//! `sloburn demo`: what a newcomer sees in the first minutes.

use std::time::Duration;

use acceptance::browser::{Browser, Scripts};
use acceptance::demo::Demo;
use acceptance::wait;
use anyhow::{Context, Result, ensure};

/// What the on-call page says while no page fires.
const CALM: &str = "Nothing is paging";

#[tokio::test]
async fn a_newcomer_sees_traffic_a_fault_its_page_and_its_resolve() -> Result<()> {
    let demo = Demo::start().await?;
    let browser = Browser::open(1440, 900, Scripts::Run).await?;
    // "Within a minute of its start": the first tick has been, and history is being sent.
    for path in ["/oncall", "/executive", "/slos", "/debug/checkout"] {
        wait::until(
            &format!("{path} shows the shop"),
            Duration::from_mins(1),
            async || {
                browser.goto(&demo.web(path)).await?;
                let words = browser.text("main").await?;
                Ok(words.to_lowercase().contains("checkout").then_some(()))
            },
        )
        .await?;
    }
    browser.goto(&demo.web("/oncall")).await?;
    ensure!(
        browser.text("main").await?.contains(CALM),
        "a fault before its time"
    );
    let shown = |what: &'static str| async { in_inbox(&demo, what).await };
    shown("Page").await?;
    // The one left open shows the incident without being loaded again.
    wait::until("/oncall shows the incident", wait::TICKS, async || {
        Ok((!browser.text("main").await?.contains(CALM)).then_some(()))
    })
    .await?;
    shown("Resolved").await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    browser.goto(&demo.inbox()).await?;
    ensure!(
        browser.overflow().await? <= 0,
        "the inbox is wider than its window"
    );
    browser.close().await?;
    demo.stop().await
}

/// Waits until the inbox shows a message under this word.
async fn in_inbox(demo: &Demo, word: &str) -> Result<()> {
    wait::until(
        &format!("the inbox shows `{word}`"),
        Duration::from_mins(3),
        async || {
            Ok(demo
                .read_inbox()
                .await?
                .contains(&format!("</i> {word}</span>"))
                .then_some(()))
        },
    )
    .await
    .with_context(|| demo.log())
}
