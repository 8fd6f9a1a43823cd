//! Good and failed: failing per step as bars.

use super::plot::{Band, Data, Event, Label, Percent, Plot, TimeAxis, axis_figure, round_axis};
use super::svg::{Path, Svg, WIDTH};
use crate::format;
use crate::view::Steps;

/// What the chart of failures says besides its bars.
#[derive(Debug)]
pub(crate) struct Failing<'a> {
    pub(crate) steps: &'a Steps,
    pub(crate) height: u32,
    /// When a rule fired, and the word for it.
    pub(crate) fired: Option<(jiff::Timestamp, &'static str)>,
    /// What the last label of the time axis says instead of a time.
    pub(crate) last: Option<&'static str>,
    pub(crate) with_table: bool,
    /// Error ratio that is allowed: bars below it stay quiet.
    pub(crate) allowed: f64,
}

/// Failing events in per cent per step; steps without events are hatched, not zero.
pub(crate) fn failing(chart: &Failing<'_>) -> Plot {
    let steps = chart.steps;
    let axis = TimeAxis {
        from: steps.from,
        to: steps.end(),
    };
    let ratios: Vec<_> = steps
        .counts
        .iter()
        .map(|counts| counts.error_ratio())
        .collect();
    let highest = ratios
        .iter()
        .flatten()
        .fold(0.0_f64, |high, ratio| high.max(ratio * 100.0));
    let (top, distance) = round_axis(highest);
    let height = f64::from(chart.height);
    let mut svg = Svg::new(height);
    let mut y = Vec::new();
    for line in 0..=5 {
        let value = f64::from(line) * distance;
        if value <= top * 1.001 {
            let at = 1.0 - value / top;
            svg.level("gl", at * height);
            let text = if line == 0 {
                "0".to_owned()
            } else {
                format!("{}%", axis_figure(value))
            };
            y.push(Label {
                at: Percent(at * 100.0),
                text,
                class: "",
            });
        }
    }
    let (mut quiet, mut loud) = (Path::default(), Path::default());
    #[expect(clippy::cast_precision_loss, reason = "a few hundred steps")]
    let width = WIDTH / steps.counts.len().max(1) as f64;
    for (index, ratio) in ratios.iter().enumerate() {
        let Some(ratio) = ratio else { continue };
        #[expect(clippy::cast_precision_loss, reason = "a few hundred steps")]
        let left = index as f64 * width;
        // A hair is left where nothing failed: measured, and zero.
        let tall = (ratio * 100.0 / top * height).max(0.4);
        let bars = if *ratio > chart.allowed {
            &mut loud
        } else {
            &mut quiet
        };
        bars.rect(
            left + width * 0.12,
            height - tall,
            left + width * 0.88,
            height,
        );
    }
    svg.path("br quiet", &quiet);
    svg.path("br page", &loud);
    let events = chart
        .fired
        .iter()
        .filter(|(at, _)| (0.0..=1.0).contains(&axis.at(*at)));
    Plot {
        height: chart.height,
        says: says(steps, axis),
        svg: svg.finish(),
        y,
        x: axis.labels(chart.last),
        events: events
            .map(|(at, word)| {
                let left = axis.at(*at) * 100.0;
                let side = if left > 80.0 { "e" } else { "s" };
                Event {
                    left: Percent(left),
                    text: (*word).to_owned(),
                    class: "page",
                    side,
                }
            })
            .collect(),
        bands: gaps(steps),
        data: chart.with_table.then(|| table(steps, axis)),
        ..Plot::default()
    }
}

/// Hatched bands where nothing was measured.
pub(crate) fn gaps(steps: &Steps) -> Vec<Band> {
    let mut bands: Vec<Band> = Vec::new();
    let mut open: Option<usize> = None;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred steps")]
    let percent = |index: usize| index as f64 * 100.0 / steps.counts.len().max(1) as f64;
    for index in 0..=steps.counts.len() {
        let gap = steps
            .counts
            .get(index)
            .is_some_and(|counts| counts.total == 0);
        match (gap, open) {
            (true, None) => open = Some(index),
            (false, Some(start)) => {
                let (left, width) = (percent(start), percent(index) - percent(start));
                bands.push(Band {
                    left: Percent(left),
                    width: Percent(width),
                    class: "none",
                });
                open = None;
            }
            _ => {}
        }
    }
    bands
}

fn says(steps: &Steps, axis: TimeAxis) -> String {
    let sum = steps.sum();
    let worst = steps
        .counts
        .iter()
        .enumerate()
        .filter_map(|(index, counts)| counts.error_ratio().map(|ratio| (index, ratio)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let whole = format!(
        "{} of {} failed",
        format::failing(sum),
        format::count(sum.total)
    );
    match worst {
        None => "Nothing was measured in this time".to_owned(),
        Some(_) if sum.bad == 0 => format!("None of {} failed", format::count(sum.total)),
        Some((index, _)) => format!(
            "{whole}; most at {}, {}",
            axis.row(steps.start_of(index)),
            format::failing(steps.counts.get(index).copied().unwrap_or_default())
        ),
    }
}

fn table(steps: &Steps, axis: TimeAxis) -> Data {
    let rows = steps.counts.iter().enumerate().map(|(index, counts)| {
        vec![
            axis.row(steps.start_of(index)),
            format!("{} failing", format::failing(*counts)),
            format!(
                "{} of {}",
                format::grouped(counts.bad),
                format::grouped(counts.total)
            ),
        ]
    });
    #[expect(clippy::cast_precision_loss, reason = "a few hundred steps")]
    let half = 50.0 / steps.counts.len().max(1) as f64;
    Data {
        columns: vec!["From", "Failing", "Events"],
        rows: rows.collect(),
        reach: (Percent(half), Percent(100.0 - half)),
    }
}
