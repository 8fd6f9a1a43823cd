//! What the store gives back: damaged bytes are refused, and what is accepted is written again as it was.

use std::time::Duration;

use collector::{Delta, Origin, Pack, SeriesKey, StreamId, Streams};
use slo_specs::{Counted, Tier, Timeline};

pub(crate) fn delta(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), resealed(bytes)] {
        if let Ok(delta) = Delta::decode(&bytes) {
            let stored = delta.encode();
            let again = Delta::decode(&stored).expect("a delta that was just encoded");
            assert_eq!(again.encode(), stored);
        }
    }
}

pub(crate) fn pack(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), resealed(bytes)] {
        let Ok(pack) = Pack::decode(&bytes) else {
            continue;
        };
        let stored = pack.encode();
        let again = Pack::decode(&stored).expect("a pack that was just encoded");
        assert_eq!(again.encode(), stored);
        let mut twice = pack.clone();
        if twice.merge(&pack).is_ok() {
            for (series, measured) in &twice.series {
                let once = pack.series[series].count();
                assert_eq!(Some(measured.count()), once.checked_mul(2));
            }
        }
    }
}

pub(crate) fn series(bytes: &[u8]) {
    if let Ok(key) = SeriesKey::decode(bytes) {
        let again = SeriesKey::decode(&key.encode()).expect("a key that was just encoded");
        assert_eq!((again.encode(), again.id()), (key.encode(), key.id()));
    }
}

pub(crate) fn stream(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), resealed(bytes)] {
        let mut streams = Streams::new(Origin::Replay);
        if streams.restore(StreamId(1), &bytes).is_ok() {
            let stored = streams.encode_state(StreamId(1)).expect("it was restored");
            streams
                .restore(StreamId(2), &stored)
                .expect("a state that was just encoded");
            assert_eq!(streams.encode_state(StreamId(2)), Some(stored));
        }
    }
}

/// The same bytes with the checksum that makes them look undamaged: what is behind it must hold as well.
fn resealed(bytes: &[u8]) -> Vec<u8> {
    let body = &bytes[..bytes.len().saturating_sub(8)];
    let mut sealed = body.to_vec();
    sealed.extend_from_slice(&blake3::hash(body).as_bytes()[..8]);
    sealed
}

/// An hour of tallies. The first byte says in which resolution and what is counted.
pub(crate) fn chunk(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else {
        return;
    };
    let tier = [Tier::Ten, Tier::Minute, Tier::Hour][usize::from(first % 3)];
    let end = 3600 * 1000;
    let mut timeline = Timeline::counting(Counted::Bad);
    if timeline.restore(tier, end, bytes).is_ok() {
        let tally = timeline.tally(end, Duration::from_hours(1));
        assert!(tally.bad <= tally.total, "{tally:?}");
    }
}
