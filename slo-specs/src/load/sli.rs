//! SLIs, inline and as objects of their own.

use super::library::Library;
use super::report::{Fields, Known, Report};
use super::source::{Role, sourced};
use super::yaml::Node;
use crate::{Op, Part, ReadAs, Selector, Signal, SliceTarget};

const SPEC: Known = Known {
    fields: &["description", "thresholdMetric", "ratioMetric"],
};
const RATIO: Known = Known {
    fields: &["counter", "good", "bad", "total", "raw", "rawType"],
};

/// What an SLI measures; the bound of a threshold is the objective's.
#[derive(Clone, Debug)]
pub(super) enum Sli {
    Ratio {
        part: Part,
        total: Selector,
    },
    Threshold {
        of: Selector,
        /// The share of a time slice's values that must hold against the bound.
        quantile: Option<SliceTarget>,
    },
    /// A ratio that is sent as such: each point is a million values of 0 and 1.
    Raw {
        of: Selector,
        /// Which of them are good, held against 0: 1 of a ratio of good events, 0 of bad ones.
        good: Op,
    },
}

impl Sli {
    /// Reads `spec` of an SLI.
    pub(super) fn read(report: Report<'_>, node: &Node, library: &Library) -> Option<Self> {
        let fields = Fields::of(report, node, "spec of the SLI", SPEC)?;
        fields.text("description");
        match (fields.get("ratioMetric"), fields.get("thresholdMetric")) {
            (Some(ratio), None) => Self::ratio(report, ratio, library),
            (None, Some(threshold)) => {
                let sourced = sourced(report, threshold, "thresholdMetric", Role::Value, library)?;
                Some(Self::Threshold {
                    of: sourced.selector,
                    quantile: sourced.quantile,
                })
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
                .map(|node| sourced(report, node, name, Role::Count, library))
                .map(|sourced| sourced.map(|sourced| sourced.selector))
        };
        if let Some(raw) = fields.get("raw") {
            return Self::raw(&fields, raw, library);
        }
        if fields.has("rawType") {
            let message = "`rawType` belongs to a `raw` ratio";
            let help = "add `raw`, or remove it: `good` and `bad` say which events they are";
            report.error_with(fields.place("rawType"), message, help);
        }
        let part = match (read("good"), read("bad")) {
            (Some(good), None) => good.map(Part::Good),
            (None, Some(bad)) => bad.map(Part::Bad),
            (Some(_), Some(_)) => {
                let message = "ratioMetric has both `good` and `bad`";
                report.error_with(fields.place("bad"), message, "keep one: the other follows");
                None
            }
            (None, None) => {
                let message = "ratioMetric has neither `good` nor `bad`";
                report.error_with(fields.at, message, "add one of them");
                None
            }
        };
        fields.require("total", "add the events that the ratio is of");
        let total = read("total").flatten();
        let (mut part, mut total) = (part?, total?);
        let (Part::Good(of_part) | Part::Bad(of_part)) = &mut part;
        read_by_counter(&fields, [of_part, &mut total]);
        Some(Self::Ratio { part, total })
    }

    fn raw(fields: &Fields<'_>, raw: &Node, library: &Library) -> Option<Self> {
        let report = fields.report;
        for name in ["good", "bad", "total"] {
            if fields.has(name) {
                let message = format!("ratioMetric has both `raw` and `{name}`");
                let help = "keep `raw` and `rawType`, or good (or bad) and total";
                report.error_with(fields.place(name), message, help);
            }
        }
        if let Some(counter) = fields.get("counter")
            && report.bool(counter, "counter") == Some(true)
        {
            let message = "`counter: true` says nothing of a `raw` ratio, which may rise and fall";
            report.warn(counter.at, message, "remove it");
        }
        let sourced = sourced(report, raw, "raw", Role::Raw, library);
        let help = "write `rawType: success` if the ratio is that of good events, else `failure`";
        let kind = fields.require("rawType", help);
        let kind = kind.and_then(|node| report.word(node, "rawType", &["success", "failure"]));
        Some(Self::Raw {
            of: sourced?.selector,
            good: if kind? == "success" { Op::Gt } else { Op::Lte },
        })
    }
}

/// Spans are always counted. A metric is only counted when it says how: as a total that grows, or as
/// how many events there were since its last point.
fn read_by_counter(fields: &Fields<'_>, sources: [&mut Selector; 2]) {
    let metrics = sources
        .into_iter()
        .filter(|source| source.signal == Signal::Metrics);
    let metrics: Vec<&mut Selector> = metrics.collect();
    let Some(counter) = fields.get("counter") else {
        if !metrics.is_empty() {
            let help = "write `counter: true` for a metric that only grows, \
                        `counter: false` if each point is how many events there were";
            fields.require("counter", help);
        }
        return;
    };
    if fields.report.bool(counter, "counter") == Some(false) {
        for source in metrics {
            source.read_as = ReadAs::Amount;
        }
    }
}
