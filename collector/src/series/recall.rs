//! What was found out once about bytes that come again and again, so that they need not be taken apart again.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use twox_hash::XxHash3_128;
use zerocopy::FromZeros;

use super::SeriesId;
use crate::point::StreamId;

/// Entries that a set holds.
const WAYS: usize = 4;
/// Numbers of an entry: two of what was found out, and two that tell of which bytes.
const WORDS: usize = 4;
const SETS: usize = 1 << 16;
/// Bytes of the secret that XXH3 mixes into the bytes.
const SECRET: usize = 192;

/// What is remembered of spans and of points, by a hash of all that decides it.
///
/// A table of 8 MiB, of which only what is used takes memory. Readers and writers do not wait for each other: what
/// tells of which bytes an entry is, is mixed with what was found out of them, so that an entry that is read while
/// it is written is nobody's.
pub(super) struct Recall {
    of_spans: Secret,
    of_points: Secret,
    table: Box<[AtomicU64]>,
}

/// Where a point belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PointPlace {
    pub(crate) stream: StreamId,
    /// A durable one.
    pub(crate) series: SeriesId,
}

/// All that decides where a span or a point belongs, in short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlaceHash([u64; 2]);

/// Made anew by every process: nobody can choose bytes that are taken for others.
struct Secret([u8; SECRET]);

impl Recall {
    pub(super) fn span_hash(&self, bytes: &[u8]) -> PlaceHash {
        PlaceHash(self.of_spans.hash(bytes))
    }

    pub(super) fn point_hash(&self, bytes: &[u8]) -> PlaceHash {
        PlaceHash(self.of_points.hash(bytes))
    }

    /// Has what is remembered of these come near: each is waited for at the same time as the others.
    pub(super) fn fetch(&self, hashes: impl Iterator<Item = PlaceHash>) {
        let sets = hashes.filter_map(|PlaceHash(hash)| self.set(hash));
        let near = sets.map(|set| {
            let half = WAYS * WORDS / 2;
            set[0].load(Ordering::Relaxed) ^ set[half].load(Ordering::Relaxed)
        });
        black_box(near.fold(0, |all, one| all ^ one));
    }

    /// The durable series of spans.
    pub(super) fn span(&self, hash: PlaceHash) -> Option<SeriesId> {
        self.get(hash.0).map(|[_, series]| SeriesId(series))
    }

    pub(super) fn remember_span(&self, hash: PlaceHash, series: SeriesId) {
        self.remember(hash.0, [0, series.0]);
    }

    pub(super) fn point(&self, hash: PlaceHash) -> Option<PointPlace> {
        self.get(hash.0).map(|[stream, series]| PointPlace {
            stream: StreamId(stream),
            series: SeriesId(series),
        })
    }

    pub(super) fn remember_point(&self, hash: PlaceHash, place: PointPlace) {
        self.remember(hash.0, [place.stream.0, place.series.0]);
    }

    /// What was found out of bytes with this hash. All entries are looked at in the same way: where it stands cannot be
    /// foreseen, and a wrong guess would wait for memory.
    fn get(&self, hash: [u64; 2]) -> Option<[u64; 2]> {
        let (mut found, mut any) = ([0; 2], 0);
        for entry in self.set(hash)?.as_chunks().0 {
            let (of, value) = read(entry);
            let same = u64::from(of == hash).wrapping_neg();
            found = [found[0] | value[0] & same, found[1] | value[1] & same];
            any |= same;
        }
        (any != 0).then_some(found)
    }

    fn remember(&self, hash: [u64; 2], found: [u64; 2]) {
        let entries = self.set(hash).map(|set| set.as_chunks().0);
        let entries = entries.unwrap_or_default();
        let free = entries.iter().find(|entry| {
            let (of, _) = read(entry);
            of == hash || of == [0, 0]
        });
        let another = || entries.get(usize::from(hash[1].to_le_bytes()[7]) % WAYS);
        if let Some([first, second, one, other]) = free.or_else(another) {
            one.store(found[0], Ordering::Relaxed);
            other.store(found[1], Ordering::Relaxed);
            first.store(hash[0] ^ found[0], Ordering::Relaxed);
            second.store(hash[1] ^ found[1], Ordering::Relaxed);
        }
    }

