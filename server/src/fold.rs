//! Folds what was counted since the last tick into the store's slices, and old slices into longer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use collector::Pack;
use slo_specs::{Catalog, Fingerprint};

use crate::config::Retention;
use crate::history::{load_latencies, recount};
use crate::live::{Cut, Gathered, Live, sum};
use crate::resume::locked;
use crate::store::{Fold, SliceRow, Store, StoreError, TallyRow, Tier, Trim};

/// One hour in seconds.
const HOUR_S: i64 = 3600;
/// How much of an hour is read at once while it is sealed, in seconds.
const READ_STEP_S: i64 = 600;
/// After its end an hour is sealed when nothing that is accepted can change it: the longest
/// lateness, and one minute for what is on its way.
const SEAL_MARGIN_S: i64 = 60;

/// An hour's tallies are stored coarser some time after they are old enough to be.
const TALLY_SPARE: Duration = Duration::from_hours(48);

/// Writes cuts of the live state to the store, and what a failed write left behind.
#[derive(Debug)]
pub(crate) struct Folder {
    store: Store,
    live: Arc<Mutex<Live>>,
    backlog: Cut,
    /// The last journal row that is folded.
    folded: i64,
    /// Indicators whose history could not be read yet.
    without_history: Vec<Fingerprint>,
    retention: Retention,
    max_late_s: i64,
}

impl Folder {
    pub(crate) fn new(
        store: Store,
        live: Arc<Mutex<Live>>,
        retention: Retention,
        max_late_s: i64,
    ) -> Folder {
        Folder {
            store,
            live,
            backlog: Cut::default(),
            folded: 0,
            without_history: Vec::new(),
            retention,
            max_late_s,
        }
    }

    /// Takes a cut and writes it; what cannot be written is kept and written with the next.
    pub(crate) async fn fold(&mut self, now: i64) -> Result<(), StoreError> {
        let cut = locked(&self.live).cut(now);
        self.backlog.add(cut);
        if self.backlog.upto == self.folded && self.backlog.chunks.is_empty() {
            return Ok(());
        }
        let slices = merged_slices(&self.store, &self.backlog).await?;
        self.store.fold(&fold_of(&self.backlog, slices)).await?;
        self.folded = self.backlog.upto;
        self.backlog = Cut::default();
        Ok(())
    }

    /// Judges another catalog from now on. Indicators without tallies are counted over the same
    /// history: what is stored, and what is not folded yet. Nothing else folds meanwhile.
    pub(crate) async fn change_catalog(
        &mut self,
        catalog: Arc<Catalog>,
        now: i64,
    ) -> Result<(), StoreError> {
        let added = {
            let mut live = locked(&self.live);
            self.backlog.add(live.cut(now));
            live.change_catalog(catalog)
        };
        self.without_history.extend(added);
        self.count_history(now).await?;
        let kept = locked(&self.live).indicators();
        let kept: Vec<i64> = kept.iter().map(|kept| kept.0.cast_signed()).collect();
        self.store.keep_tallies(&kept).await
    }

    /// Counts the history of the indicators that have none yet, from the beginning.
    pub(crate) async fn count_history(&mut self, now: i64) -> Result<(), StoreError> {
        if self.without_history.is_empty() {
            return Ok(());
        }
        {
            let mut live = locked(&self.live);
            self.backlog.add(live.cut(now));
            live.forget(&self.without_history);
            for ((slice, _), gathered) in &self.backlog.slices {
                let end = slice.end_seconds();
                live.recount(&self.without_history, end, &gathered.pack);
                live.record_latencies(Some(&self.without_history), end, 10, &gathered.pack);
            }
        }
        recount(&self.store, &self.live, &self.without_history, now).await?;
        load_latencies(&self.store, &self.live, &self.without_history, now).await?;
        self.without_history.clear();
        Ok(())
    }

    /// Makes minute and hour slices of the hours that nothing can change any more.
    pub(crate) async fn seal(&self, now: i64) -> Result<(), StoreError> {
        if !self.backlog.slices.is_empty() {
            // What could not be folded yet may belong to the hour.
            return Ok(());
        }
        let last = (now - self.max_late_s - SEAL_MARGIN_S).div_euclid(HOUR_S) * HOUR_S;
        let mut sealed = self.store.sealed_until().await?;
        if sealed == 0 {
            sealed = match self.store.first_end(Tier::Ten).await? {
                Some(first) => (first - 1).div_euclid(HOUR_S) * HOUR_S,
                None => return Ok(()),
            };
        }
        while sealed < last {
            let upto = sealed + HOUR_S;
            let mut longer = Lengthened::default();
            let mut after = sealed;
            while after < upto {
                let until = after + READ_STEP_S;
                for row in self.store.slices(Tier::Ten, None, after, until).await? {
                    longer.add(&row)?;
                }
                after = until;
            }
            self.store.seal(&longer.rows(), upto).await?;
            sealed = upto;
        }
        Ok(())
    }

