//! One worker per receiver: takes what it is owed, tries, and writes down what became of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::delivery::{Answer, TIMEOUT, Verdict, deliver};
use super::notice::Notice;
use super::receiver::Receiver;
use super::schedule;
use crate::clock::SystemClock;
use crate::metrics::Metrics;
use crate::store::{Attempted, Kind, Next, Owed, Store, StoreError};

/// Attempts at a time for one receiver, each of another incident.
const IN_FLIGHT: usize = 4;
/// Pages looked at to find those that are due.
const LOOK_AHEAD: i64 = 64;
/// Nobody else tries a page while an attempt may still be under way.
const LEASE: Duration = TIMEOUT.saturating_add(Duration::from_secs(5));
/// A store that fails is asked again after so long.
const STORE_RETRY: Duration = Duration::from_secs(2);
/// A sleep is no longer, so that a clock set back does not stop pages.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// At a stop, attempts under way get so long; those cut short are made again after the next start.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) receiver: Receiver,
    pub(super) client: reqwest::Client,
    pub(super) store: Store,
    /// Rung when there may be something new in the outbox.
    pub(super) owed: Arc<Notify>,
    pub(super) metrics: Metrics,
}

/// What is to be done now, and when to look again.
#[derive(Debug)]
struct Due {
    pages: Vec<Owed>,
    /// Unix milliseconds; none if nothing else waits.
    next_ms: Option<i64>,
}

