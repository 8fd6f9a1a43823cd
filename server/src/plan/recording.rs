//! The past that a recording holds: counted whole, then judged at every tick.

use std::path::PathBuf;
use std::sync::Arc;

use slo_specs::Catalog;

use super::WARM_UP_S;
use super::grid::Grid;
use super::span::Span;
use super::{PlanError, Span as Asked};
use crate::live::Live;
use crate::replay::{Replay, ReplayError};

/// Counts a recording for one catalog.
pub(super) fn count(catalog: Catalog, files: &[PathBuf]) -> Result<Counted, ReplayError> {
    let mut replay = Replay::counting(Arc::new(catalog));
    for file in files {
        replay.file(file)?;
    }
    Ok(Counted {
        notes: replay.rejected(),
        times: replay.times(),
        live: replay.into_live(),
    })
}

/// What a recording counts for one catalog.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) live: Live,
    /// Begin of the first slice and the tick after the last line, in Unix seconds.
    times: Option<(i64, i64)>,
    /// What is not counted, and why.
    pub(super) notes: Vec<String>,
}

/// The ticks of a recording that was counted for both catalogs.
pub(super) fn grid(
    old: &Counted,
    new: &Counted,
    span: Asked,
) -> Result<(Grid, Option<String>), PlanError> {
    let times: Vec<(i64, i64)> = [old.times, new.times].into_iter().flatten().collect();
    let first = times.iter().map(|(first, _)| *first).min();
    let last = times.iter().map(|(_, last)| *last).max();
    let Some((first, last)) = first.zip(last) else {
        return Err(PlanError::Range("the recording has no events".to_owned()));
    };
    // A recording is judged from its beginning unless asked otherwise.
    let begin = super::Edge::At(super::instant(first));
    let span = Span {
        from: span.from.or(Some(begin)),
        to: span.to,
    };
    let (from, to, note) = span.within(first, last)?;
    let grid = Grid {
        from,
        warm_up_s: WARM_UP_S,
        to,
        hours_until: i64::MIN,
        minutes_until: i64::MIN,
    };
    Ok((grid, note))
}
