//! The 10-second tick: fold, judge, make transitions durable with the pages they owe, publish.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use collector::{Limits, Measure};
use jiff::Timestamp;
use slo_specs::{AlertState, Catalog, Ending, Evaluation, Objective, Problem, Severity};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::catalog;
use crate::clock::SystemClock;
use crate::fold::Folder;
use crate::judge::{Event, Judge, StateChange, Step};
use crate::live::Live;
use crate::metrics::{Metrics, SloStanding};
use crate::overflow::Overflow;
use crate::page::{Notice, NoticeInput, Receiver, route, unrouted};
use crate::probes::Health;
use crate::reload::SpecProblems;
use crate::replay::{Windows, slo_report, unweighted_at, windows};
use crate::resume::{locked, stored_alerts};
use crate::segments::{Segments, Unsaved};
use crate::senders::Senders;
use crate::snapshot::{ObjectiveSnapshot, Snapshot, Snapshots};
use crate::storage::StorageWatch;
use crate::store::{AlertChange, History, Kind, OutboxRow, Store, StoreError};

/// Seconds between ticks.
const TICK_S: i64 = 10;
/// How often old data is looked for, in ticks.
const TRIM_TICKS: u64 = 30;

/// Judges the live state on the 10-second grid.
#[derive(Debug)]
pub(crate) struct Ticker {
    pub(crate) store: Store,
    pub(crate) live: Arc<Mutex<Live>>,
    pub(crate) senders: Senders,
    pub(crate) folder: Folder,
    pub(crate) judge: Judge,
    /// A transition failed: the stored alerts are read before the next.
    pub(crate) alerts_in_doubt: bool,
    pub(crate) snapshots: Snapshots,
    pub(crate) receivers: Arc<Vec<Receiver>>,
    pub(crate) base_url: String,
    /// Wakes the delivery workers.
    pub(crate) owed: Arc<Notify>,
    pub(crate) problems: SpecProblems,
    pub(crate) segments: Segments,
    /// Segments that are not stored yet.
    pub(crate) unsaved_segments: Unsaved,
    /// Catalogs as written that are to be judged from the next tick on.
    pub(crate) proposed: mpsc::Receiver<Arc<Catalog>>,
    pub(crate) measure: Arc<ArcSwap<Measure>>,
    pub(crate) overflow: Arc<Overflow>,
    pub(crate) counting: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) storage: StorageWatch,
    pub(crate) clock: SystemClock,
}

