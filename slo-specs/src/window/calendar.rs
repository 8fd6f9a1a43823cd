//! Periods of the calendar: days, weeks, months, quarters and years of a time zone.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::zone::instant_of;

const DAY: Duration = Duration::from_hours(24);
/// What clocks may be set back within a period.
const CLOCK_CHANGE: Duration = Duration::from_hours(1);

/// Equal lengths of the calendar, one after another: each begins at the same time of the zone's clocks.
///
/// Period `k` begins at the start and `k` lengths, always counted from the start: months that begin
/// on the 31st begin on the last day of shorter ones, and on the 31st again after. Periods go on
/// before the start as they do after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    start: DateTime,
    zone: TimeZone,
    count: u16,
    unit: CalendarUnit,
}

/// What calendars are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CalendarUnit {
    /// `d`: 23 to 25 hours.
    Day,
    /// `w`
    Week,
    /// `M`
    Month,
    /// `Q`: three months.
    Quarter,
    /// `Y`: twelve months.
    Year,
}

/// One period, in Unix seconds: `(from, until]`, as slices are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    /// Where it begins, and the one before it ends.
    pub from_s: i64,
    /// Where it ends.
    pub until_s: i64,
}

impl Calendar {
    /// Periods of `count` units; no units at all are taken for one.
    pub fn new(start: DateTime, zone: TimeZone, count: u16, unit: CalendarUnit) -> Self {
        Self {
            start,
            zone,
            count: count.max(1),
            unit,
        }
    }

    /// The period that has the slice of this end.
    pub fn period(&self, now_s: i64) -> Period {
        let mut index = self.about(now_s);
        // Clock changes, and where the civil month of `now` is not the period's, are one or two away.
        for _ in 0..4 {
            if self.begin(index) < now_s {
                break;
            }
            index -= 1;
        }
        let mut until_s = self.begin(index + 1);
        for _ in 0..4 {
            if until_s >= now_s {
                break;
            }
            index += 1;
            until_s = self.begin(index + 1);
        }
        Period {
            from_s: self.begin(index),
            until_s,
        }
    }

    /// As it is written: `1M`.
    pub fn length(&self) -> String {
        format!("{}{}", self.count, self.unit.letter())
    }

    /// Name of the time zone.
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The time zone.
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// When a period began, by the zone's clocks.
    pub fn start(&self) -> DateTime {
        self.start
    }

    /// A moment by the zone's clocks, as short as it is plain at `now`: `1 Mar`, `1 Mar 06:00`, `1 Jan 2027`.
    pub fn clock(&self, at_s: i64, now_s: i64) -> String {
        let civil = |second| {
            let instant = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
            self.zone.to_datetime(instant)
        };
        let (at, now) = (civil(at_s), civil(now_s));
        let day = match (at.hour(), at.minute()) {
            (0, 0) => "%-d %b",
            _ => "%-d %b %H:%M",
        };
        let year = if at.year() == now.year() { "" } else { " %Y" };
        let form = day.replacen("%b", &format!("%b{year}"), 1);
        at.strftime(&form).to_string()
    }

    /// A period's length in words: `month`, `2 weeks`.
    pub fn length_words(&self) -> String {
        let unit = match self.unit {
            CalendarUnit::Day => "day",
            CalendarUnit::Week => "week",
            CalendarUnit::Month => "month",
            CalendarUnit::Quarter => "quarter",
            CalendarUnit::Year => "year",
        };
        match self.count {
            1 => unit.to_owned(),
            count => format!("{count} {unit}s"),
        }
    }

    pub(super) fn nominal(&self) -> Duration {
        let days = match self.unit {
            CalendarUnit::Day => 1,
            CalendarUnit::Week => 7,
            CalendarUnit::Month => 30,
            CalendarUnit::Quarter => 90,
            CalendarUnit::Year => 365,
        };
        DAY * days * u32::from(self.count)
    }

    pub(super) fn longest(&self) -> Duration {
        let beyond = match self.unit.in_months() {
            None => 0,
            // Of n months in a row at most this many days are beyond 30 days each.
            Some(months) => (u32::from(self.count) * months).div_ceil(2) + 1,
        };
        self.nominal() + DAY * beyond + CLOCK_CHANGE
    }

    /// Where period `index` begins, in Unix seconds.
    fn begin(&self, index: i64) -> i64 {
        let count = index.saturating_mul(i64::from(self.count));
        let span = match self.unit.in_months() {
            Some(months) => Span::new().try_months(count.saturating_mul(i64::from(months))),
            None => Span::new().try_days(count.saturating_mul(self.unit.in_days())),
        };
        let civil = span.and_then(|span| self.start.checked_add(span));
        match civil {
            Ok(civil) => instant_of(&self.zone, civil),
            Err(_) if index < 0 => i64::MIN,
            Err(_) => i64::MAX,
        }
    }

    /// The index of the period that the zone's calendar shows, give or take one or two.
    fn about(&self, now_s: i64) -> i64 {
        let Ok(now) = Timestamp::from_second(now_s) else {
            return 0;
        };
        let (now, start) = (self.zone.to_datetime(now).date(), self.start.date());
        let count = i64::from(self.count);
        if let Some(months) = self.unit.in_months() {
            let years = i64::from(now.year()) - i64::from(start.year());
            let between = years * 12 + i64::from(now.month()) - i64::from(start.month());
            between.div_euclid(count * i64::from(months))
        } else {
            let hours = now.duration_since(start).as_hours();
            hours.div_euclid(24 * count * self.unit.in_days())
        }
    }
}

impl CalendarUnit {
    /// The unit of OpenSLO's shorthand; hours and minutes are none.
    pub(crate) fn of_letter(letter: &str) -> Option<Self> {
        Some(match letter {
            "d" => Self::Day,
            "w" => Self::Week,
            "M" => Self::Month,
            "Q" => Self::Quarter,
            "Y" => Self::Year,
            _ => return None,
        })
    }

    /// As it is written: `M`.
    pub fn letter(self) -> char {
        match self {
            Self::Day => 'd',
            Self::Week => 'w',
            Self::Month => 'M',
            Self::Quarter => 'Q',
            Self::Year => 'Y',
        }
    }

    fn in_months(self) -> Option<u32> {
        match self {
            Self::Day | Self::Week => None,
            Self::Month => Some(1),
            Self::Quarter => Some(3),
            Self::Year => Some(12),
        }
    }

    fn in_days(self) -> i64 {
        match self {
            Self::Week => 7,
            Self::Day | Self::Month | Self::Quarter | Self::Year => 1,
        }
    }
}
