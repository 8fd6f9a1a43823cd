//! `/oncall`: what is burning, and what to do?

use askama::Template;

use super::{Fragment, fragments};
use crate::markup::Markup;
use crate::panels::{Part, alerts, banner, endpoints, frame, objectives};
use crate::view::{OncallView, Page};

#[derive(Template)]
#[template(
    source = r#"<h1 class="sr">On-call</h1>{{ banners.html }}<div class="grid"><div class="c8 colstack">{{ objectives.html }}{{ endpoints.html }}</div><div class="c4 colstack">{{ alerts.html }}</div></div>"#,
    ext = "html"
)]
struct Body {
    banners: Part,
    objectives: Part,
    endpoints: Part,
    alerts: Part,
}

fn body(view: &OncallView) -> Body {
    let now = view.shell.at;
    Body {
        banners: banner::panel(view),
        objectives: objectives::panel(&view.objectives, now, "", view.shell.services),
        endpoints: endpoints::panel(
            &view.endpoints,
            view.endpoints_range,
            now,
            "",
            "",
            view.trouble.as_ref(),
        ),
        alerts: alerts::panel(&view.alerts, now, "", "Alerts"),
    }
}

/// The page.
pub fn render_oncall(view: &OncallView) -> String {
    frame::layout(&frame::Frame {
        shell: &view.shell,
        page: Page::Oncall,
        title: "On-call".to_owned(),
        head: frame::row_name("On-call"),
        chips: Vec::new(),
        body: Markup::of(&body(view)),
    })
}

/// Its parts, each replaceable by its id.
pub fn oncall_fragments(view: &OncallView) -> Vec<Fragment> {
    let Body {
        banners,
        objectives,
        endpoints,
        alerts,
    } = body(view);
    fragments(
        &view.shell,
        Page::Oncall,
        [banners, objectives, endpoints, alerts],
    )
}
