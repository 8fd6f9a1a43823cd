//! What an objective's budget is counted from: its indicator's events as they are, or a timeline
//! derived from them by time slices, corrections and composition.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::budgeting::{SLICE_UNITS, share};
use crate::indicator::fingerprint_of;
use crate::{
    Composite, CompositePart, Correction, Counted, EmptySlice, Fingerprint, Indicator, Objective,
    Ratio, Slicing, Tally, Timeline, excluded,
};

/// Seconds of an hour.
const HOUR_S: i64 = 3_600;

/// What an objective's budget is counted from.
///
/// The plain case is a single indicator whose events are counted as they are; then the account *is*
/// the indicator's timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The timelines it is made from.
    pub parts: Vec<AccountPart>,
    /// What several parts make together.
    pub combine: Combine,
    /// How time is cut, if it is.
    pub slicing: Option<Slicing>,
    /// What is left out of it.
    pub corrections: Vec<Arc<Correction>>,
}

/// How much of an hour's steps corrections leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LeftOut {
    /// None of them, not even in part.
    Nothing,
    /// Some of them, or parts.
    Part,
    /// All of the hour.
    Whole,
}

/// One of an account's timelines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AccountPart {
    /// The indicator's events.
    pub of: Fingerprint,
    /// Which events are counted beside all.
    pub counted: Counted,
    /// How much it weighs.
    pub weight: u64,
    /// What it promises by itself.
    pub target: Ratio,
}

/// What several indicators make together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Combine {
    /// There is one only.
    #[default]
    Single,
    /// The mean of the parts' error ratios by weight, slice by slice, over the parts that have
    /// events in it.
    Weighted,
    /// The largest of the parts' error ratios, slice by slice.
    Worst,
    /// A slice is good when every part that has events in it keeps its own target there.
    All,
    /// The first less the others: what remains of all events beyond the segments that are told apart.
    Rest,
}

impl Objective {
    /// What its budget is counted from.
    pub fn account(&self) -> Account {
        let (combine, parts) = match &self.indicator {
            Indicator::Composite(Composite { combine, parts }) => {
                let part = |part: &CompositePart| {
                    AccountPart::of(&part.indicator, part.weight, part.target)
                };
                (*combine, parts.iter().map(part).collect())
            }
            single => (
                Combine::Single,
                vec![AccountPart::of(single, 1, self.target)],
            ),
        };
        Account {
            parts,
            combine,
            slicing: self.budgeting.slicing(),
            corrections: self.corrections.clone(),
        }
    }

    /// Names the timeline that its budget is counted from.
    pub fn tallied(&self) -> Fingerprint {
        self.account().fingerprint()
    }
}

impl Combine {
    /// As an annotation says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Weighted => "weighted",
            Self::Worst => "worst-of",
            Self::All => "all-of",
            Self::Rest => "rest",
        }
    }
}

impl Account {
    /// Whether the indicator's own timeline is the account.
    pub fn is_plain(&self) -> bool {
        self.combine == Combine::Single && self.slicing.is_none() && self.corrections.is_empty()
    }

    /// Whether a slice without events counts for something.
    pub fn counts_silence(&self) -> bool {
        let empty = self.slicing.map(|slicing| slicing.empty);
        empty.is_some_and(|empty| empty != EmptySlice::Unmeasured)
    }

    /// The same without corrections, if it has any: what the number would be without them.
    pub fn uncorrected(&self) -> Option<Self> {
        (!self.corrections.is_empty()).then(|| Self {
            corrections: Vec::new(),
            ..self.clone()
        })
    }

    /// Whether corrections leave out a part of the hour, so that its sum alone would not tell what is left.
    pub fn splits_hour(&self, hour_end: i64) -> bool {
        self.leaves_out(hour_end) == LeftOut::Part
    }

    /// How much of the steps that lie in an hour, be it in part, is left out.
    pub(crate) fn leaves_out(&self, hour_end: i64) -> LeftOut {
        if self.corrections.is_empty() {
            return LeftOut::Nothing;
        }
        let length = self.slicing.map_or(HOUR_S, |slicing| slicing.length_s());
        // Slices that reach over the ends of an hour.
        let reach = match (HOUR_S % length, length % HOUR_S) {
            (0, _) | (_, 0) => 0,
            _ => length,
        };
        let (from, to) = (hour_end - HOUR_S - reach, hour_end + reach);
        match *excluded(&self.corrections, from, to) {
            [] => LeftOut::Nothing,
            [span] if span == (from, to) => LeftOut::Whole,
            _ => LeftOut::Part,
        }
    }

    /// Names the account: tallies are stored under it.
    pub fn fingerprint(&self) -> Fingerprint {
        match self.parts.first() {
            Some(part) if self.is_plain() => part.of,
            _ => fingerprint_of(&self.canonical()),
        }
    }

