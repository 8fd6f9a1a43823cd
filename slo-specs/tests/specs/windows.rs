//! Windows as specs write them, and that their tallies are what a recount of raw events finds.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use slo_specs::{
    Calendar, CalendarUnit, Level, Objective, Tally, Timeline, Window, civil_time, zone_named,
};

use crate::given;

const SLO: &str = "apiVersion: openslo/v1
kind: SLO
metadata: { name: web }
spec:
  service: web
  timeWindow: [WINDOWS]
  budgetingMethod: Occurrences
  indicator:
    spec:
      ratioMetric:
        counter: true
        bad: { metricSource: { type: otlp, spec: { signal: traces, status: error, match: { service.name: web } } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: web } } } }
  objectives: [{ target: 0.999 }]
";

fn loaded(windows: &str) -> (Vec<Objective>, Vec<String>) {
    let text = SLO.replace("WINDOWS", windows);
    let loaded = given::read(text);
    let problems = loaded.problems.iter();
    let problems = problems.map(|problem| {
        let help = problem.help.clone().unwrap_or_default();
        let level = if problem.severity == Level::Error {
            ""
        } else {
            "warning: "
        };
        format!(
            "{}:{} {level}{}; {help}",
            problem.line, problem.column, problem.message
        )
    });
    (loaded.catalog.objectives, problems.collect())
}

/// `timeWindow`, its name and label, and its length by and large in days.
const WINDOWS: [(&str, &str, &str, u64); 8] = [
    ("duration: 30d, isRolling: true", "30d", "30d", 30),
    (
        "duration: 1M, BERLIN",
        "1M (calendar, Europe/Berlin)",
        "calendar-1M",
        30,
    ),
    (
        "duration: 1Q, BERLIN",
        "1Q (calendar, Europe/Berlin)",
        "calendar-1Q",
        90,
    ),
    (
        "duration: 1Y, BERLIN",
        "1Y (calendar, Europe/Berlin)",
        "calendar-1Y",
        365,
    ),
    (
        "duration: 2w, BERLIN",
        "2w (calendar, Europe/Berlin)",
        "calendar-2w",
        14,
    ),
    (
        "duration: 1d, BERLIN",
        "1d (calendar, Europe/Berlin)",
        "calendar-1d",
        1,
    ),
    (
        "duration: 13M, calendar: { startTime: 2024-01-31T06:00, timeZone: UTC }",
        "13M (calendar, UTC)",
        "calendar-13M",
        390,
    ),
    (
        "duration: 1d, calendar: { startTime: 2024-01-01, timeZone: asia/kolkata }",
        "1d (calendar, Asia/Kolkata)",
        "calendar-1d",
        1,
    ),
];
const BERLIN: &str =
    "isRolling: false, calendar: { startTime: 2024-01-01 00:00:00, timeZone: Europe/Berlin }";

#[test]
fn windows_roll_or_follow_a_calendar() {
    for (written, name, label, nominal_days) in WINDOWS {
        let written = written.replace("BERLIN", BERLIN);
        let (objectives, problems) = loaded(&format!("{{ {written} }}"));
        assert_eq!(problems, [""; 0], "{written}");
        let window = &objectives[0].window;
        assert_eq!(
            (window.name().as_str(), window.label().as_str()),
            (name, label)
        );
        assert_eq!(
            window.nominal(),
            Duration::from_hours(24 * nominal_days),
            "{written}"
        );
        assert!(
            window.longest() <= Duration::from_hours(24 * 400),
            "{written}"
        );
    }
}

#[test]
fn a_rolling_month_is_30_days_and_says_so() {
    for (written, days) in [("1M", 30), ("1Q", 90), ("1Y", 365)] {
        let (objectives, problems) = loaded(&format!("{{ duration: {written}, isRolling: true }}"));
        let expected = format!(
            "6:28 warning: a rolling window of `{written}` is {days} days of 24 hours, always; \
             write `{days}d`, or add a calendar"
        );
        assert_eq!(problems, [expected]);
        assert_eq!(objectives[0].window, Duration::from_hours(24 * days).into());
    }
}

