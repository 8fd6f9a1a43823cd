//! One tick: every objective is evaluated and every alert advanced.
//!
//! Pure. [`Judge::propose`] says what a tick would change; the caller makes it durable, together
//! with the pages it owes, and only then calls [`Judge::accept`]. Replay accepts at once.

mod held;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use slo_specs::{
    AlertState, Change, Evaluation, Fingerprint, Objective, Reading, Rule, Severity, Timeline,
    Transition, evaluate, evaluate_heard,
};

use crate::live::Live;

/// Seconds between ticks.
const TICK_S: i64 = 10;
/// How far back ticks that were missed are judged: a process that was down for longer has nothing
/// from that time but what comes late, which is judged for its own sake.
const LONGEST_AGAIN_S: i64 = 86_400;

/// Without a tick for so long nobody listened: the process was not there, or was held up.
const DEAF_S: i64 = 60;

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
    /// Above every number that was proposed: those that were not accepted may be stored all the same.
    unproposed: u64,
    /// Incidents that receivers heard of although they could not be stored: they keep their numbers.
    promised: BTreeMap<AlertKey, u64>,
    /// The last tick whose verdict was accepted; ticks after it are still to be judged.
    judged_until: Option<Timestamp>,
    /// The tick before, accepted or not; none in a replay, whose clock may skip what is still.
    ticked: Option<Timestamp>,
    /// Since when there were ticks without a gap; none if there always were.
    listening_since: Option<Timestamp>,
    /// Per indicator the earliest slice end that changed since then.
    touched: BTreeMap<Fingerprint, i64>,
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
    pub(crate) rule: Rule,
    pub(crate) reading: Reading,
    pub(crate) evaluation: Evaluation,
}

impl Judge {
    /// Goes on with stored alerts; incidents are numbered from `next_incident`. The ticks from
    /// `unjudged_from` (Unix seconds) on are judged with the first one.
    pub(crate) fn resume(
        alerts: BTreeMap<AlertKey, Alert>,
        next_incident: u64,
        unjudged_from: Option<i64>,
    ) -> Judge {
        Judge {
            alerts,
            next_incident,
            unproposed: 0,
            promised: BTreeMap::new(),
            judged_until: unjudged_from.and_then(|from| Timestamp::from_second(from - TICK_S).ok()),
            ticked: Some(Timestamp::MIN),
            listening_since: None,
            touched: BTreeMap::new(),
        }
    }

    /// Takes stored alerts in place of what it remembers: a transition failed, and it is not known
    /// whether it was stored. What is still to be judged stays, and so do the numbers that were taken or
    /// promised: the store knows nothing of them yet.
    pub(crate) fn reread(&mut self, stored: Judge) {
        self.alerts = stored.alerts;
        self.next_incident = stored.next_incident.max(self.next_incident);
    }

    /// A number for an incident that is decided elsewhere.
    pub(crate) fn take_incident(&mut self) -> u64 {
        let incident = self.next_incident.max(self.unproposed).max(1);
        self.next_incident = incident + 1;
        incident
    }

    /// Receivers heard of a fire that could not be stored: it keeps its number.
    pub(crate) fn promise(&mut self, key: AlertKey, incident: u64) {
        self.promised.insert(key, incident);
        self.next_incident = self.next_incident.max(incident + 1);
    }

    /// What was promised is stored, or over: what fires from now on is another incident. Returns the number,
    /// which nothing else gets.
    pub(crate) fn withdraw(&mut self, key: &AlertKey) -> Option<u64> {
        self.promised.remove(key)
    }

