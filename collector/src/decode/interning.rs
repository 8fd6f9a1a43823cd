//! The series of one request that are not durable yet: found or admitted once each, however many events they have.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::decode::{Broken, RequestError};
use crate::measure::Limits;
use crate::series::{Known, SeriesId, SeriesKey};

/// The series of the request under way that are not durable, by their position of first use.
#[derive(Debug)]
pub(crate) struct Interning<'m> {
    known: &'m Known,
    positions: HashMap<Arc<[u8]>, usize, RandomState>,
    series: Vec<Interned>,
}

#[derive(Debug)]
struct Interned {
    encoded: Arc<[u8]>,
    /// Its id and key, if another request brought it too.
    known: Option<(SeriesId, Arc<SeriesKey>)>,
}

/// Where an event belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// A durable series.
    To(SeriesId),
    /// The series at this position, to be settled at the request's end.
    At(usize),
}

/// Events of series that are not durable: which they are, and the positions of their series.
#[derive(Debug, Default)]
pub(crate) struct Unsettled(pub(crate) Vec<(usize, usize)>);

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

impl Unsettled {
    /// The series of event number `event`, if it is settled; else any, and the event is noted.
    #[inline]
    pub(crate) fn series(&mut self, belongs: Belongs, event: usize) -> SeriesId {
        match belongs {
            Belongs::To(series) => series,
            Belongs::At(position) => {
                self.0.push((event, position));
                SeriesId::default()
            }
        }
    }
}

impl Resolution {
    /// The series that stood at a position, and whether it is an overflow series.
    pub(crate) fn at(&self, position: usize) -> (SeriesId, bool) {
        let resolved = self.by_position.get(position);
        resolved.map_or_else(Default::default, |resolved| {
            (resolved.id, resolved.overflowed)
        })
    }
}

impl<'m> Interning<'m> {
    pub(crate) fn new(known: &'m Known) -> Interning<'m> {
        Interning {
            known,
            positions: HashMap::default(),
            series: Vec::new(),
        }
    }

    /// Where events of the series with this encoded key belong.
    #[inline]
    pub(crate) fn find(&mut self, encoded: &[u8]) -> Belongs {
        match self.known.durable(encoded) {
            Some(id) => Belongs::To(id),
            None => Belongs::At(self.position(encoded)),
        }
    }

    /// The position of a series. Allocates only on its first use.
    fn position(&mut self, encoded: &[u8]) -> usize {
        if let Some(position) = self.positions.get(encoded) {
            return *position;
        }
        let encoded: Arc<[u8]> = encoded.into();
        let position = self.series.len();
        self.positions.insert(Arc::clone(&encoded), position);
        let known = self.known.fresh(&encoded);
        self.series.push(Interned { encoded, known });
        position
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
            let (resolved, key) = if let Some((id, key)) = series.known {
                (placed(id), Some(key))
            } else {
                let key = SeriesKey::decode(&series.encoded)
                    .map_err(|_| Broken("a series key that cannot be read back"))?;
                if let Some(admission) = self.known.admit(&series.encoded, &key, limits) {
                    (placed(admission.id), admission.fresh)
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
