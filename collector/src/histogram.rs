//! Sparse histograms with the bucketing of `HdrHistogram`: 1 µs to 1 h, 3 significant digits.

use hdrhistogram::Histogram;
use smallvec::SmallVec;

use crate::codec::{CodecError, Reader, put_varint};

/// Lowest value told apart, in µs; what is below counts here.
pub const LOWEST_US: u64 = 1;
/// Highest value told apart, in µs (1 h); what is above counts here and is told by
/// [`SparseHistogram::clamped`].
pub const HIGHEST_US: u64 = 3_600_000_000;
/// Significant decimal digits.
pub const SIGNIFICANT_DIGITS: u8 = 3;

// HdrHistogram's figures for these bounds and digits: 2048 sub-buckets (the power of two above 2 ·
// 10³), and as many doublings as it takes to pass an hour.
const SUB_BUCKET_BITS: u32 = 11;
const SUB_BUCKET_MASK: u64 = (1 << SUB_BUCKET_BITS) - 1;
const HALF: u64 = 1 << (SUB_BUCKET_BITS - 1);

/// Counts of values by size. A dense one takes 184 KiB; this holds only the bins that have counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparseHistogram {
    /// Sorted by index, no zero counts.
    bins: SmallVec<[Bin; 8]>,
    clamped: u64,
}

/// Packed, as they are what most memory goes to: ten bytes and not sixteen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, packed(2))]
struct Bin {
    index: u16,
    count: u64,
}

impl SparseHistogram {
    /// A dense histogram of the same bounds, to merge into and ask for quantiles.
    pub fn dense() -> Histogram<u64> {
        Histogram::new_with_bounds(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS)
            .unwrap_or_else(|_| unreachable!("the bounds are constants that HdrHistogram accepts"))
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.bins.is_empty()
    }

    /// How many values were recorded.
    pub fn total(&self) -> u64 {
        self.bins.iter().map(|bin| bin.count).sum()
    }

    /// How many of them were above [`HIGHEST_US`] and count there.
    pub fn clamped(&self) -> u64 {
        self.clamped
    }

