//! The series known so far: bounded, shared between decoding and the one writer.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use foldhash::fast::RandomState;

use super::{AttributeValue, SeriesId, SeriesKey};

/// The set of series known so far. Decoding reads it and reserves room in it; the journal's writer
/// [inserts](Known::insert) what it has made durable. Until then every request that uses a new
/// series brings its key along, so that none depends on another request's commit.
#[derive(Debug, Default)]
pub struct Known {
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    members: HashMap<SeriesId, Member, RandomState>,
    ids: HashMap<Arc<[u8]>, SeriesId, RandomState>,
    /// Overflow series, which have their own room.
    overflows: usize,
    /// The key with most distinct values, found once when the room ran out.
    widest: Option<String>,
}

#[derive(Debug)]
struct Member {
    key: Arc<SeriesKey>,
    durable: bool,
}

/// A series as decoding finds it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) encoded: Arc<[u8]>,
    pub(crate) id: SeriesId,
    /// The key, if the series is not durable yet.
    pub(crate) fresh: Option<Arc<SeriesKey>>,
}

/// What became of a series that was not known.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    pub(crate) id: SeriesId,
    /// The key, if the series is not durable yet.
    pub(crate) fresh: Option<Arc<SeriesKey>>,
    /// Whether its events go to an overflow series.
    pub(crate) overflowed: bool,
}

impl Known {
    /// An empty set.
    pub fn new() -> Known {
        Known::default()
    }

    /// Takes in a series that is durable now: after its commit, or when loaded from the store. The
    /// cap does not apply.
    pub fn insert(&self, id: SeriesId, key: Arc<SeriesKey>) {
        let mut table = self.write();
        if let Some(member) = table.members.get_mut(&id) {
            member.durable = true;
        } else {
            let encoded = key.encode();
            table.add(id, &encoded, key, true);
        }
    }

    /// The key of a series.
    pub fn get(&self, id: SeriesId) -> Option<Arc<SeriesKey>> {
        self.read()
            .members
            .get(&id)
            .map(|member| Arc::clone(&member.key))
    }

    /// Number of series, overflow series included.
    pub fn len(&self) -> usize {
        self.read().members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All series, in the order of their ids.
    pub fn all(&self) -> Vec<(SeriesId, Arc<SeriesKey>)> {
        let table = self.read();
        let mut all: Vec<_> = table
            .members
            .iter()
            .map(|(id, member)| (*id, Arc::clone(&member.key)))
            .collect();
        all.sort_by_key(|(id, _)| *id);
        all
    }

    /// The attribute with most distinct values, once series have overflowed: the one to take out of
    /// the specs.
    pub fn widest(&self) -> Option<String> {
        self.read().widest.clone()
    }

    pub(crate) fn find(&self, encoded: &[u8]) -> Option<Found> {
        let table = self.read();
        let (encoded, id) = table.ids.get_key_value(encoded)?;
        let fresh = table.members.get(id).filter(|member| !member.durable);
        let fresh = fresh.map(|member| Arc::clone(&member.key));
        Some(Found {
            encoded: Arc::clone(encoded),
            id: *id,
            fresh,
        })
    }

    /// Reserves room for a series, or for its overflow series when `max_series` are there already.
    pub(crate) fn admit(&self, encoded: &[u8], key: &SeriesKey, max_series: usize) -> Admission {
        let mut table = self.write();
        let room = table.members.len() - table.overflows < max_series;
        if let Some(admission) = table.reserve(encoded, room, || key.clone()) {
            return admission;
        }
        if table.widest.is_none() {
            table.widest = Some(table.find_widest());
        }
        // Hostile service names must not grow the overflow series without end either.
        let room = table.overflows < max_series / 10 + 16;
        let overflow = key.overflow();
        let admission = table
            .reserve(&overflow.encode(), room, || overflow.clone())
            .unwrap_or_else(|| {
                let last = key.last_resort();
                let encoded = last.encode();
                let id = SeriesId::of(&encoded);
                table.reserve(&encoded, true, || last).unwrap_or(Admission {
                    id,
                    fresh: None,
                    overflowed: true,
                })
            });
        Admission {
            overflowed: true,
            ..admission
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn add(&mut self, id: SeriesId, encoded: &[u8], key: Arc<SeriesKey>, durable: bool) {
        self.overflows += usize::from(key.overflow);
        self.ids.insert(encoded.into(), id);
        self.members.insert(id, Member { key, durable });
    }

    /// The series if it is known; else adds it if there is room.
    fn reserve(
        &mut self,
        encoded: &[u8],
        room: bool,
        key: impl FnOnce() -> SeriesKey,
    ) -> Option<Admission> {
        if let Some(id) = self.ids.get(encoded).copied() {
            let member = self.members.get(&id)?;
            let fresh = (!member.durable).then(|| Arc::clone(&member.key));
            return Some(Admission {
                id,
                fresh,
                overflowed: member.key.overflow,
            });
        }
        if !room {
            return None;
        }
        let id = SeriesId::of(encoded);
        let key = Arc::new(key());
        let overflowed = key.overflow;
        self.add(id, encoded, Arc::clone(&key), false);
        Some(Admission {
            id,
            fresh: Some(key),
            overflowed,
        })
    }

    fn find_widest(&self) -> String {
        let mut names = HashSet::new();
        let mut values: HashMap<&str, HashSet<Vec<u8>>> = HashMap::new();
        for member in self.members.values() {
            names.insert(&*member.key.name);
            for (dimension, value) in &member.key.attributes {
                let mut encoded = Vec::new();
                AttributeValue::encode_into(value.as_ref(), &mut encoded);
                values.entry(dimension).or_default().insert(encoded);
            }
        }
        let widest = values
            .into_iter()
            .map(|(key, values)| (values.len(), key))
            .max();
        match widest {
            Some((distinct, key)) if distinct > names.len() => key.to_owned(),
            _ => "name".to_owned(),
        }
    }
}
