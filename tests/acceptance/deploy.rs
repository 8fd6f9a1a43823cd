//! `deploy/`: what it says, the binary understands.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use acceptance::home::Home;
use acceptance::specs;
use anyhow::{Context, Result};

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
