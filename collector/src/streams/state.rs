//! The state of one stream, and what a point does to it.

use smallvec::SmallVec;

use super::Origin;
use super::running::{Running, Total};
use crate::codec::{CodecError, Reader, put_f64, put_fixed, put_varint, unseal};
use crate::point::{Buckets, Number, Point, PointValue, Temporality};

/// What a stored state starts with. It has no checksum of its own: the journal row or the row of the stream has one.
const VERSION: u8 = 3;
/// The form before, which wrote every fraction, and every time as a difference.
const WITH_FRACTIONS: u8 = 2;
/// The first form, the same with a checksum.
const SEALED: u8 = 1;
/// Intervals of a delta stream with gaps between them that are remembered.
const MAX_INTERVALS: usize = 64;
/// Times of observations that are remembered, to tell one that comes out of order from one that
/// comes twice.
const MAX_TIMES: usize = 16;
/// A fraction of a unit that is taken for a rounding error of the sender's sum.
pub(crate) const TOLERANCE: f64 = 1e-6;

/// What is remembered of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    /// Running totals.
    Running(Running),
    /// Intervals counted so far.
    Deltas(Deltas),
    /// Observations counted so far.
    Levels(Levels),
    /// A running total that is sent as a level; none before the first point.
    Rising(Option<Box<Rising>>),
}

/// The last value of a running total that does not say when it started.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rising {
    time: u64,
    total: Total,
}

/// Which intervals `(start, end]` of a delta stream are counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Deltas {
    /// Sorted, apart from each other; of most streams there are few.
    covered: SmallVec<[(u64, u64); 4]>,
    /// Everything up to here counts as covered.
    forgotten: u64,
    /// What doubles added beyond whole units so far; below 1.
    fraction: f64,
}

/// Times of the latest observations, sorted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Levels {
    times: Vec<u64>,
}

/// What a point comes to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome<'p> {
    /// Adds an amount that accrued in `(from, to]`.
    Adds {
        amount: Amount<'p>,
        from: u64,
        to: u64,
    },
    /// The same of one of several writers that share the stream, which nothing else tells apart.
    Shared {
        amount: Amount<'p>,
        from: u64,
        to: u64,
    },
    /// Remembered as the base of what follows; adds nothing.
    Baseline,
    /// Counted already, or older than what is.
    Duplicate,
    /// Contradicts what is known.
    Rejected(&'static str),
}

/// What is added.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Amount<'p> {
    Count(u64),
    Level(f64),
    Buckets(Buckets<'p>),
}

impl State {
    /// The state before a stream's first point.
    pub(crate) fn new<B>(first: &PointValue<B>) -> State {
        match first {
            PointValue::Sum(Temporality::Cumulative, _)
            | PointValue::Buckets(Temporality::Cumulative, _) => State::Running(Running::default()),
            PointValue::Sum(Temporality::Delta, _) | PointValue::Buckets(Temporality::Delta, _) => {
                State::Deltas(Deltas::default())
            }
            PointValue::Level(_) => State::Levels(Levels::default()),
            PointValue::Total(_) => State::Rising(None),
        }
    }

