//! Corrections: as they are written, when they are in force, and what cannot be.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use slo_specs::{Correction, CorrectionKind, Loaded, SeenSegments, SourceFile, excluded, load};

use crate::given;

const SLO: &str = "apiVersion: openslo/v1
kind: SLO
metadata: { name: NAME }
spec:
  service: SERVICE
  timeWindow: [{ duration: 30d, isRolling: true }]
  budgetingMethod: Occurrences
  indicator:
    spec:
      ratioMetric:
        counter: true
        bad: { metricSource: { type: otlp, spec: { signal: traces, status: error, match: { service.name: web } } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: web } } } }
  objectives: [{ target: 0.999 }]
";

const HEAD: &str = "apiVersion: sloburn/v1
kind: Correction
metadata: { name: work, displayName: Weekly work }
spec:
  description: the index is rebuilt
  author: ada@example.com
";

fn document(spec: &str) -> String {
    format!("{HEAD}  {}\n", spec.replace('\n', "\n  "))
}

fn loaded(spec: &str) -> (Loaded, Vec<String>) {
    let slo = |name: &str, service: &str| SLO.replace("NAME", name).replace("SERVICE", service);
    let files = [
        (
            "slos.yaml",
            format!(
                "{}---\n{}---\n{}",
                slo("search", "search"),
                slo("search-slow", "search"),
                slo("pay", "payments")
            ),
        ),
        ("work.yaml", document(spec)),
    ];
    let files = files.map(|(path, text)| SourceFile {
        path: path.into(),
        text,
    });
    let loaded = load(&files);
    let problems = loaded.problems.iter();
    let problems = problems.map(|problem| {
        let help = problem.help.clone().unwrap_or_default();
        format!(
            "{}:{} {}; {help}",
            problem.line, problem.column, problem.message
        )
    });
    let problems = problems.collect();
    (loaded, problems)
}

fn correction(spec: &str) -> Arc<Correction> {
    let (loaded, problems) = loaded(spec);
    assert_eq!(problems, [""; 0], "{spec}");
    Arc::clone(&loaded.catalog.corrections[0])
}

fn second(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("an instant").as_second()
}

/// Occurrences between two instants, as `start/end` in UTC to the minute.
fn occurrences(correction: &Correction, from: &str, to: &str) -> Vec<String> {
    let minute = |second: i64| {
        let instant = Timestamp::from_second(second).expect("in range");
        instant.strftime("%Y-%m-%dT%H:%M").to_string()
    };
    let found = correction
        .when
        .occurrences(second(from), second(to))
        .into_iter();
    found
        .map(|(start, end)| format!("{}/{}", minute(start), minute(end)))
        .collect()
}

#[test]
fn a_correction_says_who_why_and_when() {
    let one = correction(
        "type: maintenance\nslos: [search]\nstart: 2026-03-01T02:00:00Z\nend: 2026-03-01T04:30:00Z",
    );
    assert_eq!(
        (one.name.as_str(), one.title.as_str()),
        ("work", "Weekly work")
    );
    assert_eq!(
        (one.reason.as_str(), one.author.as_str()),
        ("the index is rebuilt", "ada@example.com")
    );
    assert_eq!(one.kind, CorrectionKind::Maintenance);
    assert_eq!(
        (one.source.file.as_str(), one.source.line),
        ("work.yaml", 5)
    );
    let (begin, end) = (
        second("2026-03-01T02:00:00Z"),
        second("2026-03-01T04:30:00Z"),
    );
    assert_eq!(
        one.at(begin),
        None,
        "the slice that ends where it begins is before it"
    );
    assert_eq!(one.at(begin + 10), Some((begin, end)));
    assert_eq!(
        one.at(end),
        Some((begin, end)),
        "the slice that ends with it is its last"
    );
    assert_eq!(one.at(end + 10), None);
    assert_eq!(
        one.spans(begin + 60, end - 60),
        [(begin + 60, end - 60)],
        "clipped"
    );
}

