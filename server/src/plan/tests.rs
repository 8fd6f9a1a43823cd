use proptest::prelude::*;
use serde_json::json;

use super::result::Fate;
use super::*;
use crate::replay::Replay;

/// 2024-01-01T00:00:00Z.
const BEGIN_S: i64 = 1_704_067_200;

pub(super) fn slo(name: &str, target: &str, window: &str, part: &str) -> String {
    format!(
        "---
apiVersion: openslo/v1
kind: SLO
metadata: {{ name: {name} }}
spec:
  service: checkout
  timeWindow: [{{ duration: {window}, isRolling: true }}]
  budgetingMethod: Occurrences
  indicator:
    metadata: {{ name: {name}-success }}
    spec:
      ratioMetric:
        counter: true
        {part}
        total: {{ metricSource: {{ type: otlp, spec: {{ signal: traces, match: {{ service.name: checkout }} }} }} }}
  objectives: [{{ displayName: available, target: {target} }}]
"
    )
}

pub(super) const BAD: &str = "bad: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: checkout }, status: error } } }";
const GOOD: &str = "good: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: checkout }, status: unset } } }";
const ELSEWHERE: &str = "bad: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: other }, status: error } } }";

pub(super) fn loaded(text: &str) -> Loaded {
    slo_specs::load(&[SourceFile {
        path: "test.yaml".to_owned(),
        text: text.to_owned(),
    }])
}

/// A line of the file exporter: so many good and bad spans of `checkout` in the slice that begins at `begin_s`.
fn line(begin_s: i64, good: u64, bad: u64) -> Vec<u8> {
    let end = u64::try_from(begin_s).unwrap() * 1_000_000_000 + 5_000_000_000;
    let spans: Vec<_> = (0..good + bad)
        .map(|number| {
            let end = end + number;
            json!({
                "traceId": format!("{end:032x}"),
                "spanId": format!("{end:016x}"),
                "name": "POST /checkout",
                "kind": 2,
                "startTimeUnixNano": (end - 1_000).to_string(),
                "endTimeUnixNano": end.to_string(),
                "status": if number < bad { json!({"code": 2}) } else { json!({}) },
            })
        })
        .collect();
    let request = json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]},
        "scopeSpans": [{"spans": spans}],
    }]});
    serde_json::to_vec(&request).unwrap()
}

fn counted(catalog: Catalog, traffic: &[(u64, u64)]) -> Live {
    let mut replay = Replay::counting(Arc::new(catalog));
    for (slice, (good, bad)) in (0..).zip(traffic) {
        if good + bad > 0 {
            replay
                .line(&line(BEGIN_S + slice * 10, *good, *bad))
                .unwrap();
        }
    }
    replay.into_live()
}

fn course(slices: usize) -> Course {
    let grid = grid::Grid {
        from: BEGIN_S,
        warm_up_s: 600,
        to: BEGIN_S + i64::try_from(slices).unwrap() * 10,
        hours_until: i64::MIN,
        minutes_until: i64::MIN,
    };
    Course::new(grid, SIGNIFICANT, CancellationToken::new())
}

fn ask(old: &str, new: &str) -> Ask {
    Ask {
        old: loaded(old),
        new: loaded(new),
        span: Span::default(),
        significant: SIGNIFICANT,
    }
}

/// The plan of a change over traffic by the slice.
fn planned(old: &str, new: &str, traffic: &[(u64, u64)]) -> Plan {
    let outline = Outline::new(&ask(old, new), "a test".to_owned());
    let old = counted(outline.side(|one| one.old.as_ref()), traffic);
    let new = counted(outline.side(|one| one.new.as_ref()), traffic);
    outline.fill(&course(traffic.len()), &old, &new).unwrap()
}

/// Three hours of 5 requests a slice, a fast burn after the first.
fn burning() -> Vec<(u64, u64)> {
    (0..3 * 360)
        .map(|slice| {
            if (400..460).contains(&slice) {
                (3, 2)
            } else {
                (5, 0)
            }
        })
        .collect()
}

#[test]
fn a_recording_is_judged_as_replay_judges_it() {
    let specs = slo("tight", "0.999", "30d", BAD) + &slo("loose", "0.95", "7d", BAD);
    let catalog = Arc::new(loaded(&specs).catalog);
    let mut replay = Replay::new(Arc::clone(&catalog));
    for (slice, (good, bad)) in (0..).zip(burning()) {
        replay.line(&line(BEGIN_S + slice * 10, good, bad)).unwrap();
    }
    let report = replay.finish();
    let plan = planned("", &specs, &burning());
    let mut told: Vec<(String, String, Timestamp, Option<Timestamp>)> = Vec::new();
    for slo in &plan.slos {
        let alerts = slo.pages.added.iter().chain(&slo.tickets.added);
        told.extend(alerts.map(|one| {
            (
                slo.id.clone(),
                one.rule.clone(),
                one.fired_at,
                one.resolved_at,
            )
        }));
    }
    told.sort();
    let mut expected: Vec<_> = report
        .alerts
        .iter()
        .map(|one| {
            (
                one.slo.clone(),
                one.rule.clone(),
                one.fired_at,
                one.resolved_at,
            )
        })
        .collect();
    expected.sort();
    assert!(!expected.is_empty());
    assert_eq!(told, expected);
    for (slo, replayed) in plan.slos.iter().zip(&report.slos) {
        let now = slo.budget_now.new.as_ref().unwrap();
        assert_eq!((now.total, now.bad), (replayed.total, replayed.bad));
        assert_eq!(now.budget_remaining, replayed.budget_remaining);
    }
}

