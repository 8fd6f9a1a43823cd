//! What was found out once about bytes that come again and again, so that they need not be taken apart again.

use std::collections::HashMap;
use std::mem;
use std::sync::{PoisonError, RwLock};

use foldhash::fast::RandomState;

use super::SeriesId;
use crate::point::StreamId;

/// Bytes of a generation, some ten thousands of entries.
const MAX_BYTES: usize = 16 << 20;
/// What an entry takes beside its bytes.
const ENTRY_BYTES: usize = 64;

/// What is remembered of spans and of points, by all that decides it.
#[derive(Debug, Default)]
pub(super) struct Recall {
    pub(super) points: Table<PointPlace>,
    /// Durable series.
    pub(super) spans: Table<SeriesId>,
}

/// Where a point belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PointPlace {
    pub(crate) stream: StreamId,
    /// A durable one.
    pub(crate) series: SeriesId,
}

#[derive(Debug)]
pub(super) struct Table<T>(RwLock<Generations<T>>);

/// What was remembered lately, and before that. What of the older comes on is remembered anew when that is forgotten.
#[derive(Debug)]
struct Generations<T> {
    young: Map<T>,
    old: Map<T>,
    /// What the young take.
    bytes: usize,
}

type Map<T> = HashMap<Box<[u8]>, T, RandomState>;

impl<T: Copy> Table<T> {
    pub(super) fn get(&self, bytes: &[u8]) -> Option<T> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = table.young.get(bytes).or_else(|| table.old.get(bytes));
        found.copied()
    }

    pub(super) fn remember(&self, bytes: &[u8], value: T) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let more = bytes.len() + ENTRY_BYTES;
        if table.bytes + more > MAX_BYTES {
            table.old = mem::take(&mut table.young);
            table.bytes = 0;
        }
        if table.young.insert(bytes.into(), value).is_none() {
            table.bytes += more;
        }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table(RwLock::new(Generations {
            young: Map::default(),
            old: Map::default(),
            bytes: 0,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_lately_is_remembered_in_bounded_memory() {
        let table = Table::default();
        let bytes = |number: usize| [&number.to_le_bytes()[..], &[7; 992]].concat();
        let generation = MAX_BYTES / (1000 + ENTRY_BYTES);
        for number in 0..5 * generation {
            table.remember(&bytes(number), number);
            assert_eq!(table.get(&bytes(number)), Some(number));
            if number >= generation {
                let before = number - generation;
                assert_eq!(table.get(&bytes(before)), Some(before));
            }
        }
        assert_eq!(table.get(&bytes(0)), None);
        let held = table.0.read().expect("no panic");
        assert!(held.young.len() + held.old.len() <= 2 * generation);
    }
}
