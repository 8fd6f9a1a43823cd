//! The one writer: many requests become one durable commit, then count, then are acknowledged.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use collector::{Answer, Classes, Delta, Known, Ledger, Sorting, Streams};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::gathered::Gathered;
use super::pace::{GROUP_REQUESTS, Pace};
use super::queue::{Queue, Queued, Refused, Submission};
use super::resent::{Candidate, Resent};
use crate::builtin::Ingest;
use crate::classes::Owed;
use crate::clock::SystemClock;
use crate::dedup::Seen;
use crate::live::{Live, sum};
use crate::metrics::Metrics;
use crate::probes::Health;
use crate::resume::{load_series, locked, read_delta};
use crate::serve::Wired;
use crate::store::{Group, Store, StoreError};

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
    sorting: Sorting,
    resent: Resent,
    /// Spans counted before, if spans are told apart.
    seen: Option<Seen>,
    metrics: Metrics,
    health: Health,
    clock: SystemClock,
    /// A commit failed without saying whether it happened: the journal must be read again.
    in_doubt: bool,
    ingest: Option<Arc<Ingest>>,
    /// Classes to be committed with the next group.
    owed: Owed,
    /// What the commit in doubt brought along, as it is owed if it did not happen.
    doubtful: Ledger,
    /// When silent metric streams are looked for next, in Unix seconds.
    next_trim_s: i64,
}

/// A request that was not seen before, with those that carry the same bytes.
struct Fresh {
    queued: Queued,
    copies: Vec<(Reply, Classes)>,
}

/// Who waits for a request's commit.
struct Waiting {
    reply: Reply,
    copies: Vec<(Reply, Classes)>,
    /// Once it is committed.
    answer: Answer,
    /// What the request holds of the queue until then.
    _room: OwnedSemaphorePermit,
}

impl Writer {
    pub(crate) fn new(
        wired: &Wired,
        known: Arc<Known>,
        streams: Streams,
        resent: Resent,
        seen: Option<Seen>,
    ) -> Writer {
        Writer {
            store: wired.store.clone(),
            live: Arc::clone(&wired.live),
            known,
            streams,
            sorting: Sorting::default(),
            resent,
            seen,
            metrics: wired.metrics.clone(),
            health: wired.health.clone(),
            clock: SystemClock,
            in_doubt: false,
            ingest: wired.ingest.clone(),
            owed: wired.owed.clone(),
            doubtful: Ledger::default(),
            next_trim_s: 0,
        }
    }

    /// Commits until every handle of the queue is gone; what is queued then is still committed.
    pub(crate) async fn run(mut self, queue: Queue) {
        let Queue {
            mut requests,
            company,
        } = queue;
        let mut group = Vec::with_capacity(GROUP_REQUESTS);
        let mut pace = Pace::default();
        self.try_store().await;
        loop {
            match tokio::time::timeout(BEAT, requests.recv_many(&mut group, GROUP_REQUESTS)).await {
                Ok(0) => break,
                Ok(_) => {
                    pace.fill(&mut group, &mut requests, &company).await;
                    self.metrics.queue_depth(requests.len());
                    self.commit_group(&mut group).await;
                }
                Err(_) if self.owed.is_empty() && !self.in_doubt => {
                    self.try_store().await;
                    self.maintain_seen().await;
                }
                Err(_) => self.commit_group(&mut Vec::new()).await,
            }
            self.health.writer_beat();
        }
        if !self.owed.is_empty() {
            self.commit_group(&mut Vec::new()).await;
        }
    }

    /// Nobody sends: could the store commit?
    async fn try_store(&self) {
        match self.store.trial().await {
            Ok(()) => self.health.committed(),
            Err(error) => {
                tracing::error!(error = %error, "the store cannot commit");
                self.health.commit_failed(error.in_short());
            }
        }
    }

    /// What is due of the spans counted before, which only commits that are certain may show.
    async fn maintain_seen(&mut self) {
        if let Some(seen) = &mut self.seen
            && !self.in_doubt
        {
            seen.maintain(self.clock.now().as_second(), &self.metrics)
                .await;
        }
    }

