//! Areas and lines: demand, requests a second, the trend, sparklines.

use super::bars::gaps;
use super::plot::{Data, Label, Note, Percent, Plot, TimeAxis, axis_figure, round_axis};
use super::svg::{Path, Svg, WIDTH};
use crate::format;
use crate::markup::Markup;
use crate::view::{Counts, Status, Steps};

/// The middle of step `index` of `length` in drawing units.
fn middle(index: usize, length: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred steps")]
    let x = (index as f64 + 0.5) / length.max(1) as f64 * WIDTH;
    x
}

/// A line with a gap wherever there is nothing, and the area under it.
fn line(values: &[Option<f64>], height: f64, top: f64, bottom: f64) -> (Path, Path) {
    let (mut stroke, mut area) = (Path::default(), Path::default());
    let y = |value: f64| height - (value - bottom) / (top - bottom) * height;
    let mut run: Option<(f64, f64)> = None;
    for index in 0..=values.len() {
        let x = middle(index, values.len());
        match (values.get(index).copied().flatten(), run) {
            (Some(value), None) => {
                stroke.jump(x, y(value));
                area.jump(x, y(value));
                run = Some((x, x));
            }
            (Some(value), Some((start, _))) => {
                stroke.add(x, y(value));
                area.add(x, y(value));
                run = Some((start, x));
            }
            (None, Some((start, end))) => {
                area.close_at(end, start, height);
                run = None;
            }
            (None, None) => {}
        }
    }
    (stroke, area)
}

/// How many events a step, as an area; `before` as a thin line behind it.
pub(crate) fn demand(steps: &Steps, before: &[Counts], height: u32) -> Plot {
    let value = |counts: &Counts| {
        #[expect(clippy::cast_precision_loss, reason = "a drawn quantity")]
        (counts.total > 0).then_some(counts.total as f64)
    };
    let now: Vec<_> = steps.counts.iter().map(value).collect();
    let then: Vec<_> = before.iter().map(value).collect();
    let highest = now
        .iter()
        .chain(&then)
        .flatten()
        .fold(0.0_f64, |high, value| high.max(*value));
    let (top, distance) = round_axis(highest);
    let tall = f64::from(height);
    let axis = TimeAxis {
        from: steps.from,
        to: steps.end(),
    };
    let mut svg = Svg::new(tall);
    let mut y = Vec::new();
    for mark in (0..=5)
        .map(|mark| f64::from(mark) * distance)
        .filter(|mark| *mark <= top * 1.001)
    {
        svg.level("gl", tall - mark / top * tall);
        let text = axis_count(mark);
        y.push(Label {
            at: Percent(100.0 - mark / top * 100.0),
            text,
            class: "",
        });
    }
    let (stroke, area) = line(&now, tall, top, 0.0);
    svg.path("ar", &area);
    if !then.is_empty() {
        svg.path("ln ghost", &line(&then, tall, top, 0.0).0);
    }
    svg.path("ln", &stroke);
    if let Some((index, value)) = now
        .iter()
        .enumerate()
        .rev()
        .find_map(|(i, v)| v.map(|v| (i, v)))
    {
        svg.dot("dot", middle(index, now.len()), tall - value / top * tall);
    }
    let rows = steps.counts.iter().enumerate().map(|(index, counts)| {
        vec![
            axis.row(steps.start_of(index)),
            format::grouped(counts.total),
        ]
    });
    Plot {
        height,
        says: says_demand(steps, axis),
        svg: svg.finish(),
        y,
        x: axis.labels(None),
        bands: gaps(steps),
        data: Some(Data {
            columns: vec!["From", "Requests"],
            rows: rows.collect(),
            reach: reach(steps.counts.len()),
        }),
        ..Plot::default()
    }
}

/// A count on an axis: no digits that say nothing.
fn axis_count(value: f64) -> String {
    let (unit, name) = match value {
        ..1e3 => (1.0, ""),
        1e3..1e6 => (1e3, "k"),
        1e6..1e9 => (1e6, " M"),
        _ => (1e9, " bn"),
    };
    if value > 0.0 {
        format!("{}{name}", axis_figure(value / unit))
    } else {
        "0".to_owned()
    }
}

fn says_demand(steps: &Steps, axis: TimeAxis) -> String {
    let most = steps
        .counts
        .iter()
        .enumerate()
        .max_by_key(|(_, counts)| counts.total);
    match most {
        Some((index, most)) if most.total > 0 => format!(
            "{} in all; most from {}, {}",
            format::count(steps.sum().total),
            axis.row(steps.start_of(index)),
            format::count(most.total)
        ),
        _ => "Nothing was measured in this time".to_owned(),
    }
}

fn reach(length: usize) -> (Percent, Percent) {
    (
        Percent(middle(0, length) / 10.0),
        Percent(middle(length.saturating_sub(1), length) / 10.0),
    )
}

