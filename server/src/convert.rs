//! `sloburn convert`: other systems' spec files → OpenSLO v1 with sources that are measured here.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use slo_specs::{Problem, SourceFile};

use crate::catalog;
use crate::check::print_problems;
use crate::cli::ConvertArgs;

/// Prints what could be converted, or writes it to files; what could not is told on standard error, exit status 1.
pub fn main(args: &ConvertArgs) -> anyhow::Result<ExitCode> {
    let files = catalog::read(&args.paths)?;
    let converted = slo_specs::convert(&files);
    print_problems(&converted.problems, &mut std::io::stderr().lock())?;
    let mut out = std::io::stdout().lock();
    match &args.out {
        None => {
            let texts: Vec<&str> = converted
                .files
                .iter()
                .map(|file| file.text.as_str())
                .collect();
            out.write_all(texts.join("---\n").as_bytes())?;
        }
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make `{}`", folder.display()))?;
            for file in &converted.files {
                let path = write(folder, file)?;
                writeln!(out, "{path}")?;
            }
        }
    }
    let complete = !converted.problems.iter().any(Problem::is_error);
    Ok(if complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Writes a file under its own name into the folder; never over another.
fn write(folder: &Path, file: &SourceFile) -> anyhow::Result<String> {
    let name = Path::new(&file.path)
        .file_name()
        .context("a file has no name")?;
    let path = folder.join(name);
    let shown = path.display().to_string();
    let mut out = std::fs::File::create_new(&path)
        .with_context(|| format!("cannot write `{shown}`: choose an empty folder"))?;
    out.write_all(file.text.as_bytes())?;
    Ok(shown)
}
