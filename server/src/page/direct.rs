//! Pages that the store could not take, straight to their receivers: best effort, from memory.
//!
//! They carry the same ids as they will in the outbox, so that a receiver that hears of an incident twice knows
//! it for one.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::Receiver;
use super::delivery::{self, Verdict};
use super::notice::Notice;
use crate::metrics::Metrics;

/// Attempts under way at most: what has no room is tried at the next tick.
const IN_FLIGHT: usize = 64;
/// Deliveries remembered at most: beyond it the oldest may be made twice.
const REMEMBERED: usize = 10_000;

/// A receiver's name and the id of a page.
type Sent = (String, String);

/// Delivers without the store.
#[derive(Debug)]
pub(crate) struct Direct {
    receivers: Arc<Vec<Receiver>>,
    clients: Vec<reqwest::Client>,
    metrics: Metrics,
    /// Accepted, or under way.
    sent: Arc<Mutex<HashSet<Sent>>>,
    tasks: JoinSet<()>,
}

impl Direct {
    /// The error says that no client can be made: the system's certificates cannot be read.
    pub(crate) fn new(
        receivers: Arc<Vec<Receiver>>,
        metrics: Metrics,
    ) -> Result<Direct, reqwest::Error> {
        let clients = receivers.iter().map(delivery::client);
        Ok(Direct {
            clients: clients.collect::<Result<_, _>>()?,
            receivers,
            metrics,
            sent: Arc::default(),
            tasks: JoinSet::new(),
        })
    }

    /// Tries a page once with each of the receivers that does not have it yet. To be called again, at every tick,
    /// for as long as the store does not take it.
    pub(crate) fn send(&mut self, names: &[String], notice: &Notice, now: Timestamp) {
        while self.tasks.try_join_next().is_some() {}
        for (receiver, client) in self.receivers.iter().zip(&self.clients) {
            let wanted = names.iter().any(|name| name == receiver.name());
            let id = (receiver.name().to_owned(), notice.webhook_id.clone());
            if !wanted || self.tasks.len() >= IN_FLIGHT || !claim(&self.sent, &id) {
                continue;
            }
            let (client, channel) = (client.clone(), receiver.channel.clone());
            let (notice, metrics) = (notice.clone(), self.metrics.clone());
            let sent = Arc::clone(&self.sent);
            self.tasks.spawn(async move {
                let answer = delivery::deliver(&client, &channel, &notice, now).await;
                let accepted = answer.verdict == Verdict::Accepted;
                metrics.delivery(&id.0, if accepted { "direct" } else { "direct_failed" });
                if accepted {
                    tracing::warn!(
                        page.receiver = id.0,
                        page.incident = notice.incident,
                        "a page was delivered without the store, which cannot take it"
                    );
                } else {
                    tracing::error!(
                        page.receiver = id.0,
                        page.incident = notice.incident,
                        detail = answer.detail,
                        "a page that the store cannot take was not accepted either"
                    );
                    let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
                    sent.remove(&id);
                }
            });
        }
    }
}

/// Notes a delivery; false if it was made before.
fn claim(sent: &Mutex<HashSet<Sent>>, id: &Sent) -> bool {
    let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
    if sent.len() >= REMEMBERED {
        sent.clear();
    }
    sent.insert(id.clone())
}
