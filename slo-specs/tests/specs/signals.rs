//! Gauges, increases, ages, ratios that are sent as such, quantiles and root spans in specs.

#![expect(clippy::too_many_lines, reason = "tables of cases")]

use std::time::Duration;

use slo_specs::{
    Budgeting, Catalog, EmptySlice, Indicator, Level, Op, Part, ReadAs, Slicing, Tally, Verdict,
};

use crate::given;

/// An SLO with this budgeting method, this SLI and these fields of its objective.
fn slo(method: &str, sli: &str, objective: &str) -> String {
    format!(
        "apiVersion: openslo/v1
kind: SLO
metadata: {{ name: web }}
spec:
  service: web
  timeWindow: [{{ duration: 30d, isRolling: true }}]
  budgetingMethod: {method}
  indicator:
    spec:
      {sli}
  objectives: [{{ target: 0.99, {objective} }}]
"
    )
}

fn threshold(spec: &str) -> String {
    format!("thresholdMetric: {{ metricSource: {{ type: otlp, spec: {{ {spec} }} }} }}")
}

fn read(text: &str) -> (Catalog, Vec<String>) {
    let loaded = given::read(text);
    let problems = loaded.problems.iter().map(ToString::to_string).collect();
    (loaded.catalog, problems)
}

const SLICED: &str = "timeSliceWindow: 1m";
const GAUGE: &str = "signal: metrics, metric: queue.depth, match: { service.name: web }";
const RAW: &str = "ratioMetric: { raw: { metricSource: { type: otlp, spec: { signal: metrics, metric: share } } }, rawType: success }";

