//! What it costs to decode and measure a request of 100 spans of about 450 bytes, and of 100 metric
//! points.

mod load;
#[path = "load/json.rs"]
mod load_json;
#[path = "load/metrics.rs"]
mod load_metrics;

use std::hint::black_box;

use collector::{Encoding, Kind, Known, Origin, RequestHasher, Streams, decode};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A set that knows all series of `bodies` already, as it does after the first seconds.
fn known(kind: Kind, encoding: Encoding, body: &[u8]) -> Known {
    let known = Known::new();
    let first = decode(kind, encoding, body, &load::measure(), &known, load::NOW);
    for (id, key) in first.expect("a good request").new_series {
        known.insert(id, key);
    }
    known
}

fn spans(criterion: &mut Criterion) {
    let measure = load::measure();
    let request = load::traces();
    let mut group = criterion.benchmark_group("decode and measure 100 spans");
    group.throughput(Throughput::Elements(100));
    for (name, encoding, body) in [
        ("protobuf", Encoding::Protobuf, load::protobuf(&request)),
        ("JSON", Encoding::Json, load_json::json(&request)),
    ] {
        let known = known(Kind::Traces, encoding, &body);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                decode(
                    Kind::Traces,
                    encoding,
                    black_box(&body),
                    &measure,
                    &known,
                    load::NOW,
                )
            });
        });
    }
    let body = load::protobuf(&request);
    let hasher = RequestHasher::default();
    group.bench_function("hash of the protobuf", |bencher| {
        bencher.iter(|| hasher.hash(Kind::Traces, black_box(&body)));
    });
    group.finish();
}

fn metrics(criterion: &mut Criterion) {
    let measure = load::measure();
    let mut group = criterion.benchmark_group("decode and absorb 100 points");
    group.throughput(Throughput::Elements(100));
    for (name, of) in [
        ("sums", load_metrics::sums as fn(u64) -> Vec<u8>),
        ("histograms", load_metrics::histograms),
    ] {
        let bodies: Vec<_> = (0..1000).map(of).collect();
        let known = known(Kind::Metrics, Encoding::Protobuf, &bodies[0]);
        let mut streams = Streams::new(Origin::Replay);
        let mut round = bodies.iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let body = round.next().map(Vec::as_slice).unwrap_or_default();
                let decoded = decode(
                    Kind::Metrics,
                    Encoding::Protobuf,
                    body,
                    &measure,
                    &known,
                    load::NOW,
                );
                streams.absorb(&decoded.expect("a good request").points)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, spans, metrics);
criterion_main!(benches);
