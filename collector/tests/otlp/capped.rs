//! Limits: known series, overflow series, and requests that are too large.

use std::time::Duration;

use collector::{
    Class, Encoding, Kind, Known, Limits, Measure, OVERFLOW_NAME, RequestError, SpanKind, decode,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::given::{NOW, failed, measure, span, text, traces};

#[test]
fn a_known_series_is_not_new() {
    let (known, measure) = (Known::new(), measure());
    let body = traces("shop", vec![span("GET /"), span("GET /")]).encode_to_vec();
    let again = || {
        decode(
            Kind::Traces,
            Encoding::Protobuf,
            &body,
            &measure,
            &known,
            NOW,
        )
        .unwrap()
    };
    let first = again();
    assert_eq!(first.new_series.len(), 1);
    assert_eq!(
        again().new_series,
        first.new_series,
        "not durable yet, so that every request brings it along"
    );
    let (id, key) = first.new_series[0].clone();
    known.insert(id, key);
    assert_eq!(again().new_series, []);
    assert_eq!(again().spans.summed().entries, first.spans.summed().entries);
    assert_eq!(known.get(id), Some(first.new_series[0].1.clone()));
}

#[test]
fn beyond_the_cap_totals_stay_exact() {
    let limits = Limits {
        max_series: 10,
        ..Limits::default()
    };
    let measure = Measure {
        limits,
        ..measure()
    };
    let known = Known::new();
    let mut total = 0;
    for round in 0..5 {
        let spans = (0..30).map(|n| {
            let route = text("route", &format!("/{round}/{n}"));
            Span {
                attributes: vec![route],
                ..span("GET")
            }
        });
        let request = traces("shop", spans.chain([failed(span("GET"))]).collect());
        let body = request.encode_to_vec();
        let mut decoded = decode(
            Kind::Traces,
            Encoding::Protobuf,
            &body,
            &measure,
            &known,
            NOW,
        )
        .unwrap();
        decoded.place(&known, &measure.limits, &[]);
        assert_eq!(decoded.classes.counted, Class { total: 31, bad: 1 });
        assert!(
            decoded.problems.to_string().contains("`route`"),
            "{}",
            decoded.problems
        );
        total += decoded
            .spans
            .summed()
            .entries
            .iter()
            .map(|entry| entry.measured.count())
            .sum::<u64>();
        assert!(
            known.len() <= 12,
            "ten series, and one overflow series for each status"
        );
    }
    assert_eq!(total, 5 * 31);
    let all = known.all();
    let overflow: Vec<_> = all.iter().filter(|(_, key)| key.overflow).collect();
    assert_eq!(overflow.len(), 2);
    for (_, key) in overflow {
        assert_eq!((&*key.service, &*key.name), ("shop", OVERFLOW_NAME));
        assert_eq!(key.kind, SpanKind::Server);
    }
}

#[test]
fn hostile_services_do_not_grow_the_overflow_series() {
    let limits = Limits {
        max_series: 10,
        ..Limits::default()
    };
    let measure = Measure {
        limits,
        ..measure()
    };
    let known = Known::new();
    for n in 0..1000 {
        let body = traces(&format!("service-{n}"), vec![span("GET")]).encode_to_vec();
        let mut decoded = decode(
            Kind::Traces,
            Encoding::Protobuf,
            &body,
            &measure,
            &known,
            NOW,
        )
        .unwrap();
        decoded.place(&known, &measure.limits, &[]);
        assert_eq!(decoded.spans.summed().entries[0].measured.count(), 1);
    }
    assert!(known.len() < 50, "{}", known.len());
}

#[test]
fn a_request_with_too_many_spans_is_refused_whole() {
    let limits = Limits {
        max_items: 3,
        max_late: Duration::from_hours(1),
        ..Limits::default()
    };
    let measure = Measure {
        limits,
        ..Measure::default()
    };
    let known = Known::new();
    let refused = |request: &ExportTraceServiceRequest| {
        let body = request.encode_to_vec();
        decode(
            Kind::Traces,
            Encoding::Protobuf,
            &body,
            &measure,
            &known,
            NOW,
        )
        .unwrap_err()
    };
    let error = refused(&traces("shop", vec![span(""); 4]));
    assert!(
        matches!(error, RequestError::TooManyItems { limit: 3, .. }),
        "{error}"
    );
    let mut empty = traces("shop", vec![]);
    empty.resource_spans = vec![empty.resource_spans[0].clone(); 4];
    assert!(matches!(refused(&empty), RequestError::TooManyItems { .. }));
    assert!(known.is_empty(), "a refused request leaves no trace");
}
