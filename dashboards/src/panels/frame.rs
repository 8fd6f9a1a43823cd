//! What surrounds every page.

use askama::Template;

use super::{Part, words};
use crate::markup::Markup;
use crate::view::{Counts, OpenPage, Page, Range, Shell, Theme};
use crate::{Text, assets, format, links};

/// A page's own parts of its frame.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) shell: &'a Shell,
    pub(crate) page: Page,
    pub(crate) title: String,
    /// The left end of the second row.
    pub(crate) head: Markup,
    pub(crate) chips: Vec<Chip>,
    pub(crate) body: Markup,
}

/// A link of the second row.
#[derive(Debug)]
pub(crate) struct Chip {
    pub(crate) href: String,
    pub(crate) word: &'static str,
    pub(crate) value: String,
    pub(crate) current: bool,
}

#[derive(Template)]
#[template(path = "layout.html")]
struct Layout<'a> {
    shell: &'a Shell,
    theme: Option<&'static str>,
    refresh: bool,
    title: &'a str,
    stamp: String,
    tokens: &'static str,
    style: &'static str,
    script: &'static str,
    debug: Option<String>,
    /// Which entry of the navigation is marked.
    marked: &'static str,
    pill: Markup,
    strip: Markup,
    scope: Markup,
    storage: Markup,
    problems: Markup,
    body: &'a Markup,
    foot: Markup,
}

/// The whole page.
pub(crate) fn layout(frame: &Frame<'_>) -> String {
    let shell = frame.shell;
    let [tokens, style, script] = assets::names();
    Markup::of(&Layout {
        shell,
        theme: shell.theme.map(|theme| match theme {
            Theme::Light => "light",
            Theme::Dark => "dark",
        }),
        refresh: frame.page == Page::Oncall,
        title: &frame.title,
        stamp: format::stamp(shell.at),
        tokens,
        style,
        script,
        debug: shell.debug_service.as_deref().map(links::debug),
        marked: marked(frame.page),
        pill: pill(shell).html,
        strip: strip(shell, frame.page).html,
        scope: scope(frame),
        storage: storage(&shell.storage),
        problems: problems(&shell.catalog_problems, &shell.catalog_warnings),
        body: &frame.body,
        foot: foot(shell).html,
    })
    .into_string()
}

fn marked(page: Page) -> &'static str {
    match page {
        Page::Executive => "executive",
        Page::Oncall => "oncall",
        Page::Debug => "debug",
        Page::Slos | Page::Slo => "slos",
        Page::Specs => "specs",
        Page::Elsewhere => "",
    }
}

/// The parts of the frame that change while a page is watched.
pub(crate) fn parts(shell: &Shell, page: Page) -> Vec<Part> {
    vec![pill(shell), strip(shell, page), foot(shell)]
}

#[derive(Template)]
#[template(path = "parts/pill.html")]
struct Pill {
    live: bool,
    evaluation: u64,
    at: String,
    instant: String,
}

fn pill(shell: &Shell) -> Part {
    let html = Markup::of(&Pill {
        live: shell.live,
        evaluation: shell.evaluation,
        at: format::second(shell.at),
        instant: shell.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    Part { id: "pill", html }
}

#[derive(Template)]
#[template(path = "parts/strip.html")]
struct Strip<'a> {
    first: Option<&'a OpenPage>,
    lasting: String,
    more: String,
    href: String,
}

/// One line about what pages, except on the page that leads with it.
fn strip(shell: &Shell, page: Page) -> Part {
    let first = shell.paging.first().filter(|_| page != Page::Oncall);
    let since = first.map_or(shell.at, |page| page.since);
    let more = match shell.paging.len() {
        0 | 1 => String::new(),
        more => format!("and {} more", format::words(more - 1)),
    };
    let lasting = format::duration(format::between(since, shell.at));
    let html = Markup::of(&Strip {
        first,
        lasting,
        more,
        href: "/oncall".to_owned(),
    });
    Part { id: "strip", html }
}

#[derive(Template)]
#[template(path = "parts/scope.html")]
struct Scope<'a> {
    head: &'a Markup,
    chips: &'a [Chip],
}

fn scope(frame: &Frame<'_>) -> Markup {
    Markup::of(&Scope {
        head: &frame.head,
        chips: &frame.chips,
    })
}

#[derive(Template)]
#[template(path = "parts/storage.html")]
struct Storage<'a> {
    notes: &'a [Text],
}

fn storage(notes: &[Text]) -> Markup {
    if notes.is_empty() {
        Markup::default()
    } else {
        Markup::of(&Storage { notes })
    }
}

#[derive(Template)]
#[template(path = "parts/problems.html")]
struct Problems<'a> {
    first: &'a [Text],
    more: &'a [Text],
    warnings: &'a [Text],
    count: String,
}

