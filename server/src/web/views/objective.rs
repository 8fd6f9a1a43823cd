//! Objectives as tables show them, their rules and alerts.

use std::time::Duration;

use dashboards::Text;
use dashboards::view::{
    Alert, AlertPhase, Budget, BurnMarks, Failure, Look, Mark, Objective, Outlook, Period, Rule,
    RulePhase, Sees, Segment, Severity, Status, Steps, Window,
};
use jiff::Timestamp;
use slo_specs::{
    AlertState, BurnRate, Confidence, ErrorBudget, Exhaustion, Indicator, Op, ReadAs, Reading,
    Timeline, outlook, window_name,
};

use super::corrections::held;
use super::{Source, counts, steps};
use crate::live::Live;
use crate::snapshot::ObjectiveSnapshot;
use crate::store::HistoryRow;
use crate::web::grid::{Grid, instant};

const HOUR: Duration = Duration::from_hours(1);
const FIVE: Duration = Duration::from_mins(5);
const SIX_HOURS: Duration = Duration::from_hours(6);
/// Without events for so long an objective is not measured.
const SILENCE_S: i64 = 15 * 60;
const DAY_S: i64 = 86_400;

/// The status that is shown, and since when it holds where that is known without looking back.
pub(in crate::web) fn status(one: &ObjectiveSnapshot) -> (Status, Option<Timestamp>) {
    let firing = |wanted| {
        let alerts = one.objective.rules.iter().zip(&one.alerts);
        let since = alerts.filter_map(|(rule, alert)| match alert {
            AlertState::Firing { since, .. } if severity(rule) == wanted => Some(*since),
            _ => None,
        });
        since.min()
    };
    let evaluation = &one.evaluation;
    let now_s = evaluation.at.as_second();
    let silent = evaluation
        .last_event
        .is_none_or(|at| at.as_second() < now_s - SILENCE_S);
    if let Some(since) = firing(Severity::Page) {
        (Status::Paging, Some(since))
    } else if evaluation.budget.is_spent() {
        (Status::Missed, None)
    } else if let Some(since) = firing(Severity::Ticket) {
        (Status::Ticket, Some(since))
    } else if silent || evaluation.window.is_empty() {
        (Status::NoData, None)
    } else {
        (Status::OnTrack, None)
    }
}

/// Sorts objectives: by status, then by when they are empty, then by what is left; smaller is more urgent.
pub(in crate::web) fn urgency(one: &ObjectiveSnapshot) -> f64 {
    let rank = match status(one).0 {
        Status::Paging => 0.0,
        Status::Missed => 1.0,
        Status::Ticket => 2.0,
        Status::NoData => 3.0,
        Status::OnTrack => 4.0,
    };
    let empty = match one.evaluation.exhaustion {
        Exhaustion::Spent => 0.0,
        Exhaustion::In(left) => 1.0 - 1.0 / (2.0 + left.as_secs_f64() / 3_600.0),
        Exhaustion::Never | Exhaustion::NotThisPeriod | Exhaustion::Unknown => 1.0,
    };
    let left = one
        .evaluation
        .budget
        .remaining()
        .unwrap_or(0.0)
        .clamp(-1.0, 1.0);
    rank * 10.0 + empty * 4.0 + left
}

/// Most urgent first; segments only if something is wrong with them: the rest is on their objective's page.
pub(super) fn urgent(objectives: &[ObjectiveSnapshot]) -> Vec<&ObjectiveSnapshot> {
    let calm = |one: &ObjectiveSnapshot| matches!(status(one).0, Status::OnTrack | Status::NoData);
    let shown = objectives.iter();
    let shown = shown.filter(|one| one.objective.segment.is_none() || !calm(one));
    sorted(shown.collect())
}

/// Every segment of an objective, most urgent first.
pub(super) fn segments_of<'s>(
    objectives: &'s [ObjectiveSnapshot],
    whole: &str,
) -> Vec<&'s ObjectiveSnapshot> {
    let parts = objectives.iter().filter(|one| {
        let segment = one.objective.segment.as_ref();
        segment.is_some_and(|segment| segment.of == whole)
    });
    sorted(parts.collect())
}

