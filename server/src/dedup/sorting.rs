//! Sorting fingerprints into the store, and forgetting them, beside the commits.

use std::sync::Arc;

use super::table::Table;
use crate::store::{ChunkId, Store, StoreError};

/// Fingerprints in one chunk: 16 KiB, which is what looking for one of them reads.
const CHUNK: usize = 2048;
/// Chunks in one transaction: a megabyte, for which a commit waits.
const CHUNKS: usize = 64;

/// Where the chunks of a run begin, rising.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heads(Vec<i64>);

/// What is done beside the commits.
#[derive(Debug)]
pub(super) enum Job {
    /// Makes of the fingerprints of a part, committed up to a seq, a sorted run.
    Sort {
        part: i64,
        run: i64,
        table: Arc<Table>,
        upto_seq: i64,
    },
    /// Drops the parts before this one.
    Forget(i64),
}

/// How a job ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Sorted { part: i64, run: i64, heads: Heads },
    Forgotten(i64),
    Failed(StoreError),
}

impl Heads {
    pub(super) fn push(&mut self, first: i64) {
        self.0.push(first);
    }

    /// The beginning of the chunk that holds a fingerprint if any of the run does.
    pub(super) fn chunk_of(&self, print: u64) -> Option<i64> {
        let after = self.0.partition_point(|first| *first <= key_of(print));
        after.checked_sub(1).and_then(|at| self.0.get(at)).copied()
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<i64>()
    }
}

impl Job {
    pub(super) async fn run(self, store: Store) -> Outcome {
        let done = match self {
            Job::Sort {
                part,
                run,
                table,
                upto_seq,
            } => sort(&store, part, run, &table, upto_seq)
                .await
                .map(|heads| Outcome::Sorted { part, run, heads }),
            Job::Forget(before) => store
                .forget_spans(before)
                .await
                .map(|_| Outcome::Forgotten(before)),
        };
        done.unwrap_or_else(Outcome::Failed)
    }
}

/// Writes the sorted run, then drops what was committed unsorted. Ended between, everything is there twice, which
/// is as good for a set; the next attempt writes the same chunks.
async fn sort(
    store: &Store,
    part: i64,
    run: i64,
    table: &Table,
    upto_seq: i64,
) -> Result<Heads, StoreError> {
    let mut heads = Heads::default();
    let mut chunks: Vec<(ChunkId, Vec<u8>)> = Vec::with_capacity(CHUNKS);
    for (at, print) in table.sorted().enumerate() {
        if at % CHUNK == 0 {
            if chunks.len() == CHUNKS {
                store.put_span_chunks(&chunks).await?;
                chunks.clear();
            }
            let first = key_of(print);
            heads.push(first);
            chunks.push(((part, run, first), Vec::with_capacity(CHUNK * 8)));
        }
        if let Some((_, prints)) = chunks.last_mut() {
            prints.extend_from_slice(&print.to_le_bytes());
        }
    }
    store.put_span_chunks(&chunks).await?;
    store.drop_span_commits(part, upto_seq).await?;
    Ok(heads)
}

/// A fingerprint as a signed number in the same order.
pub(super) fn key_of(print: u64) -> i64 {
    (print ^ 1 << 63).cast_signed()
}

/// The fingerprints in stored bytes. Bytes beyond the last whole one are none.
pub(super) fn prints_in(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (prints, _) = bytes.as_chunks::<8>();
    prints.iter().map(|print| u64::from_le_bytes(*print))
}