/// Problems that are shown at once; the others unfold.
const PROBLEMS: usize = 5;

/// Errors stand out, warnings are a folded line: what they are about is in force.
fn problems(problems: &[Text], warnings: &[Text]) -> Markup {
    let (first, more) = problems.split_at(problems.len().min(PROBLEMS));
    Markup::of(&Problems {
        first,
        more,
        warnings,
        count: format::words(warnings.len()),
    })
}

#[derive(Template)]
#[template(path = "parts/foot.html")]
struct Foot {
    telemetry: String,
    version: &'static str,
}

fn foot(shell: &Shell) -> Part {
    let telemetry = match shell.last_event {
        None => "No telemetry received yet".to_owned(),
        Some(at) => format!(
            "Telemetry from {} {}, newest {}{}",
            shell.services,
            if shell.services == 1 {
                "service"
            } else {
                "services"
            },
            format::time(at, shell.at),
            counted(shell.received)
        ),
    };
    Part {
        id: "foot",
        html: Markup::of(&Foot {
            telemetry,
            version: shell.version,
        }),
    }
}

/// How complete what was counted is.
fn counted((received, rejected): (u64, u64)) -> String {
    let counts = Counts {
        total: received,
        bad: rejected,
    };
    if rejected == 0 {
        String::new()
    } else {
        format!(
            " · {} of what was received is counted",
            format::good(counts, 0.99)
        )
    }
}

/// The chips of a page with a time range: the last hours, and an absolute link to share.
pub(crate) fn range_chips(path: &str, range: Range, now: jiff::Timestamp) -> Vec<Chip> {
    let shown = format::between(range.from, range.to).as_secs();
    let mut chips: Vec<Chip> = [(15, "15 min"), (60, "1 h"), (360, "6 h"), (1_440, "24 h")]
        .into_iter()
        .map(|(minutes, value)| Chip {
            href: links::last(path, minutes),
            word: "Last",
            value: value.to_owned(),
            current: range.live && shown.abs_diff(u64::from(minutes) * 60) <= 60,
        })
        .collect();
    if !range.live {
        chips.push(Chip {
            href: links::at(path, range, None),
            word: "",
            value: format!(
                "{} – {}",
                format::time(range.from, now),
                format::time(range.to, now)
            ),
            current: true,
        });
    }
    chips.push(Chip {
        href: links::at(
            path,
            Range {
                live: false,
                ..range
            },
            None,
        ),
        word: "Share",
        value: String::new(),
        current: false,
    });
    chips
}

#[derive(Template)]
#[template(source = "<span class=\"h1 pagename\">{{ name }}</span>", ext = "html")]
struct RowName<'a> {
    name: &'a str,
}

/// The page's name in the second row.
pub(crate) fn row_name(name: &str) -> Markup {
    Markup::of(&RowName { name })
}

#[derive(Template)]
#[template(
    source = "{{ status }}<span class=\"dim\"><bdi>{{ service }}</bdi></span>",
    ext = "html"
)]
struct Standing<'a> {
    status: Markup,
    service: &'a Text,
}

/// Status and service, at the left of an objective's page.
pub(crate) fn standing(objective: &crate::view::Objective, now: jiff::Timestamp) -> Markup {
    let (class, word) = super::named(objective.status);
    let since = words::since(objective, now);
    let word = if since.is_empty() {
        word.to_owned()
    } else {
        format!("{word}, {since}")
    };
    Markup::of(&Standing {
        status: super::mark(class, class, &word),
        service: &objective.service,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_problems_do_not_push_the_page_away() {
        let all = |count: usize| -> Vec<Text> {
            (0..count)
                .map(|n| Text::new(&format!("problem {n}.")))
                .collect()
        };
        let shown = |errors, warnings| problems(&all(errors), &all(warnings)).to_string();
        assert_eq!(shown(0, 0), "");
        assert!(!shown(PROBLEMS, 0).contains("<details>"));
        let many = shown(PROBLEMS + 2, 0);
        let (first, more) = many.split_once("<details>").unwrap();
        assert!(first.contains("problem 4.") && more.contains("2 more"));
        assert!(more.contains("problem 5.") && more.contains("problem 6."));
    }

    #[test]
    fn a_warning_is_no_problem_of_what_is_in_force() {
        let all = |count: usize| vec![Text::new("a page reaches nobody"); count];
        let one = problems(&[], &all(1)).to_string();
        assert!(one.contains("The specs in force have one warning"), "{one}");
        assert!(!one.contains("have problems"), "{one}");
        let more = problems(&[], &all(3)).to_string();
        assert!(more.contains("have three warnings"), "{more}");
    }
}
