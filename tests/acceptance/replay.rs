//! `sloburn replay`: exact, deterministic, and the same arithmetic as a naive recount.

use acceptance::api::{Alert, Slos};
use acceptance::home::Home;
use acceptance::replay::{DEFAULT_POLICY, Event, SECOND, episodes, line, recount};
use acceptance::specs;
use anyhow::{Context, Result, ensure};

/// 2024-01-01T00:00:00Z.
const BEGIN_S: u64 = 1_704_067_200;

/// Of the scenario.
const LENGTH_S: u64 = 5 * 3_600;

/// A request every 2.5 seconds for five hours; a fast burn, a slow one, and a few errors between. No event and
/// no line lies on a tick, so that each tick sees all that ended before it.
fn scenario() -> Vec<Event> {
    let mut seed = 1_u64;
    let mut chance = move || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    let half_seconds = LENGTH_S * 2;
    (1..half_seconds)
        .step_by(5)
        .map(|at| {
            let percent = match at / 2 {
                3_600..=4_800 => 60,
                9_000..=12_600 => 12,
                _ => u64::from(at % 1_000 == 1),
            };
            Event {
                end: BEGIN_S * SECOND + at * (SECOND / 2) + 1_000,
                duration_us: 1_000 + chance() % 400_000,
                bad: chance() % 100 < percent,
            }
        })
        .collect()
}

fn home() -> Result<Home> {
    let home = Home::new()?;
    home.spec(
        "month.yaml",
        &specs::availability("shop-month", "shop", 0.99, "30d"),
    )?;
    home.spec(
        "hour.yaml",
        &specs::availability("shop-hour", "shop", 0.9, "1h"),
    )?;
    home.spec("latency.yaml", &specs::latency("shop-latency", "shop", 250))?;
    Ok(home)
}

/// One line for each four events, as a batching exporter would send them.
fn lines(events: &[Event]) -> Vec<String> {
    events.chunks(4).map(|batch| line("shop", batch)).collect()
}

async fn replay(home: &Home, files: &[&str]) -> Result<Vec<u8>> {
    let mut arguments = vec!["replay", "--specs", "specs", "--format", "json"];
    arguments.extend(files);
    let output = home.run(&arguments).await?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}

fn write(home: &Home, name: &str, lines: &[String]) -> Result<()> {
    Ok(std::fs::write(home.path().join(name), lines.concat())?)
}

#[tokio::test]
async fn the_same_lines_give_the_same_bytes_however_they_are_split_and_resent() -> Result<()> {
    let home = home()?;
    let lines = lines(&scenario());
    let third = lines.len() / 3;
    write(&home, "whole.jsonl", &lines)?;
    write(&home, "first.jsonl", &lines[..third])?;
    write(&home, "second.jsonl", &lines[third..])?;
    let resent: Vec<String> = lines
        .iter()
        .flat_map(|line| [line.clone(), line.clone()])
        .collect();
    write(&home, "resent.jsonl", &resent)?;

    let whole = replay(&home, &["whole.jsonl"]).await?;
    assert!(!Slos::parse(std::str::from_utf8(&whole)?)?.alerts.is_empty());
    assert_eq!(replay(&home, &["whole.jsonl"]).await?, whole, "again");
    assert_eq!(
        replay(&home, &["first.jsonl", "second.jsonl"]).await?,
        whole,
        "split"
    );
    assert_eq!(
        replay(&home, &["resent.jsonl"]).await?,
        whole,
        "every line sent twice"
    );
    assert_eq!(
        replay(&home, &["whole.jsonl", "first.jsonl"]).await?,
        whole,
        "a file sent twice"
    );
    Ok(())
}

