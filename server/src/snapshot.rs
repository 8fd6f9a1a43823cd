//! What one tick found: the one calculation that tiles, charts, tables, API and pages read.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use slo_specs::{AlertState, Catalog, Evaluation, Objective, Problem};
use tokio::sync::watch;

use crate::live::{Quantiles, Unweighted};
use crate::replay::SloReport;
use crate::senders::Standings;

/// Everything the dashboards show that is not read from stored slices.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Number of the evaluation: Unix seconds of its tick, divided by 10.
    pub(crate) id: u64,
    /// The tick.
    pub(crate) at: Timestamp,
    /// What is promised, with every segment.
    pub(crate) catalog: Arc<Catalog>,
    /// The same as somebody wrote it.
    pub(crate) written: Arc<Catalog>,
    /// In the catalog's order.
    pub(crate) objectives: Vec<ObjectiveSnapshot>,
    /// What is wrong with the spec files, if the last reload was refused.
    pub(crate) problems: Arc<Vec<Problem>>,
    /// What is wrong with the store, in sentences.
    pub(crate) storage: Vec<String>,
    /// Everything received, by signal and class.
    pub(crate) classes: collector::Ledger,
    /// Who was sampled without a weight, and when last.
    pub(crate) unweighted: Unweighted,
    /// Whose clocks are off, over the last five minutes.
    pub(crate) senders: Standings,
}

/// One objective at the tick.
#[derive(Debug)]
pub(crate) struct ObjectiveSnapshot {
    pub(crate) objective: Arc<Objective>,
    pub(crate) evaluation: Evaluation,
    /// In the order of the objective's rules.
    pub(crate) alerts: Vec<AlertState>,
    /// As the API and `replay` print it.
    pub(crate) report: SloReport,
    /// Over the SLO's window.
    pub(crate) latency: Option<Quantiles>,
}

impl Snapshot {
    /// Before the first tick.
    pub(crate) fn empty(catalog: Arc<Catalog>, at: Timestamp) -> Snapshot {
        Snapshot {
            id: 0,
            at,
            written: Arc::clone(&catalog),
            catalog,
            objectives: Vec::new(),
            problems: Arc::default(),
            storage: Vec::new(),
            classes: collector::Ledger::default(),
            unweighted: Unweighted::default(),
            senders: Standings::default(),
        }
    }
}

/// Where the newest snapshot is published and read.
#[derive(Debug, Clone)]
pub(crate) struct Snapshots {
    newest: Arc<ArcSwap<Snapshot>>,
    ticked: watch::Sender<u64>,
}

impl Snapshots {
    pub(crate) fn new(first: Snapshot) -> Snapshots {
        Snapshots {
            ticked: watch::Sender::new(first.id),
            newest: Arc::new(ArcSwap::from_pointee(first)),
        }
    }

    /// The newest snapshot, whole and unchanging.
    pub(crate) fn newest(&self) -> Arc<Snapshot> {
        self.newest.load_full()
    }

    /// Tells the id of every snapshot from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.ticked.subscribe()
    }

    pub(crate) fn publish(&self, snapshot: Snapshot) {
        let id = snapshot.id;
        self.newest.store(Arc::new(snapshot));
        self.ticked.send_replace(id);
    }
}
