//! The one place where what was measured meets what was promised: series × indicator → tallies.
//!
//! Pure. A series either counts for an indicator or not; that is decided once per series and
//! remembered, so that counting a slice costs a lookup.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use collector::{
    AttributeValue, Known, Measured, Reading, SeriesId, SeriesKey, Signal as Measurement, SpanKind,
    SpanStatus, Within,
};
use foldhash::HashMap;
use slo_specs::{
    AttributeRef, Catalog, Fingerprint, Indicator, Objective, Part, ReadAs, Scalar, Selector,
    Signal, Subject, Tally, Test,
};

/// How one series counts for one indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Role {
    /// Index into [`Index::indicators`].
    pub(crate) indicator: usize,
    /// The series is selected as part of all events.
    total: bool,
    /// The series is selected as good, or as bad: whichever the indicator names.
    part: bool,
    /// Its values are times: a histogram of bytes answers no latency.
    durations: bool,
}

/// The indicators of a catalog, each once, and which series count for which.
#[derive(Debug, Default)]
pub(crate) struct Index {
    indicators: Vec<(Fingerprint, Indicator)>,
    series: HashMap<SeriesId, Use>,
}

/// How a series counts, decided once.
#[derive(Debug)]
struct Use {
    roles: Box<[Role]>,
    /// An indicator reads its points in another way, and so from other series.
    read_otherwise: bool,
    /// Its events are bad whatever an objective says: spans with status error.
    bad: bool,
}

impl Role {
    /// The series is part of all events and its values are durations: they are the indicator's.
    pub(crate) fn has_latency(self) -> bool {
        self.total && self.durations
    }
}

impl Index {
    /// Objectives that share an indicator share its tallies.
    pub(crate) fn new(catalog: &Catalog) -> Index {
        let unique: BTreeMap<Fingerprint, Indicator> = catalog
            .objectives
            .iter()
            .flat_map(|objective| objective.indicator.leaves())
            .map(|leaf| (leaf.fingerprint(), leaf.clone()))
            .collect();
        Index {
            indicators: unique.into_iter().collect(),
            series: HashMap::default(),
        }
    }

    /// The indicators in the order that [`Role::indicator`] counts in.
    pub(crate) fn indicators(&self) -> &[(Fingerprint, Indicator)] {
        &self.indicators
    }

    /// How a series counts, with the indicators that the roles refer to; not at all if no indicator
    /// uses it, or if it is not known.
    pub(crate) fn counting(
        &mut self,
        id: SeriesId,
        known: &Known,
    ) -> (&[Role], &[(Fingerprint, Indicator)]) {
        self.used(id, known);
        let used = self.series.get(&id);
        let roles = used.map(|used| &*used.roles).unwrap_or_default();
        (roles, &self.indicators)
    }

    /// Whether no indicator uses a series; if so, whether its events are bad ones.
    pub(crate) fn unused(&mut self, id: SeriesId, known: &Known) -> Option<bool> {
        match self.used(id, known) {
            Some(used) => (used.roles.is_empty() && !used.read_otherwise).then_some(used.bad),
            None => Some(false),
        }
    }

    fn used(&mut self, id: SeriesId, known: &Known) -> Option<&Use> {
        if !self.series.contains_key(&id)
            && let Some(key) = known.get(id)
        {
            let used = Use {
                roles: roles_of(&key, &self.indicators),
                read_otherwise: is_read_otherwise(&key, &self.indicators),
                bad: key.signal == Measurement::Spans && key.status == SpanStatus::Error,
            };
            self.series.insert(id, used);
        }
        self.series.get(&id)
    }
}

