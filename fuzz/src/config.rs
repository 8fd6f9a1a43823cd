//! The configuration file: every problem is told with its place, and what is read is what a plain reader reads.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::net::SocketAddr;

use serde::Deserialize;

#[path = "../../server/src/config/document.rs"]
mod document;

use document::{Origin, Section};

/// As the server's.
#[derive(Debug, PartialEq)]
struct Problem {
    place: String,
    message: String,
}

/// Some fields, of every shape that there is.
#[derive(Debug, PartialEq)]
struct Read {
    specs: Option<String>,
    ingest_slo: Option<bool>,
    web: Option<SocketAddr>,
    series: Option<usize>,
    late: Option<String>,
    receivers: Vec<(usize, Receiver)>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Receiver {
    name: String,
    severities: Option<Vec<String>>,
    #[serde(default)]
    allow_private: bool,
}

pub(crate) fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (found, problems) = read(text);
    assert_eq!((&found, &problems), (&read(text).0, &read(text).1));
    let lines = text.matches('\n').count() + 1;
    for problem in &problems {
        let place: Vec<&str> = problem.place.split(':').collect();
        let place = place
            .iter()
            .skip(1)
            .map(|number| number.parse().expect("a number"));
        let place: Vec<usize> = place.collect();
        assert_eq!(place.len(), 2, "a problem in no place: {problem:?}");
        let (line, column) = (place[0], place[1]);
        let width = text
            .split('\n')
            .nth(line - 1)
            .map_or(0, |line| line.chars().count());
        assert!(
            line <= lines && (1..=width + 1).contains(&column),
            "{problem:?}"
        );
        assert!(!problem.message.is_empty());
    }
    let plain = text.parse::<toml::Table>();
    if plain.is_err() {
        assert!(!problems.is_empty(), "what is no TOML is told: {plain:?}");
    }
    if problems.is_empty() {
        is_what_a_plain_reader_reads(&found, &plain.expect("it has no problem"));
    }
}

fn read(text: &str) -> (Read, Vec<Problem>) {
    let mut problems = Vec::new();
    let path = "fuzz.toml";
    let mut root = Section::parse(Origin { path, text }, &mut problems);
    let mut listen = root.section("listen", &mut problems);
    let mut limits = root.section("limits", &mut problems);
    let read = Read {
        specs: root.take("specs", &mut problems),
        ingest_slo: root.take("ingest_slo", &mut problems),
        web: listen.take("web", &mut problems),
        series: limits.take("series", &mut problems),
        late: limits.take("late", &mut problems),
        receivers: root.list("receivers", &mut problems),
    };
    listen.finish(&mut problems);
    limits.finish(&mut problems);
    root.finish(&mut problems);
    (read, problems)
}

/// All of it is taken, and nothing else.
fn is_what_a_plain_reader_reads(read: &Read, plain: &toml::Table) {
    let known = ["specs", "ingest_slo", "listen", "limits", "receivers"];
    let known = BTreeSet::from(known);
    assert!(plain.keys().all(|key| known.contains(&**key)), "{plain:?}");
    let of = |section: &str, field: &str| plain.get(section).and_then(|section| section.get(field));
    same(read.specs.as_ref(), plain.get("specs"));
    same(read.ingest_slo.as_ref(), plain.get("ingest_slo"));
    same(read.web.as_ref(), of("listen", "web"));
    same(read.series.as_ref(), of("limits", "series"));
    same(read.late.as_ref(), of("limits", "late"));
    let receivers = plain.get("receivers").and_then(toml::Value::as_array);
    let receivers = receivers.map(Vec::as_slice).unwrap_or_default();
    assert_eq!(receivers.len(), read.receivers.len());
    for ((_, read), plain) in read.receivers.iter().zip(receivers) {
        assert_eq!(Ok(read), plain.clone().try_into().as_ref());
    }
}

fn same<'a, T: Deserialize<'a> + Debug + PartialEq>(read: Option<&T>, plain: Option<&toml::Value>) {
    let plain = plain.map(|value| T::deserialize(value.clone()).expect("it was read"));
    assert_eq!(read, plain.as_ref());
}