#[test]
fn every_window_is_an_objective_and_only_the_first_has_rules() {
    let written = "{ duration: 30d, isRolling: true }, { duration: 7d, isRolling: true }, \
        { duration: 1M, calendar: { startTime: 2024-01-01, timeZone: UTC } }";
    let (objectives, problems) = loaded(written);
    assert_eq!(problems, [""; 0]);
    let found: Vec<_> = objectives
        .iter()
        .map(|one| {
            (
                one.id.as_str(),
                one.title.as_str(),
                one.rules.is_empty(),
                one.slo.as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("web", "web", false, "web"),
            ("web.7d", "web, over 7 d", true, "web"),
            ("web.calendar-1M", "web, each month (UTC)", true, "web"),
        ]
    );
    let same = |one: &Objective| one.indicator == objectives[0].indicator;
    assert!(
        objectives.iter().all(same),
        "all are counted from one timeline"
    );
}

/// `timeWindow`, the text that is pointed at, and the problem.
const PROBLEMS: [(&str, &str, &str); 15] = [
    (
        "{ duration: 1M, isRolling: true, calendar: { startTime: 2024-01-01, timeZone: UTC } }",
        "calendar",
        "a rolling window has no `calendar`; write `isRolling: false`, or remove the calendar",
    ),
    (
        "{ duration: 1M, isRolling: false }",
        "isRolling",
        "a window that does not roll needs a `calendar`; add `calendar: { startTime: \"2024-01-01 00:00:00\", \
         timeZone: Europe/Berlin }`, or write `isRolling: true`",
    ),
    (
        "{ duration: 30d }",
        "{",
        "timeWindow has no `isRolling`; write `isRolling: true`",
    ),
    (
        "{ isRolling: true }",
        "{",
        "timeWindow has no `duration`; such as `duration: 30d`, or `1M` with a calendar",
    ),
    (
        "{ duration: 1M, calendar: { startTime: 2024-01-01, timeZone: Europe/Berlim } }",
        "Europe/Berlim",
        "`timeZone` is `Europe/Berlim`, which the IANA database does not have; did you mean `Europe/Berlin`?",
    ),
    (
        "{ duration: 1M, calendar: { startTime: 2024-02-30, timeZone: UTC } }",
        "2024-02-30",
        "`startTime` is `2024-02-30`, which is not a date and a time; \
         write it as `2024-01-31 00:00`, by the clocks of the time zone",
    ),
    (
        "{ duration: 1M, calendar: { startTime: '2024-01-01 00:00:30', timeZone: UTC } }",
        "'2024-01-01",
        "`startTime` is `2024-01-01 00:00:30`, which is not a whole minute; budgets are counted by the minute",
    ),
    (
        "{ duration: 1M, calendar: { startTime: 1904-01-01, timeZone: UTC } }",
        "1904",
        "`startTime` is `1904-01-01`; years are 1970 to 9000; periods go on for ever",
    ),
    (
        "{ duration: 1M, calendar: { timeZone: UTC } }",
        "{ timeZone",
        "calendar has no `startTime`; when a period begins, such as `startTime: \"2024-01-01 00:00:00\"`",
    ),
    (
        "{ duration: 1M, calendar: { startTime: 2024-01-01 } }",
        "{ startTime",
        "calendar has no `timeZone`; whose clocks, such as `timeZone: Europe/Berlin`",
    ),
    (
        "{ duration: 24h, calendar: { startTime: 2024-01-01, timeZone: UTC } }",
        "24h",
        "`duration` is `24h`, which no calendar has; \
         write a whole number above 0 and d, w, M, Q or Y, such as `1M`; `m` is minutes",
    ),
    (
        "{ duration: 2Y, calendar: { startTime: 2024-01-01, timeZone: UTC } }",
        "2Y",
        "`duration` is `2Y`; 1 to 400 days are kept; a year is `1Y`",
    ),
    (
        "{ duration: 0M, calendar: { startTime: 2024-01-01, timeZone: UTC } }",
        "0M",
        "`duration` is `0M`; 1 to 400 days are kept; a year is `1Y`",
    ),
    (
        "{ duration: 2Y, isRolling: true }",
        "2Y",
        "`duration` is `2Y`, 730 days; 1 to 400 are kept; ",
    ),
    (
        "{ duration: 7d, isRolling: true }, { duration: 1w, isRolling: true }",
        "{ duration: 1w",
        "SLO `web` has two windows of `7d`; remove one; for another time zone write another SLO over the same SLI",
    ),
];

#[test]
fn windows_that_cannot_be_are_told_of() {
    for (written, at, expected) in PROBLEMS {
        let (objectives, problems) = loaded(written);
        let column = "  timeWindow: [".len() + 1 + written.rfind(at).expect("what is pointed at");
        assert_eq!(problems, [format!("6:{column} {expected}")], "{written}");
        assert!(objectives.is_empty(), "{written}");
    }
}

/// An event of a raw log: the end of its slice, and whether it was bad.
type Events = Vec<(i64, bool)>;

const BEGIN_S: i64 = 1_704_067_200;
const DAY_S: i64 = 86_400;

/// Half-hour zones are left to a test of their own: beyond 35 days their periods' edges are moved.
const ZONES: [&str; 5] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
];

