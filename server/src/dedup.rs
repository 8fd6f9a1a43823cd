//! Spans counted before: a fingerprint of each, as long as a copy could still be accepted.
//!
//! Fingerprints lie in parts of ten minutes by the spans' own end times. Each is committed with the delta that its span
//! is in. The parts of the last minutes are in memory, also to be found; an older part is sorted into chunks in the store and
//! searched there. A part is forgotten when its spans are too old to be accepted, and not before.
//!
//! The journal's writer owns this: what is seen before what is the order of its commits.

mod sorting;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use collector::{Decoded, SpanRecord, Verdict};
use tokio::task::JoinSet;

use self::sorting::{Heads, Job, Outcome, prints_in};
use self::table::Table;
use crate::metrics::Metrics;
use crate::store::{ChunkId, Store, StoreError};

/// Memory that fingerprints may take unless told otherwise: some 20 million spans.
pub(crate) const DEFAULT_BYTES: usize = 256 << 20;
/// Length of a part, in seconds.
const PART_S: i64 = 600;
/// How long after its end a part stays in memory, in seconds: few spans come later.
const HOT_S: i64 = 300;
/// How much longer than spans are accepted fingerprints are kept, in seconds: a request that was accepted waits for its
/// commit, and clocks are corrected.
const GRACE_S: i64 = 600;
/// Late fingerprints of a sorted part that are kept in memory before they are sorted too.
const LATE_PRINTS: usize = 1 << 16;
/// Chunks read at a time.
const CHUNKS_AT_ONCE: usize = 256;
/// How long after a failure sorting and forgetting are tried again, in seconds.
const RETRY_S: i64 = 10;

/// How spans are recognised that were counted before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Dedup {
    /// By their request: the same bytes sent again.
    #[default]
    Request,
    /// By their ids as well: also in other bytes.
    Span,
}

/// Bounds of [`Seen`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How late spans are accepted.
    pub(crate) max_late: Duration,
    /// Memory that fingerprints may take; beyond it they are searched in the store, which is slower.
    pub(crate) max_bytes: usize,
}

/// The fingerprints of counted spans.
#[derive(Debug)]
pub(crate) struct Seen {
    store: Store,
    bounds: Bounds,
    parts: BTreeMap<i64, Part>,
    /// Parts before this one are forgotten: their spans are too old.
    forgotten_part: i64,
    /// Parts before this one are gone from the store.
    dropped_part: i64,
    /// Unix seconds since when every counted span is here.
    since_s: i64,
    /// At most one at a time.
    jobs: JoinSet<Outcome>,
    /// When the next job may begin, after one failed.
    next_job_s: i64,
}

#[derive(Debug, Default)]
struct Part {
    /// Committed, or about to be, and not sorted.
    recent: Table,
    /// The last commit with fingerprints in `recent`.
    last_seq: i64,
    /// Committed, and being sorted into the store.
    sorting: Option<Sorting>,
    /// What is sorted, by run.
    runs: BTreeMap<i64, Heads>,
    /// Some of its fingerprints are lost: what is not here may have been counted.
    damaged: bool,
}

#[derive(Clone, Debug)]
struct Sorting {
    table: Arc<Table>,
    /// The last commit whose fingerprints are in the table.
    upto_seq: i64,
    /// Chosen at random: a write that was given up may still be done, and must not be mixed with another run.
    run: i64,
}

impl Seen {
    /// Reads what was committed.
    pub(crate) async fn load(
        store: &Store,
        bounds: Bounds,
        now_s: i64,
    ) -> Result<Seen, StoreError> {
        let mut since_s = store.span_state().await?.since_s;
        if since_s == 0 {
            since_s = now_s;
            store.set_spans_since(since_s).await?;
        }
        let mut seen = Seen {
            store: store.clone(),
            bounds,
            parts: BTreeMap::new(),
            forgotten_part: 0,
            dropped_part: 0,
            since_s,
            jobs: JoinSet::new(),
            next_job_s: 0,
        };
        seen.reload().await?;
        Ok(seen)
    }

