//! What is wrong with the store, for people: damaged rows, and commits that fail.
//!
//! A store that cannot commit pages by itself, through the same outbox as every other page; and while not even
//! the outbox can be written, pages go straight to their receivers.

mod mend;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use slo_specs::{AlertState, Episode, Objective, Severity};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::SystemClock;
use crate::judge::{AlertKey, Judge};
use crate::metrics::Metrics;
use crate::page::{Direct, Notice, Receiver, route};
use crate::probes::Health;
use crate::replay::Incomplete;
use crate::serve::Wired;
use crate::sli::counts_service;
use crate::store::{AlertChange, History, Kind, OutboxRow, Quarantined, Store, StoreError};

/// The objective under whose name the store's own alert is kept: no objective of a catalog has a colon.
const OBJECTIVE: &str = "sloburn:storage";
const RULE: &str = "storage-commit";
/// Commits that fail for less than this are no page: a backup may hold the lock for some seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// The end of a round of looking for damage.
const ALL_SCRUBBED: (i64, i64) = (i64::MAX, i64::MAX);
/// So many damaged rows are told one by one.
const TOLD: usize = 5;

/// Watches the store. One tick of it belongs to every tick of the evaluator.
#[derive(Debug)]
pub(crate) struct StorageWatch {
    store: Store,
    health: Health,
    metrics: Metrics,
    receivers: Arc<Vec<Receiver>>,
    base_url: String,
    /// Wakes the delivery workers.
    owed: Arc<Notify>,
    direct: Direct,
    /// The last page and incident that were looked at for damage.
    scrubbed: (i64, i64),
    state: State,
}

/// After a crash, looks at the whole database once, beside everything else: reads find damaged rows by
/// themselves, this finds what no read comes to.
pub(crate) async fn check_after_crash(store: Store, health: Health, stop: CancellationToken) {
    if store.was_unclean() {
        let started = tokio::time::Instant::now();
        let Some(found) = stop.run_until_cancelled(store.check()).await else {
            return;
        };
        let took = started.elapsed();
        match found {
            Ok(wrong) if wrong.is_empty() => tracing::info!(
                check.duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                "the process before this one crashed; its database is sound"
            ),
            Ok(wrong) => {
                health.unsound();
                tracing::error!(
                    wrong = wrong.join("; "),
                    "the database is damaged; restore a backup, or run `.recover` of sqlite3"
                );
            }
            Err(error) => {
                health.unsound();
                tracing::error!(error = %error, "the database cannot be checked");
            }
        }
    }
    // A task that ends stops the server.
    stop.cancelled().await;
}

/// What is remembered from tick to tick.
#[derive(Debug, Default)]
struct State {
    /// What is in quarantine; none before it was read.
    quarantined: Option<Arc<Vec<Quarantined>>>,
    /// The store's own alert as it is stored, with its version; none before it was read, and when in doubt.
    alert: Option<(AlertState, i64)>,
    /// When it began to fire, and its number, from the decision on: also when it cannot be stored.
    fired: Option<(Timestamp, u64)>,
    /// Fires that were delivered and could not be stored, by alert, with those who heard.
    unstored: BTreeMap<AlertKey, OutboxRow>,
    /// Ticks in a row whose transitions could not be stored.
    failed: u32,
    /// What keeps ticks from being stored, in ticks in a row, and since when. A full disk may have room for one
    /// request more, and none for a slice.
    unkept: Option<(&'static str, Timestamp)>,
}

impl StorageWatch {
    /// A watch over a store whose pages and incidents are whole, or written anew.
    pub(crate) async fn start(
        wired: &Wired,
        receivers: &Arc<Vec<Receiver>>,
        base_url: &str,
        owed: &Arc<Notify>,
    ) -> anyhow::Result<StorageWatch> {
        let mut watch = StorageWatch::new(wired, receivers, base_url, owed)?;
        Box::pin(watch.check_pages(SystemClock.now())).await?;
        Ok(watch)
    }