#[test]
fn what_differs_is_told_and_what_does_not_is_counted() {
    let changed = slo("a", "0.99", "30d", BAD).replace("service: checkout", "service: shop");
    let cases = [
        (
            "nothing",
            slo("a", "0.99", "30d", BAD),
            slo("a", "0.99", "30d", BAD),
            vec![],
        ),
        ("words only", slo("a", "0.99", "30d", BAD), changed, vec![]),
        (
            "a target",
            slo("a", "0.99", "30d", BAD),
            slo("a", "0.9", "30d", BAD),
            vec![("a", None, Fate::Changed, vec!["target"])],
        ),
        (
            "a name",
            slo("a", "0.99", "30d", BAD),
            slo("b", "0.99", "30d", BAD),
            vec![("b", Some("a"), Fate::Renamed, vec![])],
        ),
        (
            "a name and a target",
            slo("a", "0.99", "30d", BAD),
            slo("b", "0.9", "30d", BAD),
            vec![("b", Some("a"), Fate::Changed, vec!["target"])],
        ),
        (
            "an indicator",
            slo("a", "0.99", "30d", BAD),
            slo("a", "0.99", "30d", GOOD),
            vec![("a", None, Fate::Changed, vec!["indicator"])],
        ),
        (
            "another objective",
            slo("a", "0.99", "30d", BAD),
            slo("b", "0.9", "30d", ELSEWHERE),
            vec![
                ("a", None, Fate::Removed, vec![]),
                ("b", None, Fate::Added, vec![]),
            ],
        ),
    ];
    for (case, old, new, expected) in cases {
        let plan = planned(&old, &new, &[(1, 0)]);
        let found: Vec<_> = plan
            .slos
            .iter()
            .map(|slo| {
                let what = slo.changes.iter().map(|change| &*change.what).collect();
                (&*slo.id, slo.old_id.as_deref(), slo.fate, what)
            })
            .collect();
        assert_eq!(found, expected, "{case}");
        assert_eq!(plan.unchanged, usize::from(expected.is_empty()), "{case}");
    }
}

#[test]
fn segments_are_judged_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.jsonl");
    let lines = (0..).zip(burning()).map(|(slice, (good, bad))| {
        let text = String::from_utf8(line(BEGIN_S + slice * 10, good, bad)).unwrap();
        text + "\n"
    });
    std::fs::write(&file, lines.collect::<String>()).unwrap();
    let segmented = |target: &str| {
        let name = "{ name: a, annotations: { sloburn.dev/segments: service.name } }";
        slo("a", target, "30d", BAD).replace("{ name: a }", name)
    };
    let plan = plan_recording(ask(&segmented("0.9"), &segmented("0.999")), &[file]).unwrap();
    let ids: Vec<&str> = plan.slos.iter().map(|slo| &*slo.id).collect();
    assert_eq!(ids, ["a", "a.checkout"], "{}", plan.to_text());
    assert!(!plan.slos[1].pages.added.is_empty());
    assert_eq!(plan.slos[0].pages, plan.slos[1].pages);
}

#[test]
fn a_changed_selector_shows_its_seam() {
    let plan = planned(&slo("a", "0.99", "30d", BAD), &slo("a", "0.99", "30d", ELSEWHERE).replace("total: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: checkout }", "total: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: other }"), &burning());
    let seam = plan.slos[0].seam.as_ref().unwrap();
    assert_eq!(seam.old_since, Some(instant(BEGIN_S)));
    assert_eq!(seam.new_since, None);
    assert!(plan.to_text().contains("there is no data in this past"));
}

#[test]
fn a_correction_that_moved_is_told_beside_what_else_changed() {
    let with = |target: &str, from: &str| {
        let correction = format!(
            "---
apiVersion: sloburn/v1
kind: Correction
metadata: {{ name: release }}
spec: {{ description: d, author: a@b.example, type: exclusion, slos: [web], start: {from}, end: 2024-01-01T04:00:00Z }}
"
        );
        loaded(&(slo("web", target, "1d", BAD) + &correction)).catalog
    };
    let old = with("0.9", "2024-01-01T01:00:00Z");
    let new = with("0.95", "2024-01-01T02:00:00Z");
    let told = told(&old, &new);
    let words = "target: 0.9 → 0.95; corrections: release (exclusion, 2024-01-01T01:00:00Z to 2024-01-01T04:00:00Z) → \
                 release (exclusion, 2024-01-01T02:00:00Z to 2024-01-01T04:00:00Z)";
    assert_eq!(told[0].what, words);
}

