//! The verdict and the headline numbers.

use askama::Template;

use super::standing::Standing;
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
struct Verdict<'a> {
    first: String,
    now: String,
    sub: String,
    allowed: Vec<(&'a str, String)>,
}

/// Two sentences: promises kept; the worst thing now. Then what was missed, is at risk, is not measured, and what
/// error budget policies allow now.
pub(crate) fn verdict(view: &ExecutiveView) -> Part {
    let all = &view.objectives;
    let html = Markup::of(&Verdict {
        first: Standing::of(view).sentence(),
        now: now(all),
        sub: sub(view),
        allowed: allowed(all),
    });
    Part {
        id: "verdict",
        html,
    }
}

/// What is allowed now, and for which objectives: the most urgent first.
fn allowed(all: &[Objective]) -> Vec<(&str, String)> {
    let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
    for one in all {
        let Some(allows) = &one.allows else { continue };
        match said.iter_mut().find(|(what, _)| *what == allows.as_str()) {
            Some((_, titles)) => titles.push(one.title.as_str()),
            None => said.push((allows.as_str(), vec![one.title.as_str()])),
        }
    }
    let listed = |(what, titles): (_, Vec<&str>)| (what, quoted(&titles));
    said.into_iter().map(listed).collect()
}

/// Titles in a sentence, each in quotation marks, as they are sentences.
fn quoted(titles: &[&str]) -> String {
    let titles: Vec<String> = titles.iter().map(|title| format!("“{title}”")).collect();
    words::list(titles.iter().map(String::as_str))
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
    let missed = |is_segment: bool| -> Vec<&str> {
        let missed = all.iter().filter(|one| one.segment.is_some() == is_segment);
        let missed = missed.filter(|one| one.budget.left.is_some_and(|left| left <= 0.0));
        missed.map(|one| one.title.as_str()).collect()
    };
    for (titles, head) in [
        (missed(false), "Missed"),
        (missed(true), "Missed in segments"),
    ] {
        if !titles.is_empty() {
            sentences.push(format!("{head}: {}.", quoted(&titles)));
        }
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
    let never = |one: &Objective| one.budget.left.is_none();
    let silent = |is_never: bool| -> Vec<&str> {
        let silent = all.iter().filter(|one| one.status == Status::NoData);
        let silent = silent.filter(|one| never(one) == is_never);
        silent.map(|one| one.title.as_str()).collect()
    };
    for (titles, head) in [
        (silent(true), "Not measured"),
        (silent(false), "No data now"),
    ] {
        if !titles.is_empty() {
            sentences.push(format!("{head}: {}.", quoted(&titles)));
        }
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
    promises: usize,
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
    let standing = Standing::of(view);
    let mut calm_first = standing.promises.clone();
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
        kept: standing.kept,
        promises: standing.promises.len(),
        cells: cells.collect(),
        kept_note: standing.note(view.segments),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Text;
    use crate::samples::{self, State};

    #[test]
    fn what_is_allowed_is_said_once_with_those_it_is_about() {
        let mut view = samples::executive(State::Healthy);
        view.objectives.truncate(4);
        let allows = [
            Some("only fixes"),
            Some("second reviewer"),
            Some("only fixes"),
            None,
        ];
        for ((one, allows), title) in view
            .objectives
            .iter_mut()
            .zip(allows)
            .zip(["A", "B", "C", "D"])
        {
            one.allows = allows.map(Text::new);
            one.title = Text::new(title);
        }
        assert_eq!(
            allowed(&view.objectives),
            [
                ("only fixes", "“A” and “C”".to_owned()),
                ("second reviewer", "“B”".to_owned())
            ]
        );
    }
}
