//! The past that a store keeps: tallies of indicators that are judged already, slices for the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use collector::Known;
use slo_specs::{Catalog, Fingerprint, Selector};
use tokio_util::sync::CancellationToken;

use super::grid::Grid;
use super::span::Span;
use super::{PlanError, WARM_UP_S};
use crate::history::{each_slice, spans};
use crate::live::Live;
use crate::resume::{load_series, restore_tallies, timeline_tier};
use crate::sli;
use crate::store::{Store, StoreError, Tier};

/// Seconds of an hour.
const HOUR_S: i64 = 3_600;
/// Tallies are kept by 10 s for so long, and by the minute for so long after it.
const TENS_S: i64 = 9 * HOUR_S;
const MINUTES_S: i64 = 36 * 24 * HOUR_S;
/// From the longest to the shortest.
const TIERS: [Tier; 3] = [Tier::Hour, Tier::Minute, Tier::Ten];
/// How often what was counted is packed, in seconds of the past.
const PACK_S: i64 = 6 * HOUR_S;

/// What a store can tell.
#[derive(Debug)]
pub(crate) struct Stored<'a> {
    store: &'a Store,
    pub(crate) known: Arc<Known>,
    /// Where the first slice begins, in Unix seconds.
    begin: i64,
    /// Where the last one ends.
    pub(crate) end: i64,
    /// From here on there are slices of 10 s.
    tens_from: i64,
    /// From here on there are minutes.
    minutes_from: i64,
}

impl<'a> Stored<'a> {
    /// Looks what there is up to the tick `now`; `known` are the series, if they are at hand.
    pub(crate) async fn look(
        store: &'a Store,
        known: Option<Arc<Known>>,
        now: i64,
    ) -> Result<Stored<'a>, PlanError> {
        let known = if let Some(known) = known {
            known
        } else {
            let known = Arc::new(Known::default());
            load_series(store, &known).await?;
            known
        };
        let [mut begins, mut ends] = [[None; 3]; 2];
        for (tier, (begin, end)) in TIERS.iter().zip(begins.iter_mut().zip(&mut ends)) {
            let first = store.first_end(*tier).await?;
            *begin = first.map(|first| first - tier.seconds());
            *end = store.last_end(*tier).await?;
        }
        let begin = begins.iter().flatten().min();
        let end = ends.iter().flatten().max();
        let Some((begin, end)) = begin.zip(end) else {
            return Err(PlanError::Range("the store has no data yet".to_owned()));
        };
        let end = (*end).min(now);
        let [minutes_from, tens_from] = fine_from(begins, end);
        Ok(Stored {
            store,
            known,
            begin: *begin,
            end,
            tens_from,
            minutes_from,
        })
    }

    /// The ticks of a span, and what to say if less than was asked for is judged.
    pub(super) fn grid(&self, span: Span) -> Result<(Grid, Option<String>), PlanError> {
        let (from, to, note) = span.within(self.begin, self.end)?;
        let grid = Grid {
            from,
            warm_up_s: WARM_UP_S,
            to,
            hours_until: self.minutes_from,
            minutes_until: self.tens_from,
        };
        Ok((grid, note))
    }

    /// The last tick at or before a time whose counts are kept to the slice.
    pub(crate) fn tick_at(&self, at: i64, now: i64) -> Result<i64, PlanError> {
        let step = if at < self.minutes_from {
            HOUR_S
        } else if at < self.tens_from {
            60
        } else {
            10
        };
        let tick = at.div_euclid(step) * step;
        if tick <= self.begin || tick > now.max(self.end) {
            return Err(PlanError::Range(format!(
                "nothing is kept of {}: there is data from {} to {}",
                super::instant(at),
                super::instant(self.begin),
                super::instant(self.end)
            )));
        }
        Ok(tick)
    }

    /// The history of every indicator of a catalog up to `to`, as far as any window reaches that ends at `from`.
    pub(crate) async fn load(
        &self,
        catalog: Catalog,
        (from, to): (i64, i64),
        stop: &CancellationToken,
    ) -> Result<Live, PlanError> {
        let mut live = Live::new(Arc::new(catalog), Arc::clone(&self.known));
        let indicators = live.indicators();
        let names: Vec<i64> = indicators.iter().map(|one| one.0.cast_signed()).collect();
        let rows = self.store.tallies(&names, 0).await?;
        let without = restore_tallies(self.store, &mut live, &indicators, rows)?;
        self.count(&mut live, &without, (from, to), stop).await?;
        live.derive(to);
        Ok(live)
    }

    /// Counts the stored slices for indicators that have no tallies.
    async fn count(
        &self,
        live: &mut Live,
        without: &[Fingerprint],
        (from, to): (i64, i64),
        stop: &CancellationToken,
    ) -> Result<(), PlanError> {
        let Some(services) = services_of(live.catalog(), without) else {
            return Ok(());
        };
        let reach = live.longest_window_s().saturating_add(WARM_UP_S);
        let oldest = from.saturating_sub(reach);
        let mut packed = i64::MIN;
        for (tier, after, upto) in spans(self.store, to, oldest, oldest).await? {
            let count = |end: i64, pack: &collector::Pack| {
                live.recount(without, timeline_tier(tier), end, pack);
                if end >= packed.saturating_add(PACK_S) {
                    packed = end;
                    live.pack(end);
                }
            };
            let reading = each_slice(self.store, tier, services.names(), (after, upto), count);
            tokio::select! {
                outcome = reading => outcome?,
                () = stop.cancelled() => return Err(PlanError::Stopped),
            }
        }
        Ok(())
    }
}