/// Requests a second under the failing bars: an area without a table of its own.
pub(crate) fn rate(steps: &Steps, height: u32) -> Plot {
    let seconds = steps.step.as_secs_f64().max(1.0);
    #[expect(clippy::cast_precision_loss, reason = "a drawn quantity")]
    let values: Vec<_> = steps
        .counts
        .iter()
        .map(|counts| (counts.total > 0).then(|| counts.total as f64 / seconds))
        .collect();
    let highest = values
        .iter()
        .flatten()
        .fold(0.0_f64, |high, value| high.max(*value));
    let (top, _) = round_axis(highest);
    let tall = f64::from(height);
    let mut svg = Svg::new(tall);
    svg.level("gl", tall);
    svg.level("gl", 0.0);
    let (stroke, area) = line(&values, tall, top, 0.0);
    svg.path("ar", &area);
    svg.path("ln", &stroke);
    let last = values.iter().rev().flatten().next().copied();
    Plot {
        height,
        says: last.map_or_else(
            || "No requests".to_owned(),
            |last| {
                format!(
                    "Requests a second: {} at the end, at most {}",
                    format::per_second(last),
                    format::per_second(highest)
                )
            },
        ),
        svg: svg.finish(),
        y: vec![
            Label {
                at: Percent(0.0),
                text: format!("{}/s", axis_count(top)),
                class: "",
            },
            Label {
                at: Percent(100.0),
                text: "0".to_owned(),
                class: "",
            },
        ],
        bands: gaps(steps),
        ..Plot::default()
    }
}

/// Share of good events per step against the promise; the axis is cropped and the promise labelled.
pub(crate) fn trend(steps: &Steps, promised: f64, height: u32) -> Plot {
    let values: Vec<_> = steps
        .counts
        .iter()
        .map(|counts| counts.error_ratio().map(|bad| 1.0 - bad))
        .collect();
    let lowest = values
        .iter()
        .flatten()
        .fold(promised, |low, value| low.min(*value));
    // Room of as much as the budget around the promise, so that noise does not look like a fall.
    let bottom = (lowest - (1.0 - promised) * 0.5).max(0.0);
    let (top, tall) = (1.0, f64::from(height));
    let y_of = |value: f64| (top - value) / (top - bottom) * 100.0;
    let axis = TimeAxis {
        from: steps.from,
        to: steps.end(),
    };
    let mut svg = Svg::new(tall);
    svg.level("gl", 0.0);
    svg.level("g0", y_of(promised) / 100.0 * tall);
    svg.path("ln ink", &line(&values, tall, top, bottom).0);
    for (index, value) in values.iter().enumerate() {
        let Some(value) = *value else { continue };
        let (x, y) = (middle(index, values.len()), y_of(value) / 100.0 * tall);
        if value < promised {
            svg.dot("dot spent lg", x, y);
        } else if index + 1 == values.len() {
            svg.dot("dot", x, y);
        }
    }
    let below = values
        .iter()
        .flatten()
        .filter(|value| **value < promised)
        .count();
    let rows = steps.counts.iter().enumerate().map(|(index, counts)| {
        vec![
            axis.row(steps.start_of(index)),
            format!("{} good", format::good(*counts, promised)),
        ]
    });
    Plot {
        height,
        says: format!(
            "{} good in all against {} promised; below the promise in {} of {} steps",
            format::good(steps.sum(), promised),
            format::target(promised),
            below,
            values.iter().flatten().count()
        ),
        svg: svg.finish(),
        y: vec![Label {
            at: Percent(0.0),
            text: "100%".to_owned(),
            class: "",
        }],
        x: axis.labels(None),
        notes: vec![Note {
            left: Percent(0.0),
            top: Percent(y_of(promised)),
            text: format!("promised {}", promise(promised)),
            class: "l halo under",
        }],
        bands: gaps(steps),
        data: Some(Data {
            columns: vec!["From", "Went well"],
            rows: rows.collect(),
            reach: reach(values.len()),
        }),
        ..Plot::default()
    }
}

/// A promise that was weighted by traffic, with no more digits than it means.
pub(crate) fn promise(ratio: f64) -> String {
    format::target((ratio * 100_000.0).round() / 100_000.0)
}

/// The error ratio of the last hours in a table row, no axis.
pub(crate) fn spark(steps: &Steps, status: Status) -> Markup {
    let class = match status {
        Status::Paging => "ln page thin",
        Status::Ticket => "ln watch thin",
        Status::Missed => "ln spent thin",
        Status::NoData | Status::OnTrack => "ln s5 thin",
    };
    let values: Vec<_> = steps
        .counts
        .iter()
        .map(|counts| counts.error_ratio())
        .collect();
    let highest = values
        .iter()
        .flatten()
        .fold(0.0_f64, |high, value| high.max(*value));
    let mut svg = Svg::new(22.0);
    svg.path(
        class,
        &line(
            &values,
            20.0,
            if highest > 0.0 { highest } else { 1.0 },
            0.0,
        )
        .0,
    );
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_never_joined() {
        let values = [Some(1.0), Some(1.0), None, Some(0.5), Some(0.5)];
        let (stroke, area) = line(&values, 10.0, 1.0, 0.0);
        let mut svg = Svg::new(10.0);
        svg.path("ln", &stroke);
        svg.path("ar", &area);
        let drawn = svg.finish().into_string();
        assert!(drawn.contains("M100 0L300 0M700 5L900 5"), "{drawn}");
        assert!(
            drawn.contains("M100 0L300 0L300 10L100 10ZM700 5L900 5L900 10L700 10Z"),
            "{drawn}"
        );
    }

    #[test]
    fn axes_are_round() {
        assert_eq!(round_axis(6.3), (9.0, 3.0));
        assert_eq!(round_axis(0.0), (1.0, 1.0));
        assert_eq!(axis_figure(0.03), "0.03");
        assert_eq!(
            [0.0, 300.0, 1_500.0, 2e6].map(axis_count),
            ["0", "300", "1.5k", "2 M"]
        );
    }
}
