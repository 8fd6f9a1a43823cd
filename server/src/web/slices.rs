//! Stored slices as charts need them: per service and step, requests, failures, latencies, endpoints.
//!
//! Counts are summed, histograms merged; quantiles are asked of merged histograms only.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use collector::{Known, Measured, Pack, SeriesKey, Signal, SpanKind, SpanStatus, SparseHistogram};
use dashboards::Text;
use dashboards::view::{Counts, Endpoint, LatencyColumn, LatencyGrid, Range, Steps, Threshold};
use slo_specs::Noun;

use super::allowed::Allowed;
use super::grid::{Grid, instant};
use crate::fold::unpack;
use crate::store::{Store, StoreError, Tier};

/// Longest a page waits for stored slices.
const PATIENCE: Duration = Duration::from_secs(3);
/// Endpoints listed.
const MOST_ENDPOINTS: usize = 5;

/// What was stored of some services over a grid.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) grid: Grid,
    services: BTreeMap<String, Gathered>,
}

/// One service's requests (server and consumer spans) over the grid.
#[derive(Debug, Default)]
struct Gathered {
    requests: Vec<Counts>,
    latency: Vec<SparseHistogram>,
    endpoints: BTreeMap<Arc<str>, Vec<Counts>>,
    /// Of the threshold asked for: above it, and all.
    slow: (u64, u64),
    /// The distribution of what that threshold is about, per step, and its unit.
    judged: Vec<SparseHistogram>,
    unit: Arc<str>,
}

/// Which of a service's values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// Durations of all its requests.
    Requests,
    /// What the objective judges.
    Judged,
}

/// Reads slices of these services over a range; gives up after 3 s.
///
/// What is sealed is read by the minute, what is younger in slices of 10 s.
pub(super) async fn read(
    store: &Store,
    known: &Known,
    services: &[String],
    range: Range,
    allowed: &[Allowed],
) -> Result<Stored, Trouble> {
    let reading = async {
        let sealed_s = store.sealed_until().await?;
        let coarse = range.from.as_second() < sealed_s;
        let grid = Grid::with_step_from(range, if coarse { 60 } else { 10 });
        let mut stored = Stored::new(grid);
        let young_s = grid.from_s.max(sealed_s);
        let old_s = grid.to_s().min(sealed_s);
        for (tier, from_s, to_s) in [
            (Tier::Minute, grid.from_s, old_s),
            (Tier::Ten, young_s, grid.to_s()),
        ] {
            if from_s < to_s {
                for row in store.slices(tier, Some(services), from_s, to_s).await? {
                    if let Some(pack) = unpack(store, &row) {
                        stored.add(&row.service, row.end_s, &pack, known, allowed);
                    }
                }
            }
        }
        Ok(stored)
    };
    match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(stored)) => Ok(stored),
        Ok(Err(error)) => Err(Trouble::store(&error)),
        Err(_) => Err(Trouble::slow()),
    }
}

/// Why stored slices could not be read: a reference for the page, the reason in the log.
#[derive(Clone, Debug)]
pub(super) struct Trouble(pub(super) Text);

impl Trouble {
    /// Logs the error, once, under a reference that the page shows.
    pub(super) fn store(error: &StoreError) -> Trouble {
        let reference = format!("{:08x}", rand::random::<u32>());
        tracing::error!(error = %error, page.reference = %reference, "cannot read what a page shows");
        Trouble(Text::new(&format!(
            "Reading the store failed, reference {reference}"
        )))
    }

    fn slow() -> Trouble {
        tracing::warn!("reading stored slices for a page took longer than 3 s");
        Trouble(Text::new("Reading the store took longer than 3 s"))
    }
}

impl Stored {
    pub(super) fn new(grid: Grid) -> Stored {
        Stored {
            grid,
            services: BTreeMap::new(),
        }
    }

    fn add(&mut self, service: &str, end_s: i64, pack: &Pack, known: &Known, allowed: &[Allowed]) {
        let (grid, Some(step)) = (self.grid, self.grid.step_of(end_s)) else {
            return;
        };
        let gathered = self
            .services
            .entry(service.to_owned())
            .or_insert_with(|| Gathered::over(grid));
        let own = allowed.iter().find(|allowed| allowed.is_of(service));
        for (series, measured) in &pack.series {
            if let Some(key) = known.get(*series) {
                gathered.add(grid, step, &key, measured, own);
            }
        }
    }