#[test]
fn errors_of_the_new_specs_refuse_and_those_of_the_old_are_told() {
    let broken = slo("a", "1.5", "30d", BAD);
    let sound = slo("a", "0.99", "30d", BAD);
    let refused = Outline::new(&ask(&sound, &broken), "a test".to_owned()).plan;
    assert!(refused.is_refused());
    assert!(
        refused
            .to_text()
            .contains("nothing was judged: the new specs have 1 problem"),
        "{}",
        refused.to_text()
    );
    let plan = planned(&broken, &sound, &burning());
    assert!(!plan.is_refused());
    assert!(
        plan.to_markdown().contains("* old specs: test.yaml:"),
        "{}",
        plan.to_markdown()
    );
}

#[test]
fn a_page_is_false_if_little_of_the_budget_went() {
    // Three bad of a few requests: an hour burns fast and spends next to nothing of a busy month.
    let mut traffic = vec![(5, 0); 2_000];
    traffic.extend(vec![(0, 0); 400]);
    traffic.extend(vec![(1, 0); 10]);
    traffic.extend(vec![(0, 1); 3]);
    traffic.extend(vec![(5, 0); 100]);
    let plan = planned("", &slo("a", "0.99", "1d", BAD), &traffic);
    let pages = &plan.slos[0].pages;
    assert!(!pages.added.is_empty());
    assert!(pages.added.iter().all(|page| page.is_false), "{pages:?}");
    assert!(pages.sum.new_false_minutes > 0.0);
    let burns = planned("", &slo("a", "0.99", "1d", BAD), &burning());
    assert!(burns.slos[0].pages.added.iter().all(|page| !page.is_false));
}

#[test]
fn text_and_markdown_are_as_they_were() {
    let old = slo("a", "0.95", "30d", BAD) + &slo("b|<b>", "0.99", "30d", BAD);
    let old = old.replace("b|<b>", "b");
    let new = slo("a", "0.999", "30d", BAD);
    let plan = planned(&old, &new, &burning());
    insta::assert_snapshot!("text", plan.to_text());
    insta::assert_snapshot!("markdown", plan.to_markdown());
    let json = serde_json::to_string(&plan).unwrap();
    let again: Plan = serde_json::from_str(&json).unwrap();
    assert_eq!(
        again.to_text(),
        plan.to_text(),
        "what a server answers reads the same"
    );
}

#[test]
fn a_comment_is_never_too_long_and_names_are_only_text() {
    let spec = slo("objective", "0.999", "30d", BAD);
    let mut plan = planned("", &spec, &burning()[..500]);
    plan.slos = vec![plan.slos[0].clone(); 600];
    assert!(plan.to_markdown().chars().count() < 60_000);
    assert!(
        plan.to_markdown().contains("more |"),
        "it says that there is more"
    );
    plan.slos.truncate(1);
    plan.slos[0].id = "a|b<script>`@all [x](y)".to_owned();
    plan.new_problems.push(SpecProblem {
        error: false,
        text: "x\n</details>".repeat(5_000),
    });
    let text = plan.to_markdown();
    assert!(
        text.contains("<code>a&#124;b&lt;script&gt;&#96;&#64;all &#91;x&#93;(y)</code>"),
        "{text}"
    );
    assert!(!text.contains("<script>"));
    assert!(text.chars().count() < 60_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn ticks_that_are_passed_over_would_have_changed_nothing(
        parts in prop::collection::vec((0_u64..4, 0_u64..3, 1_usize..90), 3..14),
        good: bool, sliced in 0_usize..4, target in 80_u32..99,
    ) {
        let traffic: Vec<(u64, u64)> = parts
            .iter()
            .flat_map(|(good, bad, slices)| std::iter::repeat_n((*good, *bad), *slices))
            .collect();
        let spec = slo("a", &format!("0.{target}"), "1d", if good { GOOD } else { BAD });
        let slices = [
            "Occurrences\n",
            "Timeslices\n",
            "Timeslices\n",
            "RatioTimeslices\n",
        ][sliced];
        let mut spec = spec.replace("Occurrences\n", slices);
        if sliced == 1 || sliced == 2 {
            spec = spec.replace(" target:", " timeSliceTarget: 0.9, timeSliceWindow: 1m, target:");
        }
        if sliced == 3 {
            spec = spec.replace(" target:", " timeSliceWindow: 1m, target:");
        }
        if sliced == 2 {
            spec = spec.replace("{ name: a }", "{ name: a, annotations: { sloburn.dev/slices-without-data: bad } }");
        }
        let catalog = loaded(&spec).catalog;
        prop_assert_eq!(loaded(&spec).problems, vec![]);
        let objective = Arc::new(catalog.objectives[0].clone());
        let live = counted(catalog, &traffic);
        let course = course(traffic.len());
        let every = course.walk(&live, &objective, 0).unwrap();
        prop_assert_eq!(course.run(&live, &objective).unwrap(), every);
    }
}
