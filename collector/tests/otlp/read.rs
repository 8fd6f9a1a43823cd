//! Metrics read in another way than they were sent, and spans without a parent.

use collector::{
    Absorbed, Decoded, Encoding, Kind, Known, Measure, Measured, Origin, Reading, SHARE_UNITS,
    SeriesKey, Signal, Streams, Subject, Threshold, decode,
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, NumberDataPoint, Sum};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use crate::given::{NOW, SECOND, failed, metrics, span, text, traces};
use crate::points::{LIVE, at};

fn measure(readings: &[Reading]) -> Measure {
    let readings = readings
        .iter()
        .map(|reading| ("level".to_owned(), *reading));
    Measure {
        readings: readings.collect(),
        ..Measure::default()
    }
}

fn points(points: &[(i64, Number)], pod: &str) -> Vec<NumberDataPoint> {
    let point = |(time, value): &(i64, Number)| NumberDataPoint {
        time_unix_nano: at(*time),
        value: Some(*value),
        attributes: vec![text("pod", pod)],
        ..NumberDataPoint::default()
    };
    points.iter().map(point).collect()
}

fn gauge(of: &[(i64, Number)]) -> Data {
    Data::Gauge(Gauge {
        data_points: points(of, "a"),
    })
}

fn sum(of: &[(i64, Number)], monotonic: bool) -> Data {
    let mut data_points = points(of, "a");
    for point in &mut data_points {
        point.start_time_unix_nano = at(-1_000);
    }
    Data::Sum(Sum {
        data_points,
        aggregation_temporality: 2,
        is_monotonic: monotonic,
    })
}

fn decoded(data: Data, measure: &Measure) -> Decoded {
    let body = metrics("level", "1", data).encode_to_vec();
    let known = Known::new();
    let encoding = Encoding::Protobuf;
    decode(Kind::Metrics, encoding, &body, measure, &known, NOW).expect("a good request")
}

/// What the series of a reading took: by slice end, values of 0 and of 1.
fn taken(decoded: &Decoded, absorbed: &Absorbed, reading: Reading) -> Vec<(i64, u64, u64)> {
    let now = (NOW / SECOND).cast_signed();
    let of = of_reading(decoded, reading);
    let entries = absorbed.entries.iter().filter(|one| Some(one.series) == of);
    entries
        .map(|entry| {
            let zeros = entry.measured.within(0.0, true).expect("a bound").lo;
            let end = entry.slice.end_seconds() - now;
            (end, zeros, entry.measured.count() - zeros)
        })
        .collect()
}

fn of_reading(decoded: &Decoded, reading: Reading) -> Option<collector::SeriesId> {
    let mut series = decoded.new_series.iter();
    let found = series.find(|(_, key)| key.signal == Signal::Read(reading));
    found.map(|(id, _)| *id)
}

fn ints(of: &[(i64, i64)]) -> Vec<(i64, Number)> {
    of.iter()
        .map(|(time, value)| (*time, Number::AsInt(*value)))
        .collect()
}

fn absorbed(decoded: &Decoded) -> Absorbed {
    Streams::new(Origin::Replay).absorb(&decoded.points)
}

#[test]
fn growth_is_counted_beside_every_slice_that_was_looked_at() {
    let of = ints(&[(-40, 3), (-30, 3), (-20, 5), (-20, 9), (-10, 1), (0, 1)]);
    let same = [(-30, 1, 0), (-20, 1, 2), (-10, 1, 1), (0, 1, 0)];
    for (case, data, expected) in [
        ("a gauge; a fall is a new beginning", gauge(&of), &same[..]),
        ("a sum that may fall", sum(&of, false), &same[..]),
        (
            "a sum without growth is looked at all the same",
            sum(&ints(&[(-990, 0), (-980, 0), (-970, 4)]), true),
            &[(-990, 1, 0), (-980, 1, 0), (-970, 1, 4)],
        ),
        (
            "a fraction waits for the rest of its unit",
            gauge(&[
                (-30, Number::AsDouble(0.25)),
                (-20, Number::AsDouble(1.0)),
                (-10, Number::AsDouble(1.5)),
            ]),
            &[(-20, 1, 0), (-10, 1, 1)],
        ),
        (
            "between two points a minute apart all slices are looked at",
            gauge(&ints(&[(-60, 1), (-30, 2)])),
            &[(-50, 1, 1), (-40, 1, 0), (-30, 1, 0)],
        ),
        (
            "what is negative is no total",
            gauge(&ints(&[(-30, -4), (-20, -1)])),
            &[],
        ),
    ] {
        let decoded = decoded(data, &measure(&[Reading::Growth]));
        let absorbed = absorbed(&decoded);
        assert_eq!(
            taken(&decoded, &absorbed, Reading::Growth),
            expected,
            "{case}"
        );
    }
}

