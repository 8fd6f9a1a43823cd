//! The part of RFC 5545's recurrence rules that days need.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::{Timestamp, ToSpan};

/// Most occurrences that `COUNT` may ask for.
const MAX_COUNT: u32 = 10_000;
/// Most days, weeks, months or years that are looked through for them.
const MAX_UNITS: i64 = 100_000;

/// Which days: `FREQ=MONTHLY;BYDAY=2TU`.
///
/// ```
/// use slo_specs::RepeatRule;
/// let rule: RepeatRule = "FREQ=MONTHLY;BYDAY=2TU".parse()?;
/// assert_eq!(rule.to_string(), "FREQ=MONTHLY;BYDAY=2TU");
/// assert!("FREQ=SECONDLY".parse::<RepeatRule>().is_err());
/// # Ok::<(), slo_specs::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepeatRule {
    frequency: Frequency,
    interval: i64,
    /// Weekdays, perhaps only the n-th of the month, from its end if negative.
    by_day: Vec<(Option<i8>, Weekday)>,
    by_month_day: Vec<i8>,
    by_month: Vec<i8>,
    end: Option<End>,
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Frequency {
    /// `DAILY`
    Daily,
    /// `WEEKLY`: weeks begin on Monday.
    Weekly,
    /// `MONTHLY`
    Monthly,
    /// `YEARLY`
    Yearly,
}

/// The last time it may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// In Unix seconds.
    Instant(i64),
    /// By the clocks of the zone.
    Civil(DateTime),
    /// That day.
    Day(Date),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Count(u32),
    Until(Until),
}

/// Why a text is not a rule that can be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not `NAME=value`, separated by semicolons.
    #[error("`{0}` is not a part such as `FREQ=WEEKLY`")]
    Malformed(String),
    /// The rule does not say how often.
    #[error("it has no FREQ")]
    NoFrequency,
    /// Hours, minutes and seconds are no times for maintenance.
    #[error("FREQ={0} is not taken; it is one of DAILY, WEEKLY, MONTHLY, YEARLY")]
    Frequency(String),
    /// A part of RFC 5545 that is not done here.
    #[error(
        "{0} is not taken; a rule has FREQ, INTERVAL, BYDAY, BYMONTHDAY, BYMONTH, COUNT and UNTIL"
    )]
    Part(String),
    /// A part stands twice.
    #[error("{0} stands twice")]
    Twice(String),
    /// A part's value is not one that it can have.
    #[error("{0} is `{1}`, which it cannot be")]
    Value(String, String),
    /// These two parts do not go together.
    #[error("{0} does not go with FREQ={1}")]
    Together(&'static str, &'static str),
    /// Both are given.
    #[error("it has both COUNT and UNTIL")]
    TwoEnds,
    /// The first occurrence is not one by the rule.
    #[error("the start {0} is not a day of the rule")]
    Start(Date),
    /// The rule has no more days before the count is full.
    #[error("it never comes to its COUNT")]
    Endless,
}

impl RepeatRule {
    /// Where it ends, if by a time.
    pub fn until(&self) -> Option<Until> {
        match self.end {
            Some(End::Until(until)) => Some(until),
            Some(End::Count(_)) | None => None,
        }
    }

    /// The same rule with an end.
    #[must_use]
    pub fn ending(self, until: Until) -> Self {
        Self {
            end: Some(End::Until(until)),
            ..self
        }
    }

    /// Whether it says itself where it ends.
    pub fn ends(&self) -> bool {
        self.end.is_some()
    }

    /// Its days from `first` to `last`, both included, if it starts on `start`.
    pub(super) fn days(&self, start: Date, first: Date, last: Date) -> Vec<Date> {
        let mut days = Vec::new();
        let mut unit = (self.unit_of(start, first.max(start)) - 1).max(0);
        while let Some(begin) = self.begin_of(start, unit) {
            if begin > last {
                break;
            }
            let within = |day: &Date| (first..=last).contains(day) && *day >= start;
            days.extend(self.of_unit(start, begin).into_iter().filter(within));
            unit += 1;
        }
        days
    }

    /// Whether a day is one of its days.
    pub(super) fn has(&self, start: Date, day: Date) -> bool {
        self.days(start, day, day).contains(&day)
    }

