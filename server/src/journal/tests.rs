//! The classes of what went through the writer, and after a restart.

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use collector::{Class, Decoded, Encoding, Kind, Known, Ledger, Measure, RequestHasher, decode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use slo_specs::{Catalog, SourceFile};
use tokio::task::JoinSet;

use super::queue::{JournalHandle, Refused, Submission};
use super::resent::Resent;
use super::writer::Writer;
use crate::builtin::Ingest;
use crate::clock::SystemClock;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::overflow::Overflow;
use crate::probes::Health;
use crate::resume::{locked, resume};
use crate::serve::Wired;
use crate::snapshot::{Snapshot, Snapshots};
use crate::store::{Location, Store};

const SECOND: u64 = 1_000_000_000;

/// A journal with its writer, over a store on disk.
struct Bench {
    handle: JournalHandle,
    writing: JoinSet<()>,
    live: Arc<Mutex<Live>>,
    known: Arc<Known>,
    store: Store,
    metrics: Metrics,
}

fn catalog() -> Arc<Catalog> {
    let text = "
apiVersion: openslo/v1
kind: SLO
metadata: { name: shop }
spec:
  service: shop
  timeWindow: [{ duration: 1d, isRolling: true }]
  budgetingMethod: Occurrences
  indicator:
    metadata: { name: success }
    spec:
      ratioMetric:
        counter: true
        bad: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: shop }, status: error } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: shop } } } }
  objectives: [{ displayName: available, target: 0.99 }]
";
    let file = SourceFile {
        path: "shop.yaml".to_owned(),
        text: text.to_owned(),
    };
    let loaded = crate::catalog::resolve(&[file], true);
    assert_eq!(loaded.problems, [], "the spec is sound");
    Arc::new(loaded.catalog)
}

impl Bench {
    async fn start(store: Store) -> Bench {
        let now = SystemClock.now();
        let resumed = resume(&store, catalog(), now.as_second()).await.unwrap();
        let (handle, queue) = JournalHandle::new(16);
        let metrics = Metrics::new("0", now);
        let wired = Wired {
            ingest: Some(Arc::new(Ingest::new())),
            senders: crate::senders::Senders::default(),
            owed: handle.owed().clone(),
            store: store.clone(),
            live: Arc::clone(&resumed.live),
            snapshots: Snapshots::new(Snapshot::empty(catalog(), now)),
            metrics: metrics.clone(),
            health: Health::new(),
            measure: Arc::new(ArcSwap::from_pointee(Measure::default())),
            overflow: Arc::new(Overflow::new(&catalog(), Arc::clone(&resumed.known))),
            problems: Arc::default(),
        };
        let known = Arc::clone(&resumed.known);
        let max_future = Measure::default().limits.max_future;
        let resent = Resent::load(store.clone(), max_future, now.as_second())
            .await
            .unwrap();
        let writer = Writer::new(&wired, resumed.known, resumed.streams, resent, None);
        Bench {
            handle,
            writing: JoinSet::from_iter([writer.run(queue)]),
            live: resumed.live,
            known,
            store,
            metrics,
        }
    }

    fn decoded(&self, body: &[u8]) -> Decoded {
        let now = u64::try_from(SystemClock.now().as_nanosecond()).unwrap();
        let measure = Measure::default();
        decode(
            Kind::Traces,
            Encoding::Protobuf,
            body,
            &measure,
            &self.known,
            now,
        )
        .unwrap()
    }

    async fn send(&self, body: &[u8]) -> u64 {
        let submission = Submission {
            hash: RequestHasher::default().hash(Kind::Traces, body),
            kind: Kind::Traces,
            decoded: self.decoded(body),
            bytes: body.len(),
        };
        self.handle.submit(submission).await.unwrap().rejected
    }

    fn ledger(&self) -> Ledger {
        *locked(&self.live).classes()
    }

    /// Spans that arrived for the first time, and those of them that were lost.
    fn drops(&self) -> (u64, u64) {
        let live = locked(&self.live);
        let objective = live.catalog().objective("sloburn-ingest").unwrap();
        let timeline = live.timeline(objective.indicator.fingerprint()).unwrap();
        let now = SystemClock.now().as_second() + 10;
        let tally = timeline.tally(now, std::time::Duration::from_hours(1));
        (tally.total, tally.bad)
    }

    /// As after `kill -9`: nothing of the process is left but the store.
    async fn killed(mut self) -> Bench {
        self.writing.shutdown().await;
        Bench::start(self.store).await
    }
}