#[test]
fn a_point_that_is_read_in_several_ways_has_one_class() {
    let all = [
        Reading::Growth,
        Reading::Age,
        Reading::Share,
        Reading::Amount,
    ];
    let of = ints(&[(-20, 1), (-10, -7)]);
    let plain = decoded(gauge(&of), &measure(&[]));
    let read = decoded(gauge(&of), &measure(&all));
    assert_eq!((plain.points.len(), read.points.len()), (2, 7));
    assert_eq!(read.classes, plain.classes);
    let (plain, read_absorbed) = (absorbed(&plain), absorbed(&read));
    assert_eq!(read_absorbed.classes, plain.classes);
    assert_eq!(read_absorbed.taken, plain.taken);
    assert_eq!(plain.classes.counted.total, 2);
    let told = read.problems.to_string();
    for part in [
        "gauge that is negative or no number is not counted (2 times)",
        "ratio that is not between 0 and 1 is not counted as one: metric `level` of `shop`",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn ages_are_told_to_the_nanosecond() {
    let now = (NOW / SECOND).cast_signed();
    for (case, value, within, beyond) in [
        (
            "whole seconds",
            Number::AsInt(now - 70),
            60.0,
            59.999_999_999,
        ),
        (
            "a double",
            #[expect(clippy::cast_precision_loss, reason = "below 2⁵³")]
            Number::AsDouble(now as f64 - 70.5),
            60.5,
            60.499_999_999,
        ),
        (
            "a time to come",
            Number::AsInt(now + 5),
            -15.0,
            -15.000_000_001,
        ),
    ] {
        let bound = |bound| Threshold {
            subject: Subject::Age("level".to_owned()),
            bound,
            inclusive: true,
        };
        let measure = Measure {
            thresholds: vec![bound(within), bound(beyond)],
            ..measure(&[Reading::Age])
        };
        let decoded = decoded(gauge(&[(-10, value)]), &measure);
        let absorbed = absorbed(&decoded);
        let id = of_reading(&decoded, Reading::Age);
        let mut entries = absorbed.entries.iter();
        let entry = entries.find(|entry| Some(entry.series) == id).expect(case);
        let held = |bound| {
            entry
                .measured
                .within(bound, true)
                .map(|within| (within.lo, within.exact))
        };
        assert_eq!(held(within), Some((1, true)), "{case}");
        assert_eq!(held(beyond), Some((0, true)), "{case}");
    }
}

#[test]
fn amounts_are_as_many_as_the_points_say() {
    let of = ints(&[(-30, 4), (-20, 0), (-10, 7)]);
    let decoded = decoded(gauge(&of), &measure(&[Reading::Amount]));
    let absorbed = absorbed(&decoded);
    let id = of_reading(&decoded, Reading::Amount);
    let counts = absorbed.entries.iter().filter(|one| Some(one.series) == id);
    let counts: Vec<_> = counts.map(|entry| entry.measured.count()).collect();
    assert_eq!(counts, [4, 7]);
}

#[test]
fn amounts_of_points_with_a_start_are_no_totals_since_then() {
    let of = ints(&[(-30, 4), (-20, 0), (-10, 7)]);
    let decoded = decoded(sum(&of, false), &measure(&[Reading::Amount]));
    let absorbed = absorbed(&decoded);
    let id = of_reading(&decoded, Reading::Amount);
    let counts = absorbed.entries.iter().filter(|one| Some(one.series) == id);
    let counts: Vec<_> = counts.map(|entry| entry.measured.count()).collect();
    assert_eq!(counts, [4, 7]);
    assert!(absorbed.problems.is_empty(), "{:?}", absorbed.problems);
}

#[test]
fn a_reading_that_is_asked_for_later_begins_with_a_base() {
    let asked = measure(&[Reading::Growth]);
    let later = decoded(
        sum(&ints(&[(-30, 500), (-20, 500), (-10, 503)]), true),
        &asked,
    );
    let mut streams = Streams::new(LIVE);
    streams.absorb(&decoded(sum(&ints(&[(-40, 500)]), true), &measure(&[])).points);
    let grown = taken(&later, &streams.absorb(&later.points), Reading::Growth);
    assert_eq!(grown, [(-20, 1, 0), (-10, 1, 3)]);
    // A sender that began when it was asked for already counts from its beginning.
    let at_once = taken(
        &later,
        &Streams::new(LIVE).absorb(&later.points),
        Reading::Growth,
    );
    assert_eq!(at_once.iter().map(|slice| slice.2).sum::<u64>(), 503);
}

#[test]
fn root_spans_are_told_apart_where_they_are_asked_for() {
    let child = |parent: &[u8]| opentelemetry_proto::tonic::trace::v1::Span {
        parent_span_id: parent.to_vec(),
        ..failed(span("GET /"))
    };
    let body = traces(
        "shop",
        vec![child(&[]), child(&[0; 8]), child(&[1; 8]), child(&[2; 8])],
    );
    let json = r#"{"resourceSpans": [{"scopeSpans": [{"spans": [
        {"traceId": "07070707070707070707070707070707", "spanId": "0909090909090909", "name": "GET /",
         "kind": 2, "status": {"code": 2}, "startTimeUnixNano": "1704067199000000000",
         "endTimeUnixNano": "1704067200000000000", "parentSpanId": "PARENT"}]}]}]}"#;
    let keys = |body: &[u8], encoding, roots| {
        let measure = Measure {
            roots,
            ..Measure::default()
        };
        let decoded = decode(Kind::Traces, encoding, body, &measure, &Known::new(), NOW);
        let decoded = decoded.expect("spans");
        let sums = decoded.spans.summed().entries;
        let key = |id| decoded.new_series.iter().find(|(new, _)| *new == id);
        let key = |id| key(id).map(|(_, key)| (**key).clone()).expect("new");
        let mut found: Vec<_> = sums
            .iter()
            .map(|entry| (key(entry.series).root, entry.measured.count()))
            .collect();
        found.sort_unstable();
        found
    };
    let bytes = body.encode_to_vec();
    assert_eq!(keys(&bytes, Encoding::Protobuf, false), [(false, 4)]);
    assert_eq!(
        keys(&bytes, Encoding::Protobuf, true),
        [(false, 2), (true, 2)]
    );
    for (parent, root) in [
        ("", true),
        ("0000000000000000", true),
        ("00f067aa0ba902b7", false),
    ] {
        let json = json.replace("PARENT", parent);
        assert_eq!(
            keys(json.as_bytes(), Encoding::Json, true),
            [(root, 1)],
            "{parent}"
        );
    }
}

