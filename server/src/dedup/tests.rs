use std::collections::HashSet;

use collector::{Encoding, FingerprintKey, Kind, Known, Measure, decode};
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::store::testing::Place;
use crate::store::{Group, Location};

/// A part's boundary, in Unix seconds.
const START_S: i64 = 1_704_067_200;

const LATE: Duration = Duration::from_hours(1);

/// The most that may be configured.
const FUTURE: Duration = Duration::from_mins(10);

/// A span: its number, and when it ended in Unix seconds.
type Sent = (u64, i64);

/// The writer's part in this, without the rest.
struct Bench {
    store: Store,
    seen: Seen,
    bounds: Bounds,
    measure: Measure,
    metrics: Metrics,
    now_s: i64,
    commits: u64,
}

impl Bench {
    async fn start(store: Store, max_bytes: usize, now_s: i64) -> Bench {
        let bounds = Bounds {
            max_late: LATE,
            max_bytes,
        };
        let mut measure = Measure {
            fingerprints: Some(FingerprintKey::new(b"secret")),
            ..Measure::default()
        };
        measure.limits.max_late = LATE;
        measure.limits.max_future = FUTURE;
        Bench {
            seen: Seen::load(&store, bounds, now_s).await.unwrap(),
            store,
            bounds,
            measure,
            metrics: Metrics::new("0", Timestamp::UNIX_EPOCH),
            now_s,
            commits: 0,
        }
    }

    async fn restart(&mut self) {
        let loaded = Seen::load(&self.store, self.bounds, self.now_s).await;
        self.seen = loaded.unwrap();
    }

    fn decoded(&self, spans: &[Sent], encoding: Encoding) -> Decoded {
        let body = match encoding {
            Encoding::Protobuf => protobuf(spans),
            Encoding::Json => json(spans),
        };
        let now = u64::try_from(self.now_s).unwrap() * 1_000_000_000;
        let (kind, known) = (Kind::Traces, Known::new());
        decode(kind, encoding, &body, &self.measure, &known, now).unwrap()
    }

    /// Takes a group of requests to its commit; gives how many spans of each counted.
    async fn commit(&mut self, requests: &mut [Decoded]) -> Vec<u64> {
        let prints = self
            .seen
            .settle(requests.iter_mut().collect())
            .await
            .unwrap();
        let seq = self.store_group(&prints).await;
        self.seen.committed(seq, &prints);
        let counted = requests.iter().map(|request| request.classes.counted.total);
        counted.collect()
    }

    async fn store_group(&mut self, prints: &[(i64, Vec<u8>)]) -> i64 {
        self.commits += 1;
        let group = Group {
            requests: vec![(u128::from(self.commits).to_le_bytes(), Vec::new())],
            prints: prints.to_vec(),
            ..Group::default()
        };
        self.store.commit(&group).await.unwrap()
    }

    async fn send(&mut self, spans: &[Sent]) -> u64 {
        let mut request = [self.decoded(spans, Encoding::Protobuf)];
        self.commit(&mut request).await[0]
    }

    /// Does all that is due.
    async fn maintain(&mut self) {
        loop {
            self.seen.maintain(self.now_s, &self.metrics).await;
            match self.seen.jobs.join_next().await {
                Some(done) => self.seen.finish(done, self.now_s),
                None => return,
            }
        }
    }
}