#[tokio::test]
async fn totals_and_ratios_are_those_of_a_naive_recount() -> Result<()> {
    let home = home()?;
    let events = scenario();
    write(&home, "all.jsonl", &lines(&events))?;
    let answer = Slos::parse(std::str::from_utf8(&replay(&home, &["all.jsonl"]).await?)?)?;

    let last_tick_s = BEGIN_S + LENGTH_S;
    for (name, target, window_s) in [
        ("shop-month", 0.99, 30 * 86_400),
        ("shop-hour", 0.9, 3_600_u64),
    ] {
        let slo = answer.named(name)?;
        let (bad, total) = recount(&events, last_tick_s, window_s);
        assert_eq!((slo.bad, slo.total), (bad, total), "{name}");
        let left = 1.0 - ratio(bad, total) / (1.0 - target);
        close(slo.budget_remaining, left, 1e-9).context("budget left")?;
    }
    let windows = &answer.named("shop-month")?.windows;
    for (label, seconds) in [("5m", 300), ("1h", 3_600), ("6h", 6 * 3_600)] {
        let (bad, total) = recount(&events, last_tick_s, seconds);
        let told = windows
            .get(label)
            .with_context(|| format!("no {label} in {windows:?}"))?;
        close(*told, ratio(bad, total), 1e-12).context(label)?;
    }
    Ok(())
}

#[tokio::test]
async fn latencies_count_exactly_and_percentiles_are_within_their_digits() -> Result<()> {
    let home = home()?;
    let events = scenario();
    write(&home, "all.jsonl", &lines(&events))?;
    let answer = Slos::parse(std::str::from_utf8(&replay(&home, &["all.jsonl"]).await?)?)?;

    let slo = answer.named("shop-latency")?;
    let slow = events
        .iter()
        .filter(|event| event.duration_us > 250_000)
        .count() as u64;
    assert_eq!((slo.bad, slo.total), (slow, events.len() as u64));

    let mut durations: Vec<u64> = events.iter().map(|event| event.duration_us).collect();
    durations.sort_unstable();
    let latency = slo.latency.as_ref().context("no latency")?;
    for (percent, told) in [
        (50, latency.p50_ms),
        (95, latency.p95_ms),
        (99, latency.p99_ms),
    ] {
        let rank = (durations.len() * percent).div_ceil(100);
        let exact = ratio(durations[rank - 1], 1_000);
        close(told, exact, exact * 0.001).with_context(|| format!("p{percent}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn alerts_fire_and_resolve_at_the_ticks_of_a_naive_evaluation() -> Result<()> {
    let home = home()?;
    let events = scenario();
    write(&home, "all.jsonl", &lines(&events))?;
    let answer = Slos::parse(std::str::from_utf8(&replay(&home, &["all.jsonl"]).await?)?)?;

    let mut expected = Vec::new();
    for rule in &DEFAULT_POLICY {
        for (fired, resolved) in episodes(&events, 0.99, rule, BEGIN_S, BEGIN_S + LENGTH_S) {
            expected.push(Alert {
                slo: "shop-month".to_owned(),
                severity: rule.severity.to_owned(),
                rule: rule.name.to_owned(),
                fired_at: time(fired)?,
                resolved_at: resolved.map(time).transpose()?,
            });
        }
    }
    assert!(
        expected.len() >= 4,
        "the scenario is too tame: {expected:#?}"
    );
    let mut told: Vec<Alert> = answer
        .alerts
        .into_iter()
        .filter(|alert| alert.slo == "shop-month")
        .collect();
    for alerts in [&mut told, &mut expected] {
        alerts.sort_by(|a, b| (&a.fired_at, &a.rule).cmp(&(&b.fired_at, &b.rule)));
    }
    assert_eq!(told, expected);
    Ok(())
}

#[tokio::test]
async fn a_line_that_is_no_request_is_told_with_its_place() -> Result<()> {
    let home = home()?;
    let mut lines = lines(&scenario()[..8]);
    lines.insert(1, "{\"resourceSpans\": [\n".to_owned());
    write(&home, "broken.jsonl", &lines)?;
    let arguments = [
        "replay",
        "--specs",
        "specs",
        "--format",
        "json",
        "broken.jsonl",
    ];
    let output = home.run(&arguments).await?;
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr)?;
    assert!(told.contains("broken.jsonl:2"), "{told}");
    Ok(())
}

fn time(second: u64) -> Result<String> {
    Ok(jiff::Timestamp::from_second(i64::try_from(second)?)?.to_string())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "test data has far fewer events than 2^52"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

fn close(told: Option<f64>, exact: f64, tolerance: f64) -> Result<()> {
    let told = told.context("nothing is told")?;
    ensure!(
        (told - exact).abs() <= tolerance,
        "{told} is told, {exact} is right"
    );
    Ok(())
}
