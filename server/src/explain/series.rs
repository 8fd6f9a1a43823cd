//! Which series an objective counts, and what each of them adds.

use std::collections::BTreeMap;

use collector::{AttributeValue, Known, Pack, SeriesId, SeriesKey, Signal, SpanKind, SpanStatus};
use slo_specs::{Catalog, Counted, Indicator, Tally};

use super::Explanation;
use super::result::{Counts, Series};
use crate::sli::{Index, tally};

/// Series told one by one.
const MOST_TOLD: usize = 20;

/// Sums by indicator and series.
#[derive(Debug)]
pub(super) struct Sums {
    index: Index,
    sums: BTreeMap<(usize, SeriesId), Tally>,
}

impl Sums {
    /// Of the one objective in the catalog.
    pub(super) fn new(catalog: &Catalog) -> Sums {
        Sums {
            index: Index::new(catalog),
            sums: BTreeMap::new(),
        }
    }

    /// Counts a stored slice.
    pub(super) fn add(&mut self, pack: &Pack, known: &Known) {
        for (series, measured) in &pack.series {
            let (roles, indicators) = self.index.counting(*series, known);
            for role in roles {
                let (_, indicator) = &indicators[role.indicator];
                let sum = self.sums.entry((role.indicator, *series)).or_default();
                *sum = sum.plus(tally(indicator, *role, measured));
            }
        }
    }

    /// Tells an explanation of them.
    pub(super) fn tell(&self, explanation: &mut Explanation, known: &Known) {
        let indicators = self.index.indicators();
        let counted = |place: usize| {
            let indicator = indicators.get(place).map(|(_, indicator)| indicator);
            indicator.map_or(Counted::Bad, Indicator::counted)
        };
        let mut all: Vec<Series> = self
            .sums
            .iter()
            .map(|((place, series), sum)| Series {
                name: known
                    .get(*series)
                    .map_or_else(String::new, |key| name(&key)),
                total: sum.total,
                selected: sum.bad,
                part: word(counted(*place)).to_owned(),
            })
            .collect();
        all.sort_by(|a, b| (b.total, b.selected, &a.name).cmp(&(a.total, a.selected, &b.name)));
        if indicators.len() == 1 {
            let sum = self.sums.values().copied().sum::<Tally>();
            explanation.series_sum = Some(Counts::from(resolved(counted(0), sum)));
        }
        let rest = all.split_off(all.len().min(MOST_TOLD));
        explanation.rest = rest.first().map(|first| Series {
            name: format!("{} more series", rest.len()),
            total: rest.iter().map(|one| one.total).sum(),
            selected: rest.iter().map(|one| one.selected).sum(),
            part: first.part.clone(),
        });
        explanation.series = all;
    }
}

/// What `bad` stands for: the good events are what a ratio of good ones selects.
fn resolved(counted: Counted, sum: Tally) -> Tally {
    let part = sum.bad.min(sum.total);
    let bad = match counted {
        Counted::Bad => part,
        Counted::Good => sum.total - part,
    };
    Tally { bad, ..sum }
}

fn word(counted: Counted) -> &'static str {
    match counted {
        Counted::Bad => "bad",
        Counted::Good => "good",
    }
}

/// `checkout server POST /cart error {http.route=/cart}`
fn name(key: &SeriesKey) -> String {
    let mut words = vec![key.service.to_string()];
    if key.signal == Signal::Spans {
        words.extend(kind(key.kind).map(str::to_owned));
    }
    words.push(key.shown_name().to_string());
    let status = match key.status {
        SpanStatus::Unset => None,
        SpanStatus::Ok => Some("ok"),
        SpanStatus::Error => Some("error"),
    };
    words.extend(status.map(str::to_owned));
    let attributes: Vec<String> = key
        .attributes
        .iter()
        .filter_map(|(name, _)| Some(format!("{name}={}", value(key.attribute(name)?))))
        .collect();
    if !attributes.is_empty() {
        words.push(format!("{{{}}}", attributes.join(", ")));
    }
    words.join(" ")
}

fn value(value: AttributeValue<'_>) -> String {
    match value {
        AttributeValue::Text(text) => text.to_owned(),
        AttributeValue::Bool(flag) => flag.to_string(),
        AttributeValue::Int(number) => number.to_string(),
        AttributeValue::Double(number) => number.to_string(),
    }
}

fn kind(kind: SpanKind) -> Option<&'static str> {
    match kind {
        SpanKind::Unspecified => None,
        SpanKind::Internal => Some("internal"),
        SpanKind::Server => Some("server"),
        SpanKind::Client => Some("client"),
        SpanKind::Producer => Some("producer"),
        SpanKind::Consumer => Some("consumer"),
    }
}