fn ids((number, _): Sent) -> ([u8; 16], [u8; 8]) {
    let trace = (u128::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    (trace.to_be_bytes(), (number + 1).to_be_bytes())
}

fn protobuf(spans: &[Sent]) -> Vec<u8> {
    let span = |sent: &Sent| {
        let (trace, id) = ids(*sent);
        let end = u64::try_from(sent.1).unwrap() * 1_000_000_000;
        Span {
            trace_id: trace.to_vec(),
            span_id: id.to_vec(),
            kind: 2,
            start_time_unix_nano: end - 1,
            end_time_unix_nano: end,
            ..Span::default()
        }
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: spans.iter().map(span).collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    request.encode_to_vec()
}

fn json(spans: &[Sent]) -> Vec<u8> {
    let span = |sent: &Sent| {
        let (trace, id) = ids(*sent);
        let (trace, id) = (u128::from_be_bytes(trace), u64::from_be_bytes(id));
        let end = sent.1 * 1_000_000_000;
        serde_json::json!({
            "traceId": format!("{trace:032X}"), "spanId": format!("{id:016x}"), "kind": 2,
            "startTimeUnixNano": (end - 1).to_string(), "endTimeUnixNano": end.to_string(),
        })
    };
    let spans: Vec<_> = spans.iter().map(span).collect();
    let request = serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
    request.to_string().into_bytes()
}

async fn sqlite() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::Directory(directory.path().to_owned());
    let store = Store::open(&location).await.unwrap();
    (directory, store)
}

/// Random spans in random requests, encodings and groups, sent again and again, over restarts, lost commits and two
/// hours: each counts once, or is rejected as late; never twice.
async fn counts_once(store: Store, seed: u64, max_bytes: usize, rounds: usize) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut bench = Bench::start(store, max_bytes, START_S).await;
    let mut pool: Vec<Sent> = Vec::new();
    let mut counted: HashSet<Sent> = HashSet::new();
    for round in 0..rounds {
        bench.now_s += random.random_range(0..120);
        let sent = requests_of(&mut pool, bench.now_s, &mut random);
        let mut requests = Vec::new();
        for spans in &sent {
            let encodings = [Encoding::Json, Encoding::Protobuf];
            requests.push(bench.decoded(spans, encodings[random.random_range(0..2)]));
        }
        if random.random_ratio(1, 8) {
            // The commit fails; whether it was done is random.
            let settled = bench.seen.settle(requests.iter_mut().collect()).await;
            let prints = settled.unwrap();
            if random.random() {
                bench.store_group(&prints).await;
                note(&sent, &requests, &mut counted, bench.now_s);
            }
            bench.seen.reload().await.unwrap();
        } else {
            bench.commit(&mut requests).await;
            note(&sent, &requests, &mut counted, bench.now_s);
        }
        let classes = requests.iter().map(|request| request.classes);
        let classed = classes.map(|all| all.counted.total + all.duplicate.total + all.rejected());
        let received: usize = sent.iter().map(Vec::len).sum();
        assert_eq!(
            classed.sum::<u64>(),
            received as u64,
            "seed {seed} round {round}"
        );
        interlude(&mut bench, &mut random).await;
    }
    assert!(counted.len() > rounds, "most spans counted");
}

/// Some new spans, and requests of new and old ones.
fn requests_of(pool: &mut Vec<Sent>, now_s: i64, random: &mut StdRng) -> Vec<Vec<Sent>> {
    for _ in 0..random.random_range(1..60) {
        let age = match random.random_range(0..4) {
            0 => random.random_range(0..3600),
            1 => random.random_range(-700..0),
            _ => random.random_range(0..30),
        };
        pool.push((pool.len() as u64, now_s - age));
    }
    let mut drawn = || {
        let back = if random.random() { 60 } else { pool.len() };
        pool[pool.len() - 1 - random.random_range(0..back.min(pool.len()))]
    };
    let lengths = [30, 3, 0, 40];
    let requests = lengths.map(|length| (0..length).map(|_| drawn()).collect());
    requests.to_vec()
}

/// What happens between two groups.
async fn interlude(bench: &mut Bench, random: &mut StdRng) {
    match random.random_range(0..10) {
        0 => bench.restart().await,
        1..5 => bench.maintain().await,
        // A job is begun and the process may end meanwhile.
        5 => {
            bench.seen.maintain(bench.now_s, &bench.metrics).await;
            tokio::task::yield_now().await;
            bench.restart().await;
        }
        _ => bench.seen.maintain(bench.now_s, &bench.metrics).await,
    }
}