impl Ticker {
    /// Ticks until stopped. A tick that was missed is not made up for: the next one sees all data.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut ticks = 0_u64;
        loop {
            let wait = until_next(self.clock.now());
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
            let now = floor_tick(self.clock.now());
            self.tick(now).await;
            ticks += 1;
            if ticks.is_multiple_of(TRIM_TICKS) {
                self.keep_house(now.as_second()).await;
            }
        }
        // What came after the last tick is folded and judged: nothing waits for the next start.
        self.tick(floor_tick(self.clock.now())).await;
    }

    /// One tick. Trouble with the store never keeps objectives from being judged and shown.
    pub(crate) async fn tick(&mut self, now: Timestamp) {
        let started = tokio::time::Instant::now();
        while let Ok(catalog) = self.proposed.try_recv() {
            self.segments.change_catalog(catalog);
            let catalog = self.segments.catalog();
            self.change_catalog(catalog, i64::MIN, now).await;
        }
        self.tell_segments_apart(now).await;
        if let Err(error) = self.folder.count_history(now.as_second()).await {
            tracing::error!(error = %error, "cannot read the history of new objectives; trying again at the next tick");
        }
        let unjudged = self.judge.unjudged_from();
        let folded = self.folder.fold(now.as_second(), unjudged).await;
        if let Err(error) = &folded {
            tracing::error!(error = %error, "cannot fold the journal into slices; trying again at the next tick");
        }
        self.storage.folded(folded.err().as_ref(), now);
        failpoint!("tick.folded");
        if self.alerts_in_doubt {
            self.reread_alerts().await;
        }
        self.storage.tick(&mut self.judge, now).await;
        let (step, windows) = self.judged(now);
        let (changes, owed) = self.transitions(&step);
        match self.make_durable(&changes, &owed).await {
            Ok(()) => {
                self.judge.accept(&step);
                self.storage.stored(&mut self.judge, now);
            }
            Err(error) => {
                self.alerts_in_doubt = true;
                self.storage.not_stored(&error, &owed, &mut self.judge, now);
                tracing::error!(
                    error = %error,
                    alerts.changes = step.changes.len(),
                    "cannot store alert transitions; deciding them again at the next tick"
                );
            }
        }
        self.publish(step, windows);
        let lag = self.clock.now().duration_since(now);
        self.metrics
            .evaluation(started.elapsed(), lag.try_into().unwrap_or_default());
        self.health.evaluator_beat();
    }

    /// Judges segments from when they are first seen on. They are remembered first: which are told apart
    /// must not change with a restart.
    async fn tell_segments_apart(&mut self, now: Timestamp) {
        let known = Arc::clone(locked(&self.live).known());
        let unsaved = &mut self.unsaved_segments;
        self.segments.look_at_tick(&known, now.as_second(), unsaved);
        if unsaved.counters.is_empty() {
            return;
        }
        match self.folder.note(&unsaved.counters).await {
            Ok(()) => {
                let unseen = std::mem::take(unsaved).unseen;
                let catalog = self.segments.catalog();
                self.change_catalog(catalog, unseen, now).await;
            }
            Err(error) => {
                tracing::error!(error = %error, "cannot remember new segments; trying again at the next tick");
            }
        }
    }

    /// Judges another catalog over the same history; what is new in it was not known at `unseen`.
    async fn change_catalog(&mut self, catalog: Arc<Catalog>, unseen: i64, now: Timestamp) {
        // First what is measured, so that what is counted from now on has the new dimensions.
        let measure = catalog::measure(
            &catalog,
            &self.counting,
            self.measure.load().fingerprints.as_ref(),
        );
        self.measure.store(Arc::new(measure));
        self.overflow.change_catalog(&catalog);
        failpoint!("reload.measured");
        let changing = self.folder.take_catalog(catalog, unseen, now.as_second());
        if let Err(error) = changing.await {
            tracing::error!(error = %error, "cannot read the history of new objectives; trying again at the next tick");
        }
        failpoint!("reload.changed");
    }

    /// After a transition that failed nobody knows whether it was stored: the store does.
    async fn reread_alerts(&mut self) {
        // The first write waits for what an earlier connection may still be doing.
        let stored = match self.store.ping_write().await {
            Ok(()) => stored_alerts(&self.store, None).await,
            Err(error) => Err(error),
        };
        match stored {
            Ok(stored) => {
                self.judge.reread(stored);
                self.alerts_in_doubt = false;
                // What was stored after all may owe pages.
                self.owed.notify_waiters();
            }
            Err(error) => tracing::error!(error = %error, "cannot read the alerts again"),
        }
    }

    async fn make_durable(
        &self,
        changes: &[AlertChange],
        owed: &[OutboxRow],
    ) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.store.transition(changes, owed).await?;
        if !owed.is_empty() {
            self.owed.notify_waiters();
        }
        Ok(())
    }

    /// What a step stores: new states, and the pages they owe.
    fn transitions(&self, step: &Step) -> (Vec<AlertChange>, Vec<OutboxRow>) {
        let mut changes = Vec::with_capacity(step.changes.len());
        let mut owed = Vec::new();
        for change in &step.changes {
            changes.push(alert_change(change, step.at));
            if let Some(event) = &change.event {
                owed.push(self.page(change, event, step.at));
                tell(change, event);
            } else {
                tell_held(step, change);
            }
        }
        (changes, owed)
    }

    /// The page an event owes, to each receiver that takes its severity.
    fn page(&self, change: &StateChange, event: &Event, now: Timestamp) -> OutboxRow {
        let notice = Notice::new(&NoticeInput {
            key: &change.key,
            event,
            now,
            base_url: &self.base_url,
        });
        let wanted = event
            .cause
            .as_ref()
            .map(|cause| cause.rule.receivers.as_slice())
            .unwrap_or_default();
        // A resolve goes to those who were owed the fire: the store knows them.
        let receivers = if event.fired() {
            let receivers = route(&self.receivers, event.severity(), wanted);
            if receivers.is_empty() && event.severity() == Severity::Page {
                tracing::error!(
                    objective.id = change.key.objective,
                    rule.name = change.key.rule,
                    "an alert fires that no receiver takes; configure one under [[receivers]]"
                );
            }
            receivers
        } else {
            Vec::new()
        };
        let quiet = event
            .cause
            .as_ref()
            .is_some_and(|cause| cause.rule.ending == Ending::Quiet);
        OutboxRow {
            only: (quiet && !event.fired()).then(|| holding(&self.receivers)),
            receivers,
            incident: stored(event.transition.incident),
            objective: change.key.objective.clone(),
            rule: change.key.rule.clone(),
            kind: if event.fired() {
                Kind::Fire
            } else {
                Kind::Resolve
            },
            notice: notice.to_json(),
            created_ms: now.as_millisecond(),
        }
    }

    /// Judges, and reads the windows that are reported, from the same counts.
    fn judged(&mut self, now: Timestamp) -> (Step, Vec<Windows>) {
        let mut live = locked(&self.live);
        let step = self.judge.propose(&mut live, now);
        let windows = step
            .evaluations
            .iter()
            .map(|(objective, evaluation)| windows(objective, evaluation, &live))
            .collect();
        (step, windows)
    }

    fn publish(&self, step: Step, windows: Vec<Windows>) {
        let objectives = step
            .evaluations
            .into_iter()
            .zip(windows)
            .map(|((objective, evaluation), windows)| {
                self.objective_snapshot(objective, evaluation, windows)
            })
            .collect();
        let (catalog, classes, unweighted, oldest_s) = {
            let live = locked(&self.live);
            let oldest_s = step.at.as_second() - live.longest_window_s();
            let unweighted = live.unweighted().clone();
            let catalog = Arc::clone(live.catalog());
            (catalog, *live.classes(), unweighted, oldest_s)
        };
        let snapshot = Snapshot {
            id: u64::try_from(step.at.as_second() / TICK_S).unwrap_or_default(),
            at: step.at,
            objectives,
            problems: self.all_problems(&catalog),
            storage: self.storage.notes(oldest_s),
            written: Arc::clone(self.segments.written()),
            catalog,
            classes,
            unweighted,
            senders: self.senders.standings(step.at.as_second()),
        };
        self.metrics.slos(&standings(&snapshot.objectives));
        self.snapshots.publish(snapshot);
    }

    /// What is wrong with the spec files, and what would page nobody.
    fn all_problems(&self, catalog: &Catalog) -> Arc<Vec<Problem>> {
        let mut problems = self.problems.load_full();
        let unrouted = unrouted(&self.receivers, catalog);
        if !unrouted.is_empty() {
            Arc::make_mut(&mut problems).extend(unrouted);
        }
        problems
    }

    fn objective_snapshot(
        &self,
        objective: Arc<Objective>,
        evaluation: Evaluation,
        windows: Windows,
    ) -> ObjectiveSnapshot {
        let alerts = objective
            .rules
            .iter()
            .map(|rule| self.judge.state(&objective.id, &rule.name))
            .collect();
        // Merging histograms takes a while: the writer gets its turn between objectives.
        let (latency, unweighted) = {
            let live = locked(&self.live);
            let latency = live.quantiles(&objective, evaluation.at.as_second());
            (latency, unweighted_at(&objective, &evaluation, &live))
        };
        let mut report = slo_report(&objective, &evaluation, windows, latency);
        report.incomplete = self.storage.incomplete(&objective, evaluation.at);
        report.sampled_without_weight_at = unweighted;
        ObjectiveSnapshot {
            objective,
            evaluation,
            alerts,
            report,
            latency,
        }
    }

    async fn keep_house(&self, now: i64) {
        if let Err(error) = self.folder.seal(now).await {
            tracing::error!(error = %error, "cannot make longer slices of old ones");
        }
        match self.folder.trim(now).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(store.rows = rows, "deleted what is beyond retention"),
            Err(error) => tracing::error!(error = %error, "cannot delete what is beyond retention"),
        }
    }
}

