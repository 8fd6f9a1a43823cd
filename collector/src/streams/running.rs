//! Running totals: the start time tells a reset from a mistake, and one writer from another.

use super::Origin;
use super::state::{Amount, Outcome, TOLERANCE, whole_units};
use super::unstarted::Role;
use crate::codec::{CodecError, Reader, put_f64, put_signed, put_varint};
use crate::point::{Buckets, Number, Point, PointValue};

/// Writers of one stream that are told apart: the current one, and earlier or concurrent ones.
const MAX_WRITERS: usize = 4;

/// The running totals of one stream, by start time: usually one, more while a sender restarts or
/// when several senders share an identity.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Running {
    pub(super) writers: Vec<Writer>,
    /// Totals that started at or before this time and are not among the writers were counted and
    /// forgotten.
    forgotten_start: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Writer {
    /// 0 if the sender does not say.
    pub(super) start: u64,
    pub(super) time: u64,
    pub(super) total: Total,
    pub(super) role: Role,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Total {
    /// `counted` of what `last` is above `base` was counted: whole units, so that fractions never
    /// get lost.
    Number {
        base: Number,
        last: Number,
        counted: u64,
    },
    Buckets(Buckets<'static>),
}

impl Running {
    pub(crate) fn latest(&self) -> u64 {
        self.writers
            .iter()
            .map(|writer| writer.time)
            .max()
            .unwrap_or_default()
    }

    pub(crate) fn advance<'p>(&mut self, point: &Point<'p>, origin: Origin) -> Outcome<'p> {
        let (start, time) = (point.start_nanos, point.time_nanos);
        if start == 0 {
            return self.advance_without_start(point);
        }
        if let Some(writer) = self.writers.iter_mut().find(|writer| writer.start == start) {
            return writer.advance(point);
        }
        if start <= self.forgotten_start {
            return Outcome::Duplicate;
        }
        let with_start = self.writers.iter().filter(|writer| writer.start != 0);
        let last = with_start.map(|writer| writer.time).max();
        let observed = match origin {
            Origin::Live {
                observing_since_nanos,
            } => start >= observing_since_nanos,
            Origin::Replay => true,
        };
        // A start after the last point of all before is a reset, and what it brings is new. One before it is another
        // writer's, which may have been counting for long.
        let is_reset = last.is_some_and(|last| start >= last);
        let from_zero = start != time && (observed || is_reset);
        self.remember(Writer {
            start,
            time,
            total: Total::new(&point.value, from_zero),
            role: Role::Counts,
        });
        match Amount::whole(&point.value) {
            Some(amount) if from_zero => Outcome::Adds {
                amount,
                from: start,
                to: time,
            },
            _ => Outcome::Baseline,
        }
    }

    pub(super) fn remember(&mut self, writer: Writer) {
        self.writers.push(writer);
        if self.writers.len() > MAX_WRITERS {
            let idle = (0..self.writers.len()).min_by_key(|at| self.writers[*at].time);
            let gone = self.writers.remove(idle.unwrap_or_default());
            self.forgotten_start = self.forgotten_start.max(gone.start);
        }
    }

    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        put_varint(out, self.forgotten_start);
        put_varint(out, self.writers.len() as u64);
        for writer in &self.writers {
            put_varint(out, writer.start);
            put_varint(out, writer.time);
            writer.total.encode_into(writer.role.code() << 1, out);
        }
    }

    pub(crate) fn decode_from(reader: &mut Reader<'_>) -> Result<Running, CodecError> {
        let forgotten_start = reader.varint()?;
        let length = reader.length()?;
        let mut writers = Vec::with_capacity(length);
        for _ in 0..length {
            let (start, time) = (reader.varint()?, reader.varint()?);
            let (role, total) = Total::decode_from(reader)?;
            let role = Role::of(role).ok_or(CodecError::Invalid("stream state"))?;
            writers.push(Writer {
                start,
                time,
                total,
                role,
            });
        }
        Ok(Running {
            writers,
            forgotten_start,
        })
    }
}

