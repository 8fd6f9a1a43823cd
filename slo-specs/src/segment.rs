//! Segments: one budget and one set of rules for each region, customer or version that is seen.
//!
//! A segment is an objective like any other, whose selectors ask for its values as well. Which values
//! there are, telemetry tells: so the catalog as written is expanded with the values seen so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::{
    Catalog, Combine, Composite, CompositePart, Indicator, Matcher, Objective, Part, Scalar,
    Selector, Test,
};

/// Segments that are told apart unless the SLO says otherwise; what is seen later is in the rest.
const LIMIT: usize = 50;
/// The most that an SLO can ask for.
pub(crate) const MOST: usize = 1_000;
/// Longest part of an id that is made from values.
const MAX_SLUG: usize = 60;

/// How an objective's segments are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segmentation {
    /// Segments of one key that are told apart; all others together are the rest.
    pub limit: usize,
    /// Whose rules alert.
    pub alerts: SegmentAlerts,
}

/// Whose rules alert: the whole objective's, its segments', or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SegmentAlerts {
    /// The whole's and each segment's.
    #[default]
    Both,
    /// The whole's only; segments have budgets.
    Total,
    /// Each segment's only.
    Segments,
}

/// Which part of another objective one is.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Id of the objective it is a part of.
    pub of: String,
    /// The attribute keys, joined by `+`, as the SLO names them.
    pub by: String,
    /// The values of its keys; none for the rest.
    pub values: Option<SegmentValues>,
}

/// A value for each key, as text: the number 500 and the text `500` are one segment. `None` where the attribute is
/// missing.
pub type SegmentValues = Vec<Option<String>>;

/// The values that were seen, by objective and keys, in the order in which they were first seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeenSegments {
    /// Each with its place in the order of all.
    seen: BTreeMap<(String, String), Vec<(usize, SegmentValues)>>,
    /// How many there are of all objectives.
    count: usize,
}

impl Default for Segmentation {
    fn default() -> Self {
        Self {
            limit: LIMIT,
            alerts: SegmentAlerts::Both,
        }
    }
}

impl SeenSegments {
    /// Notes values; whether they are new and still have room: one beyond the limit tells that there is a rest.
    pub fn note(&mut self, objective: &Objective, by: &str, values: SegmentValues) -> bool {
        let key = (objective.id.clone(), by.to_owned());
        let seen = self.seen.entry(key).or_default();
        let is_known = seen.iter().any(|(_, known)| *known == values);
        let is_new = seen.len() <= objective.segmentation.limit && !is_known;
        if is_new {
            seen.push((self.count, values));
            self.count += 1;
        }
        is_new
    }

    /// The values of an objective's keys, in the order in which they were first seen.
    fn of(&self, objective: &Objective, by: &str) -> &[(usize, SegmentValues)] {
        let key = (objective.id.clone(), by.to_owned());
        self.seen.get(&key).map_or(&[], Vec::as_slice)
    }
}

impl Catalog {
    /// The catalog with an objective for every segment seen. Sorted as before.
    #[must_use]
    pub fn with_segments(&self, seen: &SeenSegments) -> Catalog {
        let mut catalog = self.clone();
        let mut ids: BTreeSet<String> = self.objectives.iter().map(|one| one.id.clone()).collect();
        for objective in &mut catalog.objectives {
            if !objective.segments.is_empty()
                && objective.segmentation.alerts == SegmentAlerts::Segments
            {
                objective.rules.clear();
                objective.allowances.clear();
            }
        }
        let mut all = Vec::new();
        for objective in &self.objectives {
            for by in &objective.segments {
                all.extend(segments(objective, by, seen.of(objective, by)));
            }
        }
        // An id goes to whoever was seen first: alerts and history are kept under it.
        all.sort_by_key(|(order, _)| *order);
        for (_, mut segment) in all {
            let applying = self.corrections.iter().filter(|one| one.applies(&segment));
            segment.corrections = applying.map(Arc::clone).collect();
            segment.id = free(segment.id, &ids);
            ids.insert(segment.id.clone());
            catalog.objectives.push(segment);
        }
        catalog.objectives.sort_by(|a, b| a.id.cmp(&b.id));
        catalog
    }
}

/// The keys of a segmentation: several are told apart together.
pub fn segment_keys(by: &str) -> impl Iterator<Item = &str> {
    by.split('+')
}

