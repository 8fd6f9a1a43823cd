//! The one writer: many requests become one durable commit, then count, then are acknowledged.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use collector::{
    Answer, Classes, Decoded, Delta, Entry, Kind, Known, SeriesId, SeriesKey, StreamId, Streams,
};
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use super::queue::{Queued, Refused, Submission};
use crate::clock::SystemClock;
use crate::live::{Live, sum};
use crate::metrics::{Class, Metrics};
use crate::probes::Health;
use crate::resume::{load_series, locked, read_delta};
use crate::serve::Wired;
use crate::store::{Group, Store, StoreError};

/// Most requests in one commit: more gains little, as the sync is already shared by hundreds.
const GROUP_REQUESTS: usize = 256;
/// How often the writer shows that it lives, and that it could commit, when nobody sends.
const BEAT: Duration = Duration::from_secs(5);
/// What a client is told to wait when the store cannot commit.
const STORE_TROUBLE: Duration = Duration::from_secs(2);

/// How often silent metric streams are looked for, in seconds.
const TRIM_EVERY_S: i64 = 3600;
/// How long a metric stream is remembered without a point, in seconds: pods come and go.
const SILENT_S: i64 = 7 * 86_400;

type Reply = oneshot::Sender<Result<Answer, Refused>>;

/// Owner of the metric streams and of the order in which requests count.
#[derive(Debug)]
pub(crate) struct Writer {
    store: Store,
    live: Arc<Mutex<Live>>,
    known: Arc<Known>,
    streams: Streams,
    metrics: Metrics,
    health: Health,
    clock: SystemClock,
    /// A commit failed without saying whether it happened: the journal must be read again.
    in_doubt: bool,
    /// When silent metric streams are looked for next, in Unix seconds.
    next_trim_s: i64,
}

/// A request that was not seen before, with those that carry the same bytes.
struct Fresh {
    queued: Queued,
    copies: Vec<Reply>,
}

impl Writer {
    pub(crate) fn new(wired: &Wired, known: Arc<Known>, streams: Streams) -> Writer {
        Writer {
            store: wired.store.clone(),
            live: Arc::clone(&wired.live),
            known,
            streams,
            metrics: wired.metrics.clone(),
            health: wired.health.clone(),
            clock: SystemClock,
            in_doubt: false,
            next_trim_s: 0,
        }
    }

