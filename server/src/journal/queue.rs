//! The bounded queue between the receivers of requests and the journal's one writer.
//!
//! A request waits here for room (overload slows before it loses), then for its commit. The bounds are a number of
//! requests and a number of bytes; a request that finds no room within [`HOLD`] is refused, and its sender told when
//! to try again.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use collector::{Answer, Classes, Decoded, Kind};

use super::pace::Company;
use crate::classes::Owed;

/// How long a request is held for room in the queue: below the 10 s after which exporters give up on an answer.
pub(crate) const HOLD: Duration = Duration::from_secs(8);

/// How long a queued request waits for its commit. Giving up is safe: a resend of what was committed after all is
/// answered with the stored answer.
pub(crate) const COMMIT_WAIT: Duration = Duration::from_secs(10);

/// Bytes of payload (decompressed) that may be queued: two requests of the largest size.
pub(crate) const QUEUE_BYTES: usize = 128 << 20;

/// When a sender that found the queue full should come back.
const BUSY_RETRY: Duration = Duration::from_secs(2);

/// When a sender whose request met trouble in the store, or a stopping server, should come back.
const TROUBLE_RETRY: Duration = Duration::from_secs(1);

/// One decoded request, to be made durable.
#[derive(Debug)]
pub(crate) struct Submission {
    /// Hash of the decompressed payload: what tells a resend from a new request.
    pub(crate) hash: [u8; 16],
    /// The signal it carries.
    pub(crate) kind: Kind,
    /// What it measured.
    pub(crate) decoded: Decoded,
    /// Size of the decompressed payload in bytes: what it occupies of the queue.
    pub(crate) bytes: usize,
}

/// A submission in the queue, as the writer takes it.
#[derive(Debug)]
pub(crate) struct Queued {
    /// What to commit.
    pub(crate) submission: Submission,
    /// Where the answer goes, after the commit. The asker may have gone: a failed send is no error.
    pub(crate) reply: oneshot::Sender<Result<Answer, Refused>>,
    /// The bytes it occupies of the queue: given back when this is dropped, which is after its commit.
    pub(crate) room: OwnedSemaphorePermit,
}

/// Why a request was not accepted. Each is passing trouble: the sender should send the same bytes again.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum Refused {
    /// The queue had no room within [`HOLD`]: the writer is slower than the senders.
    #[error("the server is busy; try again in {} s", retry_after.as_secs())]
    Busy {
        /// When to send again.
        retry_after: Duration,
    },
    /// The store could not commit it. What is wrong with the store is in the log.
    #[error("the store is unavailable; try again in {} s", retry_after.as_secs())]
    Unavailable {
        /// When to send again.
        retry_after: Duration,
    },
    /// The server is stopping.
    #[error("the server is stopping; try again shortly")]
    Stopping,
}

impl Refused {
    /// When the sender should try again.
    pub(crate) fn retry_after(self) -> Duration {
        match self {
            Refused::Busy { retry_after } | Refused::Unavailable { retry_after } => retry_after,
            Refused::Stopping => TROUBLE_RETRY,
        }
    }
}

/// The writer's end of the queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) requests: mpsc::Receiver<Queued>,
    pub(super) company: Arc<Company>,
}

/// The senders' end of the queue. Clones share one queue; the writer's end closes when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct JournalHandle {
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    capacity_bytes: usize,
    company: Arc<Company>,
    owed: Owed,
}

/// A decoded request that is not queued yet: if it never is, what it holds was shed.
struct Unqueued<'a> {
    owed: &'a Owed,
    kind: Kind,
    shed: Classes,
}

impl JournalHandle {
    /// A queue of at most `capacity_requests` (at least 1) and [`QUEUE_BYTES`], and the writer's end of it.
    pub(crate) fn new(capacity_requests: usize) -> (JournalHandle, Queue) {
        JournalHandle::with_bytes(capacity_requests, QUEUE_BYTES)
    }

    /// The same with its own bound in bytes. A request larger than the bound takes the whole of it.
    pub(crate) fn with_bytes(
        capacity_requests: usize,
        capacity_bytes: usize,
    ) -> (JournalHandle, Queue) {
        let (queue, requests) = mpsc::channel(capacity_requests.max(1));
        let company = Arc::<Company>::default();
        let capacity_bytes = capacity_bytes.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let room = Arc::new(Semaphore::new(capacity_bytes));
        let handle = JournalHandle {
            queue,
            room,
            capacity_bytes,
            company: Arc::clone(&company),
            owed: Owed::default(),
        };
        (handle, Queue { requests, company })
    }

    /// The classes of what is not part of a request's own commit.
    pub(crate) fn owed(&self) -> &Owed {
        &self.owed
    }

