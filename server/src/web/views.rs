//! Views made from one snapshot, the timelines behind it, and stored slices.
//!
//! Figures of the present come from the snapshot, so that tile, table, API and page text agree; timelines
//! give what lies before, up to the snapshot's tick.

mod corrections;
mod debug;
mod executive;
mod objective;
mod oncall;
mod shell;
mod slo;
mod specs;

pub(super) use debug::debug;
pub(super) use executive::executive;
pub(super) use objective::status;
pub(super) use oncall::oncall;
pub(super) use shell::{error_shell, shell};
pub(super) use slo::{slo, slos};
pub(super) use specs::{read as spec_files, specs, tried};

use std::sync::Arc;

use dashboards::view::{Counts, Steps};
use slo_specs::{Budgeting, Objective, POINT_UNITS, Tally};

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

/// Counts as views have them, in the objective's [`slo_specs::Noun`]: events or time slices; of slices that are bad in part, seconds; of
/// points that are good in part, whole points.
fn counts(objective: &Objective, tally: Tally) -> Counts {
    let shown = |count: u64| match objective.budgeting {
        Budgeting::Timeslices(slicing) if objective.budgeting.units() > 1 => {
            let units = u128::from(objective.budgeting.units());
            let seconds = u128::from(count) * u128::from(slicing.length.as_secs());
            u64::try_from((seconds + units / 2) / units).unwrap_or(u64::MAX)
        }
        Budgeting::Shares => (count + POINT_UNITS / 2) / POINT_UNITS,
        Budgeting::Occurrences | Budgeting::Timeslices(_) => count,
    };
    Counts {
        total: shown(tally.total),
        bad: shown(tally.bad),
    }
}

/// An objective's counts over a grid, of steps that hold whole time slices.
fn steps(live: &Live, objective: &Objective, grid: Grid) -> Steps {
    let slicing = objective.budgeting.slicing();
    let slice_s = slicing.map_or(0, |slicing| objective::seconds(slicing.length));
    let grid = grid.no_finer_than(slice_s);
    grid.steps(|from, to| between(live, objective, from, to))
}

/// An objective's counts in `(from, to]`.
fn between(live: &Live, objective: &Objective, from: i64, to: i64) -> Counts {
    live.account(objective)
        .map_or_else(Counts::default, |timeline| {
            counts(objective, timeline.between(from, to))
        })
}
