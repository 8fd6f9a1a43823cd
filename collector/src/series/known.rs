//! The series known so far: bounded, shared between decoding and the one writer.

#[cfg(test)]
mod remembered;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use foldhash::fast::RandomState;

use super::recall::{PlaceHash, PointPlace, Recall};
use super::{AttributeValue, SERVICE_NAME, SeriesId, SeriesKey, Signal, SpanKind, SpanStatus};
use crate::measure::Limits;

/// The set of series known so far. Decoding reads it and reserves room in it; the journal's writer
/// [inserts](Known::insert) what it has made durable. Until then every request that uses a new
/// series brings its key along, so that none depends on another request's commit.
#[derive(Debug, Default)]
pub struct Known {
    table: RwLock<Table>,
    recall: Recall,
}

#[derive(Debug, Default)]
struct Table {
    keys: HashMap<SeriesId, Arc<SeriesKey>, RandomState>,
    /// By encoded key.
    members: HashMap<Arc<[u8]>, Member, RandomState>,
    services: HashSet<Arc<str>, RandomState>,
    /// Overflow series, which have their own room.
    overflows: usize,
    /// Overflow series by what they stand for.
    standing_for: HashMap<Standing, SeriesId, RandomState>,
    /// The key with most distinct values, found once when the room ran out.
    widest: Option<String>,
}

/// What an overflow series stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Standing {
    signal: Signal,
    service: Arc<str>,
    kind: SpanKind,
    status: SpanStatus,
    unit: Arc<str>,
    alike: u64,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    id: SeriesId,
    durable: bool,
}

/// What became of a series that was not known.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    pub(crate) id: SeriesId,
    /// The key, if the series is not durable yet.
    pub(crate) fresh: Option<Arc<SeriesKey>>,
}

impl Known {
    /// An empty set.
    pub fn new() -> Known {
        Known::default()
    }

    /// Takes in a series that is durable now: after its commit, or when loaded from the store. The
    /// cap does not apply.
    pub fn insert(&self, id: SeriesId, key: Arc<SeriesKey>) {
        let encoded = key.encode();
        let mut table = self.write();
        if let Some(member) = table.members.get_mut(&*encoded) {
            member.durable = true;
        } else {
            table.add(id, &encoded, key, true);
        }
    }

    /// The key of a series.
    pub fn get(&self, id: SeriesId) -> Option<Arc<SeriesKey>> {
        self.read().keys.get(&id).cloned()
    }

