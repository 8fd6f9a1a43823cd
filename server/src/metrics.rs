//! Our own health and every SLO's standing, as `/metrics` shows them.
//!
//! A value that does not exist is absent, never 0: an SLO without data has no SLI, and no burn rate.

mod classes;
mod instruments;
mod labels;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use collector::{Kind, Ledger};

use instruments::{Dedup, Evaluation, Journal, Outbox, Receive, Slos, Stored};
use labels::{DedupLabels, DeliveryLabels, ReceiverLabels, SloLabels, TableLabels, WindowLabels};
pub(crate) use labels::{Outcome, Transport};

use crate::store::Quarantined;

/// The content type of [`Metrics::encode`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The registry and its instruments. Clones share one.
#[derive(Clone)]
pub(crate) struct Metrics {
    shared: Arc<Shared>,
}

struct Shared {
    receive: Receive,
    journal: Journal,
    stored: Stored,
    dedup: Dedup,
    evaluation: Evaluation,
    outbox: Outbox,
    slos: Slos,
    /// Held while it is encoded and while the SLOs' values are replaced, so that nobody reads half of them.
    registry: Mutex<Registry>,
}

/// One finished OTLP request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestSeen {
    /// The signal it carried.
    pub(crate) kind: Kind,
    /// How it came.
    pub(crate) transport: Transport,
    /// How it ended: `accepted`, `partial`, or why it was refused.
    pub(crate) outcome: Outcome,
    /// From the request's head to its answer.
    pub(crate) took: Duration,
    /// Bytes of its body on the wire, as far as it was read.
    pub(crate) wire_bytes: usize,
    /// Bytes of its payload after decompression; 0 when it did not come so far.
    pub(crate) payload_bytes: usize,
}

/// Where one SLO stands at a tick.
#[derive(Clone, Debug)]
pub(crate) struct SloStanding {
    /// The objective's id.
    pub(crate) slo: String,
    /// Good over total in the SLO's window; `None` without data.
    pub(crate) sli_ratio: Option<f64>,
    /// Budget left, signed; `None` without data.
    pub(crate) budget_remaining_ratio: Option<f64>,
    /// Burn rate per look-back window, named as in the rule (`5m`, `1h`); `None` without data.
    pub(crate) burn_rates: Vec<(String, Option<f64>)>,
}

/// The figures without labels, as they are now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vitals {
    /// Requests made durable since the start.
    pub(crate) committed_requests: u64,
    /// Group commits the store refused since the start.
    pub(crate) commit_failures: u64,
    /// Requests that wait for their commit.
    pub(crate) queued_requests: i64,
    /// Series known.
    pub(crate) series: i64,
    /// Time between the last tick and the end of its evaluation.
    pub(crate) evaluation_lag_seconds: f64,
}

impl Metrics {
    /// A registry for a process of this `version` that started at `started`.
    pub(crate) fn new(version: &str, started: Timestamp) -> Metrics {
        let mut root = Registry::default();
        instruments::register_process(&mut root, started);
        let registry = root.sub_registry_with_prefix("sloburn");
        let build = Info::new(vec![("version", version.to_owned())]);
        registry.register("build", "The running version", build);
        let shared = Shared {
            receive: Receive::register(registry),
            journal: Journal::register(registry),
            stored: Stored::register(registry),
            dedup: Dedup::register(registry),
            evaluation: Evaluation::register(registry),
            outbox: Outbox::register(registry),
            slos: Slos::register(registry),
            registry: Mutex::new(root),
        };
        Metrics {
            shared: Arc::new(shared),
        }
    }

    /// Counts one OTLP request that was answered.
    pub(crate) fn request(&self, seen: &RequestSeen) {
        self.shared.receive.count(seen);
    }

    /// Sets what became of everything that was received: the same counts that pages and API show,
    /// which go on after a restart.
    pub(crate) fn ledger(&self, ledger: &Ledger) {
        self.shared.receive.classes.set(ledger);
    }

    /// Sets since how long what was counted is recognised when it comes again: by its request, or span by span.
    pub(crate) fn dedup_horizon(&self, by: &'static str, seconds: i64) {
        let labels = DedupLabels::new(by);
        let horizon = &self.shared.dedup.horizon;
        horizon.get_or_create(&labels).set(seconds);
    }

    /// Sets the memory that fingerprints of spans take.
    pub(crate) fn dedup_bytes(&self, bytes: usize) {
        self.shared.dedup.bytes.set(gauge(bytes));
    }

