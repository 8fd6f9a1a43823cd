//! Periods of the calendar: golden vectors, and that they tile time.

use jiff::Timestamp;
use proptest::prelude::*;
use slo_specs::{Calendar, CalendarUnit, civil_time, zone_named};

use CalendarUnit::{Day, Month, Quarter, Week, Year};

fn calendar(start: &str, zone: &str, count: u16, unit: CalendarUnit) -> Calendar {
    let start = civil_time(start).expect("a time");
    Calendar::new(start, zone_named(zone).expect("a zone"), count, unit)
}

fn second(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("an instant").as_second()
}

fn instant(second: i64) -> String {
    Timestamp::from_second(second)
        .expect("an instant")
        .to_string()
}

/// What is told | first period's start | zone | length | tick | where its period begins | and ends.
const VECTORS: &str = "\
a month in winter | 2024-01-01 | Europe/Berlin | 1M | 2024-01-15T00:00:00Z | 2023-12-31T23:00:00Z | 2024-01-31T23:00:00Z
the month in which Berlin goes to summer time is an hour short | 2024-01-01 | Europe/Berlin | 1M | 2024-03-15T00:00:00Z | 2024-02-29T23:00:00Z | 2024-03-31T22:00:00Z
Berlin's day of 23 hours | 2024-01-01 | Europe/Berlin | 1d | 2024-03-31T12:00:00Z | 2024-03-30T23:00:00Z | 2024-03-31T22:00:00Z
Berlin's day of 25 hours | 2024-01-01 | Europe/Berlin | 1d | 2024-10-27T12:00:00Z | 2024-10-26T22:00:00Z | 2024-10-27T23:00:00Z
New York's day of 23 hours | 2024-01-01 | America/New_York | 1d | 2024-03-10T12:00:00Z | 2024-03-10T05:00:00Z | 2024-03-11T04:00:00Z
New York's day of 25 hours | 2024-01-01 | America/New_York | 1d | 2024-11-03T12:00:00Z | 2024-11-03T04:00:00Z | 2024-11-04T05:00:00Z
a day that begins at a time New York skips begins an hour later | 2024-01-01 02:30 | America/New_York | 1d | 2024-03-10T12:00:00Z | 2024-03-10T07:30:00Z | 2024-03-11T06:30:00Z
a day that begins at a time that comes twice begins at the first | 2024-01-01 01:30 | America/New_York | 1d | 2024-11-03T12:00:00Z | 2024-11-03T05:30:00Z | 2024-11-04T06:30:00Z
Lord Howe's clocks go back by half an hour | 2024-01-01 | Australia/Lord_Howe | 1d | 2024-04-07T00:00:00Z | 2024-04-06T13:00:00Z | 2024-04-07T13:30:00Z
and forward by half an hour | 2024-01-01 | Australia/Lord_Howe | 1d | 2024-10-06T00:00:00Z | 2024-10-05T13:30:00Z | 2024-10-06T13:00:00Z
Kolkata is five hours and a half ahead | 2024-01-01 | Asia/Kolkata | 1M | 2024-02-10T00:00:00Z | 2024-01-31T18:30:00Z | 2024-02-29T18:30:00Z
Apia's 30 December 2011 never was: the 29th ends where the 31st begins | 2011-01-01 | Pacific/Apia | 1d | 2011-12-30T09:00:00Z | 2011-12-29T10:00:00Z | 2011-12-30T10:00:00Z
and the 31st is a whole day | 2011-01-01 | Pacific/Apia | 1d | 2011-12-30T10:00:10Z | 2011-12-30T10:00:00Z | 2011-12-31T10:00:00Z
from the 31st: February ends the month on its last day | 2024-01-31 | UTC | 1M | 2024-02-29T00:00:10Z | 2024-02-29T00:00:00Z | 2024-03-31T00:00:00Z
and March is not the shorter for it | 2024-01-31 | UTC | 1M | 2024-03-31T00:00:10Z | 2024-03-31T00:00:00Z | 2024-04-30T00:00:00Z
a year from a leap day | 2024-02-29 | UTC | 1Y | 2025-06-01T00:00:00Z | 2025-02-28T00:00:00Z | 2026-02-28T00:00:00Z
has its leap day again after four | 2024-02-29 | UTC | 1Y | 2028-06-01T00:00:00Z | 2028-02-29T00:00:00Z | 2029-02-28T00:00:00Z
1900 was no leap year, 2000 was | 1896-02-29 | UTC | 1Y | 2000-06-01T00:00:00Z | 2000-02-29T00:00:00Z | 2001-02-28T00:00:00Z
a quarter of a business year that begins in April | 2023-04-01 | Asia/Kolkata | 1Q | 2024-02-10T00:00:00Z | 2023-12-31T18:30:00Z | 2024-03-31T18:30:00Z
two weeks, across summer time | 2024-01-01 | Europe/Berlin | 2w | 2024-04-01T00:00:00Z | 2024-03-24T23:00:00Z | 2024-04-07T22:00:00Z
before the start periods go on | 2024-01-01 | UTC | 1M | 2023-11-30T00:00:00Z | 2023-11-01T00:00:00Z | 2023-12-01T00:00:00Z
the last slice of a period is its own | 2024-01-01 | UTC | 1M | 2024-03-01T00:00:00Z | 2024-02-01T00:00:00Z | 2024-03-01T00:00:00Z
the first slice of a period is its own | 2024-01-01 | UTC | 1M | 2024-03-01T00:00:10Z | 2024-03-01T00:00:00Z | 2024-04-01T00:00:00Z
a leap second is no second of Unix time | 2016-01-01 | UTC | 1Y | 2017-01-01T00:00:00Z | 2016-01-01T00:00:00Z | 2017-01-01T00:00:00Z";

