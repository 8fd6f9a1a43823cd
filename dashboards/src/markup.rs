//! HTML that is already escaped: the one place where something is marked as safe.

use std::fmt;

use askama::Template;

/// What is shown where a part could not be drawn.
const NOT_DRAWN: &str = "<p class=\"state\"><b>This could not be drawn.</b></p>";

/// HTML or SVG that templates insert as it is.
///
/// There are two ways to make one, and both are safe: the output of one of our askama templates, which
/// escaped every string in it, and an [`Svg`](crate::charts::svg::Svg), which is made of numbers and of
/// class names that are constants of this crate. No string that came from outside can become markup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Markup(String);

impl Markup {
    /// Renders a template.
    pub(crate) fn of(template: &impl Template) -> Markup {
        Markup(template.render().unwrap_or_else(|_| NOT_DRAWN.to_owned()))
    }

    /// Takes a finished drawing; only `charts::svg` calls this.
    pub(crate) fn drawing(svg: String) -> Markup {
        Markup(svg)
    }

    /// The HTML.
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Markup {}