    /// Requests of a service per step.
    pub(super) fn requests(&self, service: &str) -> Steps {
        match self.services.get(service) {
            Some(gathered) => self.grid.with(gathered.requests.clone()),
            None => self.grid.with(vec![Counts::default(); self.grid.steps]),
        }
    }

    /// The distribution of a service's latencies; `None` when nothing had a duration.
    pub(super) fn latency(
        &self,
        service: &str,
        values: Values,
        allowed: Option<&Allowed>,
    ) -> Option<LatencyGrid> {
        let gathered = self.services.get(service)?;
        let steps = match values {
            Values::Requests => &gathered.latency,
            Values::Judged => &gathered.judged,
        };
        if steps.iter().all(SparseHistogram::is_empty) {
            return None;
        }
        let bound_us = allowed.and_then(|allowed| allowed.bound_us(&gathered.unit));
        if values == Values::Judged && bound_us.is_none() {
            return None;
        }
        let mut dense = SparseHistogram::dense();
        let columns = steps.iter().map(|sparse| {
            dense.reset();
            sparse.add_into(&mut dense);
            column(sparse, &dense)
        });
        let threshold = allowed.and_then(|allowed| {
            Some(Threshold {
                bound_us: bound_us?,
                slow: gathered.slow,
                objective: allowed.objective.id.clone(),
                verdict: allowed.verdict(),
            })
        });
        Some(LatencyGrid {
            from: instant(self.grid.from_s),
            step: Duration::from_secs(self.grid.step_s.unsigned_abs()),
            columns: columns.collect(),
            counted: match (values, allowed) {
                (Values::Judged, Some(allowed)) => allowed.objective.indicator.noun(),
                _ => Noun::Request,
            },
            threshold,
        })
    }

    /// Quantile 0.99 of all of a service's requests, in µs.
    pub(super) fn p99_us(&self, service: &str) -> Option<u64> {
        let gathered = self.services.get(service)?;
        let mut dense = SparseHistogram::dense();
        for sparse in &gathered.latency {
            sparse.add_into(&mut dense);
        }
        (!dense.is_empty()).then(|| dense.value_at_quantile(0.99))
    }

    /// The endpoints with most failures, of one service or of all that were read.
    pub(super) fn endpoints(&self, only: Option<&str>) -> Vec<Endpoint> {
        let of_service = |(service, gathered): (&String, &Gathered)| {
            let grid = self.grid;
            let endpoint = |(name, counts): (&Arc<str>, &Vec<Counts>)| Endpoint {
                name: Text::new(name),
                service: service.clone(),
                counts: counts
                    .iter()
                    .fold(Counts::default(), |sum, step| sum.plus(*step)),
                before: None,
                recent: grid.with(counts.clone()),
            };
            gathered.endpoints.iter().map(endpoint).collect::<Vec<_>>()
        };
        let wanted = |service: &str| only.is_none_or(|only| only == service);
        let services = self.services.iter().filter(|(service, _)| wanted(service));
        let mut all: Vec<_> = services.flat_map(of_service).collect();
        all.retain(|endpoint| endpoint.counts.bad > 0);
        all.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.counts.bad));
        all.truncate(MOST_ENDPOINTS);
        all
    }
}

/// Adds to each endpoint what was counted of it a day before, where something was.
pub(super) async fn a_day_before(
    store: &Store,
    known: &Known,
    stored: &Stored,
    endpoints: &mut [Endpoint],
) -> Result<(), Trouble> {
    let mut services: Vec<String> = endpoints.iter().map(|e| e.service.clone()).collect();
    services.sort_unstable();
    services.dedup();
    let grid = stored.grid.earlier(86_400);
    let range = Range {
        from: instant(grid.from_s),
        to: instant(grid.to_s()),
        live: false,
    };
    let before = read(store, known, &services, range, &[]).await?;
    for endpoint in endpoints {
        let gathered = before.services.get(&endpoint.service);
        endpoint.before = gathered.and_then(|gathered| {
            let of_name = |name: &Arc<str>| Text::new(name) == endpoint.name;
            let steps = gathered.endpoints.iter().find(|(name, _)| of_name(name));
            steps.map(|(_, steps)| {
                steps
                    .iter()
                    .fold(Counts::default(), |sum, step| sum.plus(*step))
            })
        });
    }
    Ok(())
}