#[test]
fn each_kind_of_signal_is_read_as_it_is_written() {
    let gauge = threshold(GAUGE);
    let increase = threshold("signal: metrics, metric: restarts, value: increase");
    let age = threshold("signal: metrics, metric: last_backup, value: age_s");
    let p99 = threshold("signal: traces, root: true, value: duration_ms, quantile: 0.99");
    let failure = RAW.replace("success", "failure");
    let slices = |verdict| {
        Budgeting::Timeslices(Slicing {
            length: Duration::from_mins(1),
            verdict,
            empty: EmptySlice::Unmeasured,
        })
    };
    let share = |text: &str| Verdict::Target(text.parse().unwrap());
    for (case, text, read_as, op, bound, budgeting) in [
        (
            "a gauge, point by point",
            slo("Occurrences", &gauge, "op: lte, value: -5"),
            ReadAs::AsSent,
            Op::Lte,
            -5.0,
            Budgeting::Occurrences,
        ),
        (
            "a gauge, slice by slice",
            slo(
                "Timeslices",
                &gauge,
                "op: lt, value: 100, timeSliceTarget: 1, timeSliceWindow: 1m",
            ),
            ReadAs::AsSent,
            Op::Lt,
            100.0,
            slices(share("1")),
        ),
        (
            "no increase at all",
            slo(
                "Timeslices",
                &increase,
                &format!("op: lte, value: 0, {SLICED}"),
            ),
            ReadAs::Growth,
            Op::Lte,
            0.0,
            slices(Verdict::AtMost(0)),
        ),
        (
            "an increase below a fraction",
            slo(
                "Timeslices",
                &increase,
                &format!("op: lt, value: 2.5, timeSliceTarget: 1, {SLICED}"),
            ),
            ReadAs::Growth,
            Op::Lte,
            0.0,
            slices(Verdict::AtMost(2)),
        ),
        (
            "an increase below a whole number",
            slo(
                "Timeslices",
                &increase,
                &format!("op: lt, value: 2, {SLICED}"),
            ),
            ReadAs::Growth,
            Op::Lte,
            0.0,
            slices(Verdict::AtMost(1)),
        ),
        (
            "a heartbeat: at least one a slice",
            slo(
                "Timeslices",
                &increase,
                &format!("op: gte, value: 1, {SLICED}"),
            ),
            ReadAs::Growth,
            Op::Lte,
            0.0,
            slices(Verdict::AtLeast(1)),
        ),
        (
            "more than one and a half",
            slo(
                "Timeslices",
                &increase,
                &format!("op: gt, value: 1.5, {SLICED}"),
            ),
            ReadAs::Growth,
            Op::Lte,
            0.0,
            slices(Verdict::AtLeast(2)),
        ),
        (
            "an age",
            slo("Occurrences", &age, "op: lte, value: 86400"),
            ReadAs::Age,
            Op::Lte,
            86_400.0,
            Budgeting::Occurrences,
        ),
        (
            "a quantile of root spans",
            slo("Timeslices", &p99, &format!("op: lt, value: 300, {SLICED}")),
            ReadAs::AsSent,
            Op::Lt,
            300.0,
            slices(share("0.99")),
        ),
        (
            "a quantile that is said twice",
            slo(
                "Timeslices",
                &p99,
                &format!("op: lt, value: 300, timeSliceTarget: 0.99, {SLICED}"),
            ),
            ReadAs::AsSent,
            Op::Lt,
            300.0,
            slices(share("0.99")),
        ),
        (
            "a ratio of good events",
            slo("Occurrences", RAW, ""),
            ReadAs::Share,
            Op::Gt,
            0.0,
            Budgeting::Shares,
        ),
        (
            "a ratio of bad events, slice by slice",
            slo(
                "Timeslices",
                &failure,
                &format!("timeSliceTarget: 0.9, {SLICED}"),
            ),
            ReadAs::Share,
            Op::Lte,
            0.0,
            slices(share("0.9")),
        ),
    ] {
        let (catalog, problems) = read(&text);
        assert_eq!(problems, [""; 0], "{case}");
        let [objective] = &catalog.objectives[..] else {
            panic!("{case}: one objective");
        };
        assert_eq!(objective.budgeting, budgeting, "{case}");
        let Indicator::Threshold {
            of,
            op: found,
            bound: at,
        } = &objective.indicator
        else {
            panic!("{case}: {:?}", objective.indicator);
        };
        assert_eq!((of.read_as, *found), (read_as, op), "{case}");
        assert!((at - bound).abs() < f64::EPSILON, "{case}: {at}");
        assert_eq!(catalog.tells_roots(), text.contains("root"), "{case}");
        let declared = usize::from(matches!(read_as, ReadAs::AsSent | ReadAs::Age));
        assert_eq!(catalog.thresholds().len(), declared, "{case}");
        let read = usize::from(read_as != ReadAs::AsSent);
        assert_eq!(catalog.readings().len(), read, "{case}");
    }
}

#[test]
fn a_counter_says_how_the_metrics_of_a_ratio_are_counted() {
    let ratio = |counter: &str, total: &str| {
        let source =
            |spec: &str| format!("{{ metricSource: {{ type: otlp, spec: {{ {spec} }} }} }}");
        let bad = source("signal: metrics, metric: failed");
        let text = format!(
            "ratioMetric: {{ {counter} bad: {bad}, total: {} }}",
            source(total)
        );
        slo("Occurrences", &text, "")
    };
    let metric = "signal: metrics, metric: all";
    let spans = "signal: traces, spanKind: server";
    for (counter, total, expected) in [
        ("counter: true,", metric, [ReadAs::AsSent, ReadAs::AsSent]),
        ("counter: false,", metric, [ReadAs::Amount, ReadAs::Amount]),
        ("counter: false,", spans, [ReadAs::Amount, ReadAs::AsSent]),
    ] {
        let (catalog, problems) = read(&ratio(counter, total));
        assert_eq!(problems, [""; 0], "{counter} {total}");
        let Indicator::Ratio {
            part: Part::Bad(bad),
            total: all,
        } = &catalog.objectives[0].indicator
        else {
            panic!("a ratio");
        };
        assert_eq!([bad.read_as, all.read_as], expected, "{counter} {total}");
    }
    for total in [metric, spans] {
        let (_, problems) = read(&ratio("", total));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].contains("ratioMetric has no `counter`"),
            "{problems:?}"
        );
    }
}

