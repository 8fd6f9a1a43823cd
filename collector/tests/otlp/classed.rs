//! Every span is in exactly one class, whatever arrives, and however it is batched and resent.

use collector::{Class, Classes, Delta, Kind, Ledger};
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;

use crate::given::{NOW, SECOND, decoded, failed, span, traces};

/// What is done to a span before it is sent, with the class it belongs to then.
const FATES: [&str; 6] = ["counted", "clamped", "late", "future", "invalid", "no end"];

fn fated(fate: &str, bad: bool) -> Span {
    let mut span = span("GET /");
    let end = match fate {
        "clamped" => NOW + 30 * SECOND,
        "late" => NOW - 3 * 3_600 * SECOND,
        "future" => NOW + 3_600 * SECOND,
        "no end" => 0,
        _ => NOW,
    };
    span.end_time_unix_nano = end;
    span.start_time_unix_nano = end;
    if fate == "invalid" {
        span.trace_id = vec![0; 16];
    }
    if bad { failed(span) } else { span }
}

fn expected(spans: &[(usize, bool)], class: &[&str]) -> Class {
    let of_class = spans
        .iter()
        .filter(|(fate, _)| class.contains(&FATES[*fate]));
    Class {
        total: of_class.clone().count() as u64,
        bad: of_class.filter(|(_, bad)| *bad).count() as u64,
    }
}

fn sums(classes: &Classes) -> Class {
    let classes = classes.divided().map(|(_, class)| class);
    classes.fold(Class::default(), |sum, class| Class {
        total: sum.total + class.total,
        bad: sum.bad + class.bad,
    })
}

proptest! {
    #[test]
    fn classes_sum_to_what_was_received(
        spans in prop::collection::vec((0..FATES.len(), any::<bool>()), 0..40),
        resent in 0..3_u64,
        refused in 0..3_u64,
        unused in (0..50_u64, 0..50_u64),
    ) {
        let request = traces("shop", spans.iter().map(|(fate, bad)| fated(FATES[*fate], *bad)).collect());
        let classes = decoded(Kind::Traces, &request).classes;
        let all = expected(&spans, &FATES);
        prop_assert_eq!(classes.received, all);
        prop_assert_eq!(classes.counted, expected(&spans, &["counted", "clamped"]));
        prop_assert_eq!(classes.clamped, expected(&spans, &["clamped"]));
        prop_assert_eq!(classes.late, expected(&spans, &["late"]));
        prop_assert_eq!(classes.future, expected(&spans, &["future"]));
        prop_assert_eq!(classes.invalid, expected(&spans, &["invalid", "no end"]));
        prop_assert_eq!(sums(&classes), classes.received);

        let mut ledger = Ledger::of(Kind::Traces, classes);
        for _ in 0..resent {
            ledger.spans.merge(&classes.all_duplicate()).unwrap();
        }
        for _ in 0..refused {
            ledger.spans.merge(&classes.all_shed()).unwrap();
        }
        ledger.spans.leave_unmatched(Class { total: unused.0, bad: unused.1 });
        prop_assert_eq!(sums(&ledger.spans), ledger.spans.received);
        prop_assert_eq!(ledger.spans.received.total, all.total * (1 + resent + refused));
        prop_assert_eq!(ledger.spans.duplicate.total, all.total * resent);
        prop_assert_eq!(ledger.spans.shed.bad, all.bad * refused);

        let mut delta = Delta::default();
        delta.add(Vec::new(), &ledger).unwrap();
        delta.add(Vec::new(), &Ledger::of(Kind::Metrics, classes)).unwrap();
        let read = Delta::decode(&delta.encode()).unwrap();
        prop_assert_eq!(read.classes.spans, ledger.spans);
        prop_assert_eq!(read.classes.points, classes);
        prop_assert_eq!(read.classes.received(), ledger.received() + all.total);
    }
}

#[test]
fn what_an_older_version_left_in_the_journal_is_read() {
    // Version 1: no bounds, no entries, then ten classes for all signals, no streams.
    let mut body = vec![1, 0, 0];
    for class in [(9_u8, 2_u8), (5, 1), (1, 0), (1, 1), (1, 0), (1, 0), (0, 0)] {
        body.extend([class.0, class.1]);
    }
    body.extend([2, 0, 0, 0, 0, 0, 0]);
    let checksum = blake3::hash(&body);
    body.extend_from_slice(&checksum.as_bytes()[..8]);
    let delta = Delta::decode(&body).unwrap();
    assert_eq!(delta.classes.spans.received, Class { total: 9, bad: 2 });
    assert_eq!(delta.classes.spans.clamped, Class { total: 2, bad: 0 });
    assert_eq!(sums(&delta.classes.spans), delta.classes.spans.received);
}
