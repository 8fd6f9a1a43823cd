//! Compares our verdicts over a folder of spec files with those that its `verdicts.tsv` holds:
//! `make conformance CORPUS=FOLDER`.
//!
//! Of each `openslo/v1` file that is compared, the SDK's rules and [`slo_specs::strict`] must agree whether it is valid, and
//! every field the SDK complains of must be among those we complain of. Each file of another system is converted, and what comes
//! of it must load without an error.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use slo_specs::{SourceFile, convert, load, strict};

fn main() -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let Some(folder) = std::env::args().nth(1).map(PathBuf::from) else {
        writeln!(out, "usage: conformance FOLDER (with a verdicts.tsv)")?;
        return Ok(ExitCode::from(2));
    };
    let table = std::fs::read_to_string(folder.join("verdicts.tsv"))?;
    let (mut compared, mut differing) = (0, 0);
    for row in rows(&table) {
        let column = |name: &str| row.get(name).copied().unwrap_or_default();
        let verdict = column("sdk_rules_verdict");
        if column("apiVersion") != "openslo/v1" || !matches!(verdict, "valid" | "invalid") {
            continue;
        }
        let path = column("path");
        let text = std::fs::read_to_string(locate(&folder, column("repo"), path))?;
        let ours = fields(&text);
        let theirs = named(column("sdk_rules_errors"));
        let missed: Vec<&String> = theirs.difference(&ours).collect();
        let agrees = ours.is_empty() == (verdict == "valid") && missed.is_empty();
        let word = if agrees { "agree" } else { "DIFFER" };
        compared += 1;
        differing += usize::from(!agrees);
        writeln!(out, "{word:8} {verdict:8} {path}")?;
        for field in &missed {
            writeln!(out, "         only the SDK: {field}")?;
        }
        for field in ours.difference(&theirs) {
            writeln!(out, "         only we:      {field}")?;
        }
    }
    writeln!(out, "{compared} compared, {differing} differ")?;
    let unsound = conversions(&folder, &table, &mut out)?;
    let sound = compared > 0 && differing == 0 && unsound == 0;
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Converts what is another system's; tells how many results do not load.
fn conversions(folder: &Path, table: &str, out: &mut impl io::Write) -> io::Result<usize> {
    let (mut whole, mut partly, mut unsound) = (0, 0, 0);
    for row in rows(table) {
        let column = |name: &str| row.get(name).copied().unwrap_or_default();
        let version = column("apiVersion");
        let foreign = [
            "version:prometheus/v1",
            "sloth.slok.dev/v1",
            "pyrra.dev/v1alpha1",
            "openslo/v1alpha",
        ];
        if !foreign.contains(&version) || column("kinds").contains("AlertWindows") {
            continue;
        }
        let path = column("path");
        let text = std::fs::read_to_string(locate(folder, column("repo"), path))?;
        let converted = convert(&[SourceFile {
            path: path.to_owned(),
            text,
        }]);
        let refused: Vec<_> = converted.problems.iter().filter(|p| p.is_error()).collect();
        let loaded = load(&converted.files);
        whole += usize::from(refused.is_empty());
        partly += usize::from(!refused.is_empty());
        let word = if refused.is_empty() {
            "whole"
        } else {
            "partly"
        };
        writeln!(
            out,
            "{word:8} {} objectives  {path}",
            loaded.catalog.objectives.len()
        )?;
        for problem in refused {
            writeln!(out, "         {problem}")?;
        }
        let strict = strict(&converted.files);
        unsound += usize::from(!loaded.problems.is_empty() || !strict.is_empty());
        for problem in loaded.problems.iter().chain(&strict) {
            writeln!(out, "  UNSOUND {problem}")?;
        }
    }
    writeln!(
        out,
        "{whole} converted whole, {partly} in part or not, {unsound} do not load"
    )?;
    Ok(unsound)
}

/// Column → value, of each row.
fn rows(table: &str) -> Vec<BTreeMap<&str, &str>> {
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    lines
        .map(|line| names.iter().copied().zip(line.split('\t')).collect())
        .collect()
}

/// The files of a repository are in a folder of its name.
fn locate(folder: &Path, repository: &str, path: &str) -> PathBuf {
    let name = repository.rsplit('/').next().unwrap_or_default();
    folder.join(name).join(path)
}

/// The fields that we refuse.
fn fields(text: &str) -> BTreeSet<String> {
    let file = SourceFile {
        path: "file".to_owned(),
        text: text.to_owned(),
    };
    let field = |message: &str| message.split('`').nth(1).map(str::to_owned);
    strict(&[file])
        .iter()
        .filter_map(|problem| field(&problem.message))
        .collect()
}

/// The fields of a list such as `[0] spec.service: required; spec.timeWindow: …`.
fn named(errors: &str) -> BTreeSet<String> {
    let field = |part: &str| {
        let part = part.trim();
        let part = part
            .split_once("] ")
            .filter(|_| part.starts_with('['))
            .map_or(part, |(_, rest)| rest);
        let (field, _) = part.split_once(": ")?;
        Some(field.to_owned()).filter(|field| field.starts_with(['m', 's']) && !field.contains(' '))
    };
    errors.split(';').filter_map(field).collect()
}
