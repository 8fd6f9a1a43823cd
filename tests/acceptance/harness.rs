//! The harness itself, where a fault in it would make other tests pass or fail for no reason.

use acceptance::browser::{Browser, Scripts};
use acceptance::postgres::Postgres;
use anyhow::Result;

#[tokio::test]
async fn a_cluster_starts_and_answers() -> Result<()> {
    let postgres = Postgres::start().await?;
    assert_eq!(postgres.psql("sloburn", "select 6 * 7").await?.trim(), "42");
    postgres.stop().await
}

#[tokio::test]
async fn a_browser_is_as_wide_as_asked_and_runs_no_script_when_told() -> Result<()> {
    let page = "data:text/html,<title>t</title><p id=p>before</p><script>document.getElementById('p').textContent='after';console.error('oh')</script>";
    for (width, scripts, text, complaints) in [
        (390, Scripts::Run, "after", 1),
        (1440, Scripts::Off, "before", 0),
    ] {
        let browser = Browser::open(width, 900, scripts).await?;
        browser.goto(page).await?;
        assert_eq!(browser.text("#p").await?, text);
        assert_eq!(browser.evaluate("return window.innerWidth").await?, width);
        assert_eq!(browser.overflow().await?, 0);
        assert_eq!(browser.complaints().await?.len(), complaints);
        assert!(browser.picture(2_000).await?.starts_with(b"\x89PNG"));
        browser.close().await?;
    }
    Ok(())
}
