//! Spans: what counts, where, and what is rejected by name.

use collector::{
    Class, Decoded, Encoding, Kind, Known, SeriesKey, Slice, SpanKind, SpanStatus, UNKNOWN_SERVICE,
    Value, Within, decode,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Sent;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::given::{
    MILLI, NOW, SECOND, attribute, decoded, decoded_json, failed, measure, span, text, traces,
};

fn counted(spans: Vec<Span>) -> Decoded {
    decoded(Kind::Traces, &traces("shop", spans))
}

fn only_key(decoded: &Decoded) -> SeriesKey {
    assert_eq!(decoded.new_series.len(), 1, "{:?}", decoded.new_series);
    SeriesKey::clone(&decoded.new_series[0].1)
}

/// A span of a millisecond that ended then.
fn ended(end: u64) -> Span {
    Span {
        start_time_unix_nano: end - MILLI,
        end_time_unix_nano: end,
        ..span("")
    }
}

#[test]
fn every_span_is_in_one_class() {
    let start = |start_time_unix_nano| Span {
        start_time_unix_nano,
        ..span("")
    };
    let trace = |trace_id| Span {
        trace_id,
        ..span("")
    };
    let id = |span_id| Span {
        span_id,
        ..span("")
    };
    let no_end = Span {
        end_time_unix_nano: 0,
        ..span("")
    };
    for (case, sent, class) in [
        ("a good span", span(""), "counted"),
        ("two hours old", ended(NOW - 7200 * SECOND), "counted"),
        ("older", ended(NOW - 7200 * SECOND - 1), "late"),
        ("a minute ahead", ended(NOW + 60 * SECOND), "counted"),
        ("further ahead", ended(NOW + 60 * SECOND + 1), "future"),
        ("no trace id", trace(vec![]), "invalid"),
        ("a trace id of zeros", trace(vec![0; 16]), "invalid"),
        ("a short trace id", trace(vec![1; 8]), "invalid"),
        ("a long span id", id(vec![1; 9]), "invalid"),
        ("a span id of zeros", id(vec![0; 8]), "invalid"),
        ("no end", no_end, "invalid"),
        ("no start", start(0), "invalid"),
        ("end before start", start(NOW + 1), "invalid"),
        ("no time passed", start(NOW), "counted"),
    ] {
        for (bad, sent) in [(0, sent.clone()), (1, failed(sent))] {
            let classes = counted(vec![sent, span("neighbour")]).classes;
            let neighbour = u64::from(class == "counted");
            let found = classes.named().into_iter().find(|(name, _)| *name == class);
            let expected = Class {
                total: 1 + neighbour,
                bad,
            };
            assert_eq!(found, Some((class, expected)), "{case}");
            assert_eq!(classes.received, Class { total: 2, bad }, "{case}");
            assert_eq!(classes.counted.total + classes.rejected(), 2, "{case}");
        }
    }
}

/// A database may take no text with one.
#[test]
fn a_service_has_no_nul_in_its_name() {
    let decoded = decoded(Kind::Traces, &traces("a\0b", vec![span("")]));
    let services: Vec<_> = decoded
        .new_series
        .iter()
        .map(|(_, key)| &*key.service)
        .collect();
    assert_eq!(services, ["a\u{fffd}b"]);
}

#[test]
fn a_span_counts_in_the_slice_of_its_end() {
    let at = |end: u64| {
        let sent = Span {
            start_time_unix_nano: end - 600 * SECOND,
            end_time_unix_nano: end,
            ..span("")
        };
        counted(vec![sent]).spans.summed().entries[0].slice
    };
    assert_eq!(at(NOW), Slice::containing(NOW));
    assert_eq!(at(NOW - 9_999_999_999), Slice::containing(NOW));
    assert_eq!(
        at(NOW - 10 * SECOND).end_seconds(),
        Slice::containing(NOW).end_seconds() - 10
    );
    assert_eq!(
        at(NOW + 30 * SECOND),
        Slice::containing(NOW),
        "a little ahead is now"
    );
    let ahead = Span {
        end_time_unix_nano: NOW + 30 * SECOND,
        ..span("")
    };
    let ahead = counted(vec![ahead]);
    assert_eq!(ahead.classes.clamped.total, 1);
    assert_eq!(ahead.latest_event_nanos, Some(NOW + 30 * SECOND));
}

/// It says since when a copy of the request may have come: an event that counts now may have been rejected as a future
/// one then.
#[test]
fn the_earliest_event_is_of_those_that_count() {
    let ended = |nanos: u64| Span {
        start_time_unix_nano: nanos - MILLI,
        end_time_unix_nano: nanos,
        ..span("")
    };
    let hour = 3600 * SECOND;
    let decoded = counted(vec![
        ended(NOW),
        ended(NOW - 3 * hour),
        ended(NOW - hour),
        ended(NOW + hour),
    ]);
    assert_eq!(decoded.earliest_counted_nanos, Some(NOW - hour));
    assert_eq!(
        counted(vec![ended(NOW - 3 * hour)]).earliest_counted_nanos,
        None
    );
}

#[test]
fn durations_are_counted_exactly_at_declared_bounds() {
    let took = |nanos: u64| Span {
        start_time_unix_nano: NOW - nanos,
        ..span("")
    };
    let decoded = counted(vec![
        took(20 * MILLI),
        took(20 * MILLI + 1),
        took(50 * MILLI),
        took(49 * MILLI),
    ]);
    let measured = &decoded.spans.summed().entries[0].measured;
    assert_eq!(measured.count(), 4);
    assert_eq!(
        measured.within(20.0, true),
        Some(Within {
            lo: 1,
            hi: 1,
            exact: true
        })
    );
    assert_eq!(
        measured.within(50.0, false),
        Some(Within {
            lo: 3,
            hi: 3,
            exact: true
        })
    );
    let undeclared = measured.within(30.0, true).unwrap();
    assert_eq!(
        undeclared,
        Within {
            lo: 2,
            hi: 2,
            exact: false
        }
    );
    let on_a_value = measured.within(49.0, true).unwrap();
    assert!(
        on_a_value.lo <= 3 && on_a_value.hi >= 3 && !on_a_value.exact,
        "{on_a_value:?}"
    );
}

#[test]
fn a_series_key_says_what_was_counted() {
    let mut sent = failed(span("GET /"));
    sent.attributes = vec![
        text("route", "/"),
        text("tier", "span"),
        text("unasked", "x"),
    ];
    let key = only_key(&counted(vec![sent]));
    assert_eq!(
        (&*key.service, &*key.name, &*key.unit),
        ("shop", "GET /", "")
    );
    assert_eq!(
        (key.kind, key.status),
        (SpanKind::Server, SpanStatus::Error)
    );
    let value = |text: &str| Value::Text(text.into());
    let expected = [
        ("layer", "edge"),
        ("region", "eu"),
        ("route", "/"),
        ("tier", "span"),
    ];
    assert_eq!(
        key.attributes,
        expected.map(|(key, text)| (key.into(), value(text)))
    );
    assert_eq!(key.attribute("service.name"), Some(value("shop").as_ref()));
    assert_eq!(SeriesKey::decode(&key.encode()), Ok(key.clone()));
    assert_eq!(
        key.id(),
        only_key(&decoded(
            Kind::Traces,
            &traces(
                "shop",
                vec![failed(Span {
                    attributes: vec![text("tier", "span"), text("route", "/")],
                    ..span("GET /")
                })]
            )
        ))
        .id(),
        "the order of attributes does not matter"
    );
}

#[test]
fn values_of_every_type_are_kept_as_they_are() {
    for (case, sent, expected) in [
        (
            "text",
            Sent::StringValue("ä".repeat(200)),
            Value::Text("ä".repeat(128).into()),
        ),
        ("truth", Sent::BoolValue(true), Value::Bool(true)),
        ("integer", Sent::IntValue(-3), Value::Int(-3)),
        ("double", Sent::DoubleValue(0.5), Value::Double(0.5)),
        (
            "bytes",
            Sent::BytesValue(vec![0xfb, 0xff]),
            Value::Text("+/8=".into()),
        ),
    ] {
        let sent = Span {
            attributes: vec![attribute("route", sent)],
            ..span("")
        };
        let key = only_key(&counted(vec![sent]));
        assert_eq!(key.attribute("route"), Some(expected.as_ref()), "{case}");
    }
    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0AF7651916CD43DD8448EB211C80319C",
        "spanId":"b7ad6b7169203331","startTimeUnixNano":1704067199000000000,"endTimeUnixNano":"1704067200000000000",
        "kind":"SPAN_KIND_CLIENT","status":{"code":"STATUS_CODE_ERROR"},"name":null,"events":null,
        "attributes":[{"key":"route","value":{"arrayValue":{"values":[{"intValue":1},{"bytesValue":"-_8"},
        {"kvlistValue":{"values":[{"key":"b","value":{"doubleValue":"NaN"}},{"key":"a","value":{}}]}}]}}}]}]}]}]}"#;
    let key = only_key(&decoded_json(Kind::Traces, json));
    assert_eq!(
        (key.kind, key.status),
        (SpanKind::Client, SpanStatus::Error)
    );
    assert_eq!(&*key.service, UNKNOWN_SERVICE);
    let list = Value::Text(r#"[1,"+/8=",{"a":null,"b":"NaN"}]"#.into());
    assert_eq!(key.attribute("route"), Some(list.as_ref()));
}