    /// Empties the group.
    async fn commit_group(&mut self, group: &mut Vec<Queued>) {
        if self.in_doubt
            && let Err(error) = self.catch_up().await
        {
            self.owed.add(&shed(group));
            return self.refuse(replies(group), &error);
        }
        self.maintain_seen().await;
        let now = self.clock.now();
        match self.counted_before(group, now.as_second()).await {
            Ok(stored) => {
                let (mut fresh, resent) = self.sort(group, &stored);
                match self.settle(&mut fresh).await {
                    Ok(_) if fresh.is_empty() && self.owed.is_empty() => {}
                    Ok(prints) => self.commit_fresh(fresh, prints, now).await,
                    Err(error) => self.refuse_fresh(fresh, &error),
                }
                // Their spans are classed by now; what they were answered once holds whatever
                // became of this commit.
                for (reply, answer) in resent {
                    answer_one(reply, Ok(answer));
                }
            }
            Err(error) => {
                self.owed.add(&shed(group));
                self.refuse(replies(group), &error);
            }
        }
    }

    /// Those of a group's requests that were counted before, with their stored answers.
    async fn counted_before(
        &mut self,
        group: &[Queued],
        now_s: i64,
    ) -> Result<HashMap<[u8; 16], Vec<u8>>, StoreError> {
        let candidate = |queued: &Queued| Candidate {
            hash: queued.submission.hash,
            earliest_s: queued
                .submission
                .decoded
                .earliest_counted_nanos
                .map(seconds),
        };
        let candidates: Vec<Candidate> = group.iter().map(candidate).collect();
        let counted = self.resent.among(&candidates, now_s).await?;
        if counted.is_empty() {
            return Ok(HashMap::new());
        }
        let hashes: Vec<[u8; 16]> = counted.iter().copied().collect();
        let partial = self.store.answers(&hashes).await?;
        let full = counted.into_iter().map(|hash| (hash, Vec::new()));
        Ok(full.chain(partial).collect())
    }

    /// Tells what was committed before, with its stored answer, from the rest, each once.
    fn sort(
        &self,
        group: &mut Vec<Queued>,
        stored: &HashMap<[u8; 16], Vec<u8>>,
    ) -> (Vec<Fresh>, Vec<(Reply, Answer)>) {
        let mut resent = Vec::new();
        let mut fresh: Vec<Fresh> = Vec::with_capacity(group.len());
        let mut place: HashMap<[u8; 16], usize> = HashMap::with_capacity(group.len());
        for queued in group.drain(..) {
            let hash = queued.submission.hash;
            if let Some(answer) = stored.get(&hash) {
                self.count_resent(&queued);
                let answer = Answer::from_bytes(answer).unwrap_or_default();
                resent.push((queued.reply, answer));
            } else if let Some(first) = place.get(&hash) {
                let classes = queued.submission.decoded.classes;
                fresh[*first].copies.push((queued.reply, classes));
            } else {
                place.insert(hash, fresh.len());
                fresh.push(Fresh {
                    queued,
                    copies: Vec::new(),
                });
            }
        }
        (fresh, resent)
    }

