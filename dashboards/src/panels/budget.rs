//! How much is left of the error budget, until when, and its course.

use askama::Template;

use super::{Panel, Part, no_data, words};
use crate::charts::burndown::Burndown;
use crate::charts::strip;
use crate::format;
use crate::markup::Markup;
use crate::view::{Look, Outlook, SloView, Status, Window};

#[derive(Template)]
#[template(path = "panels/now.html")]
struct Now {
    left: String,
    unit: &'static str,
    class: &'static str,
    strong: String,
    rest: String,
    more: String,
    figures: Vec<Figure>,
}

struct Figure {
    name: String,
    value: String,
    class: &'static str,
    note: String,
}

/// The 56 px number, the sentence, and the key figures.
pub(crate) fn now(view: &SloView) -> Part {
    let objective = &view.objective;
    let left = format::budget(objective.budget.left);
    let class = match objective.status {
        Status::Paging => "st-page",
        Status::Missed => "st-spent",
        Status::Ticket => "st-watch",
        Status::NoData | Status::OnTrack => "",
    };
    let (strong, rest) = sentence(view);
    let html = Markup::of(&Now {
        unit: if left.ends_with('%') { "%" } else { "" },
        left: left.trim_end_matches('%').to_owned(),
        class,
        strong,
        rest,
        more: more(view),
        figures: figures(view),
    });
    Part { id: "now", html }
}

fn sentence(view: &SloView) -> (String, String) {
    let (objective, now) = (&view.objective, view.shell.at);
    if let Some(left_out) = left_out(view) {
        return left_out;
    }
    if objective.budget.left.is_none() {
        let seen = match objective.last_event {
            Some(at) => format!(", last seen {}", format::time(at, now)),
            None => ": nothing it counts was received yet".to_owned(),
        };
        return ("No data".to_owned(), seen);
    }
    let length = view
        .looks
        .first()
        .map_or_else(String::new, |look| format::window(look.length));
    let gone_on = view
        .looks
        .iter()
        .find(|look| look.outlook == objective.outlook);
    let gone_on = gone_on.map_or_else(
        || "this goes on".to_owned(),
        |look| format!("the last {} go on", format::window(look.length)),
    );
    // Of several that do not empty it, the one that looks back furthest.
    let calm = view.looks.iter().rev();
    let calm = calm.clone().find(|look| look.outlook == objective.outlook);
    let at_rate = calm.map_or_else(
        || "at this rate".to_owned(),
        |look| format!("at the rate of the last {}", format::window(look.length)),
    );
    match objective.outlook {
        Outlook::EmptyIn(left) => (
            format!("Empty in {}", format::duration(left)),
            format!(", {}, if {gone_on}.", words::empty_at(left, now)),
        ),
        Outlook::Empty => {
            let since = objective.since.map_or_else(String::new, |at| {
                format!(" since {}", format::moment(at, now))
            });
            (
                format!("Missed{since}"),
                ": the error budget is spent.".to_owned(),
            )
        }
        Outlook::NotAtThisRate => ("Not empty".to_owned(), format!(" {at_rate}.")),
        Outlook::NotThisPeriod => (
            "Not empty in this period".to_owned(),
            format!(" {at_rate}."),
        ),
        Outlook::Unknown => (
            "No data now".to_owned(),
            format!(": nothing in the last {length}."),
        ),
    }
}

/// Nothing is measured while nothing counts.
fn left_out(view: &SloView) -> Option<(String, String)> {
    let now = view.shell.at;
    let mut corrections = view.corrections.iter();
    let (correction, until) = corrections.find_map(|one| Some((one, one.until?)))?;
    let silent = view.objective.outlook == Outlook::Unknown;
    silent.then(|| {
        (
            "Nothing counts now".to_owned(),
            format!(
                ": {} “{}” until {}.",
                correction.kind,
                correction.title,
                format::time(until, now)
            ),
        )
    })
}

/// The other rates, and what was measured.
fn more(view: &SloView) -> String {
    let rate = |look: &Look| match look.outlook {
        Outlook::EmptyIn(left) => Some(format!(
            "in {} at that of the last {}",
            format::duration(left),
            format::window(look.length)
        )),
        _ => None,
    };
    let mut sentences = Vec::new();
    let others = view
        .looks
        .iter()
        .filter(|look| look.outlook != view.objective.outlook);
    let rates: Vec<_> = others.filter_map(rate).collect();
    if view.objective.outlook != Outlook::Empty && !rates.is_empty() {
        let other = if matches!(view.objective.outlook, Outlook::EmptyIn(_)) {
            "Empty"
        } else {
            "But empty"
        };
        sentences.push(format!("{other} {}.", rates.join(", ")));
    }
    let objective = &view.objective;
    if let Some(period) = words::period(&objective.window) {
        sentences.push(format!("Counted {period}."));
    }
    if let Some(measured) = words::measured(&objective.budget, &objective.window, view.shell.at) {
        sentences.push(format!("{}.", format::capitalised(&measured)));
    }
    if let Some(look) = view.looks.last()
        && let Some(thin) = words::thin(
            (look.counts, objective.budget.counted),
            look.length,
            objective.target,
        )
    {
        sentences.push(format!("{thin}."));
    }
    sentences.join(" ")
}