    fn canonical(&self) -> String {
        let mut text = format!("account v1 {}", self.combine.name());
        for part in &self.parts {
            let AccountPart {
                of, weight, target, ..
            } = part;
            let (numerator, denominator) = (target.numerator(), target.denominator());
            let written = match self.combine {
                Combine::Single | Combine::Rest | Combine::Worst => write!(text, " {of}"),
                Combine::Weighted => write!(text, " {of}*{weight}"),
                Combine::All => write!(text, " {of}>={numerator}/{denominator}"),
            };
            debug_assert!(written.is_ok(), "a string takes everything");
        }
        if let Some(slicing) = self.slicing {
            text.push(' ');
            text.push_str(&slicing.canonical());
        }
        let corrections = self.corrections.iter().map(|one| one.canonical());
        let corrections: BTreeSet<String> = corrections.collect();
        for correction in corrections {
            text.push_str(" without ");
            text.push_str(&correction);
        }
        text
    }

    /// What the events of some stretches of time add, for the step they are in; `None` without events.
    pub(crate) fn step(&self, of: &[&Timeline], spans: &[(i64, i64)]) -> Option<Tally> {
        let sum = |timeline: &&Timeline| -> Tally {
            let sums = spans
                .iter()
                .map(|(from, to)| timeline.sum_between(*from, *to));
            sums.sum()
        };
        let mut sums = of.iter().map(sum);
        let counted = self.parts.first()?.counted;
        let events = match self.combine {
            Combine::Single | Combine::Rest => {
                let all = sums.next()?;
                let sum = sums.fold(all, less);
                if self.slicing.is_none() {
                    return (sum != Tally::EMPTY).then_some(sum);
                }
                counted.tally(sum)
            }
            Combine::Weighted | Combine::Worst | Combine::All => {
                let parts = sums.zip(&self.parts);
                let parts = parts.map(|(sum, part)| (part.counted.tally(sum), part));
                self.composed(parts.filter(|(tally, _)| !tally.is_empty()))?
            }
        };
        match self.slicing {
            Some(slicing) => slicing.judge(events),
            None => Some(events),
        }
    }

    /// One slice of several parts: a share of it is bad.
    fn composed<'p>(&self, parts: impl Iterator<Item = (Tally, &'p AccountPart)>) -> Option<Tally> {
        let slices = parts.map(|(tally, part)| (self.part_of_slice(tally, part), part.weight));
        match self.combine {
            Combine::Weighted => mean(slices),
            Combine::Single | Combine::Rest | Combine::Worst | Combine::All => slices
                .map(|(slice, _)| slice)
                .max_by_key(|slice| (slice.bad, std::cmp::Reverse(slice.uncertain))),
        }
    }

    /// How bad a slice is by one part alone.
    fn part_of_slice(&self, tally: Tally, part: &AccountPart) -> Tally {
        let share_of = |events: u64| match self.combine {
            Combine::All if part.keeps(events, tally.total) => 0,
            Combine::All => SLICE_UNITS,
            _ => share(events, tally.total),
        };
        let bad = share_of(tally.bad);
        let surely = share_of(tally.bad.saturating_sub(tally.uncertain));
        Tally {
            total: SLICE_UNITS,
            bad,
            uncertain: bad - surely,
        }
    }
}

impl AccountPart {
    fn of(indicator: &Indicator, weight: u64, target: Ratio) -> Self {
        Self {
            of: indicator.fingerprint(),
            counted: indicator.counted(),
            weight,
            target,
        }
    }

    /// Whether it keeps its own target with so many bad events.
    fn keeps(&self, bad: u64, total: u64) -> bool {
        let budget = self.target.complement();
        u128::from(bad) * u128::from(budget.denominator())
            <= u128::from(total) * u128::from(budget.numerator())
    }
}

/// The mean of slices by weight, rounded half up.
fn mean(slices: impl Iterator<Item = (Tally, u64)>) -> Option<Tally> {
    let (mut weights, mut bad, mut uncertain) = (0_u128, 0_u128, 0_u128);
    for (slice, weight) in slices {
        let weight = u128::from(weight);
        weights += weight;
        bad += weight * u128::from(slice.bad);
        uncertain += weight * u128::from(slice.uncertain);
    }
    let rounded = |sum: u128| {
        let units = (sum * 2 + weights) / (weights * 2);
        u64::try_from(units).unwrap_or(SLICE_UNITS)
    };
    (weights > 0).then(|| Tally {
        total: SLICE_UNITS,
        bad: rounded(bad),
        uncertain: rounded(uncertain).min(rounded(bad)),
    })
}

fn less(all: Tally, part: Tally) -> Tally {
    Tally {
        total: all.total.saturating_sub(part.total),
        bad: all.bad.saturating_sub(part.bad),
        uncertain: all.uncertain.saturating_sub(part.uncertain),
    }
}