    /// The last day of a rule with `COUNT`.
    pub(super) fn last_of_count(&self, start: Date) -> Result<Option<Date>, RuleError> {
        let Some(End::Count(count)) = self.end else {
            return Ok(None);
        };
        let mut left = usize::try_from(count).unwrap_or(usize::MAX);
        for unit in 0..MAX_UNITS {
            let Some(begin) = self.begin_of(start, unit) else {
                break;
            };
            let mut days = self.of_unit(start, begin);
            days.retain(|day| *day >= start);
            match days.get(left - 1) {
                Some(last) => return Ok(Some(*last)),
                None => left -= days.len(),
            }
        }
        Err(RuleError::Endless)
    }

    /// Which days, without where they end; what the start says is written out.
    pub(super) fn days_canonical(&self, start: Date) -> String {
        let mut rule = Self {
            end: None,
            ..self.clone()
        };
        if rule.frequency == Frequency::Yearly && rule.by_month.is_empty() {
            rule.by_month.push(start.month());
        }
        if rule.by_day.is_empty() && rule.by_month_day.is_empty() {
            match rule.frequency {
                Frequency::Daily => {}
                Frequency::Weekly => rule.by_day.push((None, start.weekday())),
                Frequency::Monthly | Frequency::Yearly => rule.by_month_day.push(start.day()),
            }
        }
        rule.to_string()
    }

    /// Which of its units a day is in, counted from the start's.
    fn unit_of(&self, start: Date, day: Date) -> i64 {
        let days = || day.duration_since(start).as_hours() / 24;
        let months = || {
            (i64::from(day.year()) - i64::from(start.year())) * 12 + i64::from(day.month())
                - i64::from(start.month())
        };
        let units = match self.frequency {
            Frequency::Daily => days(),
            Frequency::Weekly => days().div_euclid(7),
            Frequency::Monthly => months(),
            Frequency::Yearly => i64::from(day.year()) - i64::from(start.year()),
        };
        units.div_euclid(self.interval)
    }

    /// First day of a unit; `None` beyond the years there are.
    fn begin_of(&self, start: Date, unit: i64) -> Option<Date> {
        let count = unit.checked_mul(self.interval)?;
        let span = jiff::Span::new();
        match self.frequency {
            Frequency::Daily => start.checked_add(span.try_days(count).ok()?).ok(),
            Frequency::Weekly => {
                let monday = i64::from(start.weekday().to_monday_zero_offset());
                let monday = start.checked_sub(monday.days()).ok()?;
                monday.checked_add(span.try_weeks(count).ok()?).ok()
            }
            Frequency::Monthly => {
                let first = start.first_of_month();
                first.checked_add(span.try_months(count).ok()?).ok()
            }
            Frequency::Yearly => {
                let first = start.first_of_year();
                first.checked_add(span.try_years(count).ok()?).ok()
            }
        }
    }

    /// The rule's days in the unit that begins there, in order.
    fn of_unit(&self, start: Date, begin: Date) -> Vec<Date> {
        let length = match self.frequency {
            Frequency::Daily => 1,
            Frequency::Weekly => 7,
            Frequency::Monthly => begin.days_in_month().into(),
            Frequency::Yearly => begin.days_in_year(),
        };
        let days = (0..length).filter_map(|day| begin.checked_add(i64::from(day).days()).ok());
        days.filter(|day| self.matches(start, *day)).collect()
    }

    fn matches(&self, start: Date, day: Date) -> bool {
        let in_month = if self.by_month.is_empty() {
            self.frequency != Frequency::Yearly || day.month() == start.month()
        } else {
            self.by_month.contains(&day.month())
        };
        let from_end = day.day() - day.days_in_month() - 1;
        let on_day = self.by_month_day.is_empty()
            || self.by_month_day.contains(&day.day())
            || self.by_month_day.contains(&from_end);
        let nth = |nth: &i8| *nth == (day.day() - 1) / 7 + 1 || *nth == (from_end + 1) / 7 - 1;
        let on_weekday = self.by_day.is_empty()
            || self.by_day.iter().any(|(ordinal, weekday)| {
                *weekday == day.weekday() && ordinal.as_ref().is_none_or(nth)
            });
        in_month && on_day && on_weekday && self.as_the_start(start, day)
    }

