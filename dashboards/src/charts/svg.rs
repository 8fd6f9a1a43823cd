//! SVG made of numbers: the geometry of a chart, stretched to its box by the browser.

use std::fmt::Write;

use crate::markup::Markup;

/// Width of every drawing in its own units; the browser stretches it.
pub(crate) const WIDTH: f64 = 1_000.0;

/// A drawing `WIDTH` wide whose geometry stretches while its strokes do not.
#[derive(Debug)]
pub(crate) struct Svg {
    height: f64,
    body: String,
    class: &'static str,
}

impl Svg {
    /// An empty drawing, `height` units high (its height in CSS pixels).
    pub(crate) fn new(height: f64) -> Svg {
        Svg {
            height,
            body: String::new(),
            class: "",
        }
    }

    /// Gives the whole drawing a class.
    pub(crate) fn with_class(mut self, class: &'static str) -> Svg {
        self.class = class;
        self
    }

    /// Adds a path, unless it is empty.
    pub(crate) fn path(&mut self, class: &'static str, path: &Path) {
        if !path.0.is_empty() {
            push(
                &mut self.body,
                format_args!("<path class=\"{class}\" d=\"{}\"/>", path.0),
            );
        }
    }

    /// A horizontal line over the whole width.
    pub(crate) fn level(&mut self, class: &'static str, y: f64) {
        self.path(class, &Path::default().to(0.0, y).to(WIDTH, y));
    }

    /// A dot: a path without length and round caps, which stays round when stretched.
    pub(crate) fn dot(&mut self, class: &'static str, x: f64, y: f64) {
        let mut path = Path::default().to(x, y);
        path.0.push_str("h.01");
        self.path(class, &path);
    }

    /// The finished drawing.
    pub(crate) fn finish(self) -> Markup {
        let mut svg = String::with_capacity(self.body.len() + 160);
        push(
            &mut svg,
            format_args!(
                "<svg{} viewBox=\"0 0 1000 {}\" preserveAspectRatio=\"none\" aria-hidden=\"true\" \
                 focusable=\"false\">{}</svg>",
                Class(self.class),
                Number(self.height),
                self.body
            ),
        );
        Markup::drawing(svg)
    }
}

/// Path data.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path(String);

impl Path {
    /// Moves to the first point, draws a line to each further one.
    #[must_use]
    pub(crate) fn to(mut self, x: f64, y: f64) -> Path {
        self.add(x, y);
        self
    }

    /// As [`Path::to`], in place.
    pub(crate) fn add(&mut self, x: f64, y: f64) {
        let command = if self.0.is_empty() || self.0.ends_with('Z') {
            'M'
        } else {
            'L'
        };
        push(
            &mut self.0,
            format_args!("{command}{} {}", Number(x), Number(y)),
        );
    }

    /// Starts anew at a point, leaving a gap.
    pub(crate) fn jump(&mut self, x: f64, y: f64) {
        push(&mut self.0, format_args!("M{} {}", Number(x), Number(y)));
    }

    /// A closed rectangle.
    pub(crate) fn rect(&mut self, left: f64, top: f64, right: f64, bottom: f64) {
        let (left, top, right, bottom) = (Number(left), Number(top), Number(right), Number(bottom));
        push(
            &mut self.0,
            format_args!("M{left} {top}H{right}V{bottom}H{left}Z"),
        );
    }

    /// Closes the shape by way of the base line.
    pub(crate) fn close_at(&mut self, right: f64, left: f64, base: f64) {
        let (right, left, base) = (Number(right), Number(left), Number(base));
        push(&mut self.0, format_args!("L{right} {base}L{left} {base}Z"));
    }
}

/// A coordinate with at most one decimal; what is not finite becomes 0.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = if self.0.is_finite() {
            (self.0 * 10.0).round()
        } else {
            0.0
        };
        // Adding 0.0 turns −0 into 0.
        let value = tenths.clamp(-1e6, 1e6) / 10.0 + 0.0;
        write!(f, "{value}")
    }
}

struct Class(&'static str);

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, " class=\"{}\"", self.0)
        }
    }
}

/// Appends; writing to a string cannot fail.
fn push(into: &mut String, text: std::fmt::Arguments<'_>) {
    into.write_fmt(text).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short_and_always_finite() {
        let mut svg = Svg::new(84.0);
        svg.path(
            "ln",
            &Path::default()
                .to(0.04, -0.01)
                .to(f64::NAN, 1.25)
                .to(f64::INFINITY, 1e300),
        );
        svg.dot("dot", 500.0, 42.0);
        assert_eq!(
            svg.finish().into_string(),
            "<svg viewBox=\"0 0 1000 84\" preserveAspectRatio=\"none\" aria-hidden=\"true\" focusable=\"false\">\
             <path class=\"ln\" d=\"M0 0L0 1.3L0 100000\"/><path class=\"dot\" d=\"M500 42h.01\"/></svg>"
        );
    }
}