#[test]
fn keys_of_the_first_form_are_read_and_written_as_ever() {
    let old = b"\x01\x01\x24\x04shop\x05GET /\x00\x06region\x01\x02eu";
    let key = SeriesKey::decode(old).expect("a key of the first form");
    assert_eq!(
        (&*key.service, &*key.name, key.root),
        ("shop", "GET /", false)
    );
    assert_eq!(
        (key.kind.as_str(), key.status.as_str()),
        ("server", "error")
    );
    assert_eq!(key.encode(), old);
    let root = SeriesKey { root: true, ..key };
    let new = root.encode();
    assert_eq!(new[0], 2, "an older version refuses what it does not know");
    assert_eq!(SeriesKey::decode(&new), Ok(root));
}

/// Growth again, the plain way.
fn growth(values: &[u16]) -> u64 {
    let pairs = values.windows(2);
    let grown = pairs.map(|pair| {
        let fell = pair[1] < pair[0];
        u64::from(pair[1]) - if fell { 0 } else { u64::from(pair[0]) }
    });
    grown.sum()
}

fn sums(decoded: &Decoded, absorbed: &Absorbed, reading: Reading) -> (u64, u64) {
    let taken = taken(decoded, absorbed, reading);
    (
        taken.iter().map(|slice| slice.1).sum(),
        taken.iter().map(|slice| slice.2).sum(),
    )
}

