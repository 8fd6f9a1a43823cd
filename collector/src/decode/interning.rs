//! The series of one request: found or admitted once each, however many events they have.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::decode::{Broken, RequestError};
use crate::measure::Limits;
use crate::series::{Known, SeriesId, SeriesKey};

/// The series of the request under way, by their position of first use.
#[derive(Debug)]
pub(crate) struct Interning<'m> {
    known: &'m Known,
    positions: HashMap<Arc<[u8]>, usize, RandomState>,
    by_id: HashMap<SeriesId, usize, RandomState>,
    series: Vec<Interned>,
}

#[derive(Debug)]
enum Interned {
    Known {
        id: SeriesId,
        /// The key, if the series is not durable yet.
        fresh: Option<Arc<SeriesKey>>,
    },
    /// Until the request's end.
    Unknown(Arc<[u8]>),
}

/// Where a series' events go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolved {
    pub(crate) id: SeriesId,
    pub(crate) overflowed: bool,
}

/// The ids of the request's series by position, and the keys of those that are not durable yet,
/// sorted by id.
#[derive(Debug)]
pub(crate) struct Resolution {
    pub(crate) by_position: Vec<Resolved>,
    pub(crate) fresh: Vec<(SeriesId, Arc<SeriesKey>)>,
    /// Those that there is no room for.
    pub(crate) unplaced: Vec<(SeriesId, Arc<SeriesKey>)>,
}

impl Resolution {
    /// The series that stood at a position, and whether it is an overflow series.
    pub(crate) fn at(&self, position: SeriesId) -> (SeriesId, bool) {
        let position = usize::try_from(position.0).ok();
        let resolved = position.and_then(|position| self.by_position.get(position));
        resolved.map_or_else(Default::default, |resolved| {
            (resolved.id, resolved.overflowed)
        })
    }
}

impl<'m> Interning<'m> {
    pub(crate) fn new(known: &'m Known) -> Interning<'m> {
        Interning {
            known,
            positions: HashMap::with_capacity_and_hasher(64, RandomState::default()),
            by_id: HashMap::default(),
            series: Vec::with_capacity(64),
        }
    }

    /// The position of the series with this encoded key. Allocates only on the first use of an
    /// unknown one.
    pub(crate) fn position(&mut self, encoded: &[u8]) -> usize {
        if let Some(position) = self.positions.get(encoded) {
            return *position;
        }
        let (encoded, interned) = if let Some(found) = self.known.find(encoded) {
            let interned = Interned::Known {
                id: found.id,
                fresh: found.fresh,
            };
            (found.encoded, interned)
        } else {
            let encoded = Arc::from(encoded);
            (Arc::clone(&encoded), Interned::Unknown(encoded))
        };
        self.positions.insert(encoded, self.series.len());
        self.series.push(interned);
        self.series.len() - 1
    }

    /// A position of a durable series.
    pub(crate) fn position_of(&mut self, id: SeriesId) -> usize {
        *self.by_id.entry(id).or_insert_with(|| {
            self.series.push(Interned::Known { id, fresh: None });
            self.series.len() - 1
        })
    }

    /// The durable series at a position, if it is one.
    pub(crate) fn durable(&self, position: usize) -> Option<SeriesId> {
        match self.series.get(position) {
            Some(Interned::Known { id, fresh: None }) => Some(*id),
            _ => None,
        }
    }

    pub(crate) fn known(&self) -> &'m Known {
        self.known
    }

    /// Admits what was not known. Only now, so that a refused request leaves no trace.
    pub(crate) fn resolve(self, limits: &Limits) -> Result<Resolution, RequestError> {
        let mut by_position = Vec::with_capacity(self.series.len());
        let (mut fresh, mut unplaced) = (Vec::new(), Vec::new());
        for series in self.series {
            let placed = |id| Resolved {
                id,
                overflowed: false,
            };
            let (resolved, key) = match series {
                Interned::Known { id, fresh } => (placed(id), fresh),
                Interned::Unknown(encoded) => {
                    let key = SeriesKey::decode(&encoded)
                        .map_err(|_| Broken("a series key that cannot be read back"))?;
                    if let Some(admission) = self.known.admit(&encoded, &key, limits) {
                        (placed(admission.id), admission.fresh)
                    } else {
                        let id = SeriesId::of(&encoded);
                        unplaced.push((id, Arc::new(key)));
                        (
                            Resolved {
                                id,
                                overflowed: true,
                            },
                            None,
                        )
                    }
                }
            };
            by_position.push(resolved);
            fresh.extend(key.map(|key| (resolved.id, key)));
        }
        fresh.sort_by_key(|(id, _)| *id);
        fresh.dedup_by_key(|(id, _)| *id);
        Ok(Resolution {
            by_position,
            fresh,
            unplaced,
        })
    }
}
