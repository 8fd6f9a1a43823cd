//! Data that is kept more coarsely than it was judged: by the minute, or by the hour.

use super::*;

/// A row with events of a service, as the longer slices hold them.
fn row(tier: Tier, service: &str, end_s: i64, good: u64, bad: u64) -> SliceRow {
    let mut pack = Pack::default();
    for (status, count) in [(SpanStatus::Unset, good), (SpanStatus::Error, bad)] {
        let key = series(service, status);
        pack.add(key.id(), &Measured::counted(count)).unwrap();
    }
    SliceRow {
        tier,
        end_s,
        service: service.to_owned(),
        requests: signed(good + bad),
        failed: signed(bad),
        pack: pack.encode(),
    }
}

#[tokio::test]
async fn hours_that_are_one_sum_are_no_slices_of_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let now = START_S + 40 * 86_400;
    let mut bench = Bench::start(store, &["cart"], now).await;
    for status in [SpanStatus::Unset, SpanStatus::Error] {
        let key = series("sliced", status);
        bench.resumed.known.insert(key.id(), Arc::new(key));
    }
    // Two minutes with events in each hour, one of them bad: the last 35 days are kept by the minute as well.
    let minutes_from = now - 35 * 86_400;
    let mut rows = Vec::new();
    let (mut minutes, mut events) = (0, 0);
    for hour_end in (START_S + HOUR_S..=now).step_by(3_600) {
        events += 20;
        rows.push(row(Tier::Hour, "sliced", hour_end, 15, 5));
        if hour_end > minutes_from {
            minutes += 2;
            rows.push(row(Tier::Minute, "sliced", hour_end - 3_540, 10, 0));
            rows.push(row(Tier::Minute, "sliced", hour_end - 1_200, 5, 5));
        }
    }
    bench.store.seal(&rows, now).await.unwrap();
    let with = catalog(&["cart", "sliced"]);
    bench.folder.change_catalog(with, now).await.unwrap();
    bench.folder.fold(now, None).await.unwrap();
    let all = Duration::from_hours(100 * 24);
    assert_eq!(bench.tally("sliced", all), (minutes, minutes / 2));
    let live = locked(&bench.resumed.live);
    let objective = live.catalog().objective("sliced").unwrap().clone();
    let plain = live.timeline(objective.indicator.fingerprint()).unwrap();
    assert_eq!(plain.tally(now, all).total, events, "no event is lost");
}

/// An exclusion cuts through hours; 50 days later they are one sum each, and another exclusion comes.
#[tokio::test]
async fn an_old_exclusion_leaves_out_the_same_whatever_comes_later() {
    const NAMES: [&str; 4] = ["events", "sliced", "sliced-7m", "sliced-2h"];
    let folder = tempfile::tempdir().unwrap();
    let old = (START_S + 2 * HOUR_S + 1_200, START_S + 4 * HOUR_S + 600);
    let mut bench = Bench::start_with(store(&folder).await, &NAMES, &[old], START_S).await;
    let mut rng = StdRng::seed_from_u64(3);
    let mut events = Vec::new();
    let counts = |bench: &Bench, name: &str| bench.tally(name, Duration::from_hours(90 * 24));
    for end in (START_S + 60..=START_S + 8 * HOUR_S).step_by(60) {
        bench.now = end;
        let (good, bad) = (rng.random_range(20..50), rng.random_range(0..2));
        events.push((end, good + bad, bad));
        for name in NAMES {
            bench.commit(name, Slice::ending_at(end), good, bad).await;
        }
        if end % 1_800 == 0 {
            bench.folder.fold(end, None).await.unwrap();
        }
    }
    for days in [1, 20, 50] {
        bench.now = START_S + days * 86_400;
        bench.folder.fold(bench.now, None).await.unwrap();
        bench.folder.seal(bench.now).await.unwrap();
        while bench.folder.trim(bench.now).await.unwrap() > 0 {}
    }
    let young = (bench.now - 7_200, bench.now - 3_600);
    for (case, exclusions, restarts) in [
        ("nothing changes", vec![old], false),
        ("a restart", vec![old], true),
        ("another exclusion", vec![old, young], false),
        ("another restart", vec![old, young], true),
        ("a restart with other exclusions", vec![old], true),
    ] {
        bench.exclusions = exclusions;
        if restarts {
            bench = bench.restart().await;
        } else {
            let changed = corrected_catalog(&NAMES, &bench.exclusions);
            let changing = bench.folder.change_catalog(changed, bench.now);
            changing.await.unwrap();
        }
        bench.folder.fold(bench.now, None).await.unwrap();
        let left = events
            .iter()
            .filter(|(end, ..)| *end <= old.0 || *end > old.1);
        let sums = left.fold((0, 0), |sum, (_, total, bad)| (sum.0 + total, sum.1 + bad));
        assert_eq!(counts(&bench, "events"), sums, "events: {case}");
        for (name, length) in [("sliced", 60), ("sliced-7m", 420), ("sliced-2h", 7_200)] {
            let expected = recounted(&events, length, old, START_S + 8 * HOUR_S);
            assert_eq!(counts(&bench, name), expected, "{name}: {case}");
        }
    }
}