    /// The error says that no client can be made: the system's certificates cannot be read.
    fn new(
        wired: &Wired,
        receivers: &Arc<Vec<Receiver>>,
        base_url: &str,
        owed: &Arc<Notify>,
    ) -> Result<StorageWatch, reqwest::Error> {
        wired
            .metrics
            .prev_shutdown_unclean(wired.store.was_unclean());
        Ok(StorageWatch {
            store: wired.store.clone(),
            health: wired.health.clone(),
            metrics: wired.metrics.clone(),
            receivers: Arc::clone(receivers),
            base_url: base_url.to_owned(),
            owed: Arc::clone(owed),
            direct: Direct::new(Arc::clone(receivers), wired.metrics.clone())?,
            scrubbed: (0, 0),
            state: State::default(),
        })
    }

    /// Moves damaged rows to quarantine, and pages if the store cannot commit.
    pub(crate) async fn tick(&mut self, judge: &mut Judge, now: Timestamp) {
        if let Err(error) = self.gather(now).await {
            tracing::error!(error = %error, "cannot move damaged rows to quarantine");
        }
        self.metrics.room_held(self.store.room_held().unwrap_or(0));
        if let Err(error) = self.alarm(judge, now).await {
            self.state.alert = None;
            tracing::error!(error = %error, "cannot store that the store cannot commit");
        }
    }

    /// Reads all pages and incidents before any is used, and writes anew those that are damaged.
    async fn check_pages(&mut self, now: Timestamp) -> Result<(), StoreError> {
        while self.scrubbed != ALL_SCRUBBED {
            self.scrubbed = self.store.scrub(self.scrubbed).await?;
        }
        mend::mend(&self.store, &self.receivers, &self.base_url, now)
            .await
            .map(drop)
    }

    async fn gather(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let mut moved = self.store.quarantine(now.as_second()).await?;
        if self.scrubbed == ALL_SCRUBBED {
            self.scrubbed = (0, 0);
        }
        self.scrubbed = self.store.scrub(self.scrubbed).await?;
        let mended = mend::mend(&self.store, &self.receivers, &self.base_url, now).await?;
        if mended > 0 {
            moved += mended;
            self.owed.notify_waiters();
        }
        if moved > 0 || self.state.quarantined.is_none() {
            let rows = self.store.quarantined().await?;
            self.health.quarantined(rows.len());
            self.metrics.quarantined(&rows);
            self.state.quarantined = Some(Arc::new(rows));
        }
        Ok(())
    }

    /// Damaged rows, as of the last tick.
    pub(crate) fn quarantined(&self) -> Arc<Vec<Quarantined>> {
        self.state.quarantined.clone().unwrap_or_default()
    }

    /// What every page shows. Data that is out of the longest window of any objective is not told.
    pub(crate) fn notes(&self, oldest_s: i64) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some((why, _)) = self.health.trouble() {
            notes.push(format!(
                "New telemetry is refused, and senders are asked to try again: {why}."
            ));
        }
        if let Some((why, _)) = self.state.unkept {
            notes.push(format!(
                "What was counted is in the journal and on these pages, but cannot be stored as slices and alerts: {why}."
            ));
        }
        if self.health.is_unsound() {
            notes.push(
                "The database file is damaged in places that were not read yet; see the log."
                    .to_owned(),
            );
        }
        let rows = self.quarantined();
        let missing = rows
            .iter()
            .filter(|row| row.from_s < row.to_s && row.to_s > oldest_s);
        notes.extend(missing.clone().rev().take(TOLD).map(told));
        let more = missing.count().saturating_sub(TOLD);
        if more > 0 {
            notes.push(format!("And {more} more damaged rows."));
        }
        notes
    }

    /// Times within an objective's window whose data is not whole.
    pub(crate) fn incomplete(&self, objective: &Objective, at: Timestamp) -> Vec<Incomplete> {
        let oldest_s = objective.window.from(at.as_second());
        let instant = |second: i64| Timestamp::from_second(second).unwrap_or(at);
        self.quarantined()
            .iter()
            .filter(|row| row.from_s < row.to_s && row.to_s > oldest_s)
            .filter(|row| {
                let of_another = |service: &String| !counts_service(objective, service);
                !row.service.as_ref().is_some_and(of_another)
            })
            .map(|row| Incomplete {
                from: instant(row.from_s),
                to: instant(row.to_s),
            })
            .collect()
    }

