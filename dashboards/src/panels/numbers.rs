//! The verdict and the headline numbers.

use askama::Template;

use super::{Part, glyph, words};
use crate::charts::lines::promise;
use crate::charts::plot::Percent;
use crate::format;
use crate::links;
use crate::markup::Markup;
use crate::number::real;
use crate::view::{ExecutiveView, Objective, Outlook, Served, Status, WentWell};

#[derive(Template)]
#[template(path = "panels/verdict.html")]
struct Verdict {
    first: String,
    now: String,
    sub: String,
}

/// Two sentences: promises kept; the worst thing now. Then what was missed, is at risk, is not measured.
pub(crate) fn verdict(view: &ExecutiveView) -> Part {
    let all = &view.objectives;
    let measured = all.iter().filter(|o| o.budget.left.is_some()).count();
    let kept = all
        .iter()
        .filter(|o| o.budget.left.is_some_and(|left| left > 0.0))
        .count();
    let first = match (all.len(), measured) {
        (0, _) => "No promise is written down yet.".to_owned(),
        (_, 0) => "Nothing has been measured yet.".to_owned(),
        (_, 1) if kept == 1 => "The one promise measured is being kept.".to_owned(),
        (_, 1) => "The one promise measured is not being kept.".to_owned(),
        _ if kept == measured => {
            format!("All {} promises are being kept.", format::words(measured))
        }
        _ if kept == 0 => format!(
            "None of {} promises is being kept.",
            format::words(measured)
        ),
        _ => format!(
            "{} of {} promises {} being kept.",
            format::capitalised(&format::words(kept)),
            format::words(measured),
            if kept == 1 { "is" } else { "are" }
        ),
    };
    let html = Markup::of(&Verdict {
        first,
        now: now(all),
        sub: sub(view),
    });
    Part {
        id: "verdict",
        html,
    }
}

fn now(all: &[Objective]) -> String {
    let mut services: Vec<&str> = all
        .iter()
        .filter(|o| o.status == Status::Paging)
        .map(|o| o.service.as_str())
        .collect();
    services.dedup();
    if services.is_empty() {
        return String::new();
    }
    let plural = if services.len() == 1 { "is" } else { "are" };
    let listed = words::list(services.into_iter());
    format!(
        "{} {plural} failing customers right now.",
        format::capitalised(&listed)
    )
}

fn sub(view: &ExecutiveView) -> String {
    let all = &view.objectives;
    let mut sentences = Vec::new();
    let missed = all
        .iter()
        .filter(|o| o.budget.left.is_some_and(|left| left <= 0.0));
    let missed: Vec<_> = missed.map(|o| o.title.as_str()).collect();
    if !missed.is_empty() {
        sentences.push(format!("Missed: {}.", words::list(missed.into_iter())));
    }
    let week = std::time::Duration::from_hours(7 * 24);
    for objective in all {
        if let Outlook::EmptyIn(left) = objective.outlook
            && left <= week
            && sentences.len() < 4
        {
            sentences.push(format!(
                "“{}” will be missed in {} if this goes on.",
                objective.title,
                format::duration(left)
            ));
        }
    }
    let silent: Vec<_> = all
        .iter()
        .filter(|o| o.status == Status::NoData)
        .map(|o| o.title.as_str())
        .collect();
    if !silent.is_empty() {
        sentences.push(format!(
            "Not measured: {}.",
            words::list(silent.into_iter())
        ));
    }
    if all.is_empty() {
        sentences.push("The page shows what was promised, once the first objective is.".to_owned());
    }
    sentences.join(" ")
}

#[derive(Template)]
#[template(path = "panels/numbers.html")]
struct Numbers {
    kept: usize,
    measured: usize,
    cells: Vec<Cell>,
    kept_note: String,
    went_well: Option<Well>,
    served: String,
    served_unit: String,
    served_note: String,
}

struct Cell {
    href: String,
    title: String,
    glyph: Markup,
}

struct Well {
    good: String,
    used: Percent,
    note: String,
}

/// Objectives on target, customer requests that went well, requests served.
pub(crate) fn numbers(view: &ExecutiveView) -> Part {
    let all = &view.objectives;
    let measured = all.iter().filter(|o| o.budget.left.is_some()).count();
    let kept = all
        .iter()
        .filter(|o| o.budget.left.is_some_and(|left| left > 0.0))
        .count();
    let mut calm_first: Vec<_> = all.iter().collect();
    calm_first.sort_by_key(|o| std::cmp::Reverse(o.status));
    calm_first.sort_by_key(|o| o.status == Status::NoData);
    let cells = calm_first.into_iter().map(|o| Cell {
        href: links::slo(&o.id),
        title: o.title.as_str().to_owned(),
        glyph: glyph(o.status),
    });
    let served = format::count(view.served.total);
    let (served, unit) = split_unit(&served);
    let html = Markup::of(&Numbers {
        kept,
        measured,
        cells: cells.collect(),
        kept_note: kept_note(measured - kept, all.len() - measured),
        went_well: view.went_well.as_ref().map(well),
        served: served.to_owned(),
        served_unit: unit.to_owned(),
        served_note: served_note(&view.served, view.shell.at),
    });
    Part {
        id: "numbers",
        html,
    }
}

fn kept_note(missed: usize, silent: usize) -> String {
    match (missed, silent) {
        (0, 0) => "all measured, none missed".to_owned(),
        (missed, 0) => format!("{missed} missed"),
        (0, silent) => format!("{silent} not measured"),
        (missed, silent) => format!("{missed} missed · {silent} not measured"),
    }
}

fn well(well: &WentWell) -> Well {
    let budget = (1.0 - well.promised) * real(well.counts.total);
    let left = (budget > 0.0).then(|| 1.0 - real(well.counts.bad) / budget);
    let good = format::good(well.counts, well.promised);
    Well {
        good: good.trim_end_matches('%').to_owned(),
        used: Percent(left.unwrap_or(0.0).clamp(0.0, 1.0) * 100.0),
        note: format!(
            "{} of the error budget left · {} is promised",
            format::budget(left),
            promise(well.promised)
        ),
    }
}

/// `18.4 bn` as number and unit, for two sizes of type.
fn split_unit(count: &str) -> (&str, &str) {
    count
        .split_once(' ')
        .or_else(|| count.strip_suffix('k').map(|number| (number, "k")))
        .unwrap_or((count, ""))
}

fn served_note(served: &Served, now: jiff::Timestamp) -> String {
    let mut notes = Vec::new();
    match (served.before, served.measured_since) {
        (Some(before), _) if before > 0 => {
            let change = real(served.total) / real(before) - 1.0;
            let direction = if change < 0.0 { "down" } else { "up" };
            notes.push(format!(
                "{direction} {:.1}% on the 30 days before",
                change.abs() * 100.0
            ));
        }
        (_, Some(since)) => notes.push(format!("measured since {}", format::time(since, now))),
        _ => notes.push("in 30 days".to_owned()),
    }
    if let Some((at, rate)) = served.busiest {
        notes.push(format!(
            "busiest {}, {} a second",
            format::time(at, now),
            format::per_second(rate)
        ));
    }
    notes.join(" · ")
}