    /// Takes spans that were counted before out of the requests; gives the others' fingerprints.
    async fn settle(&mut self, fresh: &mut [Fresh]) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let Some(seen) = &mut self.seen else {
            return Ok(Vec::new());
        };
        let requests = fresh.iter_mut();
        let requests = requests.map(|fresh| &mut fresh.queued.submission.decoded);
        seen.settle(requests.collect()).await
    }

    async fn commit_fresh(
        &mut self,
        fresh: Vec<Fresh>,
        prints: Vec<(i64, Vec<u8>)>,
        now: Timestamp,
    ) {
        let started = tokio::time::Instant::now();
        if now.as_second() >= self.next_trim_s {
            self.trim_streams(now.as_second());
        }
        self.streams.checkpoint();
        let (mut gathered, waiting) = self.gather(fresh, now);
        let delta = gathered.delta(&self.streams);
        let group = Group {
            prints,
            ..gathered.group(now.as_second(), &delta)
        };
        failpoint!("journal.gathered");
        match self.store.commit(&group).await {
            Ok(seq) => {
                self.streams.keep();
                let hashes = group.requests.iter().map(|(hash, _)| hash);
                self.resent.insert(group.received_s, hashes);
                if let Some(seen) = &mut self.seen {
                    seen.committed(seq, &group.prints);
                }
                for (id, key) in gathered.series {
                    self.known.insert(id, key);
                }
                self.metrics.commit(waiting.len(), started.elapsed());
                self.health.committed();
                self.apply(seq, delta);
                failpoint!("journal.applied");
                for waiting in waiting {
                    for (copy, _) in waiting.copies {
                        answer_one(copy, Ok(waiting.answer.clone()));
                    }
                    answer_one(waiting.reply, Ok(waiting.answer));
                }
            }
            Err(error) => {
                self.streams.rollback();
                self.in_doubt = true;
                self.doubtful = gathered.refused;
                let replies = waiting.into_iter();
                let replies = replies.flat_map(|one| all_replies(one.reply, one.copies));
                self.refuse(replies.collect(), &error);
            }
        }
    }

    /// Counts requests, and what is owed besides, into one commit.
    fn gather(&mut self, fresh: Vec<Fresh>, now: Timestamp) -> (Gathered, Vec<Waiting>) {
        let mut gathered = Gathered::of(fresh.len());
        let mut waiting = Vec::with_capacity(fresh.len());
        for Fresh { queued, copies } in fresh {
            let Queued {
                submission,
                reply,
                room,
            } = queued;
            let Submission {
                kind,
                hash,
                decoded,
                ..
            } = submission;
            for (_, copied) in &copies {
                gathered.take_copy(kind, copied);
            }
            let answer = gathered.take(kind, decoded, &mut self.streams);
            gathered.requests.push((hash, answer.to_bytes()));
            waiting.push(Waiting {
                reply,
                copies,
                answer,
                _room: room,
            });
        }
        gathered.sum_up(&mut self.sorting, &self.live);
        gathered.add_owed(&self.owed.take());
        if let Some(ingest) = &self.ingest {
            gathered.add_ingest(ingest, &self.known, now.as_second());
        }
        (gathered, waiting)
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
        let mut live = locked(&self.live);
        live.apply(seq, delta);
        self.metrics.ledger(live.classes());
    }

    /// Applies what the journal holds beyond what was applied: commits whose outcome was unknown.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        // The first write waits for what an earlier connection may still be doing; then the journal
        // says whether it was done.
        self.store.trial().await?;
        let applied = locked(&self.live).applied();
        let rows = self.store.journal_after(applied).await?;
        let doubtful = std::mem::take(&mut self.doubtful);
        if rows.is_empty() {
            self.owed.add(&doubtful);
        } else {
            load_series(&self.store, &self.known).await?;
        }
        for row in rows {
            let Some(delta) = read_delta(&self.store, &row)? else {
                continue;
            };
            for (id, state) in delta.streams.iter() {
                self.streams
                    .restore(id, state)
                    .map_err(|error| StoreError::damaged("journal", row.seq, &error))?;
            }
            self.apply(row.seq, delta);
        }
        self.resent.reload(self.clock.now().as_second()).await?;
        if let Some(seen) = &mut self.seen {
            seen.reload().await?;
        }
        self.in_doubt = false;
        Ok(())
    }

    fn count_resent(&self, queued: &Queued) {
        let Submission { kind, decoded, .. } = &queued.submission;
        self.owed.note(*kind, &decoded.classes.all_duplicate());
    }

    fn refuse_fresh(&self, fresh: Vec<Fresh>, error: &StoreError) {
        let mut replies = Vec::with_capacity(fresh.len());
        for Fresh { queued, copies } in fresh {
            let Submission { kind, decoded, .. } = &queued.submission;
            let copied = copies.iter().map(|(_, classes)| classes);
            for classes in copied.chain([&decoded.classes]) {
                self.owed.note(*kind, &classes.all_shed());
            }
            replies.extend(all_replies(queued.reply, copies));
        }
        self.refuse(replies, error);
    }

    fn refuse(&self, replies: Vec<Reply>, error: &StoreError) {
        tracing::error!(
            error = %error,
            journal.requests = replies.len(),
            "cannot commit requests; their senders are asked to send again"
        );
        self.metrics.commit_failed();
        self.health.commit_failed(error.in_short());
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

/// The classes of requests that are refused for now.
fn shed(group: &[Queued]) -> Ledger {
    let mut ledger = Ledger::default();
    for queued in group {
        let Submission { kind, decoded, .. } = &queued.submission;
        let shed = decoded.classes.all_shed();
        sum(ledger.signal_mut(*kind).merge(&shed), "classes");
    }
    ledger
}

fn seconds(nanos: u64) -> i64 {
    i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX)
}

/// Everybody who waits for one request's commit.
fn all_replies(reply: Reply, copies: Vec<(Reply, Classes)>) -> impl Iterator<Item = Reply> {
    copies.into_iter().map(|(copy, _)| copy).chain([reply])
}

fn replies(group: &mut Vec<Queued>) -> Vec<Reply> {
    group.drain(..).map(|queued| queued.reply).collect()
}

/// A client that went away needs no answer: its request counts, and a resend is recognised.
fn answer_one(reply: Reply, answer: Result<Answer, Refused>) {
    drop(reply.send(answer));
}
