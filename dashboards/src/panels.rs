//! Panels: the sections pages are made of. Each has an id and can be sent alone while a page is watched.

pub(crate) mod alerts;
pub(crate) mod banner;
pub(crate) mod budget;
pub(crate) mod corrections;
pub(crate) mod definition;
pub(crate) mod endpoints;
pub(crate) mod frame;
pub(crate) mod ingest;
pub(crate) mod ladder;
pub(crate) mod latency;
pub(crate) mod numbers;
pub(crate) mod objectives;
pub(crate) mod policy;
pub(crate) mod requests;
pub(crate) mod services;
pub(crate) mod specs;
mod standing;
pub(crate) mod traces;
pub(crate) mod words;

use askama::Template;

use crate::Text;
use crate::markup::Markup;
use crate::view::Status;

/// A part of a page with its id.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) id: &'static str,
    pub(crate) html: Markup,
}

/// A ruled section with a title, a line that explains it, and a link or legend at the right.
#[derive(Debug, Default, Template)]
#[template(path = "parts/panel.html")]
pub(crate) struct Panel {
    pub(crate) id: &'static str,
    /// Its columns of twelve, such as `c8`.
    pub(crate) class: &'static str,
    pub(crate) title: &'static str,
    pub(crate) lead: String,
    pub(crate) action: Markup,
    pub(crate) body: Markup,
    /// The address asked for this one.
    pub(crate) focused: bool,
}

impl Panel {
    /// Renders it.
    pub(crate) fn part(self) -> Part {
        Part {
            id: self.id,
            html: Markup::of(&self),
        }
    }
}

#[derive(Template)]
#[template(path = "parts/state.html")]
struct State {
    head: String,
    rest: String,
    hatched: bool,
}

/// What a panel says when it has nothing to draw: what is so, and what follows.
pub(crate) fn state(head: &str, rest: &str) -> Markup {
    Markup::of(&State {
        head: head.to_owned(),
        rest: rest.to_owned(),
        hatched: false,
    })
}

/// The same where data are missing: hatched.
pub(crate) fn no_data(head: &str, rest: &str) -> Markup {
    Markup::of(&State {
        head: head.to_owned(),
        rest: rest.to_owned(),
        hatched: true,
    })
}

/// What a panel says when what it shows could not be read; the rest of the page stays.
pub(crate) fn trouble(reference: &Text) -> Markup {
    no_data(
        "This panel could not be drawn.",
        &format!("{reference}. The rest of the page is current."),
    )
}

/// Class suffix and word of a status.
pub(crate) fn named(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Paging => ("page", "Paging"),
        Status::Missed => ("spent", "Missed"),
        Status::Ticket => ("watch", "Ticket"),
        Status::NoData => ("none", "No data"),
        Status::OnTrack => ("ok", "On track"),
    }
}

#[derive(Template)]
#[template(path = "parts/status.html")]
struct StatusWord<'a> {
    class: &'a str,
    glyph: &'a str,
    word: &'a str,
}

/// Glyph and word of a status.
pub(crate) fn status(status: Status) -> Markup {
    let (class, word) = named(status);
    mark(class, class, word)
}

/// A glyph of one name in the colour of another, with a word.
pub(crate) fn mark(class: &'static str, glyph: &'static str, word: &str) -> Markup {
    Markup::of(&StatusWord { class, glyph, word })
}

#[derive(Template)]
#[template(path = "parts/glyph.html")]
struct Glyph {
    class: &'static str,
    word: &'static str,
}

/// The glyph alone; the word is for those who do not see it.
pub(crate) fn glyph(status: Status) -> Markup {
    let (class, word) = named(status);
    Markup::of(&Glyph { class, word })
}

#[derive(Template)]
#[template(source = "<a href=\"{{ href }}\">{{ word }}</a>", ext = "html")]
struct Link<'a> {
    href: &'a str,
    word: &'a str,
}

/// A link for a panel's corner.
pub(crate) fn link(href: &str, word: &str) -> Markup {
    Markup::of(&Link { href, word })
}
