//! `sloburn explain`: what it says can be recomputed, and is what every other view says.

use acceptance::exporter::Exporter;
use acceptance::home::Home;
use acceptance::replay::{Event, SECOND, line};
use acceptance::sloburn::Sloburn;
use acceptance::{clock, specs};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

fn number(value: &Value) -> Result<f64> {
    value
        .as_f64()
        .with_context(|| format!("{value} is no number"))
}

fn close(told: &Value, expected: f64) -> Result<()> {
    let told = number(told)?;
    ensure!(
        (told - expected).abs() < 1e-9 * expected.abs().max(1.0),
        "{told} is not {expected}"
    );
    Ok(())
}

/// Recomputes every result of an explanation from the counts in it.
fn recompute(told: &Value) -> Result<()> {
    let allowed_share = number(&told["allowed_share"]["numerator"])?
        / number(&told["allowed_share"]["denominator"])?;
    let (bad, total) = (
        number(&told["counts"]["bad"])?,
        number(&told["counts"]["total"])?,
    );
    close(&told["budget"]["allowed"], allowed_share * total)?;
    close(&told["budget"]["left"], allowed_share * total - bad)?;
    close(
        &told["budget"]["remaining"],
        1.0 - bad / (allowed_share * total),
    )?;
    let rules = told["rules"].as_array().context("no rules")?;
    ensure!(!rules.is_empty(), "there are rules");
    for rule in rules {
        let mut all_over = true;
        for window in rule["windows"].as_array().context("no windows")? {
            let (bad, total) = (
                number(&window["counts"]["bad"])?,
                number(&window["counts"]["total"])?,
            );
            let over = total > 0.0 && bad / total / allowed_share > number(&rule["threshold"])?;
            if total > 0.0 {
                close(&window["burn"], bad / total / allowed_share)?;
            }
            ensure!(window["over"] == over, "{window:#}");
            all_over &= over;
        }
        let enough = number(&rule["windows"][0]["counts"]["bad"])? >= number(&rule["minimum_bad"])?;
        ensure!(rule["breached"] == (all_over && enough), "{rule:#}");
    }
    let (mut selected, mut all) = (0.0, 0.0);
    for series in told["series"].as_array().context("no series")? {
        selected += number(&series["selected"])?;
        all += number(&series["total"])?;
    }
    ensure!(
        (selected, all) == (bad, total),
        "the series are the window's events: {told:#}"
    );
    Ok(())
}

#[tokio::test]
async fn the_number_can_be_recomputed_and_is_the_one_that_is_shown() -> Result<()> {
    let home = Home::new()?;
    home.spec(
        "checkout.yaml",
        &specs::availability("checkout", "checkout", 0.99, "30d"),
    )?;
    let sloburn = home.start().await?;
    let checkout = Exporter::grpc("checkout", &sloburn.grpc())?;
    clock::within_a_slice().await?;
    checkout.serve_requests(60, 7).await?;
    sloburn.slo_that("checkout", |slo| slo.total >= 67).await?;

    let shown: Value = serde_json::from_str(&sloburn.get("/api/v1/slos").await?.1)?;
    let at = shown["at"].as_str().context("no time")?.to_owned();
    let slos = shown["slos"].as_array().context("no SLOs")?;
    let slo = slos
        .iter()
        .find(|slo| slo["name"] == "checkout")
        .context("no checkout")?;
    let (status, body) = sloburn
        .get(&format!("/api/v1/slos/checkout/explain?at={at}"))
        .await?;
    assert_eq!(status, 200, "{body}");
    let told: Value = serde_json::from_str(&body)?;
    recompute(&told)?;
    assert_eq!(told["at"], shown["at"]);
    assert_eq!(
        (&told["counts"]["bad"], &told["counts"]["total"]),
        (&slo["bad"], &slo["total"])
    );
    assert_eq!(told["budget"]["remaining"], slo["budget_remaining"]);
    assert_eq!(told["series_sum"], told["counts"]);

    by_command(&home, &sloburn, &at, &told).await?;
    what_cannot_be_told(&home, &sloburn).await?;
    assert!(sloburn.stop().await?.success());
    Ok(())
}

