//! `/executive`

use std::collections::{BTreeMap, BTreeSet};

use dashboards::Text;
use dashboards::view::{Counts, ExecutiveView, Objective, Served, ServiceRow, Status, WentWell};
use jiff::Timestamp;
use slo_specs::{Budgeting, Fingerprint, Indicator};

use super::objective::{alerts, all, days_since, urgent};
use super::{Source, between, shell, steps};
use crate::builtin;
use crate::live::Live;
use crate::snapshot::ObjectiveSnapshot;
use crate::store::{Demand, StoreError, Tier};
use crate::web::ask::Ask;
use crate::web::grid::{Grid, instant};

const DAY_S: i64 = 86_400;
const MONTH_S: i64 = 30 * DAY_S;
/// Lines of history under the firing pages.
const HISTORY: i64 = 10;
/// Objectives with this tier are what customers feel; without any all ratios are.
const CUSTOMERS: &str = "tier-1";

/// The view.
pub(in crate::web) async fn executive(
    source: &Source<'_>,
    ask: &Ask,
) -> Result<ExecutiveView, StoreError> {
    let store = &source.state.store;
    let services = store.services().await?;
    let history = store.history(None, HISTORY).await?;
    let now_s = source.now_s();
    let asked = asked(source, now_s).await?;
    let grid = asked.grid(now_s);
    let urgent = urgent(&source.snapshot.objectives);
    let objectives = all(source);
    let all_of_them = source.snapshot.objectives.iter();
    let segments = all_of_them.filter(|one| one.objective.segment.is_some());
    let (went_well, rows) = source.with_live(|live| {
        let well = went_well(live, &source.snapshot.objectives, now_s, grid);
        (well, service_rows(live, &urgent, &objectives))
    });
    let earlier = Grid::last(
        grid.from_s,
        grid.step_s,
        i64::try_from(grid.steps).unwrap_or(1),
    );
    Ok(ExecutiveView {
        shell: shell(source, ask, true, &services),
        objectives,
        segments: segments.count(),
        went_well,
        served: asked.served(now_s),
        demand: grid.with(asked.counts(grid)),
        demand_before: if asked.since_s.is_some_and(|since| since <= earlier.from_s) {
            asked.counts(earlier)
        } else {
            Vec::new()
        },
        services: rows,
        alerts: alerts(&urgent, &history),
    })
}

/// What all services were asked, by the hour while sealed and by 10 s since.
#[derive(Debug)]
struct Asked {
    hours: Vec<Demand>,
    tens: Vec<Demand>,
    since_s: Option<i64>,
}

async fn asked(source: &Source<'_>, now_s: i64) -> Result<Asked, StoreError> {
    let store = &source.state.store;
    let sealed_s = store.sealed_until().await?;
    let hours = store
        .demand(Tier::Hour, now_s - 2 * MONTH_S, sealed_s)
        .await?;
    let tens = store.demand(Tier::Ten, sealed_s, now_s).await?;
    let first_hour = store.first_end(Tier::Hour).await?.map(|end| end - 3_600);
    let first_ten = store.first_end(Tier::Ten).await?.map(|end| end - 10);
    let since_s = first_hour.into_iter().chain(first_ten).min();
    Ok(Asked {
        hours,
        tens,
        since_s,
    })
}

