//! Judging an objective at one tick, and again when late data changed the past.

use std::time::Duration;

use jiff::Timestamp;

use crate::{BurnRate, BurnRule, ErrorBudget, Objective, Ratio, Severity, Tally, Timeline};

/// Seconds between ticks.
const TICK_S: i64 = 10;
/// Look-back of the outlook while no rule fires.
const OUTLOOK: Duration = Duration::from_hours(1);

/// Everything that is known of an objective at one tick: what pages and views are made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The tick.
    pub at: Timestamp,
    /// What happened within the SLO's window.
    pub window: Tally,
    /// The same with what corrections leave out of it; none without corrections.
    pub uncorrected: Option<Tally>,
    /// What is left of it.
    pub budget: ErrorBudget,
    /// One for each rule, in the objective's order.
    pub readings: Vec<Reading>,
    /// When the budget is gone at the present rate.
    pub exhaustion: Exhaustion,
    /// Look-back of that rate: the short window of the most severe breached rule, else an hour.
    pub exhaustion_window: Duration,
    /// Start of the first slice that has events.
    pub measured_since: Option<Timestamp>,
    /// End of the last slice that has events.
    pub last_event: Option<Timestamp>,
}

/// What one rule sees at one tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The tick.
    pub at: Timestamp,
    /// The long window.
    pub long: Tally,
    /// The short window.
    pub short: Tally,
    /// `None` without events.
    pub long_burn: Option<BurnRate>,
    /// `None` without events.
    pub short_burn: Option<BurnRate>,
    /// Whether the long window burns above the threshold.
    pub long_over: bool,
    /// Whether the short window burns above the threshold.
    pub short_over: bool,
    /// Both are over, and the long window has enough bad events: the rule may fire.
    pub breached: bool,
}

/// What a rule looks like, for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleState {
    /// Neither window is over.
    Calm,
    /// Only the short window is over: it fires if this goes on.
    Rising,
    /// Both are over.
    Firing,
    /// Only the long window is over: it is getting better.
    Recovering,
}

/// When a budget is gone at the present rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhaustion {
    /// No events to tell from.
    Unknown,
    /// Not at this rate: the burn rate is at most 1.
    Never,
    /// Not in this period of the calendar: it ends, and the budget is whole again, before that.
    NotThisPeriod,
    /// In this time, if no spending returned meanwhile.
    In(Duration),
    /// It is gone already.
    Spent,
}

/// A breach that only late data showed.
#[derive(Clone, Debug, PartialEq)]
pub struct LateBreach {
    /// Index of the rule in the objective's rules.
    pub rule: usize,
    /// What it saw at the latest past tick that breached; its `at` is that tick.
    pub reading: Reading,
}

/// Judges an objective at a tick.
pub fn evaluate(objective: &Objective, timeline: &Timeline, now: Timestamp) -> Evaluation {
    let window = objective.window.tally(timeline, now.as_second());
    let budget = ErrorBudget {
        target: objective.target,
        tally: window,
    };
    let readings: Vec<Reading> = objective
        .rules
        .iter()
        .map(|rule| read_rule(rule, objective.target, timeline, now))
        .collect();
    let exhaustion_window = outlook_window(&objective.rules, &readings);
    let instant = |second: i64| Timestamp::from_second(second).ok();
    Evaluation {
        at: now,
        window,
        uncorrected: None,
        exhaustion: outlook(
            objective,
            &budget,
            timeline,
            now.as_second(),
            exhaustion_window,
        ),
        exhaustion_window,
        budget,
        readings,
        measured_since: timeline
            .measured_since()
            .and_then(|since| instant(since - objective.budgeting.lead_s())),
        last_event: timeline.last_event().and_then(instant),
    }
}

/// What one rule sees at a tick.
pub fn read_rule(rule: &BurnRule, target: Ratio, timeline: &Timeline, now: Timestamp) -> Reading {
    let long = timeline.tally(now.as_second(), rule.long);
    let short = timeline.tally(now.as_second(), rule.short);
    let long_burn = BurnRate::of(long, target);
    let short_burn = BurnRate::of(short, target);
    let long_over = long_burn.is_some_and(|burn| rule.is_over(burn));
    let short_over = short_burn.is_some_and(|burn| rule.is_over(burn));
    let breached = long_over && short_over && long.bad >= rule.minimum_bad;
    Reading {
        at: now,
        long,
        short,
        long_burn,
        short_burn,
        long_over,
        short_over,
        breached,
    }
}

/// Judges again the ticks in `from..now` that late data may have changed: for each rule the latest
/// of them that it was breached at, throughout the rule's hold. `now` itself is for [`evaluate`].
///
/// `from` is the end of the earliest slice that late data touched. At `now`, advance the alert with
/// the reading of `now` first; if that changed nothing, [`fire_late`](crate::AlertState::fire_late).
pub fn judge_again(
    objective: &Objective,
    timeline: &Timeline,
    from: Timestamp,
    now: Timestamp,
) -> Vec<LateBreach> {
    objective
        .rules
        .iter()
        .enumerate()
        .filter_map(|(index, rule)| {
            latest_breach(rule, objective.target, timeline, from, now).map(|reading| LateBreach {
                rule: index,
                reading,
            })
        })
        .collect()
}

