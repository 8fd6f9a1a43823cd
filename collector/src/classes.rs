//! Classes: where every received span, point and record went, and the problems worth telling the
//! sender.

use std::fmt;

use crate::codec::{CodecError, CountOverflow, Reader, put_varint};
use crate::decode::Kind;

/// How many events are in a class, and how many of them were bad (spans with status error; 0 for
/// metrics and logs).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// All events of the class.
    pub total: u64,
    /// Those of them that were bad.
    pub bad: u64,
}

/// Every received event is in exactly one of `counted`, `unmatched`, `duplicate`, `late`, `future`,
/// `invalid`, `unsupported` and `shed`, which sum to `received`. Metric points are received when
/// decoded and classed when absorbed, so that only the sum of both steps is complete; what no
/// objective uses is known to the server alone, which moves it with [`Classes::leave_unmatched`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// Everything that arrived.
    pub received: Class,
    /// Taken into account.
    pub counted: Class,
    /// Measured and stored, but no objective uses it.
    pub unmatched: Class,
    /// What is already counted: spans and points of a request that came again, and metric points
    /// that repeat, or are older than, what is known. They add nothing and are no loss.
    pub duplicate: Class,
    /// Rejected: older than the accepted lateness.
    pub late: Class,
    /// Rejected: further in the future than a skewed clock explains.
    pub future: Class,
    /// Rejected: not usable as it is (ids, times, values).
    pub invalid: Class,
    /// Rejected: of a kind that is not measured (summaries, delta sums that may fall).
    pub unsupported: Class,
    /// Refused for now, with its whole request: the sender was told to send it again.
    pub shed: Class,
    /// Of the measured ones: a little in the future, taken as now.
    pub clamped: Class,
    /// Of the measured ones: in an overflow series.
    pub overflowed: Class,
    /// Of the measured ones: first points of a running total, remembered as its base and worth 0.
    pub baseline: Class,
    /// Of the measured ones: known to be sampled, but not by how much; each counts once.
    pub unweighted: Class,
}

/// Classes that what was received is divided into; the notes follow them in [`Classes::named`].
const DIVIDING: usize = 9;
const NAMES: [&str; 13] = [
    "received",
    "counted",
    "unmatched",
    "duplicate",
    "late",
    "future",
    "invalid",
    "unsupported",
    "shed",
    "clamped",
    "overflowed",
    "baseline",
    "unweighted",
];