fn any_window() -> impl Strategy<Value = Window> {
    let unit = prop::sample::select(vec![
        CalendarUnit::Day,
        CalendarUnit::Week,
        CalendarUnit::Month,
    ]);
    let zone = prop::sample::select(ZONES.to_vec());
    let start = (
        1_i8..=12,
        1_i8..=28,
        0_i8..24,
        prop::sample::select(vec![0_i8, 17, 30]),
    );
    let calendar = (zone, start, unit).prop_map(|(zone, (month, day, hour, minute), unit)| {
        let start = jiff::civil::date(2020, month, day).at(hour, minute, 0, 0);
        Window::Calendar(Calendar::new(
            start,
            zone_named(zone).expect("a zone"),
            1,
            unit,
        ))
    });
    let rolling =
        (1_u64..35 * 24 * 60).prop_map(|minutes| Window::Rolling(Duration::from_mins(minutes)));
    prop_oneof![1 => rolling, 4 => calendar]
}

/// The start of a calendar's period by stepping through every minute of the zone's clocks, and none of our code.
fn naive_from(window: &Window, now_s: i64) -> i64 {
    match window {
        Window::Rolling(length) => now_s - i64::try_from(length.as_secs()).expect("short"),
        Window::Calendar(calendar) => {
            let zone = calendar.time_zone();
            let (unit, start) = (calendar.length(), calendar.start());
            let mut begin = start;
            let mut from = None;
            loop {
                let at = begin
                    .to_zoned(zone.clone())
                    .expect("in range")
                    .timestamp()
                    .as_second();
                if at >= now_s {
                    return from.expect("it began before");
                }
                from = Some(at);
                let date = begin.date();
                let next = match unit.as_str() {
                    "1d" => date.tomorrow().expect("in range"),
                    "1w" => date.nth(7).expect("in range"),
                    _ if date.month() == 12 => jiff::civil::date(date.year() + 1, 1, date.day()),
                    _ => jiff::civil::date(date.year(), date.month() + 1, date.day()),
                };
                begin = next.to_datetime(start.time());
            }
        }
    }
}

trait Nth: Sized {
    fn nth(self, days: u32) -> Option<Self>;
}

impl Nth for jiff::civil::Date {
    fn nth(self, days: u32) -> Option<Self> {
        let mut day = self;
        for _ in 0..days {
            day = day.tomorrow().ok()?;
        }
        Some(day)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_windows_tally_is_what_a_recount_of_raw_events_finds(
        window in any_window(),
        events in prop::collection::vec((0_i64..90 * DAY_S / 10, any::<bool>()), 1..400),
        now in 40 * DAY_S / 10..90 * DAY_S / 10,
    ) {
        let events: Events = events.into_iter().map(|(slot, bad)| (BEGIN_S + slot * 10, bad)).collect();
        let now_s = BEGIN_S + now * 10;
        let mut timeline = Timeline::new();
        for (end, bad) in events.iter().filter(|(end, _)| *end <= now_s) {
            timeline.add(*end, Tally::new(1, u64::from(*bad)));
        }
        timeline.advance(now_s);

        let mut from = naive_from(&window, now_s);
        // What the docs say of look-backs beyond 6 h; a month never reaches beyond 35 d.
        if now_s - from > 6 * 3_600 {
            from = from.div_euclid(60) * 60;
        }
        let within: Vec<_> =
            events.iter().filter(|(end, _)| from < *end && *end <= now_s).collect();
        let recount = Tally::new(
            within.len() as u64,
            within.iter().filter(|(_, bad)| *bad).count() as u64,
        );
        prop_assert_eq!(window.tally(&timeline, now_s), recount);
    }
}

#[test]
fn a_quarter_in_kolkata_has_the_half_hour_before_it_beyond_35_days() {
    let zone = zone_named("Asia/Kolkata").expect("a zone");
    let start = civil_time("2024-01-01").expect("a time");
    let window = Window::Calendar(Calendar::new(start, zone, 1, CalendarUnit::Quarter));
    let second = |text: &str| text.parse::<Timestamp>().expect("an instant").as_second();
    let mut timeline = Timeline::new();
    let begin = second("2023-12-31T18:30:00Z");
    timeline.add(begin - 29 * 60, Tally::new(1, 1));
    timeline.add(begin - 31 * 60, Tally::new(10, 10));
    timeline.add(begin + 10, Tally::new(100, 0));
    let young = begin + 34 * DAY_S;
    timeline.advance(young);
    assert_eq!(
        window.tally(&timeline, young),
        Tally::new(100, 0),
        "exact to the minute"
    );
    let old = begin + 40 * DAY_S;
    timeline.advance(old);
    assert_eq!(
        window.tally(&timeline, old),
        Tally::new(101, 1),
        "to the whole hour of UTC"
    );
}