#[test]
fn bad_text_costs_only_itself() {
    let mut body = traces("shop", vec![span("QQQ"), span("good")]).encode_to_vec();
    let at = body.windows(3).position(|window| window == b"QQQ").unwrap();
    body[at] = 0xff;
    let decoded = decode(
        Kind::Traces,
        Encoding::Protobuf,
        &body,
        &measure(),
        &Known::new(),
        NOW,
    )
    .unwrap();
    assert_eq!(decoded.classes.counted.total, 2);
    let names: Vec<_> = decoded
        .new_series
        .iter()
        .map(|(_, key)| &*key.name)
        .collect();
    assert!(
        names.contains(&"\u{fffd}QQ") && names.contains(&"good"),
        "{names:?}"
    );

    let json = crate::json_writer::traces(
        &traces("shop", vec![span("QQQ"), span("good")]),
        crate::json_writer::Order::HeaderFirst,
    );
    let half_a_pair = decoded_json(Kind::Traces, &json.replace("QQQ", r"\ud800!"));
    assert_eq!(half_a_pair.classes.counted.total, 2);
    for (from, to) in [
        ("\"QQQ\"", "[5]"),
        ("{\"aFieldOfTheFuture\"", "5,{\"aFieldOfTheFuture\""),
        ("\"status\":null", "\"status\":\"bad\""),
        ("\"attributes\":[],\"endTime", "\"attributes\":7,\"endTime"),
    ] {
        let bent = json.replacen(from, to, 1);
        assert_ne!(bent, json);
        let classes = decoded_json(Kind::Traces, &bent).classes;
        assert_eq!(classes.invalid.total, 1, "{to}");
        assert_eq!(classes.counted.total, classes.received.total - 1, "{to}");
    }
}