proptest! {
    #[test]
    fn growth_agrees_with_a_recount(values in vec(any::<u16>(), 1..40), restart in any::<prop::sample::Index>()) {
        let first = -10 * i64::try_from(values.len()).unwrap_or(0);
        let times = (0..).map(|n| first + 10 * n);
        let of: Vec<_> = times.zip(&values).map(|(time, value)| (time, i64::from(*value))).collect();
        let measure = measure(&[Reading::Growth]);
        // A restart in between changes nothing.
        let (before, after) = of.split_at(restart.index(of.len()));
        let (before, after) = (decoded(gauge(&ints(before)), &measure), decoded(gauge(&ints(after)), &measure));
        let mut streams = Streams::new(Origin::Replay);
        streams.checkpoint();
        let one = streams.absorb(&before.points);
        let mut restarted = Streams::new(Origin::Replay);
        for (id, state) in streams.changed().iter() {
            restarted.restore(id, state).unwrap();
        }
        let two = restarted.absorb(&after.points);
        let (one, two) = (sums(&before, &one, Reading::Growth), sums(&after, &two, Reading::Growth));
        prop_assert_eq!(one.0 + two.0, values.len() as u64 - 1, "every slice but that of the first point");
        prop_assert_eq!(one.1 + two.1, growth(&values));
    }

    #[test]
    fn shares_agree_with_a_recount(ratios in vec(-0.5_f64..1.5, 1..40)) {
        let times = (0..).map(|n| -400 + 10 * n);
        let of: Vec<_> = times.zip(&ratios).map(|(time, ratio)| (time, Number::AsDouble(*ratio))).collect();
        let decoded = decoded(gauge(&of), &measure(&[Reading::Share]));
        let (zeros, ones) = sums(&decoded, &absorbed(&decoded), Reading::Share);
        let held: Vec<_> = ratios.iter().filter(|ratio| **ratio >= 0.0 && **ratio <= 1.0).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
        let expected: u64 = held.iter().map(|ratio| (**ratio * 1e6).round() as u64).sum();
        prop_assert_eq!(ones, expected);
        prop_assert_eq!(zeros + ones, held.len() as u64 * SHARE_UNITS);
    }

    #[test]
    fn what_is_read_merges_as_it_was_counted(pairs in vec((0_u64..1000, 0_u64..1000), 1..20)) {
        let mut sum = Measured::default();
        for (n, (first, second)) in (0..).zip(&pairs) {
            let values = [*first, first + second].map(u64::cast_signed);
            let of = ints(&[(-300 + n, values[0]), (-299 + n, values[1])]);
            let decoded = decoded(gauge(&of), &measure(&[Reading::Growth]));
            let id = of_reading(&decoded, Reading::Growth);
            for entry in absorbed(&decoded).entries {
                if Some(entry.series) == id {
                    sum.merge(&entry.measured).unwrap();
                }
            }
        }
        let looks = sum.within(0.0, true).unwrap();
        prop_assert!(looks.exact);
        let grown: u64 = pairs.iter().map(|(_, grown)| grown).sum();
        prop_assert_eq!(sum.count() - looks.lo, grown);
    }
}
