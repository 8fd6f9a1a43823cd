//! Burn rates and budgets as small marks: budget bar, dumbbell, a rung of the ladder.

use askama::Template;

use super::plot::Percent;
use super::svg::{Path, Svg, WIDTH};
use crate::format;
use crate::markup::Markup;
use crate::view::{Severity, Status};

/// Burn rates of the dumbbell's axis.
const DUMBBELL: (f64, f64) = (0.05, 100.0);
/// Burn rates of the ladder's axis.
const LADDER: (f64, f64) = (0.1, 100.0);
/// The budget bar's domain in per cent, and how far an overspent bar goes before it is cut.
const BAR: (f64, f64, f64) = (-20.0, 100.0, -19.0);

/// Position of a burn rate on a log axis, 0 – 1, clamped.
fn position(rate: f64, (low, high): (f64, f64)) -> f64 {
    let rate = rate.clamp(low, high);
    (rate / low).ln() / (high / low).ln()
}

/// Where the dumbbell's 1× and 14.4× lines are, in per cent.
pub(crate) fn dumbbell_marks() -> (Percent, Percent) {
    (
        Percent(position(1.0, DUMBBELL) * 100.0),
        Percent(position(14.4, DUMBBELL) * 100.0),
    )
}

#[derive(Template)]
#[template(path = "parts/budget_bar.html")]
struct BudgetBar {
    says: String,
    class: &'static str,
    left: Percent,
    width: Percent,
    day_ago: Option<Percent>,
    known: bool,
}

/// Length = left, on one zero line; a tick where it was a day ago; hatched without data.
pub(crate) fn budget_bar(left: Option<f64>, day_ago: Option<f64>, status: Status) -> Markup {
    let place = |left: f64| {
        let percent = (left * 100.0).clamp(BAR.2, BAR.1);
        (percent - BAR.0) / (BAR.1 - BAR.0) * 100.0
    };
    let (zero, end) = (place(0.0), place(left.unwrap_or(0.0)));
    let over = left.is_some_and(|left| left * 100.0 < BAR.2);
    let class = match (status, left.is_some_and(|left| left <= 0.0), over) {
        (_, true, true) => "spent over",
        (_, true, false) | (Status::Missed, ..) => "spent",
        (Status::Paging, ..) => "page",
        (Status::Ticket, ..) => "watch",
        (Status::NoData | Status::OnTrack, ..) => "",
    };
    let says = match left {
        Some(_) => format!("{} of the error budget left", format::budget_fine(left)),
        None => "error budget not known, no data".to_owned(),
    };
    Markup::of(&BudgetBar {
        says,
        class,
        left: Percent(zero.min(end)),
        width: Percent((end - zero).abs()),
        day_ago: day_ago
            .filter(|_| left.is_some())
            .map(|left| Percent(place(left))),
        known: left.is_some(),
    })
}

#[derive(Template)]
#[template(path = "parts/marks.html")]
struct Marks {
    says: String,
    class: &'static str,
    svg: Markup,
}

/// ● 1 h, ○ 5 min on a log axis with lines at 1× and 14.4×.
pub(crate) fn dumbbell(hour: Option<f64>, five: Option<f64>, status: Status) -> Markup {
    let (line, dot) = match status {
        Status::Paging => ("ln page", "dot page"),
        Status::Ticket => ("ln watch", "dot watch"),
        Status::Missed => ("ln spent", "dot spent"),
        Status::NoData | Status::OnTrack => ("ln s5", "dot none"),
    };
    let mut svg = Svg::new(16.0);
    svg.level("gl", 8.0);
    for (rate, top) in [(1.0, 0.0), (14.4, 3.2)] {
        let x = position(rate, DUMBBELL) * WIDTH;
        svg.path("g0", &Path::default().to(x, top).to(x, 16.0 - top));
    }
    pair(
        &mut svg,
        8.0,
        [hour, five].map(|rate| rate.map(|rate| position(rate, DUMBBELL))),
        line,
        dot,
    );
    let says = format!(
        "burn rate {} over 1 hour, {} over 5 minutes",
        format::burn(hour),
        format::burn(five)
    );
    Markup::of(&Marks {
        says,
        class: "",
        svg: svg.finish(),
    })
}

/// A rule: its firing zone tinted, ● long and ○ short window.
pub(crate) fn rung(
    threshold: f64,
    long: Option<f64>,
    short: Option<f64>,
    severity: Severity,
    hot: bool,
) -> Markup {
    let height = 26.0;
    let mark = position(threshold, LADDER) * WIDTH;
    let (zone, line) = match severity {
        Severity::Page => ("zone page", "ln page thin"),
        Severity::Ticket => ("zone watch", "ln watch thin"),
    };
    let mut svg = Svg::new(height);
    let mut rect = Path::default();
    rect.rect(mark, 0.0, WIDTH, height);
    svg.path(zone, &rect);
    svg.level("gl", height / 2.0);
    svg.path(line, &Path::default().to(mark, 0.0).to(mark, height));
    let (ink, dot) = match (hot, severity) {
        (true, Severity::Page) => ("ln page", "dot page"),
        (true, Severity::Ticket) => ("ln watch", "dot watch"),
        (false, _) => ("ln s5", "dot none"),
    };
    pair(
        &mut svg,
        height / 2.0,
        [long, short].map(|rate| rate.map(|rate| position(rate, LADDER))),
        ink,
        dot,
    );
    let says = format!(
        "long window {}, short window {}, mark {}",
        format::burn(long),
        format::burn(short),
        format::threshold(threshold)
    );
    Markup::of(&Marks {
        says,
        class: "rung",
        svg: svg.finish(),
    })
}

fn pair(
    svg: &mut Svg,
    y: f64,
    [full, ring]: [Option<f64>; 2],
    line: &'static str,
    dot: &'static str,
) {
    if let (Some(full), Some(ring)) = (full, ring) {
        svg.path(
            line,
            &Path::default().to(full * WIDTH, y).to(ring * WIDTH, y),
        );
    }
    if let Some(full) = full {
        svg.dot(dot, full * WIDTH, y);
    }
    if let Some(ring) = ring {
        svg.dot(dot, ring * WIDTH, y);
        svg.dot("dot hole", ring * WIDTH, y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overspent_bar_is_cut_and_keeps_its_number() {
        let bar = budget_bar(Some(-0.38), None, Status::Missed).into_string();
        assert!(
            bar.contains("class=\"spent over\"") && bar.contains("−38.0% of the error budget left")
        );
        assert!(bar.contains("left:0.83%;width:15.83%"), "{bar}");
    }

    #[test]
    fn without_data_the_bar_is_hatched_and_not_zero() {
        let bar = budget_bar(None, Some(0.5), Status::NoData).into_string();
        assert!(
            bar.contains("class=\"none\"") && !bar.contains('0') || !bar.contains("0%"),
            "{bar}"
        );
    }

    #[test]
    fn a_threshold_sits_where_the_axis_says() {
        let (one, fast) = dumbbell_marks();
        assert!(
            (one.0 - 39.41).abs() < 0.01 && (fast.0 - 74.5).abs() < 0.02,
            "{one} {fast}"
        );
        let beyond = rung(
            14.4,
            Some(1e9),
            Some(f64::MIN_POSITIVE),
            Severity::Page,
            true,
        )
        .into_string();
        assert!(
            beyond.contains("M1000 13h.01") && beyond.contains("M0 13h.01"),
            "{beyond}"
        );
    }
}