    /// Reads again what was committed, in place of what is here: a commit's outcome was unknown.
    pub(crate) async fn reload(&mut self) -> Result<(), StoreError> {
        self.jobs.shutdown().await;
        let state = self.store.span_state().await?;
        let forgotten_part = self.forgotten_part.max(state.forgotten_part);
        let mut parts: BTreeMap<i64, Part> = BTreeMap::new();
        for number in self.store.span_parts().await? {
            if number < forgotten_part {
                continue;
            }
            let part = parts.entry(number).or_default();
            for (seq, prints) in self.store.span_commits(number).await? {
                let Some(prints) = prints else {
                    // Not sorted away: the next start must see it too.
                    part.damage(number);
                    continue;
                };
                for print in prints_in(&prints) {
                    part.recent.insert(print);
                }
                part.last_seq = seq;
            }
        }
        for (number, run, first) in self.store.span_chunk_ids().await? {
            if number >= forgotten_part {
                let part = parts.entry(number).or_default();
                part.runs.entry(run).or_default().push(first);
            }
        }
        self.parts = parts;
        self.forgotten_part = forgotten_part;
        self.dropped_part = state.forgotten_part;
        Ok(())
    }

    /// Takes out of a group's requests every span that was counted before, also in the group itself, and gives the
    /// fingerprints to commit with the rest, by part. After a failed commit a [`reload`](Seen::reload) is due; an
    /// error here has changed nothing.
    pub(crate) async fn settle(
        &mut self,
        requests: Vec<&mut Decoded>,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let records = requests.iter().flat_map(|request| request.spans.records());
        let (stored, damaged) = self.stored(records).await?;
        for number in damaged {
            self.parts.entry(number).or_default().damage(number);
        }
        let mut fresh: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
        let mut verdicts = Vec::new();
        for request in requests {
            verdicts.clear();
            for record in request.spans.records() {
                let verdict = self.judge(record, &stored);
                if verdict == Verdict::Fresh {
                    let prints = fresh.entry(part_of(record)).or_default();
                    prints.extend_from_slice(&record.fingerprint.to_le_bytes());
                }
                verdicts.push(verdict);
            }
            request.settle(&verdicts);
        }
        Ok(fresh.into_iter().collect())
    }

    fn judge(&mut self, record: &SpanRecord, stored: &HashSet<(i64, u64)>) -> Verdict {
        let (number, print) = (part_of(record), record.fingerprint);
        if number < self.forgotten_part {
            return Verdict::Late;
        }
        let part = self.parts.entry(number).or_default();
        let sorting = part.sorting.as_ref();
        let known = sorting.is_some_and(|sorting| sorting.table.contains(print))
            || (!stored.is_empty() && stored.contains(&(number, print)));
        if known || part.damaged && part.recent.contains(print) {
            Verdict::Duplicate
        } else if part.damaged {
            Verdict::Late
        } else if !part.recent.insert(print) {
            Verdict::Duplicate
        } else {
            Verdict::Fresh
        }
    }

    /// Those of the spans that the store's sorted chunks hold, and the parts that have a damaged chunk.
    async fn stored(
        &self,
        records: impl Iterator<Item = &SpanRecord>,
    ) -> Result<(HashSet<(i64, u64)>, Vec<i64>), StoreError> {
        let mut wanted: BTreeMap<ChunkId, Vec<u64>> = BTreeMap::new();
        for record in records {
            let (number, print) = (part_of(record), record.fingerprint);
            let Some(part) = self.parts.get(&number) else {
                continue;
            };
            for (run, heads) in &part.runs {
                if let Some(first) = heads.chunk_of(print) {
                    wanted.entry((number, *run, first)).or_default().push(print);
                }
            }
        }
        let (mut found, mut damaged) = (HashSet::new(), Vec::new());
        let chunks: Vec<ChunkId> = wanted.keys().copied().collect();
        for chunks in chunks.chunks(CHUNKS_AT_ONCE) {
            for (id, chunk) in self.store.span_chunks(chunks).await? {
                let Some(chunk) = chunk else {
                    damaged.push(id.0);
                    continue;
                };
                let chunk: Vec<u64> = prints_in(&chunk).collect();
                let prints = wanted.get(&id).into_iter().flatten();
                let there = prints.filter(|print| chunk.binary_search(print).is_ok());
                found.extend(there.map(|print| (id.0, *print)));
            }
        }
        Ok((found, damaged))
    }

    /// Notes that a group is durable.
    pub(crate) fn committed(&mut self, seq: i64, prints: &[(i64, Vec<u8>)]) {
        for (number, _) in prints {
            if let Some(part) = self.parts.get_mut(number) {
                part.last_seq = seq;
            }
        }
    }

