//! The examples of the opentelemetry-proto repository (`examples/`, Apache-2.0) are accepted, every
//! item of them.

use std::time::Duration;

use collector::{Encoding, Kind, Known, Limits, Measure, Origin, Streams, decode};

use crate::given::SECOND;

#[test]
fn the_examples_of_the_specification_are_counted() {
    for (case, kind, body, received) in [
        (
            "a trace",
            Kind::Traces,
            include_str!("examples/trace.json"),
            1,
        ),
        (
            "every kind of metric",
            Kind::Metrics,
            include_str!("examples/metrics.json"),
            4,
        ),
        ("logs", Kind::Logs, include_str!("examples/logs.json"), 1),
        (
            "events",
            Kind::Logs,
            include_str!("examples/events.json"),
            1,
        ),
    ] {
        let limits = Limits {
            max_late: Duration::from_hours(24),
            ..Limits::default()
        };
        let measure = Measure {
            limits,
            ..Measure::default()
        };
        let now = 1_544_716_800 * SECOND;
        let decoded = decode(
            kind,
            Encoding::Json,
            body.as_bytes(),
            &measure,
            &Known::new(),
            now,
        );
        let decoded = decoded.expect(case);
        assert_eq!(decoded.problems.to_string(), "", "{case}");
        assert_eq!(decoded.classes.received.total, received, "{case}");
        let mut counted = decoded.classes;
        let absorbed = Streams::new(Origin::Replay).absorb(&decoded.points);
        counted.merge(&absorbed.classes).unwrap();
        let usable = counted.counted.total + counted.unmatched.total;
        assert_eq!(usable, received, "{case}");
    }
}
