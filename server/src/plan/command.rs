//! The subcommand: where the past is, how the plan is printed, and the exit status for CI.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use slo_specs::SourceFile;
use tokio_util::sync::CancellationToken;

use super::remote::ask_server;
use super::result::Plan;
use super::{Ask, Span, plan_against_store, plan_recording};
use crate::cli::{FailOn, PlanArgs, PlanFormat};
use crate::clock::SystemClock;
use crate::store::{Location, Store};
use crate::{catalog, serve};

/// The new specs have errors.
const PROBLEMS: u8 = 1;
/// The command line does not say what to do.
const USAGE: u8 = 2;
/// The plan is what `--fail-on` names.
const WORSE: u8 = 3;

/// Runs the subcommand. Exit status 0: nothing that `--fail-on` names; 1: the new specs have errors, or the past cannot be read;
/// 2: wrong usage; 3: what `--fail-on` names.
pub fn main(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    if let Some(wrong) = usage(args) {
        writeln!(std::io::stderr().lock(), "sloburn: {wrong}")?;
        return Ok(ExitCode::from(USAGE));
    }
    let plan = plan(args)?;
    let text = match args.format {
        PlanFormat::Text => plan.to_text(),
        PlanFormat::Markdown => plan.to_markdown(),
        PlanFormat::Json => serde_json::to_string_pretty(&plan)?,
    };
    writeln!(std::io::stdout().lock(), "{}", text.trim_end())?;
    Ok(ExitCode::from(status(&plan, args.fail_on)))
}

fn usage(args: &PlanArgs) -> Option<&'static str> {
    let stored = args.data.is_some() || args.database_url.is_some();
    if args.new.is_none() && args.server.is_none() {
        return Some(
            "give the old and the new specs: `sloburn plan OLD NEW`; with `--server` the new ones will do",
        );
    }
    (!stored && args.server.is_none() && args.recording.is_empty()).then_some(
        "say where the past is: `--recording FILE…`, `--data DIR`, `--database-url URL` or `--server URL`",
    )
}

fn plan(args: &PlanArgs) -> anyhow::Result<Plan> {
    let span = Span {
        from: args.from,
        to: args.to,
    };
    // With one path it is the new one.
    let (old, new) = match &args.new {
        Some(new) => (Some(files(&args.old)?), files(new)?),
        None => (None, files(&args.old)?),
    };
    if let Some(server) = &args.server {
        return serve::runtime()?.block_on(ask_server(server, args, old.as_deref(), &new));
    }
    let ask = Ask {
        old: slo_specs::load(&old.unwrap_or_default()),
        new: slo_specs::load(&new),
        span,
        significant: args.significant,
    };
    if !args.recording.is_empty() {
        return Ok(plan_recording(ask, &args.recording)?);
    }
    let location = match (&args.data, &args.database_url) {
        (Some(directory), _) => Location::Directory(directory.clone()),
        (None, url) => Location::Postgres(url.clone().unwrap_or_default().into()),
    };
    serve::runtime()?.block_on(async {
        let store = Store::open_to_read(&location).await?;
        let now = crate::tick::floor_tick(SystemClock.now());
        let plan = plan_against_store(&store, None, ask, now, CancellationToken::new()).await;
        store.close().await;
        Ok(plan?)
    })
}

/// The spec files of one side; a folder without any is more likely a mistake than a catalog.
fn files(path: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let files = catalog::read(&[path.to_owned()])?;
    if files.is_empty() {
        anyhow::bail!("there are no spec files in `{}`", path.display());
    }
    Ok(files)
}

fn status(plan: &Plan, fail_on: FailOn) -> u8 {
    let (pages, tickets) = (plan.pages, plan.tickets);
    let is_worse = match fail_on {
        FailOn::PagesAdded => pages.added > 0,
        FailOn::PagesRemoved => pages.removed > 0,
        FailOn::Any => pages.differs() || tickets.differs(),
        FailOn::Never => false,
    };
    if plan.is_refused() {
        PROBLEMS
    } else if is_worse {
        WORSE
    } else {
        0
    }
}
