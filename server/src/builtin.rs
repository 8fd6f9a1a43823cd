//! The objective that exists without a spec file: sloburn's own drop rate.
//!
//! The classes of received spans become increments of a counter of the service `sloburn`, in the
//! same delta as the spans themselves, so that they are as exact and as durable as those.

use std::sync::Arc;

use collector::{Classes, Entry, Measured, SeriesKey, Signal, Slice, SpanKind, SpanStatus, Value};
use slo_specs::{Objective, SourceFile};

const SPEC: &str = include_str!("builtin/ingest.yaml");
const ID: &str = "sloburn-ingest";
const SERVICE: &str = "sloburn";
const METRIC: &str = "sloburn.ingest.spans";
/// The attribute that tells the classes apart. No sender can set it: it is never a dimension of what
/// is received, so that nobody can improve or spoil sloburn's own record.
pub(crate) const CLASS: &str = "sloburn.ingest.class";
/// What arrives and is not a repetition. Spans are never `unsupported`.
const CLASSES: [&str; 6] = ["counted", "unmatched", "late", "future", "invalid", "shed"];

/// The spec as the loader reads it, beside the users' files.
pub(crate) fn file() -> SourceFile {
    SourceFile {
        path: "(built in) ingest.yaml".to_owned(),
        text: SPEC.to_owned(),
    }
}

/// Whether an objective is this one.
pub(crate) fn is(objective: &Objective) -> bool {
    objective.id == ID
}

/// The series of the classes, made once.
#[derive(Debug)]
pub(crate) struct Ingest {
    series: [(&'static str, Arc<SeriesKey>); 6],
}

impl Ingest {
    pub(crate) fn new() -> Ingest {
        Ingest {
            series: CLASSES.map(|class| (class, Arc::new(key(class)))),
        }
    }

    /// What the classes of a group add in the slice it arrived in, with the keys of their series.
    pub(crate) fn entries(
        &self,
        spans: &Classes,
        arrived: Slice,
    ) -> impl Iterator<Item = (Entry, &Arc<SeriesKey>)> {
        let classes: Vec<_> = spans.divided().filter(|(_, of)| of.total > 0).collect();
        self.series.iter().filter_map(move |(name, key)| {
            let (_, class) = classes.iter().find(|(class, _)| class == name)?;
            let entry = Entry {
                series: key.id(),
                slice: arrived,
                measured: Measured::counted(class.total),
            };
            Some((entry, key))
        })
    }
}

fn key(class: &str) -> SeriesKey {
    SeriesKey {
        signal: Signal::Sum,
        service: SERVICE.into(),
        kind: SpanKind::Unspecified,
        name: METRIC.into(),
        unit: "{span}".into(),
        status: SpanStatus::Unset,
        attributes: vec![(CLASS.into(), Value::Text(class.into()))],
        overflow: false,
        root: false,
    }
}

#[cfg(test)]
mod tests {
    use collector::Class;

    use super::*;
    use crate::catalog;
    use crate::sli::selects;

    #[test]
    fn the_built_in_spec_is_sound_and_selects_the_classes_it_names() {
        let loaded = catalog::resolve(&[], true);
        assert_eq!(loaded.problems, []);
        let [objective] = &loaded.catalog.objectives[..] else {
            panic!("one objective: {:?}", loaded.catalog.objectives);
        };
        assert!(is(objective));
        let slo_specs::Indicator::Ratio { part, total } = &objective.indicator else {
            panic!("a ratio: {:?}", objective.indicator);
        };
        let (slo_specs::Part::Bad(part) | slo_specs::Part::Good(part)) = part;
        let bad = CLASSES.map(|class| selects(part, &key(class)));
        assert_eq!(bad, [false, false, true, true, true, true]);
        assert!(CLASSES.iter().all(|class| selects(total, &key(class))));
        assert!(!selects(total, &key("duplicate")));
        assert!(catalog::resolve(&[], false).catalog.objectives.is_empty());
    }

    #[test]
    fn no_sender_can_count_for_it() {
        let loaded = catalog::resolve(&[], true);
        let measure = catalog::measure(&loaded.catalog, &collector::Limits::default(), None);
        assert_eq!(measure.dimensions, Vec::<String>::new());
    }

    #[test]
    fn each_class_of_new_spans_is_counted_where_it_arrived() {
        let class = |total| Class { total, bad: 1 };
        let spans = Classes {
            received: class(20),
            counted: class(9),
            duplicate: class(5),
            late: class(4),
            shed: class(2),
            ..Classes::default()
        };
        let slice = Slice::ending_at(100);
        let ingest = Ingest::new();
        let counts = ingest.entries(&spans, slice).map(|(entry, key)| {
            assert_eq!((entry.slice, entry.series), (slice, key.id()));
            entry.measured.count()
        });
        assert_eq!(counts.collect::<Vec<_>>(), [9, 4, 2]);
    }
}
