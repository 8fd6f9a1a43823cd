//! What became of everything received, as `/metrics` shows it.

use std::sync::atomic::Ordering;

use collector::{Class, Classes, Kind, Ledger};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::labels::{ItemLabels, RemarkLabels};

/// The counters of the classes, found once: they are set at every commit.
pub(super) struct ClassCounters {
    counters: Vec<ClassCounter>,
}

struct ClassCounter {
    kind: Kind,
    read: fn(&Classes) -> Class,
    count: fn(Class) -> u64,
    counter: Counter,
}

type Named = (&'static str, fn(&Classes) -> Class);

const CLASSES: [Named; 7] = [
    ("counted", |of| of.counted),
    ("unmatched", |of| of.unmatched),
    ("duplicate", |of| of.duplicate),
    ("late", |of| of.late),
    ("future", |of| of.future),
    ("invalid", |of| of.invalid),
    ("shed", |of| of.shed),
];
/// Only points are of kinds that are not measured; no objective is about log records.
const UNSUPPORTED: Named = ("unsupported", |of| of.unsupported);
const RECORDS: [Named; 2] = [
    ("unmatched", |of| of.unmatched),
    ("invalid", |of| of.invalid),
];
const REMARKS: [(Kind, Named); 6] = [
    (Kind::Traces, ("clamped", |of| of.clamped)),
    (Kind::Traces, ("overflowed", |of| of.overflowed)),
    (Kind::Traces, ("unweighted", |of| of.unweighted)),
    (Kind::Metrics, ("clamped", |of| of.clamped)),
    (Kind::Metrics, ("overflowed", |of| of.overflowed)),
    (Kind::Metrics, ("baseline", |of| of.baseline)),
];

impl ClassCounters {
    pub(super) fn register(registry: &mut Registry) -> ClassCounters {
        let items = Family::<ItemLabels, Counter>::default();
        let remarks = Family::<RemarkLabels, Counter>::default();
        let mut counters = Vec::new();
        let mut item = |kind, (name, read): Named, bad: bool, count: fn(Class) -> u64| {
            let labels = ItemLabels::new(kind, name, bad);
            let counter = items.get_or_create(&labels).clone();
            counters.push(ClassCounter {
                kind,
                read,
                count,
                counter,
            });
        };
        for class in CLASSES {
            item(Kind::Traces, class, false, |of| {
                of.total.saturating_sub(of.bad)
            });
            item(Kind::Traces, class, true, |of| of.bad);
        }
        // Points and records have no status.
        for class in CLASSES.into_iter().chain([UNSUPPORTED]) {
            item(Kind::Metrics, class, false, |of| of.total);
        }
        for class in RECORDS {
            item(Kind::Logs, class, false, |of| of.total);
        }
        for (kind, (name, read)) in REMARKS {
            let labels = RemarkLabels::new(kind, name);
            counters.push(ClassCounter {
                kind,
                read,
                count: |of| of.total,
                counter: remarks.get_or_create(&labels).clone(),
            });
        }
        registry.register(
            "receive_items",
            "Spans, metric points and log records by what became of them, since the store was made",
            items,
        );
        registry.register(
            "receive_remarks",
            "Measured items with a remark: clamped to now, in an overflow series, a baseline, or sampled without a weight",
            remarks,
        );
        ClassCounters { counters }
    }

    pub(super) fn set(&self, ledger: &Ledger) {
        for one in &self.counters {
            let count = (one.count)((one.read)(ledger.signal(one.kind)));
            one.counter.inner().store(count, Ordering::Relaxed);
        }
    }
}
