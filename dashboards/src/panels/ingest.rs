//! Where everything received went, and whose clocks are off.

use askama::Template;
use jiff::Timestamp;

use super::{Panel, Part, link, state};
use crate::markup::Markup;
use crate::number::real;
use crate::view::{Counts, Ingest, Sender, Signal};
use crate::{Text, format};

/// Senders shown; the JSON has all.
const MOST: usize = 12;

#[derive(Template)]
#[template(path = "panels/received.html")]
struct Received {
    signals: Vec<Table>,
    unweighted: Option<String>,
}

struct Table {
    name: &'static str,
    rows: Vec<Row>,
    received: Row,
}

struct Row {
    name: String,
    meaning: &'static str,
    total: String,
    share: String,
    bad: String,
    bad_share: String,
    lost: bool,
}

#[derive(Template)]
#[template(path = "panels/senders.html")]
struct Senders<'a> {
    rows: Vec<Clock<'a>>,
    more: String,
}

struct Clock<'a> {
    instance: &'a Text,
    named: bool,
    off: String,
    ahead: bool,
    spans: String,
    clamped: String,
    future: String,
}

/// The ledger of classes.
pub(crate) fn received(ingest: &Ingest, now: Timestamp) -> Part {
    let signals = ingest.signals.iter().filter(|one| one.received.total > 0);
    let signals: Vec<_> = signals.map(table).collect();
    let body = if signals.is_empty() {
        state("Nothing was received yet.", "")
    } else {
        Markup::of(&Received {
            signals,
            unweighted: ingest.unweighted.map(|at| unweighted(at, now)),
        })
    };
    Panel {
        id: "received",
        class: "c6",
        title: "Where everything received went",
        lead: "All services, since the store was made; each in exactly one class".to_owned(),
        action: link("/api/v1/ingest", "JSON"),
        body,
        ..Panel::default()
    }
    .part()
}

/// What it means that spans were sampled without a weight.
pub(crate) fn unweighted(at: Timestamp, now: Timestamp) -> String {
    format!(
        "Sampled without a weight, last at {}: such a span counts once, whatever it stands for, so that these counts are too small and may be one-sided.",
        format::time(at, now)
    )
}

fn table(signal: &Signal) -> Table {
    let all = signal.received.total;
    let filled = |rows: &[(&'static str, Counts)]| -> Vec<Row> {
        let filled = rows.iter().filter(|(_, counts)| counts.total > 0);
        filled
            .map(|(name, counts)| row(name, *counts, all))
            .collect()
    };
    let mut rows = filled(&signal.classes);
    rows.extend(filled(&signal.notes));
    Table {
        name: signal.name,
        rows,
        received: row("received", signal.received, all),
    }
}

fn row(name: &'static str, counts: Counts, all: u64) -> Row {
    let (meaning, lost) = meaning(name);
    Row {
        name: format::capitalised(name),
        meaning,
        total: format::grouped(counts.total),
        share: share(counts.total, all),
        bad: format::grouped(counts.bad),
        bad_share: share(counts.bad, counts.total),
        lost,
    }
}

fn share(part: u64, all: u64) -> String {
    if all == 0 {
        return format::UNKNOWN.to_owned();
    }
    format::share(real(part) / real(all))
}

/// What a class says, and whether its items are missing from every budget.
fn meaning(class: &str) -> (&'static str, bool) {
    match class {
        "counted" => ("used by an objective", false),
        "unmatched" => ("measured, no objective uses it", false),
        "duplicate" => ("came again, counted before", false),
        "late" => ("rejected: too old", true),
        "future" => ("rejected: too far ahead", true),
        "invalid" => ("rejected: not usable", true),
        "unsupported" => ("rejected: of a kind not measured", true),
        "shed" => ("refused for now, to be sent again", true),
        "clamped" => ("of these: a little ahead, taken as now", false),
        "overflowed" => ("of these: in an overflow series", false),
        "baseline" => ("of these: first of a running total", false),
        "unweighted" => ("of these: sampled without a weight, counted once", true),
        _ => ("", false),
    }
}

/// The clocks of this service's senders.
pub(crate) fn senders(ingest: &Ingest) -> Part {
    let shown = ingest.senders.iter().take(MOST);
    let body = if ingest.senders.is_empty() {
        state("No spans of this service since the start.", "")
    } else {
        Markup::of(&Senders {
            rows: shown.map(clock).collect(),
            more: more(ingest),
        })
    };
    Panel {
        id: "senders",
        class: "c6",
        title: "Clocks of the senders",
        lead: "Least time from a span's end to its arrival, last 5 min".to_owned(),
        body,
        ..Panel::default()
    }
    .part()
}

fn clock(sender: &Sender) -> Clock<'_> {
    let ahead = sender.skew_ms.is_some_and(|skew| skew < -1_000);
    Clock {
        instance: &sender.instance,
        named: !sender.instance.as_str().is_empty(),
        off: sender
            .skew_ms
            .map_or_else(|| format::UNKNOWN.to_owned(), off),
        ahead,
        spans: format::count(sender.spans),
        clamped: format::count(sender.clamped),
        future: format::count(sender.future),
    }
}

/// How far a clock is off: what is behind may also have been on its way.
fn off(skew_ms: i64) -> String {
    let apart = format::latency(skew_ms.unsigned_abs().saturating_mul(1_000));
    if skew_ms < 0 {
        format!("{apart} ahead")
    } else {
        format!("at most {apart} behind")
    }
}

fn more(ingest: &Ingest) -> String {
    let hidden = ingest.senders.len().saturating_sub(MOST);
    let mut sentences = Vec::new();
    if hidden > 0 {
        sentences.push(format!("{} more are in the JSON.", format::words(hidden)));
    }
    if let Some(others) = &ingest.other_senders {
        sentences.push(format!(
            "Senders beyond the first 1 000, of all services, sent {} spans: {} clamped, {} rejected as future.",
            format::count(others.spans),
            format::count(others.clamped),
            format::count(others.future)
        ));
    }
    sentences.join(" ")
}
