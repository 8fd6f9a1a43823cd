//! `sloburn check` and `sloburn init` against a running server: what it has seen is what its data folder says.

use std::process::Output;

use acceptance::home::Home;
use acceptance::otlp::{Spans, send};
use acceptance::sloburn::Sloburn;
use acceptance::specs;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

#[tokio::test]
async fn specs_are_held_against_what_a_server_has_seen() -> Result<()> {
    let home = Home::new()?;
    home.spec(
        "checkout.yaml",
        &specs::availability("checkout", "checkout", 0.99, "30d"),
    )?;
    let sloburn = home.start().await?;
    ensure!(send(&sloburn.http(), &Spans::now("checkout", 40, 2)).await? == 200);
    ensure!(send(&sloburn.http(), &Spans::now("search", 5, 0)).await? == 200);
    sloburn.slo_that("checkout", |slo| slo.total >= 42).await?;

    told(&sloburn).await?;
    checked(&home, &sloburn).await?;
    proposed(&home, &sloburn).await?;
    let server = sloburn.web("");
    assert!(sloburn.stop().await?.success());
    nobody_there(&home, &server).await
}

/// What the API says.
async fn told(sloburn: &Sloburn) -> Result<()> {
    let (status, body) = sloburn.get("/api/v1/telemetry").await?;
    assert_eq!(status, 200, "{body}");
    let told: Value = serde_json::from_str(&body)?;
    let series = told["series"].as_array().context("no series")?;
    let of = |service: &str, status: Value| -> u64 {
        let of = |one: &&Value| one["service"] == service && one["status"] == status;
        let events = series
            .iter()
            .filter(of)
            .filter_map(|one| one["events"].as_u64());
        events.sum()
    };
    assert_eq!(of("checkout", json!("error")), 2, "{told:#}");
    let all = of("checkout", Value::Null) + of("checkout", json!("ok"));
    assert_eq!((all, of("search", json!("error"))), (40, 0), "{told:#}");
    assert_eq!(told["left_out"], 0);
    let durations = told["durations"].as_array().context("no durations")?;
    let services: Vec<&Value> = durations.iter().map(|one| &one["service"]).collect();
    assert_eq!(
        services,
        ["checkout", "search"],
        "sloburn's own is no request"
    );
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The output, where the place of the telemetry is the same.
fn placeless(output: &Output, server: &str) -> String {
    text(&output.stdout).replace(&format!("what {server} keeps"), "what the store keeps")
}

async fn checked(home: &Home, sloburn: &Sloburn) -> Result<()> {
    let server = sloburn.web("");
    let data = home.data().display().to_string();
    let typo = specs::availability("search", "serch", 0.999, "30d");
    std::fs::write(home.path().join("typo.yaml"), typo)?;
    let by_server = home
        .run(&["check", "typo.yaml", "--server", &server])
        .await?;
    let by_data = home.run(&["check", "typo.yaml", "--data", &data]).await?;
    let said = placeless(&by_server, &server);
    assert!(
        said.contains("matches nothing in what the store keeps"),
        "{said}"
    );
    assert!(
        said.contains("did you mean `service.name: search`?"),
        "{said}"
    );
    assert_eq!(said, placeless(&by_data, &server));
    Ok(())
}

async fn proposed(home: &Home, sloburn: &Sloburn) -> Result<()> {
    let server = sloburn.web("");
    let data = home.data().display().to_string();
    let by_server = home.run(&["init", "--server", &server]).await?;
    let by_data = home.run(&["init", "--data", &data]).await?;
    let said = placeless(&by_server, &server);
    assert!(
        said.contains("# 42 server spans of checkout, 2 failed"),
        "{said}"
    );
    assert_eq!(said, placeless(&by_data, &server));
    std::fs::write(home.path().join("first.yaml"), &by_server.stdout)?;
    let check = home.run(&["check", "--strict", "first.yaml"]).await?;
    ensure!(check.status.success(), "{}", text(&check.stdout));
    Ok(())
}

async fn nobody_there(home: &Home, server: &str) -> Result<()> {
    let gone = format!("cannot ask {server}/api/v1/telemetry; is a sloburn running there");
    for (command, server, says) in [
        ("check", server, gone.as_str()),
        ("init", server, gone.as_str()),
        ("init", "127.0.0.1", "`127.0.0.1` is no address of a server"),
    ] {
        let output = match command {
            "check" => home.run(&["check", "specs", "--server", server]).await?,
            _ => home.run(&["init", "--server", server]).await?,
        };
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command}: {told}");
        assert!(
            told.starts_with(&format!("sloburn: {says}")),
            "{command}: {told}"
        );
    }
    Ok(())
}
