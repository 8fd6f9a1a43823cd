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
