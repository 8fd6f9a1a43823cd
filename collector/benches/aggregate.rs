//! What it costs to merge what requests measured, and to write and read it.

mod load;

use std::hint::black_box;

use collector::{Delta, Encoding, Kind, Known, Pack, SparseHistogram, decode};
use criterion::{Criterion, criterion_group, criterion_main};

fn delta() -> Delta {
    let (known, body) = (Known::new(), load::protobuf(&load::traces()));
    let decoded = decode(
        Kind::Traces,
        Encoding::Protobuf,
        &body,
        &load::measure(),
        &known,
        load::NOW,
    );
    let decoded = decoded.expect("a good request");
    let mut delta = Delta::default();
    delta
        .add(
            decoded.spans.summed().entries,
            &collector::Ledger::of(collector::Kind::Traces, decoded.classes),
        )
        .expect("small counts");
    delta
}

fn aggregate(criterion: &mut Criterion) {
    let delta = delta();
    criterion.bench_function(
        "aggregate: 64 requests of 100 spans into one delta",
        |bencher| {
            bencher.iter(|| {
                // As the writer does it: first all together, then sorted and merged once.
                let entries = (0..64).flat_map(|_| black_box(&delta.entries).iter().cloned());
                let mut group = Delta::default();
                group
                    .add(entries.collect(), &delta.classes)
                    .expect("small counts");
                group
            });
        },
    );
    let mut pack = Pack::default();
    for entry in &delta.entries {
        pack.add(entry.series, &entry.measured)
            .expect("small counts");
    }
    criterion.bench_function("merge: two packs", |bencher| {
        bencher.iter(|| {
            let mut merged = pack.clone();
            merged.merge(black_box(&pack)).expect("small counts");
            merged
        });
    });
    let mut dense = SparseHistogram::dense();
    criterion.bench_function("merge: histograms of a pack into a dense one", |bencher| {
        bencher.iter(|| {
            for measured in pack.series.values() {
                measured.histogram().add_into(&mut dense);
            }
        });
    });
}

fn codec(criterion: &mut Criterion) {
    let delta = delta();
    let bytes = delta.encode();
    criterion.bench_function("encode: the delta of 100 spans", |bencher| {
        bencher.iter(|| black_box(&delta).encode());
    });
    criterion.bench_function("decode: the delta of 100 spans", |bencher| {
        bencher.iter(|| Delta::decode(black_box(&bytes)));
    });
}

criterion_group!(benches, aggregate, codec);
criterion_main!(benches);