    /// Forgets, sorts, and keeps to the bound of memory. To be called between groups, when all that is here is
    /// committed. Waits only when memory is far beyond its bound.
    pub(crate) async fn maintain(&mut self, now_s: i64, metrics: &Metrics) {
        while let Some(done) = self.jobs.try_join_next() {
            self.finish(done, now_s);
        }
        let late_s = i64::try_from(self.bounds.max_late.as_secs()).unwrap_or(i64::MAX);
        let oldest = now_s.saturating_sub(late_s).saturating_sub(GRACE_S);
        self.forgotten_part = self.forgotten_part.max(oldest.div_euclid(PART_S));
        self.parts = self.parts.split_off(&self.forgotten_part);
        if self.bytes() > self.bounds.max_bytes / 4 * 5
            && let Some(done) = self.jobs.join_next().await
        {
            self.finish(done, now_s);
        }
        if self.jobs.is_empty() && now_s >= self.next_job_s {
            self.begin_job(now_s);
        }
        let horizon_s = now_s - self.since_s.max(self.forgotten_part * PART_S);
        metrics.dedup_horizon("span", horizon_s);
        metrics.dedup_bytes(self.bytes());
    }

    fn begin_job(&mut self, now_s: i64) {
        let job = if self.forgotten_part > self.dropped_part {
            Job::Forget(self.forgotten_part)
        } else if let Some(number) = self.to_sort(now_s) {
            let Some(part) = self.parts.get_mut(&number) else {
                return;
            };
            let (recent, last_seq) = (&mut part.recent, part.last_seq);
            let unsorted = || Sorting {
                table: Arc::new(std::mem::take(recent)),
                upto_seq: last_seq,
                run: rand::random(),
            };
            let sorting = part.sorting.get_or_insert_with(unsorted).clone();
            Job::Sort {
                part: number,
                run: sorting.run,
                table: sorting.table,
                upto_seq: sorting.upto_seq,
            }
        } else {
            return;
        };
        self.jobs.spawn(job.run(self.store.clone()));
    }

    /// The part to sort next, if one is due.
    fn to_sort(&self, now_s: i64) -> Option<i64> {
        let unfinished = self.parts.iter().find(|(_, part)| part.sorting.is_some());
        if let Some((number, _)) = unfinished {
            return Some(*number);
        }
        if self.bytes() > self.bounds.max_bytes {
            let sound = self.parts.iter().filter(|(_, part)| !part.damaged);
            let largest = sound.max_by_key(|(_, part)| part.recent.len());
            let largest = largest.filter(|(_, part)| !part.recent.is_empty());
            return largest.map(|(number, _)| *number);
        }
        let due = |(number, part): &(&i64, &Part)| {
            let cold = (**number + 1) * PART_S + HOT_S <= now_s;
            let enough = part.runs.is_empty() || part.recent.len() >= LATE_PRINTS;
            cold && enough && !part.recent.is_empty() && !part.damaged
        };
        self.parts.iter().find(due).map(|(number, _)| *number)
    }

    fn finish(&mut self, done: Result<Outcome, tokio::task::JoinError>, now_s: i64) {
        match done {
            Ok(Outcome::Sorted { part, run, heads }) => {
                if let Some(part) = self.parts.get_mut(&part) {
                    part.sorting = None;
                    part.runs.insert(run, heads);
                }
            }
            Ok(Outcome::Forgotten(before)) => self.dropped_part = before,
            Ok(Outcome::Failed(error)) => {
                tracing::warn!(error = %error, "fingerprints could not be sorted or forgotten yet");
                self.next_job_s = now_s + RETRY_S;
            }
            Err(error) => {
                tracing::error!(task.error = %error, "a task that sorts fingerprints ended");
                self.next_job_s = now_s + RETRY_S;
            }
        }
    }

    /// Memory that fingerprints take.
    fn bytes(&self) -> usize {
        self.parts.values().map(Part::bytes).sum()
    }
}

impl Part {
    fn damage(&mut self, number: i64) {
        if !self.damaged {
            tracing::error!(
                part.end_s = (number + 1) * PART_S,
                "fingerprints of ten minutes are damaged; further spans of them are rejected as late"
            );
        }
        self.damaged = true;
    }

    fn bytes(&self) -> usize {
        let sorting = self
            .sorting
            .as_ref()
            .map_or(0, |sorting| sorting.table.bytes());
        let heads: usize = self.runs.values().map(Heads::bytes).sum();
        self.recent.bytes() + sorting + heads
    }
}

fn part_of(record: &SpanRecord) -> i64 {
    i64::from(record.end_seconds) / PART_S
}
