//! `/slos` and `/slos/{id}`

use std::sync::Arc;

use dashboards::Text;
use dashboards::view::{
    Allowance, Definition, Endpoint, LatencyGrid, Range, SloView, SlosView, Steps,
};

use slo_specs::{Indicator, Signal};

use super::corrections::corrections;
use super::objective::{alerts, all, days, failure, looks, objective, rules, seconds, segments_of};
use super::oncall::endpoints;
use super::{Source, between, shell, steps};
use crate::live::Live;
use crate::replay::{AllowanceReport, uncorrected_left};
use crate::snapshot::ObjectiveSnapshot;
use crate::store::StoreError;
use crate::web::allowed::Allowed;
use crate::web::ask::Ask;
use crate::web::describe;
use crate::web::grid::Grid;
use crate::web::slices::{Trouble, Values, read};

/// Lines of history beside the firing alerts.
const HISTORY: i64 = 10;
/// Steps of a window in the burndown.
const WINDOW_STEPS: i64 = 120;
/// Lines of a spec that are shown.
const EXCERPT: usize = 60;

/// The list.
pub(in crate::web) async fn slos(source: &Source<'_>, ask: &Ask) -> Result<SlosView, StoreError> {
    let services = source.state.store.services().await?;
    Ok(SlosView {
        shell: shell(source, ask, true, &services),
        objectives: all(source),
    })
}

/// One objective; `None` when none has this id.
pub(in crate::web) async fn slo(
    source: &Source<'_>,
    ask: &Ask,
    id: &str,
) -> Result<Option<SloView>, StoreError> {
    let Some(one) = source
        .snapshot
        .objectives
        .iter()
        .find(|one| one.objective.id == id)
    else {
        return Ok(None);
    };
    let range = ask.span.resolve(source.snapshot.at);
    let services = source.state.store.services().await?;
    let history = source.state.store.history(Some(id), HISTORY).await?;
    let own = [one.objective.service.clone()];
    let (endpoints, latency, trouble) = match stored(source, one, &own, range).await {
        Ok((endpoints, latency)) => (endpoints, latency, None),
        Err(Trouble(text)) => (fails_by_endpoint(one).then(Vec::new), None, Some(text)),
    };
    let view = source.with_live(|live| SloView {
        shell: shell(source, ask, range.live, &services),
        objective: objective(live, one),
        description: Text::new(&one.objective.description),
        unweighted: one.report.sampled_without_weight_at,
        service_known: services.contains(&one.objective.service),
        runbook: one.objective.runbook.clone(),
        trouble,
        range,
        focus: ask.focus.clone(),
        looks: looks(live, one),
        quantiles_us: one
            .latency
            .map(|quantiles| [quantiles.p50, quantiles.p95, quantiles.p99]),
        rules: rules(one),
        past: past(live, one),
        minutes: steps(live, &one.objective, Grid::of(range)),
        latency,
        days: days(live, one),
        endpoints,
        alerts: alerts(&[one], &history),
        segments: segments_of(&source.snapshot.objectives, &one.objective.id)
            .into_iter()
            .map(|segment| objective(live, segment))
            .collect(),
        alerted_by: alerted_by(source, one),
        uncorrected: uncorrected_left(&one.objective, &one.evaluation)
            .filter(|_| !corrections(one).is_empty()),
        policy: policy(one),
        corrections: corrections(one),
        definition: definition(one),
    });
    Ok(Some(view))
}

/// The objective of the same SLO whose rules alert, for one that has none.
fn alerted_by(source: &Source<'_>, one: &ObjectiveSnapshot) -> Option<Text> {
    if !one.objective.rules.is_empty() {
        return None;
    }
    let of = one.objective.segment.as_ref().map(|segment| &segment.of);
    let candidates = of.into_iter().chain([&one.objective.slo]);
    let objectives = candidates.filter_map(|id| source.snapshot.catalog.objective(id));
    let mut alerting = objectives.filter(|objective| !objective.rules.is_empty());
    alerting.next().map(|objective| Text::new(&objective.title))
}

