//! Requests that were counted before: what makes a resend be answered and not be counted twice.
//!
//! The store has the hash of every request for as long as a copy of it could be accepted. Here are those of the last
//! minutes, as that is where copies of fresh data are found: the latest event of a request tells when it can have come
//! at the earliest. Older minutes are read when a request's events are old, and dropped first when there are too many.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::store::{Store, StoreError};

/// Length of a part, in seconds.
const PART_S: i64 = 60;
/// How long parts of the last requests are kept in memory whatever they take, in seconds.
const FRESH_S: i64 = 3 * PART_S;
/// Hashes in memory beyond which old parts are dropped: some 30 MiB.
const MOST: usize = 1 << 21;
/// Parts in memory beyond which old ones are dropped.
const MOST_PARTS: usize = 512;
/// How far the clock may have gone back between a request's check and its commit, in seconds.
const SPARE_S: i64 = 60;

/// A request that is about to be counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Hash of its payload.
    pub(crate) hash: [u8; 16],
    /// Time of its latest event that counts, Unix seconds; none if it has none.
    pub(crate) latest_s: Option<i64>,
}

/// The requests that were counted. See the module's documentation.
#[derive(Debug)]
pub(crate) struct Resent {
    store: Store,
    /// By number of the part: the first half of each hash. A part that is here is here whole.
    parts: BTreeMap<i64, HashSet<u64, RandomState>>,
    hashes: usize,
    max_future: Duration,
    /// How much earlier than its latest event a request can have come, in seconds.
    ahead_s: i64,
    /// The newest part that has requests.
    newest: i64,
}

impl Resent {
    /// Starts from what the store holds. `max_future` is how far ahead of the clock events are accepted.
    pub(crate) async fn load(
        store: Store,
        max_future: Duration,
        now_s: i64,
    ) -> Result<Resent, StoreError> {
        let last_s = store.last_request().await?.unwrap_or(now_s);
        let max_future_s = i64::try_from(max_future.as_secs()).unwrap_or(i64::MAX / 4);
        let mut resent = Resent {
            store,
            parts: BTreeMap::new(),
            hashes: 0,
            max_future,
            ahead_s: max_future_s.max(PART_S) + SPARE_S,
            newest: part(last_s.max(now_s)),
        };
        for part in part(last_s.max(now_s) - FRESH_S)..=resent.newest {
            resent.read(part).await?;
        }
        Ok(resent)
    }

    /// Starts anew from the store, after a commit whose outcome is not known.
    pub(crate) async fn reload(&mut self, now_s: i64) -> Result<(), StoreError> {
        *self = Resent::load(self.store.clone(), self.max_future, now_s).await?;
        Ok(())
    }

    /// Notes requests that are durable now. The parts of the present are always in memory.
    pub(crate) fn insert<'a>(
        &mut self,
        received_s: i64,
        hashes: impl Iterator<Item = &'a [u8; 16]>,
    ) {
        let at = part(received_s);
        self.advance(at);
        // A part of the past that is not in memory is whole in the store.
        if let Some(part) = self.parts.get_mut(&at) {
            let before = part.len();
            part.extend(hashes.map(prefix));
            self.hashes += part.len() - before;
        }
        self.drop_old();
    }

    /// When the next requests are said to come: never before those that came already.
    pub(crate) fn received_s(&self, now_s: i64) -> i64 {
        now_s.max(self.newest * PART_S)
    }

    /// Which of these were counted before.
    pub(crate) async fn among(
        &mut self,
        candidates: &[Candidate],
    ) -> Result<HashSet<[u8; 16]>, StoreError> {
        let mut earliest: Vec<i64> = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let fresh = self.newest - FRESH_S / PART_S;
            let latest = candidate
                .latest_s
                .map(|latest_s| part(latest_s - self.ahead_s));
            earliest.push(latest.unwrap_or(fresh).min(self.newest));
        }
        let Some(first) = earliest.iter().copied().min() else {
            return Ok(HashSet::new());
        };
        let mut found = HashSet::new();
        for at in first..=self.newest {
            let due = candidates.iter().zip(&earliest);
            let due = due
                .filter(|(_, earliest)| **earliest <= at)
                .map(|(one, _)| &one.hash);
            if !self.parts.contains_key(&at) {
                self.read(at).await?;
            }
            let Some(part) = self.parts.get(&at) else {
                continue;
            };
            let hits: Vec<&[u8; 16]> = due.filter(|hash| part.contains(&prefix(hash))).collect();
            if !hits.is_empty() {
                let whole = self.of_store(at).await?;
                found.extend(hits.into_iter().filter(|hash| whole.contains(*hash)));
            }
            self.drop_old();
        }
        Ok(found)
    }

    /// Begins the parts up to this one: nothing came in them yet.
    fn advance(&mut self, upto: i64) {
        if upto > self.newest {
            for part in self.newest.max(upto - FRESH_S / PART_S) + 1..=upto {
                self.parts.entry(part).or_default();
            }
            self.newest = upto;
        }
    }

    async fn read(&mut self, at: i64) -> Result<(), StoreError> {
        let hashes = self.of_store(at).await?;
        self.hashes += hashes.len();
        self.parts.insert(at, hashes.iter().map(prefix).collect());
        Ok(())
    }

    /// The hashes of a part as the store has them. What is damaged is told and left out: copies of those requests are
    /// not recognised.
    async fn of_store(&self, at: i64) -> Result<HashSet<[u8; 16]>, StoreError> {
        let batches = self.store.requests(at * PART_S, (at + 1) * PART_S).await?;
        let mut hashes = HashSet::new();
        for (received_s, batch) in batches {
            match batch {
                Ok(batch) => hashes.extend(batch),
                Err(error) => tracing::error!(
                    error = %error,
                    requests.received_s = received_s,
                    "stored hashes of requests are damaged; their resends will be counted again"
                ),
            }
        }
        Ok(hashes)
    }

    fn drop_old(&mut self) {
        let kept_from = self.newest - FRESH_S / PART_S;
        while self.hashes > MOST || self.parts.len() > MOST_PARTS {
            match self.parts.first_entry() {
                Some(oldest) if *oldest.key() < kept_from => {
                    self.hashes -= oldest.remove().len();
                }
                _ => return,
            }
        }
    }
}

fn part(at_s: i64) -> i64 {
    at_s.div_euclid(PART_S)
}

/// The first half of a hash: enough to be nearly sure that it is not here.
fn prefix(hash: &[u8; 16]) -> u64 {
    let [low, ..] = hash.as_chunks::<8>().0 else {
        return 0;
    };
    u64::from_le_bytes(*low)
}

#[cfg(test)]
mod tests;