#[test]
fn what_makes_no_sense_is_told_of_with_its_place() {
    let gauge = threshold(GAUGE);
    let increase = threshold("signal: metrics, metric: restarts, value: increase");
    let p99 = threshold("signal: traces, spanKind: server, value: duration_ms, quantile: 0.99");
    let sliced =
        |sli: &str, objective: &str| slo("Timeslices", sli, &format!("{objective}, {SLICED}"));
    for (case, text, at, message) in [
        (
            "a quantile of all events",
            slo("Occurrences", &p99, "op: lte, value: 300"),
            "{ target: 0.99, op",
            "objective of SLO `web` has a `quantile`, which needs time slices",
        ),
        (
            "an increase of all events",
            slo(
                "RatioTimeslices",
                &increase,
                &format!("op: lte, value: 0, {SLICED}"),
            ),
            "{ target: 0.99, op",
            "objective of SLO `web` has `value: increase`, which needs time slices",
        ),
        (
            "a quantile and another target",
            sliced(&p99, "op: lte, value: 300, timeSliceTarget: 0.9"),
            "timeSliceTarget",
            "`timeSliceTarget` is 0.9, but the `quantile` says it",
        ),
        (
            "a share of an increase",
            sliced(&increase, "op: lte, value: 3, timeSliceTarget: 0.9"),
            "timeSliceTarget",
            "`timeSliceTarget` is 0.9, but an increase is good or bad as a whole",
        ),
        (
            "an increase below nothing",
            sliced(&increase, "op: lt, value: 0"),
            "value: 0",
            "an increase is never below 0, so that no slice would be good",
        ),
        (
            "an increase of nothing or more",
            sliced(&increase, "op: gte, value: 0"),
            "value: 0",
            "an increase is never below 0, so that every slice would be good",
        ),
        (
            "an increase beyond whole numbers",
            sliced(&increase, "op: lte, value: 1e16"),
            "value: 1e16",
            "`value` is 10000000000000000; an increase is held against at most 2^53",
        ),
        (
            "a quantile of an increase",
            sliced(
                &threshold("signal: metrics, metric: x, value: increase, quantile: 0.5"),
                "op: lte, value: 0",
            ),
            "quantile",
            "an increase has no `quantile`",
        ),
        (
            "a quantile that is none",
            sliced(
                &threshold("signal: metrics, metric: x, quantile: 99"),
                "op: lte, value: 0, timeSliceTarget: 1",
            ),
            "99 }",
            "`quantile` is 99; it must be a decimal between 0 and 1",
        ),
        (
            "a slice without a target",
            sliced(&gauge, "op: lte, value: 0"),
            "{ target: 0.99, op",
            "objective of SLO `web` has no `timeSliceTarget`",
        ),
        (
            "another value",
            slo(
                "Occurrences",
                &threshold("signal: metrics, metric: x, value: duration_ms"),
                "op: lte, value: 0",
            ),
            "duration_ms",
            "`value` is `duration_ms`, which is unknown",
        ),
        (
            "roots of metrics",
            slo(
                "Occurrences",
                &threshold("signal: metrics, metric: x, root: true"),
                "op: lte, value: 0",
            ),
            "root",
            "`root` belongs to `signal: traces`",
        ),
        (
            "what has a parent",
            slo(
                "Occurrences",
                &threshold("signal: traces, root: false, spanKind: server, value: duration_ms"),
                "op: lte, value: 1",
            ),
            "false",
            "`root` is false; it can only be true",
        ),
        (
            "a ratio with a bound",
            slo("Occurrences", RAW, "value: 1"),
            "value: 1",
            "`value` belongs to a `thresholdMetric`",
        ),
        (
            "a ratio of no kind",
            slo("Occurrences", &RAW.replace(", rawType: success", ""), ""),
            "{ raw",
            "ratioMetric has no `rawType`",
        ),
        (
            "a ratio of another kind",
            slo("Occurrences", &RAW.replace("success", "succes"), ""),
            "succes",
            "`rawType` is `succes`, which is unknown",
        ),
        (
            "two ratios",
            slo("Occurrences", &RAW.replace("{ raw:", "{ good: x, raw:"), ""),
            "good",
            "ratioMetric has both `raw` and `good`",
        ),
        (
            "a ratio of spans",
            slo(
                "Occurrences",
                &RAW.replace("metrics, metric: share", "traces, spanKind: server"),
                "",
            ),
            "signal",
            "spans hold no ratio",
        ),
        (
            "a value of a ratio",
            slo(
                "Occurrences",
                &RAW.replace("metric: share", "metric: share, value: age_s"),
                "",
            ),
            "value: age_s",
            "`value` belongs to a `thresholdMetric`",
        ),
        (
            "a quantile of a ratio",
            slo(
                "Occurrences",
                &RAW.replace("metric: share", "metric: share, quantile: 0.9"),
                "",
            ),
            "quantile",
            "`quantile` belongs to a `thresholdMetric`",
        ),
    ] {
        let place = place(&text, at);
        let (catalog, problems) = read(&text);
        assert_eq!(problems, [format!("{place}: {message}")], "{case}");
        assert_eq!(catalog.objectives.len(), 0, "{case}");
    }
}

