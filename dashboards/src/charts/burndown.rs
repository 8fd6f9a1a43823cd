//! Budget left over the window, and three ways it can go on.

use jiff::Timestamp;

use super::plot::{Band, Data, Event, Label, Note, Percent, Plot, TimeAxis};
use super::svg::{Path, Svg, WIDTH};
use crate::format;
use crate::number::{place, real};
use crate::view::{Counts, Status, Steps, Window};

/// How far ahead is drawn, as a share of the window.
const AHEAD: f64 = 0.73;

/// What the burndown is drawn from.
#[derive(Debug)]
pub(crate) struct Burndown<'a> {
    /// Up to two windows back, ending now.
    pub(crate) past: &'a Steps,
    pub(crate) window: &'a Window,
    pub(crate) target: f64,
    /// The figure of the tile: the chart's last point is this one.
    pub(crate) left: Option<f64>,
    /// Error ratios to go on with, and their names.
    pub(crate) rates: Vec<(f64, String)>,
    pub(crate) now: Timestamp,
    pub(crate) status: Status,
}

/// Budget left at the ends of steps: `(position in steps from now, left)`.
pub(crate) type Course = Vec<(f64, Option<f64>)>;

impl Burndown<'_> {
    /// Steps in a window, at least one; of a period, those since it began.
    fn reach(&self) -> usize {
        match self.window {
            Window::Rolling(length) => {
                let steps = length.as_secs() / self.past.step.as_secs().max(1);
                usize::try_from(steps).unwrap_or(usize::MAX).max(1)
            }
            Window::Period(_) => self.past.counts.len().max(1),
        }
    }

    /// How far the chart shows: from when, and until when.
    fn domain(&self) -> (Timestamp, Timestamp) {
        match self.window {
            Window::Rolling(length) => (
                self.now.saturating_sub(*length).unwrap_or(self.now),
                self.now
                    .saturating_add(length.mul_f64(AHEAD))
                    .unwrap_or(self.now),
            ),
            Window::Period(period) => (period.from, period.until.max(self.now)),
        }
    }

    /// Steps ahead that are drawn.
    fn ahead_steps(&self) -> f64 {
        match self.window {
            Window::Rolling(_) => real(self.reach()) * AHEAD,
            Window::Period(period) => {
                let left = format::between(self.now, period.until);
                left.as_secs_f64() / self.past.step.as_secs_f64().max(1.0)
            }
        }
    }

    /// `1 − bad ÷ (B · total)`; `None` without events.
    fn left(&self, total: f64, bad: f64) -> Option<f64> {
        (total > 0.0).then(|| 1.0 - bad / ((1.0 - self.target) * total))
    }

    /// The window as it was at the end of each step of the last window.
    pub(crate) fn history(&self) -> Course {
        let (counts, reach) = (&self.past.counts, self.reach());
        let first = counts.len().saturating_sub(reach);
        let mut course: Course = (first..=counts.len())
            .map(|end| {
                let sum = sum(counts
                    .get(end.saturating_sub(reach)..end)
                    .unwrap_or_default());
                let (left, back) = (
                    self.left(real(sum.total), real(sum.bad)),
                    real(counts.len() - end),
                );
                (-back, left)
            })
            .collect();
        if let Some(last) = course.last_mut() {
            last.1 = self.left;
        }
        course
    }

    /// The window as it will be if `error_ratio` of an even traffic fails: what was spent also comes back as
    /// it leaves the window. Traffic is the mean of the measured steps of the window.
    pub(crate) fn ahead(&self, error_ratio: f64) -> Course {
        let (counts, reach) = (&self.past.counts, self.reach());
        let window = counts
            .get(counts.len().saturating_sub(reach)..)
            .unwrap_or_default();
        let measured = window.iter().filter(|counts| counts.total > 0).count();
        let traffic = real(sum(window).total) / real(measured.max(1));
        let steps = place(self.ahead_steps().ceil());
        let mut course = vec![(0.0, self.left)];
        for step in 1..=steps {
            // Of the window's steps the oldest have left; a young window has empty ones before the first.
            // A period keeps what it has.
            let gone = match self.window {
                Window::Rolling(_) => (step + window.len()).saturating_sub(reach),
                Window::Period(_) => 0,
            };
            let kept = sum(window.get(gone.min(window.len())..).unwrap_or_default());
            let (total, bad) = (
                real(kept.total) + traffic * real(step),
                real(kept.bad) + traffic * real(step) * error_ratio,
            );
            let left = self.left(total, bad);
            course.push((real(step).min(self.ahead_steps()), left));
            if error_ratio > 0.0 && left.is_some_and(|left| left <= 0.0) {
                break;
            }
        }
        course
    }

    /// Draws it.
    pub(crate) fn plot(&self) -> Plot {
        let (history, stopped) = (self.history(), self.ahead(0.0));
        let rates: Vec<_> = self
            .rates
            .iter()
            .map(|(ratio, name)| (self.ahead(*ratio), name))
            .collect();
        let lowest = history
            .iter()
            .filter_map(|(_, left)| *left)
            .fold(0.0_f64, f64::min);
        let bottom = (lowest * 4.0).floor().max(-4.0) / 4.0;
        let canvas = Canvas::new(self.reach(), self.ahead_steps(), bottom);
        let mut svg = Svg::new(Canvas::HEIGHT);
        let y = canvas.grid(&mut svg);
        let (stroke, area) = canvas.course(&history);
        svg.path("ar ink", &area);
        svg.path("ln ink", &stroke);
        svg.path("ln ok dash", &canvas.course(&stopped).0);
        let mut notes = canvas.stopped_note(&stopped);
        for (index, (course, name)) in rates.iter().enumerate() {
            svg.path(
                if index == 0 {
                    "ln page"
                } else {
                    "ln page thin dash"
                },
                &canvas.course(course).0,
            );
            notes.extend(canvas.rate_note(course, name, index));
        }
        if let Some(left) = self.left {
            let (x, y) = (canvas.x(0.0) * WIDTH, canvas.y(left) * Canvas::HEIGHT);
            svg.dot("dot paper", x, y);
            svg.dot(now_dot(self.status), x, y);
        }
        let axis = self.axis();
        let now = canvas.x(0.0) * 100.0;
        Plot {
            height: 270,
            says: self.says(&stopped, &rates, axis),
            svg: svg.finish(),
            y,
            x: self.days(axis),
            notes,
            events: vec![Event {
                left: Percent(now),
                text: "now".to_owned(),
                class: "now",
                side: "",
            }],
            bands: vec![Band {
                left: Percent(now),
                width: Percent(100.0 - now),
                class: "fut",
            }],
            data: Some(self.table(&history, axis, now)),
            ..Plot::default()
        }
    }

    fn axis(&self) -> TimeAxis {
        let (from, to) = self.domain();
        TimeAxis { from, to }
    }

    /// A period's ends are by the clocks of its zone, as everywhere it is named.
    fn days(&self, axis: TimeAxis) -> Vec<Label> {
        let mut labels = axis.labels(None);
        if let (Window::Period(period), [first, .., last]) = (self.window, labels.as_mut_slice()) {
            first.text = period.began.to_string();
            last.text = period.resets.to_string();
        }
        labels
    }

    fn at(&self, steps: f64) -> Timestamp {
        let length = self.past.step.mul_f64(steps.abs());
        let at = if steps < 0.0 {
            self.now.saturating_sub(length)
        } else {
            self.now.saturating_add(length)
        };
        at.unwrap_or(self.now)
    }

    fn says(&self, stopped: &Course, rates: &[(Course, &String)], axis: TimeAxis) -> String {
        let now = match self.left {
            Some(_) => format!("{} of the error budget left now", format::budget(self.left)),
            None => return "Nothing was measured in this window".to_owned(),
        };
        let stopped = stopped.last().map(|(steps, left)| {
            let when = axis.row(self.at(*steps));
            format!("if nothing fails, {} on {when}", format::budget(*left))
        });
        let empty = rates
            .iter()
            .filter_map(|(course, name)| match course.last() {
                Some((steps, Some(..=0.0))) => {
                    Some(format!("{name} empty at {}", axis.row(self.at(*steps))))
                }
                _ => None,
            });
        let sentences: Vec<_> = std::iter::once(now).chain(stopped).chain(empty).collect();
        sentences.join("; ")
    }

    /// At most 60 rows: every so many steps, and the last.
    fn table(&self, history: &Course, axis: TimeAxis, now: f64) -> Data {
        let every = history.len().div_ceil(60).max(1);
        let rows: Vec<_> = history
            .iter()
            .rev()
            .step_by(every)
            .map(|(steps, left)| {
                vec![
                    axis.row(self.at(*steps)),
                    format!("{} left", format::budget_fine(*left)),
                ]
            })
            .collect();
        let first = (history.len().saturating_sub(1)) / every * every;
        let start = now - now * real(first) / real(self.reach());
        Data {
            columns: vec!["At", "Left"],
            rows: rows.into_iter().rev().collect(),
            reach: (Percent(start), Percent(now)),
        }
    }
}