/// What a set says should have counted, request by request.
fn note(sent: &[Vec<Sent>], requests: &[Decoded], counted: &mut HashSet<Sent>, now_s: i64) {
    for (spans, request) in sent.iter().zip(requests) {
        let late_s = i64::try_from(LATE.as_secs()).unwrap();
        let future_s = i64::try_from(FUTURE.as_secs()).unwrap();
        let due = |end: i64| now_s - late_s <= end && end <= now_s + future_s;
        let mut fresh = 0;
        for span in spans.iter().filter(|(_, end)| due(*end)) {
            fresh += u64::from(counted.insert(*span));
        }
        assert_eq!(request.classes.counted.total, fresh);
        assert_eq!(
            request.classes.rejected(),
            spans.iter().filter(|(_, end)| !due(*end)).count() as u64
        );
    }
}

#[tokio::test]
async fn every_span_counts_once_on_sqlite() {
    for seed in 0..6 {
        let (_directory, store) = sqlite().await;
        // Every second time there is next to no memory, so that parts are sorted while they are hot.
        let max_bytes = if seed % 2 == 0 { DEFAULT_BYTES } else { 1 };
        counts_once(store, seed, max_bytes, 120).await;
    }
}

#[tokio::test]
async fn every_span_counts_once_on_postgres() {
    for (seed, max_bytes, rounds) in [(7, DEFAULT_BYTES, 80), (8, 1, 50)] {
        let place = Place::postgres().await;
        counts_once(place.open().await, seed, max_bytes, rounds).await;
    }
}

#[tokio::test]
async fn old_parts_leave_memory_and_are_still_known() {
    let (_directory, store) = sqlite().await;
    let mut bench = Bench::start(store, DEFAULT_BYTES, START_S).await;
    let spans: Vec<Sent> = (0..5_000).map(|number| (number, START_S)).collect();
    assert_eq!(bench.send(&spans).await, 5_000);
    let held = bench.seen.bytes();
    assert!((50_000..=75_000).contains(&held), "{held}");

    bench.now_s += PART_S + HOT_S;
    bench.maintain().await;
    assert!(bench.seen.bytes() < 100, "{}", bench.seen.bytes());
    assert!(bench.store.span_parts().await.unwrap().is_empty());
    assert_eq!(bench.send(&spans).await, 0);
    assert_eq!(
        bench.send(&[(5_000, START_S)]).await,
        1,
        "a late one that is new"
    );
    bench.restart().await;
    assert_eq!(bench.send(&[(5_000, START_S), (4_999, START_S)]).await, 0);
}

/// A sender whose clock is far ahead: its spans count as now, and are accepted again until their own ends are too old.
#[tokio::test]
async fn a_span_that_came_ahead_of_our_clock_is_known_until_it_is_late() {
    for ahead in [1, 61, 599, 600] {
        let (_directory, store) = sqlite().await;
        let mut bench = Bench::start(store, DEFAULT_BYTES, START_S + 7).await;
        let end = bench.now_s + ahead;
        let late_s = end + i64::try_from(LATE.as_secs()).unwrap();
        assert_eq!(bench.send(&[(1, end)]).await, 1, "{ahead} s ahead");
        while bench.now_s <= late_s {
            assert!(bench.seen.parts.len() <= 1, "one span is in one part");
            let mut again = [bench.decoded(&[(1, end)], Encoding::Json)];
            assert_eq!(again[0].classes.counted.total, 1, "it is accepted");
            assert_eq!(bench.commit(&mut again).await, [0], "{ahead} s ahead");
            assert_eq!(again[0].classes.duplicate.total, 1, "{ahead} s ahead");
            bench.maintain().await;
            bench.restart().await;
            bench.now_s += 61.min(late_s - bench.now_s).max(1);
        }
        assert_eq!(bench.send(&[(1, end)]).await, 0, "it is late");
        // Its part ends at most ten minutes after it, and is kept for ten more.
        bench.now_s += GRACE_S + PART_S;
        bench.maintain().await;
        assert!(bench.seen.parts.is_empty(), "{ahead} s ahead");
        assert!(bench.store.span_parts().await.unwrap().is_empty());
        assert!(bench.store.span_chunk_ids().await.unwrap().is_empty());
    }
}

