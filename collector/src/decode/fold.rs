//! The fold: what both encodings hand their findings to.

use std::borrow::Cow;

use crate::classes::{Classes, Problems};
use crate::codec::{put_bytes, put_varint};
use crate::counted::{SpanRecord, Spans};
use crate::decode::admission::{Budget, Clock, Timing};
use crate::decode::attributes::{Any, Dimensions, Slots, kept};
use crate::decode::exemplars::Traces;
use crate::decode::identity::Identity;
use crate::decode::interning::{Interning, Unsettled};
use crate::decode::metrics::Metric;
use crate::decode::senders::{Sender, Skew};
use crate::decode::{Broken, Decoded, RequestError};
use crate::exemplar::ExemplarSet;
use crate::measure::Measure;
use crate::point::Points;
use crate::series::{Known, PlaceHash, PointPlace, SERVICE_NAME, SeriesId, UNKNOWN_SERVICE};

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
    pub(crate) earliest_counted_nanos: Option<u64>,
    pub(crate) interning: Interning<'m>,
    /// Each counted span by itself.
    pub(crate) spans: Vec<SpanRecord>,
    pub(crate) unsettled_spans: Unsettled,
    pub(crate) points: Points,
    pub(crate) unsettled_points: Unsettled,
    /// Traces worth a look, of the resources so far.
    pub(crate) exemplars: ExemplarSet,
    /// Who sent the spans so far.
    pub(crate) senders: Vec<Sender>,
    pub(crate) resource: Resource,
    pub(crate) scope: Scope,
    pub(crate) own: Owner,
    pub(crate) metric: Metric,
    /// Whether all attributes are needed, to tell streams apart.
    identifies: bool,
    /// Hash of all by which the attributes of points decide on their series.
    pub(crate) splitting: [u8; 32],
    /// Hash of what the resource and the scope under way decide of their spans' series, once it is asked for.
    pub(crate) surroundings: Option<[u8; 32]>,
    /// The encoded key of the series at hand.
    pub(crate) key: Vec<u8>,
}

/// The resource whose data are under way.
#[derive(Debug, Default)]
pub(crate) struct Resource {
    pub(crate) service: String,
    instance_id: String,
    host_name: String,
    pub(crate) skew: Skew,
    pub(crate) traces: Traces,
    pub(crate) slots: Slots,
    pub(crate) identity: Identity,
}

/// The scope whose data are under way.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) slots: Slots,
    pub(crate) identity: Identity,
}

/// The span or point under way.
#[derive(Debug, Default)]
pub(crate) struct Owner {
    pub(crate) slots: Slots,
    pub(crate) identity: Identity,
    /// Of all that decides where it belongs, if that was looked for; and what was found.
    pub(crate) hash: Option<PlaceHash>,
    pub(crate) place: Option<PointPlace>,
    pub(crate) series: Option<SeriesId>,
}

/// Why an item is rejected that is broken within itself: a field of the wrong type, or cut off.
pub(crate) const UNREADABLE: &str = "field that cannot be read";

const SERVICE: &[u8] = SERVICE_NAME.as_bytes();
const INSTANCE: &[u8] = b"service.instance.id";
const HOST: &[u8] = b"host.name";

