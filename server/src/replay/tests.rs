mod signals;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use slo_specs::SourceFile;

use super::*;

/// 2024-01-01T00:00:00Z in Unix seconds.
const START_S: i64 = 1_704_067_200;

const SPEC: &str = "
apiVersion: openslo/v1
kind: SLO
metadata: { name: checkout }
spec:
  service: checkout
  timeWindow: [{ duration: 30d, isRolling: true }]
  budgetingMethod: Occurrences
  indicator:
    metadata: { name: checkout-success }
    spec:
      ratioMetric:
        counter: true
        bad: { metricSource: { type: otlp, spec: { signal: traces, spanKind: server, match: { service.name: checkout }, status: error } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, spanKind: server, match: { service.name: checkout } } } }
  objectives: [{ displayName: available, target: 0.999 }]
";

fn catalog(text: &str) -> Arc<Catalog> {
    let loaded = slo_specs::load(&[SourceFile {
        path: "test.yaml".to_owned(),
        text: text.to_owned(),
    }]);
    assert_eq!(loaded.problems, [], "the test's spec is sound");
    Arc::new(loaded.catalog)
}

#[derive(Debug, Clone, Copy)]
struct Event {
    end_ns: u64,
    duration_ns: u64,
    bad: bool,
}

fn nanos(second: i64) -> u64 {
    u64::try_from(second).unwrap() * 1_000_000_000
}

fn line(events: &[Event], first_id: u64) -> Vec<u8> {
    let spans: Vec<_> = events
        .iter()
        .zip(first_id..)
        .map(|(event, id)| {
            json!({
                "traceId": format!("{id:032x}"),
                "spanId": format!("{id:016x}"),
                "name": "POST /checkout",
                "kind": 2,
                "startTimeUnixNano": (event.end_ns - event.duration_ns).to_string(),
                "endTimeUnixNano": event.end_ns.to_string(),
                "status": if event.bad { json!({"code": 2}) } else { json!({}) },
            })
        })
        .collect();
    let request = json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]},
        "scopeSpans": [{"spans": spans}],
    }]});
    serde_json::to_vec(&request).unwrap()
}

/// Three hours of traffic, a line per 10 s, with a burst of errors in the second hour.
fn traffic(seed: u64) -> Vec<Vec<Event>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let slices = 3 * 360;
    (0..slices)
        .map(|slice| {
            let begin = START_S + slice * 10;
            let burst = (400..430).contains(&slice);
            let mut events: Vec<Event> = (0..rng.random_range(5..25))
                .map(|_| Event {
                    end_ns: nanos(begin) + rng.random_range(1..10_000_000_000_u64),
                    duration_ns: rng.random_range(1_000_000..900_000_000_u64),
                    bad: rng.random_bool(if burst { 0.5 } else { 0.000_5 }),
                })
                .collect();
            events.sort_by_key(|event| event.end_ns);
            events
        })
        .collect()
}

fn run(lines: &[Vec<u8>]) -> Report {
    let mut replay = Replay::new(catalog(SPEC));
    for line in lines {
        replay.line(line).unwrap();
    }
    replay.finish()
}

fn lines(traffic: &[Vec<Event>]) -> Vec<Vec<u8>> {
    let mut id = 1;
    traffic
        .iter()
        .map(|events| {
            let bytes = line(events, id);
            id += events.len() as u64;
            bytes
        })
        .collect()
}

/// The rules again, the plain way: every window of every tick is counted anew from the raw events.
fn expected_alerts(traffic: &[Vec<Event>]) -> Vec<(String, i64, Option<i64>)> {
    let rules: [(&str, i64, i64, u64, u64); 4] = [
        ("page-fast", 3600, 300, 144, 3),
        ("page-slow", 21_600, 1_800, 60, 3),
        ("ticket-fast", 86_400, 7_200, 30, 1),
        ("ticket-slow", 259_200, 21_600, 10, 1),
    ];
    let events: Vec<Event> = traffic.concat();
    let last = events.iter().map(|event| event.end_ns).max().unwrap();
    let last_tick = i64::try_from(last / 1_000_000_000).unwrap() / 10 * 10 + 10;
    let mut alerts = Vec::new();
    for (rule, long, short, tenths, minimum_bad) in rules {
        let mut firing: Option<i64> = None;
        let mut tick = START_S + 10;
        while tick <= last_tick {
            let count = |look_back: i64| {
                let from = nanos(tick - look_back);
                let inside = |event: &&Event| event.end_ns > from && event.end_ns <= nanos(tick);
                let total = events.iter().filter(inside).count() as u64;
                let bad = events
                    .iter()
                    .filter(inside)
                    .filter(|event| event.bad)
                    .count() as u64;
                (total, bad)
            };
            let over = |(total, bad): (u64, u64)| bad * 10_000 > total * tenths;
            let short = count(short);
            match firing {
                None => {
                    let long = count(long);
                    if over(long) && over(short) && long.1 >= minimum_bad {
                        firing = Some(tick);
                    }
                }
                Some(fired) => {
                    if short.0 > 0 && !over(short) {
                        alerts.push((rule.to_owned(), fired, Some(tick)));
                        firing = None;
                    }
                }
            }
            tick += 10;
        }
        if let Some(fired) = firing {
            alerts.push((rule.to_owned(), fired, None));
        }
    }
    alerts.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    alerts
}

