//! Stretches of time that recur by the clocks of a zone.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::rule::{RepeatRule, RuleError, Until};
use crate::window::instant_of;

const DAY_S: i64 = 86_400;

/// A stretch of one length that begins at the same time of the clocks, on the days of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrence {
    rule: RepeatRule,
    start: DateTime,
    zone: TimeZone,
    length_s: i64,
    /// The last instant at which it may begin.
    until_s: Option<i64>,
    except: BTreeSet<Date>,
}

impl Recurrence {
    /// A recurrence; the rule must have the start's day, and a count must come to an end.
    pub fn new(
        rule: RepeatRule,
        start: DateTime,
        zone: TimeZone,
        length: Duration,
        except: BTreeSet<Date>,
    ) -> Result<Self, RuleError> {
        if !rule.has(start.date(), start.date()) {
            return Err(RuleError::Start(start.date()));
        }
        let last = rule.last_of_count(start.date())?;
        let until_s = match rule.until() {
            None => last.map(|last| instant_of(&zone, last.to_datetime(start.time()))),
            Some(Until::Instant(until_s)) => Some(until_s),
            Some(Until::Civil(until)) => Some(instant_of(&zone, until)),
            Some(Until::Day(day)) => Some(instant_of(&zone, day.to_datetime(start.time()))),
        };
        Ok(Self {
            rule,
            start,
            zone,
            length_s: i64::try_from(length.as_secs()).unwrap_or(i64::MAX),
            until_s,
            except,
        })
    }

    /// The rule as it is written.
    pub fn rule(&self) -> &RepeatRule {
        &self.rule
    }

    /// When it begins the first time, by the zone's clocks.
    pub fn start(&self) -> DateTime {
        self.start
    }

    /// The zone whose clocks it follows.
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// Occurrences that begin from a length and a day before `from` to a day after `to`: all those that
    /// reach into it, and a few more.
    pub(super) fn near(&self, from_s: i64, to_s: i64) -> Vec<(i64, i64)> {
        let day = |second: i64| {
            let instant = Timestamp::from_second(second);
            let bound = if second > 0 {
                Timestamp::MAX
            } else {
                Timestamp::MIN
            };
            self.zone.to_datetime(instant.unwrap_or(bound)).date()
        };
        let until_s = self.until_s.unwrap_or(i64::MAX);
        let first = day(from_s.saturating_sub(self.length_s).saturating_sub(DAY_S));
        let last = day(to_s.min(until_s).saturating_add(DAY_S));
        let days = self.rule.days(self.start.date(), first, last).into_iter();
        days.filter(|day| !self.except.contains(day))
            .map(|day| instant_of(&self.zone, day.to_datetime(self.start.time())))
            .filter(|start| *start <= until_s)
            .map(|start| (start, start.saturating_add(self.length_s)))
            .collect()
    }

    /// The longest stretch without a pause that its first 400 days make, in seconds.
    pub fn longest_stretch_s(&self) -> i64 {
        let start_s = instant_of(&self.zone, self.start);
        let until = self.start.checked_add(400.days()).unwrap_or(DateTime::MAX);
        let spans = super::merged(self.near(start_s, instant_of(&self.zone, until)));
        let lengths = spans.iter().map(|(start, end)| end - start);
        lengths.max().unwrap_or_default()
    }

    pub(super) fn canonical(&self) -> String {
        let except: Vec<String> = self.except.iter().map(Date::to_string).collect();
        let until = self
            .until_s
            .map_or_else(|| "ever".to_owned(), |until| until.to_string());
        format!(
            "every {} from {} {} for {} until {until} except {}",
            self.rule.days_canonical(self.start.date()),
            self.start,
            self.zone(),
            self.length_s,
            except.join(",")
        )
    }
}
