//! Corrections: times that do not count, and why.

mod recurrence;
mod rule;

use std::sync::Arc;

pub use recurrence::Recurrence;
pub use rule::{Frequency, RepeatRule, RuleError, Until};

use crate::{Objective, Source};

/// A time that does not count for some objectives. Their raw counts are kept beside.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction {
    /// Unique among corrections.
    pub name: String,
    /// Display name, or else the name.
    pub title: String,
    /// Why it does not count.
    pub reason: String,
    /// Who says so.
    pub author: String,
    /// Whether alerts are held as well.
    pub kind: CorrectionKind,
    /// What it is about.
    pub scope: CorrectionScope,
    /// When.
    pub when: When,
    /// Where it is written.
    pub source: Source,
}

/// What a correction does beside not counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CorrectionKind {
    /// Work that was announced: no alert begins meanwhile.
    Maintenance,
    /// Nothing else: alerts go on.
    Exclusion,
}

/// Which objectives a correction is about: those that an SLO's or a service's name stands for, or all; of
/// them, where segments are named, only these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorrectionScope {
    /// Names of SLOs, or ids of single objectives.
    pub slos: Vec<String>,
    /// Names of services.
    pub services: Vec<String>,
    /// Attribute keys with the values whose segments it is about, `none` for a missing attribute: all must hold.
    pub segments: Vec<(String, Vec<String>)>,
}

/// When a correction is in force. Stretches are `(start, end]` in Unix seconds, as slices are.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// Once.
    Once {
        /// Where it begins.
        start_s: i64,
        /// Where it ends; after the start.
        end_s: i64,
    },
    /// Again and again.
    Recurring(Recurrence),
}

impl Correction {
    /// Whether an objective's counts leave its times out.
    pub fn applies(&self, objective: &Objective) -> bool {
        let CorrectionScope {
            slos,
            services,
            segments,
        } = &self.scope;
        let whole = objective.segment.as_ref().map(|segment| &segment.of);
        let named = |slo: &String| {
            *slo == objective.slo || *slo == objective.id || whole.is_some_and(|of| of == slo)
        };
        let all = slos.is_empty() && services.is_empty() && !segments.is_empty();
        let in_segment = |(key, values): &(String, Vec<String>)| {
            let segment = objective.segment.as_ref();
            let value = segment.and_then(|segment| segment.value_of(key));
            value.is_some_and(|value| values.contains(&value))
        };
        (all || slos.iter().any(named) || services.contains(&objective.service))
            && segments.iter().all(in_segment)
    }

    /// Its times within `(from, to]`, sorted; those of a rule may touch or overlap.
    pub fn spans(&self, from_s: i64, to_s: i64) -> Vec<(i64, i64)> {
        let whole = self.when.occurrences(from_s, to_s).into_iter();
        whole
            .map(|(start, end)| (start.max(from_s), end.min(to_s)))
            .collect()
    }

    /// The occurrence that the slice of this end is in.
    pub fn at(&self, slice_end: i64) -> Option<(i64, i64)> {
        let occurrences = self.when.occurrences(slice_end - 1, slice_end);
        occurrences.into_iter().max_by_key(|(_, end)| *end)
    }

    /// What it leaves out, in one line: equal for equal meaning, whoever wrote it for what reason.
    pub fn canonical(&self) -> String {
        match &self.when {
            When::Once { start_s, end_s } => format!("once {start_s} {end_s}"),
            When::Recurring(recurrence) => recurrence.canonical(),
        }
    }
}

impl Objective {
    /// The maintenance that holds its alerts at a tick, and the occurrence; the one that ends last.
    pub fn held_by(&self, tick_s: i64) -> Option<(&Correction, (i64, i64))> {
        let maintenance = self
            .corrections
            .iter()
            .filter(|correction| correction.kind == CorrectionKind::Maintenance);
        let in_force =
            maintenance.filter_map(|correction| Some((&**correction, correction.at(tick_s)?)));
        in_force.max_by_key(|(_, (_, end_s))| *end_s)
    }
}

impl When {
    /// Every occurrence that has a part within `(from, to]`, whole, by where they start.
    pub fn occurrences(&self, from_s: i64, to_s: i64) -> Vec<(i64, i64)> {
        let mut found = match self {
            Self::Once { start_s, end_s } => vec![(*start_s, *end_s)],
            Self::Recurring(recurrence) => recurrence.near(from_s, to_s),
        };
        found.retain(|(start, end)| *end > from_s && *start < to_s);
        found.sort_unstable();
        found
    }
}

impl CorrectionKind {
    /// `maintenance` or `exclusion`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::Exclusion => "exclusion",
        }
    }
}

/// What any of these corrections leaves out of `(from, to]`: sorted, apart from each other.
pub fn excluded(corrections: &[Arc<Correction>], from_s: i64, to_s: i64) -> Vec<(i64, i64)> {
    let spans = corrections
        .iter()
        .flat_map(|correction| correction.spans(from_s, to_s));
    merged(spans.collect())
}

/// Stretches that touch or overlap made into one.
pub(crate) fn merged(mut spans: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    spans.sort_unstable();
    let mut apart: Vec<(i64, i64)> = Vec::with_capacity(spans.len());
    for (start, end) in spans {
        match apart.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => apart.push((start, end)),
        }
    }
    apart
}