/// Receivers that must hear of an end even of a policy with `alertWhenResolved: false`: an incident would
/// stay open there for ever.
fn holding(receivers: &[Receiver]) -> Vec<String> {
    receivers
        .iter()
        .filter(|receiver| receiver.holds_incidents())
        .map(|receiver| receiver.name().to_owned())
        .collect()
}

/// Every SLO as `/metrics` shows it.
fn standings(objectives: &[ObjectiveSnapshot]) -> Vec<SloStanding> {
    let standing = |snapshot: &ObjectiveSnapshot| {
        let target = snapshot.objective.target;
        let budget = target.complement().as_f64();
        SloStanding {
            slo: snapshot.objective.id.clone(),
            sli_ratio: snapshot
                .evaluation
                .window
                .error_ratio()
                .map(|bad| 1.0 - bad),
            budget_remaining_ratio: snapshot.evaluation.budget.remaining(),
            burn_rates: snapshot
                .report
                .windows
                .0
                .iter()
                .map(|(name, ratio)| (name.clone(), ratio.map(|ratio| ratio / budget)))
                .collect(),
        }
    };
    objectives.iter().map(standing).collect()
}

fn alert_change(change: &StateChange, now: Timestamp) -> AlertChange {
    let incident = match (&change.state, &change.event) {
        (AlertState::Firing { incident, .. }, _) => *incident,
        (_, Some(event)) => event.transition.incident,
        (AlertState::Inactive { .. } | AlertState::Pending { .. }, None) => 0,
    };
    AlertChange {
        objective: change.key.objective.clone(),
        rule: change.key.rule.clone(),
        expected_version: change.version,
        state: serde_json::to_string(&change.state).unwrap_or_default(),
        incident: stored(incident),
        history: change.event.as_ref().map(|event| history(event, now)),
    }
}

