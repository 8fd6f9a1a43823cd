//! What holds of any rule over any traffic.

use super::*;

/// Conditions without parts, over windows of minutes so that short random traffic reaches all of them.
const LEAVES: [&str; 6] = [
    "burnRate: 3, long: 10m",
    "burnRate: 3, long: 5m, short: 5m, confidence: 0.9",
    "budgetLeft: { below: 0.4 }",
    "budgetDrop: { share: 0.01, within: 5m }",
    "timeToEmpty: { within: 1h, lookBack: 5m }",
    "noData: { for: 2m }",
];

fn timeline_of(slices: &[(u64, u64)]) -> Timeline {
    let mut timeline = Timeline::new();
    for (index, (total, bad)) in (0_i64..).zip(slices) {
        // A third of the slices has nothing.
        timeline.add(
            BEGIN + index * 10,
            Tally::new(total.saturating_sub(10), bad / 10),
        );
    }
    timeline
}

proptest! {
    #[test]
    fn all_and_any_are_the_algebra_of_their_parts(
        slices in prop::collection::vec((0_u64..30, 0_u64..40), 10..90),
        picks in prop::collection::vec(0_usize..6, 2..4),
    ) {
        let written: Vec<String> = picks.iter().map(|pick| format!("{{ {} }}", LEAVES[*pick])).collect();
        let parts: Vec<Rule> = picks.iter().map(|pick| single(LEAVES[*pick]).1).collect();
        let group = |word: &str| {
            let text = with_rules(&format!(
                "{{ name: r, severity: ticket, {word}: [{}] }}", written.join(", ")
            ));
            read(&text).catalog.objectives.into_iter().next()
        };
        let timeline = timeline_of(&slices);
        let now = at(i64::try_from(slices.len()).unwrap() * 10);
        let objective = single(LEAVES[0]).0;
        let readings: Vec<_> = parts.iter().map(|part| read_rule(part, &objective, &timeline, now)).collect();
        // `all` of silence and a burn is refused.
        if let Some(all) = group("all") {
            let reading = read_rule(&all.rules[0], &all, &timeline, now);
            prop_assert_eq!(reading.breached, readings.iter().all(|part| part.breached));
            prop_assert_eq!(reading.clear, readings.iter().any(|part| part.clear));
        }
        let any = group("any").unwrap();
        let reading = read_rule(&any.rules[0], &any, &timeline, now);
        prop_assert_eq!(reading.breached, readings.iter().any(|part| part.breached));
        prop_assert_eq!(reading.clear, readings.iter().all(|part| part.clear));
    }

    #[test]
    fn no_condition_pages_twice_without_a_resolve_between_nor_resolves_in_silence(
        slices in prop::collection::vec((0_u64..30, 0_u64..40), 10..120), pick in 0_usize..6,
    ) {
        let (objective, rule) = single(LEAVES[pick]);
        let (mut state, mut firing) = (AlertState::default(), None);
        for tick in 0..i64::try_from(slices.len()).unwrap() {
            let timeline = timeline_of(&slices[..=usize::try_from(tick).unwrap()]);
            let now = at(tick * 10);
            let reading = evaluate(&objective, &timeline, now).readings.remove(0);
            prop_assert!(!(reading.breached && reading.clear), "{reading:?}");
            let (next, transition) = state.advance(&rule, &reading, now, tick.unsigned_abs());
            state = next;
            match transition.map(|transition| (transition.change, transition.incident)) {
                Some((Change::Fired, incident)) => prop_assert_eq!(firing.replace(incident), None),
                Some((Change::Resolved, incident)) => {
                    prop_assert_eq!(firing.take(), Some(incident));
                    // Something was measured of late: no silence resolves.
                    let recent = timeline.tally(now.as_second(), Duration::from_mins(10));
                    prop_assert!(!recent.is_empty());
                }
                None => {}
            }
        }
    }

    #[test]
    fn confidence_grows_with_bad_events(total in 1_u64..400, bad in 0_u64..400, rate in 1_u64..60) {
        let target = "0.98".parse().unwrap();
        let threshold = rate.to_string().parse().unwrap();
        let sure = |bad: u64| slo_specs::Confidence::that(Tally::new(total, bad), target, threshold);
        let bad = bad % total;
        prop_assert!(sure(bad).as_f64() <= sure(bad + 1).as_f64());
    }
}
