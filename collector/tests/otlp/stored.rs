//! Stored forms come back as they were, and damaged ones are refused.

use collector::{
    CodecError, Delta, Kind, Ledger, Origin, Pack, SeriesId, SeriesKey, Slice, StreamId, Streams,
};
use proptest::prelude::*;

use crate::given::{MILLI, NOW, SECOND, decoded, failed, span, traces};

fn delta() -> Delta {
    let spans = (0..40_u64).map(|n| {
        let mut span = span(if n % 3 == 0 { "GET /" } else { "POST /pay" });
        span.end_time_unix_nano = NOW - (n % 7) * 4 * SECOND;
        span.start_time_unix_nano = span.end_time_unix_nano - n * n * MILLI;
        if n % 5 == 0 { failed(span) } else { span }
    });
    let decoded = decoded(Kind::Traces, &traces("shop", spans.collect()));
    let mut delta = Delta::default();
    delta
        .add(
            decoded.spans.summed().entries.clone(),
            &Ledger::of(Kind::Traces, decoded.classes),
        )
        .expect("small counts");
    delta.streams.push(StreamId(9), &[1, 2, 3]);
    delta.streams.push(StreamId(4), &[1, 2, 3]);
    delta.streams.push(StreamId(5), &[4]);
    delta.streams.push(StreamId(4), &[1, 2, 3]);
    let unweighted = [(8, 10), (3, 40), (8, 20)];
    let unweighted = unweighted.map(|(series, end)| (SeriesId(series), Slice::ending_at(end)));
    delta.note_unweighted(unweighted.to_vec());
    delta
}

fn pack() -> Pack {
    let mut pack = Pack::default();
    for entry in delta().entries {
        pack.add(entry.series, &entry.measured)
            .expect("small counts");
    }
    pack
}

#[test]
fn deltas_and_packs_come_back_as_they_were() {
    assert_eq!(Delta::decode(&delta().encode()), Ok(delta()));
    assert_eq!(
        Delta::decode(&Delta::default().encode()),
        Ok(Delta::default())
    );
    assert_eq!(Pack::decode(&pack().encode()), Ok(pack()));
}

#[test]
fn a_later_delta_adds_counts() {
    let mut sum = delta();
    let later = delta();
    sum.add(later.entries, &later.classes).unwrap();
    assert_eq!(sum.classes.spans.received.total, 80);
    let count = |delta: &Delta| {
        delta
            .entries
            .iter()
            .map(|entry| entry.measured.count())
            .sum::<u64>()
    };
    assert_eq!(count(&sum), 80);
    assert!(
        sum.entries
            .is_sorted_by_key(|entry| (entry.slice, entry.series))
    );
}

#[test]
fn a_state_as_the_one_before_takes_no_room_of_its_own() {
    let states = [
        (1, vec![3; 500]),
        (2, vec![3; 500]),
        (3, vec![4]),
        (1, vec![3; 500]),
    ];
    let mut delta = Delta::default();
    for (id, state) in &states {
        delta.streams.push(StreamId(*id), state);
    }
    let bytes = delta.encode();
    assert!((1_000..1_100).contains(&bytes.len()), "{}", bytes.len());
    let read = Delta::decode(&bytes).unwrap().streams;
    assert_eq!(read.len(), states.len());
    let read: Vec<_> = read
        .iter()
        .map(|(id, state)| (id.0, state.to_vec()))
        .collect();
    assert_eq!(read, states);
}

#[test]
fn cut_and_bent_bytes_are_refused() {
    for bytes in [delta().encode(), pack().encode()] {
        for length in 0..bytes.len() {
            assert!(Delta::decode(&bytes[..length]).is_err(), "cut at {length}");
            assert!(Pack::decode(&bytes[..length]).is_err(), "cut at {length}");
        }
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 0x10;
            assert_eq!(
                Delta::decode(&bent),
                Err(CodecError::Checksum),
                "bent at {at}"
            );
        }
    }
}

#[test]
fn the_form_before_is_read_and_a_later_one_is_told() {
    let bytes = delta().encode();
    let body = &bytes[1..bytes.len() - 8];
    assert_eq!(Delta::decode(&sealed_as(2, body)), Ok(delta()));
    assert_eq!(
        Delta::decode(&sealed_as(4, body)),
        Err(CodecError::Version(4))
    );
}

/// Seals hostile bytes as a writer would, so that what follows the checksum is reached.
fn sealed(body: &[u8]) -> Vec<u8> {
    sealed_as(1, body)
}

fn sealed_as(version: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![version];
    bytes.extend_from_slice(body);
    let sum = blake3::hash(&bytes);
    bytes.extend_from_slice(&sum.as_bytes()[..8]);
    bytes
}

/// A valid body with some bytes changed: gets further than noise does.
fn mutated(bytes: &[u8], changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let mut body = bytes[1..bytes.len() - 8].to_vec();
    for (at, byte) in changes {
        let at = at.index(body.len());
        body[at] = *byte;
    }
    sealed(&body)
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(body: Vec<u8>, changes: Vec<(prop::sample::Index, u8)>) {
        let mut streams = Streams::new(Origin::Replay);
        for bytes in [sealed(&body), mutated(&delta().encode(), &changes), mutated(&pack().encode(), &changes)] {
            // What is accepted must also be usable.
            if let Ok(mut delta) = Delta::decode(&bytes) {
                let again = delta.encode();
                prop_assert_eq!(Delta::decode(&again).map(|delta| delta.encode()), Ok(again));
                let copy = delta.clone();
                prop_assert!(delta.add(copy.entries.clone(), &copy.classes).is_ok() || delta == copy);
            }
            if let Ok(mut pack) = Pack::decode(&bytes) {
                let copy = pack.clone();
                prop_assert!(pack.merge(&copy).is_ok() || pack == copy);
                for measured in pack.series.values() {
                    prop_assert!(measured.within(20.0, true).is_none_or(|within| within.lo <= within.hi));
                }
            }
            // And what is refused changes nothing.
            let before = streams.encode_state(StreamId(1));
            if streams.restore(StreamId(1), &bytes).is_err() {
                prop_assert_eq!(streams.encode_state(StreamId(1)), before);
            }
        }
        if let Ok(key) = SeriesKey::decode(&body) {
            prop_assert_eq!(SeriesKey::decode(&key.encode()).map(|key| key.encode()), Ok(key.encode()));
        }
    }
}