    pub(crate) fn advance<'p>(&mut self, point: &Point<'p>, origin: Origin) -> Outcome<'p> {
        match (self, &point.value) {
            (
                State::Running(running),
                PointValue::Sum(Temporality::Cumulative, _)
                | PointValue::Buckets(Temporality::Cumulative, _),
            ) => running.advance(point, origin),
            (
                State::Deltas(deltas),
                PointValue::Sum(Temporality::Delta, _) | PointValue::Buckets(Temporality::Delta, _),
            ) => deltas.advance(point),
            (State::Levels(levels), PointValue::Level(value)) => {
                levels.advance(point.time_nanos, *value)
            }
            (State::Rising(rising), PointValue::Total(_)) => advance_total(rising, point),
            _ => Outcome::Rejected("stream mixes temporalities"),
        }
    }

    /// Time of the latest point.
    pub(crate) fn latest(&self) -> u64 {
        match self {
            State::Running(running) => running.latest(),
            State::Deltas(deltas) => deltas
                .covered
                .last()
                .map_or(deltas.forgotten, |last| last.1),
            State::Levels(levels) => levels.times.last().copied().unwrap_or_default(),
            State::Rising(rising) => rising.as_ref().map_or(0, |rising| rising.time),
        }
    }

    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        match self {
            State::Running(running) => {
                out.push(1);
                running.encode_into(out);
            }
            State::Deltas(deltas) => {
                out.push(2);
                deltas.encode_into(out);
            }
            State::Levels(levels) => {
                out.push(3);
                put_varint(out, levels.times.len() as u64);
                put_rising(out, levels.times.iter().copied());
            }
            State::Rising(rising) => {
                out.push(4);
                if let Some(rising) = rising {
                    put_varint(out, rising.time);
                    rising.total.encode_into(0, out);
                }
            }
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<State, CodecError> {
        let (version, mut reader) = match bytes.split_first() {
            Some((version @ (&VERSION | &WITH_FRACTIONS), body)) => (*version, Reader::new(body)),
            _ => (SEALED, unseal(SEALED, bytes)?),
        };
        let state = match reader.byte()? {
            1 => State::Running(Running::decode_from(&mut reader)?),
            2 if version == VERSION => State::Deltas(Deltas::decode_from(&mut reader)?),
            2 => State::Deltas(Deltas::decode_with_fraction(&mut reader)?),
            3 => State::Levels(Levels {
                times: rising(&mut reader)?,
            }),
            4 if reader.is_empty() => State::Rising(None),
            4 => State::Rising(Some(Box::new(Rising {
                time: reader.varint()?,
                total: match Total::decode_from(&mut reader)? {
                    (0, total @ Total::Number { .. }) => total,
                    _ => return Err(CodecError::Invalid("stream state")),
                },
            }))),
            _ => return Err(CodecError::Invalid("stream state")),
        };
        reader.done()?;
        Ok(state)
    }
}

impl Deltas {
    fn advance<'p>(&mut self, point: &Point<'p>) -> Outcome<'p> {
        let time = point.time_nanos;
        // A point that does not say where it starts is only known to be another one by its time: it must not stand for
        // the time before, which a point that comes out of order may be of.
        let started = point.start_nanos != 0 && point.start_nanos != time;
        let start = if started { point.start_nanos } else { time - 1 };
        let inside = |(from, to): &(u64, u64)| *from <= start && time <= *to;
        if time <= self.forgotten || self.covered.iter().any(inside) {
            return Outcome::Duplicate;
        }
        let overlaps = |(from, to): &(u64, u64)| *from < time && start < *to;
        if start < self.forgotten || self.covered.iter().any(overlaps) {
            return Outcome::Rejected("delta overlaps what is counted already");
        }
        let from = if started {
            start
        } else {
            self.end_before(time)
        };
        self.cover(start, time);
        let amount = match &point.value {
            PointValue::Sum(_, number) | PointValue::Total(number) => {
                Amount::Count(self.whole(*number))
            }
            PointValue::Buckets(_, buckets) => Amount::Buckets(buckets.clone()),
            PointValue::Level(value) => Amount::Level(*value),
        };
        Outcome::Adds {
            amount,
            from,
            to: time,
        }
    }

    fn encode_into(&self, out: &mut Vec<u8>) {
        let fraction = self.fraction != 0.0;
        put_varint(out, (self.covered.len() as u64) << 1 | u64::from(fraction));
        if fraction {
            put_f64(out, self.fraction);
        }
        put_varint(out, self.forgotten);
        for (start, end) in &self.covered {
            put_fixed(out, *start);
            put_varint(out, end - start);
        }
    }

    fn decode_from(reader: &mut Reader<'_>) -> Result<Deltas, CodecError> {
        let head = reader.varint()?;
        let fraction = match head & 1 {
            0 => 0.0,
            _ => reader.f64()?,
        };
        let mut deltas = Deltas {
            fraction,
            forgotten: reader.varint()?,
            covered: SmallVec::new(),
        };
        let mut before = deltas.forgotten;
        for _ in 0..head >> 1 {
            let start = reader.fixed()?;
            let end = start.checked_add(reader.varint()?);
            let end = end.filter(|_| before <= start);
            before = end.ok_or(CodecError::Invalid("time"))?;
            deltas.covered.push((start, before));
        }
        Ok(deltas)
    }

    fn decode_with_fraction(reader: &mut Reader<'_>) -> Result<Deltas, CodecError> {
        let fraction = reader.f64()?;
        let times = rising(reader)?;
        let (forgotten, ends) = times.split_first().ok_or(CodecError::Truncated)?;
        let ends = ends.as_chunks::<2>().0.iter();
        Ok(Deltas {
            covered: ends.map(|pair| (pair[0], pair[1])).collect(),
            forgotten: *forgotten,
            fraction,
        })
    }

    /// Where the last interval before a time ended: what a point without a start accrued since.
    fn end_before(&self, time: u64) -> u64 {
        let before = self
            .covered
            .iter()
            .rev()
            .map(|(_, end)| *end)
            .find(|end| *end < time);
        before.unwrap_or(time - 1).max(self.forgotten.min(time - 1))
    }

    fn cover(&mut self, start: u64, end: u64) {
        let at = self.covered.partition_point(|(from, _)| *from < start);
        self.covered.insert(at, (start, end));
        self.covered.dedup_by(|later, earlier| {
            let joined = later.0 == earlier.1;
            if joined {
                earlier.1 = later.1;
            }
            joined
        });
        if self.covered.len() > MAX_INTERVALS {
            self.forgotten = self.covered.remove(0).1;
        }
    }

    /// The whole units of what was added; the rest waits for the next point.
    fn whole(&mut self, number: Number) -> u64 {
        match number {
            Number::Int(value) => u64::try_from(value).unwrap_or_default(),
            Number::Double(value) => {
                let sum = self.fraction + value;
                let whole = (sum + TOLERANCE).floor();
                // Below zero where a rounding error was taken for the rest of a unit: not to be taken again.
                self.fraction = (sum - whole).min(1.0);
                whole_units(whole)
            }
        }
    }
}

