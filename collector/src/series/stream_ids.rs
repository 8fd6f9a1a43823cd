//! Ids of streams that were seen, found by a faster hash than the one that makes them, and where points belong that
//! were seen with the same bytes.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{PoisonError, RwLock};

use foldhash::{fast, quality};

use super::SeriesId;
use crate::point::StreamId;

/// Streams that are remembered, some forty bytes each; beyond, remembering begins anew.
const MAX_REMEMBERED: usize = 200_000;

/// Ids and places by two hashes with secret seeds, so that nobody can make two streams look alike.
#[derive(Debug, Default)]
pub(super) struct StreamIds {
    seeds: [quality::RandomState; 2],
    ids: RwLock<HashMap<Print, StreamId, fast::RandomState>>,
    places: RwLock<HashMap<Print, PointPlace, fast::RandomState>>,
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

impl StreamIds {
    /// The id of the stream with this encoded identity.
    pub(super) fn id(&self, identity: &[u8]) -> StreamId {
        let print = self.print(identity);
        let ids = self.ids.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = ids.get(&print) {
            return *id;
        }
        drop(ids);
        let id = StreamId(SeriesId::of(identity).0);
        remember(&self.ids, print, id);
        id
    }

    pub(super) fn print(&self, bytes: &[u8]) -> Print {
        Print(self.seeds.each_ref().map(|seed| seed.hash_one(bytes)))
    }

    pub(super) fn place(&self, print: Print) -> Option<PointPlace> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        places.get(&print).copied()
    }

    pub(super) fn remember(&self, print: Print, place: PointPlace) {
        remember(&self.places, print, place);
    }
}

fn remember<T>(table: &RwLock<HashMap<Print, T, fast::RandomState>>, print: Print, value: T) {
    let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
    if table.len() >= MAX_REMEMBERED {
        table.clear();
    }
    table.insert(print, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_whether_it_is_remembered_or_made() {
        let ids = StreamIds::default();
        for number in 0..2 * MAX_REMEMBERED {
            let identity = number.to_le_bytes();
            let made = StreamId(SeriesId::of(&identity).0);
            assert_eq!([ids.id(&identity), ids.id(&identity)], [made, made]);
        }
        assert!(ids.ids.read().expect("no panic").len() <= MAX_REMEMBERED);
    }
}
