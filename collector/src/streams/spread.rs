//! Spreading: what accrued over a time is counted in the slices of that time, in whole units, none
//! lost.

use std::cmp::Reverse;

use crate::slice::{SLICE_NANOS, Slice};

/// Slices that one amount is spread over at most (a day); a longer time is cut to its end.
const MAX_SLICES: u64 = 8640;

/// The slices of a time and how much of it lies in each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spread {
    /// Both counted, in tens of seconds.
    first: u32,
    last: u32,
    /// Of so many slices in a row only the last one counts, for all of them.
    step: u32,
    /// The time in nanoseconds: `(from, to]`.
    from: u64,
    to: u64,
    /// What each slice is still owed, in units of 1/(`to` − `from`); sums to 0. Empty until something is shared.
    owed: Vec<i128>,
}

impl Spread {
    /// The slices of `(from, to]`, cut to what may be counted.
    pub(crate) fn new(from: u64, to: u64, (earliest, latest): (u64, u64)) -> Spread {
        let to = to.min(latest).max(1);
        let longest = to.saturating_sub(MAX_SLICES * SLICE_NANOS);
        let from = from.max(earliest).max(longest).min(to - 1);
        Spread {
            first: Slice::containing(from + 1).raw(),
            last: Slice::containing(to).raw(),
            step: 1,
            from,
            to,
            owed: Vec::new(),
        }
    }

    /// The same time in so many slices at most, evenly.
    pub(crate) fn in_at_most(self, slices: usize) -> Spread {
        let most = u32::try_from(slices.max(1)).unwrap_or(u32::MAX);
        let step = (self.last - self.first + 1).div_ceil(most);
        Spread { step, ..self }
    }

    /// The slices, from the earliest on.
    pub(crate) fn slices(&self) -> impl ExactSizeIterator<Item = Slice> + use<> {
        let (first, last, step) = (self.first, self.last, self.step);
        let steps = (last - first) / step + 1;
        (0..steps).map(move |at| Slice::from_raw((first + at * step + step - 1).min(last)))
    }

    /// The latest slice.
    pub(crate) fn last(&self) -> Slice {
        Slice::from_raw(self.last)
    }

    /// How much of the time a slice counts for, in nanoseconds.
    fn weight(&self, slice: Slice) -> u64 {
        let begin = self.first + (slice.raw() - self.first) / self.step * self.step;
        let begin = u64::from(begin.saturating_sub(1)) * SLICE_NANOS;
        slice.end_nanos().min(self.to) - self.from.max(begin)
    }

    /// Shares `count` units among the slices in proportion to their time, by largest remainder.
    /// Remainders are carried from one call to the next, so that many small counts spread as evenly
    /// as one large one.
    pub(crate) fn share(&mut self, count: u64) -> Vec<u64> {
        let slices = self.slices().len();
        if slices == 1 {
            return vec![count];
        }
        self.owed.resize(slices, 0);
        let whole = i128::from(self.to - self.from);
        for (at, slice) in self.slices().enumerate() {
            self.owed[at] += i128::from(count) * i128::from(self.weight(slice));
        }
        let mut left = count;
        let mut shares = vec![0; self.owed.len()];
        for (share, owed) in shares.iter_mut().zip(&mut self.owed) {
            let units = u64::try_from(owed.div_euclid(whole))
                .unwrap_or_default()
                .min(left);
            *share = units;
            *owed -= i128::from(units) * whole;
            left -= units;
        }
        let mut order: Vec<_> = (0..shares.len()).collect();
        while left > 0 {
            order.sort_by_key(|at| Reverse(self.owed[*at]));
            for at in &order {
                if left == 0 {
                    break;
                }
                shares[*at] += 1;
                self.owed[*at] -= whole;
                left -= 1;
            }
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVER: (u64, u64) = (0, u64::MAX);
    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn amounts_are_shared_by_time() {
        for (case, from, to, count, expected) in [
            ("within one slice", 11, 19, 5, vec![5]),
            ("a slice's end belongs to it", 10, 20, 5, vec![5]),
            ("two halves", 5, 15, 4, vec![2, 2]),
            ("a third and two thirds", 5, 20, 3, vec![1, 2]),
            ("a minute", 0, 60, 60, vec![10; 6]),
            ("less than there are slices", 0, 40, 2, vec![1, 1, 0, 0]),
            (
                "the remainder goes where most is owed",
                5,
                30,
                6,
                vec![1, 3, 2],
            ),
        ] {
            let mut spread = Spread::new(from * SECOND, to * SECOND, EVER);
            assert_eq!(spread.share(count), expected, "{case}");
        }
    }

    #[test]
    fn what_may_not_be_counted_early_is_counted_later() {
        let spread = Spread::new(0, 100 * SECOND, (85 * SECOND, 95 * SECOND));
        let ends: Vec<_> = spread.slices().map(Slice::end_seconds).collect();
        assert_eq!(ends, [90, 100]);
        let weights: Vec<_> = spread.slices().map(|slice| spread.weight(slice)).collect();
        assert_eq!(weights, [5 * SECOND, 5 * SECOND]);
    }

    #[test]
    fn a_long_time_can_count_in_fewer_slices() {
        let long = || Spread::new(3 * SECOND, 95 * SECOND, EVER);
        for (most, ends, weights) in [
            (
                100,
                vec![10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
                vec![7, 10, 10, 10, 10, 10, 10, 10, 10, 5],
            ),
            (4, vec![30, 60, 90, 100], vec![27, 30, 30, 5]),
            (1, vec![100], vec![92]),
            (0, vec![100], vec![92]),
        ] {
            let mut spread = long().in_at_most(most);
            let slices: Vec<Slice> = spread.slices().collect();
            let found = slices
                .iter()
                .map(|slice| (slice.end_seconds(), spread.weight(*slice) / SECOND));
            assert_eq!(
                found.collect::<Vec<_>>(),
                ends.into_iter().zip(weights).collect::<Vec<_>>()
            );
            assert_eq!(spread.share(92).iter().sum::<u64>(), 92);
        }
    }

    #[test]
    fn many_small_counts_spread_evenly() {
        let mut spread = Spread::new(0, 60 * SECOND, EVER);
        let mut sums = [0; 6];
        for _ in 0..60 {
            for (sum, share) in sums.iter_mut().zip(spread.share(1)) {
                *sum += share;
            }
        }
        assert_eq!(sums, [10; 6]);
    }

    proptest! {
        #[test]
        fn no_unit_is_lost(from in 0_u64..100, length in 1_u64..100, most in 1_usize..20, counts: Vec<u64>) {
            let spread = Spread::new(from * SECOND / 7, (from + length) * SECOND, EVER);
            let mut spread = spread.in_at_most(most);
            prop_assert!(spread.slices().len() <= most);
            for count in counts {
                let shares = spread.share(count);
                prop_assert_eq!(shares.iter().map(|share| u128::from(*share)).sum::<u128>(), u128::from(count));
            }
        }
    }
}