    /// Sets how many requests wait for the journal's writer.
    pub(crate) fn queue_depth(&self, requests: usize) {
        self.shared.journal.queued.set(gauge(requests));
    }

    /// Counts one group commit of `requests`, and how long it took.
    pub(crate) fn commit(&self, requests: usize, took: Duration) {
        let journal = &self.shared.journal;
        journal.commit.observe(took.as_secs_f64());
        let requests = u64::try_from(requests).unwrap_or(u64::MAX);
        journal.committed.inc_by(requests);
    }

    /// Counts a group commit that the store refused.
    pub(crate) fn commit_failed(&self) {
        self.shared.journal.failed.inc();
    }

    /// Sets how many bytes of recent requests the ring holds.
    pub(crate) fn ring_bytes(&self, bytes: usize) {
        self.shared.receive.ring_bytes.set(gauge(bytes));
    }

    /// Sets how many series are known.
    pub(crate) fn series(&self, series: usize) {
        self.shared.journal.series.set(gauge(series));
    }

    /// Sets how many bytes are kept on the disk for pages.
    pub(crate) fn room_held(&self, bytes: u64) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.shared.stored.room.set(bytes);
    }

    /// Sets what is in quarantine.
    pub(crate) fn quarantined(&self, rows: &[Quarantined]) {
        let family = &self.shared.stored.quarantined;
        family.clear();
        for row in rows {
            family.get_or_create(&TableLabels::new(&row.place)).inc();
        }
    }

    /// Sets whether the process before this one ended by itself.
    pub(crate) fn prev_shutdown_unclean(&self, unclean: bool) {
        self.shared.stored.unclean.set(i64::from(unclean));
    }

    /// Notes one evaluation: how long it took, and how long after its tick it ended.
    pub(crate) fn evaluation(&self, took: Duration, lag: Duration) {
        let evaluation = &self.shared.evaluation;
        evaluation.took.observe(took.as_secs_f64());
        evaluation.lag.set(lag.as_secs_f64());
    }

    /// Sets how many deliveries a receiver still owes.
    pub(crate) fn outbox_pending(&self, receiver: &str, deliveries: usize) {
        let labels = ReceiverLabels::new(receiver);
        let pending = &self.shared.outbox.pending;
        pending.get_or_create(&labels).set(gauge(deliveries));
    }

    /// Counts one attempt to deliver: `delivered`, `retry`, `rejected` and the like.
    pub(crate) fn delivery(&self, receiver: &str, outcome: &'static str) {
        let labels = DeliveryLabels::new(receiver, outcome);
        self.shared.outbox.deliveries.get_or_create(&labels).inc();
    }

    /// Replaces the standing of all SLOs: one that is not listed, and a value that is `None`, is absent from then on.
    pub(crate) fn slos(&self, standings: &[SloStanding]) {
        let _unread = self.registry();
        let slos = &self.shared.slos;
        slos.clear();
        for standing in standings {
            let labels = SloLabels::new(&standing.slo);
            if let Some(sli) = standing.sli_ratio {
                slos.sli.get_or_create(&labels).set(sli);
            }
            if let Some(left) = standing.budget_remaining_ratio {
                slos.budget_remaining.get_or_create(&labels).set(left);
            }
            for (window, burn) in &standing.burn_rates {
                if let Some(burn) = burn {
                    let labels = WindowLabels::new(&standing.slo, window);
                    slos.burn_rate.get_or_create(&labels).set(*burn);
                }
            }
        }
    }

    /// The figures without labels.
    pub(crate) fn vitals(&self) -> Vitals {
        let journal = &self.shared.journal;
        Vitals {
            committed_requests: journal.committed.get(),
            commit_failures: journal.failed.get(),
            queued_requests: journal.queued.get(),
            series: journal.series.get(),
            evaluation_lag_seconds: self.shared.evaluation.lag.get(),
        }
    }

    /// Everything, as `OpenMetrics` text. To be served as [`CONTENT_TYPE`].
    pub(crate) fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry())?;
        Ok(text)
    }

    fn registry(&self) -> std::sync::MutexGuard<'_, Registry> {
        let registry = self.shared.registry.lock();
        registry.unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics::new("1.2.3", Timestamp::from_second(1_700_000_000).unwrap())
    }

    fn lines(metrics: &Metrics) -> Vec<String> {
        let text = metrics.encode().unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn assert_has(metrics: &Metrics, line: &str) {
        let lines = lines(metrics);
        let found = lines.iter().any(|one| one == line);
        assert!(found, "no `{line}` in:\n{}", lines.join("\n"));
    }

    #[test]
    fn the_process_and_its_build_are_named_by_convention() {
        let metrics = metrics();
        assert_has(&metrics, "process_start_time_seconds 1700000000.0");
        assert_has(&metrics, "sloburn_build_info{version=\"1.2.3\"} 1");
    }

    #[test]
    fn a_request_is_counted_by_signal_transport_and_outcome() {
        let metrics = metrics();
        let seen = RequestSeen {
            kind: Kind::Traces,
            transport: Transport::Grpc,
            outcome: Outcome::Accepted,
            took: Duration::from_millis(7),
            wire_bytes: 100,
            payload_bytes: 1000,
        };
        metrics.request(&seen);
        metrics.request(&RequestSeen {
            outcome: Outcome::Busy,
            ..seen
        });
        for line in [
            "sloburn_receive_requests_total{signal=\"traces\",transport=\"grpc\",outcome=\"accepted\"} 1",
            "sloburn_receive_requests_total{signal=\"traces\",transport=\"grpc\",outcome=\"busy\"} 1",
            "sloburn_receive_wire_bytes_total{signal=\"traces\"} 200",
            "sloburn_receive_payload_bytes_total{signal=\"traces\"} 2000",
            "sloburn_receive_ack_duration_seconds_count{signal=\"traces\"} 1",
            "sloburn_receive_ack_duration_seconds_bucket{le=\"0.01\",signal=\"traces\"} 1",
        ] {
            assert_has(&metrics, line);
        }
    }

    #[test]
    fn what_does_not_exist_is_absent() {
        let metrics = metrics();
        let standing = |sli: Option<f64>| SloStanding {
            slo: "checkout".to_owned(),
            sli_ratio: sli,
            budget_remaining_ratio: sli.map(|_| -0.5),
            burn_rates: vec![
                ("5m".to_owned(), None),
                ("1h".to_owned(), sli.map(|_| 14.5)),
            ],
        };
        metrics.slos(&[standing(Some(0.9985))]);
        for line in [
            "sloburn_slo_sli_ratio{slo=\"checkout\"} 0.9985",
            "sloburn_slo_budget_remaining_ratio{slo=\"checkout\"} -0.5",
            "sloburn_slo_burn_rate{slo=\"checkout\",window=\"1h\"} 14.5",
        ] {
            assert_has(&metrics, line);
        }
        metrics.slos(&[standing(None)]);
        let lines = lines(&metrics);
        assert!(lines.iter().all(|line| !line.contains("checkout")));
    }

    #[test]
    fn the_rest_of_the_server_counts_under_these_names() {
        let metrics = metrics();
        let mut ledger = Ledger::default();
        ledger.points.duplicate = collector::Class { total: 5, bad: 0 };
        ledger.spans.counted = collector::Class { total: 9, bad: 2 };
        ledger.spans.clamped = collector::Class { total: 3, bad: 0 };
        metrics.ledger(&ledger);
        metrics.queue_depth(3);
        metrics.commit(12, Duration::from_millis(4));
        metrics.commit_failed();
        metrics.series(42);
        metrics.evaluation(Duration::from_millis(2), Duration::from_millis(500));
        metrics.outbox_pending("pager", 2);
        metrics.delivery("pager", "delivered");
        for line in [
            "sloburn_receive_items_total{signal=\"metrics\",class=\"duplicate\",bad=\"false\"} 5",
            "sloburn_receive_items_total{signal=\"traces\",class=\"counted\",bad=\"false\"} 7",
            "sloburn_receive_items_total{signal=\"traces\",class=\"counted\",bad=\"true\"} 2",
            "sloburn_receive_remarks_total{signal=\"traces\",remark=\"clamped\"} 3",
            "sloburn_journal_queue_requests 3",
            "sloburn_journal_committed_requests_total 12",
            "sloburn_journal_commit_duration_seconds_count 1",
            "sloburn_journal_commit_failures_total 1",
            "sloburn_series 42",
            "sloburn_evaluation_duration_seconds_count 1",
            "sloburn_evaluation_lag_seconds 0.5",
            "sloburn_outbox_pending{receiver=\"pager\"} 2",
            "sloburn_deliveries_total{receiver=\"pager\",outcome=\"delivered\"} 1",
        ] {
            assert_has(&metrics, line);
        }
    }
}
