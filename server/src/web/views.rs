//! Views made from one snapshot, the timelines behind it, and stored slices.
//!
//! Figures of the present come from the snapshot, so that tile, table, API and page text agree; timelines
//! give what lies before, up to the snapshot's tick.

mod debug;
mod executive;
mod objective;
mod oncall;
mod shell;
mod slo;

pub(super) use debug::debug;
pub(super) use executive::executive;
pub(super) use objective::status;
pub(super) use oncall::oncall;
pub(super) use shell::{error_shell, shell};
pub(super) use slo::{slo, slos};

use std::sync::Arc;

use dashboards::view::{Counts, Steps};
use slo_specs::{Fingerprint, Tally};

use super::State;
use super::grid::Grid;
use crate::live::Live;
use crate::resume::locked;
use crate::snapshot::Snapshot;

/// What views are made from.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) state: &'a State,
    pub(super) snapshot: Arc<Snapshot>,
}

impl Source<'_> {
    /// The tick's Unix second.
    fn now_s(&self) -> i64 {
        self.snapshot.at.as_second()
    }

    /// Looks at the timelines; short, as the journal's writer waits meanwhile.
    fn with_live<T>(&self, look: impl FnOnce(&Live) -> T) -> T {
        look(&locked(&self.state.live))
    }
}

/// Counts as views have them.
fn counts(tally: Tally) -> Counts {
    Counts {
        total: tally.total,
        bad: tally.bad,
    }
}

/// An indicator's counts over a grid.
fn steps(live: &Live, indicator: Fingerprint, grid: Grid) -> Steps {
    grid.steps(|from, to| between(live, indicator, from, to))
}

/// An indicator's counts in `(from, to]`.
fn between(live: &Live, indicator: Fingerprint, from: i64, to: i64) -> Counts {
    live.timeline(indicator)
        .map_or_else(Counts::default, |timeline| {
            counts(timeline.between(from, to))
        })
}