/// How many slices of a length have events that count, and how many of them are bad.
fn recounted(
    events: &[(i64, u64, u64)],
    length: i64,
    excluded: (i64, i64),
    until: i64,
) -> (u64, u64) {
    let mut slices: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for (end, total, bad) in events {
        if *end <= excluded.0 || *end > excluded.1 {
            let slice = slices
                .entry((end + length - 1) / length * length)
                .or_default();
            *slice = (slice.0 + total, slice.1 + bad);
        }
    }
    assert!(slices.keys().all(|end| *end <= until + length));
    let bad = slices.values().filter(|(total, bad)| bad * 50 > *total);
    (slices.len() as u64, bad.count() as u64)
}

/// The clock is wrong for one tick; before and after it nothing comes.
#[tokio::test]
async fn silence_counts_whatever_the_clock_did() {
    for ahead_s in [0, 3_600, 12 * HOUR_S, 35 * 86_400] {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Bench::start(store(&folder).await, &["sliced-or-bad"], START_S).await;
        let first = Slice::ending_at(START_S + 10);
        bench.commit("sliced-or-bad", first, 1, 0).await;
        let end = START_S + 2 * HOUR_S + 1_800;
        for now in (START_S + 10..=end).step_by(10) {
            let wrong = if now == START_S + 1_810 { ahead_s } else { 0 };
            drop(locked(&bench.resumed.live).cut(now + wrong));
            // What is done twice at a tick changes nothing.
            drop(locked(&bench.resumed.live).cut(now + wrong));
        }
        bench.now = end;
        let minutes = (end - 120 - START_S).unsigned_abs() / 60;
        let found = bench.tally("sliced-or-bad", Duration::from_hours(3));
        assert_eq!(found, (minutes, minutes - 1), "ahead by {ahead_s} s");
    }
}

/// What was not seen before needs no look at what was stored before.
#[tokio::test]
async fn a_segment_is_counted_from_where_its_first_series_could_begin() {
    let folder = tempfile::tempdir().unwrap();
    let now = START_S + 10 * 86_400;
    let mut bench = Bench::start(store(&folder).await, &["cart"], now).await;
    // Such a row cannot be: it would have been seen.
    let old = row(Tier::Hour, "checkout", START_S + HOUR_S, 1_000, 0);
    bench.store.seal(&[old], START_S + HOUR_S).await.unwrap();
    for (end, total) in [(now - 7_200, 5), (now, 7)] {
        bench
            .commit("checkout", Slice::ending_at(end), total, 0)
            .await;
        bench.folder.fold(now, None).await.unwrap();
    }
    bench
        .commit("checkout", Slice::ending_at(now - 10), 9, 0)
        .await;
    for (case, unseen, expected) in [
        ("new at this tick, late and unfolded", now - 10, 21),
        ("at any time", i64::MIN, 1_021),
    ] {
        let (without, with) = (catalog(&["cart"]), catalog(&["cart", "checkout"]));
        bench.folder.change_catalog(without, now).await.unwrap();
        bench.folder.take_catalog(with, unseen, now).await.unwrap();
        let found = bench.tally("checkout", Duration::from_hours(30 * 24));
        assert_eq!(found, (expected, 0), "{case}");
    }
}