    /// The bins that have counts, from low to high: lowest and highest value in µs (both included),
    /// and count. The first bin also holds what is lower, the last one what is higher.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        self.bins.iter().map(|bin| {
            let (low, high) = range(bin.index);
            (low, high, bin.count)
        })
    }

    /// Adds all counts to a dense histogram; where its bounds are narrower, at its highest value.
    pub fn add_into(&self, dense: &mut Histogram<u64>) {
        for (low, _, count) in self.iter() {
            dense.saturating_record_n(low, count);
        }
    }

    /// Records `count` values of `value_us`. The caller bounds the total.
    pub(crate) fn record(&mut self, value_us: u64, count: u64) {
        if count == 0 {
            return;
        }
        if value_us > HIGHEST_US {
            self.clamped += count;
        }
        self.add(index_of(value_us), count);
    }

    /// Adds `count` values to a bin. The caller bounds the total, and tells of clamped values.
    pub(crate) fn add(&mut self, index: u16, count: u64) {
        match self.bins.binary_search_by_key(&index, |bin| bin.index) {
            Ok(at) => self.bins[at].count += count,
            Err(at) => self.bins.insert(at, Bin { index, count }),
        }
    }

    /// A histogram of values given by their bins, each with how many it stands for, in any order;
    /// sorts them.
    fn of_bins(values: &mut [(u16, u64)], clamped: u64) -> SparseHistogram {
        values.sort_unstable_by_key(|(index, _)| *index);
        SparseHistogram::of_sorted(values, |value| *value, clamped)
    }

    /// A histogram of values in the order of their bins, each with its bin and how many it stands for.
    pub(crate) fn of_sorted<T>(
        values: &[T],
        bin: impl Fn(&T) -> (u16, u64),
        clamped: u64,
    ) -> SparseHistogram {
        let same_bin = || values.chunk_by(|one, next| bin(one).0 == bin(next).0);
        let mut bins = SmallVec::with_capacity(same_bin().count());
        bins.extend(same_bin().map(|same| Bin {
            index: bin(&same[0]).0,
            count: same.iter().map(|value| bin(value).1).sum(),
        }));
        SparseHistogram { bins, clamped }
    }

    /// A histogram of values in µs, each with how many it stands for, in any order. The caller bounds the total.
    pub fn of_values(values: impl Iterator<Item = (u64, u64)>) -> SparseHistogram {
        let mut clamped = 0;
        let (least, most) = values.size_hint();
        let mut bins: Vec<(u16, u64)> = Vec::with_capacity(most.unwrap_or(least));
        bins.extend(
            values
                .filter(|(_, count)| *count > 0)
                .map(|(value, count)| {
                    clamped += if value > HIGHEST_US { count } else { 0 };
                    (index_of(value), count)
                }),
        );
        SparseHistogram::of_bins(&mut bins, clamped)
    }

    /// See [`Measured::fetch`](crate::Measured::fetch).
    pub(crate) fn fetch(&self) -> u64 {
        self.bins.first().map_or(0, |bin| bin.count)
    }

    /// Adds the other's counts. Their sum must fit in a `u64`: [`Measured`](crate::Measured) checks
    /// it before.
    pub fn merge(&mut self, other: &SparseHistogram) {
        self.clamped += other.clamped;
        // Bins that are there already grow where they are; most are, once a slice has filled up.
        let mut from = 0;
        let mut absent = 0;
        for theirs in &other.bins {
            match self.bins[from..].binary_search_by_key(&theirs.index, |bin| bin.index) {
                Ok(at) => {
                    from += at + 1;
                    self.bins[from - 1].count += theirs.count;
                }
                Err(at) => {
                    from += at;
                    absent += 1;
                }
            }
        }
        if absent > 0 {
            self.insert_absent(other, absent);
        }
    }

    /// Puts the other's bins that are not here in their places, from the highest down, so that each bin moves once.
    fn insert_absent(&mut self, other: &SparseHistogram, absent: usize) {
        let mut mine = self.bins.len();
        let mut free = mine + absent;
        self.bins.resize(free, Bin { index: 0, count: 0 });
        for theirs in other.bins.iter().rev() {
            let below = self.bins[..mine].partition_point(|bin| bin.index <= theirs.index);
            free -= mine - below;
            self.bins.copy_within(below..mine, free);
            mine = below;
            if mine == 0 || self.bins[mine - 1].index < theirs.index {
                free -= 1;
                self.bins[free] = *theirs;
            }
            if free == mine {
                return;
            }
        }
    }

    /// The same histogram, to be kept.
    pub fn pack(&self) -> PackedHistogram {
        let mut bytes = Vec::new();
        self.encode_into(&mut bytes);
        PackedHistogram(bytes.into())
    }

    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        put_varint(out, self.bins.len() as u64);
        let mut previous = 0;
        for bin in &self.bins {
            put_varint(out, u64::from(bin.index - previous));
            put_varint(out, bin.count);
            previous = bin.index;
        }
        if !self.bins.is_empty() {
            put_varint(out, self.clamped);
        }
    }

    /// Reads the stored form; the total must not exceed `most`.
    pub(crate) fn decode_from(
        reader: &mut Reader<'_>,
        most: u64,
    ) -> Result<SparseHistogram, CodecError> {
        SparseHistogram::read(reader, most.into())
    }

    fn read(reader: &mut Reader<'_>, most: u128) -> Result<SparseHistogram, CodecError> {
        let length = reader.length()?;
        let mut bins = SmallVec::with_capacity(length);
        let mut left = most;
        let mut previous: Option<u16> = None;
        for _ in 0..length {
            let step = reader.small::<u16>()?;
            let index = previous.unwrap_or(0).checked_add(step);
            let index = index.filter(|index| *index <= index_of(HIGHEST_US));
            let index = index.ok_or(CodecError::Invalid("histogram bin"))?;
            let count = reader.varint()?;
            if count == 0 || (previous.is_some() && step == 0) {
                return Err(CodecError::Invalid("histogram bin"));
            }
            left = left
                .checked_sub(count.into())
                .ok_or(CodecError::Invalid("histogram total"))?;
            bins.push(Bin { index, count });
            previous = Some(index);
        }
        let clamped = if length == 0 { 0 } else { reader.varint()? };
        if u128::from(clamped) > most - left {
            return Err(CodecError::Invalid("histogram total"));
        }
        Ok(SparseHistogram { bins, clamped })
    }
}

/// A [`SparseHistogram`] in about a quarter of the memory: for what is kept long and seldom changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedHistogram(Box<[u8]>);

