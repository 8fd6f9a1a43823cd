//! `sloburn plan`: the same past under two catalogs, and what would have been different.
//!
//! Where the past comes from: tallies and slices of a store, or a recording. It is judged at every tick, as
//! finely as it is kept, with all data at hand, as if nothing had come late (`docs/decisions/0028`).

mod api;
mod command;
mod compare;
mod grid;
mod lane;
mod markdown;
mod pair;
mod recording;
mod remote;
mod result;
mod span;
mod stored;
mod text;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use collector::Known;
use jiff::Timestamp;
use slo_specs::{Catalog, Loaded, Objective, Problem, Ratio, Severity, SourceFile};
use tokio_util::sync::CancellationToken;

pub(crate) use self::api::Asked;
pub use self::command::main;
pub(crate) use self::compare::told;
use self::compare::{Difference, differences};
use self::lane::{Course, Lane};
pub(crate) use self::result::Plan;
use self::result::{Pair, Seam, SloPlan, SpecProblem, Sum};
pub use self::span::Edge;
pub(crate) use self::span::Span;
pub(crate) use self::stored::Stored;
use crate::live::Live;
use crate::replay::{ReplayError, with_segments};
use crate::segments::told_apart;
use crate::store::{Store, StoreError};
use crate::{builtin, catalog};

/// How long before the span judging begins, in seconds: an alert that fires at its begin began before.
const WARM_UP_S: i64 = 3 * 86_400;

/// What a page must have spent of its window's budget, unless asked otherwise: the least that the paging
/// rules of the SRE workbook are made for.
pub(crate) const SIGNIFICANT: Ratio = Ratio::FIFTIETH;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// The store failed.
    #[error("cannot read the past: {0}")]
    Store(StoreError),
    /// The recording cannot be read.
    #[error(transparent)]
    Recording(#[from] ReplayError),
    /// Nothing is kept of the times asked for.
    #[error("{0}")]
    Range(String),
    /// Nobody waits for it any more, or it took too long.
    #[error("the plan was given up: it took too long")]
    Stopped,
}

/// What is to be planned.
#[derive(Debug)]
pub(crate) struct Ask {
    /// The catalog as it is.
    pub(crate) old: Loaded,
    /// The catalog as it would be.
    pub(crate) new: Loaded,
    pub(crate) span: Span,
    /// Share of a window's budget below which a page was false.
    pub(crate) significant: Ratio,
}

impl Ask {
    /// A change of the catalog in force: what these spec files would do in its place. Files that could not be
    /// resolved give a plan that [is refused](Plan::is_refused) and names their problems.
    pub(crate) fn change(old: &Catalog, files: &[SourceFile], span: Span) -> Ask {
        let ingest_slo = old.objectives.iter().any(builtin::is);
        Ask {
            old: Loaded {
                catalog: old.clone(),
                problems: Vec::new(),
            },
            new: catalog::resolve(files, ingest_slo),
            span,
            significant: SIGNIFICANT,
        }
    }

    /// Judges the segments that were seen on both sides, too.
    fn tell_segments_apart(
        &mut self,
        apart: impl Fn(Arc<Catalog>) -> Result<Arc<Catalog>, PlanError>,
    ) -> Result<(), PlanError> {
        for side in [&mut self.old, &mut self.new] {
            let written = Arc::new(std::mem::take(&mut side.catalog));
            side.catalog = Arc::unwrap_or_clone(apart(written)?);
        }
        Ok(())
    }
}

/// Judges what a store keeps under both catalogs.
///
/// Reads the store, then judges on a thread of its own; nothing is written, and no lock of the live state is
/// held. `known` are the series if they are at hand (`live.known()`), and `now` is the last tick. For a pasted
/// change: `plan_against_store(&store, Some(known), Ask::change(&catalog, &files, Span::default()), now, stop)`.
/// Cancel `stop` when nobody waits any more (a `DropGuard` of the token does), or after a time limit.
pub(crate) async fn plan_against_store(
    store: &Store,
    known: Option<Arc<Known>>,
    mut ask: Ask,
    now: Timestamp,
    stop: CancellationToken,
) -> Result<Plan, PlanError> {
    let past = "what the store keeps".to_owned();
    let outline = Outline::new(&ask, past.clone());
    if outline.plan.is_refused() {
        return Ok(outline.plan);
    }
    let stored = Stored::look(store, known, now.as_second()).await?;
    let counters = store.counters().await?;
    ask.tell_segments_apart(|written| Ok(told_apart(written, &counters, &stored.known)))?;
    let mut outline = Outline::new(&ask, past);
    let (grid, note) = stored.grid(ask.span)?;
    outline.plan.notes.extend(note);
    let span = (grid.from, grid.to);
    let old = stored
        .load(outline.side(|one| one.old.as_ref()), span, &stop)
        .await?;
    let new = stored
        .load(outline.side(|one| one.new.as_ref()), span, &stop)
        .await?;
    let course = Course::new(grid, ask.significant, stop);
    tokio::task::spawn_blocking(move || outline.fill(&course, &old, &new))
        .await
        .unwrap_or(Err(PlanError::Stopped))
}

