//! One tick: every objective is evaluated and every alert advanced.
//!
//! Pure. [`Judge::propose`] says what a tick would change; the caller makes it durable, together
//! with the pages it owes, and only then calls [`Judge::accept`]. Replay accepts at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use slo_specs::{
    AlertState, BurnRule, Change, Evaluation, Objective, Reading, Severity, Transition, evaluate,
    judge_again,
};

use crate::live::Live;

/// An alert is known by its objective and its rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AlertKey {
    /// Objective id.
    pub(crate) objective: String,
    /// Rule name.
    pub(crate) rule: String,
}

/// One alert between ticks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) state: AlertState,
    /// How often the stored state has changed; 0 if it is not stored.
    pub(crate) version: i64,
}

/// The alerts of a catalog.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    alerts: BTreeMap<AlertKey, Alert>,
    next_incident: u64,
}

/// What a tick found and would change.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) at: Timestamp,
    /// In the catalog's order.
    pub(crate) evaluations: Vec<(Arc<Objective>, Evaluation)>,
    pub(crate) changes: Vec<StateChange>,
}

/// One alert's new state.
#[derive(Debug, Clone)]
pub(crate) struct StateChange {
    pub(crate) key: AlertKey,
    /// Version of the state this was decided on.
    pub(crate) version: i64,
    pub(crate) state: AlertState,
    /// What somebody must hear of; none for a change between inactive and pending.
    pub(crate) event: Option<Event>,
}

/// A transition with what it was decided on.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) transition: Transition,
    /// Tick at which the incident fired.
    pub(crate) fired_at: Timestamp,
    /// Late data made it fire.
    pub(crate) late: bool,
    /// None if the objective or the rule has left the catalog.
    pub(crate) cause: Option<Cause>,
}

/// The rule that fired or resolved, and what it saw.
#[derive(Debug, Clone)]
pub(crate) struct Cause {
    pub(crate) objective: Arc<Objective>,
    pub(crate) rule: BurnRule,
    pub(crate) reading: Reading,
    pub(crate) evaluation: Evaluation,
}

impl Judge {
    /// Goes on with stored alerts; incidents are numbered from `next_incident`.
    pub(crate) fn resume(alerts: BTreeMap<AlertKey, Alert>, next_incident: u64) -> Judge {
        Judge {
            alerts,
            next_incident,
        }
    }

    /// Where an alert stands.
    pub(crate) fn state(&self, objective: &str, rule: &str) -> AlertState {
        let key = AlertKey {
            objective: objective.to_owned(),
            rule: rule.to_owned(),
        };
        self.alerts
            .get(&key)
            .map(|alert| alert.state.clone())
            .unwrap_or_default()
    }

    /// Evaluates the live state at a tick. Nothing of the judge changes.
    pub(crate) fn propose(&self, live: &mut Live, now: Timestamp) -> Step {
        let touched = live.take_touched();
        let catalog = Arc::clone(live.catalog());
        let mut step = Step {
            at: now,
            evaluations: Vec::with_capacity(catalog.objectives.len()),
            changes: Vec::new(),
        };
        let mut incident = self.next_incident.max(1);
        for objective in live.objectives() {
            let fingerprint = objective.indicator.fingerprint();
            let Some(timeline) = live.timeline(fingerprint) else {
                continue;
            };
            let evaluation = evaluate(&objective, timeline, now);
            let late = touched
                .get(&fingerprint)
                .and_then(|end| Timestamp::from_second(*end).ok())
                .filter(|end| *end < now)
                .map(|end| judge_again(&objective, timeline, end, now))
                .unwrap_or_default();
            for (index, rule) in objective.rules.iter().enumerate() {
                let late = late.iter().find(|breach| breach.rule == index);
                let change = self.advance(&objective, rule, &evaluation, index, late, incident);
                if let Some(change) = change {
                    let fired = change.event.as_ref().is_some_and(Event::fired);
                    incident += u64::from(fired);
                    step.changes.push(change);
                }
            }
            step.evaluations.push((objective, evaluation));
        }
        self.resolve_removed(&catalog, now, &mut step.changes);
        step
    }

    fn advance(
        &self,
        objective: &Arc<Objective>,
        rule: &BurnRule,
        evaluation: &Evaluation,
        index: usize,
        late: Option<&slo_specs::LateBreach>,
        incident: u64,
    ) -> Option<StateChange> {
        let now = evaluation.at;
        let key = AlertKey {
            objective: objective.id.clone(),
            rule: rule.name.clone(),
        };
        let alert = self.alerts.get(&key).cloned().unwrap_or_default();
        let before = alert.state.clone();
        let fired_before = match &before {
            AlertState::Firing { since, .. } => Some(*since),
            AlertState::Inactive { .. } | AlertState::Pending { .. } => None,
        };
        let mut reading = evaluation.readings.get(index)?;
        let (mut state, mut transition) = alert.state.advance(rule, reading, now, incident);
        let mut is_late = false;
        if transition.is_none()
            && let Some(breach) = late
        {
            (state, transition) = state.fire_late(rule, breach, now, incident);
            if transition.is_some() {
                is_late = true;
                reading = &breach.reading;
            }
        }
        if state == before && transition.is_none() {
            return None;
        }
        let event = transition.map(|transition| Event {
            transition,
            fired_at: fired_before.unwrap_or(now),
            late: is_late,
            cause: Some(Cause {
                objective: Arc::clone(objective),
                rule: rule.clone(),
                reading: reading.clone(),
                evaluation: evaluation.clone(),
            }),
        });
        Some(StateChange {
            key,
            version: alert.version,
            state,
            event,
        })
    }

    /// An alert whose objective or rule has left the catalog cannot fire for ever.
    fn resolve_removed(
        &self,
        catalog: &slo_specs::Catalog,
        now: Timestamp,
        changes: &mut Vec<StateChange>,
    ) {
        for (key, alert) in &self.alerts {
            let AlertState::Firing { since, incident } = &alert.state else {
                continue;
            };
            let exists = catalog
                .objective(&key.objective)
                .is_some_and(|objective| objective.rules.iter().any(|rule| rule.name == key.rule));
            if exists {
                continue;
            }
            let transition = Transition {
                change: Change::Resolved,
                incident: *incident,
                reason: format!(
                    "`{}` no longer has the rule `{}`: it was removed from the specs",
                    key.objective, key.rule
                ),
            };
            changes.push(StateChange {
                key: key.clone(),
                version: alert.version,
                state: AlertState::Inactive {
                    last: Some(slo_specs::Episode {
                        fired_at: *since,
                        resolved_at: now,
                    }),
                },
                event: Some(Event {
                    transition,
                    fired_at: *since,
                    late: false,
                    cause: None,
                }),
            });
        }
    }

    /// Takes on what was made durable.
    pub(crate) fn accept(&mut self, changes: &[StateChange]) {
        for change in changes {
            let alert = Alert {
                state: change.state.clone(),
                version: change.version + 1,
            };
            self.alerts.insert(change.key.clone(), alert);
            if let Some(event) = &change.event {
                self.next_incident = self.next_incident.max(event.transition.incident + 1);
            }
        }
    }
}

impl Event {
    /// An incident begins.
    pub(crate) fn fired(&self) -> bool {
        self.transition.change == Change::Fired
    }

    /// How loud it is; a removed rule counts as a page, so that its resolve is not lost.
    pub(crate) fn severity(&self) -> Severity {
        self.cause
            .as_ref()
            .map_or(Severity::Page, |cause| cause.rule.severity)
    }
}

#[cfg(test)]
mod tests;