/// The same from the data folder and from the server.
async fn by_command(home: &Home, sloburn: &Sloburn, at: &str, told: &Value) -> Result<()> {
    let data = home.data().display().to_string();
    let from_data = [
        "explain", "checkout", "--specs", "specs", "--data", &data, "--at", at, "--format", "json",
    ];
    let server = sloburn.web("");
    let from_server = [
        "explain", "checkout", "--server", &server, "--at", at, "--format", "json",
    ];
    for arguments in [&from_data[..], &from_server] {
        let output = home.run(arguments).await?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(
            serde_json::from_slice::<Value>(&output.stdout)?,
            *told,
            "{arguments:?}"
        );
    }
    let text = home
        .run(&["explain", "checkout", "--server", &server])
        .await?;
    let text = String::from_utf8(text.stdout)?;
    assert!(
        text.contains("budget left: 1 − bad ÷ ((1 − target) · total) = 1 − 7 ÷ (0.01 · 67)"),
        "{text}"
    );
    Ok(())
}

#[tokio::test]
async fn the_series_of_a_recording_are_named() -> Result<()> {
    let home = Home::new()?;
    home.spec(
        "checkout.yaml",
        &specs::availability("checkout", "checkout", 0.9, "1h"),
    )?;
    let event = |second: u64, bad| Event {
        end: (1_704_067_200 + second) * SECOND + 1_000,
        duration_us: 2_000,
        bad,
    };
    // The first lies before the window of the last.
    let events: Vec<Event> = (0..40).map(|i| event(i * 100, i % 4 == 0)).collect();
    let others = line("other", &events[..8]);
    let mine: Vec<String> = events
        .chunks(4)
        .map(|some| line("checkout", some))
        .collect();
    std::fs::write(home.path().join("all.jsonl"), mine.concat() + &others)?;
    let output = home
        .run(&[
            "explain",
            "checkout",
            "--specs",
            "specs",
            "--recording",
            "all.jsonl",
            "--format",
            "json",
        ])
        .await?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told: Value = serde_json::from_slice(&output.stdout)?;
    recompute(&told)?;
    assert_eq!(told["series_sum"], told["counts"], "{told:#}");
    assert!(told["counts"]["total"].as_u64() < Some(40), "{told:#}");
    let series = told["series"].as_array().context("no series")?;
    let named = |series: &Value| {
        series["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("checkout server"))
    };
    assert!(series.iter().all(named), "{told:#}");
    Ok(())
}

/// Questions without an answer.
async fn what_cannot_be_told(home: &Home, sloburn: &Sloburn) -> Result<()> {
    let server = sloburn.web("");
    for (case, path, status, says) in [
        (
            "an unknown SLO",
            "/api/v1/slos/chekout/explain",
            404,
            "did you mean `checkout`?",
        ),
        (
            "long ago",
            "/api/v1/slos/checkout/explain?at=2001-01-01T00:00:00Z",
            400,
            "nothing is kept of 2001",
        ),
        (
            "the future",
            "/api/v1/slos/checkout/explain?at=2999-01-01T00:00:00Z",
            400,
            "nothing is kept of 2999",
        ),
        (
            "what is no time",
            "/api/v1/slos/checkout/explain?at=noon",
            400,
            "`noon` is no time",
        ),
    ] {
        let (found, body) = sloburn.get(path).await?;
        assert_eq!(found, status, "{case}: {body}");
        assert!(body.contains(says), "{case}: {body}");
    }
    let unknown = home
        .run(&["explain", "checkuot", "--server", &server])
        .await?;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8(unknown.stderr)?.contains("did you mean `checkout`?"));
    Ok(())
}