#[test]
fn it_applies_to_the_slos_and_services_it_names() {
    for (scope, expected) in [
        ("slos: [search]", vec!["search"]),
        ("slos: [search, pay]", vec!["pay", "search"]),
        ("services: [search]", vec!["search", "search-slow"]),
        (
            "services: [search]\nslos: [pay]",
            vec!["pay", "search", "search-slow"],
        ),
    ] {
        let spec = format!("type: exclusion\n{scope}\nstart: 2026-03-01T02:00:00Z\nduration: 2h");
        let (loaded, problems) = loaded(&spec);
        assert_eq!(problems, [""; 0]);
        let objectives = loaded.catalog.objectives.iter();
        let corrected = objectives.filter(|one| !one.corrections.is_empty());
        let corrected: Vec<_> = corrected.map(|one| one.id.as_str()).collect();
        assert_eq!(corrected, expected, "{scope}");
    }
}

/// What is told | when, lines separated by `/` | from | to | occurrences.
const VECTORS: &str = "\
by the clocks of a zone | start: 2026-07-01 02:00 / duration: 2h / timeZone: Europe/Berlin | 2026-01-01 | 2027-01-01 | 2026-07-01T00:00/2026-07-01T02:00
with an offset | start: '2026-07-01T02:00:00+02:00' / end: 2026-07-01 03:00Z | 2026-01-01 | 2027-01-01 | 2026-07-01T00:00/2026-07-01T03:00
a time that clocks skip is as much later | start: 2026-03-29 02:30 / duration: 1h / timeZone: Europe/Berlin | 2026-01-01 | 2027-01-01 | 2026-03-29T01:30/2026-03-29T02:30
of a time that comes twice it is the first | start: 2026-10-25 02:30 / duration: 1h / timeZone: Europe/Berlin | 2026-01-01 | 2027-01-01 | 2026-10-25T00:30/2026-10-25T01:30
from clock to clock a night is as long as it is | start: 2026-03-29 00:00 / end: 2026-03-29 06:00 / timeZone: Europe/Berlin | 2026-01-01 | 2027-01-01 | 2026-03-28T23:00/2026-03-29T04:00
every Sunday, across summer time | R FREQ=WEEKLY;BYDAY=SU / S 2026-01-04 02:00 / D 2h | 2026-03-20 | 2026-04-06 | 2026-03-22T01:00/2026-03-22T03:00 2026-03-29T01:00/2026-03-29T03:00 2026-04-05T00:00/2026-04-05T02:00
without BYDAY it is the start's weekday | R FREQ=WEEKLY / S 2026-01-04 02:00 / D 2h | 2026-01-09 | 2026-01-12 | 2026-01-11T01:00/2026-01-11T03:00
nothing before its start | R FREQ=WEEKLY;BYDAY=SU / S 2026-01-04 02:00 / D 2h | 2025-12-01 | 2026-01-05 | 2026-01-04T01:00/2026-01-04T03:00
every other week | R FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH / S 2026-01-06 12:00 / D 1h | 2026-01-05 | 2026-01-26 | 2026-01-06T11:00/2026-01-06T12:00 2026-01-08T11:00/2026-01-08T12:00 2026-01-20T11:00/2026-01-20T12:00 2026-01-22T11:00/2026-01-22T12:00
the second Tuesday | R FREQ=MONTHLY;BYDAY=2TU / S 2026-01-13 12:00 / D 1h | 2026-02-01 | 2026-04-01 | 2026-02-10T11:00/2026-02-10T12:00 2026-03-10T11:00/2026-03-10T12:00
the last Friday | R FREQ=MONTHLY;BYDAY=-1FR / S 2026-01-30 12:00 / D 1h | 2026-02-01 | 2026-03-01 | 2026-02-27T11:00/2026-02-27T12:00
the fifth Sunday, where there is one | R FREQ=MONTHLY;BYDAY=5SU / S 2026-03-29 12:00 / D 1h | 2026-03-01 | 2026-06-01 | 2026-03-29T10:00/2026-03-29T11:00 2026-05-31T10:00/2026-05-31T11:00
the last day of a month | R FREQ=MONTHLY;BYMONTHDAY=-1 / S 2026-01-31 12:00 / D 1h | 2026-02-01 | 2026-05-01 | 2026-02-28T11:00/2026-02-28T12:00 2026-03-31T10:00/2026-03-31T11:00 2026-04-30T10:00/2026-04-30T11:00
the 31st, only where there is one | R FREQ=MONTHLY / S 2026-01-31 12:00 / D 1h | 2026-02-01 | 2026-05-01 | 2026-03-31T10:00/2026-03-31T11:00
Friday the 13th | R FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13 / S 2026-02-13 12:00 / D 1h | 2026-02-01 | 2026-12-01 | 2026-02-13T11:00/2026-02-13T12:00 2026-03-13T11:00/2026-03-13T12:00 2026-11-13T11:00/2026-11-13T12:00
a leap day | R FREQ=YEARLY / S 2024-02-29 12:00 / D 1h | 2025-01-01 | 2029-01-01 | 2028-02-29T11:00/2028-02-29T12:00
the day after the fourth Thursday: by month | R FREQ=YEARLY;BYMONTH=11;BYDAY=4TH / S 2026-11-26 12:00 / D 1h | 2026-01-01 | 2028-01-01 | 2026-11-26T11:00/2026-11-26T12:00 2027-11-25T11:00/2027-11-25T12:00
every third day | R FREQ=DAILY;INTERVAL=3 / S 2026-01-30 12:00 / D 1h | 2026-01-30 | 2026-02-06 | 2026-01-30T11:00/2026-01-30T12:00 2026-02-02T11:00/2026-02-02T12:00 2026-02-05T11:00/2026-02-05T12:00
a count ends it | R FREQ=DAILY;COUNT=2 / S 2026-01-30 12:00 / D 1h | 2026-01-01 | 2027-01-01 | 2026-01-30T11:00/2026-01-30T12:00 2026-01-31T11:00/2026-01-31T12:00
an excluded day counts, and does not occur | R FREQ=DAILY;COUNT=2 / S 2026-01-30 12:00 / D 1h / X [2026-01-31] | 2026-01-01 | 2027-01-01 | 2026-01-30T11:00/2026-01-30T12:00
UNTIL as a day has that day | R FREQ=DAILY;UNTIL=20260131 / S 2026-01-30 12:00 / D 1h | 2026-01-01 | 2027-01-01 | 2026-01-30T11:00/2026-01-30T12:00 2026-01-31T11:00/2026-01-31T12:00
UNTIL as an instant | R FREQ=DAILY;UNTIL=20260131T105959Z / S 2026-01-30 12:00 / D 1h | 2026-01-01 | 2027-01-01 | 2026-01-30T11:00/2026-01-30T12:00
until beside the rule | R FREQ=DAILY / S 2026-01-30 12:00 / D 1h / U 2026-01-31 | 2026-01-01 | 2027-01-01 | 2026-01-30T11:00/2026-01-30T12:00 2026-01-31T11:00/2026-01-31T12:00
one that reaches into the time | R FREQ=DAILY / S 2026-01-30 12:00 / D 6h | 2026-02-10T16:00 | 2026-02-10T16:30 | 2026-02-10T11:00/2026-02-10T17:00
nothing of one that ends where the time begins | R FREQ=DAILY / S 2026-01-30 12:00 / D 6h | 2026-02-10T17:00 | 2026-02-11T11:00 | ";

