//! An explanation from what a store keeps.

use std::sync::Arc;

use collector::Known;
use jiff::Timestamp;
use slo_specs::{Catalog, Objective};
use tokio_util::sync::CancellationToken;

use super::series::Sums;
use super::{Explanation, explain};
use crate::history::each_slice;
use crate::plan::{PlanError, Stored, instant};
use crate::sli::counts_service;
use crate::store::{Store, StoreError, Tier};

/// Explains an objective at a time (or at `now`, the last tick, unless given) from the store's tallies and slices.
pub(crate) async fn explain_stored(
    store: &Store,
    known: Option<Arc<Known>>,
    objective: &Objective,
    at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Explanation, PlanError> {
    let stored = Stored::look(store, known, now.as_second()).await?;
    let asked = at.unwrap_or(now).as_second();
    let tick = stored.tick_at(asked, now.as_second())?;
    let catalog = Catalog {
        objectives: vec![objective.clone()],
        ..Catalog::default()
    };
    let mut sums = Sums::new(&catalog);
    let stop = CancellationToken::new();
    let live = stored.load(catalog, (tick, tick), &stop).await?;
    let mut explanation = explain(objective, &live, instant(tick)).ok_or_else(|| {
        PlanError::Range("the history of this objective is not counted yet".to_owned())
    })?;
    let from = explanation.window.counted_from.as_second();
    let spans = covering(store, from, tick).await?;
    for (tier, from, to) in &spans.ranges {
        each_slice(store, *tier, None, (*from, *to), |_, pack| {
            sums.add(pack, &stored.known);
        })
        .await?;
    }
    sums.tell(&mut explanation, &stored.known);
    explanation.notes.extend(spans.note);
    if tick != asked {
        let note = format!(
            "counts are kept to the slice: this is the tick at {}",
            instant(tick)
        );
        explanation.notes.push(note);
    }
    let incomplete = store.quarantined().await?.into_iter().filter(|row| {
        let is_of = row
            .service
            .as_ref()
            .is_none_or(|service| counts_service(objective, service));
        is_of && row.from_s < row.to_s && row.to_s > from && row.from_s < tick
    });
    let told = incomplete.map(|row| (instant(row.from_s), instant(row.to_s)));
    explanation.incomplete = told.collect();
    Ok(explanation)
}

/// Slices that hold a time once, each as long as can be.
struct Covering {
    ranges: Vec<(Tier, i64, i64)>,
    /// Said if the time could not be cut exactly.
    note: Option<String>,
}

async fn covering(store: &Store, from: i64, to: i64) -> Result<Covering, StoreError> {
    let sealed = store.sealed_until().await?;
    let tens_from = store
        .first_end(Tier::Ten)
        .await?
        .map_or(i64::MAX, |end| end - 10);
    let minutes_from = store
        .first_end(Tier::Minute)
        .await?
        .map_or(i64::MAX, |end| end - 60);
    Ok(cover((from, to), sealed, minutes_from, tens_from))
}

/// As [`covering`]: up to `sealed` there are hours, and minutes from `minutes_from` on; slices of 10 s begin at
/// `tens_from`.
fn cover((from, to): (i64, i64), sealed: i64, minutes_from: i64, tens_from: i64) -> Covering {
    let mut ranges: Vec<(Tier, i64, i64)> = Vec::new();
    let mut note = None;
    let mut at = from;
    while at < to {
        let fits = |tier: Tier| {
            let length = tier.seconds();
            let is_kept = match tier {
                Tier::Hour => at + length <= sealed,
                Tier::Minute => at + length <= sealed && at >= minutes_from.min(tens_from),
                Tier::Ten => at >= tens_from || at >= sealed,
            };
            at.rem_euclid(length) == 0 && at + length <= to && is_kept
        };
        let tiers = [Tier::Hour, Tier::Minute, Tier::Ten];
        let Some(tier) = tiers.into_iter().find(|tier| fits(*tier)) else {
            // Kept too coarsely to be cut here: the rest of the minute or hour is left out.
            let step = if at >= minutes_from { 60 } else { 3_600 };
            note = Some("series are told to the whole minute or hour at the window's edges: older slices are not kept finer".to_owned());
            at = (at.div_euclid(step) + 1) * step;
            continue;
        };
        let end = at + tier.seconds();
        match ranges.last_mut() {
            Some((last, _, upto)) if *last == tier && *upto == at => *upto = end,
            _ => ranges.push((tier, at, end)),
        }
        at = end;
    }
    Covering { ranges, note }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_covered_once_by_slices_as_long_as_can_be() {
        let found = cover((3_540, 14_450), 10_800, 0, 7_200);
        assert_eq!(
            found.ranges,
            [
                (Tier::Minute, 3_540, 3_600),
                (Tier::Hour, 3_600, 10_800),
                (Tier::Ten, 10_800, 14_450)
            ]
        );
        assert_eq!(found.note, None);
        let cut = cover((3_550, 7_200), 10_800, 0, 7_200);
        assert_eq!(cut.ranges, [(Tier::Hour, 3_600, 7_200)]);
        assert!(
            cut.note.is_some(),
            "ten seconds are left out, and that is said"
        );
    }
}
