//! `/slos/{id}`: how much is left, where did it go, when is it empty?

use askama::Template;

use super::{Fragment, fragments};
use crate::markup::Markup;
use crate::panels::requests::Requests;
use crate::panels::{
    Part, alerts, budget, corrections, definition, endpoints, frame, ladder, latency, objectives,
    policy, requests, words,
};
use crate::view::{AlertPhase, Page, SloView};
use crate::{Text, links};

#[derive(Template)]
#[template(path = "pages/slo.html")]
struct Body<'a> {
    title: &'a Text,
    service: Text,
    whole: Option<String>,
    debug: Option<String>,
    description: &'a Text,
    unweighted: Option<String>,
    allows: Option<&'a Text>,
    promise: String,
    runbook: Option<&'a str>,
    parts: Parts,
}

struct Parts {
    now: Part,
    burndown: Part,
    ladder: Part,
    failed: Part,
    latency: Option<Part>,
    endpoints: Option<Part>,
    alerts: Part,
    segments: Option<Part>,
    policy: Option<Part>,
    corrections: Option<Part>,
    days: Part,
    definition: Part,
}

fn parts(view: &SloView) -> Parts {
    let (now, range) = (view.shell.at, view.range);
    let focus = view.focus.as_deref();
    let trouble = view.trouble.as_ref();
    let fired = view.alerts.iter().find_map(|alert| match alert.phase {
        AlertPhase::Firing { since } => Some(since),
        _ => None,
    });
    let alerts_class = if view.endpoints.is_some() {
        "c4"
    } else {
        "c12"
    };
    let uncorrected = words::uncorrected(&view.corrections, range);
    // What could not be read is said once.
    let unread = trouble.is_some() && view.endpoints.is_none();
    Parts {
        now: budget::now(view),
        burndown: budget::burndown(view),
        ladder: ladder::panel(&view.rules, view.alerted_by.as_ref(), focus, now),
        failed: requests::good_and_failed(&Requests {
            counted: view.objective.budget.counted,
            steps: &view.minutes,
            range,
            now,
            fired,
            allowed: 1.0 - view.objective.target,
            focused: focus == Some("good-and-failed"),
            trouble: None,
        }),
        latency: (view.latency.is_some() || unread).then(|| {
            let focused = focus == Some("latency");
            latency::panel(
                view.latency.as_ref(),
                range,
                now,
                uncorrected,
                trouble,
                focused,
            )
        }),
        endpoints: view
            .endpoints
            .as_ref()
            .map(|endpoints| endpoints::panel(endpoints, range, now, "c8", uncorrected, trouble)),
        alerts: alerts::panel(&view.alerts, now, alerts_class, "Alerts"),
        segments: objectives::segments(&view.segments, now, focus == Some("segments")),
        policy: policy::panel(view),
        corrections: corrections::panel(view),
        days: budget::days(view),
        definition: definition::panel(view),
    }
}

/// The page.
pub fn render_slo(view: &SloView) -> String {
    let objective = &view.objective;
    let body = Body {
        title: &objective.title,
        service: objective.service.clone(),
        whole: objective
            .segment
            .as_ref()
            .map(|segment| links::slo(&segment.whole)),
        debug: view
            .service_known
            .then(|| links::at(&links::debug(objective.service.as_str()), view.range, None)),
        description: &view.description,
        unweighted: view
            .unweighted
            .map(|at| crate::panels::ingest::unweighted(at, view.shell.at)),
        allows: objective.allows.as_ref(),
        promise: words::promise(objective),
        runbook: view.runbook.as_deref().and_then(links::outside),
        parts: parts(view),
    };
    frame::layout(&frame::Frame {
        shell: &view.shell,
        page: Page::Slo,
        title: objective.title.as_str().to_owned(),
        head: frame::standing(objective, view.shell.at),
        chips: frame::range_chips(&links::slo(&objective.id), view.range, view.shell.at),
        body: Markup::of(&body),
    })
}

/// Its parts, each replaceable by its id.
pub fn slo_fragments(view: &SloView) -> Vec<Fragment> {
    let Parts {
        now,
        burndown,
        ladder,
        failed,
        latency,
        endpoints,
        alerts,
        segments,
        policy,
        corrections,
        days,
        definition,
    } = parts(view);
    let all = [now, burndown, ladder, failed, alerts, days, definition];
    fragments(
        &view.shell,
        Page::Slo,
        all.into_iter()
            .chain(latency)
            .chain(endpoints)
            .chain(segments)
            .chain(policy)
            .chain(corrections),
    )
}