fn sorted(mut objectives: Vec<&ObjectiveSnapshot>) -> Vec<&ObjectiveSnapshot> {
    objectives.sort_by(|a, b| urgency(a).total_cmp(&urgency(b)));
    objectives
}

/// All objectives, most urgent first.
pub(super) fn all(source: &Source<'_>) -> Vec<Objective> {
    let shown = urgent(&source.snapshot.objectives);
    source.with_live(|live| shown.into_iter().map(|one| objective(live, one)).collect())
}

/// One objective.
pub(super) fn objective(live: &Live, one: &ObjectiveSnapshot) -> Objective {
    let (objective, evaluation) = (&one.objective, &one.evaluation);
    let now_s = evaluation.at.as_second();
    let (status, since) = status(one);
    let since = since.or_else(|| {
        (status == Status::Missed)
            .then(|| missed_since(live, one))
            .flatten()
    });
    let measured_s = evaluation
        .measured_since
        .map_or(now_s, Timestamp::as_second);
    let window_from_s = objective.window.from(now_s);
    Objective {
        id: objective.id.clone(),
        title: Text::new(&objective.title),
        segment: objective.segment.as_ref().map(|segment| Segment {
            whole: segment.of.clone(),
            name: Text::new(&segment.named()),
        }),
        service: Text::new(&objective.service),
        target: objective.target.as_f64(),
        window: window(&objective.window, now_s),
        status,
        since,
        budget: Budget {
            counts: counts(objective, evaluation.window),
            counted: objective.noun(),
            left: evaluation.budget.remaining(),
            // The budget of another period says nothing of this one.
            left_day_ago: within_period(one, now_s - DAY_S)
                .then(|| left_at(live, one, now_s - DAY_S))
                .flatten(),
            measured_since: (measured_s > window_from_s)
                .then_some(evaluation.measured_since)
                .flatten(),
        },
        burn_1h: burn(one, HOUR),
        burn_5m: burn(one, FIVE),
        outlook: exhaustion(evaluation.exhaustion),
        recent: steps(live, objective, recent(now_s, measured_s)),
        last_event: evaluation.last_event,
        allows: one.report.allows.as_deref().map(Text::new),
    }
}

/// The last 6 hours, or as long as there is data, in 60 steps.
fn recent(now_s: i64, measured_s: i64) -> Grid {
    let step_s = ((now_s - measured_s).clamp(600, 21_600) / 60)
        .div_euclid(10)
        .max(1)
        * 10;
    Grid::last(now_s, step_s, 60)
}

/// A window as views have it.
fn window(window: &slo_specs::Window, now_s: i64) -> Window {
    match window {
        slo_specs::Window::Rolling(length) => Window::Rolling(*length),
        slo_specs::Window::Calendar(calendar) => {
            let period = calendar.period(now_s);
            Window::Period(Period {
                length: Text::new(&calendar.length_words()),
                from: instant(period.from_s),
                until: instant(period.until_s),
                began: Text::new(&calendar.clock(period.from_s, now_s)),
                resets: Text::new(&calendar.clock(period.until_s, now_s)),
                zone: Text::new(calendar.zone()),
            })
        }
    }
}

/// Whether a moment is of the same period; of a rolling window every one is.
fn within_period(one: &ObjectiveSnapshot, at_s: i64) -> bool {
    let period = one.objective.window.period(one.evaluation.at.as_second());
    period.is_none_or(|period| at_s > period.from_s)
}

/// Budget left at a moment in the past; `None` where nothing was measured.
fn left_at(live: &Live, one: &ObjectiveSnapshot, at_s: i64) -> Option<f64> {
    let objective = &one.objective;
    let timeline = live.account(objective)?;
    let tally = objective.window.tally(timeline, at_s);
    let target = objective.target;
    ErrorBudget { target, tally }.remaining()
}

/// The latest time the budget was not spent, looked for in steps of a hundredth of the window, or of what was
/// measured of it.
fn missed_since(live: &Live, one: &ObjectiveSnapshot) -> Option<Timestamp> {
    let now_s = one.evaluation.at.as_second();
    let window_s = seconds(one.objective.window.nominal());
    let measured_s = one.evaluation.measured_since.map(Timestamp::as_second);
    let measured_s = measured_s.map_or(window_s, |since| (now_s - since).min(window_s));
    let step_s = (measured_s / 1_000).max(1) * 10;
    let past = (1..=100)
        .map(|step| now_s - step * step_s)
        .take_while(|at| within_period(one, *at));
    let kept = past.take_while(|at| left_at(live, one, *at).is_some_and(|left| left <= 0.0));
    kept.last().map(instant).or(Some(one.evaluation.at))
}

