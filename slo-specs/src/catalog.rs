//! The catalog: every objective that resolved, with the rules that judge it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::{
    Allowance, Budgeting, Correction, Indicator, Ratio, ReadAs, Rule, Segment, Segmentation,
    Selector, Signal, Window, segment_keys,
};

/// Everything that is promised.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    /// Sorted by id; ids are unique.
    pub objectives: Vec<Objective>,
    /// Sorted by name: those declared, and those that objectives name.
    pub services: Vec<Service>,
    /// Sorted by name; names are unique.
    pub corrections: Vec<Arc<Correction>>,
}

/// One promise: an indicator, a target and a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// The SLO's name; of several objectives in one SLO, `name.slug`.
    pub id: String,
    /// The SLO's name.
    pub slo: String,
    /// Display name, or else the id.
    pub title: String,
    /// May be empty.
    pub description: String,
    /// Name of the service it belongs to.
    pub service: String,
    /// Share of events that must be good.
    pub target: Ratio,
    /// The window the target is about.
    pub window: Window,
    /// What is counted.
    pub indicator: Indicator,
    /// In what the budget is counted.
    pub budgeting: Budgeting,
    /// What alerts, most severe first.
    pub rules: Vec<Rule>,
    /// What its error budget policy allows, the lowest mark first.
    pub allowances: Vec<Allowance>,
    /// Where to look when it burns.
    pub runbook: Option<String>,
    /// Attribute keys by which it is also judged apart; several joined by `+` are told apart together.
    pub segments: Vec<String>,
    /// How its segments are judged.
    pub segmentation: Segmentation,
    /// Which part of another objective it is.
    pub segment: Option<Segment>,
    /// `sloburn.dev/tier` of the SLO, or else of its service, such as `tier-1`.
    pub tier: Option<String>,
    /// Labels of the SLO; a label may have several values.
    pub labels: BTreeMap<String, Vec<String>>,
    /// Times that do not count, in the order of their names.
    pub corrections: Vec<Arc<Correction>>,
    /// Where it is written.
    pub source: Source,
}

/// Where an objective is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Path of the file.
    pub file: String,
    /// Line of the objective, from 1.
    pub line: u64,
    /// The document's text.
    pub text: String,
}

/// A service that objectives belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Name that objectives refer to.
    pub name: String,
    /// Display name, or else the name.
    pub title: String,
    /// May be empty.
    pub description: String,
    /// `sloburn.dev/tier`, such as `tier-1`.
    pub tier: Option<String>,
    /// Labels; a label may have several values.
    pub labels: BTreeMap<String, Vec<String>>,
}

/// A threshold that some objective declares, to be counted exactly at record time.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredThreshold {
    /// Metric name, or `None` for spans.
    pub metric: Option<String>,
    /// How the metric's points are read.
    pub read_as: ReadAs,
    /// Milliseconds for spans, the metric's own unit for metrics.
    pub bound: f64,
    /// Whether a value exactly on the bound counts as within.
    pub inclusive: bool,
}

impl Catalog {
    /// Attribute keys that any selector or segment names: sorted, unique, without `service.name`.
    pub fn dimensions(&self) -> Vec<String> {
        let mut keys: BTreeSet<&str> = BTreeSet::new();
        for objective in &self.objectives {
            keys.extend(objective.segments.iter().flat_map(|by| segment_keys(by)));
            for selector in objective.indicator.selectors() {
                keys.extend(selector.matchers.iter().map(|matcher| matcher.key.as_str()));
            }
        }
        keys.remove("service.name");
        keys.into_iter().map(str::to_owned).collect()
    }

    /// Thresholds that any objective declares: sorted, unique.
    pub fn thresholds(&self) -> Vec<DeclaredThreshold> {
        let mut found: Vec<DeclaredThreshold> = Vec::new();
        let objectives = self.objectives.iter();
        for leaf in objectives.flat_map(|objective| objective.indicator.leaves()) {
            if let Indicator::Threshold { of, op, bound } = leaf
                // Of the others all values are 0 or 1, and so is the bound.
                && matches!(of.read_as, ReadAs::AsSent | ReadAs::Age)
            {
                let metric = match of.signal {
                    Signal::Traces => None,
                    Signal::Metrics => of.metric.clone(),
                };
                found.push(DeclaredThreshold {
                    metric,
                    read_as: of.read_as,
                    bound: *bound,
                    inclusive: op.counts_inclusive(),
                });
            }
        }
        found.sort_by(|a, b| {
            (&a.metric, a.read_as, a.inclusive)
                .cmp(&(&b.metric, b.read_as, b.inclusive))
                .then(a.bound.total_cmp(&b.bound))
        });
        found.dedup();
        found
    }

    /// Metrics that any selector reads in another way than they are sent: sorted, unique.
    pub fn readings(&self) -> Vec<(String, ReadAs)> {
        let read = self.selectors().filter_map(|selector| {
            let metric = selector.metric.clone()?;
            (selector.read_as != ReadAs::AsSent).then_some((metric, selector.read_as))
        });
        let read: BTreeSet<_> = read.collect();
        read.into_iter().collect()
    }

    /// Whether any selector tells spans without a parent from others.
    pub fn tells_roots(&self) -> bool {
        self.selectors().any(|selector| selector.root)
    }

    fn selectors(&self) -> impl Iterator<Item = &Selector> {
        let objectives = self.objectives.iter();
        objectives.flat_map(|objective| objective.indicator.selectors())
    }

    /// The objective of that id.
    pub fn objective(&self, id: &str) -> Option<&Objective> {
        let at = self
            .objectives
            .binary_search_by(|objective| objective.id.as_str().cmp(id))
            .ok()?;
        self.objectives.get(at)
    }
}