#[test]
fn a_counter_beside_a_ratio_is_warned_of() {
    let text = slo(
        "Occurrences",
        &RAW.replace("{ raw:", "{ counter: true, raw:"),
        "",
    );
    let loaded = given::read(text);
    assert_eq!(loaded.problems.len(), 1);
    assert_eq!(loaded.problems[0].severity, Level::Warning);
    assert_eq!(loaded.catalog.objectives.len(), 1);
}

#[test]
fn a_slice_is_good_by_what_a_total_grew_by_in_it() {
    let slicing = |verdict| Slicing {
        length: Duration::from_mins(1),
        verdict,
        empty: EmptySlice::Unmeasured,
    };
    // Six looks, and what it grew by.
    let grown = |growth| Tally::new(6 + growth, growth);
    for (case, verdict, growth, bad) in [
        ("nothing, and it may not", Verdict::AtMost(0), 0, 0),
        ("one too many", Verdict::AtMost(0), 1, 1),
        ("as many as it may", Verdict::AtMost(3), 3, 0),
        ("nothing, and it should", Verdict::AtLeast(1), 0, 1),
        ("as many as it should", Verdict::AtLeast(2), 2, 0),
    ] {
        let judged = slicing(verdict).judge(grown(growth));
        assert_eq!(judged, Some(Tally::new(1, bad)), "{case}");
        assert_eq!(slicing(verdict).judge(Tally::EMPTY), None, "{case}");
    }
}

/// By nearest rank a quantile is at most a bound exactly when that share of the values is.
#[test]
fn a_quantile_by_nearest_rank_is_a_share_of_values() {
    for total in 1..=300_u64 {
        for (text, thousandths) in [("0.5", 500), ("0.9", 900), ("0.99", 990), ("0.999", 999)] {
            let verdict = Verdict::Target(text.parse().unwrap());
            let slicing = Slicing {
                length: Duration::from_mins(1),
                verdict,
                empty: EmptySlice::Unmeasured,
            };
            let rank = (total * thousandths).div_ceil(1000);
            for bad in [0, 1, 2, total / 10, total - rank, total - rank + 1, total] {
                let bad = bad.min(total);
                // Sorted, the good values come first: the value at the rank is good if so many are.
                let holds = rank <= total - bad;
                let judged = slicing.judge(Tally::new(total, bad));
                assert_eq!(
                    judged,
                    Some(Tally::new(1, u64::from(!holds))),
                    "{text} of {total}, {bad} bad"
                );
            }
        }
    }
}

/// `file:line:column` of the last place where `wanted` stands.
fn place(text: &str, wanted: &str) -> String {
    let offset = text.rfind(wanted).expect("the text to point at");
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("a.yaml:{line}:{column}")
}
