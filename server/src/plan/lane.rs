//! One objective over the past, from its first tick to its last: when its alerts fired and resolved.

use std::sync::Arc;

use jiff::Timestamp;
use slo_specs::{
    AlertState, BurnRate, Evaluation, Objective, Ratio, Rule, Severity, Timeline, evaluate,
    may_breach,
};
use tokio_util::sync::CancellationToken;

use super::grid::Grid;
use super::result::{Episode, Standing};
use crate::judge::{Judge, StateChange};
use crate::live::Live;

/// Most ticks that are passed over at once.
const LONGEST_STRIDE: usize = 1 << 14;

/// What became of one objective.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Lane {
    /// With the severity; in the order they fired.
    pub(super) episodes: Vec<(Severity, Episode)>,
    /// At the beginning.
    pub(super) then: Option<Standing>,
    /// At the end.
    pub(super) now: Option<Standing>,
    /// Since when there is data.
    pub(super) measured_since: Option<Timestamp>,
}

/// What all lanes of a plan have in common.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) grid: Grid,
    pub(super) ticks: Vec<i64>,
    /// Share of a window's budget below which an alert was false.
    pub(super) significant: Ratio,
    /// Ends the work when nobody waits for it any more.
    pub(super) stop: CancellationToken,
}

impl Course {
    pub(super) fn new(grid: Grid, significant: Ratio, stop: CancellationToken) -> Course {
        Course {
            ticks: grid.ticks(),
            grid,
            significant,
            stop,
        }
    }

    /// Judges an objective at every tick at which anything can change. None if it was stopped.
    pub(super) fn run(&self, live: &Live, objective: &Arc<Objective>) -> Option<Lane> {
        self.walk(live, objective, LONGEST_STRIDE)
    }

    /// The same, passing over at most so many ticks at once; with 0, every tick is judged.
    pub(super) fn walk(
        &self,
        live: &Live,
        objective: &Arc<Objective>,
        longest: usize,
    ) -> Option<Lane> {
        // Every tick asks for a dozen windows of it.
        let Some(timeline) = live.account(objective).map(Timeline::opened) else {
            return Some(Lane::default());
        };
        let mut judge = Judge::default();
        let mut lane = Lane::default();
        let (mut next, mut stride) = (0, 1);
        while let Some(&tick) = self.ticks.get(next) {
            if self.stop.is_cancelled() {
                return None;
            }
            let is_calm = objective.rules.iter().all(|rule| {
                matches!(
                    judge.state(&objective.id, &rule.name),
                    AlertState::Inactive { .. }
                )
            });
            if is_calm && longest > 0 {
                let end = (next + stride).min(self.ticks.len());
                let last = self.ticks.get(end - 1).copied().unwrap_or(tick);
                if !may_breach(
                    objective,
                    &timeline,
                    super::instant(tick),
                    super::instant(last),
                ) {
                    next = end;
                    stride = (stride * 2).min(longest);
                    continue;
                }
                if stride > 1 {
                    stride = (stride / 4).max(1);
                    continue;
                }
            }
            let step = judge.propose_past(&timeline, objective, super::instant(tick));
            for change in &step.changes {
                self.note(&mut lane, &timeline, objective, change, tick);
            }
            judge.accept(&step);
            next += 1;
        }
        self.close(&mut lane, &timeline, objective);
        Some(lane)
    }

    fn note(
        &self,
        lane: &mut Lane,
        timeline: &Timeline,
        objective: &Objective,
        change: &StateChange,
        tick: i64,
    ) {
        let Some(event) = &change.event else {
            return;
        };
        let rule = &change.key.rule;
        if event.fired() {
            let episode = Episode {
                rule: rule.clone(),
                fired_at: super::instant(tick),
                resolved_at: None,
                minutes: 0.0,
                bad: 0,
                spent: None,
                is_false: false,
            };
            lane.episodes.push((event.severity(), episode));
            return;
        }
        let mut open = lane.episodes.iter_mut().rev();
        let open = open.find(|(_, open)| open.rule == *rule && open.resolved_at.is_none());
        if let Some((_, episode)) = open {
            episode.resolved_at = Some(super::instant(tick));
            self.weigh(episode, timeline, objective, tick);
        }
    }

    /// What is still open, and the standings at both ends.
    fn close(&self, lane: &mut Lane, timeline: &Timeline, objective: &Objective) {
        for (_, episode) in &mut lane.episodes {
            if episode.resolved_at.is_none() {
                self.weigh(episode, timeline, objective, self.grid.to);
            }
        }
        let from = super::instant(self.grid.from);
        lane.episodes
            .retain(|(_, episode)| episode.resolved_at.is_none_or(|resolved| resolved > from));
        let at = |tick: i64| {
            standing(
                objective,
                &evaluate(objective, timeline, super::instant(tick)),
            )
        };
        lane.then = Some(at(self.grid.from));
        lane.now = Some(at(self.grid.to));
        let since = timeline.measured_since().map(super::instant);
        lane.measured_since = since.filter(|since| since.as_second() < self.grid.to);
    }

    /// Minutes, and what was spent from one long window before it fired until `end`.
    fn weigh(&self, episode: &mut Episode, timeline: &Timeline, objective: &Objective, end: i64) {
        let fired = episode.fired_at.as_second();
        let rule = objective
            .rules
            .iter()
            .find(|rule| rule.name == episode.rule);
        let bad = timeline
            .between(fired.saturating_sub(look_back_s(rule)), end)
            .bad;
        let evaluation = evaluate(objective, timeline, super::instant(end));
        let spent = spent(objective, &evaluation, bad, end);
        episode.minutes = minutes(end - fired.max(self.grid.from));
        episode.bad = bad / objective.budgeting.units();
        episode.spent = spent.map(BurnRate::as_f64);
        let least = BurnRate::new(self.significant.numerator(), self.significant.denominator());
        episode.is_false = spent.zip(least).is_some_and(|(spent, least)| spent < least);
    }
}

/// How far a rule looks back, in seconds.
fn look_back_s(rule: Option<&Rule>) -> i64 {
    rule.map_or(0, |rule| seconds(rule.condition.look_back()))
}

/// `bad` events as a share of the window's budget. Where less than the window is measured, its traffic is
/// taken to have been the same all along.
fn spent(objective: &Objective, evaluation: &Evaluation, bad: u64, end: i64) -> Option<BurnRate> {
    let window_s = seconds(objective.window.nominal());
    let reach_s = seconds(objective.window.look_back(end)).max(10);
    let measured_s = evaluation
        .measured_since
        .map_or(0, |since| end.saturating_sub(since.as_second()))
        .clamp(10, reach_s);
    let all = u128::from(evaluation.window.total) * u128::from(window_s.unsigned_abs())
        / u128::from(measured_s.unsigned_abs());
    let tally = slo_specs::Tally {
        total: u64::try_from(all).unwrap_or(u64::MAX),
        bad,
        uncertain: 0,
    };
    BurnRate::of(tally, objective.target)
}

fn standing(objective: &Objective, evaluation: &Evaluation) -> Standing {
    Standing {
        units: objective.budgeting.units(),
        total: evaluation.window.total,
        bad: evaluation.window.bad,
        budget_remaining: evaluation.budget.remaining(),
    }
}

fn seconds(length: std::time::Duration) -> i64 {
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX)
}

/// Seconds as minutes: both are small.
fn minutes(seconds: i64) -> f64 {
    f64::from(i32::try_from(seconds).unwrap_or(i32::MAX)) / 60.0
}
