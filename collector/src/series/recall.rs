//! What was found out once about bytes that come again and again: found by a faster hash than the one that makes ids, and
//! without taking the bytes apart.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{PoisonError, RwLock};

use foldhash::{fast, quality};

use super::SeriesId;
use crate::point::StreamId;

/// How much of a kind is remembered, some forty bytes each; beyond, remembering begins anew.
const MAX_REMEMBERED: usize = 200_000;

/// By two hashes with secret seeds, so that nobody can make two look alike.
#[derive(Debug, Default)]
pub(super) struct Recall {
    seeds: [quality::RandomState; 2],
    /// Streams by their encoded identity.
    pub(super) streams: Table<StreamId>,
    /// Where points belong, by all that decides it.
    pub(super) points: Table<PointPlace>,
    /// The durable series of spans, by all that decides it.
    pub(super) spans: Table<SeriesId>,
}

/// What bytes are known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Print([u64; 2]);

/// Where a point belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PointPlace {
    pub(crate) stream: StreamId,
    /// A durable one.
    pub(crate) series: SeriesId,
}

#[derive(Debug)]
pub(super) struct Table<T>(RwLock<HashMap<Print, T, fast::RandomState>>);

impl Recall {
    pub(super) fn print(&self, bytes: &[u8]) -> Print {
        Print(self.seeds.each_ref().map(|seed| seed.hash_one(bytes)))
    }

    /// The id of the stream with this encoded identity.
    pub(super) fn stream(&self, identity: &[u8]) -> StreamId {
        let print = self.print(identity);
        self.streams.get(print).unwrap_or_else(|| {
            let id = StreamId(SeriesId::of(identity).0);
            self.streams.remember(print, id);
            id
        })
    }
}

impl<T: Copy> Table<T> {
    pub(super) fn get(&self, print: Print) -> Option<T> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table.get(&print).copied()
    }

    pub(super) fn remember(&self, print: Print, value: T) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= MAX_REMEMBERED {
            table.clear();
        }
        table.insert(print, value);
    }
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table(RwLock::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_whether_it_is_remembered_or_made() {
        let recall = Recall::default();
        for number in 0..2 * MAX_REMEMBERED {
            let identity = number.to_le_bytes();
            let made = StreamId(SeriesId::of(&identity).0);
            assert_eq!(
                [recall.stream(&identity), recall.stream(&identity)],
                [made, made]
            );
        }
        assert!(recall.streams.0.read().expect("no panic").len() <= MAX_REMEMBERED);
    }
}
