//! Sampled spans count as many as they stand for.

use collector::{Decoded, Kind, Known, Measure, SparseHistogram, Subject, Threshold};
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;

use crate::given::{MILLI, decoded, failed, span, traces};
use crate::json_writer::{self, Order};

fn sampled(state: &str, id: u64, ms: u64) -> Span {
    let mut span = span("GET /");
    state.clone_into(&mut span.trace_state);
    span.span_id = id.to_be_bytes().to_vec();
    span.start_time_unix_nano = span.end_time_unix_nano - ms * MILLI;
    span
}

fn of(spans: Vec<Span>) -> Decoded {
    decoded(Kind::Traces, &traces("shop", spans))
}

fn total(decoded: &Decoded) -> u64 {
    let counts = decoded.spans.summed().entries.into_iter();
    counts.map(|entry| entry.measured.count()).sum()
}

#[test]
fn a_weight_counts_in_totals_thresholds_histograms_and_failures_alike() {
    use prost::Message as _;
    let spans = vec![
        sampled("ot=th:c", 1, 50),
        sampled("congo=1,ot=th:8", 2, 5_000_000),
        failed(sampled("ot=th:f", 3, 400)),
        sampled("", 4, 50),
    ];
    let measure = Measure {
        thresholds: vec![Threshold {
            subject: Subject::Spans,
            bound: 100.0,
            inclusive: true,
        }],
        ..Measure::default()
    };
    let body = traces("shop", spans).encode_to_vec();
    let known = Known::new();
    let encoding = collector::Encoding::Protobuf;
    let now = crate::given::NOW;
    let decoded = collector::decode(Kind::Traces, encoding, &body, &measure, &known, now).unwrap();
    let [failed, good] = {
        let mut entries: Vec<_> = decoded
            .spans
            .summed()
            .entries
            .into_iter()
            .map(|entry| entry.measured)
            .collect();
        entries.sort_by_key(|measured| measured.histogram().clamped());
        <[_; 2]>::try_from(entries).unwrap()
    };
    assert_eq!((good.count(), failed.count()), (4 + 2 + 1, 16));
    let within = good.within(100.0, true).unwrap();
    assert_eq!((within.lo, within.hi, within.exact), (5, 5, true));
    assert_eq!(
        (good.histogram().total(), good.histogram().clamped()),
        (7, 2)
    );
    let mut dense = SparseHistogram::dense();
    failed.histogram().add_into(&mut dense);
    assert_eq!(dense.len(), 16);
    // Classes are about what arrived, not about what it stands for.
    assert_eq!(
        (decoded.classes.counted.total, decoded.classes.counted.bad),
        (4, 1)
    );
    assert_eq!(
        decoded
            .spans
            .summed()
            .taken
            .iter()
            .map(|(_, spans)| spans)
            .sum::<u64>(),
        4
    );
    assert_eq!(decoded.classes.unweighted.total, 0);
    assert_eq!(decoded.problems.to_string(), "");
}

#[test]
fn what_was_sampled_without_a_weight_is_told_and_counts_once() {
    for state in ["ot=p:8;r:62", "ot=th:ffffffffffffff", "ot=th:?", "ot=rv:1"] {
        let decoded = of(vec![sampled(state, 1, 5), failed(sampled(state, 2, 5))]);
        assert_eq!(total(&decoded), 2, "{state}");
        let unweighted = decoded.classes.unweighted;
        assert_eq!((unweighted.total, unweighted.bad), (2, 1), "{state}");
        assert_eq!(
            (
                decoded.classes.rejected(),
                decoded.spans.summed().unweighted.len()
            ),
            (0, 2)
        );
        let told = decoded.problems.to_string();
        assert!(
            told.contains("sampled without a weight, so counted once (2 times)"),
            "{told}"
        );
    }
}

proptest! {
    #[test]
    fn weights_are_the_same_in_any_order_batch_and_encoding(
        spans in prop::collection::vec(
            ("(|ot=th:[0-9a-e][0-9a-f]{0,5}|ot=th:ff[0-9a-e])", 1..u64::MAX, 1..1_000_u64), 0..30),
        cut in 0..30_usize,
    ) {
        let spans: Vec<_> = spans.iter().map(|(state, id, ms)| sampled(state, *id, *ms)).collect();
        let whole = of(spans.clone());
        let in_json = json_writer::traces(&traces("shop", spans.clone()), Order::HeaderFirst);
        prop_assert_eq!(&crate::given::decoded_json(Kind::Traces, &in_json), &whole);
        let mut reversed: Vec<_> = spans.iter().rev().cloned().collect();
        prop_assert_eq!(of(reversed.clone()).spans.summed().entries, whole.spans.summed().entries);
        let rest = reversed.split_off(cut.min(reversed.len()));
        prop_assert_eq!(total(&of(reversed)) + total(&of(rest)), total(&whole));
        prop_assert!(total(&whole) >= spans.len() as u64);
    }
}