#[test]
fn occurrences_follow_their_rule_and_the_clocks() {
    for vector in VECTORS.lines() {
        let cells: Vec<&str> = vector.split('|').map(str::trim).collect();
        let [_, when, from, to, expected] = cells[..] else {
            panic!("`{vector}` has five cells");
        };
        let recurring = when.starts_with('R');
        let lines = when.split(" / ").map(|line| {
            let short = [
                ("R ", "  rrule: "),
                ("S ", "  start: "),
                ("D ", "  duration: "),
                ("X ", "  exclude: "),
                ("U ", "  until: "),
            ];
            let full = short
                .iter()
                .find_map(|(short, name)| Some(format!("{name}{}", line.strip_prefix(short)?)));
            full.unwrap_or_else(|| line.to_owned())
        });
        let lines: Vec<String> = lines.collect();
        let when = if recurring {
            format!(
                "recurrence:\n{}\n  timeZone: Europe/Berlin",
                lines.join("\n")
            )
        } else {
            lines.join("\n")
        };
        let one = correction(&format!("type: exclusion\nslos: [search]\n{when}"));
        let instant = |text: &str| {
            if text.contains('T') {
                format!("{text}:00Z")
            } else {
                format!("{text}T00:00:00Z")
            }
        };
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(
            occurrences(&one, &instant(from), &instant(to)),
            expected,
            "{vector}"
        );
    }
}

