//! Good and failed: failing per step as bars.

use super::plot::{Band, Data, Event, Percent, Plot, TimeAxis, axis_figure, middles, rules};
use super::svg::{Path, Svg, WIDTH};
use crate::format;
use crate::number::real;
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
    let axis = TimeAxis::of(steps);
    let ratios = steps
        .counts
        .iter()
        .filter_map(|counts| counts.error_ratio());
    let highest = ratios.fold(0.0_f64, |high, ratio| high.max(ratio * 100.0));
    let height = f64::from(chart.height);
    let mut svg = Svg::new(height);
    let (top, y) = rules(&mut svg, highest, height, |value| {
        let figure = axis_figure(value);
        if value > 0.0 {
            format!("{figure}%")
        } else {
            figure
        }
    });
    bars(&mut svg, chart, top / 100.0, height);
    let events = chart.fired.iter().filter_map(|(at, word)| {
        let left = axis.at(*at) * 100.0;
        (0.0..=100.0).contains(&left).then(|| Event {
            left: Percent(left),
            text: (*word).to_owned(),
            class: "page",
            side: if left > 80.0 { "e" } else { "s" },
        })
    });
    Plot {
        height: chart.height,
        says: says(steps, axis),
        svg: svg.finish(),
        y,
        x: axis.labels(chart.last),
        events: events.collect(),
        bands: gaps(steps),
        data: chart.with_table.then(|| table(steps, axis)),
        ..Plot::default()
    }
}

/// Quiet bars for what is allowed, loud ones beyond; a hair where nothing failed: measured, and zero.
fn bars(svg: &mut Svg, chart: &Failing<'_>, top: f64, height: f64) {
    let (mut quiet, mut loud) = (Path::default(), Path::default());
    let counts = &chart.steps.counts;
    let width = WIDTH / real(counts.len().max(1));
    for (index, counts) in counts.iter().enumerate() {
        let Some(ratio) = counts.error_ratio() else {
            continue;
        };
        let left = real(index) * width;
        let tall = (ratio / top * height).max(0.4);
        let path = if ratio > chart.allowed {
            &mut loud
        } else {
            &mut quiet
        };
        path.rect(
            left + width * 0.12,
            height - tall,
            left + width * 0.88,
            height,
        );
    }
    svg.path("br quiet", &quiet);
    svg.path("br page", &loud);
}

/// Hatched bands where nothing was measured.
pub(crate) fn gaps(steps: &Steps) -> Vec<Band> {
    let mut bands: Vec<Band> = Vec::new();
    let mut open: Option<usize> = None;
    let percent = |index: usize| real(index) * 100.0 / real(steps.counts.len().max(1));
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
    Data {
        columns: vec!["From", "Failing", "Failed"],
        rows: rows.collect(),
        reach: middles(steps.counts.len()),
    }
}
