use collector::{
    Delta, Entry, Exemplar, Exemplars, Measured, SeriesId, SeriesKey, Signal, Slice, SpanKind,
    SpanStatus, Why,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use slo_specs::SourceFile;

use super::*;
use crate::resume::{Resumed, resume};
use crate::store::{Group, Location};

mod old_hours;

/// An hour boundary, in Unix seconds.
const START_S: i64 = 1_704_067_200;

fn catalog(names: &[&str]) -> Arc<Catalog> {
    corrected_catalog(names, &[])
}

/// The same, with exclusions of `(from, to]`, in Unix seconds.
fn corrected_catalog(names: &[&str], exclusions: &[(i64, i64)]) -> Arc<Catalog> {
    let slo = |name: &&str| {
        let (method, slices) = match slice_length(name) {
            Some(length) => (
                "Timeslices",
                format!(", timeSliceTarget: 0.98, timeSliceWindow: {length}"),
            ),
            None => ("Occurrences", String::new()),
        };
        let silence = match *name {
            "sliced-or-bad" => "sloburn.dev/slices-without-data: bad",
            _ => "",
        };
        format!(
            "
---
apiVersion: openslo/v1
kind: SLO
metadata: {{ name: {name}, annotations: {{ {silence} }} }}
spec:
  service: {name}
  timeWindow: [{{ duration: 30d, isRolling: true }}]
  budgetingMethod: {method}
  indicator:
    metadata: {{ name: {name}-success }}
    spec:
      ratioMetric:
        counter: true
        bad: {{ metricSource: {{ type: otlp, spec: {{ signal: traces, match: {{ service.name: {name} }}, status: error }} }} }}
        total: {{ metricSource: {{ type: otlp, spec: {{ signal: traces, match: {{ service.name: {name} }} }} }} }}
  objectives: [{{ displayName: available, target: 0.999{slices} }}]
"
        )
    };
    let correction = |(number, (from, to)): (usize, &(i64, i64))| {
        let slos = names.join(", ");
        exclusion(number, &slos, [*from, *to])
    };
    let corrections = exclusions.iter().enumerate().map(correction);
    let text: String = names.iter().map(slo).chain(corrections).collect();
    let path = "test.yaml".to_owned();
    let loaded = slo_specs::load(&[SourceFile { path, text }]);
    let errors: Vec<_> = loaded
        .problems
        .iter()
        .filter(|problem| problem.is_error())
        .collect();
    assert_eq!(
        errors,
        Vec::<&slo_specs::Problem>::new(),
        "the test's specs are sound"
    );
    Arc::new(loaded.catalog)
}

fn slice_length(name: &str) -> Option<&'static str> {
    Some(match name.strip_prefix("sliced")? {
        "-7m" => "7m",
        "-2h" => "2h",
        _ => "1m",
    })
}

fn exclusion(number: usize, slos: &str, ends: [i64; 2]) -> String {
    let [start, end] = ends.map(|second| jiff::Timestamp::from_second(second).unwrap());
    format!(
        "
---
apiVersion: sloburn/v1
kind: Correction
metadata: {{ name: outage-{number} }}
spec: {{ description: theirs, author: a@b.example, type: exclusion, slos: [{slos}], start: {start}, end: {end} }}
"
    )
}

fn series(service: &str, status: SpanStatus) -> SeriesKey {
    SeriesKey {
        signal: Signal::Spans,
        service: service.into(),
        kind: SpanKind::Server,
        name: "GET /".into(),
        unit: "".into(),
        status,
        attributes: Vec::new(),
        overflow: false,
        root: false,
    }
}

fn hash(number: u64) -> [u8; 16] {
    u128::from(number).to_le_bytes()
}

impl Folder {
    /// Takes a catalog that may count anything stored.
    async fn change_catalog(&mut self, catalog: Arc<Catalog>, now: i64) -> Result<(), StoreError> {
        self.take_catalog(catalog, i64::MIN, now).await
    }
}

/// A server without sockets: commits what it is given, folds when told, starts again when told.
struct Bench {
    store: Store,
    resumed: Resumed,
    folder: Folder,
    names: Vec<&'static str>,
    /// What is left out.
    exclusions: Vec<(i64, i64)>,
    commits: u64,
    now: i64,
}

