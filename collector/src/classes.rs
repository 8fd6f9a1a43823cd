//! Classes: where every received span, point and record went, and the problems worth telling the
//! sender.

use std::fmt;

use crate::codec::{CodecError, CountOverflow, Reader, put_varint};

/// How many events are in a class, and how many of them were bad (spans with status error; 0 for
/// metrics and logs).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// All events of the class.
    pub total: u64,
    /// Those of them that were bad.
    pub bad: u64,
}

/// Every received event is in exactly one of `counted`, `duplicate`, `late`, `future`, `invalid`
/// and `unsupported`, which sum to `received`. Metric points are received when decoded and classed
/// when absorbed, so that only the sum of both steps is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// Everything that arrived.
    pub received: Class,
    /// Taken into account.
    pub counted: Class,
    /// Metric points that repeat, or are older than, what is already counted: they add nothing and
    /// are no loss.
    pub duplicate: Class,
    /// Rejected: older than the accepted lateness.
    pub late: Class,
    /// Rejected: further in the future than a skewed clock explains.
    pub future: Class,
    /// Rejected: not usable as it is (ids, times, values).
    pub invalid: Class,
    /// Rejected: of a kind that is not measured (summaries, delta sums that may fall).
    pub unsupported: Class,
    /// Of the counted ones: a little in the future, taken as now.
    pub clamped: Class,
    /// Of the counted ones: in an overflow series.
    pub overflowed: Class,
    /// Of the counted ones: first points of a running total, remembered as its base and worth 0.
    pub baseline: Class,
}

/// What went wrong, by kind, with one example of each: bounded, whatever the request held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    kinds: Vec<Problem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    kind: &'static str,
    times: u64,
    example: String,
}

/// Kinds of problems told in one answer.
const MAX_KINDS: usize = 16;
/// Bytes of one example.
const MAX_EXAMPLE_BYTES: usize = 200;

impl Class {
    pub(crate) fn note(&mut self, bad: bool) {
        self.total += 1;
        self.bad += u64::from(bad);
    }

    fn plus(self, other: Class) -> Result<Class, CountOverflow> {
        Ok(Class {
            total: self.total.checked_add(other.total).ok_or(CountOverflow)?,
            bad: self.bad.checked_add(other.bad).ok_or(CountOverflow)?,
        })
    }
}

impl Classes {
    /// Events that were rejected and will never be counted: what partial success reports.
    pub fn rejected(&self) -> u64 {
        [self.late, self.future, self.invalid, self.unsupported]
            .iter()
            .map(|class| class.total)
            .sum()
    }

    /// Every class with its name, in a fixed order: for `/metrics` and the debug page.
    pub fn named(&self) -> [(&'static str, Class); 10] {
        [
            ("received", self.received),
            ("counted", self.counted),
            ("duplicate", self.duplicate),
            ("late", self.late),
            ("future", self.future),
            ("invalid", self.invalid),
            ("unsupported", self.unsupported),
            ("clamped", self.clamped),
            ("overflowed", self.overflowed),
            ("baseline", self.baseline),
        ]
    }

    /// The inverse of [`named`](Classes::named): asks for each class by its name.
    pub fn from_named(class: impl Fn(&str) -> Class) -> Classes {
        let mut classes = Classes::default();
        let names = classes.named().map(|(name, _)| name);
        for (place, name) in classes.each_mut().into_iter().zip(names) {
            *place = class(name);
        }
        classes
    }

    /// Adds the other's counts. On overflow nothing is changed.
    pub fn merge(&mut self, other: &Classes) -> Result<(), CountOverflow> {
        let mut sum = *self;
        for (class, (_, more)) in sum.each_mut().into_iter().zip(other.named()) {
            *class = class.plus(more)?;
        }
        *self = sum;
        Ok(())
    }

    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        for (_, class) in self.named() {
            put_varint(out, class.total);
            put_varint(out, class.bad);
        }
    }

    pub(crate) fn decode_from(reader: &mut Reader<'_>) -> Result<Classes, CodecError> {
        let mut classes = Classes::default();
        for class in classes.each_mut() {
            *class = Class {
                total: reader.varint()?,
                bad: reader.varint()?,
            };
            if class.bad > class.total {
                return Err(CodecError::Invalid("class"));
            }
        }
        Ok(classes)
    }

    fn each_mut(&mut self) -> [&mut Class; 10] {
        [
            &mut self.received,
            &mut self.counted,
            &mut self.duplicate,
            &mut self.late,
            &mut self.future,
            &mut self.invalid,
            &mut self.unsupported,
            &mut self.clamped,
            &mut self.overflowed,
            &mut self.baseline,
        ]
    }
}

impl Problems {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Adds the other's problems; the first example of each kind stays.
    pub fn merge(&mut self, other: &Problems) {
        for problem in &other.kinds {
            self.note_many(problem.kind, problem.times, || problem.example.clone());
        }
    }

    pub(crate) fn note(&mut self, kind: &'static str, example: impl FnOnce() -> String) {
        self.note_many(kind, 1, example);
    }

    fn note_many(&mut self, kind: &'static str, times: u64, example: impl FnOnce() -> String) {
        if let Some(known) = self.kinds.iter_mut().find(|known| known.kind == kind) {
            known.times = known.times.saturating_add(times);
        } else if self.kinds.len() < MAX_KINDS {
            let mut example = example();
            example.truncate(example.floor_char_boundary(MAX_EXAMPLE_BYTES));
            self.kinds.push(Problem {
                kind,
                times,
                example,
            });
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.kinds.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{}", problem.kind)?;
            if problem.times > 1 {
                write!(f, " ({} times)", problem.times)?;
            }
            if !problem.example.is_empty() {
                write!(f, ": {}", problem.example)?;
            }
        }
        Ok(())
    }
}
