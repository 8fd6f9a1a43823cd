//! A chart's box: stretched drawing, unstretched labels, the sentence it says, and its figures as a table.

use askama::Template;
use jiff::Timestamp;

use super::svg::Svg;
use crate::format;
use crate::markup::Markup;
use crate::number::{place, real};
use crate::view::Steps;

/// A chart with labels.
#[derive(Debug, Default, Template)]
#[template(path = "parts/plot.html")]
pub(crate) struct Plot {
    /// Height in CSS pixels.
    pub(crate) height: u32,
    /// The finding, in a sentence: what a screen reader says.
    pub(crate) says: String,
    pub(crate) svg: Markup,
    /// Labels of the vertical axis, at per cent from the top.
    pub(crate) y: Vec<Label>,
    /// Labels of the horizontal axis, at per cent from the left.
    pub(crate) x: Vec<Label>,
    pub(crate) notes: Vec<Note>,
    pub(crate) events: Vec<Event>,
    pub(crate) bands: Vec<Band>,
    pub(crate) data: Option<Data>,
    /// No room for a vertical axis.
    pub(crate) bare: bool,
}

/// A label on an axis.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) at: Percent,
    pub(crate) text: String,
    pub(crate) class: &'static str,
}

/// Words at a place in the chart.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) left: Percent,
    pub(crate) top: Percent,
    pub(crate) text: String,
    pub(crate) class: &'static str,
}

/// An upright line with a word.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) left: Percent,
    pub(crate) text: String,
    pub(crate) class: &'static str,
    pub(crate) side: &'static str,
}

/// A span of time behind the drawing.
#[derive(Debug)]
pub(crate) struct Band {
    pub(crate) left: Percent,
    pub(crate) width: Percent,
    pub(crate) class: &'static str,
}

/// The chart's figures; the tooltip reads them too.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
    /// Where the first and the last row are in the chart.
    pub(crate) reach: (Percent, Percent),
}

/// A position in per cent, shown with two decimals at most; what is not finite is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Percent(pub(crate) f64);

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = if self.0.is_finite() {
            (self.0 * 100.0).round() / 100.0 + 0.0
        } else {
            0.0
        };
        write!(f, "{value}")
    }
}

/// Maps time to the width of a chart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeAxis {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl TimeAxis {
    /// The time that steps cover.
    pub(crate) fn of(steps: &Steps) -> TimeAxis {
        TimeAxis {
            from: steps.from,
            to: steps.end(),
        }
    }

    /// Position in 0 – 1; outside of it for times outside.
    pub(crate) fn at(self, time: Timestamp) -> f64 {
        let length = self.to.duration_since(self.from).as_secs_f64();
        if length > 0.0 {
            time.duration_since(self.from).as_secs_f64() / length
        } else {
            0.0
        }
    }

    /// Labels at quarters; narrow screens keep the first, the middle and the last.
    pub(crate) fn labels(self, last: Option<&str>) -> Vec<Label> {
        let length = self.to.duration_since(self.from);
        (0..=4)
            .map(|quarter| {
                let time = self
                    .from
                    .saturating_add(length * quarter / 4)
                    .unwrap_or(self.to);
                let text = match (quarter, last) {
                    (4, Some(last)) => last.to_owned(),
                    _ => self.name(time),
                };
                let class = ["s", "mn", "", "mn", "e"][usize::try_from(quarter).unwrap_or(0)];
                Label {
                    at: Percent(f64::from(quarter) * 25.0),
                    text,
                    class,
                }
            })
            .collect()
    }

    /// A time as this axis writes it: hours for up to 36 h, seconds below 5 min, else days.
    pub(crate) fn name(self, time: Timestamp) -> String {
        match self.to.duration_since(self.from).as_secs() {
            ..300 => format::second(time),
            300..129_600 => format::hour(time),
            _ => format::day(time),
        }
    }

    /// As [`TimeAxis::name`], for a row of the table: never ambiguous.
    pub(crate) fn row(self, time: Timestamp) -> String {
        match self.to.duration_since(self.from).as_secs() {
            ..300 => format::second(time),
            300..86_400 => format::hour(time),
            86_400..864_000 => format::day_hour(time),
            _ => format::day(time),
        }
    }
}

/// Where the first and the last of so many equal steps have their middles.
pub(crate) fn middles(steps: usize) -> (Percent, Percent) {
    let half = 50.0 / real(steps.max(1));
    (Percent(half), Percent(100.0 - half))
}

/// Draws the lines of a vertical axis from zero and names them.
pub(crate) fn rules(
    svg: &mut Svg,
    highest: f64,
    height: f64,
    name: impl Fn(f64) -> String,
) -> (f64, Vec<Label>) {
    let (top, distance) = round_axis(highest);
    let marks = (0..=4).map(|line| f64::from(line) * distance);
    let labels = marks.filter(|mark| *mark <= top * 1.001).map(|mark| {
        let at = 1.0 - mark / top;
        svg.level("gl", at * height);
        Label {
            at: Percent(at * 100.0),
            text: name(mark),
            class: "",
        }
    });
    let labels = labels.collect();
    (top, labels)
}

/// A vertical axis from zero: its top and the distance of its lines, both round.
pub(crate) fn round_axis(highest: f64) -> (f64, f64) {
    if !(highest.is_finite() && highest > 0.0) {
        return (1.0, 1.0);
    }
    let magnitude = 10_f64.powf(highest.log10().floor());
    let distance = [0.5, 1.0, 2.0, 3.0]
        .into_iter()
        .map(|step| step * magnitude)
        .find(|step| highest / step <= 3.0)
        .unwrap_or(5.0 * magnitude);
    ((highest / distance).ceil() * distance, distance)
}

/// A figure on an axis without needless digits: `0.5`, `300`.
pub(crate) fn axis_figure(value: f64) -> String {
    let digits = if value >= 1.0 || value <= 0.0 {
        1
    } else {
        place((-value.log10()).ceil().min(6.0)) + 1
    };
    let written = format!("{value:.digits$}");
    if written.contains('.') {
        written
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    } else {
        written
    }
}
