//! Exemplars: the trace ids of a few requests of each service and slice, to look at by themselves.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::codec::{CodecError, Reader, put_bytes, put_varint, seal, unseal};
use crate::slice::Slice;

const VERSION: u8 = 1;
/// Traces kept of each kind.
const KEPT: usize = 3;
/// Services and slices in one set: what a flood of names may take.
const MOST: usize = 2048;

/// Why a trace is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// A request that failed.
    Failed,
    /// One that did not fail and took long.
    Slow,
    /// The sender names it beside a metric point.
    Point,
}

/// A trace to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exemplar {
    /// Why it is kept.
    pub why: Why,
    /// The trace id as a number, never 0; in hexadecimal it has 32 digits.
    pub trace: u128,
    /// How long the request took; 0 if a metric point names the trace.
    pub nanos: u64,
}

/// The traces of one service and slice: of each kind those that took longest, at most three.
///
/// Merging is commutative and associative: which are kept does not depend on the order of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exemplars {
    /// In order of kind, then of what is kept first; each trace once in a kind.
    kept: Vec<Exemplar>,
    /// By kind how long those took that are kept, at least, if no more are kept; else 0.
    shortest: [u64; 3],
}

/// Exemplars by slice and service, of a bounded number of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExemplarSet {
    places: BTreeMap<(Slice, Arc<str>), Exemplars>,
}

impl Exemplar {
    fn order(&self) -> (Why, Reverse<u64>, u128) {
        (self.why, Reverse(self.nanos), self.trace)
    }
}

impl Exemplars {
    /// Keeps a trace if it is among those that took longest.
    pub fn note(&mut self, one: Exemplar) {
        // Most come after enough that took longer.
        if one.nanos < self.shortest[one.why as usize] {
            return;
        }
        let begin = self.kept.partition_point(|kept| kept.why < one.why);
        let at = self.kept.partition_point(|kept| kept.order() < one.order());
        if at - begin >= KEPT {
            return;
        }
        let same = |kept: &Exemplar| kept.why == one.why && kept.trace == one.trace;
        if let Some(known) = self.kept.iter().position(same) {
            if known < at {
                return;
            }
            self.kept.remove(known);
        }
        self.kept.insert(at, one);
        let end = self.kept.partition_point(|kept| kept.why <= one.why);
        if end - begin > KEPT {
            self.kept.remove(begin + KEPT);
        }
        if end - begin >= KEPT {
            self.shortest[one.why as usize] = self.kept[begin + KEPT - 1].nanos;
        }
    }

    /// Adds others of the same service and slice.
    pub fn merge(&mut self, other: &Exemplars) {
        for one in &other.kept {
            self.note(*one);
        }
    }

    /// Those that failed, those that were slow, those of points; longest first.
    pub fn iter(&self) -> impl Iterator<Item = Exemplar> + '_ {
        self.kept.iter().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The stored form: versioned, with a checksum.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.kept.len() * 24 + 1);
        self.encode_into(&mut body);
        seal(VERSION, &body)
    }

    /// Reads the stored form.
    pub fn decode(bytes: &[u8]) -> Result<Exemplars, CodecError> {
        let mut reader = unseal(VERSION, bytes)?;
        let exemplars = Exemplars::decode_from(&mut reader)?;
        reader.done()?;
        Ok(exemplars)
    }

    fn encode_into(&self, out: &mut Vec<u8>) {
        put_varint(out, self.kept.len() as u64);
        for one in &self.kept {
            out.push(one.why as u8);
            put_varint(out, one.nanos);
            out.extend_from_slice(&one.trace.to_be_bytes());
        }
    }

    fn decode_from(reader: &mut Reader<'_>) -> Result<Exemplars, CodecError> {
        let mut exemplars = Exemplars::default();
        for _ in 0..reader.length()? {
            let why = match reader.byte()? {
                0 => Why::Failed,
                1 => Why::Slow,
                2 => Why::Point,
                _ => return Err(CodecError::Invalid("exemplar")),
            };
            let nanos = reader.varint()?;
            let mut trace = [0; 16];
            trace.copy_from_slice(reader.take(16)?);
            exemplars.note(Exemplar {
                why,
                trace: u128::from_be_bytes(trace),
                nanos,
            });
        }
        Ok(exemplars)
    }
}