#[test]
fn a_senders_clock_is_told_by_resource() {
    let behind = |seconds: u64| ended(NOW - seconds * SECOND);
    let mut request = traces(
        "shop",
        vec![behind(3), behind(2), ended(NOW - 9_000 * SECOND)],
    );
    let of = |service: &str, instance: (&str, &str), spans: Vec<Span>| {
        let mut one = traces(service, spans).resource_spans.remove(0);
        let resource = one.resource.as_mut().unwrap();
        resource.attributes.push(text(instance.0, instance.1));
        one
    };
    let ahead = |seconds: u64| ended(NOW + seconds * SECOND);
    let hosts = [
        of(
            "shop",
            ("service.instance.id", "a"),
            vec![ahead(30), ahead(90)],
        ),
        of("shop", ("host.name", "b"), vec![behind(1)]),
        of("shop", ("service.instance.id", "a"), vec![ahead(2)]),
    ];
    request.resource_spans.extend(hosts);
    let decoded = decoded(Kind::Traces, &request);
    let found: Vec<_> = decoded
        .senders
        .iter()
        .map(|sender| {
            let seconds = sender.least_nanos / SECOND.cast_signed();
            let counts = (sender.spans, sender.clamped, sender.future);
            (&*sender.service, &*sender.instance, seconds, counts)
        })
        .collect();
    let expected = [
        ("shop", "", 2, (3, 0, 0)),
        ("shop", "a", -90, (3, 2, 1)),
        ("shop", "b", 1, (1, 0, 0)),
    ];
    assert_eq!(found, expected);
    let told = decoded.problems.to_string();
    for part in [
        "span ends ahead of our clock and is taken as now (2 times): span `` of `shop` on `a`, by 30 s",
        "span ends in the future: span `` of `shop` on `a`, by 90 s",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn many_senders_in_one_request_are_told_together_beyond_a_bound() {
    let spans = |service: String| traces(&service, vec![span("")]).resource_spans;
    let request = opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest {
        resource_spans: (0..100).flat_map(|n| spans(format!("s{n}"))).collect(),
    };
    let senders = decoded(Kind::Traces, &request).senders;
    assert_eq!(senders.len(), 65);
    assert_eq!((&*senders[64].service, senders[64].spans), ("", 36));
}
