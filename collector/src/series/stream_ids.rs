//! Ids of streams that were seen, found by a faster hash than the one that makes them.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{PoisonError, RwLock};

use foldhash::{fast, quality};

use super::SeriesId;
use crate::point::StreamId;

/// Streams that are remembered, some forty bytes each; beyond, remembering begins anew.
const MAX_REMEMBERED: usize = 200_000;

/// Ids by two hashes with secret seeds, so that nobody can make two streams look alike.
#[derive(Debug, Default)]
pub(super) struct StreamIds {
    seeds: [quality::RandomState; 2],
    ids: RwLock<HashMap<[u64; 2], StreamId, fast::RandomState>>,
}

impl StreamIds {
    /// The id of the stream with this encoded identity.
    pub(super) fn id(&self, identity: &[u8]) -> StreamId {
        let print = self.seeds.each_ref().map(|seed| seed.hash_one(identity));
        let ids = self.ids.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = ids.get(&print) {
            return *id;
        }
        drop(ids);
        let id = StreamId(SeriesId::of(identity).0);
        let mut ids = self.ids.write().unwrap_or_else(PoisonError::into_inner);
        if ids.len() >= MAX_REMEMBERED {
            ids.clear();
        }
        ids.insert(print, id);
        id
    }
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