/// A number that is equal for series that count alike: for the same indicators, in the same way. 0
/// for one that no indicator uses.
pub(crate) fn alike(key: &SeriesKey, indicators: &[(Fingerprint, Indicator)]) -> u64 {
    let roles = roles_of(key, indicators);
    if roles.is_empty() && !is_read_otherwise(key, indicators) {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    for role in roles {
        let indicator = indicators.get(role.indicator).map(|(name, _)| *name);
        (indicator, role.total, role.part, role.durations).hash(&mut hasher);
    }
    hasher.finish().max(1)
}

fn roles_of(key: &SeriesKey, indicators: &[(Fingerprint, Indicator)]) -> Box<[Role]> {
    let series = Series(key);
    let sent = !matches!(key.signal, Measurement::Read(_));
    let durations = key.signal == Measurement::Spans
        || key.signal == Measurement::Read(Reading::Age)
        || sent
            && matches!(
                &*key.unit,
                "s" | "ms" | "us" | "µs" | "ns" | "seconds" | "milliseconds"
            );
    let role = |(indicator, (_, rule)): (usize, &(Fingerprint, Indicator))| {
        let (total, part) = match rule {
            Indicator::Ratio { part, total } => {
                (total.matches(&series), selector(part).matches(&series))
            }
            Indicator::Threshold { of, .. } => {
                let counts = of.matches(&series) && key.signal != Measurement::Sum;
                (counts, counts)
            }
            // An index has its parts in its place.
            Indicator::Composite(_) => (false, false),
        };
        (total || part).then_some(Role {
            indicator,
            total,
            part,
            durations,
        })
    };
    indicators.iter().enumerate().filter_map(role).collect()
}

/// Whether an indicator uses a number metric's points, but not as they were sent.
fn is_read_otherwise(key: &SeriesKey, indicators: &[(Fingerprint, Indicator)]) -> bool {
    let series = Series(key);
    matches!(key.signal, Measurement::Sum | Measurement::Gauge)
        && indicators
            .iter()
            .flat_map(|(_, indicator)| indicator.selectors())
            .any(|selector| selector.read_as != ReadAs::AsSent && selector.names(&series))
}

fn selector(part: &Part) -> &Selector {
    match part {
        Part::Good(selector) | Part::Bad(selector) => selector,
    }
}

/// What a slice of a series adds to the tallies of one indicator; `bad` counts the part that the
/// indicator selects, good or bad (see [`slo_specs::Counted`]).
pub(crate) fn tally(indicator: &Indicator, role: Role, measured: &Measured) -> Tally {
    let count = measured.count();
    match indicator {
        Indicator::Ratio { .. } => Tally {
            total: if role.total { count } else { 0 },
            bad: if role.part { count } else { 0 },
            uncertain: 0,
        },
        Indicator::Threshold { op, bound, .. } => {
            // Without values nothing is known of any event: each may be good, none surely is.
            let unknown = Within {
                lo: 0,
                hi: count,
                exact: false,
            };
            let within = measured
                .within(*bound, op.counts_inclusive())
                .unwrap_or(unknown);
            let (least_good, most_good) = if op.good_is_within() {
                (within.lo, within.hi)
            } else {
                (count - within.hi, count - within.lo)
            };
            Tally {
                total: count,
                bad: count - least_good,
                uncertain: most_good - least_good,
            }
        }
        Indicator::Composite(_) => Tally::EMPTY,
    }
}

/// Whether a selector is about a series.
pub(crate) fn selects(selector: &Selector, key: &SeriesKey) -> bool {
    selector.matches(&Series(key))
}

/// A series as a selector sees it.
struct Series<'a>(&'a SeriesKey);