    /// Number of series, overflow series included.
    pub fn len(&self) -> usize {
        self.read().keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All series, in the order of their ids.
    pub fn all(&self) -> Vec<(SeriesId, Arc<SeriesKey>)> {
        let table = self.read();
        let keys = table.keys.iter();
        let mut all: Vec<_> = keys.map(|(id, key)| (*id, Arc::clone(key))).collect();
        all.sort_by_key(|(id, _)| *id);
        all
    }

    /// The attribute with most distinct values, once series have overflowed: the one to take out of
    /// the specs.
    pub fn widest(&self) -> Option<String> {
        self.read().widest.clone()
    }

    /// A hash of all that decides where spans belong.
    pub(crate) fn span_hash(&self, bytes: &[u8]) -> PlaceHash {
        self.recall.span_hash(bytes)
    }

    /// The durable series of spans that came with the same bytes before.
    pub(crate) fn span_series(&self, hash: PlaceHash) -> Option<SeriesId> {
        self.recall.span(hash)
    }

    /// Remembers the durable series of spans.
    pub(crate) fn remember_span(&self, hash: PlaceHash, series: SeriesId) {
        self.recall.remember_span(hash, series);
    }

    /// A hash of all that decides where a point belongs.
    pub(crate) fn point_hash(&self, bytes: &[u8]) -> PlaceHash {
        self.recall.point_hash(bytes)
    }

    /// Has what is remembered of these come near, so that asking for each takes little.
    pub(crate) fn fetch(&self, hashes: impl Iterator<Item = PlaceHash>) {
        self.recall.fetch(hashes);
    }

    /// Where a point belongs that came with the same bytes before.
    pub(crate) fn point_place(&self, hash: PlaceHash) -> Option<PointPlace> {
        self.recall.point(hash)
    }

    /// Remembers where a point belongs.
    pub(crate) fn remember_point(&self, hash: PlaceHash, place: PointPlace) {
        self.recall.remember_point(hash, place);
    }

    /// The durable series with this encoded key.
    #[inline]
    pub(crate) fn durable(&self, encoded: &[u8]) -> Option<SeriesId> {
        let table = self.read();
        let member = table.members.get(encoded)?;
        member.durable.then_some(member.id)
    }

    /// The id and key of a series that is known and not durable yet.
    pub(crate) fn fresh(&self, encoded: &[u8]) -> Option<(SeriesId, Arc<SeriesKey>)> {
        let table = self.read();
        let member = table.members.get(encoded)?;
        Some((member.id, table.fresh_key(*member)?))
    }

    /// Says anew which overflow series counts how, by the same numbers as
    /// [`Decoded::place`](crate::Decoded::place): after loading them, and when specs change.
    pub fn tell_apart(&self, overflows: &[(SeriesId, u64)]) {
        let mut table = self.write();
        table.standing_for.clear();
        for (id, alike) in overflows {
            if let Some(key) = table.keys.get(id) {
                let standing = Standing::of(key, *alike);
                table.standing_for.insert(standing, *id);
            }
        }
    }

    /// Reserves room for a series; none when there are too many already.
    pub(crate) fn admit(
        &self,
        encoded: &[u8],
        key: &SeriesKey,
        limits: &Limits,
    ) -> Option<Admission> {
        let mut table = self.write();
        let series = table.keys.len() - table.overflows < limits.max_series;
        let room = series && table.has_room_for(&key.service, limits);
        let admission = table.reserve(encoded, room, || key.clone());
        if admission.is_none() && table.widest.is_none() {
            table.widest = Some(table.find_widest());
        }
        admission
    }

    /// The overflow series for a series without room: the one for all that count `alike`.
    pub(crate) fn overflow(&self, key: &SeriesKey, alike: u64, limits: &Limits) -> Admission {
        let mut table = self.write();
        let keeps_service = table.services.contains(&key.service);
        let own = key.overflow(alike, keeps_service);
        // Services that count alike may be thousands, times kinds and statuses.
        let room = table.overflows < limits.max_series / 10 + 16;
        if let Some(admission) = table.stand_for(own, alike, room) {
            return admission;
        }
        let of_all = key.overflow(alike, false);
        let id = of_all.id();
        table
            .stand_for(of_all, alike, true)
            .unwrap_or(Admission { id, fresh: None })
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
        if !self.services.contains(&key.service) {
            self.services.insert(Arc::clone(&key.service));
        }
        self.members.insert(encoded.into(), Member { id, durable });
        self.keys.insert(id, key);
    }

    /// The key of a member that is not durable yet.
    fn fresh_key(&self, member: Member) -> Option<Arc<SeriesKey>> {
        if member.durable {
            return None;
        }
        self.keys.get(&member.id).cloned()
    }

    /// The series if it is known; else adds it if there is room.
    fn reserve(
        &mut self,
        encoded: &[u8],
        room: bool,
        key: impl FnOnce() -> SeriesKey,
    ) -> Option<Admission> {
        if let Some(member) = self.members.get(encoded).copied() {
            return Some(Admission {
                id: member.id,
                fresh: self.fresh_key(member),
            });
        }
        if !room {
            return None;
        }
        let id = SeriesId::of(encoded);
        let key = Arc::new(key());
        self.add(id, encoded, Arc::clone(&key), false);
        Some(Admission {
            id,
            fresh: Some(key),
        })
    }

    /// The overflow series that stands for what `key` stands for; else `key` itself if there is
    /// room.
    fn stand_for(&mut self, key: SeriesKey, alike: u64, room: bool) -> Option<Admission> {
        let standing = Standing::of(&key, alike);
        let found = self.standing_for.get(&standing);
        if let Some(found) = found.and_then(|id| self.keys.get(id)).cloned() {
            return self.reserve(&found.encode(), true, || (*found).clone());
        }
        let admission = self.reserve(&key.encode(), room, || key)?;
        self.standing_for.insert(standing, admission.id);
        Some(admission)
    }

    fn has_room_for(&self, service: &Arc<str>, limits: &Limits) -> bool {
        self.services.len() < limits.max_services || self.services.contains(service)
    }

    fn find_widest(&self) -> String {
        let mut names = HashSet::new();
        let mut values: HashMap<&str, HashSet<Vec<u8>>> = HashMap::new();
        for key in self.keys.values() {
            let service = key.service.as_bytes().to_vec();
            values.entry(SERVICE_NAME).or_default().insert(service);
            names.insert(&*key.name);
            for (dimension, value) in &key.attributes {
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

impl Standing {
    fn of(key: &SeriesKey, alike: u64) -> Standing {
        Standing {
            signal: key.signal,
            service: Arc::clone(&key.service),
            kind: key.kind,
            status: key.status,
            unit: Arc::clone(&key.unit),
            alike,
        }
    }
}
