//! Good and failed, and how much is asked for.

use askama::Template;
use jiff::Timestamp;

use super::{Panel, Part, no_data};
use crate::charts::bars::{Failing, failing};
use crate::charts::lines::{demand as demand_plot, rate, trend as trend_plot};
use crate::markup::Markup;
use crate::view::{Counts, Range, Steps, WentWell};
use crate::{Text, format};

#[derive(Template)]
#[template(
    source = "<p class=\"mid t20\">Failing, % {{ each }}</p>{{ failing }}<p class=\"mid t20\">Requests per second</p>{{ rate }}",
    ext = "html"
)]
struct GoodAndFailed {
    each: String,
    failing: Markup,
    rate: Markup,
}

/// What the panel of good and failed requests is made from.
#[derive(Debug)]
pub(crate) struct Requests<'a> {
    pub(crate) steps: &'a Steps,
    pub(crate) range: Range,
    pub(crate) now: Timestamp,
    /// When a rule fired.
    pub(crate) fired: Option<Timestamp>,
    /// Error ratio that is allowed.
    pub(crate) allowed: f64,
    pub(crate) focused: bool,
    pub(crate) trouble: Option<&'a Text>,
}

/// Failing per minute and requests a second.
pub(crate) fn good_and_failed(chart: &Requests<'_>) -> Part {
    let (steps, range, now) = (chart.steps, chart.range, chart.now);
    let body = if let Some(trouble) = chart.trouble {
        super::trouble(trouble)
    } else if steps.sum().total == 0 {
        no_data(
            "Nothing was measured in this time.",
            "No requests is not the same as no failures.",
        )
    } else {
        let failing = failing(&Failing {
            steps,
            height: 120,
            fired: chart.fired.map(|at| (at, "fired")),
            last: range.live.then_some("now"),
            with_table: true,
            allowed: chart.allowed,
        });
        let each = if steps.step.as_secs() == 60 {
            "per minute".to_owned()
        } else {
            format!("each {}", format::window(steps.step))
        };
        Markup::of(&GoodAndFailed {
            each,
            failing: Markup::of(&failing),
            rate: Markup::of(&rate(steps, 56)),
        })
    };
    Panel {
        id: "good-and-failed",
        class: "c6",
        title: "Good and failed requests",
        lead: span(range, now),
        body,
        focused: chart.focused,
        ..Panel::default()
    }
    .part()
}

/// `Last 60 min` or `02:14 – 03:14`.
pub(crate) fn span(range: Range, now: Timestamp) -> String {
    if range.live {
        format!(
            "Last {}",
            format::length(format::between(range.from, range.to))
        )
    } else {
        format!(
            "{} – {}",
            format::time(range.from, now),
            format::time(range.to, now)
        )
    }
}

/// Requests per day, and those before.
pub(crate) fn demand(steps: &Steps, before: &[Counts]) -> Part {
    let each = match steps.step.as_secs() {
        86_400 => "per day".to_owned(),
        3_600 => "per hour".to_owned(),
        60 => "per minute".to_owned(),
        _ => format!("each {}", format::window(steps.step)),
    };
    let length = format::length(format::between(steps.from, steps.end()));
    let compared = if before.iter().any(|counts| counts.total > 0) {
        "; thin line: the same before"
    } else {
        ""
    };
    let body = if steps.sum().total == 0 {
        no_data("No requests yet.", "")
    } else {
        Markup::of(&demand_plot(steps, before, 180))
    };
    Panel {
        id: "demand",
        class: "c6",
        title: "Demand",
        lead: format!("Requests {each}, last {length}{compared}"),
        body,
        ..Panel::default()
    }
    .part()
}

/// The share of customer requests that went well, over time.
pub(crate) fn trend(well: Option<&WentWell>) -> Part {
    let body = match well {
        Some(well) if well.trend.sum().total > 0 => {
            Markup::of(&trend_plot(&well.trend, well.promised, 180))
        }
        _ => no_data("Nothing was measured yet.", ""),
    };
    let each = well.map_or_else(String::new, |well| match well.trend.step.as_secs() {
        86_400 => ", by day".to_owned(),
        3_600 => ", by hour".to_owned(),
        60 => ", by minute".to_owned(),
        _ => format!(", each {}", format::window(well.trend.step)),
    });
    Panel {
        id: "trend",
        class: "c6",
        title: "Promises kept",
        lead: format!("Share of customer requests that went well{each}"),
        body,
        ..Panel::default()
    }
    .part()
}