impl ExemplarSet {
    /// Adds exemplars of a service and slice; beyond 2048 of these they are left out.
    pub fn add(&mut self, slice: Slice, service: &Arc<str>, exemplars: &Exemplars) {
        let place = (slice, Arc::clone(service));
        if let Some(known) = self.places.get_mut(&place) {
            known.merge(exemplars);
        } else if self.places.len() < MOST && !exemplars.is_empty() {
            self.places.insert(place, exemplars.clone());
        }
    }

    /// Adds another set.
    pub fn merge(&mut self, other: &ExemplarSet) {
        for ((slice, service), exemplars) in &other.places {
            self.add(*slice, service, exemplars);
        }
    }

    /// Exemplars with their slice and service, in order of these.
    pub fn iter(&self) -> impl Iterator<Item = (Slice, &Arc<str>, &Exemplars)> {
        let places = self.places.iter();
        places.map(|((slice, service), exemplars)| (*slice, service, exemplars))
    }

    /// Number of services and slices.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        put_varint(out, self.places.len() as u64);
        for ((slice, service), exemplars) in &self.places {
            put_varint(out, u64::from(slice.raw()));
            put_bytes(out, service.as_bytes());
            exemplars.encode_into(out);
        }
    }

    pub(crate) fn decode_from(reader: &mut Reader<'_>) -> Result<ExemplarSet, CodecError> {
        let mut set = ExemplarSet::default();
        for _ in 0..reader.length()? {
            let slice = Slice::from_raw(reader.small()?);
            let service = Arc::from(reader.text()?);
            set.add(slice, &service, &Exemplars::decode_from(reader)?);
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slow(trace: u128, nanos: u64) -> Exemplar {
        Exemplar {
            why: Why::Slow,
            trace,
            nanos,
        }
    }

    #[test]
    fn the_longest_are_kept_each_trace_once() {
        let mut exemplars = Exemplars::default();
        for (trace, nanos) in [(1, 10), (2, 20), (1, 40), (3, 5), (4, 30), (2, 7)] {
            exemplars.note(slow(trace, nanos));
        }
        let kept: Vec<_> = exemplars.iter().map(|one| (one.trace, one.nanos)).collect();
        assert_eq!(kept, [(1, 40), (4, 30), (2, 20)]);
        assert_eq!(Exemplars::decode(&exemplars.encode()), Ok(exemplars));
    }

    #[test]
    fn a_flood_of_services_takes_no_more_than_its_bound() {
        let mut set = ExemplarSet::default();
        let mut one = Exemplars::default();
        one.note(slow(1, 1));
        for number in 0..5_000 {
            set.add(Slice::from_raw(7), &Arc::from(format!("s{number}")), &one);
        }
        assert_eq!(set.len(), MOST);
    }

    proptest! {
        #[test]
        fn what_is_kept_does_not_depend_on_the_order(
            sent in prop::collection::vec((0_u8..3, 1_u128..9, 0_u64..6, any::<bool>()), 0..40),
        ) {
            let exemplar = |(why, trace, nanos): (u8, u128, u64)| Exemplar {
                why: [Why::Failed, Why::Slow, Why::Point][usize::from(why)],
                trace,
                nanos,
            };
            let (mut forth, mut back, mut halves) =
                (Exemplars::default(), Exemplars::default(), [Exemplars::default(), Exemplars::default()]);
            for (why, trace, nanos, half) in &sent {
                forth.note(exemplar((*why, *trace, *nanos)));
                halves[usize::from(*half)].note(exemplar((*why, *trace, *nanos)));
            }
            for (why, trace, nanos, _) in sent.iter().rev() {
                back.note(exemplar((*why, *trace, *nanos)));
            }
            let [mut merged, other] = halves;
            merged.merge(&other);
            prop_assert_eq!(&forth, &back);
            prop_assert_eq!(&forth, &merged);
        }
    }
}