    /// Commits until every handle of the queue is gone; what is queued then is still committed.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Queued>) {
        let mut group = Vec::with_capacity(GROUP_REQUESTS);
        self.try_store().await;
        loop {
            match tokio::time::timeout(BEAT, queue.recv_many(&mut group, GROUP_REQUESTS)).await {
                Ok(0) => break,
                Ok(_) => {
                    self.metrics.queue_depth(queue.len());
                    self.commit_group(std::mem::take(&mut group)).await;
                }
                Err(_) => self.try_store().await,
            }
            self.health.writer_beat();
        }
    }

    /// Nobody sends: could the store commit?
    async fn try_store(&self) {
        match self.store.ping_write().await {
            Ok(()) => self.health.committed(),
            Err(error) => {
                tracing::error!(error = %error, "the store cannot commit");
                self.health
                    .commit_failed("the store cannot commit; see the log");
            }
        }
    }

    async fn commit_group(&mut self, group: Vec<Queued>) {
        if self.in_doubt
            && let Err(error) = self.catch_up().await
        {
            return self.refuse(replies(group), &error);
        }
        let hashes: Vec<[u8; 16]> = group.iter().map(|queued| queued.submission.hash).collect();
        match self.store.answers(&hashes).await {
            Ok(stored) => {
                let fresh = self.answer_resent(group, &stored.into_iter().collect());
                if !fresh.is_empty() {
                    self.commit_fresh(fresh).await;
                }
            }
            Err(error) => self.refuse(replies(group), &error),
        }
    }

    /// Answers what was committed before with its stored answer; returns the rest, each once.
    fn answer_resent(&self, group: Vec<Queued>, stored: &HashMap<[u8; 16], Vec<u8>>) -> Vec<Fresh> {
        let mut fresh: Vec<Fresh> = Vec::with_capacity(group.len());
        let mut place: HashMap<[u8; 16], usize> = HashMap::new();
        for queued in group {
            let hash = queued.submission.hash;
            if let Some(answer) = stored.get(&hash) {
                self.count_resent(&queued);
                let answer = Answer::from_bytes(answer).unwrap_or_default();
                answer_one(queued.reply, Ok(answer));
            } else if let Some(first) = place.get(&hash) {
                self.count_resent(&queued);
                fresh[*first].copies.push(queued.reply);
            } else {
                place.insert(hash, fresh.len());
                fresh.push(Fresh {
                    queued,
                    copies: Vec::new(),
                });
            }
        }
        fresh
    }

    async fn commit_fresh(&mut self, fresh: Vec<Fresh>) {
        let now = self.clock.now();
        let started = tokio::time::Instant::now();
        if now.as_second() >= self.next_trim_s {
            self.trim_streams(now.as_second());
        }
        self.streams.checkpoint();
        let mut gathered = Gathered::default();
        let mut waiting = Vec::with_capacity(fresh.len());
        for Fresh { queued, copies } in fresh {
            let hash = queued.submission.hash;
            let Submission { kind, decoded, .. } = queued.submission;
            let answer = gathered.take(kind, decoded, &mut self.streams);
            gathered.requests.push((hash, answer.to_bytes()));
            waiting.push((queued.reply, copies, answer));
        }
        let delta = gathered.delta(&self.streams);
        let group = Group {
            received_s: now.as_second(),
            requests: gathered.requests,
            series: gathered
                .series
                .iter()
                .map(|(id, key)| (id.0.cast_signed(), key.encode()))
                .collect(),
            delta: delta.encode(),
        };
        failpoint!("journal.gathered");
        match self.store.commit(&group).await {
            Ok(seq) => {
                self.streams.keep();
                for (id, key) in gathered.series {
                    self.known.insert(id, key);
                }
                self.metrics.commit(waiting.len(), started.elapsed());
                self.health.committed();
                for (kind, classes) in &gathered.classes {
                    self.metrics.classes(*kind, classes);
                }
                self.apply(seq, delta);
                failpoint!("journal.applied");
                for (reply, copies, answer) in waiting {
                    for copy in copies {
                        answer_one(copy, Ok(answer.clone()));
                    }
                    answer_one(reply, Ok(answer));
                }
            }
            Err(error) => {
                self.streams.rollback();
                self.in_doubt = true;
                let replies = waiting
                    .into_iter()
                    .flat_map(|(reply, copies, _)| copies.into_iter().chain([reply]));
                self.refuse(replies.collect(), &error);
            }
        }
    }

    /// Forgets metric streams that have long been silent. One that comes back begins with a base.
    fn trim_streams(&mut self, now_s: i64) {
        self.next_trim_s = now_s + TRIM_EVERY_S;
        let oldest = u64::try_from(now_s - SILENT_S).unwrap_or_default() * 1_000_000_000;
        let forgotten = self.streams.trim(oldest);
        if !forgotten.is_empty() {
            locked(&self.live).forget_streams(forgotten, oldest);
        }
    }

    fn apply(&self, seq: i64, delta: Delta) {
        self.metrics.series(self.known.len());
        locked(&self.live).apply(seq, delta);
    }

    /// Applies what the journal holds beyond what was applied: commits whose outcome was unknown.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        // The first write waits for what an earlier connection may still be doing; then the journal
        // says whether it was done.
        self.store.ping_write().await?;
        let applied = locked(&self.live).applied();
        let rows = self.store.journal_after(applied).await?;
        if !rows.is_empty() {
            load_series(&self.store, &self.known).await?;
        }
        for row in rows {
            let Some(delta) = read_delta(&self.store, &row)? else {
                continue;
            };
            for (id, state) in &delta.streams {
                self.streams
                    .restore(*id, state)
                    .map_err(|error| StoreError::damaged("journal", row.seq, &error))?;
            }
            self.apply(row.seq, delta);
        }
        self.in_doubt = false;
        Ok(())
    }

    fn count_resent(&self, queued: &Queued) {
        let Submission { kind, decoded, .. } = &queued.submission;
        let received = decoded.classes.received.total;
        self.metrics.items(*kind, Class::Duplicate, received);
    }

    fn refuse(&self, replies: Vec<Reply>, error: &StoreError) {
        tracing::error!(
            error = %error,
            journal.requests = replies.len(),
            "cannot commit requests; their senders are asked to send again"
        );
        self.metrics.commit_failed();
        self.health
            .commit_failed("the store cannot commit; see the log");
        for reply in replies {
            answer_one(
                reply,
                Err(Refused::Unavailable {
                    retry_after: STORE_TROUBLE,
                }),
            );
        }
    }
}

/// What a group's requests add up to.
#[derive(Default)]
struct Gathered {
    entries: Vec<Entry>,
    /// By request, for `/metrics`.
    classes: Vec<(Kind, Classes)>,
    touched: HashSet<StreamId>,
    series: HashMap<SeriesId, Arc<SeriesKey>>,
    requests: Vec<([u8; 16], Vec<u8>)>,
}

impl Gathered {
    /// Counts one request and returns its answer.
    fn take(&mut self, kind: Kind, decoded: Decoded, streams: &mut Streams) -> Answer {
        let absorbed = streams.absorb(&decoded.points);
        let mut classes = decoded.classes;
        sum(classes.merge(&absorbed.classes), "classes");
        let mut problems = decoded.problems;
        problems.merge(&absorbed.problems);
        self.series.extend(decoded.new_series);
        self.touched.extend(absorbed.touched);
        self.entries.extend(decoded.entries);
        self.entries.extend(absorbed.entries);
        self.classes.push((kind, classes));
        Answer::new(&classes, &problems)
    }

    fn delta(&mut self, streams: &Streams) -> Delta {
        let mut delta = Delta::default();
        let mut all = Classes::default();
        for (_, classes) in &self.classes {
            sum(all.merge(classes), "classes");
        }
        sum(
            delta.add(&std::mem::take(&mut self.entries), &all),
            "a group",
        );
        for id in &self.touched {
            if let Some(state) = streams.encode_state(*id) {
                delta.set_stream(*id, state);
            }
        }
        delta
    }
}

fn replies(group: Vec<Queued>) -> Vec<Reply> {
    group.into_iter().map(|queued| queued.reply).collect()
}

/// A client that went away needs no answer: its request counts, and a resend is recognised.
fn answer_one(reply: Reply, answer: Result<Answer, Refused>) {
    drop(reply.send(answer));
}