/// The spec, the text that is pointed at, and the problem.
const PROBLEMS: [(&str, &str, &str); 29] = [
    (
        "type: exclusion\nstart: 2026-03-01T02:00:00Z\nduration: 2h",
        "description: the",
        "correction `work` says neither `slos`, `services` nor `segments`; say whose times do not count, such as `slos: [checkout]`",
    ),
    (
        "slos: [search]\nstart: 2026-03-01T02:00:00Z\nduration: 2h",
        "description: the",
        "correction `work` has no `type`; write `type: maintenance` or `type: exclusion`",
    ),
    (
        "type: maintenence\nslos: [search]\nstart: 2026-03-01T02:00:00Z\nduration: 2h",
        "maintenence",
        "`type` is `maintenence`, which is unknown; did you mean `maintenance`? it is one of maintenance, exclusion",
    ),
    (
        "type: exclusion\nslos: [serch]\nstart: 2026-03-01T02:00:00Z\nduration: 2h",
        "serch",
        "SLO `serch` does not exist; did you mean `search`?",
    ),
    (
        "type: exclusion\nservices: [payment]\nstart: 2026-03-01T02:00:00Z\nduration: 2h",
        "payment]",
        "service `payment` does not exist; did you mean `payments`?",
    ),
    (
        "type: exclusion\nslos: []\nstart: 2026-03-01T02:00:00Z\nduration: 2h",
        "[]",
        "`slos` is empty; name some, or leave it out",
    ),
    (
        "type: exclusion\nslos: [search]\nduration: 2h",
        "description: the",
        "correction `work` has no `start`; such as `start: \"2026-01-31 22:00\"`",
    ),
    (
        "type: exclusion\nslos: [search]\nstart: 2026-03-01T02:00:00Z",
        "description: the",
        "correction `work` has no `end`; add `end`, or `duration: 2h`",
    ),
    (
        "type: exclusion\nslos: [search]\nstart: 2026-03-01T02:00:00Z\nend: 2026-03-01T03:00:00Z\nduration: 2h",
        "duration",
        "correction `work` has both `end` and `duration`; keep one of them",
    ),
    (
        "type: exclusion\nslos: [search]\nstart: 2026-03-01T02:00:00Z\nend: 2026-03-01T02:00:00Z",
        "end:",
        "correction `work` ends before it has begun; ",
    ),
    (
        "type: exclusion\nslos: [search]\nstart: 2026-03-01 02:00\nduration: 2h",
        "2026-03-01 02:00",
        "`start` is `2026-03-01 02:00`, but by whose clocks; end it with `Z` or an offset, or add `timeZone: Europe/Berlin`",
    ),
    (
        "type: exclusion\nslos: [search]\nstart: 2026-03-01T02:00Z\nduration: 2h\ntimeZone: UTC",
        "2026-03-01T02:00Z",
        "`start` says itself how far its clocks are from UTC; remove `timeZone`, or the `Z` or offset of the time",
    ),
    (
        "type: exclusion\nslos: [search]\nstart: 2026-03-01T02:00:30Z\nduration: 2h",
        "2026-03-01T02:00:30Z",
        "`start` is `2026-03-01T02:00:30Z`, which is not a whole minute; budgets are counted by the minute",
    ),
    (
        "type: exclusion\nslos: [search]\nstart: soon\nduration: 2h\ntimeZone: UTC",
        "soon",
        "`start` is `soon`, which is not a date and a time; write it as `2024-01-31 00:00`, by the clocks of the time zone",
    ),
    (
        "type: maintenance\nslos: [search]\nstart: 2026-03-01T02:00:00Z\nduration: 25h",
        "start:",
        "correction `work` lasts 25h without a pause; at most 24h; alerts are held meanwhile: shorten it, or write `type: exclusion`",
    ),
    (
        "type: maintenance\nslos: [search]\nrecurrence: { rrule: FREQ=DAILY, start: 2026-03-01 02:00, duration: 24h, timeZone: UTC }",
        "recurrence:",
        "correction `work` lasts 402d without a pause; at most 24h; alerts are held meanwhile: shorten it, or write `type: exclusion`",
    ),
    (
        "type: exclusion\nslos: [search]\nstart: 2026-03-01T02:00:00Z\nrecurrence: { rrule: FREQ=DAILY, start: 2026-03-01 02:00, duration: 1h, timeZone: UTC }",
        "start: 2026-03-01T",
        "correction `work` has both `recurrence` and `start`; what recurs says inside of `recurrence` when; else remove `recurrence`",
    ),
    (
        "type: exclusion\nslos: [search]\nrecurrence: { start: 2026-03-01 02:00, duration: 1h, timeZone: UTC }",
        "{ start",
        "recurrence has no `rrule`; such as `rrule: FREQ=WEEKLY;BYDAY=SU`",
    ),
    (
        "type: exclusion\nslos: [search]\nrecurrence: { rrule: FREQ=DAILY, duration: 1h, timeZone: UTC }",
        "{ rrule",
        "recurrence has no `start`; such as `start: \"2026-01-31 22:00\"`",
    ),
    (
        "type: exclusion\nslos: [search]\nrecurrence: { rrule: FREQ=DAILY, start: 2026-03-01 02:00, timeZone: UTC }",
        "{ rrule",
        "recurrence has no `duration`; how long it takes, such as `duration: 2h`",
    ),
    (
        "type: exclusion\nslos: [search]\nrecurrence: { rrule: FREQ=DAILY, start: 2026-03-01 02:00, duration: 1h }",
        "{ rrule",
        "recurrence has no `timeZone`; whose clocks, such as `timeZone: Europe/Berlin`",
    ),
    (
        "type: exclusion\nslos: [search]\nrecurrence: { rrule: FREQ=DAILY, start: 2026-03-01 02:00, duration: 1h, timeZone: Mars/Base }",
        "Mars",
        "`timeZone` is `Mars/Base`, which the IANA database does not have; write an area and a city, such as `Europe/Berlin`, or `UTC`",
    ),
    (
        "type: exclusion\nslos: [search]\nrecurrence: { rrule: FREQ=DAILY, start: 2026-03-01 02:00, duration: 1h, timeZone: UTC, exclude: [christmas] }",
        "christmas",
        "`exclude` has `christmas`, which is not a date; write days as `2026-12-27`",
    ),
    (
        "type: exclusion\nslos: [search]\nrecurrence: { rrule: FREQ=DAILY;COUNT=2, start: 2026-03-01 02:00, duration: 1h, timeZone: UTC, until: 2026-04-01 }",
        "until",
        "`until` stands beside a rule that ends by itself; keep one of them",
    ),
    (
        "type: exclusion\nslos: [search]\nrecurrence: { rrule: FREQ=WEEKLY;BYDAY=SA, start: 2026-03-01 02:00, duration: 1h, timeZone: UTC }",
        "FREQ",
        "`rrule` cannot be followed: the start 2026-03-01 is not a day of the rule; let `start` be its first day, and COUNT no more than there are days",
    ),
    (
        "type: exclusion\nslos: [search]\nrecurrence: { rrule: FREQ=SECONDLY, start: 2026-03-01 02:00, duration: 1h, timeZone: UTC }",
        "FREQ",
        "`rrule` is `FREQ=SECONDLY`: FREQ=SECONDLY is not taken; it is one of DAILY, WEEKLY, MONTHLY, YEARLY; \
         write it as in RFC 5545, such as `FREQ=MONTHLY;BYDAY=2TU`",
    ),
    (
        "type: exclusion\nslos: [search]\nrecurrence: { rrule: FREQ=DAILY;BYSETPOS=1, start: 2026-03-01 02:00, duration: 1h, timeZone: UTC }",
        "FREQ",
        "`rrule` is `FREQ=DAILY;BYSETPOS=1`: BYSETPOS is not taken; a rule has FREQ, INTERVAL, BYDAY, BYMONTHDAY, BYMONTH, COUNT and UNTIL; \
         write it as in RFC 5545, such as `FREQ=MONTHLY;BYDAY=2TU`",
    ),
    (
        "type: exclusion\nslos: [search]\nrecurrence: { rrule: FREQ=WEEKLY;BYDAY=2SU, start: 2026-03-01 02:00, duration: 1h, timeZone: UTC }",
        "FREQ",
        "`rrule` is `FREQ=WEEKLY;BYDAY=2SU`: a numbered BYDAY does not go with FREQ=WEEKLY; \
         write it as in RFC 5545, such as `FREQ=MONTHLY;BYDAY=2TU`",
    ),
    (
        "type: exclusion\nslos: [search]\nauthors: 3\nstart: 2026-03-01T02:00:00Z\nduration: 2h",
        "authors",
        "correction `work` has an unknown field `authors`; did you mean `author`? known here: description, author, type, slos, \
         services, segments, start, end, duration, timeZone, recurrence",
    ),
];

