//! `sloburn check`: every problem of every spec file, `file:line:column: problem`, what may surprise its author, and
//! whether scenarios come out as they say.

mod lint;
mod scenarios;

use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;
use slo_specs::{Problem, Scenario, SourceFile};

use crate::catalog;
use crate::cli::{CheckArgs, Deny, ReplayFormat, ServeArgs};
use crate::config::Config;
use crate::page::unrouted;
use crate::seen::Seen;

/// What `check` found.
#[derive(Debug, Serialize)]
struct Found<'a> {
    problems: Vec<Told<'a>>,
    objectives: usize,
    files: usize,
    scenarios: usize,
    errors: usize,
}

/// A problem as JSON has it.
#[derive(Debug, Serialize)]
struct Told<'a> {
    file: &'a str,
    line: u64,
    column: u64,
    severity: &'static str,
    /// Of a lint, such as `no-runbook`.
    lint: Option<&'a str>,
    message: &'a str,
    help: Option<&'a str>,
}

/// Prints the problems to standard output; exit status 1 if any is an error, or a warning that is denied.
pub fn main(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let (scenarios, files): (Vec<SourceFile>, Vec<SourceFile>) = catalog::read(&args.paths)?
        .into_iter()
        .partition(|file| Scenario::is_one(&file.text));
    let loaded = slo_specs::load(&files);
    let strict = args.strict.then(|| slo_specs::strict(&files));
    let mut problems = merged(&loaded.problems, strict.unwrap_or_default());
    let seen = Seen::of(&args.seen, &loaded.catalog)?;
    let own = problems.iter().filter(|problem| problem.is_error()).count();
    problems.extend(lint::lints(&loaded.catalog, seen.as_ref()));
    if let Some(path) = &args.config {
        let receivers = configured(args, path)?.receivers;
        problems.extend(lint::named(
            "no-route",
            unrouted(&receivers, &loaded.catalog),
        ));
    }
    // Scenarios over a broken catalog would only repeat that it is.
    if own == 0 {
        problems.extend(scenarios::run(&scenarios, &loaded.catalog));
    }
    let denied = |problem: &&Problem| problem.is_error() || args.deny == Some(Deny::Warnings);
    let found = Found {
        errors: problems.iter().filter(denied).count(),
        problems: problems.iter().map(told).collect(),
        objectives: loaded.catalog.objectives.len(),
        files: files.len(),
        scenarios: scenarios.len(),
    };
    print(&found, &problems, args.format)?;
    Ok(if found.errors > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn configured(args: &CheckArgs, path: &std::path::Path) -> anyhow::Result<Config> {
    let folder = args.paths.iter().find(|path| path.is_dir());
    Ok(Config::resolve(&ServeArgs {
        config: Some(path.to_owned()),
        specs: Some(folder.cloned().unwrap_or_else(|| ".".into())),
        ..ServeArgs::default()
    })?)
}

fn print(found: &Found<'_>, problems: &[Problem], format: ReplayFormat) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if format == ReplayFormat::Json {
        serde_json::to_writer(&mut out, found)?;
        writeln!(out)?;
        return Ok(());
    }
    print_problems(problems, &mut out)?;
    let Found {
        objectives,
        files,
        scenarios,
        errors,
        ..
    } = found;
    if *errors > 0 {
        writeln!(out, "{errors} problem(s) in {} file(s)", files + scenarios)?;
        return Ok(());
    }
    let run = match scenarios {
        0 => String::new(),
        scenarios => format!(", {scenarios} scenario(s) came out as they say"),
    };
    let problem = match problems.len() {
        0 => "no problem".to_owned(),
        warnings => format!("{warnings} warning(s)"),
    };
    writeln!(
        out,
        "{objectives} objective(s) in {files} file(s), {problem}{run}"
    )?;
    Ok(())
}

fn told(problem: &Problem) -> Told<'_> {
    Told {
        file: &problem.file,
        line: problem.line,
        column: problem.column,
        severity: if problem.is_error() {
            "error"
        } else {
            "warning"
        },
        lint: lint::name(&problem.message),
        message: &problem.message,
        help: problem.help.as_deref(),
    }
}

/// Both lists in the order of places, without what the strict rules say better or once more: a warning at the same place,
/// or the same field missing.
fn merged(loaded: &[Problem], strict: Vec<Problem>) -> Vec<Problem> {
    let place = |problem: &Problem| (problem.file.clone(), problem.line, problem.column);
    let field = |problem: &Problem| {
        let path = problem.message.split('`').nth(1).unwrap_or_default();
        format!("`{}`", path.rsplit('.').next().unwrap_or_default())
    };
    let mut all: Vec<Problem> = loaded
        .iter()
        .filter(|known| known.is_error() || !strict.iter().any(|s| place(s) == place(known)))
        .cloned()
        .collect();
    all.extend(strict.into_iter().filter(|s| {
        let said = |known: &Problem| {
            known.is_error() && place(known) == place(s) && known.message.contains(&field(s))
        };
        !loaded.iter().any(said)
    }));
    all.sort_by(|a, b| {
        (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message))
    });
    all
}

/// A problem a line, with what to do on the next.
pub(crate) fn print_problems(problems: &[Problem], out: &mut impl Write) -> std::io::Result<()> {
    for problem in problems {
        writeln!(out, "{}", problem.with_help())?;
    }
    Ok(())
}