impl Bench {
    async fn start(store: Store, names: &[&'static str], now: i64) -> Bench {
        Bench::start_with(store, names, &[], now).await
    }

    async fn start_with(
        store: Store,
        names: &[&'static str],
        exclusions: &[(i64, i64)],
        now: i64,
    ) -> Bench {
        let catalog = corrected_catalog(names, exclusions);
        let resumed = resume(&store, catalog, now).await.unwrap();
        let live = Arc::clone(&resumed.live);
        let folder = Folder::new(store.clone(), live, Retention::default(), 7_200);
        Bench {
            store,
            resumed,
            folder,
            names: names.to_vec(),
            exclusions: exclusions.to_vec(),
            commits: 0,
            now,
        }
    }

    /// As after `kill -9`: nothing of the process is left but the store.
    async fn restart(self) -> Bench {
        let commits = self.commits;
        let mut bench =
            Bench::start_with(self.store, &self.names, &self.exclusions, self.now).await;
        bench.commits = commits;
        bench
    }

    async fn commit(&mut self, service: &str, slice: Slice, good: u64, bad: u64) {
        let entry = |status, count| {
            let key = series(service, status);
            self.resumed.known.insert(key.id(), Arc::new(key.clone()));
            Entry {
                series: key.id(),
                slice,
                measured: Measured::counted(count),
            }
        };
        let entries = [
            entry(SpanStatus::Unset, good),
            entry(SpanStatus::Error, bad),
        ];
        let mut delta = Delta::default();
        delta
            .add(entries.into(), &collector::Ledger::default())
            .unwrap();
        self.commit_delta(delta).await;
    }

    async fn commit_delta(&mut self, delta: Delta) {
        self.commits += 1;
        let stored = |(id, key): (SeriesId, Arc<SeriesKey>)| (id.0.cast_signed(), key.encode());
        let group = Group {
            received_s: self.now,
            requests: vec![(hash(self.commits), Vec::new())],
            series: self.resumed.known.all().into_iter().map(stored).collect(),
            delta: delta.encode(),
            prints: Vec::new(),
        };
        let seq = self.store.commit(&group).await.unwrap();
        locked(&self.resumed.live).apply(seq, delta);
    }

    fn tally(&self, service: &str, look_back: Duration) -> (u64, u64) {
        let live = locked(&self.resumed.live);
        let objective = live.catalog().objective(service).unwrap().clone();
        let timeline = live.account(&objective).unwrap();
        let tally = timeline.tally(self.now, look_back);
        (tally.total, tally.bad)
    }
}

async fn store(folder: &tempfile::TempDir) -> Store {
    let location = Location::Directory(folder.path().to_owned());
    Store::open(&location).await.unwrap()
}

/// A tick without traffic, at which nothing but that somebody was there is new.
#[tokio::test]
async fn a_fold_that_failed_at_a_quiet_tick_is_stored_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(store(&folder).await, &["checkout"], START_S).await;
    let upticks = slo_specs::Fingerprint(u64::from_le_bytes(*b"upticks!"));
    bench
        .commit("checkout", Slice::ending_at(START_S + 10), 5, 1)
        .await;
    bench.folder.fold(START_S + 10, None).await.unwrap();
    let later = START_S + HOUR_S + 10;
    // What a fold does whose write fails.
    let cut = locked(&bench.resumed.live).cut(START_S + HOUR_S);
    bench.folder.backlog.add(cut);
    bench.folder.in_doubt = true;
    bench.folder.fold(later, None).await.unwrap();
    bench.now = later;
    let bench = bench.restart().await;
    let mut live = locked(&bench.resumed.live);
    let up = live.timeline_mut(upticks).unwrap();
    assert_eq!(up.tally(later, Duration::from_hours(2)).total, 3);
}

#[tokio::test]
async fn restarts_and_folds_at_any_point_keep_every_count() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(store(&folder).await, &["cart", "checkout"], START_S).await;
    let mut rng = StdRng::seed_from_u64(11);
    let (mut total, mut bad) = (0, 0);
    for _ in 0..120 {
        bench.now += 10 * rng.random_range(1..4_i64);
        let end = bench.now - 10 * rng.random_range(0..60_i64);
        let (more_good, more_bad) = (rng.random_range(0..50), rng.random_range(0..3));
        bench
            .commit("checkout", Slice::ending_at(end), more_good, more_bad)
            .await;
        total += more_good + more_bad;
        bad += more_bad;
        if rng.random_bool(0.2) {
            bench.folder.fold(bench.now, None).await.unwrap();
        }
        if rng.random_bool(0.1) {
            bench = bench.restart().await;
        }
        assert_eq!(
            bench.tally("checkout", Duration::from_hours(6)),
            (total, bad)
        );
        assert_eq!(bench.tally("cart", Duration::from_hours(6)), (0, 0));
    }
    bench.folder.fold(bench.now, None).await.unwrap();
    let rows = bench
        .store
        .slices(Tier::Ten, None, 0, bench.now)
        .await
        .unwrap();
    let requests: i64 = rows.iter().map(|row| row.requests).sum();
    let failed: i64 = rows.iter().map(|row| row.failed).sum();
    assert_eq!((requests, failed), (signed(total), signed(bad)));
    assert_eq!(bench.store.journal_after(0).await.unwrap(), []);
}

