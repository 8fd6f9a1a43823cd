//! Indicators: which events count, and which of them are good.

use crate::{Combine, Counted, Ratio, Selector, Signal};

/// A weight of 1.
pub(crate) const WEIGHT_UNITS: u64 = 1_000_000;

/// What an objective counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Indicator {
    /// Good (or bad) events over all events.
    Ratio {
        /// Which events are good, or which are bad.
        part: Part,
        /// All events.
        total: Selector,
    },
    /// Events whose value holds against a bound: `value op bound` is good.
    Threshold {
        /// Which events.
        of: Selector,
        /// How the value is compared.
        op: Op,
        /// Milliseconds for spans, the metric's own unit for metrics.
        bound: f64,
    },
    /// Several indicators together.
    Composite(Composite),
}

/// Several indicators that are judged together, slice by slice.
#[derive(Clone, Debug, PartialEq)]
pub struct Composite {
    /// What they make together.
    pub combine: Combine,
    /// At least one; none of them is a composite itself.
    pub parts: Vec<CompositePart>,
}

/// One of the indicators of a composite.
#[derive(Clone, Debug, PartialEq)]
pub struct CompositePart {
    /// What it counts.
    pub indicator: Indicator,
    /// How much it weighs beside the others, in millionths.
    pub weight: u64,
    /// What it promises by itself.
    pub target: Ratio,
}

/// The part of a ratio that is selected; the other is what remains of the total.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Selects the good events.
    Good(Selector),
    /// Selects the bad events.
    Bad(Selector),
}

/// How a value is compared with a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Below.
    Lt,
    /// At or below.
    Lte,
    /// Above.
    Gt,
    /// At or above.
    Gte,
}

/// Names an indicator by what it counts: equal indicators of different objectives have the same,
/// in every version and on every machine. Tallies are stored under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl CompositePart {
    /// Its weight as it was written.
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    pub fn written_weight(&self) -> f64 {
        self.weight as f64 / WEIGHT_UNITS as f64
    }
}

impl Indicator {
    /// First eight bytes of the BLAKE3 hash of the canonical form.
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint_of(&self.canonical())
    }

    /// The indicators whose events are counted: itself, or the parts of a composite.
    pub fn leaves(&self) -> impl Iterator<Item = &Indicator> {
        let (own, parts) = match self {
            Self::Ratio { .. } | Self::Threshold { .. } => (Some(self), [].as_slice()),
            Self::Composite(composite) => (None, composite.parts.as_slice()),
        };
        own.into_iter()
            .chain(parts.iter().map(|part| &part.indicator))
    }

    /// Every selector of the indicator: the total or the measured events first.
    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        self.leaves().flat_map(|leaf| {
            let (first, second) = match leaf {
                Self::Ratio {
                    part: Part::Good(part) | Part::Bad(part),
                    total,
                } => (Some(total), Some(part)),
                Self::Threshold { of, .. } => (Some(of), None),
                Self::Composite(_) => (None, None),
            };
            first.into_iter().chain(second)
        })
    }

    /// The signal that the indicator's total is counted from; of a composite, its first part's.
    pub fn signal(&self) -> Signal {
        let first = self.selectors().next();
        first.map_or(Signal::Traces, |selector| selector.signal)
    }

    /// Which events are counted beside all: those that the part of a ratio selects.
    pub fn counted(&self) -> Counted {
        match self {
            Self::Ratio {
                part: Part::Good(_),
                ..
            } => Counted::Good,
            Self::Ratio {
                part: Part::Bad(_), ..
            }
            | Self::Threshold { .. }
            | Self::Composite(_) => Counted::Bad,
        }
    }

    fn canonical(&self) -> String {
        match self {
            Self::Ratio {
                part: Part::Good(good),
                total,
            } => {
                format!("v1 good({}) total({})", good.canonical(), total.canonical())
            }
            Self::Ratio {
                part: Part::Bad(bad),
                total,
            } => {
                format!("v1 bad({}) total({})", bad.canonical(), total.canonical())
            }
            Self::Threshold { of, op, bound } => {
                format!(
                    "v1 threshold({}) {} {:016x}",
                    of.canonical(),
                    op.name(),
                    bound.to_bits()
                )
            }
            Self::Composite(Composite { combine, parts }) => {
                let parts = parts.iter().map(|part| part.indicator.canonical());
                let parts: Vec<String> = parts.collect();
                format!("v1 {}({})", combine.name(), parts.join(", "))
            }
        }
    }
}

/// First eight bytes of the BLAKE3 hash of a canonical form.
pub(crate) fn fingerprint_of(canonical: &str) -> Fingerprint {
    let hash = blake3::hash(canonical.as_bytes());
    let (head, _) = hash
        .as_bytes()
        .split_first_chunk::<8>()
        .unwrap_or((&[0; 8], &[]));
    Fingerprint(u64::from_le_bytes(*head))
}

impl Op {
    /// OpenSLO's word: `lt`, `lte`, `gt`, `gte`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::Gt => "gt",
            Self::Gte => "gte",
        }
    }

    /// Whether `value op bound` holds. False when either is not a number.
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Lt => value < bound,
            Self::Lte => value <= bound,
            Self::Gt => value > bound,
            Self::Gte => value >= bound,
        }
    }

    /// Whether a count of the values `≤ bound` (true) or `< bound` (false) decides this op.
    pub fn counts_inclusive(self) -> bool {
        matches!(self, Self::Lte | Self::Gt)
    }

    /// Whether the values within the bound are the good ones; else those beyond it are.
    pub fn good_is_within(self) -> bool {
        matches!(self, Self::Lt | Self::Lte)
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
