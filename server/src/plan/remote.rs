//! A plan made by a running server over what it keeps.

use std::time::Duration;

use slo_specs::SourceFile;

use super::api::{Asked, File};
use super::result::Plan;
use crate::cli::PlanArgs;
use crate::remote::Remote;

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
    let remote = Remote::new(server, PATIENCE)?;
    let body = serde_json::to_vec(&asked)?;
    Ok(remote.post("/api/v1/plan", body, "plan").await?)
}
