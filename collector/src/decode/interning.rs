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
    series: Vec<Interned>,
}

#[derive(Debug)]
struct Interned {
    encoded: Arc<[u8]>,
    /// `None` until the request's end, for a series that was not known.
    id: Option<SeriesId>,
    fresh: Option<Arc<SeriesKey>>,
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
            series: Vec::with_capacity(64),
        }
    }

    /// The position of the series with this encoded key. Allocates only on the first use of an
    /// unknown one.
    pub(crate) fn position(&mut self, encoded: &[u8]) -> usize {
        if let Some(position) = self.positions.get(encoded) {
            return *position;
        }
        let interned = match self.known.find(encoded) {
            Some(found) => Interned {
                encoded: found.encoded,
                id: Some(found.id),
                fresh: found.fresh,
            },
            None => Interned {
                encoded: encoded.into(),
                id: None,
                fresh: None,
            },
        };
        self.positions
            .insert(Arc::clone(&interned.encoded), self.series.len());
        self.series.push(interned);
        self.series.len() - 1
    }

    pub(crate) fn known(&self) -> &'m Known {
        self.known
    }

    /// Admits what was not known. Only now, so that a refused request leaves no trace.
    pub(crate) fn resolve(self, limits: &Limits) -> Result<Resolution, RequestError> {
        let mut by_position = Vec::with_capacity(self.series.len());
        let (mut fresh, mut unplaced) = (Vec::new(), Vec::new());
        for series in self.series {
            let (resolved, key) = if let Some(id) = series.id {
                (
                    Resolved {
                        id,
                        overflowed: false,
                    },
                    series.fresh,
                )
            } else {
                let key = SeriesKey::decode(&series.encoded)
                    .map_err(|_| Broken("a series key that cannot be read back"))?;
                if let Some(admission) = self.known.admit(&series.encoded, &key, limits) {
                    let id = admission.id;
                    (
                        Resolved {
                            id,
                            overflowed: false,
                        },
                        admission.fresh,
                    )
                } else {
                    let id = SeriesId::of(&series.encoded);
                    unplaced.push((id, Arc::new(key)));
                    (
                        Resolved {
                            id,
                            overflowed: true,
                        },
                        None,
                    )
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
