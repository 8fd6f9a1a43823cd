//! Stored slices as charts need them: per service and step, requests, failures, latencies, endpoints.
//!
//! Counts are summed, histograms merged; quantiles are asked of merged histograms only.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use collector::{Known, Measured, Pack, SeriesKey, Signal, SpanKind, SpanStatus, SparseHistogram};
use dashboards::Text;
use dashboards::view::{Counts, Endpoint, LatencyColumn, LatencyGrid, Range, Steps, Threshold};
use jiff::Timestamp;
use slo_specs::{Indicator, Objective, Op, Signal as SpecSignal};

use crate::sli::selects;
use crate::store::{Store, StoreError, Tier};

/// Longest a page waits for stored slices.
const PATIENCE: Duration = Duration::from_secs(3);
/// Lengths of steps that charts are cut into, in seconds.
const STEPS_S: [i64; 8] = [10, 60, 300, 600, 900, 1_800, 3_600, 86_400];
/// Most steps of a chart.
const MOST_STEPS: i64 = 120;
/// Endpoints listed.
const MOST_ENDPOINTS: usize = 5;

/// A range cut into equal steps that end at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// Start, in Unix seconds, exclusive.
    pub(super) from_s: i64,
    pub(super) step_s: i64,
    pub(super) steps: usize,
}

impl Grid {
    /// At most 120 steps of a round length.
    pub(super) fn of(range: Range) -> Grid {
        Grid::with_step_from(range, 10)
    }

    /// As [`Grid::of`], with steps of at least `least_s`: what is stored is no finer.
    pub(super) fn with_step_from(range: Range, least_s: i64) -> Grid {
        let (from, to) = (range.from.as_second(), range.to.as_second());
        let length = (to - from).max(10);
        let fits = |step: &i64| *step >= least_s && length / step <= MOST_STEPS;
        let step_s = STEPS_S.into_iter().find(fits).unwrap_or(86_400);
        Grid::last(to, step_s, length.div_euclid(step_s).max(1))
    }

    /// So many steps that end at a moment.
    pub(super) fn last(to_s: i64, step_s: i64, steps: i64) -> Grid {
        Grid {
            from_s: to_s - step_s * steps,
            step_s,
            steps: usize::try_from(steps).unwrap_or(1),
        }
    }

    pub(super) fn to_s(self) -> i64 {
        self.start_s(self.steps)
    }

    /// Start of a step.
    pub(super) fn start_s(self, step: usize) -> i64 {
        self.from_s + self.step_s * i64::try_from(step).unwrap_or(i64::MAX / 86_400)
    }

    /// The same steps, so much earlier.
    fn earlier(self, by_s: i64) -> Grid {
        Grid {
            from_s: self.from_s - by_s,
            ..self
        }
    }

    /// The step that a slice belongs to, by its end.
    pub(super) fn step_of(self, end_s: i64) -> Option<usize> {
        let step = usize::try_from((end_s - 1 - self.from_s).div_euclid(self.step_s)).ok()?;
        (step < self.steps).then_some(step)
    }

    /// Steps from what is counted in each, asked with the step's ends: `(from, to]`.
    pub(super) fn steps(self, counts: impl Fn(i64, i64) -> Counts) -> Steps {
        let counts = (0..self.steps).map(|step| counts(self.start_s(step), self.start_s(step + 1)));
        self.with(counts.collect())
    }

    /// Steps with these counts.
    pub(super) fn with(self, counts: Vec<Counts>) -> Steps {
        Steps {
            from: instant(self.from_s),
            step: Duration::from_secs(self.step_s.unsigned_abs()),
            counts,
        }
    }
}

/// A moment by its Unix second.
pub(super) fn instant(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
}

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

/// A latency that an objective allows, and which series it is about.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    objective: Arc<Objective>,
    bound: f64,
    inclusive: bool,
}

impl Allowed {
    /// The bound of an objective about durations: spans, or a metric whose histogram is in time.
    pub(super) fn of(objective: &Arc<Objective>) -> Option<Allowed> {
        match &objective.indicator {
            Indicator::Threshold { op, bound, .. } if matches!(op, Op::Lt | Op::Lte) => {
                Some(Allowed {
                    objective: Arc::clone(objective),
                    bound: *bound,
                    inclusive: *op == Op::Lte,
                })
            }
            _ => None,
        }
    }

    /// Whether it belongs to a service.
    pub(super) fn is_of(&self, service: &str) -> bool {
        self.objective.service == service
    }

    /// Whether it is about spans: then its bound is in milliseconds.
    pub(super) fn of_spans(&self) -> bool {
        self.objective.indicator.signal() == SpecSignal::Traces
    }

    fn counts(&self, key: &SeriesKey) -> bool {
        match &self.objective.indicator {
            Indicator::Threshold { of, .. } => selects(of, key),
            Indicator::Ratio { .. } => false,
        }
    }

    /// Its bound in µs: a metric's unit says what it is in.
    fn bound_us(&self, unit: &str) -> Option<u64> {
        let factor = match (self.of_spans(), unit) {
            (true, _) | (false, "ms") => 1e3,
            (false, "s") => 1e6,
            (false, "us") => 1.0,
            (false, "ns") => 1e-3,
            _ => return None,
        };
        let length = Duration::try_from_secs_f64(self.bound * factor / 1e6).ok()?;
        u64::try_from(length.as_micros()).ok()
    }
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
                    let pack = Pack::decode(&row.pack)
                        .map_err(|error| StoreError::damaged("slice", row.end_s, &error))?;
                    stored.add(&row.service, row.end_s, &pack, known, allowed);
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
        let own = allowed
            .iter()
            .find(|allowed| allowed.objective.service == service);
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
            })
        });
        Some(LatencyGrid {
            from: instant(self.grid.from_s),
            step: Duration::from_secs(self.grid.step_s.unsigned_abs()),
            columns: columns.collect(),
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
            .entry(Arc::clone(&key.name))
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

    fn range(from_s: i64, to_s: i64) -> Range {
        Range {
            from: instant(from_s),
            to: instant(to_s),
            live: false,
        }
    }

    #[test]
    fn steps_are_round_and_end_where_the_range_ends() {
        for (length, step, steps) in [
            (900, 10, 90),
            (3_600, 60, 60),
            (21_600, 300, 72),
            (86_400, 900, 96),
        ] {
            let grid = Grid::of(range(1_000_000, 1_000_000 + length));
            assert_eq!(
                (grid.step_s, grid.steps, grid.to_s()),
                (step, steps, 1_000_000 + length)
            );
        }
        assert_eq!(Grid::with_step_from(range(0, 900), 60).step_s, 60);
    }

    #[test]
    fn a_slice_belongs_to_the_step_its_end_is_in() {
        let grid = Grid::last(600, 60, 10);
        assert_eq!(grid.step_of(0), None, "it ended before");
        assert_eq!(grid.step_of(10), Some(0));
        assert_eq!(grid.step_of(60), Some(0), "ends are part of their step");
        assert_eq!(grid.step_of(70), Some(1));
        assert_eq!(grid.step_of(600), Some(9));
        assert_eq!(grid.step_of(610), None);
    }

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