fn now_dot(status: Status) -> &'static str {
    match status {
        Status::Paging => "dot page lg",
        Status::Missed => "dot spent lg",
        Status::Ticket => "dot watch lg",
        Status::NoData => "dot none lg",
        Status::OnTrack => "dot ok lg",
    }
}

fn sum(counts: &[Counts]) -> Counts {
    counts
        .iter()
        .fold(Counts::default(), |sum, step| sum.plus(*step))
}

/// The chart's coordinates: steps from now, and budget left.
#[derive(Debug)]
struct Canvas {
    back: f64,
    ahead: f64,
    bottom: f64,
}

impl Canvas {
    const HEIGHT: f64 = 270.0;

    fn new(reach: usize, ahead: f64, bottom: f64) -> Canvas {
        Canvas {
            back: real(reach),
            ahead,
            bottom,
        }
    }

    /// Position 0 – 1 from the left.
    fn x(&self, steps: f64) -> f64 {
        ((steps + self.back) / (self.back + self.ahead)).clamp(0.0, 1.0)
    }

    /// Position 0 – 1 from the top.
    fn y(&self, left: f64) -> f64 {
        (1.0 - left.clamp(self.bottom, 1.0)) / (1.0 - self.bottom)
    }

    fn grid(&self, svg: &mut Svg) -> Vec<Label> {
        let mut labels = Vec::new();
        for quarter in -4..=4 {
            let left = f64::from(quarter) / 4.0;
            if left < self.bottom {
                continue;
            }
            let at = self.y(left);
            svg.level(if quarter == 0 { "g0" } else { "gl" }, at * Canvas::HEIGHT);
            let figure = format::budget(Some(left));
            let text = if quarter == 4 {
                figure
            } else {
                figure.trim_end_matches('%').to_owned()
            };
            labels.push(Label {
                at: Percent(at * 100.0),
                text,
                class: "",
            });
        }
        labels
    }

