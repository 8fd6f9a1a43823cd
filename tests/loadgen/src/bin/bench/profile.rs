//! Where the server's time goes: samples of `perf`, by part.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::{Bench, words};

/// Shares of all samples, in percent, the largest first.
pub struct Profile {
    pub samples: u64,
    pub parts: Vec<(String, f64)>,
    pub functions: Vec<(String, f64)>,
}

/// Words in a symbol and the part they tell; the word that comes first in the symbol decides.
const PARTS: [(&str, &[&str]); 6] = [
    ("allocator", &["mi_", "_mi_", "mimalloc", "malloc", "cfree"]),
    (
        "SQLite",
        &[
            "sqlite",
            "sqlx",
            "vdbe",
            "btree",
            "Btree",
            "pager",
            "walFrame",
            "walWrite",
            "walIndex",
            "walCheckpoint",
            "moveTo",
            "balance_",
            "pcache",
            "cellSize",
            "insertCell",
        ],
    ),
    (
        "hashing",
        &["blake3", "foldhash", "hashbrown", "sha2", "siphash"],
    ),
    (
        "HTTP and its runtime",
        &[
            "hyper",
            "h2::",
            "2h2",
            "http::",
            "http_body",
            "tokio",
            "mio::",
            "axum",
            "tower",
            "bytes::",
            "httparse",
        ],
    ),
    ("collector (decoding, measuring)", &["collector"]),
    (
        "server (receiving, journal, judging)",
        &["server::", "6server", "slo_specs"],
    ),
];

/// Samples the server during one gRPC run; an error says why there is no profile.
pub fn measure(bench: &Bench) -> Result<Profile> {
    let data = bench.data("profile");
    let server = bench.server(&bench.spans, &data)?;
    let samples = bench.directory.path().join("perf.data");
    let seconds = bench.times.seconds + bench.times.warmup + bench.times.settle;
    let mut perf = Command::new("perf")
        .args([
            "record",
            "-e",
            "cpu-clock",
            "-F",
            "499",
            "-p",
            &server.pid(),
        ])
        .arg("-o")
        .arg(&samples)
        .args(["--", "sleep", &seconds.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("perf is not installed")?;
    server.load(&words("--via grpc"), bench.times.with_warmup(0))?;
    ensure!(perf.wait()?.success(), "perf may not record here");
    let said = Command::new("perf")
        .args(["script", "-F", "ip,sym,dso", "-i"])
        .arg(&samples)
        .stderr(Stdio::null())
        .output()?;
    let profile = count(&String::from_utf8_lossy(&said.stdout));
    ensure!(profile.samples > 0, "perf took no sample");
    Ok(profile)
}

fn count(script: &str) -> Profile {
    let mut parts = BTreeMap::new();
    let mut functions = BTreeMap::new();
    let mut samples = 0;
    for line in script.lines() {
        let Some((_, rest)) = line.trim().split_once(' ') else {
            continue;
        };
        let (symbol, dso) = rest.rsplit_once(" (").unwrap_or((rest, ""));
        let part = part(symbol, dso);
        samples += 1;
        *parts.entry(part.to_owned()).or_insert(0_u64) += 1;
        if part != "kernel" {
            *functions.entry(symbol.trim().to_owned()).or_insert(0) += 1;
        }
    }
    Profile {
        samples,
        parts: shares(parts, samples, usize::MAX),
        functions: shares(functions, samples, 15),
    }
}

fn shares(counts: BTreeMap<String, u64>, all: u64, most: usize) -> Vec<(String, f64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.truncate(most);
    let share = |count| 100.0 * count as f64 / all.max(1) as f64;
    counts
        .into_iter()
        .map(|(name, count)| (name, share(count)))
        .collect()
}

fn part(symbol: &str, dso: &str) -> &'static str {
    if dso.starts_with("[kernel") || dso.starts_with("[guest") {
        return "kernel";
    }
    let first = |words: &[&str]| words.iter().filter_map(|word| symbol.find(word)).min();
    PARTS
        .iter()
        .filter_map(|(name, words)| Some((first(words)?, *name)))
        .min()
        .map_or("rest (copying, the standard library)", |(_, name)| name)
}
