//! `/specs`

use std::collections::BTreeMap;

use dashboards::Text;
use dashboards::view::{
    SpecChange, SpecDraft, SpecFile, SpecLine, SpecMark, SpecSource, SpecsView,
};
use jiff::Timestamp;
use slo_specs::{Problem, SourceFile};

use super::{Source, shell, status};
use crate::store::StoreError;
use crate::web::ask::Ask;
use crate::{builtin, catalog};

/// Files that are listed.
const FILES: usize = 100;
/// Lines of a file that are shown.
const LINES: usize = 400;
/// Changes that are shown.
const CHANGES: i64 = 20;
/// Longest text that the form begins with, in bytes.
const FORM_BYTES: usize = 64 << 10;

/// The spec files as they are on the disk now, and the built-in one.
pub(in crate::web) async fn read(source: &Source<'_>) -> Vec<SourceFile> {
    let folder = source.state.specs.clone();
    let read = tokio::task::spawn_blocking(move || catalog::read(&[folder])).await;
    let mut files = match read {
        Ok(Ok(files)) => files,
        // That the folder cannot be read stands on every page.
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    let built_in = source.snapshot.catalog.objectives.iter().any(builtin::is);
    files.extend(built_in.then(builtin::file));
    files
}

/// The catalog, with the file that is asked for; `None` when there is no such file.
pub(in crate::web) async fn specs(
    source: &Source<'_>,
    ask: &Ask,
    file: Option<&str>,
) -> Result<Option<SpecsView>, StoreError> {
    let files = read(source).await;
    let problems = &source.snapshot.problems;
    let broken = |one: &&SourceFile| problems.iter().any(|problem| problem.file == one.path);
    let chosen = match file {
        Some(path) => match files.iter().find(|one| one.path == path) {
            Some(one) => Some(one),
            None => return Ok(None),
        },
        None => files.iter().find(broken).or(files.first()),
    };
    let mut view = catalog_view(source, ask, true, &files, problems).await?;
    if let Some(one) = chosen {
        view.source = Some(marked(&one.path, &one.text, problems));
        let fits = one.text.len() <= FORM_BYTES;
        view.form = (
            one.path.clone(),
            if fits {
                one.text.clone()
            } else {
                String::new()
            },
        );
    }
    Ok(Some(view))
}

/// The same with a change that somebody pasted, the problems of the catalog it would make, and what would come of it.
pub(in crate::web) async fn tried(
    source: &Source<'_>,
    ask: &Ask,
    files: &[SourceFile],
    pasted: &SourceFile,
    problems: &[Problem],
    plan: Result<String, String>,
) -> Result<SpecsView, StoreError> {
    let mut view = catalog_view(source, ask, false, files, &source.snapshot.problems).await?;
    view.source = Some(marked(&pasted.path, &pasted.text, problems));
    view.form = (pasted.path.clone(), pasted.text.clone());
    let elsewhere = problems
        .iter()
        .filter(|problem| problem.file != pasted.path);
    view.draft = Some(SpecDraft {
        elsewhere: elsewhere
            .map(|problem| Text::new(&problem.with_help()))
            .collect(),
        plan: plan
            .map(|text| text.lines().map(Text::new).collect())
            .map_err(|why| Text::new(&why)),
    });
    Ok(view)
}

async fn catalog_view(
    source: &Source<'_>,
    ask: &Ask,
    live: bool,
    files: &[SourceFile],
    problems: &[Problem],
) -> Result<SpecsView, StoreError> {
    let services = source.state.store.services().await?;
    let mut rows: BTreeMap<&str, SpecFile> = BTreeMap::new();
    let paths = files.iter().map(|file| file.path.as_str());
    for path in paths.chain(problems.iter().map(|problem| problem.file.as_str())) {
        rows.entry(path).or_insert_with(|| SpecFile {
            path: path.to_owned(),
            objectives: Vec::new(),
            segments: 0,
            errors: 0,
            warnings: 0,
        });
    }
    for one in &source.snapshot.objectives {
        if let Some(row) = rows.get_mut(one.objective.source.file.as_str()) {
            if one.objective.segment.is_some() {
                row.segments += 1;
                continue;
            }
            let title = Text::new(&one.objective.title);
            row.objectives
                .push((one.objective.id.clone(), title, status(one).0));
        }
    }
    for problem in problems {
        if let Some(row) = rows.get_mut(problem.file.as_str()) {
            row.errors += usize::from(problem.is_error());
            row.warnings += usize::from(!problem.is_error());
        }
    }
    // What is wrong comes first, so that it is never beyond what is listed.
    let mut rows: Vec<SpecFile> = rows.into_values().collect();
    rows.sort_by_key(|row| (row.errors == 0, row.warnings == 0));
    Ok(SpecsView {
        shell: shell(source, ask, live, &services),
        more_files: rows.len().saturating_sub(FILES),
        files: rows.into_iter().take(FILES).collect(),
        source: None,
        changes: changes(source).await,
        form: (String::new(), String::new()),
        draft: None,
    })
}

async fn changes(source: &Source<'_>) -> Option<Vec<SpecChange>> {
    let rows = source.state.store.spec_changes(CHANGES).await.ok()?;
    let change = |row: crate::store::SpecChangeRow| SpecChange {
        at: Timestamp::from_second(row.at_s).unwrap_or(Timestamp::UNIX_EPOCH),
        objective: row.objective,
        what: Text::new(&row.what),
    };
    Some(rows.into_iter().map(change).collect())
}

fn marked(path: &str, text: &str, problems: &[Problem]) -> SpecSource {
    let marks = |line: u64| {
        let here = problems
            .iter()
            .filter(move |one| one.file == path && one.line == line);
        here.map(|problem| SpecMark {
            error: problem.is_error(),
            text: Text::new(&match &problem.help {
                Some(help) => format!("{} — {help}", problem.message),
                None => problem.message.clone(),
            }),
        })
        .collect()
    };
    let lines = (1..).zip(text.lines()).take(LINES);
    SpecSource {
        path: Text::new(path),
        lines: lines
            .map(|(number, line)| SpecLine {
                text: Text::new(line),
                marks: marks(number),
            })
            .collect(),
        more: text.lines().count().saturating_sub(LINES),
    }
}