/// From where on a past that ends at `end` is kept by the minute, and from where on by 10 s; `begins` is where hours,
/// minutes and slices of 10 s begin.
fn fine_from([hours, minutes, tens]: [Option<i64>; 3], end: i64) -> [i64; 2] {
    let hour = end.div_euclid(HOUR_S) * HOUR_S;
    // Longer slices are of whole hours; where there are none before it, the first hour may be half of one.
    let begin = |own: Option<i64>, longer: Option<i64>| match (own, longer) {
        (Some(own), Some(longer)) if longer < own => -(-own).div_euclid(HOUR_S) * HOUR_S,
        _ => i64::MIN,
    };
    let longer = hours.into_iter().chain(minutes).min();
    let tens_from = begin(tens, longer).max(hour - TENS_S);
    let minutes_from = begin(minutes, hours).max(hour - MINUTES_S);
    [minutes_from.min(tens_from), tens_from]
}

impl From<StoreError> for PlanError {
    fn from(error: StoreError) -> PlanError {
        PlanError::Store(error)
    }
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
    let names: Option<Vec<Vec<String>>> = selectors.into_iter().map(sli::services).collect();
    let Some(names) = names else {
        return Some(Services::Any);
    };
    let names: BTreeSet<String> = names.into_iter().flatten().collect();
    Some(Services::Only(names.into_iter().collect()))
}

#[cfg(test)]
mod over_a_store;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_past_is_judged_as_finely_as_all_of_it_is_kept() {
        let end = 100 * 24 * HOUR_S;
        let (day, hour) = (24 * HOUR_S, HOUR_S);
        let cases = [
            (
                "an hour old",
                [None, None, Some(end - 1_800)],
                [end - 36 * day, end - 9 * hour],
            ),
            (
                "usual: 6 h of tens, 35 d of minutes, hours before",
                [
                    Some(0),
                    Some(end - 35 * day + 60),
                    Some(end - 6 * hour + 10),
                ],
                [end - 35 * day + hour, end - 5 * hour],
            ),
            (
                "sealed since the first hour",
                [Some(end - 4 * hour); 3],
                [end - 36 * day, end - 9 * hour],
            ),
            (
                "long kept tens",
                [Some(0); 3],
                [end - 36 * day, end - 9 * hour],
            ),
        ];
        for (case, begins, expected) in cases {
            assert_eq!(fine_from(begins, end), expected, "{case}");
        }
    }
}