impl Worker {
    /// Delivers until stopped.
    pub(super) async fn run(&self, clock: SystemClock, stop: CancellationToken) {
        let mut attempts = FuturesUnordered::new();
        let mut in_flight = BTreeSet::new();
        while !stop.is_cancelled() {
            // Made before the outbox is read: what is added meanwhile wakes it.
            let rung = self.owed.notified();
            let now = clock.now();
            let wait = match self.due(now, &in_flight).await {
                Ok(due) => {
                    in_flight.extend(due.pages.iter().map(|page| page.id));
                    let pages = due.pages.into_iter();
                    attempts.extend(pages.map(|page| self.attempt_or_pause(page, now)));
                    sleep_until(due.next_ms, now)
                }
                Err(error) => {
                    self.complain(&error);
                    STORE_RETRY
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                Some(page) = attempts.next() => {
                    in_flight.remove(&page);
                }
                () = rung => {}
                () = sleep(wait) => {}
            }
        }
        let rest = timeout(GRACE, async { while attempts.next().await.is_some() {} });
        if rest.await.is_err() {
            tracing::warn!(
                page.receiver = self.receiver.name,
                "attempts to deliver pages were cut short; they are made again at the next start"
            );
        }
    }

    /// One round: every page that is due, once. For tests, which bring their own time.
    #[cfg(test)]
    pub(super) async fn round(&self, now: Timestamp) -> Option<i64> {
        let none = BTreeSet::new();
        let due = self.due(now, &none).await.unwrap();
        let attempts = due.pages.into_iter().map(|page| self.attempt(page, now));
        for done in futures_util::future::join_all(attempts).await {
            done.unwrap();
        }
        self.due(now, &none).await.unwrap().next_ms
    }

    /// What to try now beside what is in flight.
    async fn due(&self, now: Timestamp, in_flight: &BTreeSet<i64>) -> Result<Due, StoreError> {
        let now_ms = now.as_millisecond();
        let name = &self.receiver.name;
        let pending = self.store.pending(name).await?;
        self.metrics
            .outbox_pending(name, usize::try_from(pending).unwrap_or_default());
        let owed = self.store.owed(name, LOOK_AHEAD).await?;
        let (mut due, later): (Vec<Owed>, Vec<Owed>) = owed
            .into_iter()
            .filter(|page| !in_flight.contains(&page.id))
            .partition(|page| page.due_ms <= now_ms);
        // What is due and has no room is looked at again when an attempt ends.
        let next_ms = later.first().map(|page| page.due_ms);
        due.truncate(IN_FLIGHT.saturating_sub(in_flight.len()));
        Ok(Due {
            pages: due,
            next_ms,
        })
    }

    /// Makes an attempt and returns its page. If the store fails, the page stays in flight for a while, so that
    /// it is not tried again and again at once.
    async fn attempt_or_pause(&self, page: Owed, started: Timestamp) -> i64 {
        let id = page.id;
        if let Err(error) = self.attempt(page, started).await {
            self.complain(&error);
            sleep(STORE_RETRY).await;
        }
        id
    }

    async fn attempt(&self, page: Owed, started: Timestamp) -> Result<(), StoreError> {
        let begun = Instant::now();
        let lease_until = started + LEASE;
        let attempt = self
            .store
            .begin_attempt(
                page.id,
                started.as_millisecond(),
                lease_until.as_millisecond(),
            )
            .await?;
        failpoint!("page.begun");
        let answer = match serde_json::from_str::<Notice>(&page.notice) {
            Ok(notice) => deliver(&self.client, &self.receiver.channel, &notice, started).await,
            Err(error) => Answer {
                verdict: Verdict::Refused,
                status: None,
                detail: Some(format!("the stored page cannot be read: {error}")),
            },
        };
        failpoint!("page.answered");
        let ended = started + begun.elapsed();
        let next = next(&page, answer.verdict, ended, rand::random());
        self.tell(&page, &answer, next);
        let attempted = Attempted {
            attempt,
            outbox: page.id,
            ended_ms: ended.as_millisecond(),
            status: answer.status.map(i64::from),
            detail: answer.detail,
            next,
        };
        self.store.end_attempt(&attempted).await?;
        match next {
            Next::Refused { .. } => self.fall_back(&page, ended).await,
            Next::Accepted | Next::Retry { .. } | Next::Abandoned => Ok(()),
        }
    }

    /// A receiver that refuses will not take it soon: the fallback gets it at once.
    async fn fall_back(&self, page: &Owed, now: Timestamp) -> Result<(), StoreError> {
        let (Some(fallback), Kind::Fire) = (&self.receiver.fallback, page.kind) else {
            return Ok(());
        };
        self.store
            .escalate(
                page.id,
                &fallback.name,
                fallback.end(),
                now.as_millisecond(),
            )
            .await?;
        self.owed.notify_waiters();
        Ok(())
    }

    fn tell(&self, page: &Owed, answer: &Answer, next: Next) {
        let outcome = match next {
            Next::Accepted => "delivered",
            Next::Retry { .. } => "retry",
            Next::Refused { .. } => "refused",
            Next::Abandoned => "abandoned",
        };
        self.metrics.delivery(&self.receiver.name, outcome);
        let (receiver, detail) = (&self.receiver.name, answer.detail.as_deref());
        let (incident, kind) = (page.incident, page.kind.as_str());
        match next {
            Next::Accepted => tracing::info!(
                page.receiver = receiver,
                page.incident = incident,
                page.kind = kind,
                "a page was delivered"
            ),
            Next::Retry { .. } => tracing::warn!(
                page.receiver = receiver,
                page.incident = incident,
                page.kind = kind,
                detail,
                "a page was not accepted; it is tried again"
            ),
            Next::Refused { .. } => tracing::error!(
                page.receiver = receiver,
                page.incident = incident,
                page.kind = kind,
                detail,
                "a receiver refuses a page: check its URL, its secret and its side"
            ),
            Next::Abandoned => tracing::error!(
                page.receiver = receiver,
                page.incident = incident,
                page.kind = kind,
                detail,
                "a page was given up after a week of attempts"
            ),
        }
    }

    fn complain(&self, error: &StoreError) {
        tracing::error!(
            page.receiver = self.receiver.name,
            error = error as &dyn std::error::Error,
            "pages wait because the store fails"
        );
    }
}

/// How long to sleep until a time.
pub(super) fn sleep_until(next_ms: Option<i64>, now: Timestamp) -> Duration {
    next_ms.map_or(LONGEST_SLEEP, |next_ms| {
        let wait_ms = next_ms.saturating_sub(now.as_millisecond());
        Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)).min(LONGEST_SLEEP)
    })
}

/// What follows an attempt that ended so.
fn next(page: &Owed, verdict: Verdict, ended: Timestamp, chance: f64) -> Next {
    let due_ms = |wait: Duration| (ended + wait).as_millisecond();
    let age_ms = ended.as_millisecond().saturating_sub(page.created_ms);
    let old = u128::try_from(age_ms).is_ok_and(|age| age >= schedule::GIVE_UP.as_millis());
    match verdict {
        Verdict::Accepted => Next::Accepted,
        Verdict::Retry(_) | Verdict::Refused if old => Next::Abandoned,
        Verdict::Retry(asked) => {
            let attempts = u32::try_from(page.attempts).unwrap_or(u32::MAX);
            let wait = schedule::wait(attempts.saturating_add(1), asked, chance);
            Next::Retry {
                due_ms: due_ms(wait),
            }
        }
        Verdict::Refused => Next::Refused {
            due_ms: due_ms(schedule::REFUSED),
        },
    }
}