/// What is too far ahead leaves nothing behind: no memory, and no reason to refuse it when its time has come.
#[tokio::test]
async fn a_span_too_far_ahead_is_not_remembered() {
    let (_directory, store) = sqlite().await;
    let mut bench = Bench::start(store, DEFAULT_BYTES, START_S).await;
    let spans: Vec<Sent> = (0..1000)
        .map(|number| (number, START_S + 601 + 600 * i64::try_from(number).unwrap()))
        .collect();
    let mut ahead = [bench.decoded(&spans, Encoding::Protobuf)];
    assert_eq!(bench.commit(&mut ahead).await, [0]);
    assert_eq!(ahead[0].classes.future.total, 1000);
    assert_eq!((bench.seen.parts.len(), bench.seen.bytes()), (0, 0));
    bench.now_s += 1;
    assert_eq!(bench.send(&spans).await, 1, "the first one's time has come");
    assert_eq!(bench.send(&spans).await, 0);
}

#[tokio::test]
async fn a_span_whose_record_is_gone_is_late_whatever_the_clock_says() {
    let (_directory, store) = sqlite().await;
    let mut bench = Bench::start(store, DEFAULT_BYTES, START_S).await;
    assert_eq!(bench.send(&[(1, START_S)]).await, 1);
    bench.now_s += 2 * 3600;
    bench.maintain().await;
    assert!(
        bench.store.span_parts().await.unwrap().is_empty(),
        "forgotten"
    );

    // The clock was wrong, and is set back to where the span is young.
    bench.now_s = START_S + 60;
    bench.restart().await;
    let mut again = [bench.decoded(&[(1, START_S), (2, START_S)], Encoding::Protobuf)];
    assert_eq!(again[0].classes.counted.total, 2);
    assert_eq!(bench.commit(&mut again).await, [0]);
    assert_eq!(again[0].classes.late.total, 2);
    assert_eq!(again[0].spans.summed().entries, []);
}

#[tokio::test]
async fn a_lost_commit_leaves_its_spans_to_be_counted() {
    let (_directory, store) = sqlite().await;
    let mut bench = Bench::start(store, DEFAULT_BYTES, START_S).await;
    let mut lost = [bench.decoded(&[(1, START_S)], Encoding::Protobuf)];
    bench.seen.settle(lost.iter_mut().collect()).await.unwrap();
    bench.seen.reload().await.unwrap();
    assert_eq!(bench.send(&[(1, START_S), (1, START_S)]).await, 1);
}

#[tokio::test]
async fn a_part_with_damaged_fingerprints_counts_no_span_twice() {
    for table in ["span_commit", "span_sorted"] {
        let (directory, store) = sqlite().await;
        let mut bench = Bench::start(store, DEFAULT_BYTES, START_S).await;
        assert_eq!(bench.send(&[(1, START_S), (2, START_S - 700)]).await, 2);
        if table == "span_sorted" {
            bench.now_s += PART_S + HOT_S;
            bench.maintain().await;
        }
        let now_s = bench.now_s;
        bench.store.clone().close().await;
        drop(bench);
        flip(&directory, table).await;
        let location = Location::Directory(directory.path().to_owned());
        let store = Store::open(&location).await.unwrap();
        let mut bench = Bench::start(store, DEFAULT_BYTES, now_s).await;
        bench.commits = 100;
        let mut again = [bench.decoded(
            &[
                (1, START_S),
                (3, START_S),
                (2, START_S - 700),
                (4, START_S - 700),
            ],
            Encoding::Protobuf,
        )];
        assert_eq!(
            bench.commit(&mut again).await,
            [1],
            "{table}: the sound part counts"
        );
        let classes = again[0].classes;
        assert_eq!(
            (classes.late.total, classes.duplicate.total),
            (2, 1),
            "{table}"
        );
    }
}

/// Changes the fingerprints of the part that begins at the start.
async fn flip(directory: &tempfile::TempDir, table: &str) {
    use sqlx::{AssertSqlSafe, Connection as _};
    let url = format!("sqlite://{}/sloburn.db", directory.path().display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let part = START_S / PART_S;
    let sql = format!("update {table} set prints = zeroblob(8) where part = {part}");
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}
