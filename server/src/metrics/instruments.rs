//! The instruments behind `/metrics`, with their names, units and help.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::RequestSeen;
use super::classes::ClassCounters;
use super::labels::{
    DedupLabels, DeliveryLabels, Outcome, ReceiverLabels, RequestLabels, SignalLabels, SloLabels,
    TableLabels, WindowLabels,
};

/// Bounds of latencies, in seconds: a commit takes some milliseconds, a held request up to 8 s.
const SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// A gauge of a real number.
type Real = Gauge<f64, AtomicU64>;

/// A family of latencies.
type Latencies = Family<SignalLabels, Histogram, fn() -> Histogram>;

pub(super) struct Receive {
    requests: Family<RequestLabels, Counter>,
    pub(super) classes: ClassCounters,
    wire_bytes: Family<SignalLabels, Counter>,
    payload_bytes: Family<SignalLabels, Counter>,
    pub(super) ring_bytes: Gauge,
    ack: Latencies,
    /// By signal and transport, found once they are asked for: finding them for every request costs more than counting.
    accepted: [[OnceLock<Ended>; 3]; 3],
}

/// What counts requests of one signal that came one way and ended alike.
struct Ended {
    requests: Counter,
    wire_bytes: Counter,
    payload_bytes: Counter,
    ack: Histogram,
}

pub(super) struct Journal {
    pub(super) queued: Gauge,
    pub(super) committed: Counter,
    pub(super) failed: Counter,
    pub(super) commit: Histogram,
    pub(super) series: Gauge,
}

/// The store itself.
pub(super) struct Stored {
    pub(super) room: Gauge,
    pub(super) quarantined: Family<TableLabels, Gauge>,
    pub(super) unclean: Gauge,
}

pub(super) struct Dedup {
    pub(super) horizon: Family<DedupLabels, Gauge>,
    pub(super) bytes: Gauge,
}

pub(super) struct Evaluation {
    pub(super) took: Histogram,
    pub(super) lag: Real,
}

pub(super) struct Outbox {
    pub(super) pending: Family<ReceiverLabels, Gauge>,
    pub(super) deliveries: Family<DeliveryLabels, Counter>,
}

pub(super) struct Slos {
    pub(super) sli: Family<SloLabels, Real>,
    pub(super) budget_remaining: Family<SloLabels, Real>,
    pub(super) burn_rate: Family<WindowLabels, Real>,
}

impl Receive {
    pub(super) fn register(registry: &mut Registry) -> Receive {
        let receive = Receive {
            requests: Family::default(),
            classes: ClassCounters::register(registry),
            wire_bytes: Family::default(),
            payload_bytes: Family::default(),
            ring_bytes: Gauge::default(),
            ack: Family::new_with_constructor(latency),
            accepted: Default::default(),
        };
        registry.register(
            "receive_requests",
            "OTLP requests by signal, transport and how they ended",
            receive.requests.clone(),
        );
        registry.register_with_unit(
            "receive_wire",
            "Request bodies read, as sent",
            Unit::Bytes,
            receive.wire_bytes.clone(),
        );
        registry.register_with_unit(
            "receive_payload",
            "Request bodies read, decompressed",
            Unit::Bytes,
            receive.payload_bytes.clone(),
        );
        registry.register_with_unit(
            "ring",
            "Recent requests kept in memory",
            Unit::Bytes,
            receive.ring_bytes.clone(),
        );
        registry.register_with_unit(
            "receive_ack_duration",
            "Time from a request's head to its acknowledgement, which is after its commit",
            Unit::Seconds,
            receive.ack.clone(),
        );
        receive
    }

    /// Counts one request.
    pub(super) fn count(&self, seen: &RequestSeen) {
        let ended;
        let of = if seen.outcome == Outcome::Accepted {
            let of_signal = &self.accepted[seen.kind as usize];
            of_signal[seen.transport as usize].get_or_init(|| self.ended(seen))
        } else {
            ended = self.ended(seen);
            &ended
        };
        of.requests.inc();
        of.wire_bytes
            .inc_by(u64::try_from(seen.wire_bytes).unwrap_or(u64::MAX));
        of.payload_bytes
            .inc_by(u64::try_from(seen.payload_bytes).unwrap_or(u64::MAX));
        if seen.outcome.is_acknowledged() {
            of.ack.observe(seen.took.as_secs_f64());
        }
    }

    fn ended(&self, seen: &RequestSeen) -> Ended {
        let labels = RequestLabels::new(seen.kind, seen.transport, seen.outcome);
        let signal = SignalLabels::new(seen.kind);
        Ended {
            requests: self.requests.get_or_create_owned(&labels),
            wire_bytes: self.wire_bytes.get_or_create_owned(&signal),
            payload_bytes: self.payload_bytes.get_or_create_owned(&signal),
            ack: self.ack.get_or_create_owned(&signal),
        }
    }
}

