//! What of a request is taken: by the time of its events, and by how many they are.

use std::time::Duration;

use crate::decode::RequestError;
use crate::measure::Limits;

/// Histogram buckets in one request, for each item that it may have.
const BUCKETS_PER_ITEM: usize = 20;

/// What counts as late and future.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) now: u64,
    pub(crate) earliest: u64,
    pub(crate) latest: u64,
}

/// Where a time lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    Due,
    /// A little ahead: taken as now.
    Ahead,
    Late,
    Future,
}

/// What may still come in this request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    limit: usize,
    items: usize,
    containers: usize,
    buckets: usize,
}

impl Clock {
    pub(crate) fn new(limits: &Limits, now_nanos: u64) -> Clock {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Clock {
            now: now_nanos,
            earliest: now_nanos.saturating_sub(nanos(limits.max_late)),
            latest: now_nanos.saturating_add(nanos(limits.max_future)),
        }
    }

    pub(crate) fn timing(&self, nanos: u64) -> Timing {
        if nanos < self.earliest {
            Timing::Late
        } else if nanos > self.latest {
            Timing::Future
        } else if nanos > self.now {
            Timing::Ahead
        } else {
            Timing::Due
        }
    }
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Budget {
        Budget {
            limit: limits.max_items,
            items: 0,
            containers: 0,
            buckets: 0,
        }
    }

    pub(crate) fn item(&mut self) -> Result<(), RequestError> {
        self.items += 1;
        self.check(self.items, "spans, points or records")
    }

    pub(crate) fn buckets(&mut self, more: usize) -> Result<(), RequestError> {
        self.buckets += more;
        let limit = self.limit.saturating_mul(BUCKETS_PER_ITEM);
        if self.buckets > limit {
            return Err(RequestError::TooManyItems {
                what: "histogram buckets",
                limit,
            });
        }
        Ok(())
    }

    pub(crate) fn container(&mut self) -> Result<(), RequestError> {
        self.containers += 1;
        self.check(self.containers, "resources, scopes and metrics")
    }

    fn check(self, count: usize, what: &'static str) -> Result<(), RequestError> {
        if count > self.limit {
            return Err(RequestError::TooManyItems {
                what,
                limit: self.limit,
            });
        }
        Ok(())
    }
}
