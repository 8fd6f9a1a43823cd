//! The subcommand: where the counts are, and how they are printed.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use collector::Known;
use jiff::Timestamp;
use slo_specs::{Catalog, Objective, Problem, closest};

use super::series::Sums;
use super::{Explanation, explain, explain_stored};
use crate::catalog;
use crate::cli::{ExplainArgs, ReplayFormat};
use crate::clock::SystemClock;
use crate::plan::{Edge, instant};
use crate::remote::Remote;
use crate::replay::{self, Replay};
use crate::resume::load_series;
use crate::segments::told_apart;
use crate::serve;
use crate::store::{Location, Store};

/// Wrong usage.
const USAGE: u8 = 2;
/// Longest wait for a server.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the subcommand.
pub fn main(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    if let Some(wrong) = usage(args) {
        writeln!(std::io::stderr().lock(), "sloburn: {wrong}")?;
        return Ok(ExitCode::from(USAGE));
    }
    let explanation = match &args.server {
        Some(server) => serve::runtime()?.block_on(ask_server(server, args))?,
        None => local(args)?,
    };
    let text = match args.format {
        ReplayFormat::Text => explanation.to_text(),
        ReplayFormat::Json => serde_json::to_string_pretty(&explanation)?,
    };
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

fn usage(args: &ExplainArgs) -> Option<&'static str> {
    let stored = args.data.is_some() || args.database_url.is_some();
    if args.server.is_none() && !stored && args.recording.is_empty() {
        return Some(
            "say where the counts are: `--server URL`, `--data DIR`, `--database-url URL` or `--recording FILE…`",
        );
    }
    (args.server.is_none() && args.specs.is_none())
        .then_some("say what is judged: `--specs DIR`; only a server knows it by itself")
}

fn local(args: &ExplainArgs) -> anyhow::Result<Explanation> {
    let specs = args.specs.clone().unwrap_or_default();
    let loaded = catalog::load(&specs)?;
    if loaded.problems.iter().any(Problem::is_error) {
        crate::check::print_problems(&loaded.problems, &mut std::io::stderr().lock())?;
        bail!("the specs in `{}` have problems", specs.display());
    }
    if !args.recording.is_empty() {
        let catalog = replay::with_segments(Arc::new(loaded.catalog), &args.recording)?;
        let objective = named(&catalog, &args.slo).map_err(anyhow::Error::msg)?;
        return recorded(args, objective);
    }
    let location = match (&args.data, &args.database_url) {
        (Some(directory), _) => Location::Directory(directory.clone()),
        (None, url) => Location::Postgres(url.clone().unwrap_or_default().into()),
    };
    serve::runtime()?.block_on(async {
        let store = Store::open_to_read(&location).await?;
        let now = crate::tick::floor_tick(SystemClock.now());
        let at = args.at.map(|edge| moment(edge, now));
        let known = Arc::new(Known::default());
        load_series(&store, &known).await?;
        let counters = store.counters().await?;
        let catalog = told_apart(Arc::new(loaded.catalog), &counters, &known);
        let objective = named(&catalog, &args.slo).map_err(anyhow::Error::msg)?;
        let explanation = explain_stored(&store, Some(known), objective, at, now).await;
        store.close().await;
        Ok(explanation?)
    })
}

/// The objective of that id, or a word about the one that may be meant.
pub(crate) fn named<'c>(catalog: &'c Catalog, id: &str) -> Result<&'c Objective, String> {
    if let Some(found) = catalog.objective(id) {
        return Ok(found);
    }
    let ids: Vec<&str> = catalog.objectives.iter().map(|one| &*one.id).collect();
    let meant = match closest(id, &ids) {
        Some(word) => format!("did you mean `{word}`?"),
        None if ids.is_empty() => "there is none at all".to_owned(),
        None => {
            let some: Vec<String> = ids.iter().take(10).map(|id| format!("`{id}`")).collect();
            format!("there are {}", some.join(", "))
        }
    };
    Err(format!("no SLO is called `{id}`; {meant}"))
}

/// A time as of a tick.
pub(crate) fn moment(edge: Edge, now: Timestamp) -> Timestamp {
    match edge {
        Edge::At(at) => at,
        Edge::Ago(length) => instant(now.as_second().saturating_sub(length.as_secs())),
    }
}

fn recorded(args: &ExplainArgs, objective: &Objective) -> anyhow::Result<Explanation> {
    let catalog = Arc::new(Catalog {
        objectives: vec![objective.clone()],
        ..Catalog::default()
    });
    let mut replay = Replay::counting(Arc::clone(&catalog));
    for file in &args.recording {
        replay.file(file)?;
    }
    let notes = replay.rejected();
    let Some((begin, end)) = replay.times() else {
        bail!("the recording has no events");
    };
    let at = args
        .at
        .map_or(instant(end), |edge| moment(edge, instant(end)));
    let tick = at.as_second().div_euclid(10) * 10;
    if tick <= begin || tick > end {
        bail!(
            "the recording says nothing of {at}: it goes from {} to {}",
            instant(begin),
            instant(end)
        );
    }
    let live = replay.into_live();
    let mut explanation =
        explain(objective, &live, instant(tick)).context("nothing was counted")?;
    explanation.notes = notes;
    tell_series(&mut explanation, &catalog, args, tick)?;
    Ok(explanation)
}

/// Names the series. The window is known only now: for them the files are read once more.
fn tell_series(
    explanation: &mut Explanation,
    catalog: &Arc<Catalog>,
    args: &ExplainArgs,
    tick: i64,
) -> anyhow::Result<()> {
    let span = (explanation.window.counted_from.as_second(), tick);
    let mut replay = Replay::watching(Arc::clone(catalog), span);
    for file in &args.recording {
        replay.file(file)?;
    }
    let (pack, known) = replay.into_series();
    let mut sums = Sums::new(catalog);
    sums.add(&pack, &known);
    sums.tell(explanation, &known);
    Ok(())
}

async fn ask_server(server: &str, args: &ExplainArgs) -> anyhow::Result<Explanation> {
    let mut path = format!("/api/v1{}/explain", dashboards::links::slo(&args.slo));
    if let Some(at) = &args.at {
        path = format!("{path}?at={at}");
    }
    let remote = Remote::new(server, PATIENCE)?;
    Ok(remote.get(&path, "explanation").await?)
}
