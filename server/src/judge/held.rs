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
    let mut outside: Vec<LateBreach> = Vec::new();
    let (mut held, mut until) = (Vec::new(), now);
    // To find one takes as long as to judge: most rules breach in the same.
    let mut stretch = None;
    // The latest breaches of all rules go back around one stretch after the other together.
    for _ in 0..=MOST_STRETCHES {
        held.clear();
        let mut latest_start = None;
        for breach in slo_specs::judge_again(objective, timeline, from, until) {
            if outside.iter().any(|known| known.rule == breach.rule) {
                continue;
            }
            let at = breach.reading.at.as_second();
            let within = |(start, end): &(i64, i64)| at > *start && at <= *end;
            stretch = stretch
                .filter(within)
                .or_else(|| objective.held_by(at).map(|(_, stretch)| stretch));
            match stretch {
                None => outside.push(breach),
                Some((start_s, _)) => {
                    latest_start = latest_start.max(Some(start_s));
                    held.push(breach);
                }
            }
        }
        // The tick at its start is not part of it, and is the last that is looked at.
        let earlier =
            latest_start.and_then(|start_s| Timestamp::from_second(start_s + TICK_S).ok());
        let Some(earlier) = earlier else {
            return outside;
        };
        until = earlier;
    }
    outside.append(&mut held);
    outside
}
