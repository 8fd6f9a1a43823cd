//! A plan made by a running server over what it keeps.

use std::time::Duration;

use anyhow::{Context as _, bail};
use slo_specs::SourceFile;

use super::api::{Asked, File, Refusal};
use super::result::Plan;
use crate::cli::PlanArgs;

/// A plan of a month takes seconds; the server gives up after a minute.
const PATIENCE: Duration = Duration::from_secs(90);

/// Has the server plan a change from `old`, or from the catalog it has in force, to `new`.
pub(super) async fn ask_server(
    server: &str,
    args: &PlanArgs,
    old: Option<&[SourceFile]>,
    new: &[SourceFile],
) -> anyhow::Result<Plan> {
    let files = |files: &[SourceFile]| files.iter().map(File::of).collect();
    let asked = Asked {
        files: files(new),
        old_files: old.map(files),
        from: args.from.map(|edge| edge.to_string()),
        to: args.to.map(|edge| edge.to_string()),
        significant: Some(args.significant.to_string()),
    };
    let url = format!("{}/api/v1/plan", server.trim_end_matches('/'));
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let answer = client
        .post(&url)
        .header(reqwest::header::CONTENT_TYPE, "application/json")
        .body(serde_json::to_vec(&asked)?)
        .send()
        .await
        .with_context(|| format!("cannot ask {url}"))?;
    let status = answer.status();
    let body = answer.bytes().await?;
    if status.is_success() {
        return serde_json::from_slice(&body).with_context(|| {
            format!("{url} answers something that is no plan; is it a sloburn of this version?")
        });
    }
    match serde_json::from_slice::<Refusal>(&body) {
        Ok(refusal) => bail!("{url} refuses ({}): {}", status.as_u16(), refusal.error),
        Err(_) => bail!("{url} answers {status}"),
    }
}