    /// Where the rule does not name days, the start's is meant.
    fn as_the_start(&self, start: Date, day: Date) -> bool {
        if !self.by_day.is_empty() || !self.by_month_day.is_empty() {
            return true;
        }
        match self.frequency {
            Frequency::Daily => true,
            Frequency::Weekly => day.weekday() == start.weekday(),
            Frequency::Monthly | Frequency::Yearly => day.day() == start.day(),
        }
    }
}

/// The parts of a rule as they are written.
#[derive(Default)]
struct Parts<'t> {
    parts: Vec<(&'t str, &'t str)>,
}

impl<'t> Parts<'t> {
    fn read(text: &'t str) -> Result<Self, RuleError> {
        const KNOWN: [&str; 7] = [
            "FREQ",
            "INTERVAL",
            "BYDAY",
            "BYMONTHDAY",
            "BYMONTH",
            "COUNT",
            "UNTIL",
        ];
        let mut parts: Vec<(&str, &str)> = Vec::new();
        for part in text.trim_end_matches(';').split(';') {
            let malformed = || RuleError::Malformed(part.to_owned());
            let (name, value) = part.split_once('=').ok_or_else(malformed)?;
            if !KNOWN.contains(&name) {
                return Err(RuleError::Part(name.to_owned()));
            }
            if parts.iter().any(|(known, _)| *known == name) {
                return Err(RuleError::Twice(name.to_owned()));
            }
            parts.push((name, value));
        }
        Ok(Self { parts })
    }

    fn get(&self, name: &str) -> Option<&'t str> {
        let part = self.parts.iter().find(|(known, _)| *known == name);
        part.map(|(_, value)| *value)
    }

    /// A list of values, sorted and unique.
    fn list<T: Ord>(
        &self,
        name: &str,
        value: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, RuleError> {
        let Some(text) = self.get(name) else {
            return Ok(Vec::new());
        };
        let read = |item: &str| value(item).ok_or_else(|| bad_value(name, text));
        let mut values = text.split(',').map(read).collect::<Result<Vec<T>, _>>()?;
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    fn number(&self, name: &str, most: u32) -> Result<Option<u32>, RuleError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(Some(number)),
            _ => Err(bad_value(name, text)),
        }
    }
}

impl FromStr for RepeatRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let text = text.trim();
        let parts = Parts::read(text.strip_prefix("RRULE:").unwrap_or(text))?;
        let frequency = match parts.get("FREQ").ok_or(RuleError::NoFrequency)? {
            "DAILY" => Frequency::Daily,
            "WEEKLY" => Frequency::Weekly,
            "MONTHLY" => Frequency::Monthly,
            "YEARLY" => Frequency::Yearly,
            other => return Err(RuleError::Frequency(other.to_owned())),
        };
        let count = parts.number("COUNT", MAX_COUNT)?;
        let until = match parts.get("UNTIL") {
            None => None,
            Some(text) => Some(until(text).ok_or_else(|| bad_value("UNTIL", text))?),
        };
        let by_day = parts.list("BYDAY", weekday)?;
        let rule = Self {
            frequency,
            interval: parts.number("INTERVAL", 1_000)?.unwrap_or(1).into(),
            by_day: by_day.into_iter().filter_map(on_weekday).collect(),
            by_month_day: parts.list("BYMONTHDAY", |text| ranged(text, 31))?,
            by_month: parts.list("BYMONTH", |text| {
                ranged(text, 12).filter(|month| *month > 0)
            })?,
            end: match (count, until) {
                (Some(_), Some(_)) => return Err(RuleError::TwoEnds),
                (Some(count), None) => Some(End::Count(count)),
                (None, until) => until.map(End::Until),
            },
        };
        rule.checked()
    }
}