impl<'m> Fold<'m> {
    pub(crate) fn new(measure: &'m Measure, known: &'m Known, now_nanos: u64) -> Fold<'m> {
        Fold {
            measure,
            dimensions: Dimensions::new(&measure.dimensions),
            clock: Clock::new(&measure.limits, now_nanos),
            budget: Budget::new(&measure.limits),
            classes: Classes::default(),
            problems: Problems::default(),
            latest_event_nanos: None,
            earliest_counted_nanos: None,
            interning: Interning::new(known),
            spans: Vec::new(),
            unsettled_spans: Unsettled::default(),
            points: Points::default(),
            unsettled_points: Unsettled::default(),
            exemplars: ExemplarSet::default(),
            senders: Vec::new(),
            resource: Resource::default(),
            scope: Scope::default(),
            own: Owner::default(),
            metric: Metric::default(),
            identifies: false,
            splitting: [0; 32],
            surroundings: None,
            key: Vec::with_capacity(256),
        }
    }

    pub(crate) fn begin_resource(&mut self) -> Result<(), RequestError> {
        self.end_resource();
        self.end_traces();
        self.resource.instance_id.clear();
        self.resource.host_name.clear();
        self.resource.service.clear();
        self.resource.service.push_str(UNKNOWN_SERVICE);
        self.resource.slots.clear(self.dimensions.keys().len());
        self.resource.identity.clear();
        self.budget.container()
    }

    pub(crate) fn begin_scope(&mut self) -> Result<(), RequestError> {
        self.surroundings = None;
        self.scope.name.clear();
        self.scope.version.clear();
        self.scope.slots.clear(self.dimensions.keys().len());
        self.scope.identity.clear();
        self.budget.container()
    }

    /// Has the places of spans or points come near, which are asked for next.
    pub(crate) fn fetch_places(&self, hashes: impl Iterator<Item = PlaceHash>) {
        self.interning.known().fetch(hashes);
    }

    /// Begins a span or point.
    pub(crate) fn begin_item(&mut self) -> Result<(), RequestError> {
        self.forget_item();
        self.budget.item()
    }

    /// Forgets the item before.
    pub(crate) fn forget_item(&mut self) {
        self.own.slots.clear(self.dimensions.keys().len());
        self.own.identity.clear();
        (self.own.hash, self.own.place, self.own.series) = (None, None, None);
    }

    /// From here on, all attributes are kept to tell streams apart.
    pub(crate) fn identify_streams(&mut self) {
        self.identifies = true;
        self.splitting = self.hash_of_splitting();
    }

    fn hash_of_splitting(&mut self) -> [u8; 32] {
        self.key.clear();
        for dimension in self.dimensions.keys() {
            put_bytes(&mut self.key, dimension.as_bytes());
        }
        put_varint(&mut self.key, self.measure.limits.max_value_bytes as u64);
        *blake3::hash(&self.key).as_bytes()
    }

    pub(crate) fn resource_attribute<'a>(
        &mut self,
        key: &[u8],
        value: impl FnOnce() -> Result<Any<'a>, Broken>,
    ) -> Result<(), RequestError> {
        let at = self.dimensions.find(key);
        let names = matches!(key, SERVICE | INSTANCE | HOST);
        if at.is_some() || names || self.identifies {
            let value = value()?;
            let kept = self.measure.limits.max_value_bytes;
            match key {
                SERVICE => self.name_service(&value),
                INSTANCE => named(&mut self.resource.instance_id, &value, kept),
                HOST => named(&mut self.resource.host_name, &value, kept),
                _ => {}
            }
            if let Some(at) = at {
                self.resource.slots.set(at, &value, kept);
            }
            if self.identifies {
                self.resource.identity.add(key, &value);
            }
        }
        Ok(())
    }

    pub(crate) fn scope_name(&mut self, name: &str) {
        name.clone_into(&mut self.scope.name);
    }

    pub(crate) fn scope_version(&mut self, version: &str) {
        version.clone_into(&mut self.scope.version);
    }

    pub(crate) fn scope_attribute<'a>(
        &mut self,
        key: &[u8],
        value: impl FnOnce() -> Result<Any<'a>, Broken>,
    ) -> Result<(), RequestError> {
        let at = self.dimensions.find(key);
        if at.is_some() || self.identifies {
            let value = value()?;
            if let Some(at) = at {
                self.scope
                    .slots
                    .set(at, &value, self.measure.limits.max_value_bytes);
            }
            if self.identifies {
                self.scope.identity.add(key, &value);
            }
        }
        Ok(())
    }

    /// Takes an attribute of the span or point at hand; `value` is only read if it is needed.
    #[inline]
    pub(crate) fn own_attribute<'a>(
        &mut self,
        key: &[u8],
        value: impl FnOnce() -> Result<Any<'a>, Broken>,
    ) -> Result<(), RequestError> {
        let at = self.dimensions.find(key);
        if at.is_some() || self.identifies {
            let value = value()?;
            if let Some(at) = at {
                self.own
                    .slots
                    .set(at, &value, self.measure.limits.max_value_bytes);
            }
            if self.identifies {
                self.own.identity.add(key, &value);
            }
        }
        Ok(())
    }

    /// Hash of what the resource and the scope under way decide of their spans' series, and of how that is done.
    pub(crate) fn surroundings(&mut self) -> [u8; 32] {
        if let Some(known) = self.surroundings {
            return known;
        }
        let splitting = self.hash_of_splitting();
        self.key.clear();
        self.key.extend_from_slice(&splitting);
        put_bytes(&mut self.key, self.resource.service.as_bytes());
        for at in 0..self.dimensions.keys().len() {
            for slots in [&self.scope.slots, &self.resource.slots] {
                put_bytes(&mut self.key, slots.get(at).unwrap_or_default());
            }
        }
        let hash = *blake3::hash(&self.key).as_bytes();
        self.surroundings = Some(hash);
        hash
    }

    /// Classes a log record: it is kept for a while, and no objective can use it.
    pub(crate) fn record(&mut self, time_nanos: u64, observed_nanos: u64) {
        self.classes.received.note(false);
        self.classes.unmatched.note(false);
        let time = if time_nanos == 0 {
            observed_nanos
        } else {
            time_nanos
        };
        if time != 0 {
            self.saw_event(time);
        }
    }

    /// Rejects a log record that cannot be read.
    pub(crate) fn broken_record(&mut self) {
        self.classes.received.note(false);
        self.classes.invalid.note(false);
        let service = &self.resource.service;
        self.problems
            .note(UNREADABLE, || format!("log record of `{service}`"));
    }

    /// Takes the service's name from the resource; an empty one is no name.
    fn name_service(&mut self, value: &Any<'_>) {
        let most = self.measure.limits.max_value_bytes;
        named(&mut self.resource.service, value, most);
    }

    /// Appends the dimensions of the item at hand to its key: its own values first, then its
    /// scope's, then its resource's.
    pub(crate) fn put_dimensions(&mut self) {
        for (at, dimension) in self.dimensions.keys().iter().enumerate() {
            let value = self.own.slots.get(at).or_else(|| self.scope.slots.get(at));
            if let Some(value) = value.or_else(|| self.resource.slots.get(at)) {
                put_bytes(&mut self.key, dimension.as_bytes());
                self.key.extend_from_slice(value);
            }
        }
    }

    /// Notes a usable event, and where its time lies.
    pub(crate) fn saw_event(&mut self, nanos: u64) -> Timing {
        self.latest_event_nanos = self.latest_event_nanos.max(Some(nanos));
        let timing = self.clock.timing(nanos);
        if matches!(timing, Timing::Due | Timing::Ahead) {
            let earliest = self.earliest_counted_nanos.get_or_insert(nanos);
            *earliest = nanos.min(*earliest);
        }
        timing
    }

    pub(crate) fn finish(mut self) -> Result<Decoded, RequestError> {
        self.end_resource();
        self.end_traces();
        let known = self.interning.known();
        let resolution = self.interning.resolve(&self.measure.limits)?;
        let mut overflowed = false;
        for (at, position) in self.unsettled_spans.0 {
            let span = &mut self.spans[at];
            (span.series, span.overflowed) = resolution.at(position);
            if span.overflowed {
                overflowed = true;
                self.classes.overflowed.total += 1;
            }
        }
        for (at, position) in self.unsettled_points.0 {
            let (series, reading) = self.points.at_mut(at);
            let overflows;
            (*series, overflows) = resolution.at(position);
            if overflows {
                overflowed = true;
                self.classes.overflowed.total += u64::from(reading.other.is_none());
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
            spans: Spans::new(self.spans, &self.measure.thresholds),
            points: self.points,
            exemplars: self.exemplars,
            new_series: resolution.fresh,
            unplaced: resolution.unplaced,
            senders: self.senders,
            classes: self.classes,
            latest_event_nanos: self.latest_event_nanos,
            earliest_counted_nanos: self.earliest_counted_nanos,
            problems: self.problems,
        })
    }
}

impl Resource {
    /// What tells this resource from others of its service.
    pub(crate) fn instance(&self) -> &str {
        if self.instance_id.is_empty() {
            &self.host_name
        } else {
            &self.instance_id
        }
    }
}

/// Takes a name from an attribute; an empty one is no name. No name has a NUL, which PostgreSQL takes in no text.
fn named(name: &mut String, value: &Any<'_>, most: usize) {
    let text = match value {
        Any::Text(text) => Cow::Borrowed(&**text),
        other => Cow::Owned(other.to_text()),
    };
    if !text.is_empty() {
        name.clear();
        name.extend(kept(&text, most).chars().map(|c| match c {
            '\0' => char::REPLACEMENT_CHARACTER,
            c => c,
        }));
    }
}
