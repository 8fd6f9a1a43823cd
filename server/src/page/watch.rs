//! The watch over one receiver: what it has not accepted within a minute goes to its fallback too.
//!
//! Apart from the worker, so that attempts that hang do not delay it.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::receiver::Fallback;
use super::schedule;
use super::worker::sleep_until;
use crate::clock::SystemClock;
use crate::store::{Store, StoreError};

/// Pages looked at in one go.
const LOOK_AHEAD: i64 = 64;
/// A store that fails is asked again after so long.
const STORE_RETRY_MS: i64 = 2_000;

#[derive(Debug)]
pub(super) struct Watch {
    pub(super) receiver: String,
    pub(super) fallback: Fallback,
    pub(super) store: Store,
    pub(super) owed: Arc<Notify>,
}

impl Watch {
    /// Watches until stopped.
    pub(super) async fn run(&self, clock: SystemClock, stop: CancellationToken) {
        while !stop.is_cancelled() {
            // Made before the outbox is read: what is added meanwhile wakes it.
            let rung = self.owed.notified();
            let now = clock.now();
            let next_ms = self.round(now).await.unwrap_or_else(|error| {
                tracing::error!(
                    page.receiver = self.receiver,
                    error = &error as &dyn std::error::Error,
                    "cannot tell whether pages need the fallback because the store fails"
                );
                Some(now.as_millisecond() + STORE_RETRY_MS)
            });
            tokio::select! {
                () = stop.cancelled() => {}
                () = rung => {}
                () = sleep(sleep_until(next_ms, now)) => {}
            }
        }
    }

    /// Escalates what is overdue; returns when the next page will be, Unix milliseconds.
    pub(super) async fn round(&self, now: Timestamp) -> Result<Option<i64>, StoreError> {
        let now_ms = now.as_millisecond();
        let patience_ms = i64::try_from(schedule::PATIENCE.as_millis()).unwrap_or(i64::MAX);
        loop {
            let waiting = self.store.unaccepted(&self.receiver, LOOK_AHEAD).await?;
            for (page, created_ms) in &waiting {
                let overdue_ms = created_ms.saturating_add(patience_ms);
                if overdue_ms > now_ms {
                    return Ok(Some(overdue_ms));
                }
                self.escalate(*page, now_ms).await?;
            }
            if waiting.is_empty() {
                return Ok(None);
            }
        }
    }

    async fn escalate(&self, page: i64, now_ms: i64) -> Result<(), StoreError> {
        let Fallback { name, .. } = &self.fallback;
        let end = self.fallback.end();
        self.store.escalate(page, name, end, now_ms).await?;
        tracing::error!(
            page.receiver = self.receiver,
            page.fallback = name,
            "a page was not accepted for a minute; its fallback receiver gets it too"
        );
        self.owed.notify_waiters();
        Ok(())
    }
}