/// The classes of each signal: a span and a metric point are never added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Spans.
    pub spans: Classes,
    /// Metric points.
    pub points: Classes,
    /// Log records.
    pub records: Classes,
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
            .fold(0, u64::saturating_add)
    }

    /// Every class and note with its name, in a fixed order.
    pub fn named(&self) -> [(&'static str, Class); 13] {
        let mut all = *self;
        let classes = all.each_mut().map(|class| *class);
        std::array::from_fn(|at| (NAMES[at], classes[at]))
    }

    /// The classes that `received` is divided into, with their names, in a fixed order.
    pub fn divided(&self) -> impl Iterator<Item = (&'static str, Class)> {
        self.named().into_iter().take(DIVIDING).skip(1)
    }

    /// What is said of events beside their class, with its name, in a fixed order.
    pub fn notes(&self) -> impl Iterator<Item = (&'static str, Class)> {
        self.named().into_iter().skip(DIVIDING)
    }

    /// The inverse of [`named`](Classes::named): asks for each class by its name.
    pub fn from_named(class: impl Fn(&str) -> Class) -> Classes {
        let mut classes = Classes::default();
        for (place, name) in classes.each_mut().into_iter().zip(NAMES) {
            *place = class(name);
        }
        classes
    }

    /// Events of one class alone: what a request that came again, or was refused, holds.
    #[must_use]
    pub fn all_duplicate(&self) -> Classes {
        Classes {
            received: self.received,
            duplicate: self.received,
            ..Classes::default()
        }
    }

    /// The same for a request that was refused for now.
    #[must_use]
    pub fn all_shed(&self) -> Classes {
        Classes {
            received: self.received,
            shed: self.received,
            ..Classes::default()
        }
    }

    /// Moves counted events that no objective uses; never more than are counted.
    pub fn leave_unmatched(&mut self, unused: Class) {
        let bad = unused.bad.min(self.counted.bad);
        let good = unused.total.saturating_sub(unused.bad);
        let total = bad + good.min(self.counted.total - self.counted.bad);
        self.counted.total -= total;
        self.counted.bad -= bad;
        self.unmatched.total += total;
        self.unmatched.bad += bad;
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

    /// Those that are not empty, each with its number: new kinds can be added at the end.
    fn encode_into(&self, out: &mut Vec<u8>) {
        let numbered = self.named().into_iter().zip(0_u64..);
        let filled = || numbered.clone().filter(|((_, class), _)| class.total > 0);
        put_varint(out, filled().count() as u64);
        for ((_, class), number) in filled() {
            put_varint(out, number);
            put_varint(out, class.total);
            put_varint(out, class.bad);
        }
    }

    fn decode_from(reader: &mut Reader<'_>) -> Result<Classes, CodecError> {
        let mut classes = Classes::default();
        for _ in 0..reader.length()? {
            let number: usize = reader.small()?;
            let class = Class {
                total: reader.varint()?,
                bad: reader.varint()?,
            };
            let place = classes.each_mut().into_iter().nth(number);
            match place {
                Some(place) if class.bad <= class.total => *place = class,
                _ => return Err(CodecError::Invalid("class")),
            }
        }
        Ok(classes)
    }

    fn each_mut(&mut self) -> [&mut Class; 13] {
        [
            &mut self.received,
            &mut self.counted,
            &mut self.unmatched,
            &mut self.duplicate,
            &mut self.late,
            &mut self.future,
            &mut self.invalid,
            &mut self.unsupported,
            &mut self.shed,
            &mut self.clamped,
            &mut self.overflowed,
            &mut self.baseline,
            &mut self.unweighted,
        ]
    }
}

impl Ledger {
    /// The classes of one signal alone.
    pub fn of(kind: Kind, classes: Classes) -> Ledger {
        let mut ledger = Ledger::default();
        *ledger.signal_mut(kind) = classes;
        ledger
    }

    /// The classes of a signal.
    pub fn signal(&self, kind: Kind) -> &Classes {
        match kind {
            Kind::Traces => &self.spans,
            Kind::Metrics => &self.points,
            Kind::Logs => &self.records,
        }
    }

    /// As [`Ledger::signal`], to change.
    pub fn signal_mut(&mut self, kind: Kind) -> &mut Classes {
        match kind {
            Kind::Traces => &mut self.spans,
            Kind::Metrics => &mut self.points,
            Kind::Logs => &mut self.records,
        }
    }

    /// Every signal with the name of its items, in a fixed order.
    pub fn named(&self) -> [(&'static str, &Classes); 3] {
        [
            ("spans", &self.spans),
            ("points", &self.points),
            ("records", &self.records),
        ]
    }

    /// Spans, points and records that were received.
    pub fn received(&self) -> u64 {
        self.named().iter().map(|(_, of)| of.received.total).sum()
    }

    /// Those of them that were rejected for good.
    pub fn rejected(&self) -> u64 {
        self.named().iter().map(|(_, of)| of.rejected()).sum()
    }

    /// Whether nothing was received.
    pub fn is_empty(&self) -> bool {
        self.received() == 0
    }

    /// Adds the other's counts. On overflow nothing is changed.
    pub fn merge(&mut self, other: &Ledger) -> Result<(), CountOverflow> {
        let mut sum = *self;
        sum.spans.merge(&other.spans)?;
        sum.points.merge(&other.points)?;
        sum.records.merge(&other.records)?;
        *self = sum;
        Ok(())
    }

    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        for (_, classes) in self.named() {
            classes.encode_into(out);
        }
    }

    pub(crate) fn decode_from(reader: &mut Reader<'_>) -> Result<Ledger, CodecError> {
        Ok(Ledger {
            spans: Classes::decode_from(reader)?,
            points: Classes::decode_from(reader)?,
            records: Classes::decode_from(reader)?,
        })
    }

    /// Reads the first form: one row of ten classes for all signals, told as spans.
    pub(crate) fn decode_undivided(reader: &mut Reader<'_>) -> Result<Ledger, CodecError> {
        let mut spans = Classes::default();
        for place in [
            &mut spans.received,
            &mut spans.counted,
            &mut spans.duplicate,
            &mut spans.late,
            &mut spans.future,
            &mut spans.invalid,
            &mut spans.unsupported,
            &mut spans.clamped,
            &mut spans.overflowed,
            &mut spans.baseline,
        ] {
            *place = Class {
                total: reader.varint()?,
                bad: reader.varint()?,
            };
            if place.bad > place.total {
                return Err(CodecError::Invalid("class"));
            }
        }
        Ok(Ledger::of(Kind::Traces, spans))
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
