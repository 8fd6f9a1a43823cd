//! The timeline against a naive recount.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use slo_specs::{ChunkError, Counted, Tally, Tier, Timeline};

use crate::given::BEGIN;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// A whole hour.
const START: i64 = 1_704_067_200;

/// Every slice by its end, never sealed.
#[derive(Default)]
struct Naive(BTreeMap<i64, Tally>);

impl Naive {
    fn add(&mut self, end: i64, tally: Tally) {
        let slot = self.0.entry(end).or_default();
        *slot = slot.plus(tally);
    }

    /// What design says of the window: its far edge is exact to 10 s up to 6 h, to the minute up to
    /// 35 d, to the hour beyond.
    fn tally(&self, now: i64, look_back: i64) -> Tally {
        let grid = if look_back <= 6 * HOUR {
            1
        } else if look_back <= 35 * DAY {
            60
        } else {
            HOUR
        };
        let from = (now - look_back).div_euclid(grid) * grid;
        self.0.range(from + 1..=now).map(|(_, tally)| *tally).sum()
    }
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds.unsigned_abs())
}

fn tally() -> impl Strategy<Value = Tally> {
    (1_u64..100_000, 0_u64..50, 0_u64..5).prop_map(|(total, bad, uncertain)| {
        let bad = bad.min(total);
        Tally {
            total,
            bad,
            uncertain: uncertain.min(bad),
        }
    })
}

/// Slices on the grid, some in order, most late.
fn adds(span_s: i64) -> impl Strategy<Value = Vec<(i64, Tally)>> {
    prop::collection::vec(
        (
            (0..span_s / 10).prop_map(|slice| START + slice * 10),
            tally(),
        ),
        1..80,
    )
}

fn windows() -> Vec<i64> {
    vec![
        10,
        60,
        300,
        1_800,
        HOUR,
        2 * HOUR,
        6 * HOUR,
        DAY,
        3 * DAY,
        7 * DAY,
        30 * DAY,
        35 * DAY,
        90 * DAY,
    ]
}

proptest! {
    #[test]
    fn young_sums_equal_a_recount(adds in adds(8 * HOUR), at in 0..800_i64) {
        let (mut timeline, mut naive) = (Timeline::new(), Naive::default());
        for (end, tally) in &adds {
            timeline.add(*end, *tally);
            naive.add(*end, *tally);
        }
        let now = START + 8 * HOUR + at * 10;
        timeline.advance(now);
        for window in windows() {
            prop_assert_eq!(timeline.tally(now, seconds(window)), naive.tally(now, window));
        }
    }

    #[test]
    fn sums_equal_a_recount_across_sealing_and_restoring(
        adds in adds(60 * DAY), late in adds(2 * HOUR), at in 0..800_i64,
    ) {
        let (mut timeline, mut naive) = (Timeline::new(), Naive::default());
        let mut stored: BTreeMap<(Tier, i64), Vec<u8>> = BTreeMap::new();
        let mut adds = adds;
        adds.sort_by_key(|(end, _)| *end);
        let now = START + 60 * DAY + at * 10;
        for (end, tally) in adds.iter().chain(&late.iter().map(|(end, tally)| (now - (end - START), *tally)).collect::<Vec<_>>()) {
            timeline.add(*end, *tally);
            naive.add(*end, *tally);
            timeline.advance(*end);
            for chunk in timeline.take_dirty() {
                stored.insert((chunk.tier, chunk.hour_end), chunk.bytes);
            }
        }
        timeline.advance(now);
        for chunk in timeline.take_dirty() {
            stored.insert((chunk.tier, chunk.hour_end), chunk.bytes);
        }
        let mut restored = Timeline::new();
        for ((tier, hour_end), bytes) in &stored {
            restored.restore(*tier, *hour_end, bytes).unwrap();
        }
        let opened = restored.opened();
        for window in windows() {
            let expected = naive.tally(now, window);
            prop_assert_eq!(timeline.tally(now, seconds(window)), expected, "{} s", window);
            prop_assert_eq!(opened.tally(now, seconds(window)), expected, "{} s opened", window);
            prop_assert_eq!(restored.tally(now, seconds(window)), expected, "{} s restored", window);
        }
        prop_assert_eq!(timeline.measured_since(), restored.measured_since());
        prop_assert_eq!(timeline.last_event(), restored.last_event());
    }

    #[test]
    fn chunks_restore_to_the_same_bytes(adds in adds(HOUR)) {
        let mut timeline = Timeline::new();
        for (end, tally) in &adds {
            timeline.add(*end, *tally);
        }
        for chunk in timeline.take_dirty() {
            let mut restored = Timeline::new();
            restored.restore(chunk.tier, chunk.hour_end, &chunk.bytes).unwrap();
            restored.add(chunk.hour_end, Tally::new(1, 0));
            let mut again = timeline.clone();
            again.add(chunk.hour_end, Tally::new(1, 0));
            prop_assert_eq!(again.take_dirty(), restored.take_dirty());
        }
    }

    #[test]
    fn no_bytes_make_restoring_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut timeline = Timeline::new();
        for tier in [Tier::Ten, Tier::Minute, Tier::Hour] {
            if timeline.restore(tier, START, &bytes).is_ok() {
                timeline.tally(START, Duration::from_hours(1));
            }
        }
    }

    #[test]
    fn the_order_of_adds_does_not_matter(adds in adds(3 * DAY)) {
        let (mut forwards, mut backwards) = (Timeline::new(), Timeline::new());
        for (end, tally) in &adds {
            forwards.add(*end, *tally);
        }
        for (end, tally) in adds.iter().rev() {
            backwards.add(*end, *tally);
        }
        prop_assert_eq!(forwards.take_dirty(), backwards.take_dirty());
    }
}

