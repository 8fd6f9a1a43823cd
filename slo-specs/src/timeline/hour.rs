//! One hour of tallies in one tier, open for adding or packed.

use super::chunk::{self, ChunkError};
use super::{HOUR_S, Tier};
use crate::Tally;

/// One hour. Its sum is always at hand.
#[derive(Clone, Debug)]
pub(super) struct Hour {
    tier: Tier,
    sum: Tally,
    slots: Slots,
}

#[derive(Clone, Debug)]
enum Slots {
    /// One tally for each slice of the tier.
    Open(Vec<Tally>),
    /// The same as a chunk's bytes.
    Packed(Box<[u8]>),
}

impl Default for Hour {
    fn default() -> Self {
        let slots = Slots::Open(vec![Tally::EMPTY; slot_count(Tier::Ten)]);
        Self {
            tier: Tier::Ten,
            sum: Tally::EMPTY,
            slots,
        }
    }
}

impl Hour {
    pub(super) fn tier(&self) -> Tier {
        self.tier
    }

    pub(super) fn sum(&self) -> Tally {
        self.sum
    }

    /// Adds to the slice that ends `offset` seconds into the hour: `0 < offset ≤ 3600`.
    pub(super) fn add(&mut self, offset: i64, tally: Tally) {
        let index = slot_at(self.tier, offset);
        let mut slots = self.open();
        if let Some(slot) = slots.get_mut(index) {
            *slot = slot.plus(tally);
        }
        self.sum = self.sum.plus(tally);
        self.slots = Slots::Open(std::mem::take(&mut slots));
    }

    /// Replaces the slice that ends `offset` seconds into the hour; whether that changed anything.
    pub(super) fn set(&mut self, offset: i64, tally: Tally) -> bool {
        self.replace(offset, |_| tally)
    }

    /// Adds one event to it, up to one for every 10 s of its tier's length; whether there was room.
    pub(super) fn mark(&mut self, offset: i64) -> bool {
        let most = u64::from(self.tier.seconds() / Tier::Ten.seconds());
        self.replace(offset, |slot| Tally::new((slot.total + 1).min(most), 0))
    }

    fn replace(&mut self, offset: i64, change: impl FnOnce(Tally) -> Tally) -> bool {
        let index = slot_at(self.tier, offset);
        let mut slots = self.open();
        let mut changed = false;
        if let Some(slot) = slots.get_mut(index) {
            let before = std::mem::replace(slot, change(*slot));
            changed = *slot != before;
        }
        if changed {
            self.sum = slots.iter().copied().sum();
        }
        self.slots = Slots::Open(slots);
        changed
    }

    /// Sum of the slices that end in `(from, to]`, in seconds into the hour.
    pub(super) fn between(&self, from: i64, to: i64) -> Tally {
        let step = i64::from(self.tier.seconds());
        let begin = usize::try_from(from / step).unwrap_or(0);
        let end = usize::try_from(to / step).unwrap_or(0);
        self.with_slots(|slots| slots.get(begin..end).unwrap_or(&[]).iter().copied().sum())
    }

    /// Seconds into the hour at which its first slice with events begins.
    pub(super) fn first(&self) -> Option<i64> {
        let index = self.with_slots(|slots| slots.iter().position(|slot| !slot.is_empty()))?;
        Some(i64::from(self.tier.seconds()) * i64::try_from(index).ok()?)
    }

    /// Seconds into the hour at which its last slice with events ends.
    pub(super) fn last(&self) -> Option<i64> {
        let index = self.with_slots(|slots| slots.iter().rposition(|slot| !slot.is_empty()))?;
        Some(i64::from(self.tier.seconds()) * (i64::try_from(index).ok()? + 1))
    }

    /// Seconds into the hour at which the last of its slices with events ends that end before `offset`.
    pub(super) fn last_before(&self, offset: i64) -> Option<i64> {
        let step = i64::from(self.tier.seconds());
        let count = usize::try_from((offset - 1) / step).unwrap_or(0);
        let index = self.with_slots(|slots| {
            let mut before = slots.iter().take(count);
            before.rposition(|slot| !slot.is_empty())
        })?;
        Some(step * (i64::try_from(index).ok()? + 1))
    }

    /// Merges the slices into those of a coarser tier.
    pub(super) fn seal(&mut self, tier: Tier) {
        let ratio = usize::try_from(tier.seconds() / self.tier.seconds())
            .unwrap_or(1)
            .max(1);
        let merged = self
            .open()
            .chunks(ratio)
            .map(|slots| slots.iter().copied().sum())
            .collect();
        self.tier = tier;
        self.slots = Slots::Open(merged);
    }

    /// Makes it small. It stays readable, and is unpacked by the next add.
    pub(super) fn pack(&mut self) {
        if let Slots::Open(slots) = &self.slots {
            self.slots = Slots::Packed(chunk::encode(slots).into());
        }
    }

    /// Makes it quick to read, and large.
    pub(super) fn unpack(&mut self) {
        self.slots = Slots::Open(self.open());
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        match &self.slots {
            Slots::Open(slots) => chunk::encode(slots),
            Slots::Packed(bytes) => bytes.to_vec(),
        }
    }

    /// Checks and takes a chunk's bytes, packed.
    pub(super) fn decode(tier: Tier, bytes: &[u8]) -> Result<Self, ChunkError> {
        let slots = chunk::decode(bytes, slot_count(tier))?;
        let sum = slots.iter().copied().sum();
        Ok(Self {
            tier,
            sum,
            slots: Slots::Packed(chunk::encode(&slots).into()),
        })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let slots = match &self.slots {
            Slots::Open(slots) => slots.capacity() * size_of::<Tally>(),
            Slots::Packed(bytes) => bytes.len(),
        };
        slots + size_of::<Self>() + size_of::<i64>()
    }

    fn open(&mut self) -> Vec<Tally> {
        match &mut self.slots {
            Slots::Open(slots) => std::mem::take(slots),
            Slots::Packed(bytes) => unpack(bytes, self.tier),
        }
    }

    fn with_slots<T>(&self, read: impl FnOnce(&[Tally]) -> T) -> T {
        match &self.slots {
            Slots::Open(slots) => read(slots),
            Slots::Packed(bytes) => read(&unpack(bytes, self.tier)),
        }
    }
}

/// Bytes are packed by us or were checked when restored, so they always decode.
fn unpack(bytes: &[u8], tier: Tier) -> Vec<Tally> {
    let count = slot_count(tier);
    chunk::decode(bytes, count).unwrap_or_else(|_| vec![Tally::EMPTY; count])
}

fn slot_count(tier: Tier) -> usize {
    usize::try_from(HOUR_S / i64::from(tier.seconds())).unwrap_or(1)
}

fn slot_at(tier: Tier, offset: i64) -> usize {
    let step = i64::from(tier.seconds());
    usize::try_from((offset - 1).max(0) / step).unwrap_or(0)
}
