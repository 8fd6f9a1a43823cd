//! Alerts: firing and pending ones, then history.

use askama::Template;
use jiff::Timestamp;

use super::{Panel, Part, state};
use crate::markup::Markup;
use crate::view::{Alert, AlertPhase, Mark, Severity};
use crate::{Text, format, links};

#[derive(Template)]
#[template(path = "panels/alerts.html")]
struct List<'a> {
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    glyph: &'static str,
    word: &'static str,
    href: String,
    title: &'a Text,
    rule: String,
    firing: bool,
    what: String,
    when: String,
}

/// The panel.
pub(crate) fn panel(
    alerts: &[Alert],
    now: Timestamp,
    class: &'static str,
    title: &'static str,
) -> Part {
    let body = if alerts.is_empty() {
        state(
            "No alert, firing or past.",
            "Rules are watched every 10 seconds.",
        )
    } else {
        Markup::of(&List {
            rows: alerts.iter().map(|alert| row(alert, now)).collect(),
        })
    };
    let firing = alerts
        .iter()
        .filter(|a| matches!(a.phase, AlertPhase::Firing { .. }))
        .count();
    let lead = match firing {
        0 => "None is firing".to_owned(),
        1 => "One is firing".to_owned(),
        more => format!("{} are firing", format::capitalised(&format::words(more))),
    };
    Panel {
        id: "alerts",
        class,
        title,
        lead,
        body,
        ..Panel::default()
    }
    .part()
}

fn row(alert: &Alert, now: Timestamp) -> Row<'_> {
    let (mark, named) = match alert.severity {
        Severity::Page => ("page", "Page"),
        Severity::Ticket => ("watch", "Ticket"),
    };
    let (glyph, firing, what, when) = match alert.phase {
        AlertPhase::Firing { since } => (
            mark,
            true,
            format!("firing {}", format::duration(format::between(since, now))),
            format!("since {}", format::time(since, now)),
        ),
        AlertPhase::Pending { since } => (
            "up",
            false,
            format!("pending {}", format::duration(format::between(since, now))),
            format!("since {}", format::time(since, now)),
        ),
        AlertPhase::Resolved { fired, at } => (
            "ok",
            false,
            format!("lasted {}", format::duration(format::between(fired, at))),
            format!("from {}", format::time(fired, now)),
        ),
    };
    let mut rule = alert.rule.as_str().to_owned();
    match &alert.mark {
        Some(Mark::Burn(threshold, long, short)) => {
            rule = format!(
                "{rule} · {} over {} and {}",
                format::threshold(*threshold),
                format::window(*long),
                format::window(*short)
            );
        }
        Some(Mark::When(when)) => rule = format!("{rule} · {when}"),
        None => {}
    }
    if let Some((maintenance, until)) = &alert.held {
        let until = format::time(*until, now);
        rule = format!("{rule} · held by maintenance {maintenance} until {until}");
    }
    if alert.late {
        rule.push_str(" · found in late data");
    }
    Row {
        glyph,
        word: named,
        href: links::slo(&alert.objective),
        title: &alert.title,
        rule,
        firing,
        what,
        when,
    }
}
