use slo_specs::{Indicator, SourceFile, load, strict};

use super::*;
use crate::seen::testing::{Spans, seen};

fn proposed(all: &[Spans]) -> String {
    let seconds: Vec<u64> = (0..3_600).step_by(10).collect();
    let seen = seen(all, &seconds);
    catalog(&seen, &entries(&seen))
}

fn shop(route: &'static str, failed: u64) -> Spans {
    Spans {
        service: "shop_API",
        kind: 2,
        route,
        count: 20,
        failed,
        milliseconds: 120,
    }
}

#[test]
fn what_is_proposed_loads_without_a_word_and_is_good_openslo() {
    let consumer = Spans {
        service: "99 bottles: \"beer\"\n",
        kind: 5,
        route: "#a\nb",
        count: 2,
        failed: 0,
        milliseconds: 3,
    };
    let client = Spans {
        service: "client-only",
        kind: 3,
        route: "",
        count: 5,
        failed: 0,
        milliseconds: 3,
    };
    let text = proposed(&[shop("/cart", 0), shop("/pay", 0), consumer, client]);
    let file = SourceFile {
        path: "a.yaml".into(),
        text: text.clone(),
    };
    let loaded = load(std::slice::from_ref(&file));
    assert_eq!(loaded.problems, [], "{text}");
    assert_eq!(strict(&[file]), [], "{text}");
    let ids: Vec<&str> = loaded
        .catalog
        .objectives
        .iter()
        .map(|one| one.id.as_str())
        .collect();
    assert_eq!(
        ids,
        [
            "99-bottles-beer-consumed",
            "99-bottles-beer-consumed-in-time",
            "shop-api-availability",
            "shop-api-latency"
        ]
    );
    let latency = loaded.catalog.objective("shop-api-latency").unwrap();
    assert!(
        matches!(latency.indicator, Indicator::Threshold { bound, .. } if (bound - 150.0).abs() < 1e-9)
    );
    assert!(text.contains("# Durations: p50 120."), "{text}");
    assert!(
        text.contains("#   /cart: 7200 requests, 0 failed"),
        "{text}"
    );
}

#[test]
fn a_target_is_what_was_kept_as_far_as_the_traffic_has_a_budget() {
    for (requests, failed, hours, expected, why) in [
        (1_000_000, 0, 720, 99_950, "what was kept, rounded down"),
        (1_000_000, 500, 720, 99_950, "what was kept, rounded down"),
        (1_000_000, 501, 720, 99_900, "what was kept, rounded down"),
        (1_000_000, 1_001, 720, 99_500, "what was kept, rounded down"),
        (
            5_000,
            0,
            720,
            99_500,
            "what this little traffic has a budget of ten failures for",
        ),
        (5_000, 0, 1, 99_950, "what was kept, rounded down"),
        (
            1_000,
            100,
            720,
            95_000,
            "more than was kept: mend the service, or lower it",
        ),
        (
            100,
            0,
            720,
            95_000,
            "the lowest proposed, and kept, but the traffic is too little for a budget of ten failures",
        ),
        (
            100,
            6,
            720,
            95_000,
            "more than was kept: mend the service, or lower it",
        ),
    ] {
        let asked = Asked {
            requests,
            failed,
            ..Asked::default()
        };
        assert_eq!(
            asked.target(hours * 3_600),
            (expected, why),
            "{requests} {failed} {hours}"
        );
    }
    assert_eq!(decimal(99_950), "0.9995");
    assert_eq!(decimal(99_000), "0.99");
}

#[test]
fn no_two_objectives_have_one_name() {
    const LONG: &str = "a-service-whose-name-is-longer-than-what-a-name-of-openslo-may-have-in-it";
    const LONGER: &str =
        "a-service-whose-name-is-longer-than-what-a-name-of-openslo-may-have-in-it-too";
    let of = |service| Spans {
        service,
        ..shop("/", 0)
    };
    let services = ["a.b", "a-b", "A_B", "日本", "東京", LONG, LONGER];
    let text = proposed(&services.map(of));
    let file = SourceFile {
        path: "a.yaml".into(),
        text: text.clone(),
    };
    let loaded = load(std::slice::from_ref(&file));
    assert_eq!(loaded.problems, [], "{text}");
    assert_eq!(strict(&[file]), [], "{text}");
    let objectives = &loaded.catalog.objectives;
    let ids: BTreeSet<&str> = objectives.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids.len(), 2 * services.len(), "{ids:?}");
    for expected in [
        "a-b-availability",
        "a-b-availability-2",
        "a-b-latency-3",
        "unnamed-availability",
        "unnamed-latency-2",
        "a-service-whose-name-is-longer-than-what-a-nam-availability",
        "a-service-whose-name-is-longer-than-what-a-n-availability-2",
        "a-service-whose-name-is-longer-than-what-a-name-of-latency",
    ] {
        assert!(ids.contains(expected), "{expected}: {ids:?}");
    }
}

#[test]
fn a_bound_is_above_the_p99_however_slow_it_is() {
    for (milliseconds, bound) in [
        (59_000, 60_000.0),
        (61_000, 120_000.0),
        (200_000, 240_000.0),
    ] {
        let slow = Spans {
            milliseconds,
            ..shop("/", 0)
        };
        let file = SourceFile {
            path: "a.yaml".into(),
            text: proposed(&[slow]),
        };
        let loaded = load(&[file]);
        assert_eq!(loaded.problems, [], "{milliseconds}");
        let latency = loaded.catalog.objective("shop-api-latency").unwrap();
        assert!(
            matches!(latency.indicator, Indicator::Threshold { bound: found, .. } if (found - bound).abs() < 1e-9),
            "{milliseconds}: {latency:?}"
        );
    }
}
