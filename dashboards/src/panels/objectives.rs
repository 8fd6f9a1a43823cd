//! The table of objectives, most urgent first.

use askama::Template;
use jiff::Timestamp;

use super::{Panel, Part, link, state, status, words};
use crate::charts::burn::{budget_bar, dumbbell, dumbbell_marks};
use crate::charts::lines::spark;
use crate::charts::plot::Percent;
use crate::markup::Markup;
use crate::view::{Objective, Outlook, Status};
use crate::{Text, format, links};

#[derive(Template)]
#[template(path = "panels/objectives.html")]
struct Table<'a> {
    rows: Vec<Row<'a>>,
    one: Percent,
    fast: Percent,
}

struct Row<'a> {
    key: Text,
    href: String,
    title: &'a Text,
    service: &'a Text,
    promise: String,
    status: Markup,
    since: String,
    class: &'static str,
    left: String,
    bar: Markup,
    dumbbell: Markup,
    measured: bool,
    burn: String,
    empty: String,
    empty_class: &'static str,
    spark: Markup,
}

/// Class that says in colour what the status says.
fn ink(status: Status) -> &'static str {
    match status {
        Status::Paging => "st-page",
        Status::Missed => "st-spent",
        Status::Ticket => "st-watch",
        Status::NoData => "st-none",
        Status::OnTrack => "",
    }
}

/// A row; `within` the page of the whole a segment is named by its part alone.
fn row(objective: &Objective, within: bool, now: Timestamp) -> Row<'_> {
    let measured = objective.status != Status::NoData;
    let left = objective.budget.left;
    let empty_class = match (objective.outlook, objective.status) {
        (Outlook::EmptyIn(_), Status::Paging) => "st-page semi",
        (Outlook::EmptyIn(_), Status::Ticket) => "st-watch semi",
        (Outlook::Empty, _) => "st-spent",
        _ => "dim",
    };
    Row {
        key: Text::new(&objective.id),
        href: links::slo(&objective.id),
        title: match (&objective.segment, within) {
            (Some(segment), true) => &segment.name,
            _ => &objective.title,
        },
        service: &objective.service,
        promise: words::promise(objective),
        status: status(objective.status),
        since: words::since(objective, now),
        class: ink(objective.status),
        left: format::budget(left),
        bar: budget_bar(left, objective.budget.left_day_ago, objective.status),
        dumbbell: dumbbell(objective.burn_1h, objective.burn_5m, objective.status),
        measured: measured && (objective.burn_1h.is_some() || objective.burn_5m.is_some()),
        burn: format::burn(objective.burn_1h),
        empty: words::outlook(objective.outlook),
        empty_class,
        spark: spark(&objective.recent, objective.status),
    }
}

fn table(objectives: &[Objective], within: bool, now: Timestamp) -> Markup {
    let (one, fast) = dumbbell_marks();
    Markup::of(&Table {
        rows: objectives.iter().map(|o| row(o, within, now)).collect(),
        one,
        fast,
    })
}

/// The segments of an objective, if it has any.
pub(crate) fn segments(segments: &[Objective], now: Timestamp, focused: bool) -> Option<Part> {
    let panel = Panel {
        id: "segments",
        class: "c12",
        title: "Segments",
        lead: format!("{} budgets of their own, most urgent first", segments.len()),
        action: Markup::of(&Legend {}),
        body: table(segments, true, now),
        focused,
    };
    (!segments.is_empty()).then(|| panel.part())
}

/// The panel, or how to get one.
pub(crate) fn panel(
    objectives: &[Objective],
    now: Timestamp,
    class: &'static str,
    services: usize,
) -> Part {
    let body = if objectives.is_empty() {
        not_set_up(services)
    } else {
        table(objectives, false, now)
    };
    let lead = if objectives.is_empty() {
        ""
    } else {
        "Most urgent first"
    };
    let legend = if objectives.is_empty() {
        Markup::default()
    } else {
        Markup::of(&Legend {})
    };
    Panel {
        id: "objectives",
        class,
        title: "Objectives",
        lead: lead.to_owned(),
        action: legend,
        body,
        ..Panel::default()
    }
    .part()
}

#[derive(Template)]
#[template(
    source = r#"<span class="legend hidem"><span><i class="sw dot"></i>1 h</span><span><i class="sw ring"></i>5 min</span></span>"#,
    ext = "html"
)]
struct Legend {}

#[derive(Template)]
#[template(path = "panels/not_set_up.html")]
struct NotSetUp {
    sending: String,
}

fn not_set_up(services: usize) -> Markup {
    let sending = match services {
        0 => "Nothing has been received yet either.".to_owned(),
        1 => "One service sends data already.".to_owned(),
        more => format!(
            "{} services send data already.",
            format::capitalised(&format::words(more))
        ),
    };
    Markup::of(&NotSetUp { sending })
}

/// A service's objectives as a short list, for its debug page.
pub(crate) fn of_service(objectives: &[Objective], now: Timestamp) -> Part {
    let body = if objectives.is_empty() {
        state(
            "No objective covers this service yet.",
            "Write one, and its history is judged at once.",
        )
    } else {
        table(objectives, false, now)
    };
    Panel {
        id: "objectives",
        class: "c12",
        title: "Objectives of this service",
        action: link("/slos", "All objectives"),
        body,
        ..Panel::default()
    }
    .part()
}
