//! Sums: every increment counted once, where it accrued.

use collector::{Origin, Streams};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use proptest::prelude::*;

use crate::points::{CUMULATIVE, DELTA, LIVE, UNKNOWN, by_slice, first_of, ints, sum_points};

/// `what holds: start/time=value … => slice end:count …, what else became of points`. A start of
/// `?` is unknown.
const RUNNING_TOTALS: &str = "
a total that began before us is a base: -7200/-30=100 -7200/-20=107 => -20:7, 1 baseline
a total that began in our time counts whole: -40/-30=100 => -30:100,
start = time says nothing of before: -30/-30=9 -30/-20=12 => -20:3, 1 baseline
the same point twice: -40/-30=4 -40/-30=4 => -30:4, 1 duplicate
an older point: -40/-20=4 -40/-30=2 => -30:2 -20:2, 1 duplicate
a fall without a new start: -40/-30=9 -40/-20=8 -40/-10=11 => -30:9 -20:1 -10:1, 1 invalid
a sender's restart: -40/-30=4 -20/-10=3 => -30:4 -10:3,
a restart of what was only a base: -7200/-30=100 -25/-20=3 => -20:3, 1 baseline
two writers, one identity: -40/-30=4 -35/-30=7 -40/-20=6 -35/-20=8 => -30:11 -20:3,
a gap is spread: -70/-60=6 -70/0=12 => -60:6 -50:1 -40:1 -30:1 -20:1 -10:1 0:1,
a fall without any start waits for the next point: ?/-30=100 ?/-20=3 => , 2 baseline
and is a reset if the total goes on from there: ?/-30=100 ?/-20=3 ?/-10=5 => -10:5, 2 baseline
and nothing if it goes on from before: ?/-30=100 ?/-20=3 ?/-10=101 ?/0=5 => -20:1, 1 invalid 2 baseline
two writers without a start: ?/-50=1000 ?/-40=500 ?/-30=1010 ?/-20=505 ?/-10=1020 => -40:5 -30:5 -20:5 -10:5, 1 invalid 2 baseline
the highest of two writers ends: ?/-900=100 ?/-890=3 ?/-880=101 ?/-870=5 ?/-700=6 ?/-570=7 => -890:1 -690:1, 2 invalid 2 baseline
a second writer that began before us: -7200/-30=100 -7100/-20=500 -7200/-10=103 -7100/0=504 => -20:2 -10:3 0:2, 2 baseline
a start that was not known is no reset: ?/-30=100 -7200/-20=103 => , 2 baseline
nothing was added: -40/-30=4 -40/-20=4 => -30:4,
an absurd increment: -40/-30=4 -40/-20=9000000000000000000 => -30:4, 1 invalid
";

const DELTAS: &str = "
one after another: -30/-20=3 -20/-10=4 => -20:3 -10:4,
out of order: -20/-10=4 -30/-20=3 => -20:3 -10:4,
twice: -30/-20=3 -20/-10=4 -30/-20=3 => -20:3 -10:4, 1 duplicate
overlapping: -30/-20=3 -25/-10=4 => -20:3, 1 invalid
across slices: -30/0=3 => -20:1 -10:1 0:1,
start = time: -20/-20=3 -10/-10=4 => -20:3 -10:4,
no start: ?/-20=3 ?/-10=4 ?/-20=3 => -20:3 -10:4, 1 duplicate
no start, out of order: ?/-10=4 ?/-20=3 ?/-10=4 => -20:3 -10:4, 1 duplicate
";

fn check(table: &str, temporality: i32, origin: Origin) {
    for line in table.lines().filter(|line| !line.is_empty()) {
        let (case, rest) = line.split_once(": ").expect("a case");
        let (points, expected) = rest.split_once(" => ").expect("points");
        let (slices, classes) = expected.split_once(',').expect("slices");
        let points: Vec<_> = points.split(' ').map(parse_point).collect();
        let absorbed = Streams::new(origin).absorb(&ints(temporality, &points));
        let found = by_slice(&absorbed)
            .into_iter()
            .map(|(end, count)| format!("{end}:{count}"));
        assert_eq!(found.collect::<Vec<_>>().join(" "), slices, "{case}");
        let named = absorbed.classes.named().into_iter();
        let others = named.filter(|(name, class)| *name != "counted" && class.total > 0);
        let others = others.map(|(name, class)| format!("{} {name}", class.total));
        assert_eq!(
            others.collect::<Vec<_>>().join(" "),
            classes.trim(),
            "{case}"
        );
        let classes = absorbed.classes;
        let classed = classes.counted.total + classes.duplicate.total + classes.invalid.total;
        assert_eq!(
            classed,
            points.len() as u64,
            "{case}: every point is in one class"
        );
    }
}

/// Start, time and value.
fn parse_point(point: &str) -> (i64, i64, i64) {
    let (start, rest) = point.split_once('/').expect("a start");
    let (time, value) = rest.split_once('=').expect("a time");
    let number = |text: &str| text.parse::<i64>().expect("a number");
    let start = if start == "?" { UNKNOWN } else { number(start) };
    (start, number(time), number(value))
}

#[test]
fn running_totals_are_counted_by_their_start_times() {
    check(RUNNING_TOTALS, CUMULATIVE, LIVE);
}

