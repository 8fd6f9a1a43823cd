//! Copies are found as long as they could be accepted, across restarts and out of memory.

use super::*;
use crate::store::{Fold, Group, Location};

const NOW: i64 = 1_800_000_000;
const MAX_FUTURE: Duration = Duration::from_mins(1);

struct Bench {
    _folder: tempfile::TempDir,
    store: Store,
    resent: Resent,
}

impl Bench {
    async fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let place = Location::Directory(folder.path().to_owned());
        let store = Store::open(&place).await.unwrap();
        let resent = Resent::load(store.clone(), MAX_FUTURE, NOW).await.unwrap();
        Bench {
            _folder: folder,
            store,
            resent,
        }
    }

    /// Commits requests as the writer does; folds if told so.
    async fn count(&mut self, now_s: i64, numbers: &[u128], fold: bool) {
        self.found(u128::MAX, Some(now_s), now_s).await;
        let received_s = now_s;
        let hashes: Vec<[u8; 16]> = numbers.iter().map(|number| hash(*number)).collect();
        let group = Group {
            received_s,
            requests: hashes.iter().map(|hash| (*hash, Vec::new())).collect(),
            ..Group::default()
        };
        let upto = self.store.commit(&group).await.unwrap();
        if fold {
            let fold = Fold {
                upto,
                ..Fold::default()
            };
            self.store.fold(&fold).await.unwrap();
        }
        self.resent.insert(received_s, hashes.iter());
    }

    async fn restart(&mut self, now_s: i64) {
        self.resent = Resent::load(self.store.clone(), MAX_FUTURE, now_s)
            .await
            .unwrap();
    }

    async fn found(&mut self, number: u128, earliest_s: Option<i64>, now_s: i64) -> bool {
        let candidate = Candidate {
            hash: hash(number),
            earliest_s,
        };
        let found = self.resent.among(&[candidate], now_s).await.unwrap();
        found.contains(&hash(number))
    }
}

fn hash(number: u128) -> [u8; 16] {
    *blake3::hash(&number.to_be_bytes())
        .as_bytes()
        .first_chunk()
        .unwrap()
}

#[tokio::test]
async fn a_copy_is_found_for_as_long_as_its_events_are_accepted() {
    let mut bench = Bench::new().await;
    for minute in 0..150_i64 {
        let now_s = NOW + minute * 60;
        let number = u128::try_from(minute).unwrap();
        bench
            .count(now_s, &[number, 1000 + number], minute % 3 == 0)
            .await;
        if minute % 40 == 17 {
            bench.restart(now_s).await;
        }
        // Each request's events were 5 s old when it came.
        for age in [0_i64, 1, 2, 5, 61, 119] {
            let then = minute - age;
            if then >= 0 {
                let number = u128::try_from(then).unwrap();
                let earliest_s = Some(NOW + then * 60 - 5);
                assert!(
                    bench.found(number, earliest_s, now_s).await,
                    "{minute} {age}"
                );
                assert!(!bench.found(500_000 + number, earliest_s, now_s).await);
            }
        }
    }
}

#[tokio::test]
async fn a_copy_is_found_after_the_clock_went_back() {
    let mut bench = Bench::new().await;
    let year_s = 365 * 86_400;
    bench.count(NOW + year_s, &[1], true).await;
    bench.count(NOW, &[2], true).await;
    bench.count(NOW + 5, &[4], false).await;
    for restart in [false, true] {
        if restart {
            bench.restart(NOW).await;
        }
        for counted in [1, 2, 4] {
            assert!(bench.found(counted, Some(NOW), NOW + 10).await, "{counted}");
        }
        assert!(!bench.found(3, Some(NOW), NOW + 10).await);
    }
}

#[tokio::test]
async fn requests_without_events_are_found_while_fresh() {
    let mut bench = Bench::new().await;
    bench.count(NOW, &[1], false).await;
    assert!(bench.found(1, None, NOW + 60).await);
    assert!(!bench.found(2, None, NOW + 60).await);
}

/// One of its spans was in the future at the first try and counts now, five minutes later.
#[tokio::test]
async fn a_copy_of_which_more_counts_than_of_the_first_is_found() {
    let mut bench = Bench::new().await;
    bench.count(NOW, &[1], false).await;
    for minute in 1..=5 {
        bench
            .count(
                NOW + minute * 60,
                &[100 + u128::try_from(minute).unwrap()],
                true,
            )
            .await;
    }
    assert!(bench.found(1, Some(NOW - 5), NOW + 300).await);
}

#[tokio::test]
async fn a_hash_that_begins_like_one_that_was_counted_is_another() {
    let mut bench = Bench::new().await;
    bench.count(NOW, &[1], true).await;
    let later_s = NOW + 30 * 60;
    assert!(bench.found(1, Some(NOW), later_s).await);
    let mut alike = hash(1);
    alike[15] ^= 1;
    let candidate = Candidate {
        hash: alike,
        earliest_s: Some(NOW),
    };
    let found = bench.resent.among(&[candidate], later_s).await.unwrap();
    assert!(found.is_empty());
}

#[tokio::test]
async fn old_parts_leave_memory_and_are_read_again() {
    let mut bench = Bench::new().await;
    bench.count(NOW, &[1], true).await;
    let later_s = NOW + 3600;
    assert!(bench.found(1, Some(NOW), later_s).await);
    let at = part(NOW);
    assert_eq!(bench.resent.closed, 1);
    bench.resent.forget(at);
    assert!(!bench.resent.parts.contains_key(&at));
    assert!(bench.found(1, Some(NOW), later_s).await);
    assert!(!bench.found(2, Some(NOW), later_s).await);
}
