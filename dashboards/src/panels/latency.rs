//! How long requests take: the heatmap, and its neighbours on one scale.

use askama::Template;
use jiff::Timestamp;

use super::requests::span;
use super::{Panel, Part, glyph, no_data, state};
use crate::charts::heatmap::{Scale, against, large, small};
use crate::charts::plot::TimeAxis;
use crate::markup::Markup;
use crate::view::{LatencyGrid, Range, ServiceLatency};
use crate::{Text, format, links};

#[derive(Template)]
#[template(path = "panels/heatmap.html")]
struct Heatmap {
    plot: Markup,
    split: bool,
    slow: String,
}

/// The heatmap of a service or of a latency objective.
pub(crate) fn panel(
    grid: Option<&LatencyGrid>,
    range: Range,
    now: Timestamp,
    trouble: Option<&Text>,
    focused: bool,
) -> Part {
    let measured = grid.filter(|grid| grid.columns.iter().any(|column| !column.values.is_empty()));
    let body = match (trouble, measured) {
        (Some(trouble), _) => super::trouble(trouble),
        (None, Some(grid)) => {
            let slow = against(grid).map_or_else(String::new, |(slow, total)| {
                format!(
                    "{} of {} were too slow",
                    format::count(slow),
                    format::count(total)
                )
            });
            Markup::of(&Heatmap {
                plot: Markup::of(&large(grid)),
                split: grid.threshold.is_some(),
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
        title: "How long requests take",
        lead: format!("{}{each}; log scale", span(range, now)),
        body,
        focused,
        ..Panel::default()
    }
    .part()
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
