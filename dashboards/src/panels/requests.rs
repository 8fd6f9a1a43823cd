//! Good and failed, and how much is asked for.

use askama::Template;
use jiff::Timestamp;
use slo_specs::Noun;

use super::{Panel, Part, no_data};
use crate::charts::bars::{Failing, failing};
use crate::charts::lines::{demand as demand_plot, rate, trend as trend_plot};
use crate::markup::Markup;
use crate::view::{Counts, Range, Steps, WentWell};
use crate::{Text, format};

#[derive(Template)]
#[template(
    source = "<p class=\"mid t20\">Failing, % {{ each }}</p>{{ failing }}{% if let Some(rate) = rate %}<p class=\"mid t20\">{{ counted }} per second</p>{{ rate }}{% endif %}",
    ext = "html"
)]
struct GoodAndFailed {
    each: String,
    counted: String,
    failing: Markup,
    /// None of time, of which there is always as much.
    rate: Option<Markup>,
}

/// What the panel of good and failed requests, or whatever is counted, is made from.
#[derive(Debug)]
pub(crate) struct Requests<'a> {
    pub(crate) counted: Noun,
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
    let (steps, range, now, counted) = (chart.steps, chart.range, chart.now, chart.counted);
    let body = if let Some(trouble) = chart.trouble {
        super::trouble(trouble)
    } else if steps.sum().total == 0 {
        no_data(
            "Nothing was measured in this time.",
            &format!("No {counted} is not the same as no failures."),
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
            format::each(steps.step)
        };
        Markup::of(&GoodAndFailed {
            each,
            counted: format::capitalised(counted.many()),
            failing: Markup::of(&failing),
            rate: (!counted.is_time()).then(|| Markup::of(&rate(steps, counted, 56))),
        })
    };
    Panel {
        id: "good-and-failed",
        class: "c6",
        title: good_and_failed_title(counted),
        lead: span(range, now),
        body,
        focused: chart.focused,
        ..Panel::default()
    }
    .part()
}

fn good_and_failed_title(counted: Noun) -> &'static str {
    match counted {
        Noun::Request => "Good and failed requests",
        Noun::Trace => "Good and failed traces",
        Noun::Span => "Good and failed spans",
        Noun::Event => "Good and failed events",
        Noun::Value => "Good and failed values",
        Noun::Point => "Good and failed points",
        Noun::TimeSlice => "Good and failed time slices",
        Noun::Second => "Good and failed time",
    }
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
        _ => format::each(steps.step),
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
        _ => format!(", {}", format::each(well.trend.step)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{self, State};

    #[test]
    fn what_is_counted_is_called_by_its_name() {
        let view = samples::slo(State::Paging);
        let shown = |counted| {
            let part = good_and_failed(&Requests {
                counted,
                steps: &view.minutes,
                range: view.range,
                now: view.shell.at,
                fired: None,
                allowed: 0.001,
                focused: false,
                trouble: None,
            });
            part.html.into_string()
        };
        let requests = shown(Noun::Request);
        assert!(requests.contains("Good and failed requests"));
        assert!(requests.contains("Requests per second"));
        let values = shown(Noun::Value);
        assert!(values.contains("Values per second") && !values.contains("equests"));
        let slices = shown(Noun::TimeSlice);
        assert!(slices.contains("Good and failed time slices"));
        assert!(
            !slices.contains("per second"),
            "there are as many every minute"
        );
    }
}
