//! `/oncall`

use std::time::Duration;

use dashboards::Text;
use dashboards::view::{Banner, Endpoint, OncallView, Range, Status};
use jiff::Timestamp;
use slo_specs::{AlertState, BurnRate, Condition, outlook};

use super::objective::{alerts, all, exhaustion, failure, seconds, status, urgent};
use super::{Source, counts, shell, steps};
use crate::live::Live;
use crate::snapshot::ObjectiveSnapshot;
use crate::store::StoreError;
use crate::web::ask::Ask;
use crate::web::grid::{Grid, instant};
use crate::web::slices::{Trouble, a_day_before, read};

/// How far back endpoints are counted: long enough for a fault that just began, short enough to read all
/// services' slices.
const ENDPOINTS_S: i64 = 15 * 60;
/// Windows of the banner of a rule that has none.
const HOUR: Duration = Duration::from_hours(1);
const FIVE: Duration = Duration::from_mins(5);
/// Lines of history under the firing alerts.
const HISTORY: i64 = 12;

/// The view.
pub(in crate::web) async fn oncall(
    source: &Source<'_>,
    ask: &Ask,
) -> Result<OncallView, StoreError> {
    let store = &source.state.store;
    let services = store.services().await?;
    let history = store.history(None, HISTORY).await?;
    let now_s = source.now_s();
    let range = Range {
        from: instant(now_s - ENDPOINTS_S),
        to: source.snapshot.at,
        live: true,
    };
    let (endpoints, trouble) = match endpoints(source, &services, range).await {
        Ok(endpoints) => (endpoints, None),
        Err(Trouble(text)) => (Vec::new(), Some(text)),
    };
    let urgent = urgent(&source.snapshot.objectives);
    let banners = source.with_live(|live| {
        let paging = urgent.iter().filter(|one| status(one).0 == Status::Paging);
        paging
            .filter_map(|one| banner(live, one, &services))
            .collect()
    });
    Ok(OncallView {
        shell: shell(source, ask, true, &services),
        banners,
        objectives: all(source),
        trouble,
        endpoints,
        endpoints_range: range,
        alerts: alerts(&urgent, &history),
    })
}

/// Endpoints that fail, with what they did a day before.
pub(super) async fn endpoints(
    source: &Source<'_>,
    services: &[String],
    range: Range,
) -> Result<Vec<Endpoint>, Trouble> {
    let store = &source.state.store;
    let known = source.with_live(|live| live.known().clone());
    let stored = read(store, &known, services, range, &[]).await?;
    let mut endpoints = stored.endpoints(None);
    if !endpoints.is_empty() {
        a_day_before(store, &known, &stored, &mut endpoints).await?;
    }
    Ok(endpoints)
}

/// The banner of an objective that pages: by its most severe rule that fires.
fn banner(live: &Live, one: &ObjectiveSnapshot, services: &[String]) -> Option<Banner> {
    let (objective, evaluation) = (&one.objective, &one.evaluation);
    let rules = objective
        .rules
        .iter()
        .zip(&evaluation.readings)
        .zip(&one.alerts);
    let (rule, reading, since) = rules
        .filter(|((rule, _), _)| rule.severity == slo_specs::Severity::Page)
        .find_map(|((rule, reading), alert)| match alert {
            AlertState::Firing { since, .. } => Some((rule, reading, *since)),
            _ => None,
        })?;
    let now_s = evaluation.at.as_second();
    let timeline = live.account(objective)?;
    let budget = evaluation.budget.allowed_events();
    let (condition, leading) = reading.leading(&rule.condition);
    let burn = match condition {
        Condition::Burn(burn) => Some((burn.long, burn.short)),
        _ => None,
    };
    let (long, short) = burn.unwrap_or((HOUR, FIVE));
    let [of_long, of_short] = [long, short].map(|length| timeline.tally(now_s, length));
    let burning = |tally| BurnRate::of(tally, objective.target).map(BurnRate::as_f64);
    // What failed before it fired made it fire: that is part of what it used.
    let onset_s = since.as_second() - seconds(short);
    let used = timeline.between(onset_s, now_s).bad;
    Some(Banner {
        objective: objective.id.clone(),
        title: Text::new(&objective.title),
        failure: failure(&objective.indicator),
        counted: objective.noun(),
        service_known: services.contains(&objective.service),
        service: objective.service.clone(),
        rule: Text::new(&rule.name),
        because: burn.is_none().then(|| Text::new(&leading.says(condition))),
        long: (long, counts(objective, of_long)),
        short: (short, counts(objective, of_short)),
        allowed: objective.target.complement().as_f64(),
        burn: (burning(of_long), burning(of_short)),
        since,
        left: evaluation.budget.remaining(),
        used: (budget > 0.0).then(|| fraction(used, budget)),
        outlook: exhaustion(evaluation.exhaustion),
        outlook_long: exhaustion(outlook(
            objective,
            &evaluation.budget,
            timeline,
            now_s,
            long,
        )),
        minutes: steps(live, objective, grid(long, now_s)),
        runbook: objective.runbook.clone(),
        range: around(since, short, evaluation.at),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a shown figure has few digits")]
fn fraction(bad: u64, budget: f64) -> f64 {
    bad as f64 / budget
}

/// The last hour by the minute; for rules of minutes the last quarter of an hour, finer.
fn grid(long: Duration, now_s: i64) -> Grid {
    if long <= Duration::from_mins(15) {
        Grid::last(now_s, 10, 90)
    } else {
        Grid::last(now_s, 60, 60)
    }
}

/// From well before it fired, open to the future: a link that still shows the night next week.
fn around(since: Timestamp, short: Duration, now: Timestamp) -> Range {
    let lead = Duration::from_mins(30).max(short * 2);
    Range {
        from: since.saturating_sub(lead).unwrap_or(since),
        to: now,
        live: true,
    }
}
