//! The spec, and the arithmetic with its real figures.

use askama::Template;

use super::{Panel, Part, link, words};
use crate::markup::Markup;
use crate::number::real;
use crate::view::{Indicator, Outlook, SloView, Window};
use crate::{Text, format};

#[derive(Template)]
#[template(path = "panels/definition.html")]
struct Definition<'a> {
    place: String,
    lines: &'a [Text],
    counted: Vec<(&'static str, &'a Text)>,
    arithmetic: Vec<(&'static str, String)>,
}

/// The panel.
pub(crate) fn panel(view: &SloView) -> Part {
    let definition = &view.definition;
    let mut counted = match &definition.indicator {
        Indicator::Ratio { part, total } => vec![("Counted", part), ("Of", total)],
        Indicator::Threshold { of, bound } => vec![("Measured", of), ("Good", bound)],
        Indicator::Composite { how, parts } => std::iter::once(("Together", how))
            .chain(parts.iter().map(|part| ("Part", part)))
            .collect(),
    };
    counted.extend(definition.slices.as_ref().map(|slices| ("Slices", slices)));
    let body = Markup::of(&Definition {
        place: format!("{}:{}", definition.file, definition.line),
        lines: &definition.excerpt,
        counted,
        arithmetic: arithmetic(view),
    });
    let href = format!("/api/v1{}", crate::links::slo(&view.objective.id));
    Panel {
        id: "definition",
        class: "c12",
        title: "Definition",
        lead: "The spec, and the arithmetic".to_owned(),
        action: link(&href, "JSON"),
        body,
        focused: view.focus.as_deref() == Some("definition"),
    }
    .part()
}

fn arithmetic(view: &SloView) -> Vec<(&'static str, String)> {
    let (objective, counts) = (&view.objective, view.objective.budget.counts);
    let fraction = 1.0 - objective.target;
    let budget = fraction * real(counts.total);
    let (budget_shown, bad) = (format::amount(budget), format::grouped(counts.bad));
    let mut lines = vec![(
        "Error budget",
        format!(
            "{} of {} {} = {budget_shown} may fail {}",
            format::target(fraction),
            format::grouped(counts.total),
            objective.budget.counted.count(counts.total),
            match &objective.window {
                Window::Rolling(length) => format!("in {}", format::window(*length)),
                period @ Window::Period(_) => words::window(period),
            }
        ),
    )];
    if objective.budget.left.is_some() {
        let left = format::budget_fine(objective.budget.left);
        lines.push((
            "Left",
            format!("({budget_shown} − {bad}) ÷ {budget_shown} = {left}"),
        ));
    }
    lines.extend(rates(view, budget));
    lines.push((
        "Checked",
        format!(
            "{}, evaluation {}. One calculation feeds tiles, charts, alerts and the API.",
            format::second(view.shell.at),
            view.shell.evaluation
        ),
    ));
    lines
}

/// Burn and the time until empty, where there are events to tell from.
fn rates(view: &SloView, budget: f64) -> Vec<(&'static str, String)> {
    let objective = &view.objective;
    let mut lines = Vec::new();
    if let Some(look) = view.looks.first()
        && look.burn.is_some()
    {
        lines.push((
            "Burn",
            format!(
                "{} failing ÷ {} allowed = {}, last {}",
                format::failing(look.counts),
                format::target(1.0 - objective.target),
                format::burn(look.burn),
                format::window(look.length)
            ),
        ));
    }
    let look = view
        .looks
        .iter()
        .find(|look| look.outlook == objective.outlook);
    if let (Outlook::EmptyIn(left), Some(look)) = (objective.outlook, look) {
        let rate = real(look.counts.bad) / look.length.as_secs_f64().max(1.0);
        lines.push((
            "Empty in",
            format!(
                "{} ÷ {} failures a second = {}",
                format::amount(budget - real(objective.budget.counts.bad)),
                format::per_second(rate),
                format::duration(left)
            ),
        ));
    }
    lines
}