#[tokio::test]
async fn time_slices_agree_with_a_recount_over_restarts_and_a_catalog_that_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(store(&folder).await, &["sliced"], START_S).await;
    let mut rng = StdRng::seed_from_u64(5);
    let mut minutes: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for step in 0..200 {
        bench.now += 10 * rng.random_range(1..4_i64);
        let end = bench.now - 10 * rng.random_range(0..30_i64);
        let (good, bad) = (rng.random_range(1..50), rng.random_range(0..3));
        bench
            .commit("sliced", Slice::ending_at(end), good, bad)
            .await;
        let minute = minutes.entry((end + 59).div_euclid(60) * 60).or_default();
        *minute = (minute.0 + good + bad, minute.1 + bad);
        if rng.random_bool(0.3) {
            bench.folder.fold(bench.now, None).await.unwrap();
        }
        if rng.random_bool(0.1) {
            bench = bench.restart().await;
        }
        if step == 90 {
            // Judged anew over what is stored and what is not folded yet.
            let (empty, whole) = (catalog(&[]), catalog(&["sliced"]));
            bench.folder.change_catalog(empty, bench.now).await.unwrap();
            bench.folder.change_catalog(whole, bench.now).await.unwrap();
        }
        locked(&bench.resumed.live).derive(bench.now);
        let ended = minutes.range(..=bench.now);
        let bad = ended.clone().filter(|(_, (total, bad))| bad * 50 > *total);
        let expected = (ended.count() as u64, bad.count() as u64);
        let found = bench.tally("sliced", Duration::from_hours(6));
        assert_eq!(found, expected, "after step {step}");
    }
}

#[tokio::test]
async fn a_new_objective_is_judged_over_folded_and_unfolded_history_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(store(&folder).await, &["cart"], START_S).await;
    for number in 0..30 {
        bench.now += 10;
        bench
            .commit("checkout", Slice::ending_at(bench.now), 9, 1)
            .await;
        if number == 19 {
            bench.folder.fold(bench.now, None).await.unwrap();
        }
    }
    let changed = catalog(&["cart", "checkout"]);
    bench
        .folder
        .change_catalog(changed, bench.now)
        .await
        .unwrap();
    assert_eq!(bench.tally("checkout", Duration::from_hours(1)), (300, 30));
    bench.folder.fold(bench.now, None).await.unwrap();
    assert_eq!(bench.tally("checkout", Duration::from_hours(1)), (300, 30));
    bench.names = vec!["cart", "checkout"];
    let bench = bench.restart().await;
    assert_eq!(bench.tally("checkout", Duration::from_hours(1)), (300, 30));
}

#[tokio::test]
async fn an_objective_that_was_away_misses_nothing_when_it_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(store(&folder).await, &["checkout"], START_S).await;
    bench
        .commit("checkout", Slice::ending_at(START_S), 5, 0)
        .await;
    bench
        .folder
        .change_catalog(catalog(&[]), START_S)
        .await
        .unwrap();
    bench.now += 10;
    bench
        .commit("checkout", Slice::ending_at(START_S + 10), 7, 2)
        .await;
    bench.folder.fold(bench.now, None).await.unwrap();
    bench
        .folder
        .change_catalog(catalog(&["checkout"]), bench.now)
        .await
        .unwrap();
    assert_eq!(bench.tally("checkout", Duration::from_hours(1)), (14, 2));
}

#[tokio::test]
async fn an_objective_that_was_away_over_restarts_is_counted_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(store(&folder).await, &["checkout"], START_S).await;
    bench
        .commit("checkout", Slice::ending_at(START_S), 5, 0)
        .await;
    bench.folder.fold(bench.now, None).await.unwrap();
    bench.names = vec!["cart"];
    let mut bench = bench.restart().await;
    bench.now += 10;
    bench
        .commit("checkout", Slice::ending_at(START_S + 10), 7, 2)
        .await;
    bench.folder.fold(bench.now, None).await.unwrap();
    bench.names = vec!["cart", "checkout"];
    let bench = bench.restart().await;
    assert_eq!(bench.tally("checkout", Duration::from_hours(1)), (14, 2));
}

