//! Every kind of signal from its telemetry to its budget, against a plain recount.

use super::*;

/// A point of a metric in one pod: when, in seconds after the start, and what.
type Points<'a> = (&'a str, Vec<(i64, f64)>);

fn spec(method: &str, sli: &str, objective: &str) -> String {
    format!(
        "apiVersion: openslo/v1
kind: SLO
metadata: {{ name: shop }}
spec:
  service: shop
  timeWindow: [{{ duration: 30d, isRolling: true }}]
  budgetingMethod: {method}
  indicator: {{ spec: {{ {sli} }} }}
  objectives: [{{ target: 0.99, {objective} }}]
"
    )
}

fn threshold(source: &str) -> String {
    format!("thresholdMetric: {{ metricSource: {{ type: otlp, spec: {{ {source} }} }} }}")
}

fn ratio(counter: &str, good: &str, total: &str) -> String {
    let source = |spec: &str| format!("{{ metricSource: {{ type: otlp, spec: {{ {spec} }} }} }}");
    format!(
        "ratioMetric: {{ {counter} good: {}, total: {} }}",
        source(good),
        source(total)
    )
}

fn points(pod: &str, of: &[(i64, f64)], start: Option<i64>) -> Vec<serde_json::Value> {
    let point = |(second, value): &(i64, f64)| {
        json!({
            "timeUnixNano": nanos(START_S + second).to_string(),
            "startTimeUnixNano": start.map_or(0, |start| nanos(START_S + start)).to_string(),
            "asDouble": value,
            "attributes": [{"key": "pod", "value": {"stringValue": pod}}],
        })
    };
    of.iter().map(point).collect()
}

fn metric_line(name: &str, data: &serde_json::Value) -> Vec<u8> {
    let mut metric = data.clone();
    metric["name"] = json!(name);
    let request = json!({"resourceMetrics": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeMetrics": [{"metrics": [metric]}],
    }]});
    serde_json::to_vec(&request).unwrap()
}

