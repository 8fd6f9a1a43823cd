//! `/slos`: all objectives.

use askama::Template;

use super::{Fragment, fragments};
use crate::markup::Markup;
use crate::panels::{Part, frame, objectives};
use crate::view::{Page, SlosView};

#[derive(Template)]
#[template(
    source = r#"<h1 class="sr">Objectives</h1><div class="grid">{{ objectives.html }}</div>"#,
    ext = "html"
)]
struct Body {
    objectives: Part,
}

fn body(view: &SlosView) -> Body {
    Body {
        objectives: objectives::panel(&view.objectives, view.shell.at, "c12", view.shell.services),
    }
}

/// The page.
pub fn render_slos(view: &SlosView) -> String {
    frame::layout(&frame::Frame {
        shell: &view.shell,
        page: Page::Slos,
        title: "Objectives".to_owned(),
        head: frame::row_name("SLOs"),
        chips: Vec::new(),
        body: Markup::of(&body(view)),
    })
}

/// Its parts, each replaceable by its id.
pub fn slos_fragments(view: &SlosView) -> Vec<Fragment> {
    fragments(&view.shell, Page::Slos, [body(view).objectives])
}
