//! Latencies that objectives allow.

use std::sync::Arc;
use std::time::Duration;

use collector::SeriesKey;
use dashboards::view::SlowVerdict;
use slo_specs::{Indicator, Objective, Op, ReadAs, Signal, Verdict};

use crate::sli::selects;

/// A latency that an objective allows, and which series it is about.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    pub(super) objective: Arc<Objective>,
    pub(super) bound: f64,
    pub(super) inclusive: bool,
}

impl Allowed {
    /// The bound of an objective about durations: spans, or a metric whose histogram is in time.
    pub(super) fn of(objective: &Arc<Objective>) -> Option<Allowed> {
        match &objective.indicator {
            Indicator::Threshold { of, op, bound }
                if of.read_as == ReadAs::AsSent && matches!(op, Op::Lt | Op::Lte) =>
            {
                Some(Allowed {
                    objective: Arc::clone(objective),
                    bound: *bound,
                    inclusive: *op == Op::Lte,
                })
            }
            _ => None,
        }
    }

    /// Whether it belongs to a service.
    pub(super) fn is_of(&self, service: &str) -> bool {
        self.objective.service == service
    }

    /// Whether it is about spans: then its bound is in milliseconds.
    pub(super) fn of_spans(&self) -> bool {
        self.objective.indicator.signal() == Signal::Traces
    }

    /// Whether it judges a series.
    pub(super) fn counts(&self, key: &SeriesKey) -> bool {
        match &self.objective.indicator {
            Indicator::Threshold { of, .. } => selects(of, key),
            Indicator::Ratio { .. } | Indicator::Composite(_) => false,
        }
    }

    /// What a slow value is to its budget.
    pub(super) fn verdict(&self) -> SlowVerdict {
        match self.objective.budgeting.slicing().map(|it| it.verdict) {
            Some(Verdict::Target(target)) => SlowVerdict::BadSlice(target.as_f64()),
            Some(Verdict::Share) => SlowVerdict::SliceInPart,
            Some(Verdict::AtMost(_) | Verdict::AtLeast(_)) | None => SlowVerdict::Bad,
        }
    }

    /// Its bound in µs: a metric's unit says what it is in.
    pub(super) fn bound_us(&self, unit: &str) -> Option<u64> {
        let factor = match (self.of_spans(), unit) {
            (true, _) | (false, "ms") => 1e3,
            (false, "s") => 1e6,
            (false, "us") => 1.0,
            (false, "ns") => 1e-3,
            _ => return None,
        };
        let length = Duration::try_from_secs_f64(self.bound * factor / 1e6).ok()?;
        u64::try_from(length.as_micros()).ok()
    }
}
