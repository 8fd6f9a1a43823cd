//! The unmodified OpenTelemetry SDKs for Python and Node, as installed by `tests/setup.sh`.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::process::Command;

/// A language whose SDK sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// From `PyPI`.
    Python,
    /// From npm.
    Node,
}

/// What one run of a sender sends.
#[derive(Debug, Clone)]
pub struct Sending<'a> {
    /// `grpc`, `http` (protobuf), and for Node also `http-json`.
    pub protocol: &'a str,
    /// `cumulative` or `delta`.
    pub temporality: &'a str,
    /// `service.name` of everything.
    pub service: &'a str,
    /// Where to: `http://host:port`.
    pub endpoint: &'a str,
    /// Server spans.
    pub spans: u32,
    /// Recordings of each instrument in each of three rounds.
    pub points: u32,
}

/// What a sender says that it has sent.
#[derive(Debug, Clone, Deserialize)]
pub struct Sent {
    /// Server spans.
    pub spans: u64,
    /// Server spans with an error.
    pub spans_failed: u64,
    /// Increments of the counter `shop.orders`.
    pub orders: u64,
    /// Increments with `outcome` = `failed`.
    pub orders_failed: u64,
    /// Recordings in the histogram `shop.order.duration`.
    pub durations: u64,
    /// Recordings above 0.25 s.
    pub durations_slow: u64,
    /// Recordings in the exponential histogram `shop.basket.value`.
    pub values: u64,
    /// Recordings of 900; the others are of 12.5.
    pub values_high: u64,
}

/// Runs a sender to its end.
pub async fn send(language: Language, sending: &Sending<'_>) -> Result<Sent> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = match language {
        Language::Python => {
            let mut command = Command::new(tests.join(".cache/python/bin/python"));
            command.arg(tests.join("sdk/python/send.py"));
            command
        }
        Language::Node => {
            let mut command = Command::new("node");
            command.arg(tests.join("sdk/node/send.mjs"));
            command
        }
    };
    command.args([
        "--protocol",
        sending.protocol,
        "--temporality",
        sending.temporality,
    ]);
    command.args(["--service", sending.service, "--endpoint", sending.endpoint]);
    command.args([
        "--spans",
        &sending.spans.to_string(),
        "--points",
        &sending.points.to_string(),
    ]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_mins(2), command.output())
        .await
        .context("the sender did not end")?
        .with_context(|| format!("{command:?} did not start; `make setup` installs the SDKs"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the sender failed: {complaint}");
    let said = String::from_utf8(output.stdout)?;
    serde_json::from_str(&said).with_context(|| format!("it said `{said}` and `{complaint}`"))
}
