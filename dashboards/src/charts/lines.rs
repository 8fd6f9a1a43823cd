//! Areas and lines: demand, requests a second, the trend, sparklines.

use slo_specs::Noun;

use super::bars::gaps;
use super::plot::{
    Data, Label, Note, Percent, Plot, TimeAxis, axis_figure, middles, round_axis, rules,
};
use super::svg::{Path, Svg, WIDTH};
use crate::format;
use crate::markup::Markup;
use crate::number::real;
use crate::view::{Counts, Status, Steps};

/// The middle of step `index` of `length` in drawing units.
fn middle(index: usize, length: usize) -> f64 {
    (real(index) + 0.5) / real(length.max(1)) * WIDTH
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
    let value = |counts: &Counts| (counts.total > 0).then_some(real(counts.total));
    let now: Vec<_> = steps.counts.iter().map(value).collect();
    let then: Vec<_> = before.iter().map(value).collect();
    let highest = now
        .iter()
        .chain(&then)
        .flatten()
        .fold(0.0_f64, |high, value| high.max(*value));
    let tall = f64::from(height);
    let axis = TimeAxis::of(steps);
    let mut svg = Svg::new(tall);
    let (top, y) = rules(&mut svg, highest, tall, axis_count);
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
            reach: middles(steps.counts.len()),
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

/// Requests, or whatever is counted, a second under the failing bars: an area without a table of its own.
pub(crate) fn rate(steps: &Steps, counted: Noun, height: u32) -> Plot {
    let seconds = steps.step.as_secs_f64().max(1.0);
    let values: Vec<_> = steps
        .counts
        .iter()
        .map(|counts| (counts.total > 0).then(|| real(counts.total) / seconds))
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
            || format!("No {counted}"),
            |last| {
                format!(
                    "{} a second: {} at the end, at most {}",
                    format::capitalised(counted.many()),
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
    let bottom = 1.0 - round_up(1.0 - (lowest - (1.0 - promised) * 0.5).max(0.0));
    let tall = f64::from(height);
    let y_of = |value: f64| (1.0 - value) / (1.0 - bottom) * tall;
    let mut svg = Svg::new(tall);
    svg.level("gl", 0.0);
    svg.level("gl", tall);
    svg.level("g0", y_of(promised));
    svg.path("ln ink", &line(&values, tall, 1.0, bottom).0);
    for (index, value) in values.iter().enumerate() {
        let Some(value) = *value else { continue };
        let x = middle(index, values.len());
        if value < promised {
            svg.dot("dot spent lg", x, y_of(value));
        } else if index + 1 == values.len() {
            svg.dot("dot", x, y_of(value));
        }
    }
    let axis = TimeAxis::of(steps);
    Plot {
        height,
        says: says_trend(steps, promised, &values),
        svg: svg.finish(),
        y: [(0.0, 1.0), (100.0, bottom)]
            .map(|(at, value)| Label {
                at: Percent(at),
                text: format::target(value),
                class: "",
            })
            .into(),
        x: axis.labels(None),
        notes: vec![Note {
            left: Percent(0.0),
            top: Percent(y_of(promised) / tall * 100.0),
            text: format!("promised {}", promise(promised)),
            class: "l halo under",
        }],
        bands: gaps(steps),
        data: Some(table_trend(steps, promised, axis)),
        ..Plot::default()
    }
}

/// To two figures, so that the bottom of an axis can be named, at most 1.
fn round_up(share: f64) -> f64 {
    if share <= 0.0 {
        return 1.0;
    }
    let unit = 10_f64.powf(share.log10().floor() - 1.0);
    // The small term undoes representation: 0.15 is a little more than 15 hundredths.
    ((share / unit - 1e-9).ceil() * unit).min(1.0)
}

fn says_trend(steps: &Steps, promised: f64, values: &[Option<f64>]) -> String {
    let measured = values.iter().flatten();
    let below = measured.clone().filter(|value| **value < promised).count();
    format!(
        "{} good in all against {} promised; below the promise in {below} of {} steps",
        format::good(steps.sum(), promised),
        promise(promised),
        measured.count()
    )
}

fn table_trend(steps: &Steps, promised: f64, axis: TimeAxis) -> Data {
    let rows = steps.counts.iter().enumerate().map(|(index, counts)| {
        vec![
            axis.row(steps.start_of(index)),
            format!("{} good", format::good(*counts, promised)),
        ]
    });
    Data {
        columns: vec!["From", "Went well"],
        rows: rows.collect(),
        reach: middles(steps.counts.len()),
    }
}

/// A promise that was weighted by traffic, with no more digits than it means.
pub(crate) fn promise(ratio: f64) -> String {
    let scale = 10_f64.powi(i32::try_from(format::nines(ratio)).unwrap_or(6) + 2);
    format::target((ratio * scale).floor() / scale)
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
    fn a_mixed_promise_has_the_digits_it_means() {
        assert_eq!(promise(0.985_39), "98.53%");
        assert_eq!(promise(0.999), "99.9%");
        assert_eq!(promise(0.999_95), "99.995%");
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
    #[test]
    fn the_bottom_of_an_axis_is_a_figure_that_can_be_named() {
        for (lost, shown) in [
            (0.074_1, "92.5%"),
            (0.15, "85%"),
            (0.001_26, "99.87%"),
            (1.0, "0%"),
            (0.0, "0%"),
        ] {
            assert_eq!(format::target(1.0 - round_up(lost)), shown, "{lost}");
        }
    }
}