/// Burn rate over a look-back, from the error ratio that the API prints.
fn burn(one: &ObjectiveSnapshot, look_back: Duration) -> Option<f64> {
    let name = window_name(look_back);
    let (_, ratio) = one
        .report
        .windows
        .0
        .iter()
        .find(|(window, _)| *window == name)?;
    ratio.map(|ratio| ratio / one.objective.target.complement().as_f64())
}

/// The last 5 minutes, hour and 6 hours, as far as the window reaches.
pub(super) fn looks(live: &Live, one: &ObjectiveSnapshot) -> Vec<Look> {
    let Some(timeline) = live.account(&one.objective) else {
        return Vec::new();
    };
    let mut lengths = vec![FIVE, HOUR, SIX_HOURS];
    lengths.push(one.evaluation.exhaustion_window);
    lengths.retain(|length| *length <= one.objective.window.nominal());
    lengths.sort_unstable();
    lengths.dedup();
    lengths
        .into_iter()
        .map(|length| look(timeline, one, length))
        .collect()
}

fn look(timeline: &Timeline, one: &ObjectiveSnapshot, length: Duration) -> Look {
    let now_s = one.evaluation.at.as_second();
    let tally = timeline.tally(now_s, length);
    let same = length == one.evaluation.exhaustion_window;
    let end = if same {
        one.evaluation.exhaustion
    } else {
        outlook(
            &one.objective,
            &one.evaluation.budget,
            timeline,
            now_s,
            length,
        )
    };
    Look {
        length,
        counts: counts(&one.objective, tally),
        burn: BurnRate::of(tally, one.objective.target).map(BurnRate::as_f64),
        outlook: exhaustion(end),
    }
}

/// An outlook as views have it.
pub(super) fn exhaustion(exhaustion: Exhaustion) -> Outlook {
    match exhaustion {
        Exhaustion::Unknown => Outlook::Unknown,
        Exhaustion::Never => Outlook::NotAtThisRate,
        Exhaustion::NotThisPeriod => Outlook::NotThisPeriod,
        Exhaustion::In(left) => Outlook::EmptyIn(left),
        Exhaustion::Spent => Outlook::Empty,
    }
}

/// The rules with what they see and where their alerts stand.
pub(super) fn rules(one: &ObjectiveSnapshot) -> Vec<Rule> {
    let readings = one.objective.rules.iter().zip(&one.evaluation.readings);
    let rules = readings
        .zip(&one.alerts)
        .map(|((rule, reading), alert)| Rule {
            name: Text::new(&rule.name),
            severity: severity(rule),
            sees: sees(rule, reading, one),
            phase: match alert {
                AlertState::Inactive { .. } => RulePhase::Inactive,
                AlertState::Pending { since, .. } => RulePhase::Pending { since: *since },
                AlertState::Firing { since, .. } => RulePhase::Firing { since: *since },
            },
        });
    rules.collect()
}

fn sees(rule: &slo_specs::Rule, reading: &Reading, one: &ObjectiveSnapshot) -> Sees {
    let units = one.objective.budgeting.units();
    let (Some(burn), Some(seen)) = (rule.burn(), reading.burn()) else {
        return Sees::Words {
            when: Text::new(&rule.condition.when()),
            now: Text::new(&reading.says(&rule.condition)),
            holds: reading.breached,
            known: !one.evaluation.window.is_empty(),
        };
    };
    Sees::Burn(BurnMarks {
        long: burn.long,
        short: burn.short,
        threshold: burn.threshold.as_f64(),
        long_burn: seen.long_burn.map(BurnRate::as_f64),
        short_burn: seen.short_burn.map(BurnRate::as_f64),
        minimum_bad: burn.minimum_bad / units,
        long_bad: seen.long.bad / units,
        confidence: burn
            .confidence
            .map(|asked| (asked.as_f64(), seen.confidence.map(Confidence::as_f64))),
    })
}

