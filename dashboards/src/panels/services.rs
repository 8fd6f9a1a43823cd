//! Services by their worst objective.

use askama::Template;
use jiff::Timestamp;

use super::{Panel, Part, link, mark, named, state, words};
use crate::charts::burn::budget_bar;
use crate::charts::strip;
use crate::markup::Markup;
use crate::view::{Outlook, ServiceRow, Status, Window};
use crate::{Text, format, links};

#[derive(Template)]
#[template(path = "panels/services.html")]
struct Table<'a> {
    rows: Vec<Row<'a>>,
    each: String,
}

struct Row<'a> {
    service: &'a Text,
    href: String,
    title: &'a Text,
    others: String,
    status: Markup,
    kept: String,
    promised: String,
    left: String,
    bar: Markup,
    strip: Markup,
    outlook: String,
    class: &'static str,
}

/// The panel, the worst first.
pub(crate) fn panel(services: &[ServiceRow], now: Timestamp) -> Part {
    let body = if services.is_empty() {
        state("No service has an objective yet.", "")
    } else {
        let each = services
            .first()
            .map_or_else(String::new, |row| format::each(row.days.step));
        Markup::of(&Table {
            rows: services.iter().map(|row| one(row, now)).collect(),
            each,
        })
    };
    Panel {
        id: "services",
        class: "c12",
        title: "Services",
        lead: "Where the error budget goes, worst first".to_owned(),
        action: link("/slos", "All objectives"),
        body,
        ..Panel::default()
    }
    .part()
}

fn one(row: &ServiceRow, now: Timestamp) -> Row<'_> {
    let worst = &row.worst;
    let (class, word) = named(worst.status);
    let word = if row.paging > 1 {
        format!("{word} ×{}", row.paging)
    } else {
        word.to_owned()
    };
    let (outlook, ink) = outlook(row, now);
    Row {
        service: &row.service,
        href: links::slo(&worst.id),
        title: &worst.title,
        others: others(row),
        status: mark(class, class, &word),
        kept: format::good(worst.budget.counts, worst.target),
        promised: match &worst.window {
            Window::Rolling(_) => format::target(worst.target),
            period @ Window::Period(_) => {
                format!("{} {}", format::target(worst.target), words::window(period))
            }
        },
        left: format::budget(worst.budget.left),
        bar: budget_bar(worst.budget.left, worst.budget.left_day_ago, worst.status),
        strip: strip::small(&row.days, worst.target),
        outlook,
        class: ink,
    }
}

/// Beside how many it is the worst; segments are not counted, as they come and go.
fn others(row: &ServiceRow) -> String {
    match (row.objectives, &row.worst.segment) {
        (0 | 1, _) => String::new(),
        (more, None) => format!(", worst of {}", format::words(more)),
        (more, Some(_)) => format!(", a segment, worse than all {}", format::words(more)),
    }
}

fn outlook(row: &ServiceRow, now: Timestamp) -> (String, &'static str) {
    let worst = &row.worst;
    let ink = match worst.status {
        Status::Paging => "st-page",
        Status::Missed => "st-spent",
        Status::Ticket => "st-watch",
        Status::NoData | Status::OnTrack => "dim",
    };
    let resets = match &worst.window {
        Window::Rolling(_) => String::new(),
        Window::Period(period) => format!(", resets {}", period.resets),
    };
    let sentence = match (worst.status, worst.outlook) {
        (Status::NoData, _) => match worst.last_event {
            Some(at) => format!("Not measured since {}", format::time(at, now)),
            None => "Never measured".to_owned(),
        },
        (_, Outlook::EmptyIn(left)) => {
            format!(
                "Empty in {}, {}",
                format::duration(left),
                words::empty_at(left, now)
            )
        }
        (_, Outlook::Empty) => format!("Empty{resets}"),
        _ => format!("Steady{resets}"),
    };
    (sentence, ink)
}