#[tokio::test]
async fn a_change_back_in_the_same_tick_finds_no_stale_tallies() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(store(&folder).await, &["checkout"], START_S).await;
    bench
        .commit("checkout", Slice::ending_at(START_S), 5, 0)
        .await;
    bench
        .folder
        .change_catalog(catalog(&["cart"]), START_S)
        .await
        .unwrap();
    bench.folder.fold(bench.now, None).await.unwrap();
    bench.now += 10;
    bench
        .commit("checkout", Slice::ending_at(START_S + 10), 1, 1)
        .await;
    bench.folder.fold(bench.now, None).await.unwrap();
    let bench = bench.restart().await;
    assert_eq!(bench.tally("checkout", Duration::from_hours(1)), (7, 1));
}

#[tokio::test]
async fn sealed_hours_hold_the_same_counts_in_longer_slices() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(store(&folder).await, &["checkout"], START_S).await;
    for _ in 0..400 {
        bench.now += 10;
        bench
            .commit("checkout", Slice::ending_at(bench.now), 2, 1)
            .await;
        if bench.now % 600 == 0 {
            bench.folder.fold(bench.now, None).await.unwrap();
        }
    }
    bench.folder.fold(bench.now, None).await.unwrap();
    bench
        .folder
        .seal(START_S + 3600 + 7_200 + 60)
        .await
        .unwrap();
    assert_eq!(bench.store.sealed_until().await.unwrap(), START_S + 3600);
    for (tier, rows) in [(Tier::Minute, 60), (Tier::Hour, 1)] {
        let found = bench.store.slices(tier, None, 0, i64::MAX).await.unwrap();
        assert_eq!(found.len(), rows);
        assert_eq!(found.iter().map(|row| row.requests).sum::<i64>(), 360 * 3);
        let in_packs: u64 = found
            .iter()
            .flat_map(|row| Pack::decode(&row.pack).unwrap().series.into_values())
            .map(|measured| measured.count())
            .sum();
        assert_eq!(in_packs, 360 * 3);
    }
    // The indicator's tallies are lost with its objective; the sealed slices bring them back.
    bench
        .folder
        .change_catalog(catalog(&[]), bench.now)
        .await
        .unwrap();
    let changed = catalog(&["checkout"]);
    bench
        .folder
        .change_catalog(changed, bench.now)
        .await
        .unwrap();
    assert_eq!(
        bench.tally("checkout", Duration::from_hours(48)),
        (1_200, 400)
    );
}

#[tokio::test]
async fn exemplars_are_stored_once_whatever_restarts_between() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start(store(&folder).await, &["cart"], START_S).await;
    let slice = Slice::ending_at(START_S);
    let traced = |service: &str, trace, nanos| {
        let mut exemplars = Exemplars::default();
        exemplars.note(Exemplar {
            why: Why::Slow,
            trace,
            nanos,
        });
        let mut delta = Delta::default();
        delta.exemplars.add(slice, &service.into(), &exemplars);
        delta
    };
    for (trace, nanos) in [(1, 10), (2, 20), (3, 5)] {
        bench.commit("cart", slice, 1, 0).await;
        bench.commit_delta(traced("cart", trace, nanos)).await;
        bench
            .commit_delta(traced("beyond the cap", trace, nanos))
            .await;
        bench = bench.restart().await;
        bench.folder.fold(START_S + 10, None).await.unwrap();
    }
    bench.commit("cart", slice, 1, 0).await;
    bench.commit_delta(traced("cart", 4, 15)).await;
    bench.folder.fold(START_S + 20, None).await.unwrap();
    let stored = bench.store.exemplars("cart", 0, START_S).await.unwrap();
    let kept = Exemplars::decode(&stored[0].traces).unwrap();
    let kept: Vec<_> = kept.iter().map(|one| (one.trace, one.nanos)).collect();
    assert_eq!((stored.len(), kept), (1, vec![(2, 20), (4, 15), (1, 10)]));
    let beyond = bench.store.exemplars("beyond the cap", 0, START_S).await;
    assert_eq!(beyond.unwrap(), [], "no slice is stored of it");
}
