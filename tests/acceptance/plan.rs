//! `sloburn plan`: a change of the specs, judged over a recording, a data folder that is in use, and a server.

use std::process::Output;

use acceptance::exporter::Exporter;
use acceptance::home::Home;
use acceptance::http;
use acceptance::postgres::Postgres;
use acceptance::replay::{DEFAULT_POLICY, Event, SECOND, episodes, line, recount};
use acceptance::sloburn::Sloburn;
use acceptance::{clock, specs};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// 2024-01-01T00:00:00Z.
const BEGIN_S: u64 = 1_704_067_200;
const LENGTH_S: u64 = 4 * 3_600;

/// A request every 2.5 s, none on a tick; a fast burn in the second hour and a few errors after it.
fn scenario() -> Vec<Event> {
    (1..LENGTH_S * 2)
        .step_by(5)
        .map(|at| {
            let every = match at / 2 {
                3_600..=4_800 => 2,
                9_000..=9_600 => 9,
                _ => 2_000,
            };
            Event {
                end: BEGIN_S * SECOND + at * (SECOND / 2) + 1_000,
                duration_us: 2_000,
                bad: (at / 5).is_multiple_of(every),
            }
        })
        .collect()
}

/// A home with the recording, and two folders: `specs` as it is, `new` as it would be.
fn home() -> Result<Home> {
    let home = Home::new()?;
    let lines: Vec<String> = scenario()
        .chunks(4)
        .map(|four| line("shop", four))
        .collect();
    std::fs::write(home.path().join("all.jsonl"), lines.concat())?;
    home.spec(
        "shop.yaml",
        &specs::availability("shop", "shop", 0.9, "30d"),
    )?;
    home.spec(
        "same.yaml",
        &specs::availability("same", "shop", 0.99, "30d"),
    )?;
    new_spec(
        &home,
        "shop.yaml",
        &specs::availability("shop", "shop", 0.99, "30d"),
    )?;
    new_spec(
        &home,
        "same.yaml",
        &specs::availability("same", "shop", 0.99, "30d"),
    )?;
    Ok(home)
}

fn new_spec(home: &Home, name: &str, text: &str) -> Result<()> {
    let folder = home.path().join("new");
    std::fs::create_dir_all(&folder)?;
    Ok(std::fs::write(folder.join(name), text)?)
}

async fn plan(home: &Home, more: &[&str]) -> Result<Output> {
    let mut arguments = vec!["plan", "specs", "new"];
    arguments.extend(more);
    home.run(&arguments).await
}

fn parsed(output: &Output) -> Result<Value> {
    let told = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).with_context(|| format!("no JSON; it said {told}"))
}

#[tokio::test]
async fn a_recording_tells_the_pages_of_a_naive_evaluation() -> Result<()> {
    let home = home()?;
    let output = plan(&home, &["--recording", "all.jsonl", "--format", "json"]).await?;
    assert_eq!(output.status.code(), Some(3), "pages are added");
    let plan = parsed(&output)?;
    assert_eq!(plan["unchanged"], 1);
    let slo = &plan["slos"][0];
    assert_eq!(
        slo["changes"][0],
        json!({"what": "target", "old": "0.9", "new": "0.99"})
    );

    let events = scenario();
    let end_s = BEGIN_S + LENGTH_S;
    let mut expected = Vec::new();
    for rule in DEFAULT_POLICY.iter().filter(|rule| rule.severity == "page") {
        assert_eq!(
            episodes(&events, 0.9, rule, BEGIN_S, end_s),
            [],
            "the old target pages for nothing"
        );
        for (fired, resolved) in episodes(&events, 0.99, rule, BEGIN_S, end_s) {
            expected.push((rule.name.to_owned(), rfc3339(fired), resolved.map(rfc3339)));
        }
    }
    expected.sort();
    let mut told: Vec<(String, String, Option<String>)> =
        serde_json::from_value::<Vec<Value>>(slo["pages"]["added"].clone())?
            .iter()
            .map(|page| {
                let text = |key: &str| page[key].as_str().map(str::to_owned);
                (
                    text("rule").unwrap_or_default(),
                    text("fired_at").unwrap_or_default(),
                    text("resolved_at"),
                )
            })
            .collect();
    told.sort();
    assert!(!expected.is_empty());
    assert_eq!(told, expected);

    let (bad, total) = recount(&events, end_s, 30 * 86_400);
    for (side, target) in [("old", 0.9), ("new", 0.99)] {
        let now = &slo["budget_now"][side];
        assert_eq!(
            (now["bad"].as_u64(), now["total"].as_u64()),
            (Some(bad), Some(total)),
            "{side}"
        );
        let left = now["budget_remaining"].as_f64().context("no budget")?;
        #[expect(clippy::cast_precision_loss, reason = "a few thousand events")]
        let exact = 1.0 - bad as f64 / ((1.0 - target) * total as f64);
        assert!((left - exact).abs() < 1e-9, "{side}: {left} is not {exact}");
    }
    Ok(())
}

