//! `sloburn check`: every problem of every spec file, `file:line:column: problem`.

use std::io::Write;
use std::process::ExitCode;

use slo_specs::Problem;

use crate::catalog;
use crate::cli::CheckArgs;

/// Prints the problems to standard output; exit status 1 if any is an error.
pub fn main(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let files = catalog::read(&args.paths)?;
    let loaded = slo_specs::load(&files);
    let strict = args.strict.then(|| slo_specs::strict(&files));
    let problems = merged(&loaded.problems, strict.unwrap_or_default());
    let mut out = std::io::stdout().lock();
    print_problems(&problems, &mut out)?;
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    if errors > 0 {
        writeln!(out, "{errors} problem(s) in {} file(s)", files.len())?;
        return Ok(ExitCode::FAILURE);
    }
    let objectives = loaded.catalog.objectives.len();
    writeln!(
        out,
        "{objectives} objective(s) in {} file(s), no problem",
        files.len()
    )?;
    Ok(ExitCode::SUCCESS)
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
