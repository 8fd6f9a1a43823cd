//! The shop doing business: sends its past once, and its present for as long as it is open.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use opentelemetry_sdk::error::OTelSdkResult;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::fleet::{Fleet, Signals};
use super::traffic::Traffic;
use crate::clock::SystemClock;

/// How long the shop was open before the demo's start: the window of the demo's objectives.
pub(crate) const HISTORY: Duration = Duration::from_hours(1);

/// Visits of this time are handed to the exporters together.
const STEP: Duration = Duration::from_millis(250);

/// The past is sent in pieces of this length, each acknowledged before the next, so that no queue overflows.
const PAST_STEP: Duration = Duration::from_secs(30);

/// A gap longer than this is not made up for: the machine slept.
const LONGEST_GAP: Duration = Duration::from_secs(30);

/// How long an instance may take to send its last telemetry.
const PATIENCE: Duration = Duration::from_secs(2);

/// Seeds of the present and of the past: the same demo every time.
const SEEDS: (u64, u64) = (2024, 1917);

/// The shop, open for business.
#[derive(Clone, Debug)]
pub(crate) struct Business {
    fleet: Arc<Fleet>,
    clock: SystemClock,
    started: Timestamp,
}

/// What has been sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) visits: u64,
    pub(crate) spans: u64,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "The shop had {} visits and sent {} spans of them.",
            self.visits, self.spans
        )
    }
}

impl Business {
    pub(crate) fn new(fleet: Fleet, clock: SystemClock) -> Self {
        let started = clock.now();
        Self {
            fleet: Arc::new(fleet),
            clock,
            started,
        }
    }

    /// Sends the shop's past, the latest first, so that charts grow from now; blocks. Stops early when told to or when
    /// nobody acknowledges it.
    pub(crate) fn send_past(&self, stop: &CancellationToken) -> OTelSdkResult {
        let mut upto = HISTORY;
        while !upto.is_zero() && !stop.is_cancelled() {
            let from = upto.saturating_sub(PAST_STEP);
            let mut traffic = Traffic::new(SEEDS.1 ^ from.as_secs(), HISTORY);
            traffic.skip(from);
            for visit in traffic.until(upto) {
                self.fleet.record(&visit, self.opened(), Signals::Traces);
            }
            self.fleet.flush_traces()?;
            upto = from;
        }
        Ok(())
    }

    /// Sends what happens now, until told to stop.
    pub(crate) async fn send_present(&self, stop: &CancellationToken) -> Sent {
        let mut traffic = Traffic::new(SEEDS.0, HISTORY);
        traffic.skip(HISTORY);
        let mut sent = Sent::default();
        let mut upto = Duration::ZERO;
        let mut steps = interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while stop.run_until_cancelled(steps.tick()).await.is_some() {
            let now = self.since_start();
            let Some(step) = now.checked_sub(upto).filter(|step| !step.is_zero()) else {
                continue;
            };
            if step > LONGEST_GAP {
                traffic.skip(HISTORY + now);
            }
            upto = now;
            let visits = traffic.until(HISTORY + now);
            for visit in &visits {
                sent.spans += self
                    .fleet
                    .record(visit, self.opened(), Signals::TracesAndMetrics);
                sent.visits += 1;
            }
            self.fleet.record_load(&visits, step);
        }
        sent
    }

    /// Sends what is still waiting, and closes; blocks for a few seconds at most.
    pub(crate) fn close(&self) -> OTelSdkResult {
        self.fleet.close(PATIENCE)
    }

    /// How long the demo runs. Zero if the clock was set back before its start.
    pub(crate) fn since_start(&self) -> Duration {
        Duration::try_from(self.clock.now().duration_since(self.started)).unwrap_or_default()
    }

    fn opened(&self) -> SystemTime {
        SystemTime::from(self.started) - HISTORY
    }
}