#[test]
fn what_cannot_be_is_told_of_and_leaves_nothing_out() {
    for (spec, at, expected) in PROBLEMS {
        let (loaded, problems) = loaded(spec);
        let text = document(spec);
        let before = text.get(..text.rfind(at).expect("what is pointed at"));
        let before = before.unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = 1 + before.chars().rev().take_while(|c| *c != '\n').count();
        assert_eq!(problems, [format!("{line}:{column} {expected}")], "{spec}");
        assert!(loaded.catalog.corrections.is_empty(), "{spec}");
        assert!(
            loaded
                .catalog
                .objectives
                .iter()
                .all(|one| one.corrections.is_empty())
        );
    }
}

#[test]
fn equal_meaning_has_one_canonical_text() {
    let weekly = |rule: &str, author: &str| {
        correction(&format!(
            "type: {author}\nslos: [search]\nrecurrence: {{ rrule: {rule}, start: 2026-01-04 02:00, duration: 2h, timeZone: Europe/Berlin }}"
        ))
        .canonical()
    };
    let plain = weekly("FREQ=WEEKLY", "exclusion");
    for same in [
        "FREQ=WEEKLY;BYDAY=SU",
        "RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=SU",
        "'BYDAY=SU,SU;FREQ=WEEKLY'",
    ] {
        assert_eq!(weekly(same, "maintenance"), plain, "{same}");
    }
    for other in [
        "FREQ=WEEKLY;INTERVAL=2",
        "FREQ=WEEKLY;COUNT=9",
        "'FREQ=WEEKLY;BYDAY=SU,MO'",
    ] {
        assert_ne!(weekly(other, "exclusion"), plain, "{other}");
    }
}

