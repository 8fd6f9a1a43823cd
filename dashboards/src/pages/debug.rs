//! `/debug/{service}`: where did the time or the failure go?

use askama::Template;

use super::{Fragment, fragments};
use crate::charts::heatmap::against;
use crate::format;
use crate::links;
use crate::markup::Markup;
use crate::panels::requests::Requests;
use crate::panels::{Part, endpoints, frame, ingest, latency, objectives, requests, traces};
use crate::view::{DebugView, Page};

#[derive(Template)]
#[template(path = "pages/debug.html")]
struct Body {
    service: crate::Text,
    switch: Vec<Switch>,
    parts: Parts,
}

struct Switch {
    href: String,
    name: crate::Text,
    current: bool,
}

struct Parts {
    finding: Part,
    latency: Part,
    failed: Part,
    endpoints: Part,
    objectives: Part,
    neighbours: Part,
    traces: Part,
    received: Part,
    senders: Part,
}

#[derive(Template)]
#[template(
    source = "<p class=\"sub\" id=\"finding\" data-part>{{ sentence }}</p>",
    ext = "html"
)]
struct Finding {
    sentence: String,
}

/// What the page found, from counts alone.
fn finding(view: &DebugView) -> Part {
    let sum = view.requests.sum();
    let slow = view
        .latency
        .as_ref()
        .and_then(against)
        .filter(|(slow, _)| *slow > 0);
    let too_slow = |(slow, total): (u64, u64)| {
        let of = if total == sum.total {
            format::count(total)
        } else {
            format!("the {} with an objective for it", format::count(total))
        };
        format!("{} of {of} were too slow", format::count(slow))
    };
    if view.trouble.is_some() {
        let sentence = "What was stored of this time cannot be read now.".to_owned();
        let html = Markup::of(&Finding { sentence });
        return Part {
            id: "finding",
            html,
        };
    }
    let sentence = match (sum.total, sum.bad, slow) {
        (0, ..) => "No requests in this time.".to_owned(),
        (_, 0, None) => format!("All {} requests went well.", format::count(sum.total)),
        (_, 0, Some(slow)) => format!("None failed, {}.", too_slow(slow)),
        (_, _, None) => format!(
            "{} of {} requests failed.",
            format::failing(sum),
            format::count(sum.total)
        ),
        (_, _, Some(slow)) => format!(
            "{} of {} requests failed, {}.",
            format::failing(sum),
            format::count(sum.total),
            too_slow(slow)
        ),
    };
    let sentence = format::capitalised(&sentence);
    Part {
        id: "finding",
        html: Markup::of(&Finding { sentence }),
    }
}

fn parts(view: &DebugView) -> Parts {
    let (now, range) = (view.shell.at, view.range);
    let focus = view.focus.as_deref();
    let trouble = view.trouble.as_ref();
    // Without an objective nothing says how much may fail; one in a hundred is then worth a look.
    let targets = view
        .objectives
        .iter()
        .map(|objective| 1.0 - objective.target);
    let allowed = targets.reduce(f64::min).unwrap_or(0.01);
    Parts {
        finding: finding(view),
        latency: latency::panel(
            view.latency.as_ref(),
            range,
            now,
            "",
            trouble,
            focus == Some("latency"),
        ),
        failed: requests::good_and_failed(&Requests {
            counted: slo_specs::Noun::Request,
            steps: &view.requests,
            range,
            now,
            fired: None,
            allowed,
            focused: focus == Some("good-and-failed"),
            trouble,
        }),
        endpoints: endpoints::panel(&view.endpoints, range, now, "c6", "", trouble),
        objectives: objectives::of_service(&view.objectives, now),
        neighbours: latency::neighbours(&view.neighbours, range, now, trouble),
        traces: traces::panel(view.traces.as_deref(), now),
        received: ingest::received(&view.ingest, now),
        senders: ingest::senders(&view.ingest),
    }
}

/// The page.
pub fn render_debug(view: &DebugView) -> String {
    let switch = view.services.iter().map(|service| Switch {
        href: links::at(&links::debug(service), view.range, None),
        name: crate::Text::new(service),
        current: *service == view.service,
    });
    let body = Body {
        service: crate::Text::new(&view.service),
        switch: switch.collect(),
        parts: parts(view),
    };
    frame::layout(&frame::Frame {
        shell: &view.shell,
        page: Page::Debug,
        title: format!("{} · Debug", body.service),
        head: frame::row_name("Debug"),
        chips: frame::range_chips(&links::debug(&view.service), view.range, view.shell.at),
        body: Markup::of(&body),
    })
}

/// Its parts, each replaceable by its id.
pub fn debug_fragments(view: &DebugView) -> Vec<Fragment> {
    let Parts {
        finding,
        latency,
        failed,
        endpoints,
        objectives,
        neighbours,
        traces,
        received,
        senders,
    } = parts(view);
    let all = [
        finding, latency, failed, endpoints, objectives, neighbours, traces, received, senders,
    ];
    fragments(&view.shell, Page::Debug, all)
}
