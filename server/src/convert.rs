//! `sloburn convert`: other systems' spec files → OpenSLO v1 with sources that are measured here.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
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
            for (path, file) in targets(folder, &args.paths, &converted.files)? {
                write(&path, file)?;
                writeln!(out, "{}", path.display())?;
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

/// Where each file goes: under its path below the folder that was given, or its name; never over another.
fn targets<'f>(
    folder: &Path,
    given: &[PathBuf],
    files: &'f [SourceFile],
) -> anyhow::Result<BTreeMap<PathBuf, &'f SourceFile>> {
    let mut targets = BTreeMap::new();
    for file in files {
        let path = Path::new(&file.path);
        let below = given.iter().find_map(|root| path.strip_prefix(root).ok());
        let below = below.filter(|below| !below.as_os_str().is_empty());
        let name = path.file_name().map(Path::new);
        let target = folder.join(below.or(name).context("a file has no name")?);
        let shown = target.display().to_string();
        anyhow::ensure!(
            !target.exists(),
            "`{shown}` is there already: choose an empty folder; nothing was written"
        );
        if let Some(other) = targets.insert(target, file) {
            anyhow::bail!(
                "`{}` and `{}` would both be `{shown}`: convert them one by one; nothing was written",
                other.path,
                file.path
            );
        }
    }
    Ok(targets)
}

fn write(path: &Path, file: &SourceFile) -> anyhow::Result<()> {
    let shown = path.display();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make `{}`", folder.display()))?;
    }
    let mut out =
        std::fs::File::create_new(path).with_context(|| format!("cannot write `{shown}`"))?;
    out.write_all(file.text.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_keep_their_path_below_what_was_given_and_never_meet() {
        let file = |path: &str| SourceFile {
            path: path.to_owned(),
            text: String::new(),
        };
        let of = |paths: &[&str]| {
            let files: Vec<SourceFile> = paths.iter().map(|path| file(path)).collect();
            let given = ["in".into(), "x/c.yaml".into()];
            let targets = targets(Path::new("no-such-folder"), &given, &files);
            targets.map(|all| {
                all.into_keys()
                    .map(|path| path.display().to_string())
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(
            of(&["in/a/s.yaml", "in/b/s.yaml", "x/c.yaml"]).unwrap(),
            ["a/s.yaml", "b/s.yaml", "c.yaml"].map(|path| format!("no-such-folder/{path}"))
        );
        for two in [
            ["in/c.yaml", "x/c.yaml"],
            ["in/converted-policies.yaml", "converted-policies.yaml"],
        ] {
            let error = of(&two).unwrap_err().to_string();
            assert!(error.contains(two[0]) && error.contains(two[1]), "{error}");
        }
    }
}
