//! `/executive`: are we keeping our promises?

use askama::Template;

use super::{Fragment, fragments};
use crate::markup::Markup;
use crate::panels::{Part, alerts, frame, numbers, requests, services};
use crate::view::{ExecutiveView, Page, Severity};

#[derive(Template)]
#[template(
    source = r#"<h1 class="sr">Executive overview</h1>{{ verdict.html }}{{ numbers.html }}<div class="grid">{{ trend.html }}{{ demand.html }}{{ services.html }}{{ alerts.html }}</div>"#,
    ext = "html"
)]
struct Body {
    verdict: Part,
    numbers: Part,
    trend: Part,
    demand: Part,
    services: Part,
    alerts: Part,
}

fn body(view: &ExecutiveView) -> Body {
    let pages = view
        .alerts
        .iter()
        .filter(|alert| alert.severity == Severity::Page);
    let pages: Vec<_> = pages.cloned().collect();
    Body {
        verdict: numbers::verdict(view),
        numbers: numbers::numbers(view),
        trend: requests::trend(view.went_well.as_ref()),
        demand: requests::demand(&view.demand, &view.demand_before),
        services: services::panel(&view.services, view.shell.at),
        alerts: alerts::panel(&pages, view.shell.at, "c12", "Pages"),
    }
}

/// The page.
pub fn render_executive(view: &ExecutiveView) -> String {
    frame::layout(&frame::Frame {
        shell: &view.shell,
        page: Page::Executive,
        title: "Executive overview".to_owned(),
        head: frame::row_name("Executive overview"),
        chips: Vec::new(),
        body: Markup::of(&body(view)),
    })
}

/// Its parts, each replaceable by its id.
pub fn executive_fragments(view: &ExecutiveView) -> Vec<Fragment> {
    let Body {
        verdict,
        numbers,
        trend,
        demand,
        services,
        alerts,
    } = body(view);
    fragments(
        &view.shell,
        Page::Executive,
        [verdict, numbers, trend, demand, services, alerts],
    )
}
