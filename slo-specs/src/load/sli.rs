//! SLIs, inline and as objects of their own.

use super::library::Library;
use super::report::{Fields, Known, Report};
use super::source::{Role, selector};
use super::yaml::{Node, Value};
use crate::{Part, Selector, Signal};

const SPEC: Known = Known {
    fields: &["description", "thresholdMetric", "ratioMetric"],
    planned: &[],
};
const RATIO: Known = Known {
    fields: &["counter", "good", "bad", "total"],
    planned: &["raw", "rawType"],
};

/// What an SLI measures; the bound of a threshold is the objective's.
#[derive(Clone, Debug)]
pub(super) enum Sli {
    Ratio { part: Part, total: Selector },
    Threshold { of: Selector },
}

impl Sli {
    /// Reads `spec` of an SLI.
    pub(super) fn read(report: Report<'_>, node: &Node, library: &Library) -> Option<Self> {
        let fields = Fields::of(report, node, "spec of the SLI", SPEC)?;
        fields.text("description");
        match (fields.get("ratioMetric"), fields.get("thresholdMetric")) {
            (Some(ratio), None) => Self::ratio(report, ratio, library),
            (None, Some(threshold)) => {
                selector(report, threshold, "thresholdMetric", Role::Value, library)
                    .map(|of| Self::Threshold { of })
            }
            (Some(_), Some(_)) => {
                let message = "the SLI has both `ratioMetric` and `thresholdMetric`";
                report.error_with(fields.place("thresholdMetric"), message, "keep one of them");
                None
            }
            (None, None) => {
                let message = "the SLI has neither `ratioMetric` nor `thresholdMetric`";
                report.error_with(fields.at, message, "add one of them");
                None
            }
        }
    }

    fn ratio(report: Report<'_>, node: &Node, library: &Library) -> Option<Self> {
        let fields = Fields::of(report, node, "ratioMetric", RATIO)?;
        let read = |name| {
            fields
                .get(name)
                .map(|node| selector(report, node, name, Role::Count, library))
        };
        let part = match (read("good"), read("bad")) {
            (Some(good), None) => good.map(Part::Good),
            (None, Some(bad)) => bad.map(Part::Bad),
            (Some(_), Some(_)) => {
                let message = "ratioMetric has both `good` and `bad`";
                report.error_with(fields.place("bad"), message, "keep one: the other follows");
                None
            }
            (None, None) if is_raw(&fields) => None,
            (None, None) => {
                let message = "ratioMetric has neither `good` nor `bad`";
                report.error_with(fields.at, message, "add one of them");
                None
            }
        };
        if !is_raw(&fields) {
            fields.require("total", "add the events that the ratio is of");
        }
        let total = read("total").flatten();
        let (part, total) = (part?, total?);
        check_counter(&fields, &total);
        Some(Self::Ratio { part, total })
    }
}

/// Whether it is written as a precomputed ratio, which has been told of already.
fn is_raw(fields: &Fields<'_>) -> bool {
    fields.get("raw").is_some()
}

/// Spans are always counted; a metric is only counted when it says that it counts.
fn check_counter(fields: &Fields<'_>, total: &Selector) {
    let Some(counter) = fields.get("counter") else {
        if total.signal == Signal::Metrics {
            fields.require(
                "counter",
                "write `counter: true` for a metric that only grows",
            );
        }
        return;
    };
    if matches!(counter.value, Value::Bool(false)) {
        let help = "use metrics that only grow, and write `counter: true`";
        fields
            .report
            .not_built(counter.at, "`counter: false` of OpenSLO v1", help);
    } else {
        fields.report.bool(counter, "counter");
    }
}