    /// The entries that may be of these bytes; none if there was no room for the table.
    fn set(&self, hash: [u64; 2]) -> Option<&[AtomicU64; WAYS * WORDS]> {
        let at = usize::try_from(hash[0] & (SETS as u64 - 1)).unwrap_or_default();
        self.table.as_chunks().0.get(at)
    }
}

/// Of which bytes an entry is, and what was found out of them.
fn read([first, second, one, other]: &[AtomicU64; WORDS]) -> ([u64; 2], [u64; 2]) {
    let [first, second, one, other] =
        [first, second, one, other].map(|word| word.load(Ordering::Relaxed));
    ([first ^ one, second ^ other], [one, other])
}

impl Secret {
    fn new() -> Secret {
        let random = RandomState::new();
        let mut bytes = [0; SECRET];
        for (number, eight) in bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            *eight = random.hash_one(number).to_le_bytes();
        }
        Secret(bytes)
    }

    /// Never that of an entry that nobody wrote.
    fn hash(&self, bytes: &[u8]) -> [u64; 2] {
        match XxHash3_128::oneshot_with_secret(&self.0, bytes) {
            Ok(hash) => {
                let [low, high] = zerocopy::transmute!(hash.to_le_bytes());
                [low, high | 1]
            }
            Err(too_short) => unreachable!("{too_short}"),
        }
    }
}

impl Default for Recall {
    fn default() -> Recall {
        let table = <[AtomicU64]>::new_box_zeroed_with_elems(SETS * WAYS * WORDS);
        Recall {
            of_spans: Secret::new(),
            of_points: Secret::new(),
            // Without room for it nothing is remembered.
            table: table.unwrap_or_default(),
        }
    }
}

impl fmt::Debug for Recall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recall(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn place(number: u64) -> PointPlace {
        PointPlace {
            stream: StreamId(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            series: SeriesId(number % 7),
        }
    }

    #[test]
    fn spans_and_points_are_remembered_apart() {
        let recall = Recall::default();
        let (span, point) = (recall.span_hash(b"GET /"), recall.point_hash(b"GET /"));
        recall.remember_span(span, SeriesId(3));
        assert_eq!(recall.span(span), Some(SeriesId(3)));
        assert_eq!(recall.point(point), None);
        recall.remember_point(point, place(5));
        recall.remember_point(point, place(6));
        recall.fetch([span, point].into_iter());
        assert_eq!(recall.point(point), Some(place(6)));
        assert_eq!(recall.span(span), Some(SeriesId(3)));
        assert_eq!(recall.span(recall.span_hash(b"GET /cart")), None);
    }

    #[test]
    fn much_is_remembered_and_nothing_of_others() {
        let recall = Recall::default();
        let hash = |number: u64| recall.point_hash(&number.to_le_bytes());
        let room = (SETS * WAYS) as u64;
        let kept = |upto: u64| {
            (0..upto)
                .filter(|number| {
                    let found = recall.point(hash(*number));
                    assert!(found.is_none_or(|found| found == place(*number)));
                    found.is_some()
                })
                .count() as u64
        };
        for number in 0..room / 4 {
            recall.remember_point(hash(number), place(number));
        }
        assert!(kept(room / 4) > room / 4 * 99 / 100);
        for number in room / 4..4 * room {
            recall.remember_point(hash(number), place(number));
        }
        assert!((room * 9 / 10..=room).contains(&kept(4 * room)));
    }

    #[test]
    fn an_entry_that_is_being_written_is_nobodys() {
        let recall = Recall::default();
        // All in one set, more than it holds.
        let hash = |number: u64| [SETS as u64 * number, number << 56 | 1];
        let found = |number: u64| [number ^ u64::MAX, number << 8];
        thread::scope(|scope| {
            for from in 0..2 {
                let (recall, hash, found) = (&recall, &hash, &found);
                scope.spawn(move || {
                    for round in 0..200_000_u64 {
                        let number = (round * 7 + from) % 16;
                        recall.remember(hash(number), found(number));
                        let other = (round * 5 + 3 * from) % 16;
                        let seen = recall.get(hash(other));
                        assert!(seen.is_none_or(|seen| seen == found(other)));
                    }
                });
            }
        });
    }
}
