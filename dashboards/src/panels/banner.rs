//! What is on fire, at the top of the on-call page.

use askama::Template;
use jiff::Timestamp;

use super::{Part, mark, words};
use crate::charts::bars::{Failing, failing};
use crate::markup::Markup;
use crate::number::real;
use crate::view::{Banner, Objective, OncallView, Outlook};
use crate::{Text, format, links};

/// How many banners stand open; further ones are a line each.
const OPEN: usize = 2;

#[derive(Template)]
#[template(path = "panels/banners.html")]
struct Banners<'a> {
    open: Vec<Open<'a>>,
    further: Vec<Further>,
    quiet: Option<String>,
    quiet_sub: String,
}

struct Open<'a> {
    index: usize,
    status: Markup,
    rule: &'a Text,
    since: String,
    lasting: String,
    head: Text,
    title: &'a Text,
    runbook: Option<&'a str>,
    slo: String,
    debug: Option<String>,
    chart: Markup,
    facts: Vec<(&'static str, String, String)>,
}

struct Further {
    href: String,
    line: Text,
}

/// The banners, or the sentence of a quiet night.
pub(crate) fn panel(view: &OncallView) -> Part {
    let now = view.shell.at;
    let open = view
        .banners
        .iter()
        .take(OPEN)
        .enumerate()
        .map(|(index, banner)| open(index, banner, now));
    let further = view.banners.iter().skip(OPEN).map(|banner| Further {
        href: links::at(&links::slo(&banner.objective), banner.range, None),
        line: Text::new(&head(banner)),
    });
    let (quiet, quiet_sub) = if view.banners.is_empty() {
        let (head, sub) = quiet(&view.objectives, now);
        (Some(head), sub)
    } else {
        (None, String::new())
    };
    let html = Markup::of(&Banners {
        open: open.collect(),
        further: further.collect(),
        quiet,
        quiet_sub,
    });
    Part {
        id: "banners",
        html,
    }
}

fn quiet(objectives: &[Objective], now: Timestamp) -> (String, String) {
    let tightest = objectives
        .iter()
        .filter(|o| o.budget.left.is_some())
        .min_by(|a, b| {
            a.budget
                .left
                .unwrap_or(1.0)
                .total_cmp(&b.budget.left.unwrap_or(1.0))
        });
    let Some(tightest) = tightest else {
        let head = if objectives.is_empty() {
            "Nothing to watch yet."
        } else {
            "Nothing is paging."
        };
        let sub = if objectives.is_empty() {
            "The first objective makes this page."
        } else {
            "Nothing has been measured yet, so nothing can be."
        };
        return (head.to_owned(), sub.to_owned());
    };
    let end = match tightest.outlook {
        Outlook::EmptyIn(left) => {
            format!(
                "empty in {}, {}",
                format::duration(left),
                words::empty_at(left, now)
            )
        }
        Outlook::Empty => "the promise is missed".to_owned(),
        Outlook::NotAtThisRate => "not empty at this rate".to_owned(),
        Outlook::NotThisPeriod => "not empty in this period".to_owned(),
        Outlook::Unknown => "no data now".to_owned(),
    };
    let left = format::budget(tightest.budget.left);
    (
        "Nothing is paging.".to_owned(),
        format!("Tightest: {}, {left} left, {end}.", tightest.title),
    )
}

fn open(index: usize, banner: &Banner, now: Timestamp) -> Open<'_> {
    let plot = failing(&Failing {
        steps: &banner.minutes,
        height: 84,
        fired: Some((banner.since, "paged")),
        last: Some("now"),
        with_table: false,
        allowed: banner.allowed,
    });
    let debug = banner
        .service_known
        .then(|| links::at(&links::debug(&banner.service), banner.range, None));
    let focus = format!("rule:{}", banner.rule);
    Open {
        index,
        status: mark("page", "page", "Paging"),
        rule: &banner.rule,
        since: format::time(banner.since, now),
        lasting: format::duration(format::between(banner.since, now)),
        head: Text::new(&format::capitalised(&head(banner))),
        title: &banner.title,
        runbook: banner.runbook.as_deref().and_then(links::outside),
        slo: links::at(&links::slo(&banner.objective), banner.range, Some(&focus)),
        debug,
        chart: Markup::of(&plot),
        facts: facts(banner, now),
    }
}

/// Who suffers and how much, or else what the rule is about.
fn head(banner: &Banner) -> String {
    match &banner.because {
        Some(because) => format!("{}: {because}", banner.title),
        None => words::impact(
            &banner.service,
            banner.failure,
            (banner.short.1, banner.counted),
        ),
    }
}

/// When it is empty at the rate of the long window: `13 h at the 6 h rate`.
fn at_long_rate(banner: &Banner) -> String {
    let when = match banner.outlook_long {
        Outlook::NotAtThisRate => "not".to_owned(),
        other => words::outlook(other),
    };
    format!("{when} at the {} rate", format::window(banner.long.0))
}

fn facts(banner: &Banner, now: Timestamp) -> Vec<(&'static str, String, String)> {
    let (short, counts) = banner.short;
    let rate = real(counts.bad) / short.as_secs_f64().max(1.0);
    let (empty, empty_note) = match banner.outlook {
        Outlook::EmptyIn(left) => (
            format::duration(left),
            format!("{} · {}", words::empty_at(left, now), at_long_rate(banner)),
        ),
        Outlook::Empty => (words::outlook(Outlook::Empty), String::new()),
        other => (words::outlook(other), at_long_rate(banner)),
    };
    vec![
        (
            "Failing now",
            format::failing(counts),
            format!(
                "of the last {} · {} a second",
                format::window(short),
                format::per_second(rate)
            ),
        ),
        (
            "Burning",
            format::burn(banner.burn.1),
            format!(
                "{} · {} over {}",
                format::window(short),
                format::burn(banner.burn.0),
                format::window(banner.long.0)
            ),
        ),
        (
            "Error budget left",
            format::budget(banner.left),
            banner.used.map_or_else(String::new, |used| {
                format!(
                    "{} points used by this",
                    format::budget_fine(Some(used)).trim_end_matches('%')
                )
            }),
        ),
        ("Empty in", empty, empty_note),
    ]
}
