//! A set of fingerprints in memory: open addressing, 10 to 15 bytes each.

/// Slots for the first fingerprints.
const LEAST: usize = 1024;
/// Slots behind the last home, for what finds its home taken.
const TAIL: usize = 256;

/// A set of 64-bit fingerprints, none of them 0, that are spread evenly as a keyed hash spreads them. Homes rise with
/// the fingerprints, so that walking the slots gives them almost sorted.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// 0 is a free slot.
    slots: Vec<u64>,
    homes: usize,
    len: usize,
}

impl Table {
    /// Adds a fingerprint; whether it was not there.
    pub(super) fn insert(&mut self, print: u64) -> bool {
        loop {
            match self.find(print) {
                Some(at) if self.slots[at] == print => return false,
                // Four fifths full: a look at a slot is then still one or two cache lines.
                Some(at) if (self.len + 1) * 5 <= self.homes * 4 => {
                    self.slots[at] = print;
                    self.len += 1;
                    return true;
                }
                _ => self.grow(),
            }
        }
    }

    /// Whether a fingerprint is there.
    pub(super) fn contains(&self, print: u64) -> bool {
        self.find(print).is_some_and(|at| self.slots[at] == print)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.slots.len() * size_of::<u64>()
    }

    /// All fingerprints, rising.
    pub(super) fn sorted(&self) -> impl Iterator<Item = u64> {
        // Within a stretch without a free slot fingerprints may be out of order, never beyond it.
        let stretches = self.slots.split(|slot| *slot == 0);
        stretches.flat_map(|stretch| {
            let mut stretch = stretch.to_vec();
            stretch.sort_unstable();
            stretch
        })
    }

    /// The slot of a fingerprint, or the free one where it would be; `None` if there is neither.
    fn find(&self, print: u64) -> Option<usize> {
        let home = (u128::from(print) * self.homes as u128) >> 64;
        let home = usize::try_from(home).ok()?;
        let taken = |slot: &u64| *slot == 0 || *slot == print;
        let onwards = self.slots.get(home..)?;
        onwards.iter().position(taken).map(|beyond| home + beyond)
    }

    fn grow(&mut self) {
        let homes = (self.homes + self.homes / 2).max(LEAST);
        let larger = Table {
            slots: vec![0; homes + TAIL],
            homes,
            len: 0,
        };
        let smaller = std::mem::replace(self, larger);
        for print in smaller.slots.into_iter().filter(|slot| *slot != 0) {
            self.insert(print);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_and_walks_in_order(
            close in prop::collection::vec(1_u64..2000, 0..800),
            spread in prop::collection::vec(1_u64.., 0..2000),
            high in prop::collection::vec(u64::MAX - 1000.., 0..100),
        ) {
            let mut table = Table::default();
            let mut oracle = BTreeSet::new();
            for print in spread.into_iter().chain(close).chain(high) {
                prop_assert_eq!(table.contains(print), oracle.contains(&print));
                prop_assert_eq!(table.insert(print), oracle.insert(print));
                prop_assert!(table.contains(print));
            }
            prop_assert_eq!(table.len(), oracle.len());
            prop_assert!(table.sorted().eq(oracle.iter().copied()));
        }
    }

    #[test]
    fn a_fingerprint_takes_ten_to_fifteen_bytes() {
        let mut table = Table::default();
        for number in 1..=200_000_u64 {
            table.insert(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            if number >= 10_000 && number % 10_000 == 0 {
                let each = table.bytes() / table.len();
                assert!((10..=15).contains(&each), "{each} bytes of {number}");
            }
        }
    }
}