    fn course(&self, course: &Course) -> (Path, Path) {
        let (mut stroke, mut area) = (Path::default(), Path::default());
        let base = self.y(0.0) * Canvas::HEIGHT;
        let mut start: Option<(f64, f64)> = None;
        for (steps, left) in course {
            let x = self.x(*steps) * WIDTH;
            match (left, start) {
                (Some(left), None) => {
                    stroke.jump(x, self.y(*left) * Canvas::HEIGHT);
                    area.jump(x, self.y(*left) * Canvas::HEIGHT);
                    start = Some((x, x));
                }
                (Some(left), Some((from, _))) => {
                    stroke.add(x, self.y(*left) * Canvas::HEIGHT);
                    area.add(x, self.y(*left) * Canvas::HEIGHT);
                    start = Some((from, x));
                }
                (None, Some((from, to))) => {
                    area.close_at(to, from, base);
                    start = None;
                }
                (None, None) => {}
            }
        }
        if let Some((from, to)) = start {
            area.close_at(to, from, base);
        }
        (stroke, area)
    }

    fn stopped_note(&self, stopped: &Course) -> Vec<Note> {
        let last = stopped.last().and_then(|(_, left)| *left);
        let now = self.x(0.0);
        let note = last.map(|left| {
            // Where what is ahead is too narrow for the words they stand before now.
            let (at, class) = if now > 0.65 {
                (now, "r ok strong halo back")
            } else {
                (1.0, "r ok strong up")
            };
            Note {
                left: Percent(at * 100.0),
                top: Percent(self.y(left) * 100.0),
                text: "if nothing fails".to_owned(),
                class,
            }
        });
        note.into_iter().collect()
    }

    /// The steepest course is named at the left of now, where there is room; the next one at its end.
    fn rate_note(&self, course: &Course, name: &str, index: usize) -> Option<Note> {
        let (steps, left) = course.last()?;
        let end = self.x(*steps) * 100.0;
        let (x, class) = match (index, end) {
            (0, ..70.0) => (self.x(0.0) * 100.0, "r page halo mn back"),
            (_, 85.0..) => (end, "r page halo mn back"),
            _ => (end, "l page halo mn fore"),
        };
        let top = self.y((*left)?) * 100.0 - 6.0;
        Some(Note {
            left: Percent(x),
            top: Percent(top),
            text: name.to_owned(),
            class,
        })
    }
}

#[cfg(test)]
#[path = "burndown_tests.rs"]
mod tests;