impl Asked {
    /// Days for a month; while young hours for at most three days, minutes for the first two hours. Little more than
    /// what was measured: most of it would be empty.
    fn grid(&self, now_s: i64) -> Grid {
        match self.since_s.map(|since| now_s - since) {
            None => Grid::last(now_s, 60, 60),
            Some(age @ ..7_200) => Grid::last(now_s, 60, (age / 60 + 1).max(30)),
            Some(age @ 7_200..259_200) => Grid::last(now_s, 3_600, (age / 3_600 + 1).max(12)),
            Some(_) => Grid::last(now_s, DAY_S, 30),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Demand> {
        self.hours.iter().chain(&self.tens)
    }

    fn counts(&self, grid: Grid) -> Vec<Counts> {
        let mut counts = vec![Counts::default(); grid.steps];
        for demand in self.all() {
            if let Some(step) = grid
                .step_of(demand.end_s)
                .and_then(|step| counts.get_mut(step))
            {
                *step = step.plus(Counts {
                    total: demand.requests.unsigned_abs(),
                    bad: demand.failed.unsigned_abs(),
                });
            }
        }
        counts
    }

    fn served(&self, now_s: i64) -> Served {
        let sum = |from: i64, to: i64| -> u64 {
            let within = self
                .all()
                .filter(|demand| demand.end_s > from && demand.end_s <= to);
            within.map(|demand| demand.requests.unsigned_abs()).sum()
        };
        let since = |start: i64| self.since_s.is_some_and(|since| since <= start);
        let month_ago = now_s - MONTH_S;
        Served {
            total: sum(month_ago, now_s),
            before: since(month_ago - MONTH_S).then(|| sum(month_ago - MONTH_S, month_ago)),
            busiest: self.busiest(),
            measured_since: self.since_s.filter(|since| *since > month_ago).map(instant),
        }
    }

    /// The busiest whole hour; the busiest minute as long as no hour is sealed.
    fn busiest(&self) -> Option<(Timestamp, f64)> {
        let (slices, length_s) = if self.hours.is_empty() {
            (&self.tens, 60)
        } else {
            (&self.hours, 3_600)
        };
        let mut sums: BTreeMap<i64, u64> = BTreeMap::new();
        for demand in slices {
            let start = (demand.end_s - 1).div_euclid(length_s) * length_s;
            *sums.entry(start).or_default() += demand.requests.unsigned_abs();
        }
        let (start, most) = sums.into_iter().max_by_key(|(_, sum)| *sum)?;
        #[expect(clippy::cast_precision_loss, reason = "a shown rate has few digits")]
        let rate = most as f64 / length_s as f64;
        (most > 0).then(|| (instant(start), rate))
    }
}

/// Sums over the objectives customers feel, each indicator once.
fn went_well(live: &Live, all: &[ObjectiveSnapshot], now_s: i64, grid: Grid) -> Option<WentWell> {
    let tiered = all
        .iter()
        .any(|one| one.objective.tier.as_deref() == Some(CUSTOMERS));
    let felt = all.iter().filter(|one| {
        if tiered {
            one.objective.tier.as_deref() == Some(CUSTOMERS)
        } else {
            matches!(one.objective.indicator, Indicator::Ratio { .. })
                && !builtin::is(&one.objective)
        }
    });
    // Requests are added up: slices of time are none.
    let felt = felt.filter(|one| one.objective.budgeting == Budgeting::Occurrences);
    let mut seen: BTreeSet<Fingerprint> = BTreeSet::new();
    let felt: Vec<_> = felt
        .filter(|one| seen.insert(one.objective.indicator.fingerprint()))
        .collect();
    let (mut sum, mut allowed) = (Counts::default(), 0.0);
    for one in &felt {
        let own = between(live, &one.objective, now_s - MONTH_S, now_s);
        sum = sum.plus(own);
        #[expect(clippy::cast_precision_loss, reason = "a shown ratio has few digits")]
        let events = own.total as f64;
        allowed += events * one.objective.target.complement().as_f64();
    }
    if sum.total == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a shown ratio has few digits")]
    let promised = 1.0 - allowed / sum.total as f64;
    let mut trend = grid.with(vec![Counts::default(); grid.steps]);
    for one in &felt {
        let own = steps(live, &one.objective, grid);
        for (sum, counts) in trend.counts.iter_mut().zip(own.counts) {
            *sum = sum.plus(counts);
        }
    }
    Some(WentWell {
        counts: sum,
        promised,
        objectives: felt.len(),
        trend,
    })
}

/// One row a service: its most urgent objective stands for it.
fn service_rows(
    live: &Live,
    urgent: &[&ObjectiveSnapshot],
    objectives: &[Objective],
) -> Vec<ServiceRow> {
    let mut rows: Vec<ServiceRow> = Vec::new();
    // All rows have the same steps, as the head of the column says how long one is.
    let measured = urgent
        .iter()
        .filter_map(|one| one.evaluation.measured_since);
    let oldest = measured.min();
    for (one, objective) in urgent.iter().zip(objectives) {
        let written = usize::from(objective.segment.is_none());
        let paging = usize::from(objective.status == Status::Paging);
        if let Some(row) = rows.iter_mut().find(|row| row.service == objective.service) {
            row.objectives += written;
            row.paging += paging;
        } else {
            rows.push(ServiceRow {
                service: Text::new(&one.objective.service),
                objectives: written,
                paging,
                worst: objective.clone(),
                days: days_since(live, one, oldest),
            });
        }
    }
    rows
}
