//! How long requests take: the heatmap, and its neighbours on one scale.

use askama::Template;
use jiff::Timestamp;
use slo_specs::Noun;

use super::requests::span;
use super::{Panel, Part, glyph, no_data, state};
use crate::charts::heatmap::{Scale, against, large, small};
use crate::charts::plot::TimeAxis;
use crate::markup::Markup;
use crate::view::{LatencyGrid, Range, ServiceLatency, SlowVerdict};
use crate::{Text, format, links};

#[derive(Template)]
#[template(path = "panels/heatmap.html")]
struct Heatmap {
    plot: Markup,
    counted: Noun,
    /// What a slow value is to the objective's budget, if one says what is slow.
    verdict: Option<String>,
    slow: String,
}

/// The heatmap of a service or of a latency objective.
pub(crate) fn panel(
    grid: Option<&LatencyGrid>,
    range: Range,
    now: Timestamp,
    uncorrected: &'static str,
    trouble: Option<&Text>,
    focused: bool,
) -> Part {
    let measured = grid.filter(|grid| grid.columns.iter().any(|column| !column.values.is_empty()));
    let body = match (trouble, measured) {
        (Some(trouble), _) => super::trouble(trouble),
        (None, Some(grid)) => {
            let slow = against(grid).map_or_else(String::new, |(slow, total)| {
                format!(
                    "{} of {} {} were too slow",
                    format::count(slow),
                    format::count(total),
                    grid.counted.count(total)
                )
            });
            Markup::of(&Heatmap {
                plot: Markup::of(&large(grid)),
                counted: grid.counted,
                verdict: grid.threshold.as_ref().map(|it| verdict(it.verdict)),
                slow,
            })
        }
        (None, None) => no_data(
            "No durations were measured in this time.",
            "Spans and histogram metrics carry them.",
        ),
    };
    let each = measured.map_or_else(String::new, |grid| {
        format!("; one column is {}", format::window(grid.step))
    });
    Panel {
        id: "latency",
        class: "c12",
        title: match grid.map(|grid| grid.counted) {
            None | Some(Noun::Request) => "How long requests take",
            Some(Noun::Trace) => "How long traces take",
            Some(Noun::Span) => "How long spans take",
            Some(_) => "How long it takes",
        },
        lead: format!("{}{uncorrected}{each}; log scale", span(range, now)),
        body,
        focused,
        ..Panel::default()
    }
    .part()
}

/// What a slow value is to the budget.
fn verdict(verdict: SlowVerdict) -> String {
    match verdict {
        SlowVerdict::Bad => "too slow, counts against it".to_owned(),
        SlowVerdict::BadSlice(target) if target >= 1.0 => {
            "too slow; one makes its time slice bad".to_owned()
        }
        SlowVerdict::BadSlice(target) => format!(
            "too slow; a time slice is bad when over {} of it is",
            format::target(1.0 - target)
        ),
        SlowVerdict::SliceInPart => "too slow; a time slice is bad by their share".to_owned(),
    }
}

#[derive(Template)]
#[template(path = "panels/neighbours.html")]
struct Neighbours {
    minis: Vec<Mini>,
}

struct Mini {
    href: String,
    service: Text,
    glyph: Markup,
    p99: String,
    plot: Markup,
    from: String,
    to: String,
    within: String,
}

/// Latency by service: small heatmaps on one scale.
pub(crate) fn neighbours(
    services: &[ServiceLatency],
    range: Range,
    now: Timestamp,
    trouble: Option<&Text>,
) -> Part {
    let scale = Scale::of(services.iter().map(|service| &service.latency));
    let body = if let Some(trouble) = trouble {
        super::trouble(trouble)
    } else if services.is_empty() {
        state("No other service has sent durations.", "")
    } else {
        let minis = services.iter().map(|service| mini(service, scale, range));
        Markup::of(&Neighbours {
            minis: minis.collect(),
        })
    };
    Panel {
        id: "neighbours",
        class: "c12",
        title: "Latency by service",
        lead: format!("{}, same scale", span(range, now)),
        body,
        ..Panel::default()
    }
    .part()
}

fn mini(service: &ServiceLatency, scale: Scale, range: Range) -> Mini {
    let axis = TimeAxis {
        from: range.from,
        to: range.to,
    };
    Mini {
        href: links::at(&links::debug(&service.service), range, None),
        service: Text::new(&service.service),
        glyph: service.status.map_or_else(Markup::default, glyph),
        p99: service
            .p99_us
            .map_or_else(|| format::UNKNOWN.to_owned(), format::latency),
        plot: Markup::of(&small(&service.latency, scale)),
        from: axis.name(range.from),
        to: if range.live {
            "now".to_owned()
        } else {
            axis.name(range.to)
        },
        within: service
            .latency
            .threshold
            .as_ref()
            .map_or_else(String::new, |threshold| {
                format!("within {}", format::latency(threshold.bound_us))
            }),
    }
}
