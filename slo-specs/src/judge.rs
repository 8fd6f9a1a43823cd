//! Judging an objective at one tick, and again when late data changed the past.

mod stretch;

use std::time::Duration;

use jiff::Timestamp;

use crate::rule::Moment;
use crate::{BurnRate, Condition, ErrorBudget, Objective, Reading, Rule, Tally, Timeline};
use stretch::Stretch;

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

/// Judges an objective at a tick, for somebody who has listened all the time.
pub fn evaluate(objective: &Objective, timeline: &Timeline, now: Timestamp) -> Evaluation {
    evaluate_heard(objective, timeline, now, None)
}

/// Judges an objective at a tick, where nobody listened before `listening_since`: of silence before that it
/// is not known whether nothing happened or nobody heard.
pub fn evaluate_heard(
    objective: &Objective,
    timeline: &Timeline,
    now: Timestamp,
    listening_since: Option<Timestamp>,
) -> Evaluation {
    let moment = Moment::new(objective, timeline, now, listening_since);
    let budget = moment.budget();
    let readings: Vec<Reading> = objective
        .rules
        .iter()
        .map(|rule| moment.read(&rule.condition))
        .collect();
    let exhaustion_window = outlook_window(&objective.rules, &readings);
    let instant = |second: i64| Timestamp::from_second(second).ok();
    Evaluation {
        at: now,
        window: budget.tally,
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

/// What one rule of an objective sees at a tick.
pub fn read_rule(
    rule: &Rule,
    objective: &Objective,
    timeline: &Timeline,
    now: Timestamp,
) -> Reading {
    Moment::new(objective, timeline, now, None).read(&rule.condition)
}

/// Judges again the ticks in `from..now` that late data may have changed: for each rule the latest
/// of them that it was breached at, throughout the rule's hold. `now` itself is for [`evaluate`].
///
/// Of conditions on silence nothing is judged again: late data can only end it. `from` is the end of
/// the earliest slice that late data touched. At `now`, advance the alert with
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
            latest_breach(rule, objective, timeline, from, now).map(|reading| LateBreach {
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
    let stretch = Stretch {
        objective,
        timeline,
        first: first.as_second(),
        last: last.as_second(),
    };
    let mut rules = objective.rules.iter();
    rules.any(|rule| stretch.may_breach(&rule.condition))
}

fn latest_breach(
    rule: &Rule,
    objective: &Objective,
    timeline: &Timeline,
    from: Timestamp,
    now: Timestamp,
) -> Option<Reading> {
    let hold_s = seconds(rule.hold);
    let begin = from.as_second().saturating_sub(hold_s);
    let stretch = Stretch {
        objective,
        timeline,
        first: begin,
        last: now.as_second(),
    };
    // A day of ticks over a window of a month takes long, and telemetry waits meanwhile.
    if !may_have_breached(
        &rule.condition,
        objective,
        timeline,
        (begin, now.as_second()),
    ) || !stretch.may_breach(&rule.condition)
    {
        return None;
    }
    let mut held: Option<Reading> = None;
    let mut tick = now.as_second() - TICK_S;
    // Backwards, so that the first run of breaches long enough to hold is the latest. A run that
    // began before `from` counts as far as it reaches back.
    while tick >= from.as_second() || held.is_some() {
        let at = Timestamp::from_second(tick).ok()?;
        // Silence in the past was heard of in its time, and late data only ends it.
        let moment = Moment::new(objective, timeline, at, Some(now));
        let reading = moment.read(&rule.condition);
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

/// Whether there are enough bad events for a condition to have held at a tick of `from..=to`.
fn may_have_breached(
    condition: &Condition,
    objective: &Objective,
    timeline: &Timeline,
    (from, to): (i64, i64),
) -> bool {
    let bad_within = |look_back: Duration, count: u64| {
        timeline.may_have_bad(from.saturating_sub(seconds(look_back)), to, count)
    };
    let part = |part| may_have_breached(part, objective, timeline, (from, to));
    match condition {
        Condition::Burn(burn) => bad_within(burn.long, burn.minimum_bad),
        Condition::BudgetLeft { minimum_bad, .. } => {
            bad_within(objective.window.longest(), *minimum_bad)
        }
        Condition::BudgetDrop {
            within,
            minimum_bad,
            ..
        } => bad_within(*within, *minimum_bad),
        Condition::TimeToEmpty {
            look_back,
            minimum_bad,
            ..
        } => bad_within(*look_back, *minimum_bad),
        Condition::NoData { .. } => false,
        Condition::All(parts) => parts.iter().all(part),
        Condition::Any(parts) => parts.iter().any(part),
    }
}

fn outlook_window(rules: &[Rule], readings: &[Reading]) -> Duration {
    let breached = rules
        .iter()
        .zip(readings)
        .filter(|(_, reading)| reading.breached)
        .filter_map(|(rule, _)| Some((rule.severity, rule.condition.short()?)));
    breached.min().map_or(OUTLOOK, |(_, short)| short)
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
    let span_s = seconds(window).min(measured_s(timeline, now_s));
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

/// For how long there has been anything to measure, in seconds.
pub(crate) fn measured_s(timeline: &Timeline, now_s: i64) -> i64 {
    timeline
        .measured_since()
        .map_or(0, |since| now_s.saturating_sub(since).max(1))
}

#[expect(clippy::cast_precision_loss, reason = "an outlook is not exact anyway")]
fn time_to_empty(budget: &ErrorBudget, grown: f64, recent: Tally, span_s: i64) -> Duration {
    let seconds = budget.remaining_events() * span_s as f64 / (recent.bad as f64 - grown);
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
