//! Every page in a real browser: wide and narrow, with and without scripts, and live.

use acceptance::browser::{Browser, Scripts};
use acceptance::home::Home;
use acceptance::otlp::{Spans, send};
use acceptance::sloburn::Sloburn;
use acceptance::{specs, wait};
use anyhow::{Context, Result, ensure};

const PAGES: [&str; 6] = [
    "/executive",
    "/oncall",
    "/debug/shop",
    "/slos",
    "/slos/shop-available",
    "/specs",
];

/// A server with two objectives of one service, some traffic, and one alert on its way.
async fn shop(home: &Home) -> Result<Sloburn> {
    let documents = [
        specs::availability("shop-available", "shop", 0.99, "1d"),
        specs::latency("shop-fast", "shop", 250),
    ];
    home.spec("shop.yaml", &documents.concat())?;
    let sloburn = home.start().await?;
    for (name, good, bad) in [("GET /cart", 180, 3), ("POST /checkout", 90, 12)] {
        let mut spans = Spans::now("shop", good, bad);
        spans.name = name.to_owned();
        spans.attributes = vec![("http.route".to_owned(), name.to_owned())];
        ensure!(send(&sloburn.http(), &spans).await? == 200);
    }
    sloburn
        .slo_that("shop-available", |slo| slo.total == 285)
        .await?;
    Ok(sloburn)
}

#[tokio::test]
async fn every_page_fits_its_window_and_needs_no_script() -> Result<()> {
    let home = Home::new()?;
    let sloburn = shop(&home).await?;
    for (width, scripts) in [
        (1440, Scripts::Run),
        (1440, Scripts::Off),
        (390, Scripts::Run),
        (390, Scripts::Off),
    ] {
        let browser = Browser::open(width, 900, scripts).await?;
        for path in PAGES {
            opens_well(&browser, &sloburn, path)
                .await
                .with_context(|| format!("{path} at {width} pixels, scripts {scripts:?}"))?;
        }
        browser.close().await?;
    }
    Ok(())
}

async fn opens_well(browser: &Browser, sloburn: &Sloburn, path: &str) -> Result<()> {
    ensure!(
        sloburn.get(path).await?.0 == 200,
        "it is not answered with 200"
    );
    browser.goto(&sloburn.web(path)).await?;
    ensure!(
        browser.evaluate("return document.title").await? != "",
        "it has no title"
    );
    let words = browser.text("main").await?;
    ensure!(
        words.split_whitespace().count() > 20,
        "it says only `{words}`"
    );
    ensure!(
        !words.contains("NaN") && !words.contains("null"),
        "it says `{words}`"
    );
    let overflow = browser.overflow().await?;
    ensure!(
        overflow <= 0,
        "it is {overflow} pixels wider than its window"
    );
    let complaints = browser.complaints().await?;
    ensure!(
        complaints.is_empty(),
        "the browser complains: {complaints:#?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_page_left_open_shows_what_came_later() -> Result<()> {
    let home = Home::new()?;
    let sloburn = shop(&home).await?;
    for path in ["/oncall", "/executive", "/debug/shop"] {
        let browser = Browser::open(1440, 900, Scripts::Run).await?;
        browser.goto(&sloburn.web(path)).await?;
        browser.evaluate("window.leftOpen = true").await?;
        let before = browser.text("main").await?;
        ensure!(send(&sloburn.http(), &Spans::now("shop", 1_000, 70)).await? == 200);
        wait::until(&format!("{path} changes"), wait::TICKS, async || {
            Ok((browser.text("main").await? != before).then_some(()))
        })
        .await?;
        ensure!(
            browser.evaluate("return window.leftOpen === true").await? == true,
            "{path} was loaded again instead of updated"
        );
        assert_eq!(browser.complaints().await?, Vec::<String>::new(), "{path}");
        browser.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_hostile_name_is_only_text() -> Result<()> {
    let home = Home::new()?;
    let sloburn = shop(&home).await?;
    let hostile = "</svg><script>window.hit=1</script><img src=x onerror=window.hit=1>\"'`${1}";
    let mut spans = Spans::now("shop", 10, 400);
    spans.name = hostile.to_owned();
    spans.attributes = vec![("http.route".to_owned(), hostile.to_owned())];
    ensure!(send(&sloburn.http(), &spans).await? == 200);
    sloburn
        .slo_that("shop-available", |slo| slo.total == 695)
        .await?;
    let browser = Browser::open(1440, 900, Scripts::Run).await?;
    let mut seen = false;
    for path in PAGES {
        browser.goto(&sloburn.web(path)).await?;
        ensure!(
            browser.evaluate("return window.hit === undefined").await? == true,
            "{path}"
        );
        let told = browser.complaints().await?;
        ensure!(told.is_empty(), "{path}: {told:#?}");
        seen |= browser
            .text("main")
            .await?
            .contains("<script>window.hit=1</script>");
    }
    ensure!(seen, "no page shows the name: the test shows nothing");
    browser.close().await
}