impl PackedHistogram {
    /// The histogram that was packed.
    pub fn unpack(&self) -> SparseHistogram {
        // Whatever was added up: a sum of histograms may be beyond what one may hold.
        SparseHistogram::read(&mut Reader::new(&self.0), u128::MAX)
            .unwrap_or_else(|_| unreachable!("these bytes are what `pack` wrote"))
    }
}

/// The bin of a value, as `HdrHistogram` numbers them.
pub(crate) fn index_of(value_us: u64) -> u16 {
    let value = value_us.clamp(LOWEST_US, HIGHEST_US);
    let doublings = 64 - SUB_BUCKET_BITS - (value | SUB_BUCKET_MASK).leading_zeros();
    let index = u64::from(doublings) * HALF + (value >> doublings);
    u16::try_from(index).unwrap_or(u16::MAX)
}

/// Lowest and highest value of a bin, both included.
fn range(index: u16) -> (u64, u64) {
    let index = u64::from(index);
    if index < 2 * HALF {
        return (index, index);
    }
    let doublings = index / HALF - 1;
    let low = (index % HALF + HALF) << doublings;
    (low, low + (1 << doublings) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> SparseHistogram {
        let mut histogram = SparseHistogram::default();
        for value in values {
            histogram.record(*value, 1);
        }
        histogram
    }

    fn any_value() -> impl Strategy<Value = u64> {
        (0_u32..36, any::<u64>()).prop_map(|(bits, value)| value & ((1 << bits) - 1))
    }

    proptest! {
        #[test]
        fn bins_are_those_of_hdrhistogram(value in 1..=HIGHEST_US) {
            let dense = SparseHistogram::dense();
            let (low, high) = range(index_of(value));
            prop_assert_eq!(low, dense.lowest_equivalent(value));
            prop_assert_eq!(high, dense.highest_equivalent(value));
        }

        #[test]
        fn quantiles_are_those_of_hdrhistogram(values in prop::collection::vec(any_value(), 1..200)) {
            let mut expected = SparseHistogram::dense();
            for value in &values {
                expected.saturating_record((*value).clamp(LOWEST_US, HIGHEST_US));
            }
            let mut dense = SparseHistogram::dense();
            of(&values).add_into(&mut dense);
            prop_assert_eq!(dense.len(), expected.len());
            for quantile in [0.0, 0.1, 0.5, 0.9, 0.99, 1.0] {
                prop_assert_eq!(dense.value_at_quantile(quantile), expected.value_at_quantile(quantile));
            }
        }

        #[test]
        fn merging_equals_recording_together(
            left in prop::collection::vec(any_value(), 0..50),
            right in prop::collection::vec(any_value(), 0..50),
        ) {
            let mut merged = of(&left);
            merged.merge(&of(&right));
            let together = of(&[left, right].concat());
            prop_assert_eq!(merged.total(), together.total());
            prop_assert_eq!(merged, together);
        }

        #[test]
        fn the_stored_form_is_the_same_histogram(values in prop::collection::vec(any_value(), 0..50)) {
            let histogram = of(&values);
            let mut bytes = Vec::new();
            histogram.encode_into(&mut bytes);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(SparseHistogram::decode_from(&mut reader, histogram.total()), Ok(histogram.clone()));
            prop_assert_eq!(reader.done(), Ok(()));
            prop_assert_eq!(histogram.pack().unpack(), histogram);
        }
    }

    #[test]
    fn sums_beyond_what_one_may_hold_can_be_packed() {
        let mut histogram = SparseHistogram::default();
        histogram.record(1, u64::MAX - 1);
        histogram.record(1_000, u64::MAX - 1);
        assert_eq!(histogram.pack().unpack(), histogram);
    }

    #[test]
    fn values_beyond_an_hour_count_at_an_hour_and_are_told() {
        let histogram = of(&[HIGHEST_US, HIGHEST_US + 1, u64::MAX, 0]);
        assert_eq!(histogram.clamped(), 2);
        assert_eq!(histogram.total(), 4);
        let bins: Vec<_> = histogram
            .iter()
            .map(|(low, _, count)| (low, count))
            .collect();
        assert_eq!(bins, [(1, 1), (range(index_of(HIGHEST_US)).0, 3)]);
    }
}