    /// What keeps requests, or ticks, from being stored, and for how long.
    fn trouble(&self, now: Timestamp) -> Option<(&'static str, Duration)> {
        let unkept = self.state.unkept.map(|(why, since)| {
            let lasted = now.duration_since(since).try_into();
            (why, lasted.unwrap_or_default())
        });
        let troubles = self.health.trouble().into_iter().chain(unkept);
        troubles.max_by_key(|(_, lasted)| *lasted)
    }

    async fn alarm(&mut self, judge: &mut Judge, now: Timestamp) -> Result<(), StoreError> {
        match (self.trouble(now), self.state.fired) {
            (Some((why, lasted)), fired) if lasted >= PATIENCE || fired.is_some() => {
                let (since, incident) = *self
                    .state
                    .fired
                    .get_or_insert_with(|| (now, judge.take_incident()));
                self.fire(since, incident, why, now).await
            }
            (None, Some((since, incident))) => {
                // It may have fired from memory only.
                self.fire(since, incident, "the store could not commit", now)
                    .await?;
                self.resolve(since, incident, now).await
            }
            (Some(_) | None, _) => self.read().await.map(drop),
        }
    }

    /// The alert as it is stored.
    async fn read(&mut self) -> Result<(AlertState, i64), StoreError> {
        if let Some(known) = &self.state.alert {
            return Ok(known.clone());
        }
        let mut stored = self.store.alerts().await?.into_iter();
        let own = stored.find(|row| row.objective == OBJECTIVE);
        let known = own.map_or((AlertState::default(), 0), |row| {
            (
                serde_json::from_str(&row.state).unwrap_or_default(),
                row.version,
            )
        });
        if let AlertState::Firing { since, incident } = known.0 {
            // Of the last process.
            self.state.fired.get_or_insert((since, incident));
        }
        self.state.alert = Some(known.clone());
        Ok(known)
    }

    async fn fire(
        &mut self,
        since: Timestamp,
        incident: u64,
        why: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let notice = Notice::of_storage(&key(), incident, since, None, why, &self.base_url);
        let receivers = route(&self.receivers, Severity::Page, &[]);
        let stored = match self.read().await {
            Ok((state, _)) if state.is_firing() => return Ok(()),
            Ok((_, version)) => {
                let change = AlertChange {
                    history: Some(History::Fired {
                        severity: Severity::Page.name().to_owned(),
                        fired_s: since.as_second(),
                        reason: notice.reason.clone(),
                        late: false,
                    }),
                    ..change(&AlertState::Firing { since, incident }, incident, version)
                };
                let page = page(Kind::Fire, receivers.clone(), incident, &notice, now);
                self.store.transition(&[change], &[page]).await.map(|()| {
                    self.state.alert = Some((AlertState::Firing { since, incident }, version + 1));
                })
            }
            Err(error) => Err(error),
        };
        match stored {
            Ok(()) => {
                tracing::error!(reason = why, "the store cannot commit; paging");
                self.owed.notify_waiters();
            }
            Err(_) => self.direct.send(&receivers, &notice, now),
        }
        stored
    }

    async fn resolve(
        &mut self,
        since: Timestamp,
        incident: u64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (_, version) = self.read().await?;
        let reason = "commits succeed again";
        let notice = Notice::of_storage(&key(), incident, since, Some(now), reason, &self.base_url);
        let last = Some(Episode {
            fired_at: since,
            resolved_at: now,
        });
        let state = AlertState::Inactive { last };
        let change = AlertChange {
            history: Some(History::Resolved {
                resolved_s: now.as_second(),
                reason: reason.to_owned(),
            }),
            ..change(&state, incident, version)
        };
        let page = page(Kind::Resolve, Vec::new(), incident, &notice, now);
        self.store.transition(&[change], &[page]).await?;
        self.state.alert = Some((state, version + 1));
        self.state.fired = None;
        self.owed.notify_waiters();
        tracing::info!("commits succeed again");
        Ok(())
    }

    /// What became of a tick's fold.
    pub(crate) fn folded(&mut self, failed: Option<&StoreError>, now: Timestamp) {
        match failed {
            Some(error) => self.unkept(error, now),
            // Its transitions, of the last tick, may be what is not kept.
            None if self.state.failed == 0 => self.state.unkept = None,
            None => {}
        }
    }

