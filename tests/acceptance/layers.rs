//! Who may import whom (`ARCHITECTURE.md`): read from cargo's own view of the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Our crates, and what of ours each may import in the product (not in its tests).
const MAY_IMPORT: [(&str, &[&str]); 7] = [
    ("acceptance", &[]),
    ("collector", &[]),
    ("dashboards", &["slo-specs"]),
    ("fuzz", &["collector", "slo-specs"]),
    ("loadgen", &[]),
    ("server", &["collector", "dashboards", "slo-specs"]),
    ("slo-specs", &[]),
];

/// What crates without input and output may not import: runtimes, sockets, databases, time of day.
const IMPURE: [&str; 12] = [
    "axum",
    "hyper",
    "opentelemetry-otlp",
    "reqwest",
    "rusqlite",
    "sqlx",
    "tokio",
    "tokio-util",
    "toml",
    "tonic",
    "tracing-subscriber",
    "tower",
];

const PURE: [&str; 3] = ["collector", "dashboards", "slo-specs"];

#[test]
fn crates_import_only_from_the_layers_below_them() -> Result<()> {
    let imports = imports()?;
    let ours: BTreeSet<&str> = MAY_IMPORT.iter().map(|(name, _)| *name).collect();
    for (name, may) in MAY_IMPORT {
        let of_ours: BTreeSet<&str> = imports
            .get(name)
            .with_context(|| format!("the workspace has no crate `{name}`"))?
            .iter()
            .map(String::as_str)
            .filter(|import| ours.contains(import))
            .collect();
        let may: BTreeSet<&str> = may.iter().copied().collect();
        assert!(
            of_ours.is_subset(&may),
            "`{name}` imports {of_ours:?}, and may import {may:?}"
        );
    }
    Ok(())
}

#[test]
fn crates_without_input_and_output_import_none() -> Result<()> {
    let imports = imports()?;
    for name in PURE {
        for banned in IMPURE {
            assert!(
                !imports[name].contains(banned),
                "`{name}` is pure, and imports `{banned}`"
            );
        }
    }
    Ok(())
}

#[test]
fn only_the_server_knows_a_database() -> Result<()> {
    for (name, imports) in imports()? {
        assert!(
            name == "server" || !imports.contains("sqlx"),
            "`{name}` imports `sqlx`"
        );
    }
    Ok(())
}

/// Direct imports of every workspace crate, those of its tests and benches left out.
fn imports() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
            "--locked",
        ])
        .args([
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"),
        ])
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let mut imports = BTreeMap::new();
    for package in metadata["packages"].as_array().context("no packages")? {
        let name = package["name"].as_str().context("no name")?;
        let direct = package["dependencies"]
            .as_array()
            .context("no dependencies")?;
        let names = direct
            .iter()
            .filter(|import| import["kind"] != "dev")
            .filter_map(|import| import["name"].as_str().map(str::to_owned));
        imports.insert(name.to_owned(), names.collect());
    }
    Ok(imports)
}
