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
        let received_s = self.resent.received_s(now_s);
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

    async fn found(&mut self, number: u128, latest_s: Option<i64>) -> bool {
        let candidate = Candidate {
            hash: hash(number),
            latest_s,
        };
        let found = self.resent.among(&[candidate]).await.unwrap();
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
        // Each request's latest event was 5 s old when it came.
        for age in [0_i64, 1, 2, 5, 61, 119] {
            let then = minute - age;
            if then >= 0 {
                let number = u128::try_from(then).unwrap();
                let latest_s = Some(NOW + then * 60 - 5);
                assert!(bench.found(number, latest_s).await, "{minute} {age}");
                assert!(!bench.found(500_000 + number, latest_s).await);
            }
        }
    }
}

#[tokio::test]
async fn a_copy_is_found_after_the_clock_went_back() {
    let mut bench = Bench::new().await;
    bench.count(NOW + 3600, &[1], true).await;
    bench.count(NOW, &[2], true).await;
    for restart in [false, true] {
        if restart {
            bench.restart(NOW).await;
        }
        assert!(bench.found(1, Some(NOW)).await);
        assert!(bench.found(2, Some(NOW)).await);
        assert!(!bench.found(3, Some(NOW)).await);
    }
}

#[tokio::test]
async fn requests_without_events_are_found_while_fresh() {
    let mut bench = Bench::new().await;
    bench.count(NOW, &[1], false).await;
    assert!(bench.found(1, None).await);
    assert!(!bench.found(2, None).await);
}

#[tokio::test]
async fn old_parts_leave_memory_and_are_read_again() {
    let mut bench = Bench::new().await;
    bench.count(NOW, &[1], true).await;
    let later_s = NOW + (i64::try_from(MOST_PARTS).unwrap() + 10) * 60;
    for now_s in (NOW..later_s).step_by(60) {
        bench
            .count(now_s, &[u128::try_from(now_s).unwrap()], false)
            .await;
    }
    assert!(bench.resent.parts.len() <= MOST_PARTS);
    assert!(bench.found(1, Some(NOW)).await);
    assert!(!bench.found(2, Some(NOW)).await);
    assert!(bench.resent.parts.len() <= MOST_PARTS);
}
