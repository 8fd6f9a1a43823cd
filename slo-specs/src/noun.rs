//! What people call that which is counted: one word for an objective, on pages and in alerts.

use std::fmt;

use crate::budgeting::{Budgeting, Slicing, Verdict};
use crate::catalog::Objective;
use crate::indicator::Indicator;
use crate::selector::{ReadAs, Selector, Signal};

/// The word for what an objective counts. Displayed in the plural.
///
/// ```
/// use slo_specs::Noun;
/// assert_eq!(format!("1 in 4 {}", Noun::TimeSlice), "1 in 4 time slices");
/// assert_eq!(Noun::Request.count(1), "request");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    /// A span of a server, a client or a consumer; what metrics about requests count.
    Request,
    /// A span without a parent, which stands for all of its trace.
    Trace,
    /// A span of any other kind.
    Span,
    /// What a counter counts, or a histogram of durations.
    Event,
    /// A value that is compared with a bound: of a gauge every point.
    Value,
    /// A point that holds a ratio.
    Point,
    /// A stretch of time that is good or bad as a whole.
    TimeSlice,
    /// Time of slices that are bad in part.
    Second,
}

impl Noun {
    /// One of them.
    pub fn one(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Trace => "trace",
            Self::Span => "span",
            Self::Event => "event",
            Self::Value => "value",
            Self::Point => "point",
            Self::TimeSlice => "time slice",
            Self::Second => "second",
        }
    }

    /// Any other number of them.
    pub fn many(self) -> &'static str {
        match self {
            Self::Request => "requests",
            Self::Trace => "traces",
            Self::Span => "spans",
            Self::Event => "events",
            Self::Value => "values",
            Self::Point => "points",
            Self::TimeSlice => "time slices",
            Self::Second => "seconds",
        }
    }

    /// The word after a number.
    pub fn count(self, number: u64) -> &'static str {
        if number == 1 { self.one() } else { self.many() }
    }

    /// Whether it is time, of which there is as much however much is asked for.
    pub fn is_time(self) -> bool {
        matches!(self, Self::TimeSlice | Self::Second)
    }
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.many())
    }
}

impl Objective {
    /// What its budget is counted in.
    pub fn noun(&self) -> Noun {
        match self.budgeting {
            Budgeting::Occurrences => self.indicator.noun(),
            Budgeting::Shares => Noun::Point,
            Budgeting::Timeslices(Slicing {
                verdict: Verdict::Share,
                ..
            }) => Noun::Second,
            Budgeting::Timeslices(_) => Noun::TimeSlice,
        }
    }
}

impl Indicator {
    /// What is measured, before any of it is made into time slices; of a composite its first part's.
    pub fn noun(&self) -> Noun {
        match self.leaves().next() {
            Some(Self::Ratio { total, .. }) => counted(total),
            Some(Self::Threshold { of, .. }) => compared(of),
            Some(Self::Composite(_)) | None => Noun::Event,
        }
    }
}

/// Of a ratio.
fn counted(total: &Selector) -> Noun {
    match total.signal {
        Signal::Traces => spans(total),
        Signal::Metrics if is_about_requests(total) => Noun::Request,
        Signal::Metrics => Noun::Event,
    }
}

/// Of a threshold.
fn compared(of: &Selector) -> Noun {
    match (of.signal, of.read_as) {
        (Signal::Traces, _) => spans(of),
        (Signal::Metrics, ReadAs::Share) => Noun::Point,
        (Signal::Metrics, ReadAs::AsSent) if is_about_requests(of) => Noun::Request,
        (Signal::Metrics, ReadAs::AsSent) if of.is_of_durations() => Noun::Event,
        (Signal::Metrics, _) => Noun::Value,
    }
}

fn spans(selector: &Selector) -> Noun {
    match selector.span_kind.as_deref() {
        _ if selector.root => Noun::Trace,
        Some("server" | "client" | "consumer") => Noun::Request,
        _ => Noun::Span,
    }
}

/// By the metric's name: `http.server.request.duration`, `requests_total`, `rpc.server.duration`.
fn is_about_requests(selector: &Selector) -> bool {
    let name = selector.metric.as_deref().unwrap_or_default();
    name.contains("request") || name.starts_with("rpc.")
}

impl Selector {
    /// Whether its values are how long something took: spans, and metrics that are named so.
    pub fn is_of_durations(&self) -> bool {
        let name = self.metric.as_deref().unwrap_or_default();
        let named = || ["duration", "latency"].iter().any(|it| name.contains(it));
        self.read_as == ReadAs::AsSent && (self.signal == Signal::Traces || named())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::{Op, Part};

    fn selector(signal: Signal, named: &str) -> Selector {
        let traces = signal == Signal::Traces;
        Selector {
            signal,
            span_kind: (traces && !named.is_empty()).then(|| named.to_owned()),
            span_name: Vec::new(),
            status: None,
            root: false,
            metric: (!traces).then(|| named.to_owned()),
            read_as: ReadAs::AsSent,
            matchers: Vec::new(),
        }
    }

    #[test]
    fn ratios_count_what_their_total_selects() {
        for (signal, named, noun) in [
            (Signal::Traces, "server", Noun::Request),
            (Signal::Traces, "client", Noun::Request),
            (Signal::Traces, "internal", Noun::Span),
            (Signal::Traces, "", Noun::Span),
            (
                Signal::Metrics,
                "container.cpu.throttling_data.periods",
                Noun::Event,
            ),
            (Signal::Metrics, "http_requests_total", Noun::Request),
        ] {
            let total = selector(signal, named);
            let part = Part::Bad(total.clone());
            let ratio = Indicator::Ratio { part, total };
            assert_eq!(ratio.noun(), noun, "{named}");
        }
        let total = Selector {
            root: true,
            ..selector(Signal::Traces, "server")
        };
        let part = Part::Bad(total.clone());
        assert_eq!(Indicator::Ratio { part, total }.noun(), Noun::Trace);
    }

    #[test]
    fn thresholds_compare_what_they_read() {
        let threshold = |of| Indicator::Threshold {
            of,
            op: Op::Lte,
            bound: 1.0,
        };
        for (signal, named, noun) in [
            (Signal::Traces, "server", Noun::Request),
            (
                Signal::Metrics,
                "http.server.request.duration",
                Noun::Request,
            ),
            (Signal::Metrics, "rpc.server.duration", Noun::Request),
            (Signal::Metrics, "cicd.pipeline.run.duration", Noun::Event),
            (Signal::Metrics, "kafka.consumer_group.lag", Noun::Value),
        ] {
            let of = selector(signal, named);
            assert_eq!(threshold(of).noun(), noun, "{named}");
        }
        for (read_as, noun) in [
            (ReadAs::Share, Noun::Point),
            (ReadAs::Growth, Noun::Value),
            (ReadAs::Age, Noun::Value),
        ] {
            let of = Selector {
                read_as,
                ..selector(Signal::Metrics, "requests")
            };
            assert_eq!(threshold(of).noun(), noun, "{read_as:?}");
        }
    }
}
