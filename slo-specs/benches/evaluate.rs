//! One tick of 100 and of 10 000 objectives over 35 days of traffic.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use slo_specs::{Objective, SourceFile, Tally, Timeline, evaluate, judge_again, load};

const BEGIN: i64 = 1_704_067_200;
const DAY: i64 = 86_400;
const OBJECTIVES: usize = 100;
const SPEC: &str = "apiVersion: openslo/v1
kind: SLO
metadata: { name: web }
spec:
  service: web
  timeWindow: [{ duration: 30d, isRolling: true }]
  budgetingMethod: Occurrences
  indicator:
    spec:
      ratioMetric:
        bad: { metricSource: { type: otlp, spec: { signal: traces, status: error, match: { a: b } } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, match: { a: b } } } }
  objectives: [{ target: 0.999 }]
";

fn objective() -> Objective {
    let file = SourceFile {
        path: "bench".to_owned(),
        text: SPEC.to_owned(),
    };
    load(&[file]).catalog.objectives.remove(0)
}

fn timeline() -> (Timeline, i64) {
    let mut timeline = Timeline::new();
    let mut now = BEGIN;
    while now < BEGIN + 35 * DAY {
        let step = if now < BEGIN + 34 * DAY { 60 } else { 10 };
        now += step;
        timeline.add(now, Tally::new(1_000, u64::from(now % 70 == 0)));
        if now % DAY == 0 {
            timeline.advance(now);
        }
    }
    timeline.advance(now);
    (timeline, now)
}

/// Ten thousand objectives in a hundred files, each about a route of its own.
fn large_catalog() -> Vec<SourceFile> {
    let slo = |number: usize| {
        let text = SPEC.replace("name: web", &format!("name: web-{number}"));
        text.replace("a: b", &format!("a: b, http.route: /r{number}"))
    };
    let file = |file: usize| {
        let texts: Vec<String> = (file * 100..(file + 1) * 100).map(slo).collect();
        SourceFile {
            path: format!("specs/{file}.yaml"),
            text: texts.join("---\n"),
        }
    };
    (0..100).map(file).collect()
}

fn bench(criterion: &mut Criterion) {
    let files = large_catalog();
    criterion.bench_function("load 10 000 objectives", |bencher| {
        bencher.iter(|| {
            let loaded = load(black_box(&files));
            assert_eq!(loaded.catalog.objectives.len(), 10_000);
            loaded
        });
    });
    let (timeline, now) = timeline();
    let timelines: Vec<Timeline> = vec![timeline; OBJECTIVES];
    let objective = objective();
    let instant = Timestamp::from_second(now).unwrap_or_default();
    let earlier = Timestamp::from_second(now - 7_200).unwrap_or_default();
    criterion.bench_function("evaluate 100 objectives, one tick", |bencher| {
        bencher.iter(|| {
            for timeline in &timelines {
                black_box(evaluate(black_box(&objective), timeline, instant));
            }
        });
    });
    criterion.bench_function("judge one objective at a day of past minutes", |bencher| {
        let opened = timelines.first().map(Timeline::opened).unwrap_or_default();
        bencher.iter(|| {
            for minute in 0..1_440 {
                let past = Timestamp::from_second(now - 2 * DAY + minute * 60).unwrap_or_default();
                black_box(evaluate(black_box(&objective), &opened, past));
            }
        });
    });
    // As many timelines do not fit in memory here: a hundred take turns, which no cache holds either.
    let objectives = load(&files).catalog.objectives;
    criterion.bench_function("evaluate 10 000 objectives, one tick", |bencher| {
        bencher.iter(|| {
            for (objective, timeline) in objectives.iter().zip(timelines.iter().cycle()) {
                black_box(evaluate(black_box(objective), timeline, instant));
            }
        });
    });
    criterion.bench_function("judge one objective again over 2 h", |bencher| {
        let timeline = timelines.first().cloned().unwrap_or_default();
        bencher.iter(|| {
            black_box(judge_again(
                black_box(&objective),
                &timeline,
                earlier,
                instant,
            ))
        });
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