fn rfc3339(second: u64) -> String {
    let of_day = second - BEGIN_S;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("2024-01-01T{hour:02}:{minute:02}:{second:02}Z")
}

#[tokio::test]
async fn exit_status_and_output_are_for_ci() -> Result<()> {
    let home = home()?;
    let recording = ["--recording", "all.jsonl"];
    for (case, more, status) in [
        ("pages are added", &[][..], 3),
        ("pages that are removed", &["--fail-on", "pages-removed"], 0),
        ("anything", &["--fail-on", "any"], 3),
        ("nothing", &["--fail-on", "never"], 0),
        ("several", &["--fail-on", "pages-missed,pages-added"], 3),
        ("before the trouble", &["--to", "2024-01-01T00:30:00Z"], 0),
        (
            "a time outside the recording",
            &["--from", "2025-01-01T00:00:00Z"],
            1,
        ),
        ("what is no time", &["--from", "yesterday"], 2),
    ] {
        let output = plan(&home, &[&recording[..], more].concat()).await?;
        assert_eq!(output.status.code(), Some(status), "{case}: {output:?}");
    }
    let markdown = plan(&home, &[&recording[..], &["--format", "markdown"]].concat()).await?;
    let text = String::from_utf8(markdown.stdout)?;
    assert!(
        text.starts_with("### sloburn plan: 2 pages added"),
        "{text}"
    );
    assert!(
        text.contains("| <code>shop</code> | target 0.9 → 0.99 |"),
        "{text}"
    );
    let again = plan(&home, &[&recording[..], &["--format", "markdown"]].concat()).await?;
    assert_eq!(
        String::from_utf8(again.stdout)?,
        text,
        "the same bytes every time"
    );

    new_spec(
        &home,
        "shop.yaml",
        &specs::availability("shop", "shop", 1.5, "30d"),
    )?;
    let broken = plan(&home, &recording).await?;
    assert_eq!(broken.status.code(), Some(1));
    assert!(String::from_utf8(broken.stdout)?.contains("new: new/shop.yaml:"));

    let empty = tempfile_folder(&home)?;
    let nothing = home
        .run(&["plan", "specs", &empty, "--recording", "all.jsonl"])
        .await?;
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8(nothing.stderr)?.contains("there are no spec files in"));
    let nowhere = plan(&home, &[]).await?;
    assert_eq!(nowhere.status.code(), Some(2));
    let absent = plan(&home, &["--data", "elsewhere"]).await?;
    assert_eq!(absent.status.code(), Some(1));
    assert!(String::from_utf8(absent.stderr)?.contains("there is no store in `elsewhere`"));
    Ok(())
}

fn tempfile_folder(home: &Home) -> Result<String> {
    std::fs::create_dir_all(home.path().join("empty"))?;
    Ok("empty".to_owned())
}

/// A server that has paged for `checkout`, and specs in `new` that would not have.
async fn paged(home: &Home) -> Result<Sloburn> {
    home.spec("checkout.yaml", &specs::quick("checkout", "checkout"))?;
    new_spec(
        home,
        "checkout.yaml",
        &specs::quick("checkout", "checkout").replace("target: 0.99", "target: 0.9"),
    )?;
    let sloburn = home.start().await?;
    let checkout = Exporter::grpc("checkout", &sloburn.grpc())?;
    clock::within_a_slice().await?;
    checkout.serve_requests(20, 20).await?;
    sloburn.slo_that("checkout", |slo| slo.total >= 40).await?;
    Ok(sloburn)
}

