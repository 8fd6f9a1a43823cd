//! `/specs`: the catalog as it is written.

use askama::Template;

use super::{Fragment, fragments};
use crate::markup::Markup;
use crate::panels::{Part, frame, specs};
use crate::view::{Page, SpecFile, SpecsView};

#[derive(Template)]
#[template(
    source = r#"<h1 class="h1">{{ head }}</h1><p class="sub">{{ sub }}</p><div class="grid">{% if let Some(plan) = plan %}{{ plan.html }}{% endif %}{{ source.html }}<div class="c6 colstack">{{ files.html }}{{ history.html }}</div>{{ form.html }}</div>"#,
    ext = "html"
)]
struct Body {
    head: &'static str,
    sub: String,
    plan: Option<Part>,
    source: Part,
    files: Part,
    history: Part,
    form: Part,
}

fn body(view: &SpecsView) -> Body {
    Body {
        head: if view.draft.is_some() {
            "What this change would do"
        } else {
            "The catalog as it is written"
        },
        sub: sub(view),
        plan: view.draft.as_ref().map(specs::plan),
        source: specs::source(view),
        files: specs::files(view),
        history: specs::history(view),
        form: specs::form(view),
    }
}

fn sub(view: &SpecsView) -> String {
    if view.draft.is_some() {
        return "Nothing has changed: the specs in force are those of the folder.".to_owned();
    }
    let sum = |of: fn(&SpecFile) -> usize| view.files.iter().map(of).sum::<usize>();
    let (errors, warnings) = (sum(|file| file.errors), sum(|file| file.warnings));
    let files = view.files.len() + view.more_files;
    let told = match (errors, warnings) {
        (0, 0) => "no problem".to_owned(),
        (0, warnings) => counted(warnings, "warning"),
        (errors, _) => format!(
            "{}: the last good catalog stays in force",
            counted(errors, "error")
        ),
    };
    format!(
        "{} in {}, {told}.",
        counted(view.shell.objectives, "objective"),
        counted(files, "file")
    )
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// The page.
pub fn render_specs(view: &SpecsView) -> String {
    frame::layout(&frame::Frame {
        shell: &view.shell,
        page: Page::Specs,
        title: "Specs".to_owned(),
        head: frame::row_name("Specs"),
        chips: Vec::new(),
        body: Markup::of(&body(view)),
    })
}

/// Its parts, each replaceable by its id.
pub fn specs_fragments(view: &SpecsView) -> Vec<Fragment> {
    fragments(
        &view.shell,
        Page::Specs,
        [specs::files(view), specs::history(view)],
    )
}