/// Spans of a service that ended so many seconds ago, good and bad.
fn spans(service: &str, ended: i64, good: usize, bad: usize) -> ResourceSpans {
    let now = i64::try_from(SystemClock.now().as_nanosecond()).unwrap();
    let end = (now - ended * SECOND.cast_signed()).cast_unsigned();
    let span = |number: usize| Span {
        trace_id: vec![7; 16],
        span_id: (number as u64 + 1).to_be_bytes().to_vec(),
        start_time_unix_nano: end,
        end_time_unix_nano: end,
        status: (number >= good).then(|| Status {
            code: 2,
            ..Status::default()
        }),
        ..Span::default()
    };
    let value = Some(AnyValue {
        value: Some(Value::StringValue(service.to_owned())),
    });
    ResourceSpans {
        resource: Some(Resource {
            attributes: vec![KeyValue {
                key: "service.name".to_owned(),
                value,
                ..KeyValue::default()
            }],
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            spans: (0..good + bad).map(span).collect(),
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    }
}

fn body(resource_spans: Vec<ResourceSpans>) -> Vec<u8> {
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn class(total: u64, bad: u64) -> Class {
    Class { total, bad }
}

#[tokio::test]
async fn every_span_is_in_one_class_also_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::Directory(directory.path().to_owned());
    let bench = Bench::start(Store::open(&location).await.unwrap()).await;
    let mixed = body(vec![
        spans("shop", 1, 5, 2),
        spans("other", 1, 3, 1),
        spans("shop", 10_000, 2, 1),
        spans("shop", -4_000, 1, 1),
    ]);
    assert_eq!(bench.send(&mixed).await, 5);
    // The same bytes again get the same answer and count as duplicates, those once rejected too.
    assert_eq!(bench.send(&mixed).await, 5);
    let ledger = bench.ledger();
    let expected = [
        ("received", class(32, 10)),
        ("counted", class(7, 2)),
        ("unmatched", class(4, 1)),
        ("duplicate", class(16, 5)),
        ("late", class(3, 1)),
        ("future", class(2, 1)),
        ("invalid", class(0, 0)),
        ("unsupported", class(0, 0)),
        ("shed", class(0, 0)),
    ];
    assert_eq!(ledger.spans.named()[..9], expected);
    let text = bench.metrics.encode().unwrap();
    for line in [
        "class=\"duplicate\",bad=\"false\"} 11",
        "class=\"unmatched\",bad=\"true\"} 1",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
    // sloburn's own objective: what came again is neither good nor bad.
    let drops = (16, 5);
    assert_eq!(bench.drops(), drops);
    let again = bench.killed().await;
    assert_eq!(again.ledger(), ledger);
    assert_eq!(again.drops(), drops);
    let other = body(vec![spans("other", 2, 1, 0)]);
    again.send(&other).await;
    assert_eq!(again.ledger().spans.unmatched, class(5, 1));
    assert_eq!(again.killed().await.ledger().spans.received, class(33, 10));
}

#[tokio::test]
async fn weights_count_and_their_absence_is_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::Directory(directory.path().to_owned());
    let bench = Bench::start(Store::open(&location).await.unwrap()).await;
    let sampled = |state: &str, service: &str| {
        let mut of_service = spans(service, 1, 1, 1);
        for span in &mut of_service.scope_spans[0].spans {
            state.clone_into(&mut span.trace_state);
        }
        of_service
    };
    bench.send(&body(vec![sampled("ot=th:f", "shop")])).await;
    let shop = |bench: &Bench| {
        let live = locked(&bench.live);
        let objective = live.catalog().objective("shop").unwrap().clone();
        let fingerprint = objective.indicator.fingerprint();
        let now = SystemClock.now().as_second() + 10;
        let timeline = live.timeline(fingerprint).unwrap();
        let tally = timeline.tally(now, std::time::Duration::from_hours(1));
        let flagged = live.unweighted().indicators.contains_key(&fingerprint);
        ((tally.total, tally.bad), flagged)
    };
    assert_eq!(shop(&bench), ((32, 16), false));
    assert_eq!(bench.ledger().spans.counted, class(2, 1));
    bench.send(&body(vec![sampled("ot=p:3", "other")])).await;
    assert_eq!(shop(&bench), ((32, 16), false), "another service's");
    bench.send(&body(vec![sampled("ot=p:3", "shop")])).await;
    assert_eq!(shop(&bench), ((34, 17), true));
    let bench = bench.killed().await;
    assert_eq!(shop(&bench), ((34, 17), true));
    assert_eq!(bench.ledger().spans.unweighted, class(4, 2));
    let live = locked(&bench.live);
    let services: Vec<_> = live.unweighted().services.keys().cloned().collect();
    assert_eq!(services, ["other".into(), "shop".into()]);
}

#[tokio::test]
async fn what_is_refused_for_now_is_shed_and_stored_with_the_next_commit() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::Directory(directory.path().to_owned());
    let bench = Bench::start(Store::open(&location).await.unwrap()).await;
    let refused = body(vec![spans("shop", 1, 3, 2)]);
    // A handle whose writer is gone refuses; its classes are owed to the same commit.
    let (stopped, queue) = JournalHandle::new(1);
    drop(queue);
    let submission = Submission {
        hash: RequestHasher::default().hash(Kind::Traces, &refused),
        kind: Kind::Traces,
        decoded: bench.decoded(&refused),
        bytes: refused.len(),
    };
    assert_eq!(stopped.submit(submission).await, Err(Refused::Stopping));
    bench.handle.owed().add(&stopped.owed().take());
    assert_eq!(bench.ledger().spans, collector::Classes::default());
    assert_eq!(bench.send(&refused).await, 0);
    let spans = bench.ledger().spans;
    assert_eq!(
        (spans.received, spans.counted, spans.shed),
        (class(10, 4), class(5, 2), class(5, 2))
    );
    assert_eq!(bench.killed().await.ledger().spans, spans);
}

#[tokio::test]
async fn what_is_owed_is_stored_when_the_journal_ends() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::Directory(directory.path().to_owned());
    let bench = Bench::start(Store::open(&location).await.unwrap()).await;
    let shed = bench.decoded(&body(vec![spans("shop", 1, 1, 1)])).classes;
    bench.handle.owed().note(Kind::Traces, &shed.all_shed());
    let Bench {
        handle,
        writing,
        store,
        ..
    } = bench;
    drop(handle);
    writing.join_all().await;
    let again = Bench::start(store).await;
    assert_eq!(again.ledger().spans.shed, class(2, 1));
}
