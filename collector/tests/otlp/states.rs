//! Stream states: rolled back with a failed commit, and kept over a restart.

use collector::{Points, Streams};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;

use crate::points::{
    CUMULATIVE, DELTA, LIVE, at, by_slice, exponential, first_of, histogram, ints, sum_points,
    total,
};

#[test]
fn a_failed_commit_leaves_no_trace() {
    let mut streams = Streams::new(LIVE);
    let first = ints(CUMULATIVE, &[(-40, -30, 5)]);
    streams.absorb(&first);
    let id = first_of(&first).stream;
    let before = streams.encode_state(id);
    streams.checkpoint();
    let other = histogram(DELTA, -20, &[1.0], &[1, 1]);
    streams.absorb(&ints(CUMULATIVE, &[(-40, -20, 9)]));
    streams.absorb(&other);
    streams.rollback();
    assert_eq!(streams.encode_state(id), before);
    assert_eq!(
        (streams.len(), streams.encode_state(first_of(&other).stream)),
        (1, None)
    );
    assert_eq!(
        by_slice(&streams.absorb(&ints(CUMULATIVE, &[(-40, -20, 9)]))),
        [(-20, 4)]
    );
}

/// What holds, points before and after the restart, and what the latter add.
fn restarts() -> [(&'static str, Points, Points, u64); 5] {
    let half = |time, value| sum_points(CUMULATIVE, &[(-40, time, Number::AsDouble(value))]);
    let buckets = |time, counts: &[u64]| histogram(CUMULATIVE, time, &[1.0], counts);
    let fine = |time, counts: &[u64]| exponential(time, 3, 1, (-5, counts));
    let sum = |time, value| ints(CUMULATIVE, &[(-40, time, value)]);
    let delta = ints(DELTA, &[(-40, -30, 5)]);
    [
        ("a sum", sum(-30, 5), sum(-20, 9), 4),
        ("a sum of doubles", half(-30, 0.5), half(-20, 1.5), 1),
        ("deltas", delta.clone(), delta, 0),
        (
            "a histogram",
            buckets(-30, &[1, 1]),
            buckets(-20, &[1, 3]),
            2,
        ),
        (
            "an exponential histogram",
            fine(-30, &[1]),
            fine(-20, &[3]),
            2,
        ),
    ]
}

#[test]
fn state_survives_a_restart() {
    for (case, first, second, added) in restarts() {
        let mut streams = Streams::new(LIVE);
        streams.absorb(&first);
        let id = first_of(&first).stream;
        let mut restarted = Streams::new(LIVE);
        restarted
            .restore(id, &streams.encode_state(id).unwrap())
            .unwrap();
        let absorbed = restarted.absorb(&second);
        assert_eq!(total(&absorbed).count(), added, "{case}");
        assert_eq!(absorbed, streams.absorb(&second), "{case}");
        assert_eq!(restarted.trim(at(-19)), [id], "{case}");
        assert!(restarted.is_empty(), "{case}");
    }
}