    fn unkept(&mut self, error: &StoreError, now: Timestamp) {
        let since = self.state.unkept.map_or(now, |(_, since)| since);
        self.state.unkept = Some((error.in_short(), since));
    }

    /// The transitions of a tick were stored: what was delivered without the store is in it now, or is over.
    pub(crate) fn stored(&mut self, judge: &mut Judge, now: Timestamp) {
        self.state.failed = 0;
        for (key, page) in std::mem::take(&mut self.state.unstored) {
            // What fires after this is another incident, and has a page of its own.
            judge.withdraw(&key);
            let goes_on = match judge.state(&key.objective, &key.rule) {
                AlertState::Firing { incident, .. } => i64::try_from(incident) == Ok(page.incident),
                AlertState::Inactive { .. } | AlertState::Pending { .. } => false,
            };
            if !goes_on {
                self.over(&page, now);
            }
        }
    }

    /// Tells those who heard of a fire that was never stored that it is over.
    fn over(&mut self, page: &OutboxRow, now: Timestamp) {
        if let Ok(notice) = serde_json::from_str::<Notice>(&page.notice) {
            let ended = notice.resolved_without_the_store(now);
            self.direct.send(&page.receivers, &ended, now);
        }
    }

    /// The transitions of a tick could not be stored. When that lasts, the fires among them are delivered all the
    /// same, and keep their numbers.
    pub(crate) fn not_stored(
        &mut self,
        error: &StoreError,
        pages: &[OutboxRow],
        judge: &mut Judge,
        now: Timestamp,
    ) {
        self.unkept(error, now);
        self.state.failed = self.state.failed.saturating_add(1);
        if self.state.failed < 2 {
            return;
        }
        for page in pages.iter().filter(|page| page.kind == Kind::Fire) {
            let key = AlertKey {
                objective: page.objective.clone(),
                rule: page.rule.clone(),
            };
            if let Ok(notice) = serde_json::from_str::<Notice>(&page.notice) {
                judge.promise(key.clone(), notice.incident);
                self.direct.send(&page.receivers, &notice, now);
                self.state
                    .unstored
                    .entry(key)
                    .or_insert_with(|| page.clone());
            }
        }
    }
}

/// Whether this is the store's own alert, which no objective of a catalog has.
pub(crate) fn is_own(objective: &str) -> bool {
    objective == OBJECTIVE
}

fn key() -> AlertKey {
    AlertKey {
        objective: OBJECTIVE.to_owned(),
        rule: RULE.to_owned(),
    }
}

fn change(state: &AlertState, incident: u64, expected_version: i64) -> AlertChange {
    AlertChange {
        objective: OBJECTIVE.to_owned(),
        rule: RULE.to_owned(),
        expected_version,
        state: serde_json::to_string(state).unwrap_or_default(),
        incident: i64::try_from(incident).unwrap_or(i64::MAX),
        history: None,
    }
}

fn page(
    kind: Kind,
    receivers: Vec<String>,
    incident: u64,
    notice: &Notice,
    now: Timestamp,
) -> OutboxRow {
    OutboxRow {
        receivers,
        only: None,
        incident: i64::try_from(incident).unwrap_or(i64::MAX),
        objective: OBJECTIVE.to_owned(),
        rule: RULE.to_owned(),
        kind,
        notice: notice.to_json(),
        created_ms: now.as_millisecond(),
    }
}

/// One damaged row, as people read it.
fn told(row: &Quarantined) -> String {
    let at = |second: i64| {
        Timestamp::from_second(second)
            .map(|at| at.strftime("%F %H:%M:%S").to_string())
            .unwrap_or_default()
    };
    let whose = row.service.as_deref().unwrap_or("some services");
    let what = match row.place.as_str() {
        "journal" | "log" => "requests received then are not counted",
        "slice" => "charts and percentiles miss what happened then",
        "stream" => "increments of a metric stream are not counted",
        _ => "events of a series may not be counted",
    };
    format!(
        "Data of {whose} is incomplete from {} to {} UTC: {what} (a damaged row of `{}` is in quarantine).",
        at(row.from_s),
        at(row.to_s),
        row.place
    )
}

#[cfg(test)]
mod tests;