    /// Deletes what is older than its retention.
    pub(crate) async fn trim(&self, now: i64) -> Result<u64, StoreError> {
        let before = |kept: std::time::Duration| now - i64::try_from(kept.as_secs()).unwrap_or(now);
        let sealed = self.store.sealed_until().await?;
        self.store
            .trim(&Trim {
                // A 10-second slice is needed until its hour is sealed.
                ten_before_s: before(self.retention.ten_seconds).min(sealed),
                minute_before_s: before(self.retention.minutes),
                hour_before_s: before(self.retention.hours),
                // A resent request is recognised for longer than its events are accepted.
                request_before_s: now - 2 * self.max_late_s.max(HOUR_S),
                tally_ten_before_s: before(self.retention.ten_seconds + TALLY_SPARE),
                tally_minute_before_s: before(self.retention.minutes + TALLY_SPARE),
                tally_hour_before_s: before(self.retention.hours + TALLY_SPARE),
                incident_before_s: before(self.retention.hours),
                outbox_before_s: before(self.retention.minutes),
            })
            .await
    }
}

/// The rows of a cut, each merged with what the store has of the same slice.
async fn merged_slices(store: &Store, cut: &Cut) -> Result<Vec<SliceRow>, StoreError> {
    let keys: Vec<(Tier, i64, String)> = cut
        .slices
        .keys()
        .map(|(slice, service)| (Tier::Ten, slice.end_seconds(), service.to_string()))
        .collect();
    let stored = store.slices_at(&keys).await?;
    let mut stored: BTreeMap<(i64, String), SliceRow> = stored
        .into_iter()
        .map(|row| ((row.end_s, row.service.clone()), row))
        .collect();
    let mut rows = Vec::with_capacity(cut.slices.len());
    for ((slice, service), gathered) in &cut.slices {
        let key = (slice.end_seconds(), service.to_string());
        let mut pack = gathered.pack.clone();
        let mut row = SliceRow {
            tier: Tier::Ten,
            end_s: key.0,
            service: key.1.clone(),
            requests: signed(gathered.requests),
            failed: signed(gathered.failed),
            pack: Vec::new(),
        };
        if let Some(before) = stored.remove(&key) {
            row.requests += before.requests;
            row.failed += before.failed;
            sum(pack.merge(&unpack(&before)?), "a slice");
        }
        row.pack = pack.encode();
        rows.push(row);
    }
    Ok(rows)
}

fn fold_of(cut: &Cut, slices: Vec<SliceRow>) -> Fold {
    let tallies = cut
        .chunks
        .iter()
        .map(|((fingerprint, hour_end_s), chunk)| TallyRow {
            fingerprint: fingerprint.0.cast_signed(),
            tier: tier_of(chunk.tier),
            hour_end_s: *hour_end_s,
            chunk: chunk.bytes.clone(),
        })
        .collect();
    Fold {
        upto: cut.upto,
        slices,
        tallies,
        streams: cut
            .streams
            .iter()
            .map(|(id, state)| (id.0.cast_signed(), state.clone()))
            .collect(),
        counters: cut
            .classes
            .named()
            .into_iter()
            .flat_map(|(name, class)| {
                [
                    (name.to_owned(), class.total),
                    (format!("{name}_bad"), class.bad),
                ]
            })
            .map(|(name, count)| (name, signed(count)))
            .collect(),
    }
}

/// 10-second rows merged into minutes and hours.
#[derive(Default)]
struct Lengthened {
    merged: BTreeMap<(Tier, i64, String), Gathered>,
}

impl Lengthened {
    fn add(&mut self, row: &SliceRow) -> Result<(), StoreError> {
        let gathered = Gathered {
            requests: unsigned(row.requests),
            failed: unsigned(row.failed),
            pack: unpack(row)?,
        };
        for tier in [Tier::Minute, Tier::Hour] {
            let end = -(-row.end_s).div_euclid(tier.seconds()) * tier.seconds();
            let key = (tier, end, row.service.clone());
            self.merged.entry(key).or_default().add(&gathered);
        }
        Ok(())
    }

    fn rows(self) -> Vec<SliceRow> {
        let row = |((tier, end_s, service), gathered): ((Tier, i64, String), Gathered)| SliceRow {
            tier,
            end_s,
            service,
            requests: signed(gathered.requests),
            failed: signed(gathered.failed),
            pack: gathered.pack.encode(),
        };
        self.merged.into_iter().map(row).collect()
    }
}

/// A timeline's tier as the store writes it.
fn tier_of(tier: slo_specs::Tier) -> Tier {
    match tier {
        slo_specs::Tier::Ten => Tier::Ten,
        slo_specs::Tier::Minute => Tier::Minute,
        slo_specs::Tier::Hour => Tier::Hour,
    }
}

/// The series of a stored row.
pub(crate) fn unpack(row: &SliceRow) -> Result<Pack, StoreError> {
    Pack::decode(&row.pack).map_err(|error| StoreError::damaged("slice", row.end_s, &error))
}

/// Counts are stored as 64-bit signed integers: 9·10¹⁸ is beyond any traffic.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// No stored count is negative.
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

#[cfg(test)]
mod tests;