/// What a rule is held against, in short.
fn mark(rule: &slo_specs::Rule) -> Mark {
    match rule.burn() {
        Some(burn) => Mark::Burn(burn.threshold.as_f64(), burn.long, burn.short),
        None => Mark::When(Text::new(&rule.condition.when())),
    }
}

/// Severity as views have it.
pub(super) fn severity(rule: &slo_specs::Rule) -> Severity {
    match rule.severity {
        slo_specs::Severity::Page => Severity::Page,
        slo_specs::Severity::Ticket => Severity::Ticket,
    }
}

/// Firing and pending alerts of these objectives, pages first, then those of the history that are over.
pub(super) fn alerts(objectives: &[&ObjectiveSnapshot], history: &[HistoryRow]) -> Vec<Alert> {
    let mut alerts = Vec::new();
    for one in objectives {
        for (rule, state) in one.objective.rules.iter().zip(&one.alerts) {
            let phase = match state {
                AlertState::Inactive { .. } => continue,
                AlertState::Pending { since, .. } => AlertPhase::Pending { since: *since },
                AlertState::Firing { since, .. } => AlertPhase::Firing { since: *since },
            };
            alerts.push(Alert {
                objective: one.objective.id.clone(),
                title: Text::new(&one.objective.title),
                rule: Text::new(&rule.name),
                severity: severity(rule),
                mark: Some(mark(rule)),
                held: matches!(phase, AlertPhase::Pending { .. })
                    .then(|| held(one))
                    .flatten(),
                phase,
                late: false,
            });
        }
    }
    alerts.sort_by_key(|alert| {
        (
            matches!(alert.phase, AlertPhase::Pending { .. }),
            alert.severity,
        )
    });
    alerts.extend(history.iter().filter_map(|row| past(objectives, row)));
    alerts
}

fn past(objectives: &[&ObjectiveSnapshot], row: &HistoryRow) -> Option<Alert> {
    let resolved_s = row.resolved_s?;
    let one = objectives
        .iter()
        .find(|one| one.objective.id == row.objective)?;
    let rule = one
        .objective
        .rules
        .iter()
        .find(|rule| rule.name == row.rule);
    Some(Alert {
        objective: row.objective.clone(),
        title: Text::new(&one.objective.title),
        rule: Text::new(&row.rule),
        severity: if row.severity == "page" {
            Severity::Page
        } else {
            Severity::Ticket
        },
        mark: rule.map(mark),
        phase: AlertPhase::Resolved {
            fired: instant(row.fired_s),
            at: instant(resolved_s),
        },
        late: row.late,
        held: None,
    })
}

/// What a bad event is to its user.
pub(super) fn failure(indicator: &Indicator) -> Failure {
    match indicator {
        Indicator::Ratio { .. } | Indicator::Composite(_) => Failure::Fails,
        Indicator::Threshold { of, op, .. } => match (of.read_as, op) {
            (ReadAs::AsSent, Op::Lt | Op::Lte) if of.is_of_durations() => Failure::TooSlow,
            (ReadAs::Age, Op::Lt | Op::Lte) => Failure::OutOfDate,
            (ReadAs::Share, _) => Failure::Fails,
            _ => Failure::OutOfBounds,
        },
    }
}

/// Spending up to now: a step a day, or shorter while there is less than four days of data.
pub(super) fn days(live: &Live, one: &ObjectiveSnapshot) -> Steps {
    days_since(live, one, one.evaluation.measured_since)
}

/// The same in the steps that fit what was measured since a moment, so that several can be compared.
pub(super) fn days_since(
    live: &Live,
    one: &ObjectiveSnapshot,
    measured_since: Option<Timestamp>,
) -> Steps {
    let now_s = one.evaluation.at.as_second();
    let measured_s = measured_since.map_or(now_s, Timestamp::as_second);
    let step_s = match now_s - measured_s {
        ..5_400 => 60,
        5_400..10_800 => 120,
        10_800..345_600 => 3_600,
        _ => DAY_S,
    };
    steps(live, &one.objective, Grid::last(now_s, step_s, 90))
}

/// A length in whole seconds.
pub(super) fn seconds(length: Duration) -> i64 {
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX / 4)
}
