//! Requests that were counted before: what makes a resend be answered and not be counted twice.
//!
//! The store has the hash of every request for as long as a copy of it could be accepted. Here they are by the minute
//! they came in, those of the last minutes whole, older ones as four bytes each. What a request counts now tells when a
//! first copy can have come at the earliest: so fresh requests are looked for in the last minutes only. A minute that is
//! not in memory is read when a request with events as old comes; the oldest are let go when there are too many.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::store::{Store, StoreError};

/// Length of a part, in seconds.
pub(crate) const PART_S: i64 = 60;
/// Parts before the present one that are kept whole.
const FRESH: i64 = 3;
/// Hashes of older parts in memory, of four bytes each, beyond which the oldest are let go: 64 MiB.
const MOST: usize = 1 << 24;
/// Parts that are remembered to have requests: two months.
const MOST_PARTS: usize = 100_000;
/// How far the clock may have gone back between a request's check and its commit, in seconds.
const SPARE_S: i64 = 60;

/// A request that is about to be counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Hash of its payload.
    pub(crate) hash: [u8; 16],
    /// Time of its earliest event that counts, Unix seconds; none if it has none.
    pub(crate) earliest_s: Option<i64>,
}

/// The requests that were counted. See the module's documentation.
#[derive(Debug)]
pub(crate) struct Resent {
    store: Store,
    max_future: Duration,
    /// By number of the part. A part that is here is here whole.
    parts: BTreeMap<i64, Part>,
    /// Every part that has requests, here or in the store.
    filled: BTreeSet<i64>,
    /// Hashes in closed parts.
    closed: usize,
}

#[derive(Debug)]
enum Part {
    /// Of the last minutes: whole hashes.
    Open(HashSet<[u8; 16], RandomState>),
    /// The beginning of each hash, sorted: what is found here is checked in the store.
    Closed(Box<[u32]>),
}

impl Resent {
    /// Starts from what the store holds. `max_future` is how far ahead of the clock events are accepted.
    pub(crate) async fn load(
        store: Store,
        max_future: Duration,
        now_s: i64,
    ) -> Result<Resent, StoreError> {
        let filled = store.request_parts(PART_S).await?;
        let mut resent = Resent {
            store,
            max_future,
            parts: BTreeMap::new(),
            filled: filled.into_iter().collect(),
            closed: 0,
        };
        for at in part(now_s) - FRESH..=part(now_s) {
            resent.open(at).await?;
        }
        Ok(resent)
    }

    /// Starts anew from the store, after a commit whose outcome is not known.
    pub(crate) async fn reload(&mut self, now_s: i64) -> Result<(), StoreError> {
        *self = Resent::load(self.store.clone(), self.max_future, now_s).await?;
        Ok(())
    }