/// Each with its place in the order in which they were seen; the rest has that of the first value in it.
fn segments(
    objective: &Objective,
    by: &str,
    seen: &[(usize, SegmentValues)],
) -> Vec<(usize, Objective)> {
    let apart = seen.iter().take(objective.segmentation.limit);
    let mut segments: Vec<(usize, Objective)> = apart
        .map(|(order, values)| {
            let indicator = narrowed(&objective.indicator, by, values);
            let segment = segment(objective, by, Some(values.clone()), indicator);
            (*order, segment)
        })
        .collect();
    if let Some((order, _)) = seen.get(objective.segmentation.limit) {
        let whole = std::iter::once(&objective.indicator);
        let parts = whole.chain(segments.iter().map(|(_, segment)| &segment.indicator));
        let parts = parts.map(|indicator| CompositePart {
            indicator: indicator.clone(),
            weight: 1,
            target: objective.target,
        });
        let rest = Indicator::Composite(Composite {
            combine: Combine::Rest,
            parts: parts.collect(),
        });
        segments.push((*order, segment(objective, by, None, rest)));
    }
    segments
}

fn segment(
    objective: &Objective,
    by: &str,
    values: Option<SegmentValues>,
    indicator: Indicator,
) -> Objective {
    let part = Segment {
        of: objective.id.clone(),
        by: by.to_owned(),
        values,
    };
    let mut segment = Objective {
        id: format!("{}.{}", objective.id, slug(by, &part.words())),
        title: format!("{}: {}", objective.title, part.named()),
        indicator,
        segments: Vec::new(),
        segment: Some(part),
        ..objective.clone()
    };
    if objective.segmentation.alerts == SegmentAlerts::Total {
        segment.rules.clear();
        segment.allowances.clear();
    }
    segment
}

impl Segment {
    /// The value of one of its keys in words, `none` where the attribute is missing; nothing of the rest.
    pub fn value_of(&self, key: &str) -> Option<String> {
        let values = self.values.as_ref()?;
        let mut pairs = segment_keys(&self.by).zip(values);
        pairs
            .find(|(name, _)| *name == key)
            .map(|(_, value)| word(value.as_ref()))
    }

    /// `eu-west`, `eu-west, gold`, `none` where the attribute is missing, `rest`.
    pub fn words(&self) -> String {
        let Some(values) = &self.values else {
            return "rest".to_owned();
        };
        let words = values.iter().map(|value| word(value.as_ref()));
        words.collect::<Vec<_>>().join(", ")
    }

    /// The same with its keys, so that it can be read alone: `cloud.region = eu-west`, `no cloud.region` where the
    /// attribute is missing, `rest by cloud.region`.
    pub fn named(&self) -> String {
        let Some(values) = &self.values else {
            let keys: Vec<_> = segment_keys(&self.by).collect();
            return format!("rest by {}", keys.join(", "));
        };
        let pairs = segment_keys(&self.by).zip(values);
        let named = pairs.map(|(key, value)| match value {
            Some(value) => format!("{key} = {value}"),
            None => format!("no {key}"),
        });
        named.collect::<Vec<_>>().join(", ")
    }
}

fn word(value: Option<&String>) -> String {
    value.map_or_else(|| "none".to_owned(), String::clone)
}

/// An indicator that counts only what has these values.
fn narrowed(indicator: &Indicator, by: &str, values: &SegmentValues) -> Indicator {
    let mut narrow = indicator.clone();
    for selector in narrow.selectors_mut() {
        for (key, value) in segment_keys(by).zip(values) {
            let test = match value {
                Some(value) => Test::In(vec![Scalar::Text(value.clone())]),
                None => Test::Exists(false),
            };
            let key = key.to_owned();
            selector.matchers.push(Matcher { key, test });
        }
        selector.matchers.sort_by(|a, b| a.key.cmp(&b.key));
    }
    narrow
}

/// Fit for an address: letters, digits, hyphens; what is cut or changed is told apart by a hash.
fn slug(by: &str, name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let plain: String = name
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .take(MAX_SLUG)
        .collect();
    if plain == name {
        return plain;
    }
    let hash = blake3::hash(format!("{by}\0{name}").as_bytes()).to_hex();
    let hash: String = hash.chars().take(6).collect();
    format!("{}-{hash}", plain.trim_matches('-'))
}

/// An id that nobody has.
fn free(id: String, taken: &BTreeSet<String>) -> String {
    if !taken.contains(&id) {
        return id;
    }
    let numbered = (2_u32..).map(|number| format!("{id}-{number}"));
    numbered
        .into_iter()
        .find(|id| !taken.contains(id))
        .unwrap_or(id)
}

impl Indicator {
    /// Every selector, to be changed.
    fn selectors_mut(&mut self) -> Vec<&mut Selector> {
        match self {
            Self::Ratio {
                part: Part::Good(part) | Part::Bad(part),
                total,
            } => vec![total, part],
            Self::Threshold { of, .. } => vec![of],
            Self::Composite(composite) => {
                let parts = composite.parts.iter_mut();
                parts
                    .flat_map(|part| part.indicator.selectors_mut())
                    .collect()
            }
        }
    }
}