    /// The first tick that is still to be judged, or judged again, in Unix seconds.
    pub(crate) fn unjudged_from(&self) -> Option<i64> {
        let missed = self.judged_until.map(|until| until.as_second() + TICK_S);
        missed
            .into_iter()
            .chain(self.touched.values().copied())
            .min()
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

    /// Evaluates the live state at a tick. No alert changes until the step is accepted.
    pub(crate) fn propose(&mut self, live: &mut Live, now: Timestamp) -> Step {
        live.derive(now.as_second());
        for (indicator, end) in live.take_touched() {
            let earliest = self.touched.entry(indicator).or_insert(end);
            *earliest = end.min(*earliest);
        }
        self.listen(now);
        let catalog = Arc::clone(live.catalog());
        let mut step = Step {
            at: now,
            evaluations: Vec::with_capacity(catalog.objectives.len()),
            changes: Vec::new(),
        };
        let mut incident = self.next_incident.max(1);
        for objective in live.objectives() {
            let fingerprint = objective.tallied();
            let Some(timeline) = live.timeline(fingerprint) else {
                continue;
            };
            let late = self
                .judge_again_from(&objective, fingerprint, now)
                .map(|from| held::judge_again(&objective, timeline, from, now))
                .unwrap_or_default();
            let evaluation = Evaluation {
                uncorrected: live.uncorrected(&objective, now.as_second()),
                ..evaluate_heard(&objective, timeline, now, self.listening_since)
            };
            let changes = self.changes(&objective, &evaluation, &late, &mut incident);
            step.changes.extend(changes);
            step.evaluations.push((objective, evaluation));
        }
        self.unproposed = self.unproposed.max(incident);
        self.resolve_removed(&catalog, now, &mut step.changes);
        step
    }

    /// Evaluates one objective at a tick of the past, with all data at hand: nothing is late, and no tick
    /// before it was missed. Events after the tick do not count.
    pub(crate) fn propose_past(
        &self,
        timeline: &Timeline,
        objective: &Arc<Objective>,
        now: Timestamp,
    ) -> Step {
        let evaluation = evaluate(objective, timeline, now);
        let mut incident = self.next_incident.max(1);
        Step {
            at: now,
            changes: self.changes(objective, &evaluation, &[], &mut incident),
            evaluations: vec![(Arc::clone(objective), evaluation)],
        }
    }

    /// What a tick changes of one objective's alerts; counts up `incident` for each that fires.
    fn changes(
        &self,
        objective: &Arc<Objective>,
        evaluation: &Evaluation,
        late: &[slo_specs::LateBreach],
        incident: &mut u64,
    ) -> Vec<StateChange> {
        let mut changes = Vec::new();
        for (index, rule) in objective.rules.iter().enumerate() {
            let late = late.iter().find(|breach| breach.rule == index);
            let change = self.advance(objective, rule, evaluation, index, late, *incident);
            if let Some(change) = change {
                let took = change.event.as_ref().filter(|event| event.fired());
                let took = took.is_some_and(|event| event.transition.incident == *incident);
                *incident += u64::from(took);
                changes.push(change);
            }
        }
        changes
    }

    /// After a gap between ticks silence proves nothing: nobody listened.
    fn listen(&mut self, now: Timestamp) {
        let Some(before) = self.ticked.replace(now) else {
            self.ticked = None;
            return;
        };
        if now.as_second().saturating_sub(before.as_second()) > DEAF_S {
            self.listening_since = Some(now);
        }
    }

    /// The first past tick that is to be judged with the data of now: one that was missed, or one
    /// that late data changed. None if there is none, or if every rule fires already.
    fn judge_again_from(
        &self,
        objective: &Objective,
        indicator: Fingerprint,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let fires = |rule: &Rule| self.state(&objective.id, &rule.name).is_firing();
        if objective.rules.iter().all(fires) {
            return None;
        }
        let oldest = now.as_second() - LONGEST_AGAIN_S;
        let missed = self
            .judged_until
            .map(|until| (until.as_second() + TICK_S).max(oldest));
        let from = [missed, self.touched.get(&indicator).copied()]
            .into_iter()
            .flatten()
            .min()?;
        Timestamp::from_second(from).ok().filter(|from| *from < now)
    }

    fn advance(
        &self,
        objective: &Arc<Objective>,
        rule: &Rule,
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
        let incident = self.promised.get(&key).copied().unwrap_or(incident);
        let alert = self.alerts.get(&key).cloned().unwrap_or_default();
        let before = alert.state.clone();
        let fired_before = match &before {
            AlertState::Firing { since, .. } => Some(*since),
            AlertState::Inactive { .. } | AlertState::Pending { .. } => None,
        };
        let mut reading = evaluation.readings.get(index)?;
        let (mut state, mut transition) = alert.state.advance(rule, reading, now, incident);
        if !self.promised.contains_key(&key) {
            (state, transition) = held::hold(objective, &before, state, transition, now);
        }
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

    /// An alert whose objective or rule has left the catalog cannot fire for ever; and one that was about to
    /// fire begins anew if the rule comes back.
    fn resolve_removed(
        &self,
        catalog: &slo_specs::Catalog,
        now: Timestamp,
        changes: &mut Vec<StateChange>,
    ) {
        let exists = |key: &AlertKey| {
            let objective = catalog.objective(&key.objective);
            objective.is_some_and(|one| one.rules.iter().any(|rule| rule.name == key.rule))
        };
        for (key, alert) in &self.alerts {
            let (last, event) = match &alert.state {
                _ if exists(key) => continue,
                AlertState::Inactive { .. } => continue,
                AlertState::Pending { last, .. } => (*last, None),
                AlertState::Firing { since, incident } => {
                    let episode = slo_specs::Episode {
                        fired_at: *since,
                        resolved_at: now,
                    };
                    (Some(episode), Some(removed(key, *since, *incident)))
                }
            };
            changes.push(StateChange {
                key: key.clone(),
                version: alert.version,
                state: AlertState::Inactive { last },
                event,
            });
        }
    }

    /// Takes on what was made durable.
    pub(crate) fn accept(&mut self, step: &Step) {
        self.judged_until = Some(step.at);
        self.touched.clear();
        for change in &step.changes {
            let alert = Alert {
                state: change.state.clone(),
                version: change.version + 1,
            };
            self.promised.remove(&change.key);
            self.alerts.insert(change.key.clone(), alert);
            if let Some(event) = &change.event {
                self.next_incident = self.next_incident.max(event.transition.incident + 1);
            }
        }
    }
}

/// The end of an incident whose rule is no more.
fn removed(key: &AlertKey, since: Timestamp, incident: u64) -> Event {
    let transition = Transition {
        change: Change::Resolved,
        incident,
        reason: format!(
            "`{}` no longer has the rule `{}`: it was removed from the specs",
            key.objective, key.rule
        ),
    };
    Event {
        transition,
        fired_at: since,
        late: false,
        cause: None,
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
