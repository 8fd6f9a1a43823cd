//! The frame of a page.

use dashboards::Text;
use dashboards::view::{OpenPage, Shell, Status};

use slo_specs::Problem;

use super::Source;
use super::objective::{status, urgent};
use crate::snapshot::Snapshot;
use crate::web::ask::Ask;

/// The frame around the page that was asked for.
pub(in crate::web) fn shell(
    source: &Source<'_>,
    ask: &Ask,
    live: bool,
    services: &[String],
) -> Shell {
    let snapshot = &source.snapshot;
    let urgent = urgent(&snapshot.objectives);
    let paging = urgent.iter().filter_map(|one| match status(one) {
        (Status::Paging, since) => Some(OpenPage {
            objective: one.objective.id.clone(),
            title: Text::new(&one.objective.title),
            service: Text::new(&one.objective.service),
            since: since.unwrap_or(snapshot.at),
        }),
        _ => None,
    });
    let of_objective = urgent.iter().map(|one| &one.objective.service);
    let debug_service = of_objective
        .chain(services)
        .find(|service| services.contains(service))
        .cloned();
    Shell {
        evaluation: snapshot.id,
        at: snapshot.at,
        url: ask.url(),
        live,
        theme: ask.theme,
        paging: paging.collect(),
        debug_service,
        last_event: snapshot
            .objectives
            .iter()
            .filter_map(|one| one.evaluation.last_event)
            .max(),
        received: (snapshot.classes.received(), snapshot.classes.rejected()),
        services: services.len(),
        objectives: written(snapshot),
        catalog_problems: told(snapshot, Problem::is_error),
        catalog_warnings: told(snapshot, |problem| !problem.is_error()),
        storage: snapshot
            .storage
            .iter()
            .map(|note| Text::new(note))
            .collect(),
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// The frame of a page that says what went wrong: nothing in it needs the store.
pub(in crate::web) fn error_shell(source: &Source<'_>, path: &str) -> Shell {
    let snapshot = &source.snapshot;
    Shell {
        evaluation: snapshot.id,
        at: snapshot.at,
        url: path.to_owned(),
        live: false,
        theme: None,
        paging: Vec::new(),
        debug_service: None,
        last_event: snapshot
            .objectives
            .iter()
            .filter_map(|one| one.evaluation.last_event)
            .max(),
        received: (snapshot.classes.received(), snapshot.classes.rejected()),
        services: snapshot.catalog.services.len(),
        objectives: written(snapshot),
        catalog_problems: Vec::new(),
        catalog_warnings: Vec::new(),
        storage: snapshot
            .storage
            .iter()
            .map(|note| Text::new(note))
            .collect(),
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// Problems of the specs that are of a kind.
fn told(snapshot: &Snapshot, of: impl Fn(&Problem) -> bool) -> Vec<Text> {
    let problems = snapshot.problems.iter().filter(|problem| of(problem));
    problems
        .map(|problem| Text::new(&problem.to_string()))
        .collect()
}

/// How many objectives somebody wrote: segments are not among them.
fn written(snapshot: &Snapshot) -> usize {
    let written = snapshot.objectives.iter();
    let written = written.filter(|one| one.objective.segment.is_none());
    written.count()
}
