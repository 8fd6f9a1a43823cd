//! The fold: what both encodings hand their findings to.

use std::borrow::Cow;

use crate::classes::{Classes, Problems};
use crate::decode::attributes::{Any, Dimensions, Slots, kept};
use crate::decode::interning::Interning;
use crate::decode::spans::Accounts;
use crate::decode::{Broken, Decoded, RequestError};
use crate::delta;
use crate::measure::Measure;
use crate::point::Point;
use crate::series::{Known, SeriesId, UNKNOWN_SERVICE};

/// Everything that is carried through one request.
#[derive(Debug)]
pub(crate) struct Fold<'m> {
    pub(crate) measure: &'m Measure,
    pub(crate) dimensions: Dimensions<'m>,
    pub(crate) clock: Clock,
    pub(crate) budget: Budget,
    pub(crate) classes: Classes,
    pub(crate) problems: Problems,
    pub(crate) latest_event_nanos: Option<u64>,
    pub(crate) interning: Interning<'m>,
    pub(crate) accounts: Accounts,
    pub(crate) points: Vec<Point>,
    pub(crate) resource: Resource,
    pub(crate) scope: Slots,
    pub(crate) own: Slots,
    /// The encoded key of the series at hand.
    pub(crate) key: Vec<u8>,
}

/// The resource whose data are under way.
#[derive(Debug, Default)]
pub(crate) struct Resource {
    pub(crate) service: String,
    pub(crate) slots: Slots,
}

/// What counts as late and future.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) now: u64,
    pub(crate) earliest: u64,
    pub(crate) latest: u64,
}

/// Where a time lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    Due,
    /// A little ahead: taken as now.
    Ahead,
    Late,
    Future,
}

/// What may still come in this request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    limit: usize,
    items: usize,
    containers: usize,
}

impl<'m> Fold<'m> {
    pub(crate) fn new(measure: &'m Measure, known: &'m Known, now_nanos: u64) -> Fold<'m> {
        let limits = &measure.limits;
        let nanos =
            |duration: std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Fold {
            measure,
            dimensions: Dimensions::new(&measure.dimensions),
            clock: Clock {
                now: now_nanos,
                earliest: now_nanos.saturating_sub(nanos(limits.max_late)),
                latest: now_nanos.saturating_add(nanos(limits.max_future)),
            },
            budget: Budget {
                limit: limits.max_items,
                items: 0,
                containers: 0,
            },
            classes: Classes::default(),
            problems: Problems::default(),
            latest_event_nanos: None,
            interning: Interning::new(known),
            accounts: Accounts::new(&measure.thresholds),
            points: Vec::new(),
            resource: Resource::default(),
            scope: Slots::default(),
            own: Slots::default(),
            key: Vec::with_capacity(256),
        }
    }

    pub(crate) fn begin_resource(&mut self) -> Result<(), RequestError> {
        self.resource.service.clear();
        self.resource.service.push_str(UNKNOWN_SERVICE);
        self.resource.slots.clear(self.dimensions.keys().len());
        self.budget.container()
    }

    pub(crate) fn begin_scope(&mut self) -> Result<(), RequestError> {
        self.scope.clear(self.dimensions.keys().len());
        self.budget.container()
    }

    /// Begins a span or point.
    pub(crate) fn begin_item(&mut self) -> Result<(), RequestError> {
        self.own.clear(self.dimensions.keys().len());
        self.budget.item()
    }

    /// Takes the service's name from the resource; an empty one is no name.
    pub(crate) fn name_service(&mut self, value: &Any<'_>) {
        let text = match value {
            Any::Text(text) => Cow::Borrowed(&**text),
            other => Cow::Owned(other.to_text()),
        };
        if !text.is_empty() {
            self.resource.service.clear();
            self.resource
                .service
                .push_str(kept(&text, self.measure.limits.max_value_bytes));
        }
    }

    /// Appends the dimensions of the item at hand to its key: its own values first, then its scope's, then its
    /// resource's.
    pub(crate) fn put_dimensions(&mut self) {
        for (at, dimension) in self.dimensions.keys().iter().enumerate() {
            let value = self.own.get(at).or_else(|| self.scope.get(at));
            if let Some(value) = value.or_else(|| self.resource.slots.get(at)) {
                crate::codec::put_bytes(&mut self.key, dimension.as_bytes());
                self.key.extend_from_slice(value);
            }
        }
    }

    pub(crate) fn saw_event(&mut self, nanos: u64) {
        self.latest_event_nanos = self.latest_event_nanos.max(Some(nanos));
    }

    pub(crate) fn finish(mut self) -> Result<Decoded, RequestError> {
        let known = self.interning.known();
        let resolution = self.interning.resolve(&self.measure.limits)?;
        let mut overflowed = false;
        let mut entries = Vec::new();
        for (resolved, of_series) in resolution.by_position.iter().zip(self.accounts.take()) {
            for mut entry in of_series {
                if resolved.overflowed {
                    overflowed = true;
                    self.classes.overflowed.total += entry.measured.count();
                }
                entry.series = resolved.id;
                entries.push(entry);
            }
        }
        for point in &mut self.points {
            let position = usize::try_from(point.series.0).ok();
            let resolved = position.and_then(|position| resolution.by_position.get(position));
            point.series = resolved.map_or(SeriesId::default(), |resolved| resolved.id);
            if resolved.is_some_and(|resolved| resolved.overflowed) {
                overflowed = true;
                self.classes.overflowed.total += 1;
            }
        }
        if overflowed {
            self.problems
                .note("too many series: new ones are counted together", || {
                    let widest = known.widest().unwrap_or_default();
                    format!("most distinct values: `{widest}`")
                });
        }
        Ok(Decoded {
            entries: delta::merged(entries).map_err(|_| Broken("counts beyond 64 bits"))?,
            points: self.points,
            new_series: resolution.fresh,
            classes: self.classes,
            latest_event_nanos: self.latest_event_nanos,
            problems: self.problems,
        })
    }
}

impl Clock {
    pub(crate) fn timing(&self, nanos: u64) -> Timing {
        if nanos < self.earliest {
            Timing::Late
        } else if nanos > self.latest {
            Timing::Future
        } else if nanos > self.now {
            Timing::Ahead
        } else {
            Timing::Due
        }
    }
}

impl Budget {
    fn item(&mut self) -> Result<(), RequestError> {
        self.items += 1;
        self.check(self.items, "spans, points or records")
    }

    fn container(&mut self) -> Result<(), RequestError> {
        self.containers += 1;
        self.check(self.containers, "resources, scopes and metrics")
    }

    fn check(self, count: usize, what: &'static str) -> Result<(), RequestError> {
        if count > self.limit {
            return Err(RequestError::TooManyItems {
                what,
                limit: self.limit,
            });
        }
        Ok(())
    }
}
