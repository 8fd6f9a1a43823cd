//! The time a target is about: a look-back that rolls along, or a period of the calendar.

mod calendar;
mod length;
mod zone;

use std::time::Duration;

use jiff::Timestamp;

pub use calendar::{Calendar, CalendarUnit, Period};
pub(crate) use length::split_length;
pub use length::{WindowError, parse_window, window_name, window_words};
pub(crate) use zone::zone_names;
pub use zone::{civil_time, instant_of, zone_named};

use crate::{Tally, Timeline};

/// The window of an objective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last so long, always.
    Rolling(Duration),
    /// What was counted since the period began.
    Calendar(Calendar),
}

impl Window {
    /// Start of the window at a tick, in Unix seconds: the window is `(from, now]`.
    ///
    /// Of a calendar window that is where the period began that the slice `now` belongs to: at the very
    /// end of a period it is still that period's start.
    pub fn from(&self, now_s: i64) -> i64 {
        match self {
            Self::Rolling(length) => now_s.saturating_sub(seconds(*length)),
            Self::Calendar(calendar) => calendar.period(now_s).from_s,
        }
    }

    /// How far the window reaches back at a tick.
    pub fn look_back(&self, now_s: i64) -> Duration {
        match self {
            Self::Rolling(length) => *length,
            Self::Calendar(_) => {
                let back = now_s.saturating_sub(self.from(now_s));
                Duration::from_secs(u64::try_from(back).unwrap_or_default())
            }
        }
    }

    /// What was counted in the window at a tick. As of every look-back, the far edge is exact to 10 s up
    /// to 6 h, to the minute up to 35 d, and beyond that moved down to the whole hour of UTC: in a zone
    /// that is half an hour off, a period older than 35 d has up to half an hour of the one before.
    pub fn tally(&self, timeline: &Timeline, now_s: i64) -> Tally {
        timeline.tally(now_s, self.look_back(now_s))
    }

    /// The window's length by and large: days of 24 h, months of 30 d, quarters of 90 d, years of 365 d. For
    /// burn rates from budget shares, and for how long to keep what is counted.
    pub fn nominal(&self) -> Duration {
        match self {
            Self::Rolling(length) => *length,
            Self::Calendar(calendar) => calendar.nominal(),
        }
    }

    /// The longest the window can be: a month may have 31 days, and a day 25 hours.
    pub fn longest(&self) -> Duration {
        match self {
            Self::Rolling(length) => *length,
            Self::Calendar(calendar) => calendar.longest(),
        }
    }

    /// The period that a tick is in; `None` of a rolling window.
    pub fn period(&self, now_s: i64) -> Option<Period> {
        match self {
            Self::Rolling(_) => None,
            Self::Calendar(calendar) => Some(calendar.period(now_s)),
        }
    }

    /// When the period ends that a tick is in, and the budget is whole again; `None` of a rolling window.
    pub fn resets_at(&self, now_s: i64) -> Option<Timestamp> {
        Timestamp::from_second(self.period(now_s)?.until_s).ok()
    }

    /// For people: `30d`, or `1M (calendar, Europe/Berlin)`.
    pub fn name(&self) -> String {
        match self {
            Self::Rolling(length) => window_name(*length),
            Self::Calendar(calendar) => {
                format!("{} (calendar, {})", calendar.length(), calendar.zone())
            }
        }
    }

    /// For people, in a title: `over 7 d`, `each month (Europe/Berlin)`.
    pub(crate) fn title_words(&self) -> String {
        match self {
            Self::Rolling(length) => format!("over {}", window_words(*length)),
            Self::Calendar(calendar) => {
                format!("each {} ({})", calendar.length_words(), calendar.zone())
            }
        }
    }

    /// The period of a calendar window at a tick, for people: `since 1 Mar, resets 1 Apr`.
    pub fn period_words(&self, now_s: i64) -> Option<String> {
        let Self::Calendar(calendar) = self else {
            return None;
        };
        let Period { from_s, until_s } = calendar.period(now_s);
        let clock = |second| calendar.clock(second, now_s);
        Some(format!(
            "since {}, resets {}",
            clock(from_s),
            clock(until_s)
        ))
    }

    /// For machines, such as keys and labels of metrics: `30d`, or `calendar-1M`.
    pub fn label(&self) -> String {
        match self {
            Self::Rolling(length) => window_name(*length),
            Self::Calendar(calendar) => format!("calendar-{}", calendar.length()),
        }
    }
}

impl From<Duration> for Window {
    fn from(length: Duration) -> Self {
        Self::Rolling(length)
    }
}

fn seconds(length: Duration) -> i64 {
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX)
}
