//! The recent past as it was received: whole request bodies in a ring bounded by bytes. Exemplar spans and logs are
//! lifted out of it later, so that keeping them costs the receiving path one push.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;

use collector::{Encoding, Kind};

/// Bytes of bodies kept unless configured otherwise: 16 MiB.
pub(crate) const DEFAULT_BYTES: usize = 16 << 20;

/// Part of the ring that one second may fill: so the ring reaches back a minute at least however much comes, and
/// most bodies of a flood are let go while they are still in the processor's cache.
const SECONDS: usize = 60;

/// What an entry costs beside its payload, in bytes, so that a flood of empty requests stays within the bound too.
const ENTRY_BYTES: usize = 128;

/// One request as it was received and acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// The signal it carries.
    pub(crate) kind: Kind,
    /// How its payload is encoded.
    pub(crate) encoding: Encoding,
    /// When it came.
    pub(crate) at: Timestamp,
    /// The decompressed payload.
    pub(crate) payload: Bytes,
}

impl Received {
    /// The same in memory of its own.
    pub(crate) fn copied(&self) -> Received {
        Received {
            payload: Bytes::copy_from_slice(&self.payload),
            ..self.clone()
        }
    }
}

/// The ring. Clones share one; the oldest entries leave first.
#[derive(Clone)]
pub(crate) struct Ring {
    shelf: Arc<Mutex<Shelf>>,
    capacity_bytes: usize,
}

#[derive(Default)]
struct Shelf {
    entries: VecDeque<Received>,
    bytes: usize,
    /// The second that was filled last, Unix seconds, and how much of it is taken.
    second: i64,
    taken: usize,
}

impl Ring {
    /// A ring that keeps at most `capacity_bytes`; 0 keeps nothing.
    pub(crate) fn new(capacity_bytes: usize) -> Ring {
        Ring {
            shelf: Arc::default(),
            capacity_bytes,
        }
    }

    /// Whether a request that came at `at` is to be kept: if so its room is taken. The first of a second always is,
    /// as far as it fits into the ring at all.
    pub(crate) fn takes(&self, at: Timestamp, payload_bytes: usize) -> bool {
        let cost = payload_bytes + ENTRY_BYTES;
        if cost > self.capacity_bytes {
            return false;
        }
        let mut shelf = self.shelf();
        if shelf.second != at.as_second() {
            shelf.second = at.as_second();
            shelf.taken = 0;
        }
        let takes = shelf.taken == 0 || shelf.taken + cost <= self.capacity_bytes / SECONDS;
        if takes {
            shelf.taken += cost;
        }
        takes
    }

    /// Keeps a request that the ring [takes](Ring::takes), and lets go of the oldest until it fits.
    pub(crate) fn push(&self, received: Received) {
        let cost = cost(&received);
        if cost > self.capacity_bytes {
            return;
        }
        let mut shelf = self.shelf();
        while shelf.bytes + cost > self.capacity_bytes {
            let Some(oldest) = shelf.entries.pop_front() else {
                break;
            };
            shelf.bytes -= self::cost(&oldest);
        }
        shelf.bytes += cost;
        shelf.entries.push_back(received);
    }

    /// What is kept of a signal, oldest first. The payloads are shared, not copied.
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "what lifts exemplars and logs out is not built yet"
        )
    )]
    pub(crate) fn recent(&self, kind: Kind) -> Vec<Received> {
        let shelf = self.shelf();
        let of_kind = shelf.entries.iter().filter(|entry| entry.kind == kind);
        of_kind.cloned().collect()
    }

    /// Bytes kept now.
    pub(crate) fn bytes(&self) -> usize {
        self.shelf().bytes
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shelf = self.shelf();
        f.debug_struct("Ring")
            .field("entries", &shelf.entries.len())
            .field("bytes", &shelf.bytes)
            .field("capacity_bytes", &self.capacity_bytes)
            .finish_non_exhaustive()
    }
}

fn cost(received: &Received) -> usize {
    received.payload.len() + ENTRY_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(kind: Kind, second: i64, len: usize) -> Received {
        Received {
            kind,
            encoding: Encoding::Protobuf,
            at: Timestamp::from_second(second).unwrap(),
            payload: Bytes::from(vec![0; len]),
        }
    }

    fn seconds(ring: &Ring, kind: Kind) -> Vec<i64> {
        let recent = ring.recent(kind);
        recent.iter().map(|entry| entry.at.as_second()).collect()
    }

    #[test]
    fn a_second_fills_a_sixtieth() {
        let ring = Ring::new(60 * 10_000);
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(ring.takes(at(1), 50_000), "the first of a second");
        assert!(!ring.takes(at(1), 1));
        let taken = (0..100).filter(|_| ring.takes(at(2), 1_000 - ENTRY_BYTES));
        assert_eq!(taken.count(), 10);
        assert!(ring.takes(at(3), 1_000));
        assert!(!ring.takes(at(4), 600_000), "larger than the ring");
    }

    #[test]
    fn the_oldest_leave_first_and_the_bound_holds() {
        let ring = Ring::new(3 * (1000 + ENTRY_BYTES));
        for second in 0..5 {
            ring.push(received(Kind::Traces, second, 1000));
        }
        assert_eq!(seconds(&ring, Kind::Traces), [2, 3, 4]);
        assert_eq!(ring.bytes(), 3 * (1000 + ENTRY_BYTES));

        ring.push(received(Kind::Logs, 5, 2000));
        assert_eq!(seconds(&ring, Kind::Traces), [4]);
        assert_eq!(seconds(&ring, Kind::Logs), [5]);
    }

    #[test]
    fn a_request_larger_than_the_ring_costs_the_others_nothing() {
        let ring = Ring::new(2000);
        ring.push(received(Kind::Traces, 1, 1000));
        ring.push(received(Kind::Traces, 2, 2000));
        assert_eq!(seconds(&ring, Kind::Traces), [1]);
    }

    #[test]
    fn empty_requests_are_bounded_too() {
        let ring = Ring::new(10 * ENTRY_BYTES);
        for second in 0..100 {
            ring.push(received(Kind::Metrics, second, 0));
        }
        assert_eq!(ring.recent(Kind::Metrics).len(), 10);
    }
}