/// Judges a recording (JSON lines of the Collector's file exporter) under both catalogs.
fn plan_recording(mut ask: Ask, files: &[PathBuf]) -> Result<Plan, PlanError> {
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let past = format!("the recording {}", names.join(", "));
    let outline = Outline::new(&ask, past.clone());
    if outline.plan.is_refused() {
        return Ok(outline.plan);
    }
    ask.tell_segments_apart(|written| Ok(with_segments(written, files)?))?;
    let outline = Outline::new(&ask, past);
    let old = recording::count(outline.side(|one| one.old.as_ref()), files)?;
    let new = recording::count(outline.side(|one| one.new.as_ref()), files)?;
    let (grid, note) = recording::grid(&old, &new, ask.span)?;
    let course = Course::new(grid, ask.significant, CancellationToken::new());
    let mut plan = outline.fill(&course, &old.live, &new.live)?;
    plan.notes.extend(new.notes);
    plan.notes.extend(note);
    Ok(plan)
}

/// A plan before anything is judged.
#[derive(Debug)]
struct Outline {
    plan: Plan,
    differences: Vec<Difference>,
}

impl Outline {
    fn new(ask: &Ask, past: String) -> Outline {
        let (differences, unchanged) = differences(&ask.old.catalog, &ask.new.catalog);
        let plan = Plan {
            past,
            from: Timestamp::UNIX_EPOCH,
            to: Timestamp::UNIX_EPOCH,
            hourly_until: None,
            minutely_until: None,
            significant: ask.significant.to_string(),
            pages: Sum::default(),
            tickets: Sum::default(),
            unchanged,
            slos: Vec::new(),
            old_problems: problems(&ask.old.problems),
            new_problems: problems(&ask.new.problems),
            notes: Vec::new(),
        };
        Outline { plan, differences }
    }

    /// One side of what differs, as a catalog.
    fn side(&self, of: impl Fn(&Difference) -> Option<&Arc<Objective>>) -> Catalog {
        let objectives = self.differences.iter().filter_map(of);
        let mut objectives: Vec<Objective> = objectives.map(|one| (**one).clone()).collect();
        objectives.sort_by(|a, b| a.id.cmp(&b.id));
        Catalog {
            objectives,
            ..Catalog::default()
        }
    }

    /// Judges both sides of every difference.
    fn fill(mut self, course: &Course, old: &Live, new: &Live) -> Result<Plan, PlanError> {
        course.grid.describe(&mut self.plan);
        for difference in &self.differences {
            let lane = |live: &Live, objective: Option<&Arc<Objective>>| match objective {
                Some(objective) => course.run(live, objective).ok_or(PlanError::Stopped),
                None => Ok(Lane::default()),
            };
            let before = lane(old, difference.old.as_ref())?;
            let after = lane(new, difference.new.as_ref())?;
            let slo = slo_plan(difference, before, after, &course.stop);
            let slo = slo.ok_or(PlanError::Stopped)?;
            self.plan.pages = self.plan.pages.plus(slo.pages.sum);
            self.plan.tickets = self.plan.tickets.plus(slo.tickets.sum);
            self.plan.slos.push(slo);
        }
        Ok(self.plan)
    }
}

/// None if it was stopped.
fn slo_plan(
    difference: &Difference,
    old: Lane,
    new: Lane,
    stop: &CancellationToken,
) -> Option<SloPlan> {
    let seam = (difference.counts_differ() && old.measured_since < new.measured_since
        || new.measured_since.is_none() && difference.counts_differ())
    .then_some(Seam {
        old_since: old.measured_since,
        new_since: new.measured_since,
    });
    Some(SloPlan {
        id: difference.id().to_owned(),
        old_id: difference.old_id(),
        service: difference.service().to_owned(),
        fate: difference.fate(),
        changes: difference.changes(),
        seam,
        pages: pair::alerts(&old, &new, Severity::Page, stop)?,
        tickets: pair::alerts(&old, &new, Severity::Ticket, stop)?,
        budget_then: Pair {
            old: old.then,
            new: new.then,
        },
        budget_now: Pair {
            old: old.now,
            new: new.now,
        },
    })
}

fn problems(problems: &[Problem]) -> Vec<SpecProblem> {
    let problem = |problem: &Problem| SpecProblem {
        error: problem.is_error(),
        text: problem.with_help(),
    };
    problems.iter().map(problem).collect()
}

/// A tick as a time; beyond the calendar it is the calendar's end.
pub(crate) fn instant(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(if second < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

#[cfg(test)]
mod tests;
