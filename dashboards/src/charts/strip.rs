//! Spend strip: a bar a step, height = spending ÷ sustainable pace on a square-root scale, a line at 1×.

use super::bars::gaps;
use super::plot::{Data, Label, Percent, Plot, TimeAxis, middles};
use super::svg::{Path, Svg, WIDTH};
use crate::format;
use crate::markup::Markup;
use crate::number::real;
use crate::view::Steps;

/// Spending of every step as a multiple of the even pace; `None` where nothing was measured.
///
/// The even pace of a step is the budget fraction of the mean traffic of the measured steps, so a quiet day
/// that fails altogether does not look like a busy one.
pub(crate) fn paces(steps: &Steps, target: f64) -> Vec<Option<f64>> {
    let measured = steps
        .counts
        .iter()
        .filter(|counts| counts.total > 0)
        .count();
    let even = real(steps.sum().total) / real(measured.max(1)) * (1.0 - target);
    let pace = |bad: u64| real(bad) / even;
    steps
        .counts
        .iter()
        .map(|counts| (counts.total > 0).then(|| pace(counts.bad)))
        .collect()
}

/// Draws the bars; returns the drawing and the pace at its top.
fn draw(paces: &[Option<f64>], height: f64, least_top: f64) -> (Svg, f64) {
    let top = paces
        .iter()
        .flatten()
        .fold(least_top, |high, pace| high.max(*pace))
        .min(1e6);
    let tall = |pace: f64| (pace.clamp(0.0, top) / top).sqrt() * height;
    let mut svg = Svg::new(height);
    let [mut quiet, mut watch, mut page] = [Path::default(), Path::default(), Path::default()];
    let width = WIDTH / real(paces.len().max(1));
    for (index, pace) in paces.iter().enumerate() {
        let Some(pace) = *pace else { continue };
        let left = real(index) * width;
        let bars = match pace {
            ..1.0 => &mut quiet,
            1.0..3.0 => &mut watch,
            _ => &mut page,
        };
        bars.rect(
            left + width * 0.12,
            height - tall(pace).max(0.5),
            left + width * 0.88,
            height,
        );
    }
    svg.path("br quiet", &quiet);
    svg.path("br watch", &watch);
    svg.path("br page", &page);
    svg.level("g0", height - tall(1.0));
    (svg, top)
}

/// A strip in a table row.
pub(crate) fn small(steps: &Steps, target: f64) -> Markup {
    draw(&paces(steps, target), 30.0, 2.0).0.finish()
}

/// The panel's strip.
pub(crate) fn plot(steps: &Steps, target: f64) -> Plot {
    let height = 96.0;
    let paces = paces(steps, target);
    let (svg, top) = draw(&paces, height, 4.0);
    let axis = TimeAxis {
        from: steps.from,
        to: steps.end(),
    };
    let worst = paces
        .iter()
        .enumerate()
        .filter_map(|(index, pace)| pace.map(|pace| (index, pace)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let above = paces.iter().flatten().filter(|pace| **pace > 1.0).count();
    let says = worst.map_or_else(
        || "Nothing was measured in this time".to_owned(),
        |(index, pace)| {
            format!(
                "{} of {} steps spent more than the sustainable pace; most at {}, {}",
                above,
                paces.iter().flatten().count(),
                axis.row(steps.start_of(index)),
                format::burn(Some(pace))
            )
        },
    );
    let rows = paces.iter().enumerate().map(|(index, pace)| {
        let bad = steps.counts.get(index).map_or(0, |counts| counts.bad);
        vec![
            axis.row(steps.start_of(index)),
            format::burn(*pace),
            format!("{} failed", format::grouped(bad)),
        ]
    });
    Plot {
        height: 96,
        says,
        svg: svg.finish(),
        y: marks(top),
        bands: gaps(steps),
        x: axis.labels(None),
        data: Some(Data {
            columns: vec!["From", "Pace", "Failed"],
            rows: rows.collect(),
            reach: middles(paces.len()),
        }),
        ..Plot::default()
    }
}

/// Least distance of two marks of the vertical axis, as a share of its height.
const APART: f64 = 0.15;

/// The pace at 1× and some above it, no closer than can be read.
fn marks(top: f64) -> Vec<Label> {
    let mut labels = Vec::new();
    let mut last = -APART;
    for pace in [
        1.0, 4.0, 9.0, 25.0, 100.0, 400.0, 2_500.0, 10_000.0, 250_000.0,
    ] {
        let high = (pace / top).sqrt();
        if pace <= top && high - last >= APART {
            last = high;
            labels.push(Label {
                at: Percent(100.0 - high * 100.0),
                text: format::threshold(pace),
                class: "",
            });
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Counts;

    #[test]
    fn even_spending_at_the_budget_is_a_pace_of_one() {
        let day = |total, bad| Counts { total, bad };
        let steps = Steps {
            from: "2026-03-01T00:00:00Z".parse().unwrap(),
            step: std::time::Duration::from_hours(24),
            counts: vec![day(1_000, 1), day(1_000, 1), day(0, 0), day(1_000, 9)],
        };
        let shown: Vec<_> = paces(&steps, 0.999)
            .iter()
            .map(|pace| format::burn(*pace))
            .collect();
        assert_eq!(shown, ["1.0×", "1.0×", "—", "9.0×"]);
    }
    #[test]
    fn marks_do_not_stand_on_each_other() {
        let shown = |top| -> Vec<_> { marks(top).into_iter().map(|it| it.text).collect() };
        assert_eq!(shown(4.0), ["1×", "4×"]);
        assert_eq!(shown(30.0), ["1×", "4×", "9×", "25×"]);
        assert_eq!(shown(900.0), ["1×", "100×", "400×"]);
        assert_eq!(shown(1e6), ["1×", "250000×"]);
    }
}
