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
    Ok(ExitCode::from(status(&plan, &args.fail_on)))
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
        old: catalog::resolve(&old.unwrap_or_default(), false),
        new: catalog::resolve(&new, false),
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

fn status(plan: &Plan, fail_on: &[FailOn]) -> u8 {
    let (pages, tickets) = (plan.pages, plan.tickets);
    let mut moved = plan.slos.iter().flat_map(|slo| &slo.pages.moved);
    let comes_later = moved.any(|page| page.fires_later_s > 0);
    let is_worse = |what: &FailOn| match what {
        FailOn::PagesAdded => pages.added > 0,
        FailOn::PagesRemoved => pages.removed > 0,
        FailOn::PagesMissed => pages.missed > 0,
        FailOn::PagesLater => comes_later,
        FailOn::PagesMoved => pages.moved > 0,
        FailOn::Any => pages.differs() || tickets.differs(),
        FailOn::Never => false,
    };
    if plan.is_refused() {
        PROBLEMS
    } else if fail_on.iter().any(is_worse) {
        WORSE
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::result::Sum;

    /// A plan with these sums, and a page that fires so much later.
    fn plan(pages: Sum, fires_later_s: i64) -> Plan {
        let episode = json!({
            "rule": "fast", "fired_at": "2024-01-01T00:00:00Z", "resolved_at": null, "minutes": 1.0, "bad": 1, "spent": 0.1,
            "false": false,
        });
        let moved = json!({"old": episode, "new": episode, "fires_later_s": fires_later_s, "resolves_later_s": null});
        let nothing =
            json!({"added": [], "removed": [], "moved": [], "kept": 0, "sum": Sum::default()});
        let mut of_pages = nothing.clone();
        of_pages["moved"] = json!([moved]);
        let budget = json!({"old": null, "new": null});
        serde_json::from_value(json!({
            "past": "a recording", "from": "2024-01-01T00:00:00Z", "to": "2024-01-02T00:00:00Z", "significant": "0.02",
            "pages": pages, "tickets": Sum::default(), "unchanged": 0, "old_problems": [], "new_problems": [], "notes": [],
            "slos": [{
                "id": "a", "service": "a", "fate": "changed", "changes": [], "pages": of_pages, "tickets": nothing,
                "budget_then": budget, "budget_now": budget,
            }],
        }))
        .unwrap()
    }

    #[test]
    fn what_fails_is_what_is_named() {
        use FailOn::{Any, Never, PagesAdded, PagesLater, PagesMissed, PagesMoved, PagesRemoved};
        let none = Sum::default();
        let moved = Sum { moved: 1, ..none };
        let removed = Sum { removed: 1, ..none };
        let missed = Sum {
            missed: 1,
            ..removed
        };
        let added = Sum { added: 1, ..none };
        for (case, sum, later, named) in [
            ("nothing differs", none, 0, &[][..]),
            (
                "a page comes later",
                moved,
                10,
                &[PagesLater, PagesMoved, Any],
            ),
            ("a page comes earlier", moved, -10, &[PagesMoved, Any]),
            ("a false page goes", removed, 0, &[PagesRemoved, Any]),
            (
                "a true page goes",
                missed,
                0,
                &[PagesRemoved, PagesMissed, Any],
            ),
            ("a page comes", added, 0, &[PagesAdded, Any]),
        ] {
            let plan = plan(sum, later);
            for what in [
                PagesAdded,
                PagesRemoved,
                PagesMissed,
                PagesLater,
                PagesMoved,
                Any,
                Never,
            ] {
                let expected = if named.contains(&what) { WORSE } else { 0 };
                assert_eq!(status(&plan, &[what]), expected, "{case}: {what:?}");
                assert_eq!(
                    status(&plan, &[Never, what]),
                    expected,
                    "{case}: {what:?} of two"
                );
            }
        }
    }
}
