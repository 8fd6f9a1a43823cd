//! Paging: from the outbox to somebody's phone.
//!
//! A transition writes its pages into the outbox, in the transaction that changes the alert. From there each
//! receiver has a worker of its own, with its own connections, so that a slow one delays nobody else. Pages
//! of one incident are delivered in order, and tried again until they are accepted; what a receiver refuses, or
//! does not accept within a minute, goes to its fallback too. Every attempt is written down before it is made, and
//! a page may be delivered twice after a crash: its `dedup_key` and `webhook-id` stay the same.
//!
//! Each kind of receiver is one file: `webhook`, `pagerduty`.

mod delivery;
mod direct;
mod guard;
mod links;
mod notice;
mod pagerduty;
mod receiver;
mod route;
mod schedule;
mod text;
mod watch;
mod webhook;
mod wording;
mod worker;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub(crate) use direct::Direct;
pub(crate) use notice::{Notice, NoticeEvent, NoticeInput};
pub(crate) use receiver::{Receiver, ReceiverDocument};
pub(crate) use route::{route, unrouted};

use crate::clock::SystemClock;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};
use watch::Watch;
use worker::Worker;

/// A store that fails at the start is asked again after so long.
const STORE_RETRY: Duration = Duration::from_secs(2);

/// Delivers what the outbox owes.
#[derive(Debug)]
pub(crate) struct Workers {
    store: Store,
    receivers: Arc<Vec<Receiver>>,
    /// One for each receiver.
    clients: Vec<reqwest::Client>,
    owed: Arc<Notify>,
    metrics: Metrics,
    clock: SystemClock,
}

impl Workers {
    /// One worker for each receiver; `owed` is rung (all waiters) after a transition that owes pages. The error
    /// says that no client can be made: the system's certificates cannot be read.
    pub(crate) fn new(
        store: Store,
        receivers: Arc<Vec<Receiver>>,
        owed: Arc<Notify>,
        metrics: Metrics,
        clock: SystemClock,
    ) -> Result<Workers, reqwest::Error> {
        let clients = receivers.iter().map(delivery::client);
        Ok(Workers {
            clients: clients.collect::<Result<_, _>>()?,
            store,
            receivers,
            owed,
            metrics,
            clock,
        })
    }

    /// Delivers until stopped, beginning with what the last process left undone; attempts under way at the stop
    /// get a few seconds to end.
    pub(crate) async fn run(self, stop: CancellationToken) {
        if stop.run_until_cancelled(self.resume()).await.is_none() {
            return;
        }
        let stop = stop.child_token();
        let mut tasks = JoinSet::new();
        for (receiver, client) in self.receivers.iter().zip(&self.clients) {
            let worker = self.worker(receiver, client);
            let (clock, stop) = (self.clock.clone(), stop.clone());
            tasks.spawn(async move { worker.run(clock, stop).await });
        }
        for watch in self.receivers.iter().filter_map(|one| self.watch(one)) {
            let (clock, stop) = (self.clock.clone(), stop.clone());
            tasks.spawn(async move { watch.run(clock, stop).await });
        }
        tokio::select! {
            // At a stop the workers end as they should.
            biased;
            () = stop.cancelled() => {}
            Some(ended) = tasks.join_next() => {
                let why = ended.err().map(|error| error.to_string());
                tracing::error!(task.error = why, "a worker that delivers pages has ended");
            }
        }
        // After the stop, or after one has failed: then the server stops as well.
        stop.cancel();
        while tasks.join_next().await.is_some() {}
    }

    fn worker(&self, receiver: &Receiver, client: &reqwest::Client) -> Worker {
        Worker {
            receiver: receiver.clone(),
            client: client.clone(),
            store: self.store.clone(),
            owed: Arc::clone(&self.owed),
            metrics: self.metrics.clone(),
        }
    }

    fn watch(&self, receiver: &Receiver) -> Option<Watch> {
        receiver.fallback.clone().map(|fallback| Watch {
            receiver: receiver.name.clone(),
            fallback,
            store: self.store.clone(),
            owed: Arc::clone(&self.owed),
        })
    }

    async fn resume(&self) {
        while let Err(error) = self.take_up().await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "pages wait because the store fails"
            );
            sleep(STORE_RETRY).await;
        }
    }

    /// Takes up what the last process left.
    async fn take_up(&self) -> Result<(), StoreError> {
        self.store.resume(self.clock.now().as_millisecond()).await?;
        for owed in self.store.backlog().await? {
            let mut known = self.receivers.iter().map(Receiver::name);
            if !known.any(|name| name == owed.receiver) {
                tracing::error!(
                    page.receiver = owed.receiver,
                    page.count = owed.pages,
                    "pages are owed to a receiver that is no longer configured; nobody gets them"
                );
            }
        }
        Ok(())
    }
}
