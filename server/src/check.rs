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
    let mut out = std::io::stdout().lock();
    print_problems(&loaded.problems, &mut out)?;
    let errors = loaded
        .problems
        .iter()
        .filter(|problem| problem.is_error())
        .count();
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

/// A problem a line, with what to do on the next.
pub(crate) fn print_problems(problems: &[Problem], out: &mut impl Write) -> std::io::Result<()> {
    for problem in problems {
        writeln!(out, "{}", problem.with_help())?;
    }
    Ok(())
}