#[test]
fn periods_follow_the_clocks_of_their_zone() {
    for vector in VECTORS.lines() {
        let cells: Vec<&str> = vector.split('|').map(str::trim).collect();
        let [_, start, zone, length, tick, from, until] = cells[..] else {
            panic!("`{vector}` has seven cells");
        };
        let (count, unit) = length.split_at(length.len() - 1);
        let unit = [Day, Week, Month, Quarter, Year]
            .into_iter()
            .find(|known| unit.starts_with(known.letter()));
        let calendar = calendar(start, zone, count.parse().unwrap(), unit.unwrap());
        let period = calendar.period(second(tick));
        let found = (instant(period.from_s), instant(period.until_s));
        assert_eq!(found, (from.to_owned(), until.to_owned()), "{vector}");
    }
}

/// Zones with every kind of clock change, and some of none.
const ZONES: [&str; 12] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Pacific/Apia",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Pacific/Chatham",
    "America/Sao_Paulo",
    "Asia/Tehran",
];

fn any_calendar() -> impl Strategy<Value = Calendar> {
    let unit = prop::sample::select(vec![Day, Week, Month, Quarter, Year]);
    let start = (
        1995_i16..2030,
        1_i8..=12,
        1_i8..=31,
        0_i8..24,
        prop::sample::select(vec![0_i8, 15, 30, 59]),
    );
    (prop::sample::select(ZONES.to_vec()), start, 1_u16..5, unit).prop_map(
        |(zone, (year, month, day, hour, minute), count, unit)| {
            let first = jiff::civil::date(year, month, 1);
            let day = day.min(first.days_in_month());
            let start = jiff::civil::date(year, month, day).at(hour, minute, 0, 0);
            Calendar::new(start, zone_named(zone).expect("a zone"), count, unit)
        },
    )
}

proptest! {
    #[test]
    fn periods_tile_time_without_gap_or_overlap(
        calendar in any_calendar(),
        // 1990 to 2037, on the grid of ticks.
        tick in (631_152_000_i64 / 10..2_114_380_800 / 10).prop_map(|tick| tick * 10),
    ) {
        let period = calendar.period(tick);
        prop_assert!(period.from_s < tick && tick <= period.until_s, "{period:?} has {tick}");
        prop_assert_eq!(calendar.period(period.from_s + 1), period);
        prop_assert_eq!(calendar.period(period.until_s), period);
        prop_assert_eq!(calendar.period(period.until_s + 1).from_s, period.until_s);
        prop_assert_eq!(calendar.period(period.from_s).until_s, period.from_s);
    }

    #[test]
    fn periods_begin_at_the_same_time_of_the_clocks(
        calendar in any_calendar(),
        tick in 631_152_000_i64..2_114_380_800,
    ) {
        let begin = Timestamp::from_second(calendar.period(tick).from_s).unwrap();
        let clock = calendar.time_zone().to_datetime(begin);
        let offset = |second: i64| {
            calendar.time_zone().to_offset(Timestamp::from_second(second).unwrap())
        };
        // Unless the clocks changed within a day of it.
        if offset(begin.as_second() - 86_400) == offset(begin.as_second() + 1) {
            prop_assert_eq!(clock.time(), calendar.start().time());
        }
    }
}