fn removes_the_page(output: &Output) -> Result<()> {
    // Half of the requests failed: that page is missed.
    ensure!(output.status.code() == Some(3), "{output:?}");
    let plan = parsed(output)?;
    let pages = &plan["slos"][0]["pages"]["sum"];
    assert_eq!(
        (&pages["old"], &pages["new"]),
        (&json!(1), &json!(0)),
        "{plan:#}"
    );
    assert_eq!(plan["slos"][0]["budget_now"]["new"]["total"], 40);
    Ok(())
}

#[tokio::test]
async fn a_running_server_tells_what_another_catalog_would_have_paged() -> Result<()> {
    let home = Home::new()?;
    let sloburn = paged(&home).await?;
    let data = home.data().display().to_string();
    removes_the_page(&plan(&home, &["--data", &data, "--format", "json"]).await?)?;
    let server = sloburn.web("");
    removes_the_page(&plan(&home, &["--server", &server, "--format", "json"]).await?)?;
    let in_force = ["plan", "new", "--server", &server, "--format", "json"];
    let output = home.run(&in_force).await?;
    ensure!(output.status.code() == Some(3), "{output:?}");
    let told = parsed(&output)?;
    assert_eq!(told["slos"][0]["pages"]["sum"]["missed"], 1, "{told:#}");
    assert_eq!(told["unchanged"], 1, "sloburn's own objective is in both");

    refuses(&sloburn).await?;
    // The reader disturbed nobody.
    let checkout = Exporter::grpc("checkout", &sloburn.grpc())?;
    checkout.serve_requests(5, 0).await?;
    sloburn.slo_that("checkout", |slo| slo.total == 45).await?;
    assert!(sloburn.stop().await?.success());
    let output = plan(&home, &["--data", &data, "--format", "json"]).await?;
    ensure!(
        output.status.code() == Some(3),
        "a store at rest is read as well: {output:?}"
    );
    let again = home.start().await?;
    assert_eq!(again.slos().await?.named("checkout")?.total, 45);
    assert!(again.stop().await?.success());
    Ok(())
}

/// Requests that a page of another site could send, and those that make no sense.
async fn refuses(sloburn: &Sloburn) -> Result<()> {
    let body = json!({"files": [{"path": "a.yaml", "text": ""}]}).to_string();
    for (case, headers, body, status) in [
        (
            "a form",
            &[("content-type", "text/plain")][..],
            body.as_str(),
            415,
        ),
        (
            "another site",
            &[
                ("content-type", "application/json"),
                ("sec-fetch-site", "cross-site"),
            ],
            &body,
            403,
        ),
        (
            "the same site",
            &[
                ("content-type", "application/json"),
                ("sec-fetch-site", "same-origin"),
            ],
            &body,
            200,
        ),
        ("no JSON", &[("content-type", "application/json")], "{", 400),
        (
            "an unknown field",
            &[("content-type", "application/json")],
            r#"{"files": [], "form": 1}"#,
            400,
        ),
        (
            "no time",
            &[("content-type", "application/json")],
            r#"{"files": [], "from": "soon"}"#,
            400,
        ),
    ] {
        let mut request = http::client()?
            .post(sloburn.web("/api/v1/plan"))
            .body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await?;
        assert_eq!(
            answer.status().as_u16(),
            status,
            "{case}: {}",
            answer.text().await?
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_postgres_in_use_is_read_as_well() -> Result<()> {
    let postgres = Postgres::start().await?;
    let home = Home::new()?.on_postgres(&postgres.url());
    let sloburn = paged(&home).await?;
    let url = postgres.url();
    removes_the_page(&plan(&home, &["--database-url", &url, "--format", "json"]).await?)?;
    assert!(sloburn.stop().await?.success());
    postgres.stop().await
}
