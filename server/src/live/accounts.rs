//! Timelines that are derived from the indicators' events, and when sloburn was there to see them.

use std::collections::BTreeMap;

use foldhash::HashMap;
use slo_specs::{Account, Catalog, Derived, Fingerprint, Timeline};

/// Under which the ticks are stored at which sloburn was up.
const UP: Fingerprint = Fingerprint(u64::from_le_bytes(*b"upticks!"));

/// The accounts of a catalog that are not an indicator's own timeline.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    derived: BTreeMap<Fingerprint, Derived>,
    /// Indicator → the accounts that are derived from it.
    of_leaf: HashMap<Fingerprint, Vec<Fingerprint>>,
    /// An event for every tick.
    up: Timeline,
    /// The tick that was noted last.
    noted: Option<i64>,
}

impl Accounts {
    pub(crate) fn new(catalog: &Catalog) -> Accounts {
        let mut accounts = Accounts::default();
        accounts.change_catalog(catalog, &[]);
        accounts
    }

    /// Takes another catalog's accounts in place; returns those that have no history yet, as they are
    /// new or as an indicator that they are derived from is one of `added`.
    pub(crate) fn change_catalog(
        &mut self,
        catalog: &Catalog,
        added: &[Fingerprint],
    ) -> Vec<Fingerprint> {
        let mut kept = std::mem::take(&mut self.derived);
        self.of_leaf.clear();
        let mut without_history = Vec::new();
        let accounts = catalog.objectives.iter().map(slo_specs::Objective::account);
        // What was counted and what is left of it after corrections: both are kept.
        let accounts =
            accounts.flat_map(|account| account.uncorrected().into_iter().chain([account]));
        for account in accounts.filter(|account| !account.is_plain()) {
            let fingerprint = account.fingerprint();
            if self.derived.contains_key(&fingerprint) {
                continue;
            }
            for part in &account.parts {
                self.of_leaf.entry(part.of).or_default().push(fingerprint);
            }
            let is_new = account.parts.iter().any(|part| added.contains(&part.of));
            let derived = kept.remove(&fingerprint).filter(|_| !is_new);
            if derived.is_none() {
                without_history.push(fingerprint);
            }
            let derived = derived.unwrap_or_else(|| Derived::new(account));
            self.derived.insert(fingerprint, derived);
        }
        without_history
    }

    pub(crate) fn timeline(&self, account: Fingerprint) -> Option<&Timeline> {
        self.derived.get(&account).map(Derived::timeline)
    }

    /// To restore stored hours into.
    pub(crate) fn timeline_mut(&mut self, account: Fingerprint) -> Option<&mut Timeline> {
        if account == UP {
            return Some(&mut self.up);
        }
        self.derived.get_mut(&account).map(Derived::timeline_mut)
    }

    /// Everything that is stored.
    pub(crate) fn timelines_mut(&mut self) -> impl Iterator<Item = (Fingerprint, &mut Timeline)> {
        let derived = self.derived.iter_mut();
        let derived = derived.map(|(fingerprint, derived)| (*fingerprint, derived.timeline_mut()));
        derived.chain([(UP, &mut self.up)])
    }

    /// Names of everything that is stored.
    pub(crate) fn fingerprints(&self) -> impl Iterator<Item = Fingerprint> {
        self.derived.keys().copied().chain([UP])
    }

    /// An indicator's events in the slice that ends there changed.
    pub(crate) fn touch(&mut self, leaf: Fingerprint, end: i64) {
        for account in self.of_leaf.get(&leaf).into_iter().flatten() {
            if let Some(derived) = self.derived.get_mut(account) {
                derived.touch(end);
            }
        }
    }

    /// sloburn is there at a tick.
    pub(crate) fn note_up(&mut self, now: i64) {
        if self.noted.replace(now) != Some(now) {
            self.up.mark(now);
        }
    }

    /// Whether silence changes an account.
    pub(crate) fn counts_silence(&self) -> bool {
        let accounts = self.derived.values().map(Derived::account);
        accounts.into_iter().any(Account::counts_silence)
    }

    /// Brings every account up to a tick, and tells the earliest slice that changed in each.
    pub(crate) fn update<'t>(
        &mut self,
        of: impl Fn(Fingerprint) -> Option<&'t Timeline>,
        now: i64,
        mut changed: impl FnMut(Fingerprint, i64),
    ) {
        let Accounts { derived, up, .. } = self;
        let (whole, corrected): (Vec<_>, Vec<_>) = derived
            .iter_mut()
            .partition(|(_, derived)| derived.account().corrections.is_empty());
        let mut uncorrected = HashMap::default();
        for (fingerprint, derived) in whole {
            if let Some(end) = derived.update(&of, up, now) {
                changed(*fingerprint, end);
            }
            uncorrected.insert(*fingerprint, derived.timeline());
        }
        for (fingerprint, derived) in corrected {
            if derived.is_unborn()
                && let Some(account) = derived.account().uncorrected()
                && let Some(whole) = uncorrected.get(&account.fingerprint())
            {
                derived.inherit(whole, &of);
            }
            if let Some(end) = derived.update(&of, up, now) {
                changed(*fingerprint, end);
            }
        }
    }

    /// Whether an hour of an indicator is left out in part of any account: its minutes are kept as long as its
    /// sum would be, so that what is left can be counted again.
    pub(crate) fn split_hour(&self, leaf: Fingerprint, hour_end: i64) -> bool {
        let accounts = self.of_leaf.get(&leaf).into_iter().flatten();
        let mut accounts = accounts.filter_map(|account| self.derived.get(account));
        accounts.any(|derived| derived.account().splits_hour(hour_end))
    }

    /// Empties some of the accounts: they are derived from the beginning.
    pub(crate) fn forget(&mut self, accounts: &[Fingerprint]) {
        for (fingerprint, derived) in &mut self.derived {
            if accounts.contains(fingerprint) {
                *derived = Derived::new(derived.account().clone());
            }
        }
    }

    /// What was stored is restored, but `half`. The last tick that is stored is the last at which
    /// the accounts were brought up to date.
    pub(crate) fn resume(&mut self, half: &[Fingerprint]) {
        let Some(last) = self.up.last_event() else {
            let all: Vec<Fingerprint> = self.derived.keys().copied().collect();
            return self.forget(&all);
        };
        let restored = self.derived.iter_mut();
        for (_, derived) in restored.filter(|(fingerprint, _)| !half.contains(fingerprint)) {
            derived.resume(last);
        }
    }
}
