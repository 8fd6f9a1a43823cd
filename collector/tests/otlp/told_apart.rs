//! Spans told apart: fingerprints, and counts without the spans that were counted before.

use collector::{
    Class, Classes, Decoded, Delta, Encoding, FingerprintKey, Kind, Known, Ledger, Limits, Measure,
    Verdict, decode,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;

use crate::given::{MILLI, NOW, SECOND, failed, measure, span, text, traces};

fn told_apart() -> Measure {
    Measure {
        fingerprints: Some(FingerprintKey::new(b"secret")),
        ..measure()
    }
}

fn decoded_by(measure: &Measure, encoding: Encoding, body: &[u8]) -> Decoded {
    decode(Kind::Traces, encoding, body, measure, &Known::new(), NOW).expect("a good request")
}

fn counted(measure: &Measure, spans: Vec<Span>) -> Decoded {
    let body = traces("shop", spans).encode_to_vec();
    decoded_by(measure, Encoding::Protobuf, &body)
}

fn fingerprint(measure: &Measure, span: Span) -> u64 {
    let decoded = counted(measure, vec![span]);
    decoded.spans.records()[0].fingerprint
}

#[test]
fn a_span_is_its_ids_and_kind_under_a_secret() {
    let own = fingerprint(&told_apart(), span("a"));
    let base = || span("a");
    for (case, other, same) in [
        (
            "another name",
            Span {
                name: "b".to_owned(),
                ..base()
            },
            true,
        ),
        ("another status", failed(base()), true),
        (
            "other attributes",
            Span {
                attributes: vec![text("route", "/x")],
                ..base()
            },
            true,
        ),
        (
            "another span id",
            Span {
                span_id: vec![8; 8],
                ..base()
            },
            false,
        ),
        (
            "another trace id",
            Span {
                trace_id: vec![8; 16],
                ..base()
            },
            false,
        ),
        (
            "the client's half of a shared id",
            Span { kind: 3, ..base() },
            false,
        ),
    ] {
        assert_eq!(fingerprint(&told_apart(), other) == own, same, "{case}");
    }
    let other_key = Measure {
        fingerprints: Some(FingerprintKey::new(b"another secret")),
        ..measure()
    };
    assert_ne!(fingerprint(&other_key, span("a")), own, "another secret");
}

#[test]
fn both_encodings_give_one_fingerprint_and_spans_that_do_not_count_give_none() {
    let json = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"07070707070707070707070707070707","spanId":"0909090909090909","kind":2,"name":"a",
         "startTimeUnixNano":"1704067199000000000","endTimeUnixNano":"1704067200000000000"},
        {"traceId":"00000000000000000000000000000000","spanId":"0909090909090909","kind":2,"name":"a",
         "startTimeUnixNano":"1704067199000000000","endTimeUnixNano":"1704067200000000000"},
        {"traceId":"+7070707070707070707070707070707","spanId":"0909090909090909","kind":2,"name":"a",
         "startTimeUnixNano":"1704067199000000000","endTimeUnixNano":"1704067200000000000"}]}]}]}"#;
    let json = decoded_by(&told_apart(), Encoding::Json, json);
    let records = json.spans.records();
    assert_eq!(records.len(), 1, "{:?}", json.classes);
    assert_eq!(
        records[0].fingerprint,
        fingerprint(&told_apart(), span("a"))
    );
    assert_eq!(records[0].end_seconds, u32::try_from(NOW / SECOND).unwrap());
    let off = counted(&measure(), vec![span("a")]);
    assert_eq!(off.spans.records()[0].fingerprint, 0, "option off");
}

