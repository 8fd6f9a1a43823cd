//! Segments as telemetry tells them: which values were seen, remembered over restarts, and the catalog
//! that follows.

use std::collections::BTreeMap;
use std::sync::Arc;

use collector::{Known, SeriesId, SeriesKey};
use foldhash::{HashSet, HashSetExt as _};
use serde_json::json;
use slo_specs::{Catalog, Objective, SeenSegments, SegmentValues, segment_keys};

use crate::sli::{attribute, selects};

/// Under which counters the values are stored: the number says in which order they were seen.
const PREFIX: &str = "segment ";

/// The catalog as written, and the segments seen of its objectives.
#[derive(Debug)]
pub(crate) struct Segments {
    written: Arc<Catalog>,
    seen: SeenSegments,
    /// Series that were looked at.
    looked_at: HashSet<SeriesId>,
    /// When that was, in Unix seconds; none if not all of them were stored just then.
    looked: Option<i64>,
    /// Series of the store are not known, as they are damaged: when they come again they are not new.
    lost_series: bool,
    /// How many values were ever seen.
    count: i64,
    /// Stored values of all catalogs.
    stored: Vec<(i64, Stored)>,
}

/// Values that are found and not stored yet.
#[derive(Debug, Default)]
pub(crate) struct Unsaved {
    /// The counters that remember them.
    pub(crate) counters: Vec<(String, i64)>,
    /// When no series that is stored had any of them, in Unix seconds.
    pub(crate) unseen: i64,
}

/// A stored value.
#[derive(Debug, Clone)]
struct Stored {
    objective: String,
    by: String,
    values: SegmentValues,
}

impl Segments {
    /// Goes on with the values that were stored.
    pub(crate) fn resume(written: Arc<Catalog>, counters: &[(String, i64)]) -> Segments {
        let stored = counters.iter().filter_map(|(name, order)| {
            let stored = Stored::of_name(name.strip_prefix(PREFIX)?)?;
            Some((*order, stored))
        });
        let mut stored: Vec<(i64, Stored)> = stored.collect();
        stored.sort_by_key(|(order, _)| *order);
        let mut segments = Segments {
            written: Arc::default(),
            seen: SeenSegments::default(),
            looked_at: HashSet::new(),
            looked: None,
            lost_series: false,
            count: stored.last().map_or(0, |(order, _)| order + 1),
            stored,
        };
        segments.change_catalog(written);
        segments
    }

    /// The catalog to be judged.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::new(self.written.with_segments(&self.seen))
    }

    /// The catalog as somebody wrote it.
    pub(crate) fn written(&self) -> &Arc<Catalog> {
        &self.written
    }

    /// Takes another catalog as written.
    pub(crate) fn change_catalog(&mut self, written: Arc<Catalog>) {
        self.written = written;
        self.seen = SeenSegments::default();
        self.looked_at.clear();
        self.looked = None;
        for (_, stored) in &self.stored {
            let objective = self.written.objective(&stored.objective);
            if let Some(objective) = objective.filter(|one| one.segments.contains(&stored.by)) {
                self.seen.note(objective, &stored.by, stored.values.clone());
            }
        }
    }

    /// Whether some of the store's series are not known: then series that are stored may look new.
    pub(crate) fn note_lost_series(&mut self, lost: bool) {
        self.lost_series |= lost;
    }

    /// As [`look`](Self::look), at a tick; what is found waits in `unsaved`.
    pub(crate) fn look_at_tick(&mut self, known: &Known, now: i64, unsaved: &mut Unsaved) {
        let before = self.looked.replace(now).filter(|_| !self.lost_series);
        // A clock that was ahead then says nothing.
        let unseen = before.map_or(i64::MIN, |before| before.min(now));
        unsaved.unseen = match unsaved.counters[..] {
            [] => unseen,
            _ => unseen.min(unsaved.unseen),
        };
        unsaved.counters.extend(self.look(known));
    }

    /// Looks at the series that are new; returns the counters that remember the values found: the catalog
    /// has changed if there are any.
    pub(crate) fn look(&mut self, known: &Known) -> Vec<(String, i64)> {
        let written = Arc::clone(&self.written);
        let segmented = || {
            written
                .objectives
                .iter()
                .filter(|one| !one.segments.is_empty())
        };
        if known.len() == self.looked_at.len() || segmented().next().is_none() {
            return Vec::new();
        }
        // What is first seen at once comes in the order of its name, wherever it is looked at.
        let mut named = BTreeMap::new();
        for (id, key) in known.all() {
            if !self.looked_at.insert(id) {
                continue;
            }
            for objective in segmented().filter(|objective| is_of(objective, &key)) {
                let stored = objective.segments.iter().map(|by| Stored {
                    objective: objective.id.clone(),
                    by: by.clone(),
                    values: segment_keys(by).map(|name| value(&key, name)).collect(),
                });
                named.extend(stored.map(|stored| (stored.name(), (objective, stored))));
            }
        }
        let mut found = Vec::new();
        for (name, (objective, stored)) in named {
            let Stored { by, values, .. } = &stored;
            if self.seen.note(objective, by, values.clone()) {
                found.push((format!("{PREFIX}{name}"), self.count));
                self.stored.push((self.count, stored));
                self.count += 1;
            }
        }
        found
    }
}

/// Whether any objective of a catalog is to be judged by segments.
pub(crate) fn asks_for(catalog: &Catalog) -> bool {
    let mut objectives = catalog.objectives.iter();
    objectives.any(|objective| !objective.segments.is_empty())
}

/// A catalog with the segments that are stored and those that the known series tell.
pub(crate) fn told_apart(
    written: Arc<Catalog>,
    counters: &[(String, i64)],
    known: &Known,
) -> Arc<Catalog> {
    if !asks_for(&written) {
        return written;
    }
    let mut segments = Segments::resume(written, counters);
    segments.look(known);
    segments.catalog()
}

/// Whether a series counts for an objective.
fn is_of(objective: &Objective, key: &SeriesKey) -> bool {
    let mut selectors = objective.indicator.selectors();
    selectors.any(|selector| selects(selector, key))
}

fn value(key: &SeriesKey, name: &str) -> Option<String> {
    attribute(key, name).map(|value| value.text().into_owned())
}

impl Stored {
    /// One line of JSON.
    fn name(&self) -> String {
        json!([self.objective, self.by, self.values]).to_string()
    }

    fn of_name(name: &str) -> Option<Stored> {
        let (objective, by, values) = serde_json::from_str(name).ok()?;
        Some(Stored {
            objective,
            by,
            values,
        })
    }
}

#[cfg(test)]
mod tests;