/// Whether a rule could be breached at any tick in `first..=last`. False only if none can be: then an
/// alert that is inactive at `first` is so at `last`, and the ticks between need not be judged.
///
/// Events after a tick do not change what it sees, so that this may be asked of the past at once.
pub fn may_breach(
    objective: &Objective,
    timeline: &Timeline,
    first: Timestamp,
    last: Timestamp,
) -> bool {
    let (first, last) = (first.as_second(), last.as_second());
    objective.rules.iter().any(|rule| {
        let enough = timeline.extremes(rule.long, first, last).0 >= rule.minimum_bad;
        enough
            && [rule.long, rule.short]
                .into_iter()
                .all(|window| may_be_over(rule, objective.target, timeline, window, (first, last)))
    })
}

fn may_be_over(
    rule: &BurnRule,
    target: Ratio,
    timeline: &Timeline,
    window: Duration,
    (first, last): (i64, i64),
) -> bool {
    let (bad, total) = timeline.extremes(window, first, last);
    let most = Tally {
        total,
        bad,
        uncertain: 0,
    };
    // Where no event is in all of the windows, a bad one may be all that there is in one of them.
    let most = match BurnRate::of(most, target) {
        Some(burn) => Some(burn),
        None if bad > 0 => return true,
        None => BurnRate::new(0, 1),
    };
    most.is_some_and(|burn| rule.is_over(burn))
}

impl Reading {
    /// What the rule looks like.
    pub fn state(&self) -> RuleState {
        match (self.long_over, self.short_over) {
            (true, true) => RuleState::Firing,
            (false, true) => RuleState::Rising,
            (true, false) => RuleState::Recovering,
            (false, false) => RuleState::Calm,
        }
    }
}

fn latest_breach(
    rule: &BurnRule,
    target: Ratio,
    timeline: &Timeline,
    from: Timestamp,
    now: Timestamp,
) -> Option<Reading> {
    let (from, now) = (from.as_second(), now.as_second());
    let long_s = seconds(rule.long);
    let begin = from
        .saturating_sub(long_s)
        .saturating_sub(seconds(rule.hold));
    if !timeline.may_have_bad(begin, now, rule.minimum_bad) {
        return None;
    }
    let hold_s = seconds(rule.hold);
    let mut held: Option<Reading> = None;
    let mut tick = now - TICK_S;
    // Backwards, so that the first run of breaches long enough to hold is the latest. A run that
    // began before `from` counts as far as it reaches back.
    while tick >= from || held.is_some() {
        let reading = read_rule(rule, target, timeline, Timestamp::from_second(tick).ok()?);
        if reading.breached {
            let latest = held.get_or_insert(reading);
            if latest.at.as_second() - tick >= hold_s {
                return held;
            }
        } else {
            held = None;
        }
        tick -= TICK_S;
    }
    None
}

fn outlook_window(rules: &[BurnRule], readings: &[Reading]) -> Duration {
    let breached = rules
        .iter()
        .zip(readings)
        .filter(|(_, reading)| reading.breached);
    let most_severe = breached.min_by_key(|(rule, _)| (rule.severity, rule.short));
    most_severe.map_or(OUTLOOK, |(rule, _)| rule.short)
}

/// When the budget is gone if the last `window` goes on: `remaining events ÷ (bad(w) / w)`, where `w` is
/// at most the time measured so far.
///
/// A rolling window has about as many events always. Within a period of the calendar they become more,
/// and with them the events that may be bad: there it is
/// `remaining events ÷ ((bad(w) − (1 − target) · total(w)) / w)`, unless the period ends before.
pub fn outlook(
    objective: &Objective,
    budget: &ErrorBudget,
    timeline: &Timeline,
    now_s: i64,
    window: Duration,
) -> Exhaustion {
    if budget.is_spent() {
        return Exhaustion::Spent;
    }
    let recent = timeline.tally(now_s, window);
    let Some(burn) = BurnRate::of(recent, budget.target) else {
        return Exhaustion::Unknown;
    };
    if burn <= BurnRate::ONE {
        return Exhaustion::Never;
    }
    let measured = timeline
        .measured_since()
        .map_or(0, |since| now_s.saturating_sub(since).max(1));
    let span_s = seconds(window).min(measured);
    let Some(period) = objective.window.period(now_s) else {
        return Exhaustion::In(time_to_empty(budget, 0.0, recent, span_s));
    };
    let grown = ErrorBudget {
        tally: recent,
        ..*budget
    };
    let left = time_to_empty(budget, grown.allowed_events(), recent, span_s);
    let until_reset = period.until_s.saturating_sub(now_s);
    if left.as_secs() >= until_reset.unsigned_abs() {
        return Exhaustion::NotThisPeriod;
    }
    Exhaustion::In(left)
}

#[expect(clippy::cast_precision_loss, reason = "an outlook is not exact anyway")]
fn time_to_empty(budget: &ErrorBudget, grown: f64, recent: Tally, span_s: i64) -> Duration {
    let seconds = budget.remaining_events() * span_s as f64 / (recent.bad as f64 - grown);
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

impl Severity {
    /// Bad events a rule of this severity needs in its long window unless its policy says so.
    pub(crate) fn default_minimum_bad(self) -> u64 {
        match self {
            Self::Page => 3,
            Self::Ticket => 1,
        }
    }
}
