//! The panels of `/specs`.

use askama::Template;

use super::{Panel, Part, glyph, state, trouble};
use crate::markup::Markup;
use crate::view::{SpecChange, SpecDraft, SpecFile, SpecLine, SpecSource, SpecsView, Status};
use crate::{Text, format, links};

/// Changes that are listed at once; the others unfold.
const CHANGES: usize = 8;

#[derive(Template)]
#[template(path = "panels/specs_files.html")]
struct Files {
    rows: Vec<Row>,
    more: usize,
}

struct Row {
    path: Text,
    href: String,
    objectives: Vec<(String, Text, Markup)>,
    /// What they are, in short, beside the marks of those that something is wrong with.
    sum: String,
    marks: Vec<Markup>,
    errors: usize,
    warnings: usize,
}

/// The files.
pub(crate) fn files(view: &SpecsView) -> Part {
    let body = if view.files.is_empty() {
        state(
            "There is no spec file.",
            "Put one into the folder of specs; it is read within 20 seconds.",
        )
    } else {
        let rows = view.files.iter().map(row).collect();
        Markup::of(&Files {
            rows,
            more: view.more_files,
        })
    };
    Panel {
        id: "files",
        class: "",
        title: "Files",
        lead: "And the objectives in force that they hold".to_owned(),
        body,
        ..Panel::default()
    }
    .part()
}

fn row(file: &SpecFile) -> Row {
    let named = file.objectives.iter();
    let wrong = named.clone().map(|(_, _, status)| *status);
    let wrong = wrong.filter(|status| !matches!(status, Status::OnTrack | Status::NoData));
    Row {
        sum: sum(file),
        marks: wrong.map(glyph).collect(),
        path: Text::new(&file.path),
        href: links::specs(&file.path),
        objectives: named
            .map(|(id, title, status)| (links::slo(id), title.clone(), glyph(*status)))
            .collect(),
        errors: file.errors,
        warnings: file.warnings,
    }
}

/// `2 objectives, 12 segments`
fn sum(file: &SpecFile) -> String {
    let counted = |count: usize, word: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {word}{plural}")
    };
    let objectives = counted(file.objectives.len(), "objective");
    match file.segments {
        0 => objectives,
        segments => format!("{objectives}, {}", counted(segments, "segment")),
    }
}

#[derive(Template)]
#[template(path = "panels/specs_source.html")]
struct Source<'a> {
    lines: &'a [SpecLine],
    more: usize,
}

/// The text of one file.
pub(crate) fn source(view: &SpecsView) -> Part {
    let (lead, body) = match &view.source {
        None => (
            String::new(),
            state("No file is chosen.", "Choose one, or paste a change below."),
        ),
        Some(SpecSource { path, lines, more }) => {
            (path.to_string(), Markup::of(&Source { lines, more: *more }))
        }
    };
    Panel {
        id: "source",
        class: "c6",
        title: if view.draft.is_some() {
            "Pasted"
        } else {
            "Source"
        },
        lead,
        body,
        ..Panel::default()
    }
    .part()
}

#[derive(Template)]
#[template(path = "panels/specs_history.html")]
struct History {
    parts: Vec<Vec<(String, String, Text, Text)>>,
}

/// What changed.
pub(crate) fn history(view: &SpecsView) -> Part {
    let body = match view.changes.as_deref() {
        None => trouble(&Text::new("The history could not be read")),
        Some([]) => state(
            "Nothing changed yet.",
            "Changes are noted when they come into force.",
        ),
        Some(changes) => {
            let row = |change: &SpecChange| {
                let at = format::time(change.at, view.shell.at);
                (
                    at,
                    links::slo(&change.objective),
                    Text::new(&change.objective),
                    change.what.clone(),
                )
            };
            let (first, more) = changes.split_at(changes.len().min(CHANGES));
            let parts = [first, more].into_iter().filter(|part| !part.is_empty());
            Markup::of(&History {
                parts: parts.map(|part| part.iter().map(row).collect()).collect(),
            })
        }
    };
    Panel {
        id: "changes",
        class: "",
        title: "History",
        lead: "When objectives came, changed and went".to_owned(),
        body,
        ..Panel::default()
    }
    .part()
}

#[derive(Template)]
#[template(path = "panels/specs_plan.html")]
struct Plan<'a> {
    elsewhere: &'a [Text],
    lines: &'a [Text],
    why_not: Option<&'a Text>,
}

/// What the pasted change would do.
pub(crate) fn plan(draft: &SpecDraft) -> Part {
    let body = Markup::of(&Plan {
        elsewhere: &draft.elsewhere,
        lines: draft.plan.as_deref().unwrap_or_default(),
        why_not: draft.plan.as_ref().err(),
    });
    Panel {
        id: "plan",
        class: "c12",
        title: "Would it have helped?",
        lead: "The stored past, judged by the specs in force and by this change".to_owned(),
        body,
        ..Panel::default()
    }
    .part()
}

#[derive(Template)]
#[template(path = "panels/specs_form.html")]
struct Form<'a> {
    path: Text,
    text: &'a str,
}

/// Where a change is pasted.
pub(crate) fn form(view: &SpecsView) -> Part {
    let (path, text) = &view.form;
    let body = Markup::of(&Form {
        path: Text::new(path),
        text,
    });
    Panel {
        id: "try",
        class: "c12",
        title: "Try a change",
        lead: "Nothing is changed: files come into force from their folder alone".to_owned(),
        body,
        ..Panel::default()
    }
    .part()
}
