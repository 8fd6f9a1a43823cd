//! A few traces to look at by themselves.

use askama::Template;
use jiff::Timestamp;

use super::{Panel, Part, state};
use crate::format;
use crate::markup::Markup;
use crate::view::{Trace, TraceWhy};

#[derive(Template)]
#[template(path = "panels/traces.html")]
struct Traces<'a> {
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    id: &'a str,
    what: &'static str,
    failed: bool,
    took: String,
    at: String,
}

/// The traces of a service; sloburn keeps their ids, not their spans.
pub(crate) fn panel(traces: Option<&[Trace]>, now: Timestamp) -> Part {
    let body = match traces {
        None => state("Traces cannot be read now.", ""),
        Some([]) => state("No traces in this time.", ""),
        Some(traces) => {
            let rows = traces.iter().map(|trace| row(trace, now));
            Markup::of(&Traces {
                rows: rows.collect(),
            })
        }
    };
    Panel {
        id: "traces",
        class: "c12",
        title: "Failed and slow traces",
        lead: "Trace ids to look up where the spans are kept".to_owned(),
        body,
        ..Panel::default()
    }
    .part()
}

fn row(trace: &Trace, now: Timestamp) -> Row<'_> {
    Row {
        id: &trace.id,
        what: match trace.why {
            TraceWhy::Failed => "failed",
            TraceWhy::Slow => "slow",
            TraceWhy::Point => "named by a metric",
        },
        failed: trace.why == TraceWhy::Failed,
        took: trace
            .took_us
            .map_or_else(|| format::UNKNOWN.to_owned(), format::latency),
        at: format::time(trace.at, now),
    }
}