/// A line for each point in time, as a collector would write them.
fn by_time(
    name: &str,
    pods: &[Points<'_>],
    data: impl Fn(Vec<serde_json::Value>) -> serde_json::Value,
    start: Option<i64>,
) -> Vec<(i64, Vec<u8>)> {
    let mut times: Vec<i64> = pods
        .iter()
        .flat_map(|pod| &pod.1)
        .map(|one| one.0)
        .collect();
    times.sort_unstable();
    times.dedup();
    let at = |time: i64| {
        let points = pods.iter().flat_map(|(pod, of)| {
            let now: Vec<_> = of.iter().filter(|one| one.0 == time).copied().collect();
            points(pod, &now, start)
        });
        (time, metric_line(name, &data(points.collect())))
    };
    times.into_iter().map(at).collect()
}

fn gauge(name: &str, pods: &[Points<'_>]) -> Vec<(i64, Vec<u8>)> {
    by_time(
        name,
        pods,
        |points| json!({"gauge": {"dataPoints": points}}),
        None,
    )
}

fn counter(name: &str, pods: &[Points<'_>]) -> Vec<(i64, Vec<u8>)> {
    let data = |points| json!({"sum": {"dataPoints": points, "aggregationTemporality": 2, "isMonotonic": true}});
    by_time(name, pods, data, Some(0))
}

/// Total and bad of the only SLO after these lines, sorted by time.
fn judged(spec: &str, mut lines: Vec<(i64, Vec<u8>)>) -> (u64, u64) {
    lines.sort_by_key(|(time, _)| *time);
    let mut replay = Replay::new(catalog(spec));
    for (_, line) in &lines {
        replay.line(line).unwrap();
    }
    let rejected = replay.live.classes().rejected();
    assert_eq!(rejected, 0, "nothing is left out");
    let unmatched = replay.live.classes().points.unmatched.total;
    assert_eq!(unmatched, 0, "everything is used");
    let report = replay.finish();
    (report.slos[0].total, report.slos[0].bad)
}

/// Values of two pods, one every ten seconds.
fn two_pods(seed: u64, value: impl Fn(&mut StdRng) -> f64) -> [Points<'static>; 2] {
    let mut rng = StdRng::seed_from_u64(seed);
    ["a", "b"].map(|pod| {
        let times = (10..=600).step_by(10);
        (pod, times.map(|time| (time, value(&mut rng))).collect())
    })
}

/// Ends of the minutes that `time` lies in.
fn minute(time: i64) -> i64 {
    -(-time).div_euclid(60) * 60
}

#[test]
fn every_point_of_a_gauge_is_an_event() {
    let lag = threshold("signal: metrics, metric: lag");
    for seed in 0..4 {
        let pods = two_pods(seed, |rng| f64::from(rng.random_range(-20_i32..20)));
        let values = || pods.iter().flat_map(|pod| &pod.1);
        let bad = values().filter(|one| one.1 > -3.0).count() as u64;
        let spec_points = spec("Occurrences", &lag, "op: lte, value: -3");
        assert_eq!(judged(&spec_points, gauge("lag", &pods)), (120, bad));

        // A minute is good when all its points hold.
        let bad: std::collections::BTreeSet<i64> = values()
            .filter(|one| one.1 > 15.0)
            .map(|one| minute(one.0))
            .collect();
        let objective = "op: lte, value: 15, timeSliceTarget: 1, timeSliceWindow: 1m";
        let spec_slices = spec("Timeslices", &lag, objective);
        let expected = (10, bad.len() as u64);
        assert_eq!(judged(&spec_slices, gauge("lag", &pods)), expected);
    }
}

#[test]
fn a_ratio_that_is_sent_counts_to_a_millionth() {
    for (kind, of_bad) in [("success", false), ("failure", true)] {
        let raw = format!(
            "ratioMetric: {{ raw: {{ metricSource: {{ type: otlp, spec: {{ signal: metrics, metric: up }} }} }}, rawType: {kind} }}"
        );
        let pods = two_pods(7, |rng| rng.random_range(0..=1_000_000_u32).into());
        let pods = pods.map(|(pod, of)| {
            (
                pod,
                of.iter()
                    .map(|one| (one.0, one.1 / 1e6))
                    .collect::<Vec<_>>(),
            )
        });
        let micros = |value: f64| (value * 1e6).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small and not negative"
        )]
        let sum = pods
            .iter()
            .flat_map(|pod| &pod.1)
            .map(|one| micros(one.1))
            .sum::<f64>() as u64;
        let all = 120 * 1_000_000;
        let expected = if of_bad { sum } else { all - sum };
        assert_eq!(
            judged(&spec("Occurrences", &raw, ""), gauge("up", &pods)),
            (all, expected),
            "{kind}"
        );
    }
}

#[test]
fn restarts_make_a_slice_bad_and_quiet_ones_are_measured() {
    let restarts = threshold("signal: metrics, metric: restarts, value: increase");
    let objective = "op: lte, value: 0, timeSliceWindow: 1m";
    let spec = spec("Timeslices", &restarts, objective);
    // Two restarts of pod a in the fifth minute; pod b comes late with three that were before.
    let a = (10..=600)
        .step_by(10)
        .map(|time| (time, if time < 250 { 4.0 } else { 6.0 }));
    let b = (310..=600).step_by(10).map(|time| (time, 3.0));
    let pods = [("a", a.collect::<Vec<_>>()), ("b", b.collect())];
    assert_eq!(judged(&spec, gauge("restarts", &pods)), (10, 1));
    // As a counter from its start on: what b brings is new.
    let spec = spec.replace("value: 0,", "value: 4,");
    let start = |points| json!({"sum": {"dataPoints": points, "aggregationTemporality": 2, "isMonotonic": true}});
    let mut lines = by_time("restarts", &[pods[0].clone()], start, Some(0));
    lines.extend(by_time("restarts", &[pods[1].clone()], start, Some(305)));
    assert_eq!(judged(&spec, lines), (10, 0));
}

#[test]
fn a_counter_that_stands_still_is_no_heartbeat() {
    let runs = threshold("signal: metrics, metric: runs, value: increase");
    let spec = spec(
        "Timeslices",
        &runs,
        "op: gte, value: 1, timeSliceWindow: 2m",
    );
    let of = (60..=1200).step_by(60).map(|time| {
        let runs = if (500..840).contains(&time) {
            8
        } else {
            time / 60
        };
        (time, f64::from(u32::try_from(runs).unwrap()))
    });
    let pods = [("a", of.collect::<Vec<_>>())];
    // It stands still from the 8th minute to the 13th.
    assert_eq!(judged(&spec, counter("runs", &pods)), (10, 2));
}

#[test]
fn a_quantile_is_judged_by_nearest_rank() {
    let p90 = threshold("signal: traces, spanKind: server, value: duration_ms, quantile: 0.9");
    let spec = spec(
        "Timeslices",
        &p90,
        "op: lte, value: 810, timeSliceWindow: 1m",
    );
    let traffic = traffic(11);
    let mut minutes: std::collections::BTreeMap<u64, Vec<u64>> = std::collections::BTreeMap::new();
    for event in traffic.iter().flatten() {
        let minute = (event.end_ns - 1) / 60_000_000_000;
        minutes.entry(minute).or_default().push(event.duration_ns);
    }
    let bad = minutes.values_mut().filter_map(|of| {
        of.sort_unstable();
        (of[(of.len() * 9).div_ceil(10) - 1] > 810_000_000).then_some(())
    });
    let expected = bad.count() as u64;
    assert!(
        expected > 0 && expected < 180,
        "both kinds occur: {expected}"
    );
    let lines = (0..).zip(lines(&traffic));
    assert_eq!(judged(&spec, lines.collect()), (180, expected));
}

#[test]
fn a_time_that_is_sent_is_as_old_as_it_is() {
    let age = threshold("signal: metrics, metric: backup, value: age_s");
    let spec = spec("Occurrences", &age, "op: lte, value: 120");
    // Renewed once, after five minutes.
    let of = (10..=600).step_by(10).map(|time| {
        let renewed = if time < 300 { 0 } else { 300 };
        let at = u32::try_from(START_S + renewed).unwrap();
        (time, f64::from(at))
    });
    let pods = [("a", of.collect::<Vec<_>>())];
    // 130 to 290, and 430 to 600.
    assert_eq!(judged(&spec, gauge("backup", &pods)), (60, 17 + 18));
}

#[test]
fn a_gauge_may_say_how_many_events_there_were() {
    let done = "signal: metrics, metric: done";
    let tried = "signal: metrics, metric: tried";
    let spec = spec("Occurrences", &ratio("counter: false,", done, tried), "");
    let done = [("a", vec![(10, 3.0), (20, 0.0), (30, 5.0)])];
    // A sum counts by what it grew by.
    let tried = [("a", vec![(10, 4.0), (20, 6.0), (30, 12.0)])];
    let mut lines = gauge("done", &done);
    lines.extend(counter("tried", &tried));
    assert_eq!(judged(&spec, lines), (12, 4));
}

#[test]
fn good_and_all_may_come_from_different_signals_and_late() {
    let good = "signal: traces, spanKind: server";
    let total = "signal: metrics, metric: tried";
    let spec = spec("Occurrences", &ratio("counter: true,", good, total), "");
    let events: Vec<Event> = (1..=90)
        .map(|second| Event {
            end_ns: nanos(START_S + second),
            duration_ns: 1_000_000,
            bad: false,
        })
        .collect();
    let of = (10..=100)
        .step_by(10)
        .map(|time| (time, f64::from(u32::try_from(time).unwrap())));
    let tried = [("a", of.collect::<Vec<_>>())];
    for (case, first_late) in [("spans come late", true), ("points come late", false)] {
        let (spans, points) = if first_late { (2_000, 0) } else { (0, 2_000) };
        let spans = [(spans, line(&events, 1))];
        let late = |(time, line): (i64, Vec<u8>)| (time + points, line);
        let lines = counter("tried", &tried).into_iter().map(late).chain(spans);
        assert_eq!(judged(&spec, lines.collect()), (100, 10), "{case}");
    }
}

#[test]
fn a_journey_counts_traces_by_their_root() {
    let source = |more: &str| format!("signal: traces, root: true, spanName: POST /checkout{more}");
    let spec = spec(
        "Occurrences",
        &ratio("", &source(", status: unset"), &source("")),
        "",
    );
    let span = |id: u64, parent: Option<u64>, bad: bool| {
        json!({
            "traceId": format!("{:032x}", id / 10 + 1),
            "spanId": format!("{:016x}", id + 1),
            "parentSpanId": parent.map_or(String::new(), |parent| format!("{:016x}", parent + 1)),
            "name": "POST /checkout",
            "kind": 2,
            "startTimeUnixNano": nanos(START_S + 1).to_string(),
            "endTimeUnixNano": nanos(START_S + 2).to_string(),
            "status": if bad { json!({"code": 2}) } else { json!({}) },
        })
    };
    // Twenty traces of four spans; of every fifth the root fails, of every other a part of it.
    let spans = (0..20_u64).flat_map(|trace| {
        let root = trace * 10;
        let parts = (1..4).map(move |part| span(root + part, Some(root), trace % 2 == 0));
        std::iter::once(span(root, None, trace % 5 == 0)).chain(parts)
    });
    let request =
        json!({"resourceSpans": [{"scopeSpans": [{"spans": spans.collect::<Vec<_>>()}]}]});
    let line = serde_json::to_vec(&request).unwrap();
    assert_eq!(judged(&spec, vec![(0, line)]), (20, 4));
}
