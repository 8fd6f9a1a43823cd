//! The past that a store keeps: tallies of indicators that are judged already, slices for the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use collector::Known;
use slo_specs::{Catalog, Fingerprint, Scalar, Selector, Test};
use tokio_util::sync::CancellationToken;

use super::grid::Grid;
use super::span::Span;
use super::{PlanError, WARM_UP_S};
use crate::history::{each_slice, spans};
use crate::live::Live;
use crate::resume::{load_series, restore_tallies};
use crate::store::{Store, StoreError, Tier};

/// Seconds of an hour.
const HOUR_S: i64 = 3_600;
/// Tallies are kept by 10 s for so long, and by the minute for so long after it.
const TENS_S: i64 = 9 * HOUR_S;
const MINUTES_S: i64 = 36 * 24 * HOUR_S;
/// How often what was counted is packed, in seconds of the past.
const PACK_S: i64 = 6 * HOUR_S;

/// What a store can tell.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    store: &'a Store,
    known: Arc<Known>,
    pub(super) grid: Grid,
    pub(super) note: Option<String>,
}

impl<'a> Stored<'a> {
    /// Looks what there is up to the tick `now`.
    pub(super) async fn look(
        store: &'a Store,
        known: Option<Arc<Known>>,
        span: Span,
        now: i64,
    ) -> Result<Stored<'a>, PlanError> {
        let known = if let Some(known) = known {
            known
        } else {
            let known = Arc::new(Known::default());
            load_series(store, &known).await?;
            known
        };
        let mut first = Vec::new();
        let mut last = Vec::new();
        for tier in [Tier::Ten, Tier::Minute, Tier::Hour] {
            first.push(store.first_end(tier).await?.map(|end| end - tier.seconds()));
            last.push(store.last_end(tier).await?);
        }
        let begin = first.iter().flatten().min();
        let end = last.iter().flatten().max();
        let Some((begin, end)) = begin.zip(end) else {
            return Err(PlanError::Range("the store has no data yet".to_owned()));
        };
        let (from, to, note) = span.within(*begin, (*end).min(now))?;
        let hour = now.min(*end).div_euclid(HOUR_S) * HOUR_S;
        let whole =
            |begin: Option<&Option<i64>>| begin.copied().flatten().map_or(i64::MIN, ceil_hour);
        let tens_from = whole(first.first()).max(hour - TENS_S);
        let minutes_from = whole(first.get(1)).max(hour - MINUTES_S);
        Ok(Stored {
            store,
            known,
            grid: Grid {
                from,
                warm_up_s: WARM_UP_S,
                to,
                hours_until: minutes_from.min(tens_from),
                minutes_until: tens_from,
            },
            note,
        })
    }

    /// The history of every indicator of a catalog, as far as any window reaches.
    pub(super) async fn load(
        &self,
        catalog: Catalog,
        stop: &CancellationToken,
    ) -> Result<Live, PlanError> {
        let mut live = Live::new(Arc::new(catalog), Arc::clone(&self.known));
        let indicators = live.indicators();
        let names: Vec<i64> = indicators.iter().map(|one| one.0.cast_signed()).collect();
        let rows = self.store.tallies(&names, 0).await?;
        let without = restore_tallies(self.store, &mut live, &indicators, rows)?;
        self.count(&mut live, &without, stop).await?;
        live.derive(self.grid.to);
        Ok(live)
    }

    /// Counts the stored slices for indicators that have no tallies.
    async fn count(
        &self,
        live: &mut Live,
        without: &[Fingerprint],
        stop: &CancellationToken,
    ) -> Result<(), PlanError> {
        let Some(services) = services_of(live.catalog(), without) else {
            return Ok(());
        };
        let reach = live.longest_window_s().saturating_add(WARM_UP_S);
        let oldest = self.grid.from.saturating_sub(reach);
        let mut packed = i64::MIN;
        for (tier, from, upto) in spans(self.store, self.grid.to, oldest, oldest).await? {
            let count = |end: i64, pack: &collector::Pack| {
                live.recount(without, end, pack);
                if end >= packed.saturating_add(PACK_S) {
                    packed = end;
                    live.pack(end);
                }
            };
            let reading = each_slice(self.store, tier, services.names(), (from, upto), count);
            tokio::select! {
                outcome = reading => outcome?,
                () = stop.cancelled() => return Err(PlanError::Stopped),
            }
        }
        Ok(())
    }
}

impl From<StoreError> for PlanError {
    fn from(error: StoreError) -> PlanError {
        PlanError::Store(error)
    }
}

/// The whole hour at or after a time.
fn ceil_hour(second: i64) -> i64 {
    -(-second).div_euclid(HOUR_S) * HOUR_S
}

/// Whose slices are read.
#[derive(Debug, PartialEq, Eq)]
enum Services {
    Any,
    Only(Vec<String>),
}

impl Services {
    fn names(&self) -> Option<&[String]> {
        match self {
            Services::Any => None,
            Services::Only(names) => Some(names),
        }
    }
}

/// The services whose slices these indicators are counted from; `None` if none of them is counted from slices
/// (what is derived from others is not).
fn services_of(catalog: &Catalog, indicators: &[Fingerprint]) -> Option<Services> {
    let objectives = catalog.objectives.iter();
    let leaves = objectives.flat_map(|objective| objective.indicator.leaves());
    let leaves = leaves.filter(|leaf| indicators.contains(&leaf.fingerprint()));
    let selectors: Vec<&Selector> = leaves.flat_map(slo_specs::Indicator::selectors).collect();
    if selectors.is_empty() {
        return None;
    }
    let names: Option<Vec<Vec<String>>> = selectors.into_iter().map(services).collect();
    let Some(names) = names else {
        return Some(Services::Any);
    };
    let names: BTreeSet<String> = names.into_iter().flatten().collect();
    Some(Services::Only(names.into_iter().collect()))
}

fn services(selector: &Selector) -> Option<Vec<String>> {
    let mut tests = selector.matchers.iter();
    let test = &tests.find(|matcher| matcher.key == "service.name")?.test;
    let Test::In(names) = test else {
        return None;
    };
    let name = |name: &Scalar| match name {
        Scalar::Text(name) => Some(name.clone()),
        Scalar::Number(..) | Scalar::Bool(_) => None,
    };
    names.iter().map(name).collect()
}