#[test]
fn alerts_and_counts_agree_with_a_naive_recount_over_raw_events() {
    let traffic = traffic(7);
    let report = run(&lines(&traffic));
    let found: Vec<(String, i64, Option<i64>)> = report
        .alerts
        .iter()
        .map(|alert| {
            let resolved = alert.resolved_at.map(Timestamp::as_second);
            (alert.rule.clone(), alert.fired_at.as_second(), resolved)
        })
        .collect();
    assert_eq!(found, expected_alerts(&traffic));
    assert!(
        found
            .iter()
            .any(|(rule, _, resolved)| rule == "page-fast" && resolved.is_some())
    );
    let events = traffic.concat();
    let [slo] = report.slos.as_slice() else {
        panic!("one SLO")
    };
    assert_eq!(slo.total, events.len() as u64);
    assert_eq!(
        slo.bad,
        events.iter().filter(|event| event.bad).count() as u64
    );
    let mut durations: Vec<u64> = events
        .iter()
        .map(|event| event.duration_ns / 1_000)
        .collect();
    durations.sort_unstable();
    let rank = (durations.len() * 99).div_ceil(100) - 1;
    let expected = Duration::from_micros(durations[rank]).as_secs_f64() * 1e3;
    let p99 = slo.latency.p99_ms.unwrap();
    assert!(
        (p99 - expected).abs() / expected < 0.002,
        "{p99} is not near {expected}"
    );
}

#[test]
fn lines_that_come_again_count_once() {
    let mut lines = lines(&traffic(3));
    let once = run(&lines);
    lines.extend(lines.clone());
    assert_eq!(run(&lines).slos, once.slos);
}

#[test]
fn late_bad_events_page_when_they_arrive() {
    let good = |second: i64| Event {
        end_ns: nanos(second) + 500_000_000,
        duration_ns: 1_000_000,
        bad: false,
    };
    let mut replay = Replay::new(catalog(SPEC));
    let mut id = 1;
    let mut send = |replay: &mut Replay, events: &[Event]| {
        replay.line(&line(events, id)).unwrap();
        id += events.len() as u64;
    };
    for second in (START_S..START_S + 3600).step_by(10) {
        send(
            &mut replay,
            &[good(second), good(second + 1), good(second + 2)],
        );
    }
    let late: Vec<Event> = (0..60)
        .map(|number| Event {
            bad: true,
            ..good(START_S + 1800 + number)
        })
        .collect();
    send(&mut replay, &late);
    send(&mut replay, &[good(START_S + 3610)]);
    let report = replay.finish();
    let page = report
        .alerts
        .iter()
        .find(|alert| alert.rule == "page-fast")
        .unwrap();
    assert!(
        page.fired_at.as_second() >= START_S + 3600,
        "it fires when the data comes"
    );
    assert!(page.resolved_at.is_some(), "the present is good");
}

#[test]
fn nothing_at_all_is_no_data() {
    let report = Replay::new(catalog(SPEC)).finish();
    assert_eq!(report.alerts, []);
    assert_eq!(report.slos[0].budget_remaining, None);
    assert_eq!(
        serde_json::to_value(&report.slos[0].windows).unwrap(),
        json!({"5m": null, "1h": null, "6h": null, "30d": null})
    );
}

#[test]
fn a_line_that_is_no_request_is_named() {
    let mut replay = Replay::new(catalog(SPEC));
    assert!(
        replay
            .line(b"not json")
            .unwrap_err()
            .starts_with("not OTLP/JSON")
    );
    assert!(replay.line(b"{}").is_ok(), "an empty request is a request");
}
