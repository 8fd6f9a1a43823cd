//! Spans in the order of slice, series and bin.

use std::sync::Arc;

use super::{SpanBounds, Spans};
use crate::series::SeriesId;
use crate::slice::Slice;

/// What sorting spans takes, kept from one commit to the next: memory that is new to the process costs more than the
/// sorting.
#[derive(Debug, Default)]
pub struct Sorting {
    items: Vec<Item>,
    /// Where each bucket's next item goes; in the end, where the next bucket begins.
    next: Vec<usize>,
    /// The bounds of the last one. The same ones are shared: they are told to be the same without a look at them.
    bounds: Arc<SpanBounds>,
}

/// A span as it is summed: what is sorted, and so as small as can be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Item {
    pub(super) series: SeriesId,
    pub(super) slice: Slice,
    /// The histogram's bin that it is in.
    pub(super) bin: u16,
    /// Whether it stands for more than `spans`, and nobody knows for how many.
    pub(super) unweighted: bool,
    pub(super) nanos: u64,
    /// So many does it count for.
    pub(super) spans: u64,
}

/// Sorted spans fall into buckets by slice, then by the first bits of the series: ids of series are hashes, so that
/// each bucket has few, and buckets are in order.
#[derive(Clone, Copy, Debug)]
struct Buckets {
    first_slice: u32,
    /// From the first to the last; 0 if times do not matter, as there is one bucket.
    slices: usize,
    bits: u32,
}

/// Spans in a bucket, about: sorting so few is quick.
const IN_BUCKET: usize = 4;
/// Most bits of a series that are looked at: counts of that many buckets stay near.
const MOST_BITS: u32 = 12;
/// So many spans' room is kept: more is one large commit's.
const KEPT: usize = 1 << 15;

impl Sorting {
    /// These bounds, as they were the last time.
    pub(super) fn shared(&mut self, bounds: &Arc<SpanBounds>) -> Arc<SpanBounds> {
        if self.bounds != *bounds {
            self.bounds = Arc::clone(bounds);
        }
        Arc::clone(&self.bounds)
    }

    /// Calls back with all spans in order.
    pub(super) fn sorted<T>(&mut self, spans: &[&Spans], then: impl FnOnce(&[Item]) -> T) -> T {
        let all = spans.iter().map(|spans| spans.records.len()).sum();
        if self.items.len() < all {
            self.items.resize(all, Item::default());
        }
        let items = &mut self.items[..all];
        let buckets = Buckets::new(spans, all);
        self.next.clear();
        self.next.resize(buckets.number(), 0);
        let records = || spans.iter().flat_map(|spans| &spans.records);
        records().for_each(|record| self.next[buckets.of(record.slice, record.series)] += 1);
        let mut begin = 0;
        for next in &mut self.next {
            begin += std::mem::replace(next, begin);
        }
        records().for_each(|record| {
            let next = &mut self.next[buckets.of(record.slice, record.series)];
            items[*next] = record.item();
            *next += 1;
        });
        let mut begin = 0;
        for end in &self.next {
            items[begin..*end].sort_unstable_by_key(Item::order);
            begin = *end;
        }
        let result = then(items);
        if all > KEPT {
            (self.items, self.next) = (Vec::new(), Vec::new());
        }
        result
    }
}

impl Buckets {
    fn new(spans: &[&Spans], all: usize) -> Buckets {
        let slices = || {
            let records = spans.iter().flat_map(|spans| &spans.records);
            records.map(|record| record.slice.raw())
        };
        let first_slice = slices().min().unwrap_or_default();
        let last = slices().max().unwrap_or_default();
        let slices = usize::try_from(last - first_slice).unwrap_or(usize::MAX);
        if slices >= all {
            // Few spans of very different times: one bucket is for all.
            return Buckets {
                first_slice: 0,
                slices: 0,
                bits: 0,
            };
        }
        let slices = slices + 1;
        let bits = (all / slices / IN_BUCKET).checked_ilog2();
        Buckets {
            first_slice,
            slices,
            bits: bits.unwrap_or_default().min(MOST_BITS),
        }
    }

    fn number(self) -> usize {
        self.slices.max(1) << self.bits
    }

    fn of(self, slice: Slice, series: SeriesId) -> usize {
        if self.slices == 0 {
            return 0;
        }
        let slice = u64::from(slice.raw() - self.first_slice);
        let series = series.0.checked_shr(u64::BITS - self.bits);
        let at = slice << self.bits | series.unwrap_or_default();
        usize::try_from(at).unwrap_or_default()
    }
}

impl Item {
    /// Slice and series as one number.
    pub(super) fn place(&self) -> u128 {
        u128::from(self.slice.raw()) << 64 | u128::from(self.series.0)
    }

    /// What is sorted by: the place, then the bin.
    fn order(&self) -> u128 {
        self.place() << 16 | u128::from(self.bin)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::counted::SpanRecord;

    proptest! {
        #[test]
        fn spans_of_any_slices_and_series_are_sorted_as_by_comparison(
            requests in prop::collection::vec(
                prop::collection::vec((0_u32..6, any::<bool>(), 0_u64..40, 0_u64..5), 0..120),
                0..5,
            ),
        ) {
            let record = |(slice, early, series, millis): (u32, bool, u64, u64)| SpanRecord::new(
                SeriesId(series.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
                Slice::from_raw(if early { slice } else { 1_000_000 + slice / 3 }),
                Duration::from_millis(millis),
            );
            let requests = requests.into_iter();
            let requests: Vec<Spans> = requests.map(|one| one.into_iter().map(record).collect()).collect();
            let requests: Vec<&Spans> = requests.iter().collect();
            let mut expected: Vec<Item> = Vec::new();
            for spans in &requests {
                expected.extend(spans.records().iter().map(SpanRecord::item));
            }
            expected.sort_by_key(Item::order);
            let mut sorting = Sorting::default();
            // The second time in a room that holds what was sorted before.
            for _ in 0..2 {
                let orders = |items: &[Item]| items.iter().map(Item::order).collect::<Vec<_>>();
                let sorted = sorting.sorted(&requests, |items| orders(items));
                prop_assert_eq!(sorted, orders(&expected));
            }
        }
    }
}