/// Corrections that overlap, recur, and change with the clocks.
fn several() -> Vec<Arc<Correction>> {
    [
        "start: 2026-03-28T10:00:00Z\nduration: 30h",
        "recurrence: { rrule: FREQ=WEEKLY;BYDAY=SU, start: 2026-01-04 02:30, duration: 90m, timeZone: Europe/Berlin }",
        "recurrence: { rrule: FREQ=DAILY;INTERVAL=2, start: 2026-01-01 23:00, duration: 5h, timeZone: America/New_York, exclude: [2026-03-31] }",
        "recurrence: { rrule: FREQ=MONTHLY;BYMONTHDAY=-1, start: 2026-01-31 12:00, duration: 2d, timeZone: Asia/Kolkata }",
    ]
    .into_iter()
    .map(|when| correction(&format!("type: exclusion\nslos: [search]\n{when}")))
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// A slice is left out if, and only if, some correction is in force for it.
    #[test]
    fn what_is_excluded_is_what_each_correction_has_in_force(
        from_h in 0_i64..24 * 60,
        hours in 1_i64..24 * 5,
    ) {
        let corrections = several();
        let from = second("2026-03-01T00:00:00Z") + from_h * 3_600;
        let to = from + hours * 3_600;
        let spans = excluded(&corrections, from, to);
        prop_assert!(spans.windows(2).all(|pair| pair[0].1 < pair[1].0), "apart: {spans:?}");
        for end in (from + 10..=to).step_by(310) {
            let inside = spans.iter().any(|(start, until)| *start < end && end <= *until);
            let in_force = corrections.iter().any(|one| one.at(end).is_some());
            prop_assert_eq!(inside, in_force, "{}", end);
        }
    }
}