/// The first point is a base. A total that fell was set back to zero before its new value.
fn advance_total<'p>(rising: &mut Option<Box<Rising>>, point: &Point<'p>) -> Outcome<'p> {
    let to = point.time_nanos;
    let Some(Rising { time, total }) = rising.as_deref_mut() else {
        *rising = Some(Box::new(Rising {
            time: to,
            total: Total::new(&point.value, false),
        }));
        return Outcome::Baseline;
    };
    if to <= *time {
        return Outcome::Duplicate;
    }
    let from = std::mem::replace(time, to);
    let grown = total.grow(&point.value).or_else(|| {
        *total = Total::new(&point.value, true);
        Amount::whole(&point.value)
    });
    grown.map_or(Outcome::Baseline, |amount| Outcome::Adds {
        amount,
        from,
        to,
    })
}

impl Levels {
    fn advance(&mut self, time: u64, value: f64) -> Outcome<'static> {
        let full = self.times.len() >= MAX_TIMES;
        match self.times.binary_search(&time) {
            Ok(_) => return Outcome::Duplicate,
            Err(0) if full => return Outcome::Duplicate,
            Err(at) => self.times.insert(at, time),
        }
        if full {
            self.times.remove(0);
        }
        Outcome::Adds {
            amount: Amount::Level(value),
            from: time - 1,
            to: time,
        }
    }
}

/// A double that is whole as a count or as a histogram's microseconds: 0 below zero, and beyond 64 bits the largest,
/// which no point may add and every histogram clamps.
pub(crate) fn whole_units(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and what is that large is rejected"
    )]
    let units = value as u64;
    units
}

/// Times without their number.
fn put_rising(out: &mut Vec<u8>, times: impl Iterator<Item = u64>) {
    let mut previous = 0;
    for time in times {
        put_varint(out, time.wrapping_sub(previous));
        previous = time;
    }
}

fn rising(reader: &mut Reader<'_>) -> Result<Vec<u64>, CodecError> {
    let length = reader.length()?;
    let mut times = Vec::with_capacity(length);
    let mut previous = 0_u64;
    for _ in 0..length {
        previous = previous
            .checked_add(reader.varint()?)
            .ok_or(CodecError::Invalid("time"))?;
        times.push(previous);
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::seal;

    #[test]
    fn the_forms_before_are_read_and_the_present_one_is_shorter() {
        let mut old = vec![WITH_FRACTIONS, 2];
        put_f64(&mut old, 0.25);
        put_varint(&mut old, 5);
        put_rising(
            &mut old,
            [30, 1 << 60, (1 << 60) + 5, 1 << 61, (1 << 61) + 9].into_iter(),
        );
        let state = State::Deltas(Deltas {
            covered: [(1 << 60, (1 << 60) + 5), (1 << 61, (1 << 61) + 9)]
                .into_iter()
                .collect(),
            forgotten: 30,
            fraction: 0.25,
        });
        assert_eq!(State::decode(&old).as_ref(), Ok(&state));
        assert_eq!(State::decode(&seal(SEALED, &old[1..])).as_ref(), Ok(&state));
        let mut new = Vec::new();
        state.encode_into(&mut new);
        assert_eq!(State::decode(&new), Ok(state));
        assert!(new.len() < old.len());
    }
}