impl Subject for Series<'_> {
    fn signal(&self) -> Signal {
        match self.0.signal {
            Measurement::Spans => Signal::Traces,
            Measurement::Sum
            | Measurement::Distribution
            | Measurement::Gauge
            | Measurement::Read(_) => Signal::Metrics,
        }
    }

    fn kind(&self) -> &str {
        match (self.0.signal, self.0.kind) {
            (
                Measurement::Sum
                | Measurement::Distribution
                | Measurement::Gauge
                | Measurement::Read(_),
                _,
            ) => "",
            (Measurement::Spans, SpanKind::Unspecified) => "unspecified",
            (Measurement::Spans, SpanKind::Internal) => "internal",
            (Measurement::Spans, SpanKind::Server) => "server",
            (Measurement::Spans, SpanKind::Client) => "client",
            (Measurement::Spans, SpanKind::Producer) => "producer",
            (Measurement::Spans, SpanKind::Consumer) => "consumer",
        }
    }

    fn name(&self) -> &str {
        &self.0.name
    }

    fn status(&self) -> &str {
        match (self.0.signal, self.0.status) {
            (
                Measurement::Sum
                | Measurement::Distribution
                | Measurement::Gauge
                | Measurement::Read(_),
                _,
            ) => "",
            (Measurement::Spans, SpanStatus::Unset) => "unset",
            (Measurement::Spans, SpanStatus::Ok) => "ok",
            (Measurement::Spans, SpanStatus::Error) => "error",
        }
    }

    fn is_root(&self) -> bool {
        self.0.root
    }

    fn is_read_as(&self, read_as: ReadAs) -> bool {
        match self.0.signal {
            Measurement::Spans | Measurement::Gauge => read_as == ReadAs::AsSent,
            // What these grew by is how many events there were, however that was sent.
            Measurement::Sum | Measurement::Distribution => {
                matches!(read_as, ReadAs::AsSent | ReadAs::Amount)
            }
            Measurement::Read(Reading::Growth) => read_as == ReadAs::Growth,
            Measurement::Read(Reading::Age) => read_as == ReadAs::Age,
            Measurement::Read(Reading::Share) => read_as == ReadAs::Share,
            Measurement::Read(Reading::Amount) => read_as == ReadAs::Amount,
        }
    }

    fn attribute(&self, key: &str) -> Option<AttributeRef<'_>> {
        attribute(self.0, key)
    }
}

/// Whether an objective may count what a service sent.
pub(crate) fn counts_service(objective: &Objective, service: &str) -> bool {
    let leaves = objective.indicator.leaves();
    let mut selectors = leaves.flat_map(Indicator::selectors);
    selectors.any(|selector| {
        services(selector).is_none_or(|names| names.iter().any(|name| name == service))
    })
}

/// The services that a selector names; none if it may select of any.
pub(crate) fn services(selector: &Selector) -> Option<Vec<String>> {
    let mut tests = selector.matchers.iter();
    let test = &tests.find(|matcher| matcher.key == "service.name")?.test;
    let Test::In(names) = test else {
        return None;
    };
    let name = |name: &Scalar| match name {
        Scalar::Text(name) => Some(name.clone()),
        Scalar::Number(..) | Scalar::Bool(_) => None,
    };
    names.iter().map(name).collect()
}

/// A series' value of an attribute, as selectors take it.
pub(crate) fn attribute<'k>(series: &'k SeriesKey, key: &str) -> Option<AttributeRef<'k>> {
    series.attribute(key).map(|value| match value {
        AttributeValue::Text(text) => AttributeRef::Text(text),
        AttributeValue::Bool(flag) => AttributeRef::Bool(flag),
        AttributeValue::Int(number) => AttributeRef::Int(number),
        AttributeValue::Double(number) => AttributeRef::Double(number),
    })
}

#[cfg(test)]
mod tests {
    use slo_specs::SourceFile;

    use super::*;

    /// A journey is of one service and counts what others send.
    #[test]
    fn an_objective_counts_the_services_that_its_selectors_name() {
        let source =
            |spec: &str| format!("{{ metricSource: {{ type: otlp, spec: {{ {spec} }} }} }}");
        for (total, of) in [
            (
                "signal: traces, match: { service.name: { in: [cart, search] } }",
                [false, true, true],
            ),
            ("signal: traces, match: { region: eu }", [true, true, true]),
        ] {
            let text = format!(
                "apiVersion: openslo/v1
kind: SLO
metadata: {{ name: shop }}
spec:
  service: shop
  timeWindow: [{{ duration: 30d, isRolling: true }}]
  budgetingMethod: Occurrences
  indicator:
    spec:
      ratioMetric:
        counter: true
        bad: {}
        total: {}
  objectives: [{{ target: 0.99 }}]
",
                source("signal: traces, status: error, match: { service.name: cart }"),
                source(total)
            );
            let path = "a.yaml".to_owned();
            let loaded = slo_specs::load(&[SourceFile { path, text }]);
            assert_eq!(loaded.problems, []);
            let objective = &loaded.catalog.objectives[0];
            let found = ["shop", "cart", "search"].map(|name| counts_service(objective, name));
            assert_eq!(found, of, "{total}");
        }
    }
}