impl Journal {
    pub(super) fn register(registry: &mut Registry) -> Journal {
        let journal = Journal {
            queued: Gauge::default(),
            committed: Counter::default(),
            failed: Counter::default(),
            commit: latency(),
            series: Gauge::default(),
        };
        registry.register(
            "journal_queue_requests",
            "Requests that wait for their commit",
            journal.queued.clone(),
        );
        registry.register(
            "journal_committed_requests",
            "Requests made durable",
            journal.committed.clone(),
        );
        registry.register(
            "journal_commit_failures",
            "Group commits that the store refused",
            journal.failed.clone(),
        );
        registry.register_with_unit(
            "journal_commit_duration",
            "Time of one group commit",
            Unit::Seconds,
            journal.commit.clone(),
        );
        registry.register("series", "Series known", journal.series.clone());
        journal
    }
}

impl Stored {
    pub(super) fn register(registry: &mut Registry) -> Stored {
        let stored = Stored {
            room: Gauge::default(),
            quarantined: Family::default(),
            unclean: Gauge::default(),
        };
        registry.register_with_unit(
            "store_room",
            "Space kept on the disk for pages; 0 while it is used because the disk is full",
            Unit::Bytes,
            stored.room.clone(),
        );
        registry.register(
            "store_quarantined_rows",
            "Damaged rows that were taken out of use, by table",
            stored.quarantined.clone(),
        );
        registry.register(
            "prev_shutdown_unclean",
            "1 if the process before this one did not end by itself, else 0",
            stored.unclean.clone(),
        );
        stored
    }
}

impl Dedup {
    pub(super) fn register(registry: &mut Registry) -> Dedup {
        let dedup = Dedup {
            horizon: Family::default(),
            bytes: Gauge::default(),
        };
        registry.register_with_unit(
            "dedup_horizon",
            "How old what was counted may be to be recognised when it comes again",
            Unit::Seconds,
            dedup.horizon.clone(),
        );
        registry.register_with_unit(
            "dedup",
            "Memory that fingerprints of counted spans take",
            Unit::Bytes,
            dedup.bytes.clone(),
        );
        dedup
    }
}

impl Evaluation {
    pub(super) fn register(registry: &mut Registry) -> Evaluation {
        let evaluation = Evaluation {
            took: latency(),
            lag: Real::default(),
        };
        registry.register_with_unit(
            "evaluation_duration",
            "Time of one evaluation of all SLOs",
            Unit::Seconds,
            evaluation.took.clone(),
        );
        registry.register_with_unit(
            "evaluation_lag",
            "Time between the last tick and the end of its evaluation",
            Unit::Seconds,
            evaluation.lag.clone(),
        );
        evaluation
    }
}

impl Outbox {
    pub(super) fn register(registry: &mut Registry) -> Outbox {
        let outbox = Outbox {
            pending: Family::default(),
            deliveries: Family::default(),
        };
        registry.register(
            "outbox_pending",
            "Deliveries owed to a receiver",
            outbox.pending.clone(),
        );
        registry.register(
            "deliveries",
            "Attempts to deliver, by how they ended",
            outbox.deliveries.clone(),
        );
        outbox
    }
}

impl Slos {
    pub(super) fn register(registry: &mut Registry) -> Slos {
        let slos = Slos {
            sli: Family::default(),
            budget_remaining: Family::default(),
            burn_rate: Family::default(),
        };
        registry.register_with_unit(
            "slo_sli",
            "Good events over all events in the SLO's window; absent without data",
            Unit::Other("ratio".to_owned()),
            slos.sli.clone(),
        );
        registry.register_with_unit(
            "slo_budget_remaining",
            "Error budget left in the SLO's window, negative when overspent; absent without data",
            Unit::Other("ratio".to_owned()),
            slos.budget_remaining.clone(),
        );
        registry.register(
            "slo_burn_rate",
            "Error ratio over the window divided by the budget; 1 spends it exactly; absent without data",
            slos.burn_rate.clone(),
        );
        slos
    }

    /// Makes every value absent.
    pub(super) fn clear(&self) {
        self.sli.clear();
        self.budget_remaining.clear();
        self.burn_rate.clear();
    }
}

/// Registers what is said of a process by convention, under names of its own.
pub(super) fn register_process(registry: &mut Registry, started: Timestamp) {
    let start = Real::default();
    start.set(started.as_duration().as_secs_f64());
    registry.register_with_unit(
        "process_start_time",
        "When the process started, in Unix time",
        Unit::Seconds,
        start,
    );
}

fn latency() -> Histogram {
    Histogram::new(SECONDS)
}