impl RepeatRule {
    /// Refuses parts that do not go together, or whose meaning is not plain.
    fn checked(self) -> Result<Self, RuleError> {
        let frequency = self.frequency.name();
        let ordinals = self.by_day.iter().any(|(nth, _)| nth.is_some());
        let days = !self.by_day.is_empty() || !self.by_month_day.is_empty();
        match self.frequency {
            Frequency::Daily | Frequency::Weekly if ordinals => {
                Err(RuleError::Together("a numbered BYDAY", frequency))
            }
            Frequency::Weekly if !self.by_month_day.is_empty() => {
                Err(RuleError::Together("BYMONTHDAY", frequency))
            }
            Frequency::Yearly if days && self.by_month.is_empty() => Err(RuleError::Together(
                "BYDAY or BYMONTHDAY without BYMONTH",
                frequency,
            )),
            _ => Ok(self),
        }
    }
}

impl Frequency {
    /// As a rule says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Daily => "DAILY",
            Self::Weekly => "WEEKLY",
            Self::Monthly => "MONTHLY",
            Self::Yearly => "YEARLY",
        }
    }
}

impl fmt::Display for RepeatRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FREQ={}", self.frequency.name())?;
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        let by_day = self.by_day.iter().map(|(nth, day)| {
            let nth = nth.map_or_else(String::new, |nth| nth.to_string());
            format!("{nth}{}", code(*day))
        });
        part(f, "BYDAY", by_day)?;
        part(f, "BYMONTHDAY", self.by_month_day.iter().map(i8::to_string))?;
        part(f, "BYMONTH", self.by_month.iter().map(i8::to_string))?;
        match self.end {
            None => Ok(()),
            Some(End::Count(count)) => write!(f, ";COUNT={count}"),
            Some(End::Until(Until::Instant(second))) => {
                let instant = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
                write!(f, ";UNTIL={}", instant.strftime("%Y%m%dT%H%M%SZ"))
            }
            Some(End::Until(Until::Civil(civil))) => {
                write!(f, ";UNTIL={}", civil.strftime("%Y%m%dT%H%M%S"))
            }
            Some(End::Until(Until::Day(day))) => write!(f, ";UNTIL={}", day.strftime("%Y%m%d")),
        }
    }
}

fn part(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    values: impl Iterator<Item = String>,
) -> fmt::Result {
    let values: Vec<String> = values.collect();
    if values.is_empty() {
        return Ok(());
    }
    write!(f, ";{name}={}", values.join(","))
}

fn bad_value(name: &str, text: &str) -> RuleError {
    RuleError::Value(name.to_owned(), text.to_owned())
}

/// A number from −most to most, but not 0.
fn ranged(text: &str, most: i8) -> Option<i8> {
    let number: i8 = text.parse().ok()?;
    (number != 0 && (-most..=most).contains(&number)).then_some(number)
}

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("MO", Weekday::Monday),
    ("TU", Weekday::Tuesday),
    ("WE", Weekday::Wednesday),
    ("TH", Weekday::Thursday),
    ("FR", Weekday::Friday),
    ("SA", Weekday::Saturday),
    ("SU", Weekday::Sunday),
];

/// `SU`, `1SU`, `-1SU`: the number, and the index of the weekday.
fn weekday(text: &str) -> Option<(Option<i8>, usize)> {
    let (index, (code, _)) = WEEKDAYS
        .iter()
        .enumerate()
        .find(|(_, (code, _))| text.ends_with(code))?;
    match text.strip_suffix(code)? {
        "" => Some((None, index)),
        nth => Some((Some(ranged(nth, 5)?), index)),
    }
}

fn on_weekday((nth, index): (Option<i8>, usize)) -> Option<(Option<i8>, Weekday)> {
    WEEKDAYS.get(index).map(|(_, weekday)| (nth, *weekday))
}

fn code(weekday: Weekday) -> &'static str {
    let known = WEEKDAYS.iter().find(|(_, known)| *known == weekday);
    known.map_or("", |(code, _)| code)
}

/// `20261231`, `20261231T120000` by the clocks, `20261231T120000Z`.
fn until(text: &str) -> Option<Until> {
    if let Some(utc) = text.strip_suffix('Z') {
        let civil = DateTime::strptime("%Y%m%dT%H%M%S", utc).ok()?;
        let instant = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        return Some(Until::Instant(instant.timestamp().as_second()));
    }
    let civil = DateTime::strptime("%Y%m%dT%H%M%S", text)
        .ok()
        .map(Until::Civil);
    civil.or_else(|| Date::strptime("%Y%m%d", text).ok().map(Until::Day))
}