impl Writer {
    fn advance(&mut self, point: &Point<'_>) -> Outcome<'static> {
        if point.time_nanos <= self.time {
            return Outcome::Duplicate;
        }
        let Some(amount) = self.total.grow(&point.value) else {
            return Outcome::Rejected("running total falls without a new start time");
        };
        let from = std::mem::replace(&mut self.time, point.time_nanos);
        Outcome::Adds {
            amount,
            from,
            to: point.time_nanos,
        }
    }
}

impl Total {
    pub(super) fn new(value: &PointValue<Buckets<'_>>, from_zero: bool) -> Total {
        match value {
            PointValue::Sum(_, number) | PointValue::Total(number) if from_zero => Total::Number {
                base: Number::Int(0),
                last: *number,
                counted: above(*number, Number::Int(0)),
            },
            PointValue::Sum(_, number) | PointValue::Total(number) => Total::Number {
                base: *number,
                last: *number,
                counted: 0,
            },
            PointValue::Buckets(_, buckets) => Total::Buckets(buckets.owned()),
            PointValue::Level(value) => {
                let value = Number::Double(*value);
                Total::Number {
                    base: value,
                    last: value,
                    counted: 0,
                }
            }
        }
    }

    /// Appends the total, with a number beside it that is shifted by one bit.
    pub(super) fn encode_into(&self, beside: u8, out: &mut Vec<u8>) {
        match self {
            Total::Number {
                base,
                last,
                counted,
            } => {
                out.push(beside);
                put_number(out, *base);
                put_number(out, *last);
                put_varint(out, *counted);
            }
            Total::Buckets(buckets) => {
                out.push(beside | 1);
                buckets.encode_into(out);
            }
        }
    }

    /// Reads what stands beside the total, and the total.
    pub(super) fn decode_from(reader: &mut Reader<'_>) -> Result<(u8, Total), CodecError> {
        let kind = reader.byte()?;
        let total = match kind & 1 {
            0 => Total::Number {
                base: number(reader)?,
                last: number(reader)?,
                counted: reader.varint()?,
            },
            _ => Total::Buckets(Buckets::decode_from(reader)?),
        };
        Ok((kind >> 1, total))
    }

    /// What the total grew by; `None` if it fell, and then nothing is changed.
    pub(super) fn grow(&mut self, value: &PointValue<Buckets<'_>>) -> Option<Amount<'static>> {
        match (self, value) {
            (
                Total::Number {
                    base,
                    last,
                    counted,
                },
                PointValue::Sum(_, number) | PointValue::Total(number),
            ) => {
                if is_below(*number, *last) {
                    return None;
                }
                *last = *number;
                let total = above(*number, *base).max(*counted);
                let added = total - *counted;
                *counted = total;
                Some(Amount::Count(added))
            }
            (Total::Buckets(last), PointValue::Buckets(_, buckets)) => {
                let added = buckets.grown_since(last)?;
                *last = buckets.owned();
                Some(Amount::Buckets(added))
            }
            _ => None,
        }
    }
}

impl<'p> Amount<'p> {
    /// All of a point's value.
    pub(super) fn whole(value: &PointValue<Buckets<'p>>) -> Option<Amount<'p>> {
        match value {
            PointValue::Sum(_, number) | PointValue::Total(number) => {
                Some(Amount::Count(above(*number, Number::Int(0))))
            }
            PointValue::Buckets(_, buckets) => Some(Amount::Buckets(buckets.clone())),
            PointValue::Level(_) => None,
        }
    }
}

/// Whole units that `value` is above `base`.
fn above(value: Number, base: Number) -> u64 {
    match (value, base) {
        (Number::Int(value), Number::Int(base)) => {
            u64::try_from(i128::from(value) - i128::from(base)).unwrap_or_default()
        }
        _ => whole_units((value.as_f64() - base.as_f64() + TOLERANCE).floor()),
    }
}

fn is_below(value: Number, last: Number) -> bool {
    match (value, last) {
        (Number::Int(value), Number::Int(last)) => value < last,
        _ => value.as_f64() < last.as_f64(),
    }
}

fn put_number(out: &mut Vec<u8>, number: Number) {
    match number {
        Number::Int(value) => {
            out.push(0);
            put_signed(out, value);
        }
        Number::Double(value) => {
            out.push(1);
            put_f64(out, value);
        }
    }
}

fn number(reader: &mut Reader<'_>) -> Result<Number, CodecError> {
    match reader.byte()? {
        0 => Ok(Number::Int(reader.signed()?)),
        1 => Ok(Number::Double(reader.f64()?)),
        _ => Err(CodecError::Invalid("number")),
    }
}