    /// Notes requests that are durable now, and came when [`Resent::among`] was asked for them.
    pub(crate) fn insert<'a>(
        &mut self,
        received_s: i64,
        hashes: impl Iterator<Item = &'a [u8; 16]>,
    ) {
        let at = part(received_s);
        self.filled.insert(at);
        if self.filled.len() > MOST_PARTS {
            self.filled.pop_first();
        }
        match self.parts.get_mut(&at) {
            Some(Part::Open(part)) => part.extend(hashes.copied()),
            // The store has them: it is read when they are looked for.
            _ => self.forget(at),
        }
    }

    /// Which of these, that came at `now_s`, were counted before.
    pub(crate) async fn among(
        &mut self,
        candidates: &[Candidate],
        now_s: i64,
    ) -> Result<HashSet<[u8; 16]>, StoreError> {
        let present = part(now_s);
        self.open(present).await?;
        self.close_old(present);
        let future_s = i64::try_from(self.max_future.as_secs()).unwrap_or(i64::MAX / 4);
        let earliest = |candidate: &Candidate| {
            // What counts both times ended at most so long after the first copy came.
            let of_events = |earliest_s| part(earliest_s - future_s.max(PART_S) - SPARE_S);
            let fresh = present - FRESH;
            candidate.earliest_s.map_or(fresh, of_events).min(fresh)
        };
        let due: Vec<(i64, &[u8; 16])> = candidates
            .iter()
            .map(|candidate| (earliest(candidate), &candidate.hash))
            .collect();
        let Some(first) = due.iter().map(|(from, _)| *from).min() else {
            return Ok(HashSet::new());
        };
        let mut found = HashSet::new();
        // To the end: when the clock went back there are requests from beyond the present.
        let parts: Vec<i64> = self.filled.range(first..).copied().collect();
        for at in parts {
            let due = due.iter().filter(|(from, _)| *from <= at);
            self.find(at, due.map(|(_, hash)| *hash), &mut found)
                .await?;
            self.drop_old();
        }
        Ok(found)
    }

    async fn find(
        &mut self,
        at: i64,
        hashes: impl Iterator<Item = &[u8; 16]>,
        found: &mut HashSet<[u8; 16]>,
    ) -> Result<(), StoreError> {
        if !self.parts.contains_key(&at) {
            let hashes = self.of_store(at).await?;
            self.close(at, &hashes);
        }
        match self.parts.get(&at) {
            Some(Part::Open(part)) => found.extend(hashes.filter(|hash| part.contains(*hash))),
            Some(Part::Closed(beginnings)) => {
                let perhaps = |hash: &&[u8; 16]| beginnings.binary_search(&beginning(hash)).is_ok();
                let hits: Vec<&[u8; 16]> = hashes.filter(perhaps).collect();
                if !hits.is_empty() {
                    let whole = self.of_store(at).await?;
                    found.extend(hits.into_iter().filter(|hash| whole.contains(*hash)));
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Makes a part ready to be filled.
    async fn open(&mut self, at: i64) -> Result<(), StoreError> {
        if !matches!(self.parts.get(&at), Some(Part::Open(_))) {
            let hashes = if self.filled.contains(&at) {
                self.of_store(at).await?
            } else {
                HashSet::default()
            };
            self.forget(at);
            self.parts.insert(at, Part::Open(hashes));
        }
        Ok(())
    }

    fn close_old(&mut self, present: i64) {
        let old = |at: &i64| *at < present - FRESH || *at > present;
        let open = self.parts.iter().filter_map(|(at, part)| match part {
            Part::Open(_) if old(at) => Some(*at),
            _ => None,
        });
        for at in open.collect::<Vec<_>>() {
            if let Some(Part::Open(hashes)) = self.parts.remove(&at) {
                self.close(at, &hashes);
            }
        }
    }

    fn close(&mut self, at: i64, hashes: &HashSet<[u8; 16], RandomState>) {
        let mut beginnings: Box<[u32]> = hashes.iter().map(beginning).collect();
        beginnings.sort_unstable();
        self.closed += beginnings.len();
        self.parts.insert(at, Part::Closed(beginnings));
    }

    fn forget(&mut self, at: i64) {
        if let Some(Part::Closed(beginnings)) = self.parts.remove(&at) {
            self.closed -= beginnings.len();
        }
    }

    fn drop_old(&mut self) {
        while self.closed > MOST {
            let closed = |(at, part): (&i64, &Part)| matches!(part, Part::Closed(_)).then_some(*at);
            match self.parts.iter().find_map(closed) {
                Some(oldest) => self.forget(oldest),
                None => return,
            }
        }
    }

    /// The hashes of a part as the store has them. What is damaged is told and left out: copies of those requests are
    /// not recognised.
    async fn of_store(&self, at: i64) -> Result<HashSet<[u8; 16], RandomState>, StoreError> {
        let batches = self.store.requests(at * PART_S, (at + 1) * PART_S).await?;
        let mut hashes = HashSet::default();
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
}

fn part(at_s: i64) -> i64 {
    at_s.div_euclid(PART_S)
}

/// Enough of a hash to be nearly sure that it is not here.
fn beginning(hash: &[u8; 16]) -> u32 {
    let [first, ..] = hash.as_chunks::<4>().0 else {
        return 0;
    };
    u32::from_le_bytes(*first)
}

#[cfg(test)]
mod tests;