    /// Queues a request and waits for its commit; the answer is the stored one if these bytes came before.
    ///
    /// `Busy` after [`HOLD`] without room; `Unavailable` if the writer failed, or gave no answer within
    /// [`COMMIT_WAIT`]; `Stopping` when the writer has gone. A caller that stops waiting leaves the request queued.
    pub(crate) async fn submit(&self, submission: Submission) -> Result<Answer, Refused> {
        let deadline = Instant::now() + HOLD;
        let unqueued = Unqueued {
            owed: &self.owed,
            kind: submission.kind,
            shed: submission.decoded.classes.all_shed(),
        };
        let room = self.room_for(submission.bytes, deadline).await?;
        let slot = timeout_at(deadline, self.queue.reserve())
            .await
            .map_err(|_| BUSY)?
            .map_err(|_| Refused::Stopping)?;
        unqueued.queued();
        let (reply, answer) = oneshot::channel();
        slot.send(Queued {
            submission,
            reply,
            room,
        });
        self.company.comes(self.depth());
        timeout(COMMIT_WAIT, answer)
            .await
            .map_err(|_| TROUBLE)?
            .map_err(|_| TROUBLE)?
    }

    /// Requests in the queue now, for `/metrics`.
    pub(crate) fn depth(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    async fn room_for(
        &self,
        bytes: usize,
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, Refused> {
        let bytes = u32::try_from(bytes.min(self.capacity_bytes)).unwrap_or(u32::MAX);
        timeout_at(deadline, Arc::clone(&self.room).acquire_many_owned(bytes))
            .await
            .map_err(|_| BUSY)?
            .map_err(|_| Refused::Stopping)
    }
}

impl Unqueued<'_> {
    fn queued(mut self) {
        self.shed = Classes::default();
    }
}

impl Drop for Unqueued<'_> {
    fn drop(&mut self) {
        if self.shed.received.total > 0 {
            self.owed.note(self.kind, &self.shed);
        }
    }
}

const BUSY: Refused = Refused::Busy {
    retry_after: BUSY_RETRY,
};

const TROUBLE: Refused = Refused::Unavailable {
    retry_after: TROUBLE_RETRY,
};

#[cfg(test)]
mod tests {
    use super::*;

    fn submission(bytes: usize) -> Submission {
        Submission {
            hash: [7; 16],
            kind: Kind::Traces,
            decoded: Decoded::default(),
            bytes,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_answer_of_the_writer_reaches_the_sender() {
        let (handle, mut taken) = JournalHandle::new(4);
        let answer = Answer {
            rejected: 3,
            message: "3 spans were late".to_owned(),
        };
        let (got, ()) = tokio::join!(handle.submit(submission(10)), async {
            let queued = taken.requests.recv().await.unwrap();
            assert_eq!(queued.submission.hash, [7; 16]);
            queued.reply.send(Ok(answer.clone())).unwrap();
        });
        assert_eq!(got.unwrap(), answer);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_holds_a_request_for_eight_seconds_and_then_refuses() {
        let cases = [
            ("no room for one more request", 1, 1000, 10),
            ("no room for these bytes", 8, 15, 10),
            ("larger than the whole bound", 8, 15, 1000),
        ];
        for (case, requests, bytes, size) in cases {
            let (handle, _taken) = JournalHandle::with_bytes(requests, bytes);
            let mut first = tokio::task::JoinSet::new();
            first.spawn({
                let handle = handle.clone();
                async move { handle.submit(submission(10)).await }
            });
            tokio::task::yield_now().await;
            assert_eq!(handle.depth(), 1, "{case}");
            let started = Instant::now();
            assert_eq!(handle.submit(submission(size)).await, Err(BUSY), "{case}");
            assert_eq!(started.elapsed(), HOLD, "{case}");
            first.abort_all();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn room_given_back_within_the_hold_lets_the_next_request_in() {
        let (handle, mut taken) = JournalHandle::with_bytes(8, 15);
        let writer = async {
            {
                let first = taken.requests.recv().await.unwrap();
                tokio::time::advance(HOLD / 2).await;
                first.reply.send(Ok(Answer::default())).unwrap();
            }
            let second = taken.requests.recv().await.unwrap();
            second.reply.send(Ok(Answer::default())).unwrap();
        };
        let (first, second, ()) = tokio::join!(
            handle.submit(submission(10)),
            handle.submit(submission(10)),
            writer
        );
        assert_eq!(first, Ok(Answer::default()));
        assert_eq!(second, Ok(Answer::default()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_that_fails_or_hangs_is_trouble_and_one_that_has_gone_is_stopping() {
        let (handle, mut taken) = JournalHandle::new(4);
        let (dropped, ()) = tokio::join!(handle.submit(submission(1)), async {
            drop(taken.requests.recv().await.unwrap());
        });
        assert_eq!(dropped, Err(TROUBLE));

        let started = Instant::now();
        let (hung, _kept) = tokio::join!(handle.submit(submission(1)), taken.requests.recv());
        assert_eq!(hung, Err(TROUBLE));
        assert_eq!(started.elapsed(), COMMIT_WAIT);

        drop(taken);
        assert_eq!(handle.submit(submission(1)).await, Err(Refused::Stopping));
    }
}
