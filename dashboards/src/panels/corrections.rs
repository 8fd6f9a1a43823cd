//! Times that do not count, who says so and why, and what the number would be with them.

use askama::Template;
use jiff::Timestamp;

use super::{Panel, Part};
use crate::markup::Markup;
use crate::view::{Correction, SloView};
use crate::{Text, format};

#[derive(Template)]
#[template(path = "panels/corrections.html")]
struct List<'a> {
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    title: &'a Text,
    reason: &'a Text,
    author: &'a Text,
    kind: &'static str,
    when: String,
    times: String,
}

/// The panel; none without corrections.
pub(crate) fn panel(view: &SloView) -> Option<Part> {
    if view.corrections.is_empty() {
        return None;
    }
    let left = &view.objective.budget.left;
    let lead = match view.uncorrected {
        Some(raw) => format!(
            "{} of the budget left; {} if these times counted",
            format::budget(*left),
            format::budget(Some(raw))
        ),
        None => "These times do not count".to_owned(),
    };
    let now = view.shell.at;
    let body = Markup::of(&List {
        rows: view.corrections.iter().map(|one| row(one, now)).collect(),
    });
    let panel = Panel {
        id: "corrections",
        class: "c12",
        title: "Corrections",
        lead,
        body,
        focused: view.focus.as_deref() == Some("corrections"),
        ..Panel::default()
    };
    Some(panel.part())
}

fn row(correction: &Correction, now: Timestamp) -> Row<'_> {
    let (from, until) = correction.latest;
    let when = match correction.until {
        Some(until) => format!("in force until {}", format::time(until, now)),
        None => format!(
            "{} to {}",
            format::time(from, now),
            format::time(until, now)
        ),
    };
    let times = match correction.times {
        0 | 1 => String::new(),
        more => format!("latest of {} in this window", format::words(more)),
    };
    Row {
        title: &correction.title,
        reason: &correction.reason,
        author: &correction.author,
        kind: correction.kind,
        when,
        times,
    }
}