/// An SLO with segments and two windows, and corrections of some of them.
fn corrected_segments() -> String {
    let source = |status: &str| {
        format!(
            "{{ metricSource: {{ type: otlp, spec: {{ signal: traces{status}, match: {{ service.name: web }} }} }} }}"
        )
    };
    format!(
        "apiVersion: openslo/v1
kind: SLO
metadata: {{ name: web, annotations: {{ sloburn.dev/segments: region }} }}
spec:
  service: web
  timeWindow: [{{ duration: 30d, isRolling: true }}, {{ duration: 7d, isRolling: true }}]
  budgetingMethod: Occurrences
  indicator: {{ spec: {{ ratioMetric: {{ bad: {}, total: {} }} }} }}
  objectives: [{{ target: 0.999 }}]
---
apiVersion: sloburn/v1
kind: Correction
metadata: {{ name: eu-only }}
spec: {{ description: moved, author: sre, type: exclusion, segments: {{ region: [eu, none] }}, start: 2026-01-14T09:20:00Z, duration: 40m }}
---
apiVersion: sloburn/v1
kind: Correction
metadata: {{ name: week }}
spec: {{ description: down, author: sre, type: exclusion, slos: [web.7d], start: 2026-01-15T09:20:00Z, duration: 40m }}
",
        source(", status: error"),
        source("")
    )
}

#[test]
fn a_correction_of_segments_is_about_those_only() {
    let text = corrected_segments();
    let loaded = given::read(text.clone());
    assert_eq!(loaded.problems, []);
    let mut seen = SeenSegments::default();
    for objective in &loaded.catalog.objectives {
        for value in [Some("eu"), Some("us"), None] {
            let value = value.map(str::to_owned);
            assert!(seen.note(objective, "region", vec![value]));
        }
    }
    let catalog = loaded.catalog.with_segments(&seen);
    let found: Vec<(&str, Vec<&str>)> = catalog
        .objectives
        .iter()
        .map(|one| {
            let names = one
                .corrections
                .iter()
                .map(|correction| correction.name.as_str());
            (one.id.as_str(), names.collect())
        })
        .collect();
    let (eu, week) = (vec!["eu-only"], vec!["week"]);
    let both = vec!["eu-only", "week"];
    assert_eq!(
        found,
        [
            ("web", vec![]),
            ("web.7d", week.clone()),
            ("web.7d.eu", both.clone()),
            ("web.7d.none", both),
            ("web.7d.us", week),
            ("web.eu", eu.clone()),
            ("web.none", eu),
            ("web.us", vec![]),
        ]
    );
    let wrong = text.replace("segments: { region:", "segments: { regoin:");
    let loaded = given::read(wrong);
    let told = loaded
        .problems
        .first()
        .map(ToString::to_string)
        .unwrap_or_default();
    assert!(told.ends_with("no SLO has segments by `regoin`"), "{told}");
}
