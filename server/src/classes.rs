//! The classes of everything received: how they are stored, and what waits to be.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use collector::{Class, Classes, Kind, Ledger};

use crate::live::sum;

/// Classes that no new request's commit brings along: of requests that came again or were refused
/// for now, and of logs, which are not journaled. They are part of the next commit, which comes
/// within seconds also when nobody sends; a killed process forgets that these arrived, and so keeps
/// the sum of the classes equal to what was received. Clones share one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owed {
    ledger: Arc<Mutex<Ledger>>,
}

impl Owed {
    /// Adds what became of one request.
    pub(crate) fn note(&self, kind: Kind, classes: &Classes) {
        sum(self.lock().signal_mut(kind).merge(classes), "classes");
    }

    /// Adds several.
    pub(crate) fn add(&self, ledger: &Ledger) {
        sum(self.lock().merge(ledger), "classes");
    }

    /// Takes everything, to commit it.
    pub(crate) fn take(&self) -> Ledger {
        std::mem::take(&mut *self.lock())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stored counters of a ledger, without those that are 0: no counter ever falls.
pub(crate) fn counters(ledger: &Ledger) -> impl Iterator<Item = (String, i64)> {
    let ledger = *ledger;
    let mut counters = Vec::new();
    for (signal, classes) in ledger.named() {
        for (name, class) in classes.named() {
            counters.push((format!("{signal}.{name}"), class.total));
            counters.push((format!("{signal}.{name}_bad"), class.bad));
        }
    }
    let filled = counters.into_iter().filter(|(_, count)| *count > 0);
    // 64-bit signed integers are what the store has: 9·10¹⁸ is beyond any traffic.
    filled.map(|(name, count)| (name, i64::try_from(count).unwrap_or(i64::MAX)))
}

/// The inverse of [`counters`]: one that is not stored is 0.
pub(crate) fn of_counters(counters: &BTreeMap<String, i64>) -> Ledger {
    let count = |name: &str| {
        let stored = counters.get(name).copied().unwrap_or_default();
        u64::try_from(stored).unwrap_or_default()
    };
    let classes = |signal: &str| {
        Classes::from_named(|name| Class {
            total: count(&format!("{signal}.{name}")),
            bad: count(&format!("{signal}.{name}_bad")),
        })
    };
    Ledger {
        spans: classes("spans"),
        points: classes("points"),
        records: classes("records"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_ledger_is_the_same_ledger() {
        let mut number = 0;
        let mut class = |_: &str| {
            number += 1;
            Class {
                total: 2 * number,
                bad: number,
            }
        };
        let classes = std::cell::RefCell::new(&mut class);
        let ledger = Ledger {
            spans: Classes::from_named(|name| classes.borrow_mut()(name)),
            points: Classes::default(),
            records: Classes::from_named(|name| classes.borrow_mut()(name)),
        };
        assert_eq!(of_counters(&counters(&ledger).collect()), ledger);
    }
}