fn figures(view: &SloView) -> Vec<Figure> {
    let objective = &view.objective;
    let mut figures = Vec::new();
    if let Some(look) = view.looks.first() {
        let bad = look
            .counts
            .error_ratio()
            .is_some_and(|ratio| ratio > 1.0 - objective.target);
        figures.push(Figure {
            name: "Now".to_owned(),
            value: format::good(look.counts, objective.target),
            class: if bad { "st-page" } else { "" },
            note: format!("good, last {}", format::window(look.length)),
        });
    }
    let counts = objective.budget.counts;
    figures.push(Figure {
        name: format::capitalised(&words::window(&objective.window)),
        value: format::good(counts, objective.target),
        class: "",
        note: format!("promise {}", format::target(objective.target)),
    });
    figures.push(Figure {
        name: "Failed".to_owned(),
        value: format::grouped(counts.bad),
        class: "",
        note: format!(
            "of {} {}",
            format::grouped(counts.total),
            objective.budget.counted.count(counts.total)
        ),
    });
    if let Some([p50, p95, p99]) = view.quantiles_us {
        figures.push(Figure {
            name: "Takes".to_owned(),
            value: format::latency(p50),
            class: "",
            note: format!(
                "median · p95 {} · p99 {}",
                format::latency(p95),
                format::latency(p99)
            ),
        });
    }
    figures
}

/// The window's course and three ways on.
pub(crate) fn burndown(view: &SloView) -> Part {
    let objective = &view.objective;
    let rates = view
        .looks
        .iter()
        .filter(|look| matches!(look.outlook, Outlook::EmptyIn(_)))
        .filter_map(|look| {
            let name = format!("at the {} rate", format::window(look.length));
            look.counts.error_ratio().map(|ratio| (ratio, name))
        })
        .step_by(2)
        .take(2)
        .collect();
    let body = if objective.budget.left.is_none() && view.past.sum().total == 0 {
        no_data(
            "Nothing was measured in this window.",
            &format!(
                "The course begins with the first {}.",
                objective.budget.counted.one()
            ),
        )
    } else {
        let burndown = Burndown {
            past: &view.past,
            window: &objective.window,
            target: objective.target,
            left: objective.budget.left,
            rates,
            now: view.shell.at,
            status: objective.status,
        };
        Markup::of(&burndown.plot())
    };
    Panel {
        id: "burndown",
        class: "c12",
        title: "Budget left",
        lead: course_lead(&objective.window),
        body,
        focused: view.focus.as_deref() == Some("burndown"),
        ..Panel::default()
    }
    .part()
}

fn course_lead(window: &Window) -> String {
    match window {
        Window::Rolling(length) => format!(
            "{} back, {} ahead: what is spent also comes back",
            format::window(*length),
            format::duration(length.mul_f64(0.73))
        ),
        Window::Period(period) => format!(
            "Since {}, until it resets {} ({}): what failed stays counted, and weighs less as more is counted",
            period.began, period.resets, period.zone
        ),
    }
}

/// Spending day by day.
pub(crate) fn days(view: &SloView) -> Part {
    let steps = &view.days;
    let measured = steps
        .counts
        .iter()
        .filter(|counts| counts.total > 0)
        .count();
    let body = if measured == 0 {
        no_data("Nothing was measured yet.", "")
    } else {
        Markup::of(&strip::plot(steps, view.objective.target))
    };
    let title = if steps.step.as_secs() == 86_400 {
        "Day by day"
    } else {
        "Step by step"
    };
    let each = format::each(steps.step);
    Panel {
        id: "days",
        class: "c12",
        title,
        lead: format!("Spend against the sustainable pace, a bar {each}; square-root scale"),
        body,
        focused: view.focus.as_deref() == Some("days"),
        ..Panel::default()
    }
    .part()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::samples::{self, State};

    #[test]
    fn every_rate_that_is_told_of_is_named() {
        let minutes = Duration::from_mins;
        let in_half_an_hour = Outlook::EmptyIn(minutes(30));
        let never = Outlook::NotAtThisRate;
        for (outlook, looks, strong, rest, other) in [
            (
                never,
                [in_half_an_hour, never, never],
                "Not empty",
                " at the rate of the last 6 h.",
                "But empty in 30 min at that of the last 5 min.",
            ),
            (
                never,
                [never, never, in_half_an_hour],
                "Not empty",
                " at the rate of the last 1 h.",
                "But empty in 30 min at that of the last 6 h.",
            ),
            (
                in_half_an_hour,
                [in_half_an_hour, never, never],
                "Empty in 30 min",
                ", at 03:44, if the last 5 min go on.",
                "",
            ),
        ] {
            let mut view = samples::slo(State::Healthy);
            view.objective.outlook = outlook;
            let lengths = [5, 60, 360].map(minutes);
            for ((look, length), outlook) in view.looks.iter_mut().zip(lengths).zip(looks) {
                (look.length, look.outlook) = (length, outlook);
            }
            assert_eq!(view.looks.len(), 3);
            assert_eq!(sentence(&view), (strong.to_owned(), rest.to_owned()));
            assert!(more(&view).starts_with(other), "{}", more(&view));
        }
    }
    #[test]
    fn maintenance_is_why_there_is_no_data() {
        let mut view = samples::slo(State::Missed);
        view.objective.outlook = Outlook::Unknown;
        for correction in &mut view.corrections {
            correction.until = view.shell.at.checked_add(Duration::from_mins(46)).ok();
        }
        let (strong, rest) = sentence(&view);
        assert_eq!(strong, "Nothing counts now");
        assert!(rest.ends_with("” until 04:00."), "{rest}");
    }
}