#[test]
fn a_repeated_span_is_a_duplicate_with_its_bad_share_and_no_rejection() {
    let ahead = Span {
        end_time_unix_nano: NOW + SECOND,
        ..failed(span("a"))
    };
    let mut decoded = counted(&told_apart(), vec![span("a"), ahead, failed(span("b"))]);
    let class = |total, bad| Class { total, bad };
    assert_eq!(decoded.classes.clamped, class(1, 1));

    decoded.settle(&[Verdict::Fresh, Verdict::Duplicate, Verdict::Late]);
    assert_eq!(
        decoded.classes,
        Classes {
            received: class(3, 2),
            counted: class(1, 0),
            duplicate: class(1, 1),
            late: class(1, 1),
            ..Classes::default()
        }
    );
    assert_eq!(
        decoded.classes.rejected(),
        1,
        "a late one cannot be counted"
    );
    assert!(
        decoded.problems.to_string().contains("too old to tell"),
        "{}",
        decoded.problems
    );
    let one = counted(&told_apart(), vec![span("a")]);
    assert_eq!(decoded.spans.summed().entries, one.spans.summed().entries);
}

#[test]
fn a_repeated_span_of_an_overflow_series_is_no_longer_overflowed() {
    let capped = Measure {
        limits: Limits {
            max_series: 1,
            ..Limits::default()
        },
        ..told_apart()
    };
    let mut decoded = counted(&capped, vec![span("a"), span("b"), span("c")]);
    assert_eq!(decoded.classes.overflowed.total, 2);
    decoded.settle(&[Verdict::Duplicate, Verdict::Duplicate, Verdict::Fresh]);
    assert_eq!(decoded.classes.overflowed.total, 1);
    assert_eq!(decoded.spans.summed().entries.len(), 1);
}

proptest! {
    /// Whatever is taken out, what is left is what a request of the other spans alone would be.
    #[test]
    fn what_is_left_is_what_the_rest_alone_would_be(
        sent in prop::collection::vec((0_u64..4, 0_u64..90, 0_u64..60, any::<bool>(), any::<bool>()), 1..40),
    ) {
        let spans: Vec<Span> = sent.iter().map(|(name, age, length, bad, _)| {
            let end = NOW - age * SECOND;
            let good = Span {
                start_time_unix_nano: end - length * MILLI,
                end_time_unix_nano: end,
                ..span(&format!("route {name}"))
            };
            if *bad { failed(good) } else { good }
        }).collect();
        let verdicts: Vec<Verdict> = sent.iter().map(|(.., fresh)| {
            if *fresh { Verdict::Fresh } else { Verdict::Duplicate }
        }).collect();
        let rest = spans.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Fresh);
        let rest = counted(&told_apart(), rest.map(|(span, _)| span.clone()).collect());
        let mut settled = counted(&told_apart(), spans);
        settled.settle(&verdicts);
        let encoded = |decoded: &Decoded| {
            let mut delta = Delta::default();
            delta.add(decoded.spans.summed().entries.clone(), &Ledger::default()).unwrap();
            delta.encode()
        };
        prop_assert_eq!(encoded(&settled), encoded(&rest));
        prop_assert_eq!(settled.classes.counted, rest.classes.counted);
    }
}

#[test]
fn what_a_span_stands_for_goes_with_it() {
    let sampled = |state: &str, id: u8| Span {
        trace_state: state.to_owned(),
        span_id: vec![id; 8],
        ..span("a")
    };
    let spans = vec![
        sampled("ot=th:c", 1),
        sampled("ot=th:f", 2),
        sampled("ot=p:1", 3),
    ];
    let mut decoded = counted(&told_apart(), spans);
    let total = |decoded: &Decoded| -> u64 {
        let counts = decoded.spans.summed().entries.into_iter();
        counts.map(|entry| entry.measured.count()).sum()
    };
    assert_eq!(
        (total(&decoded), decoded.spans.summed().unweighted.len()),
        (4 + 16 + 1, 1)
    );
    decoded.settle(&[Verdict::Fresh, Verdict::Duplicate, Verdict::Duplicate]);
    assert_eq!(
        (total(&decoded), decoded.spans.summed().unweighted.len()),
        (4, 0)
    );
    let classes = decoded.classes;
    assert_eq!((classes.counted.total, classes.unweighted.total), (1, 0));
}
