//! Alerts that maintenance holds: what would fire waits, and fires when the maintenance ends if it is
//! still breached. What fired before goes on.

use jiff::Timestamp;
use slo_specs::{AlertState, Change, LateBreach, Objective, Timeline, Transition};

use super::TICK_S;

/// Most stretches of maintenance that one look at the past goes around.
const MOST_STRETCHES: usize = 16;

/// A state and its transition, unless that is a fire during maintenance: then the alert is pending.
pub(super) fn hold(
    objective: &Objective,
    before: &AlertState,
    state: AlertState,
    transition: Option<Transition>,
    now: Timestamp,
) -> (AlertState, Option<Transition>) {
    let fires = transition
        .as_ref()
        .is_some_and(|transition| transition.change == Change::Fired);
    if !fires || objective.held_by(now.as_second()).is_none() {
        return (state, transition);
    }
    let pending = match before {
        AlertState::Inactive { last } => AlertState::Pending {
            since: now,
            last: *last,
        },
        AlertState::Pending { .. } | AlertState::Firing { .. } => before.clone(),
    };
    (pending, None)
}

/// As [`slo_specs::judge_again`], without the ticks that maintenance was in force at: no alert would have
/// begun there.
pub(super) fn judge_again(
    objective: &Objective,
    timeline: &Timeline,
    from: Timestamp,
    now: Timestamp,
) -> Vec<LateBreach> {
    let breaches = slo_specs::judge_again(objective, timeline, from, now).into_iter();
    let outside = breaches.filter_map(|breach| outside(objective, timeline, from, breach));
    outside.collect()
}

/// The latest breach that is not within maintenance, from this one back.
fn outside(
    objective: &Objective,
    timeline: &Timeline,
    from: Timestamp,
    mut breach: LateBreach,
) -> Option<LateBreach> {
    for _ in 0..MOST_STRETCHES {
        let Some((_, (start_s, _))) = objective.held_by(breach.reading.at.as_second()) else {
            return Some(breach);
        };
        // The tick at its start is not part of it, and is the last that is looked at.
        let until = Timestamp::from_second(start_s + TICK_S).ok()?;
        let earlier = slo_specs::judge_again(objective, timeline, from, until);
        breach = earlier.into_iter().find(|one| one.rule == breach.rule)?;
    }
    Some(breach)
}
