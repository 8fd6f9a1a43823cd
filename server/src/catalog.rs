//! Reads spec files from disk and makes of the catalog what the collector has to measure.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use collector::{FingerprintKey, Limits, Measure, Reading, Subject, Threshold};
use slo_specs::{Catalog, Level, Loaded, Problem, ReadAs, Scenario, SourceFile};

use crate::builtin;

/// Largest spec file, in bytes.
const FILE_BYTES: u64 = 1 << 20;
/// Most spec files in all.
const FILES: usize = 10_000;
/// Deepest nesting of folders.
const DEPTH: usize = 16;

/// Why spec files could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The path is absent or may not be read.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// The file or folder.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file is larger than any spec.
    #[error("`{path}` is larger than 1 MiB; a spec file holds a few objectives, split it")]
    TooLarge {
        /// The file.
        path: String,
    },
    /// A file is not text.
    #[error("`{path}` is not UTF-8 text; save it as UTF-8")]
    NotText {
        /// The file.
        path: String,
    },
    /// A link leads out of the folder.
    #[error("`{path}` is a link that leads out of the folder; put the file itself there")]
    Outside {
        /// The link.
        path: String,
    },
    /// More files than any catalog has.
    #[error("more than 10000 spec files below `{path}`; is it the right folder?")]
    TooMany {
        /// The folder.
        path: String,
    },
}

/// Reads files and, recursively, the `*.yaml` and `*.yml` of folders, in the order of their names.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<SourceFile>, ReadError> {
    let mut files = Vec::new();
    for path in paths {
        let root = path.canonicalize().map_err(|source| io(path, source))?;
        if root.is_dir() {
            read_folder(path, &root, 0, &mut files)?;
        } else {
            files.push(read_file(path)?);
        }
    }
    Ok(files)
}

fn io(path: &Path, source: std::io::Error) -> ReadError {
    ReadError::Io {
        path: path.display().to_string(),
        source,
    }
}

fn read_folder(
    folder: &Path,
    root: &Path,
    depth: usize,
    files: &mut Vec<SourceFile>,
) -> Result<(), ReadError> {
    let entries = std::fs::read_dir(folder).map_err(|source| io(folder, source))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| io(folder, source))?;
    paths.sort();
    for path in paths {
        let hidden = path
            .file_name()
            .is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        let real = path.canonicalize().map_err(|source| io(&path, source))?;
        if real.is_dir() {
            // A link to a folder is followed once at most: what it leads to is read where it is.
            if !path.is_symlink() && depth < DEPTH {
                read_folder(&path, root, depth + 1, files)?;
            }
        } else if is_yaml(&path) {
            if !real.starts_with(root) {
                let path = path.display().to_string();
                return Err(ReadError::Outside { path });
            }
            if files.len() >= FILES {
                let path = root.display().to_string();
                return Err(ReadError::TooMany { path });
            }
            files.push(read_file(&path)?);
        }
    }
    Ok(())
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml")
}

fn read_file(path: &Path) -> Result<SourceFile, ReadError> {
    let shown = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|source| io(path, source))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| io(path, source))?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(ReadError::TooLarge { path: shown });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceFile { path: shown, text }),
        Err(_) => Err(ReadError::NotText { path: shown }),
    }
}

/// Reads and resolves a folder of specs.
pub(crate) fn load(folder: &Path) -> Result<Loaded, ReadError> {
    Ok(resolve(&read(&[folder.to_owned()])?, false))
}

/// Resolves files, from the disk or from a request, with the objective that exists without one if `ingest_slo`.
/// Scenarios may stand among them; they are for `sloburn check`.
pub(crate) fn resolve(files: &[SourceFile], ingest_slo: bool) -> Loaded {
    let specs = files.iter().filter(|file| !Scenario::is_one(&file.text));
    let (mut fit, too_large): (Vec<SourceFile>, Vec<SourceFile>) = specs
        .cloned()
        .partition(|file| file.text.len() as u64 <= FILE_BYTES);
    fit.extend(ingest_slo.then(builtin::file));
    let mut loaded = slo_specs::load(&fit);
    loaded.problems.extend(too_large.into_iter().map(|file| {
        Problem {
            line: 1,
            column: 1,
            severity: Level::Error,
            message: ReadError::TooLarge {
                path: file.path.clone(),
            }
            .to_string(),
            help: None,
            file: file.path,
        }
    }));
    loaded
}

/// What the collector has to measure so that the catalog can be judged.
pub(crate) fn measure(
    catalog: &Catalog,
    limits: &Limits,
    fingerprints: Option<&FingerprintKey>,
) -> Measure {
    let thresholds = catalog
        .thresholds()
        .into_iter()
        .map(|threshold| Threshold {
            subject: match (threshold.metric, threshold.read_as) {
                (Some(metric), ReadAs::Age) => Subject::Age(metric),
                (Some(metric), _) => Subject::Metric(metric),
                (None, _) => Subject::Spans,
            },
            bound: threshold.bound,
            inclusive: threshold.inclusive,
        })
        .collect();
    let mut dimensions = catalog.dimensions();
    dimensions.retain(|dimension| dimension != builtin::CLASS);
    Measure {
        dimensions,
        thresholds,
        readings: catalog.readings().into_iter().filter_map(reading).collect(),
        roots: catalog.tells_roots(),
        limits: limits.clone(),
        fingerprints: fingerprints.cloned(),
    }
}

/// How a metric is to be read beside as it is sent.
fn reading((metric, read_as): (String, ReadAs)) -> Option<(String, Reading)> {
    let reading = match read_as {
        ReadAs::AsSent => return None,
        ReadAs::Growth => Reading::Growth,
        ReadAs::Age => Reading::Age,
        ReadAs::Share => Reading::Share,
        ReadAs::Amount => Reading::Amount,
    };
    Some((metric, reading))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: String) -> SourceFile {
        SourceFile {
            path: path.to_owned(),
            text,
        }
    }

    #[test]
    fn scenarios_may_stand_among_specs() {
        let scenario = include_str!("../../slo-specs/scenarios/low-traffic-does-not-page.yaml");
        let files = [file("a.yaml", scenario.to_owned()), builtin::file()];
        let loaded = resolve(&files, false);
        assert_eq!(loaded.problems, []);
        assert_eq!(loaded.catalog.objectives.len(), 1);
    }

    #[test]
    fn a_file_from_a_request_is_as_large_as_one_from_the_disk() {
        let comment = format!("# {}\n", "x".repeat(1 << 20));
        let loaded = resolve(&[file("a.yaml", comment)], true);
        let said: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        let words = "a.yaml:1:1: `a.yaml` is larger than 1 MiB; a spec file holds a few objectives, split it";
        assert_eq!(said, [words]);
    }
}
