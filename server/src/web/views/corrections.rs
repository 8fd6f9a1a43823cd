//! Times that do not count, as pages show them.

use std::sync::Arc;

use dashboards::Text;
use dashboards::view::Correction;
use jiff::Timestamp;

use crate::snapshot::ObjectiveSnapshot;
use crate::web::grid::instant;

/// Corrections that leave time out of an objective's window, the latest first.
pub(super) fn corrections(one: &ObjectiveSnapshot) -> Vec<Correction> {
    let now_s = one.evaluation.at.as_second();
    let from_s = one.objective.window.from(now_s);
    let view = |correction: &Arc<slo_specs::Correction>| {
        let spans = correction.spans(from_s, now_s);
        let (from, until) = *spans.last()?;
        let in_force = correction.at(now_s).filter(|(_, end_s)| *end_s > now_s);
        Some(Correction {
            title: Text::new(&correction.title),
            kind: correction.kind.name(),
            reason: Text::new(&correction.reason),
            author: Text::new(&correction.author),
            times: spans.len(),
            latest: (instant(from), instant(until)),
            until: in_force.map(|(_, end_s)| instant(end_s)),
        })
    };
    let mut views: Vec<_> = one.objective.corrections.iter().filter_map(view).collect();
    views.sort_by_key(|view| std::cmp::Reverse(view.latest));
    views
}

/// The maintenance that holds an objective's alerts now, and until when.
pub(super) fn held(one: &ObjectiveSnapshot) -> Option<(Text, Timestamp)> {
    let (maintenance, (_, end_s)) = one.objective.held_by(one.evaluation.at.as_second())?;
    Some((Text::new(&maintenance.title), instant(end_s)))
}
