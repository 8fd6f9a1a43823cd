//! `deploy/`: what it says, the binary understands.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use acceptance::home::Home;
use acceptance::replay::{Event, SECOND, line};
use acceptance::specs;
use anyhow::{Context, Result};
use serde_json::Value;

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy")
        .join(name)
}

/// Words of a text that begin with `prefix`, each with what may follow in a name.
fn words(text: &str, prefix: &str) -> BTreeSet<String> {
    let name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let parts = text.split(|c: char| !name(c));
    parts
        .filter(|word| word.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn options_and_variables_named_in_deploy_exist() -> Result<()> {
    let home = Home::new()?;
    let help = home.run(&["serve", "--help"]).await?;
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout)?;
    let (options, variables) = (words(&help, "--"), words(&help, "SLOBURN_"));

    let unit = std::fs::read_to_string(deploy("sloburn.service"))?;
    let start = unit
        .lines()
        .find(|line| line.starts_with("ExecStart="))
        .context("no ExecStart")?;
    let used = words(start, "--");
    assert!(
        !used.is_empty() && used.is_subset(&options),
        "{used:?} of {options:?}"
    );

    for file in ["Containerfile", "compose.yaml"] {
        let used = words(&std::fs::read_to_string(deploy(file))?, "SLOBURN_");
        assert!(
            !used.is_empty() && used.is_subset(&variables),
            "{file}: {used:?} of {variables:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_example_configuration_starts() -> Result<()> {
    let mut home = Home::new()?;
    home.spec(
        "shop.yaml",
        &specs::availability("shop", "shop", 0.99, "30d"),
    )?;
    home.config(&std::fs::read_to_string(deploy("sloburn.toml"))?)?;
    home.env("INCIDENTS_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    home.env("PAGERDUTY_ROUTING_KEY", "0123456789abcdef0123456789abcdef");
    let sloburn = home.start().await?;
    assert!(sloburn.stop().await?.success());
    Ok(())
}

/// The shell of a workflow's steps, in order.
fn steps(workflow: &Value) -> Vec<String> {
    let steps = workflow["jobs"]["plan"]["steps"].as_array();
    let steps = steps.into_iter().flatten();
    let run = |step: &Value| step["run"].as_str().map(str::to_owned);
    steps.filter_map(run).collect()
}

#[tokio::test]
async fn the_example_workflow_is_sound_and_its_commands_parse() -> Result<()> {
    let home = Home::new()?;
    let text = std::fs::read_to_string(deploy("ci/github-plan.yml"))?;
    let workflow: Value = serde_yaml::from_str(&text)?;
    assert_eq!(workflow["permissions"]["contents"], "read");
    let uses: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("uses: "))
        .collect();
    assert!(!uses.is_empty());
    for action in uses {
        let (_, version) = action
            .split_once('@')
            .context("an action without a version")?;
        let major = version.strip_prefix('v').context("no tag of a version")?;
        assert!(
            major.parse::<u32>().is_ok(),
            "{action} is not pinned by major version"
        );
    }
    let mut commands = 0;
    for step in steps(&workflow) {
        for line in step.lines().map(str::trim) {
            let Some(arguments) = line.strip_prefix("sloburn ") else {
                continue;
            };
            let arguments = arguments.replace("\"$SERVER\"", "http://127.0.0.1:9");
            let words: Vec<&str> = arguments
                .split(' ')
                .take_while(|word| !matches!(*word, ">" | "||"))
                .collect();
            let output = home.run(&words).await?;
            assert_eq!(
                output.status.code(),
                Some(1),
                "there are no specs here: {output:?}"
            );
            commands += 1;
        }
    }
    assert_eq!(commands, 2, "check and plan");
    Ok(())
}

#[tokio::test]
async fn the_script_for_any_ci_plans_a_recording() -> Result<()> {
    let home = Home::new()?;
    home.spec(
        "shop.yaml",
        &specs::availability("shop", "shop", 0.9, "30d"),
    )?;
    let new = home.path().join("new");
    std::fs::create_dir(&new)?;
    std::fs::write(
        new.join("shop.yaml"),
        specs::availability("shop", "shop", 0.999, "30d"),
    )?;
    let event = |second: u64| Event {
        end: (1_704_067_200 + second) * SECOND + 1_000,
        duration_us: 1_000,
        bad: second.is_multiple_of(50),
    };
    let events: Vec<Event> = (1..1_200).map(event).collect();
    std::fs::write(home.path().join("all.jsonl"), line("shop", &events))?;
    let run = async |fail_on: &str, new: &str| -> Result<(Option<i32>, String)> {
        let path = acceptance::home::binary()?;
        let folder = path.parent().context("the binary is in a folder")?;
        let output = tokio::process::Command::new("sh")
            .arg(deploy("ci/plan.sh"))
            .args(["specs", new])
            .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
            .env("SLOBURN_RECORDING", "all.jsonl")
            .env("FAIL_ON", fail_on)
            .current_dir(home.path())
            .output()
            .await?;
        Ok((output.status.code(), String::from_utf8(output.stdout)?))
    };
    let (status, told) = run("pages-added", "new").await?;
    assert_eq!(status, Some(3), "{told}");
    let comment = std::fs::read_to_string(home.path().join("plan.md"))?;
    assert!(comment.starts_with("### sloburn plan: "), "{comment}");
    assert!(told.ends_with(&comment), "it is shown as well");
    assert_eq!(run("never", "new").await?.0, Some(0));
    std::fs::write(new.join("shop.yaml"), "kind: SLO\n")?;
    assert_eq!(run("never", "new").await?.0, Some(1), "specs with problems");
    Ok(())
}