#[test]
fn replay_trusts_start_times() {
    check(
        "from its start: -7300/-7190=5 => -7190:5,",
        CUMULATIVE,
        Origin::Replay,
    );
}

#[test]
fn deltas_are_counted_once() {
    check(DELTAS, DELTA, LIVE);
}

#[test]
fn a_stream_keeps_its_first_temporality() {
    let mut streams = Streams::new(LIVE);
    streams.absorb(&ints(DELTA, &[(-30, -20, 3)]));
    let mixed = streams.absorb(&ints(CUMULATIVE, &[(-20, -10, 3)]));
    assert_eq!((mixed.entries.len(), mixed.classes.invalid.total), (0, 1));
    assert!(
        mixed.problems.to_string().contains("mixes temporalities"),
        "{}",
        mixed.problems
    );
}

#[test]
fn fractions_are_carried_and_never_lost() {
    for (case, temporality) in [("deltas", DELTA), ("a running total", CUMULATIVE)] {
        let mut streams = Streams::new(LIVE);
        let mut total = 0;
        for step in 1..=1000_i32 {
            let time = -3000 + i64::from(step);
            let point = if temporality == DELTA {
                (time - 1, time, Number::AsDouble(0.1))
            } else {
                (-3000, time, Number::AsDouble(0.1 * f64::from(step)))
            };
            let absorbed = streams.absorb(&sum_points(temporality, &[point]));
            total += absorbed
                .entries
                .iter()
                .map(|entry| entry.measured.count())
                .sum::<u64>();
        }
        assert_eq!(total, 100, "{case}");
    }
}

#[test]
fn a_rounding_error_is_taken_for_a_unit_once() {
    let nearly = |time| (time - 5, time, Number::AsDouble(0.999_999_1));
    let absorbed = Streams::new(LIVE).absorb(&sum_points(DELTA, &[nearly(-25), nearly(-20)]));
    assert_eq!(by_slice(&absorbed), [(-20, 1)], "the sum is 1.9999982");
}

#[test]
fn senders_that_share_a_stream_without_starts_are_told() {
    let alone = ints(
        CUMULATIVE,
        &[(UNKNOWN, -30, 100), (UNKNOWN, -20, 3), (UNKNOWN, -10, 5)],
    );
    assert!(
        Streams::new(LIVE).absorb(&alone).problems.is_empty(),
        "a reset is no problem"
    );
    let shared = [
        (UNKNOWN, -40, 100),
        (UNKNOWN, -30, 3),
        (UNKNOWN, -20, 101),
        (UNKNOWN, -10, 4),
    ];
    let absorbed = Streams::new(LIVE).absorb(&ints(CUMULATIVE, &shared));
    let told = absorbed.problems.to_string();
    assert!(
        told.contains("several senders share one stream") && told.contains("(2 times)"),
        "{told}"
    );
    assert_eq!(absorbed.classes.rejected(), 1, "the lower total");
}

proptest! {
    /// Several senders in turn without start times, their points of one stream, and our restarts: never more than
    /// what happened, and of one sender all of it. The highest comes first: who comes later with a higher total looks
    /// like growth, once.
    #[test]
    fn totals_without_a_start_never_count_more_than_happened(
        levels in prop::collection::vec(0_i64..1000, 1..4),
        grown in prop::collection::vec(0_i64..60, 1..40),
        restart in 0_usize..40,
    ) {
        let mut totals = levels.clone();
        totals.sort_unstable_by_key(|total| std::cmp::Reverse(*total));
        let mut streams = Streams::new(LIVE);
        let (mut counted, mut happened) = (0, 0);
        for (turn, more) in grown.iter().enumerate() {
            let at = turn % totals.len();
            if turn >= totals.len() {
                happened += more;
                totals[at] += more;
            }
            let time = i64::try_from(turn).unwrap_or(0) - 60;
            let points = ints(CUMULATIVE, &[(UNKNOWN, time, totals[at])]);
            let absorbed = streams.absorb(&points);
            counted += by_slice(&absorbed).iter().map(|(_, count)| count.cast_signed()).sum::<i64>();
            if turn == restart {
                let stream = first_of(&points).stream;
                let stored = streams.encode_state(stream).expect("a state");
                streams = Streams::new(LIVE);
                streams.restore(stream, &stored).expect("a sound state");
            }
        }
        prop_assert!(counted <= happened, "{} of {}", counted, happened);
        prop_assert!(totals.len() > 1 || counted == happened, "{} of {}", counted, happened);
    }

    /// One sender without start times that is restarted now and then.
    #[test]
    fn resets_without_a_start_never_count_more_than_happened(
        grown in prop::collection::vec((0_i64..60, prop::bool::weighted(0.2)), 1..40),
    ) {
        let mut streams = Streams::new(LIVE);
        let (mut total, mut counted, mut happened) = (500, 0, 0);
        for (turn, (more, restarted)) in grown.iter().enumerate() {
            total = if *restarted { *more } else { total + more };
            happened += if turn == 0 { 0 } else { *more };
            let time = i64::try_from(turn).unwrap_or(0) - 60;
            let absorbed = streams.absorb(&ints(CUMULATIVE, &[(UNKNOWN, time, total)]));
            counted += by_slice(&absorbed).iter().map(|(_, count)| count.cast_signed()).sum::<i64>();
        }
        prop_assert!(counted <= happened, "{} of {}", counted, happened);
    }
}