#[test]
fn a_window_includes_its_near_edge_and_not_its_far_edge() {
    let mut timeline = Timeline::new();
    timeline.add(START, Tally::new(1, 0));
    timeline.add(START + 10, Tally::new(10, 0));
    timeline.add(START + 20, Tally::new(100, 0));
    assert_eq!(timeline.tally(START + 20, seconds(20)).total, 110);
    assert_eq!(timeline.tally(START + 19, seconds(20)).total, 11);
    assert_eq!(timeline.between(START, START + 10).total, 10);
    assert_eq!(timeline.measured_since(), Some(START - 10));
    assert_eq!(timeline.last_event(), Some(START + 20));
}

#[test]
fn what_is_not_good_of_a_whole_window_is_bad() {
    let mut timeline = Timeline::counting(Counted::Good);
    // The total of one slice and its good events come apart, the good ones first.
    timeline.add(
        START + 10,
        Tally {
            total: 0,
            bad: 60,
            uncertain: 0,
        },
    );
    timeline.add(
        START + 20,
        Tally {
            total: 100,
            bad: 30,
            uncertain: 0,
        },
    );
    assert_eq!(timeline.tally(START + 20, seconds(20)), Tally::new(100, 10));
    assert_eq!(timeline.tally(START + 20, seconds(10)), Tally::new(100, 70));
    assert_eq!(timeline.tally(START + 10, seconds(10)), Tally::EMPTY);
    let chunk = timeline.take_dirty().remove(0);
    let mut restored = Timeline::counting(Counted::Good);
    restored
        .restore(chunk.tier, chunk.hour_end, &chunk.bytes)
        .unwrap();
    assert_eq!(restored.tally(START + 20, seconds(20)), Tally::new(100, 10));
}

#[test]
fn an_empty_timeline_knows_nothing() {
    let timeline = Timeline::new();
    assert_eq!(timeline.tally(START, Duration::MAX), Tally::EMPTY);
    assert_eq!(
        (timeline.measured_since(), timeline.last_event()),
        (None, None)
    );
}

#[test]
fn hours_age_from_ten_seconds_to_minutes_to_one_sum_and_go() {
    let mut timeline = Timeline::new();
    timeline.add(START + 10, Tally::new(5, 1));
    let tier_at = |timeline: &mut Timeline, now: i64| {
        timeline.advance(now);
        timeline.take_dirty().first().map(|chunk| chunk.tier)
    };
    let hour_end = START + HOUR;
    assert_eq!(
        tier_at(&mut timeline, hour_end + 9 * HOUR - 10),
        Some(Tier::Ten)
    );
    assert_eq!(
        tier_at(&mut timeline, hour_end + 9 * HOUR),
        Some(Tier::Minute)
    );
    assert_eq!(tier_at(&mut timeline, hour_end + 36 * DAY - 10), None);
    assert_eq!(
        tier_at(&mut timeline, hour_end + 36 * DAY),
        Some(Tier::Hour)
    );
    assert_eq!(timeline.between(START, hour_end).total, 5);
    timeline.advance(hour_end + 401 * DAY);
    assert_eq!(timeline.between(START, hour_end).total, 0);
}

#[test]
fn thirty_five_days_of_steady_traffic_stay_below_half_a_megabyte() {
    let mut timeline = Timeline::new();
    let mut now = START;
    while now < START + 35 * DAY {
        now += 60;
        let bad = u64::from(now % 7 == 0);
        timeline.add(now, Tally::new(1_000 + now.unsigned_abs() % 97, bad));
        if now % DAY == 0 {
            timeline.advance(now);
        }
    }
    timeline.advance(now);
    assert!(
        timeline.memory_bytes() < 500_000,
        "{} bytes",
        timeline.memory_bytes()
    );
}

#[test]
fn counts_at_the_end_of_the_range_survive() {
    let mut timeline = Timeline::new();
    let most = Tally {
        total: u64::MAX,
        bad: u64::MAX,
        uncertain: u64::MAX,
    };
    timeline.add(START + 10, most);
    timeline.add(START + 10, most);
    let chunks = timeline.take_dirty();
    let mut restored = Timeline::new();
    restored
        .restore(chunks[0].tier, chunks[0].hour_end, &chunks[0].bytes)
        .unwrap();
    assert_eq!(restored.tally(START + 10, seconds(10)), most);
}

#[test]
fn bytes_of_a_later_version_are_refused() {
    let mut timeline = Timeline::new();
    assert_eq!(
        timeline.restore(Tier::Hour, START, &[9, 0, 1]),
        Err(ChunkError::Version(9))
    );
    assert_eq!(
        timeline.restore(Tier::Hour, START, &[1, 0, 2]),
        Err(ChunkError::Damaged)
    );
    assert_eq!(timeline.restore(Tier::Hour, START, &[1, 0, 1]), Ok(()));
}

/// A thousand new objectives are counted over 400 days at once.
#[test]
fn a_past_that_is_counted_again_is_small_all_the_time() {
    let mut timeline = Timeline::new();
    let day = 86_400;
    for end in (3_600..=365 * day).step_by(3_600) {
        timeline.add_coarse(Tier::Hour, BEGIN + end, Tally::new(1_000, 1));
    }
    for end in (60..=35 * day).step_by(60) {
        timeline.add_coarse(Tier::Minute, BEGIN + 365 * day + end, Tally::new(20, 0));
    }
    let bytes = timeline.memory_bytes();
    assert!(bytes < 1_000_000, "{bytes} bytes");
    let all = timeline.between(BEGIN, BEGIN + 400 * day);
    assert_eq!(
        all,
        Tally::new(365 * 24 * 1_000 + 35 * 1_440 * 20, 365 * 24)
    );
}