impl Gathered {
    fn over(grid: Grid) -> Gathered {
        Gathered {
            requests: vec![Counts::default(); grid.steps],
            latency: vec![SparseHistogram::default(); grid.steps],
            judged: vec![SparseHistogram::default(); grid.steps],
            ..Gathered::default()
        }
    }

    fn add(
        &mut self,
        grid: Grid,
        step: usize,
        key: &SeriesKey,
        measured: &Measured,
        allowed: Option<&Allowed>,
    ) {
        if let Some(allowed) = allowed
            && allowed.counts(key)
        {
            let total = measured.count();
            let within = measured.within(allowed.bound, allowed.inclusive);
            self.slow.0 += total - within.map_or(total, |within| within.lo).min(total);
            self.slow.1 += total;
            self.unit = Arc::clone(&key.unit);
            if let Some(judged) = self.judged.get_mut(step) {
                judged.merge(measured.histogram());
            }
        }
        let serves = matches!(key.kind, SpanKind::Server | SpanKind::Consumer);
        if key.signal != Signal::Spans || !serves {
            return;
        }
        let total = measured.count();
        let counts = Counts {
            total,
            bad: if key.status == SpanStatus::Error {
                total
            } else {
                0
            },
        };
        if let Some(latency) = self.latency.get_mut(step) {
            latency.merge(measured.histogram());
        }
        let endpoint = self
            .endpoints
            .entry(key.shown_name())
            .or_insert_with(|| vec![Counts::default(); grid.steps]);
        for steps in [&mut self.requests, endpoint] {
            if let Some(sum) = steps.get_mut(step) {
                *sum = sum.plus(counts);
            }
        }
    }
}

fn column(sparse: &SparseHistogram, dense: &hdrhistogram::Histogram<u64>) -> LatencyColumn {
    // A bin is drawn by its lowest value: what lies exactly on a bound is within it.
    LatencyColumn {
        values: sparse.iter().map(|(low, _, count)| (low, count)).collect(),
        p50_us: (!dense.is_empty()).then(|| dense.value_at_quantile(0.5)),
        p99_us: (!dense.is_empty()).then(|| dense.value_at_quantile(0.99)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_a_service_serves() {
        let key = |kind, status, name: &str| SeriesKey {
            signal: Signal::Spans,
            service: "checkout".into(),
            kind,
            name: name.into(),
            unit: "".into(),
            status,
            attributes: Vec::new(),
            overflow: false,
            root: false,
        };
        let known = Known::new();
        let mut pack = Pack::default();
        for (kind, status, count) in [
            (SpanKind::Server, SpanStatus::Unset, 90),
            (SpanKind::Server, SpanStatus::Error, 10),
            (SpanKind::Client, SpanStatus::Error, 500),
        ] {
            let key = Arc::new(key(kind, status, "POST /checkout"));
            known.insert(key.id(), Arc::clone(&key));
            pack.add(key.id(), &Measured::counted(count)).unwrap();
        }
        let mut stored = Stored::new(Grid::last(60, 10, 6));
        stored.add("checkout", 30, &pack, &known, &[]);
        let requests = stored.requests("checkout");
        assert_eq!(
            requests.counts[2],
            Counts {
                total: 100,
                bad: 10
            }
        );
        assert_eq!(
            requests.sum(),
            Counts {
                total: 100,
                bad: 10
            },
            "calls out are not requests"
        );
        let endpoints = stored.endpoints(None);
        assert_eq!(endpoints.len(), 1);
        assert_eq!(
            endpoints[0].counts,
            Counts {
                total: 100,
                bad: 10
            }
        );
        assert_eq!(stored.requests("other").sum(), Counts::default());
        assert_eq!(
            stored.latency("checkout", Values::Requests, None),
            None,
            "counts have no durations"
        );
    }
}