fn history(event: &Event, now: Timestamp) -> History {
    let reason = event.transition.reason.clone();
    if event.fired() {
        History::Fired {
            severity: event.severity().name().to_owned(),
            fired_s: event.fired_at.as_second(),
            reason,
            late: event.late,
        }
    } else {
        History::Resolved {
            resolved_s: now.as_second(),
            reason,
        }
    }
}

fn tell(change: &StateChange, event: &Event) {
    tracing::info!(
        objective.id = change.key.objective,
        rule.name = change.key.rule,
        incident.number = event.transition.incident,
        alert.reason = event.transition.reason,
        "{}",
        if event.fired() {
            "an alert fires"
        } else {
            "an alert is resolved"
        }
    );
}

/// An alert that begins to wait while maintenance is in force: its page is not sent, and not lost.
fn tell_held(step: &Step, change: &StateChange) {
    let of = |(objective, _): &&(Arc<Objective>, _)| objective.id == change.key.objective;
    let objective = step.evaluations.iter().find(of);
    let held = objective.and_then(|(objective, _)| objective.held_by(step.at.as_second()));
    if let (AlertState::Pending { .. }, Some((maintenance, (_, end_s)))) = (&change.state, held) {
        tracing::info!(
            objective.id = change.key.objective,
            rule.name = change.key.rule,
            correction.name = maintenance.name,
            correction.end_s = end_s,
            "an alert is held by maintenance; it fires at its end if it is still breached"
        );
    }
}

/// Incident numbers count up from 1 and fit.
fn stored(incident: u64) -> i64 {
    i64::try_from(incident).unwrap_or(i64::MAX)
}

/// The grid point at or before a time.
pub(crate) fn floor_tick(now: Timestamp) -> Timestamp {
    let second = now.as_second().div_euclid(TICK_S) * TICK_S;
    Timestamp::from_second(second).unwrap_or(now)
}

/// How long until the next grid point.
fn until_next(now: Timestamp) -> Duration {
    let next = floor_tick(now).as_second() + TICK_S;
    let wait_ms = next * 1000 - now.as_millisecond();
    Duration::from_millis(u64::try_from(wait_ms).unwrap_or_default())
}