/// What stored slices tell of an objective.
async fn stored(
    source: &Source<'_>,
    one: &ObjectiveSnapshot,
    services: &[String; 1],
    range: Range,
) -> Result<(Option<Vec<Endpoint>>, Option<LatencyGrid>), Trouble> {
    let endpoints = if fails_by_endpoint(one) {
        Some(endpoints(source, services, range).await?)
    } else {
        None
    };
    let latency = match Allowed::of(&one.objective) {
        Some(allowed) => latency(source, services, range, allowed).await?,
        None => None,
    };
    Ok((endpoints, latency))
}

/// Whether the endpoints of its service that fail say where its budget goes: it counts spans that fail, of all
/// of the service. Endpoints are counted by service: of a segment alone nothing is known of them.
fn fails_by_endpoint(one: &ObjectiveSnapshot) -> bool {
    let counts_spans = match &one.objective.indicator {
        Indicator::Ratio { total, .. } => total.signal == Signal::Traces,
        Indicator::Threshold { .. } | Indicator::Composite(_) => false,
    };
    counts_spans && one.objective.segment.is_none()
}

/// How long the requests took that a latency objective judges.
async fn latency(
    source: &Source<'_>,
    services: &[String; 1],
    range: Range,
    allowed: Allowed,
) -> Result<Option<LatencyGrid>, Trouble> {
    let known = source.with_live(|live| live.known().clone());
    let allowed = [allowed];
    let stored = read(&source.state.store, &known, services, range, &allowed).await?;
    let [service] = services;
    Ok(stored.latency(service, Values::Judged, allowed.first()))
}

/// Two windows up to now, in at most 240 steps on the 10-second grid; of a calendar window the period up
/// to now, its first step cut where the period begins.
fn past(live: &Live, one: &ObjectiveSnapshot) -> Steps {
    let now_s = one.evaluation.at.as_second();
    let step_of = |window_s: i64| (window_s / WINDOW_STEPS).div_euclid(10).max(1) * 10;
    let Some(period) = one.objective.window.period(now_s) else {
        let window_s = seconds(one.objective.window.nominal());
        let step_s = step_of(window_s);
        let steps = (window_s / step_s).max(1) * 2;
        return super::steps(live, &one.objective, Grid::last(now_s, step_s, steps));
    };
    let step_s = step_of(period.until_s - period.from_s);
    let steps = (now_s - period.from_s + step_s - 1) / step_s;
    let grid = Grid::last(now_s, step_s, steps);
    grid.steps(|from, to| between(live, &one.objective, from.max(period.from_s), to))
}

/// What its error budget policy says, as the API has it.
fn policy(one: &ObjectiveSnapshot) -> Vec<Allowance> {
    let said = one.report.error_budget_policy.iter();
    let view = |one: &AllowanceReport| Allowance {
        below: one.below,
        allows: Text::new(&one.allows),
        owner: one.owner.as_deref().map(Text::new),
        holds: one.holds,
    };
    said.map(view).collect()
}

fn definition(one: &ObjectiveSnapshot) -> Definition {
    let source = &one.objective.source;
    let lines = source
        .text
        .lines()
        .skip_while(|line| line.trim().is_empty() || *line == "---");
    Definition {
        file: Text::new(&source.file),
        line: source.line,
        excerpt: lines.take(EXCERPT).map(Text::new).collect(),
        indicator: describe::objective(&one.objective),
        slices: describe::slices(&one.objective).map(|slices| Text::new(&slices)),
        failure: failure(&one.objective.indicator),
    }
}

/// The objectives of a service that allow a latency, spans first.
pub(super) fn allowed(source: &Source<'_>) -> Vec<Allowed> {
    let mut allowed: Vec<_> = source
        .snapshot
        .objectives
        .iter()
        .filter_map(|one| Allowed::of(&Arc::clone(&one.objective)))
        .collect();
    allowed.sort_by_key(|allowed| !allowed.of_spans());
    allowed
}
