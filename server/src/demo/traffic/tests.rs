use super::{Call, Shape, Traffic, Visit};
use crate::demo::faults::FAULTS;
use crate::demo::shop::{JOURNEYS, Region, Service};
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

fn answers(call: &Call, found: &mut Vec<(Service, &'static str, u16, Duration)>) {
    call.each(&mut |call| {
        if let Shape::Server { status, .. } = call.shape {
            found.push((call.service, call.version, status, call.took));
        }
    });
}

fn answers_of(visits: &[Visit], service: Service) -> Vec<(&'static str, u16, Duration)> {
    let mut found = Vec::new();
    for visit in visits {
        answers(&visit.root, &mut found);
    }
    found
        .into_iter()
        .filter(|(of, ..)| *of == service)
        .map(|(_, version, status, took)| (version, status, took))
        .collect()
}

fn per_second(rate: u64, seconds: u64) -> usize {
    usize::try_from(rate * seconds / 60).unwrap()
}

#[test]
fn a_minute_holds_exactly_the_visits_the_rates_say_however_it_is_cut() {
    for steps in [1_u32, 7, 240] {
        let mut traffic = Traffic::new(7, Duration::ZERO);
        let mut edge = 0;
        for step in 1..=steps {
            edge += traffic.until(MINUTE * step / steps).len();
        }
        assert_eq!(edge, 7_200);
    }
}

#[test]
fn history_grows_from_a_quarter_to_the_whole() {
    let mut traffic = Traffic::new(7, 10 * MINUTE);
    let first = traffic.until(MINUTE).len();
    assert_eq!(traffic.until(10 * MINUTE).len() + first, 7_200 * 10 * 5 / 8);
    assert!((7_200 / 4..7_200 / 3).contains(&first), "{first}");
    assert_eq!(traffic.until(11 * MINUTE).len(), 7_200);
}

#[test]
fn what_is_skipped_is_not_made_up_for() {
    let mut traffic = Traffic::new(7, Duration::ZERO);
    traffic.skip(MINUTE);
    assert_eq!(traffic.until(2 * MINUTE).len(), 7_200);
    traffic.skip(MINUTE);
    assert!(traffic.until(2 * MINUTE).is_empty());
}

#[test]
fn going_back_yields_nothing() {
    let mut traffic = Traffic::new(7, Duration::ZERO);
    traffic.until(MINUTE);
    assert!(traffic.until(MINUTE / 2).is_empty());
    assert!(traffic.until(MINUTE).is_empty());
}

#[test]
fn the_same_seed_gives_the_same_visits() {
    let drawn = |seed| {
        format!(
            "{:?}",
            Traffic::new(seed, Duration::ZERO).until(MINUTE / 10)
        )
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn every_call_lies_inside_its_caller_and_the_visit_ends_in_its_step() {
    fn check(call: &Call) {
        let mut free = call.begins;
        for inner in &call.calls {
            assert!(inner.begins >= free, "calls of one span follow each other");
            free = inner.begins + inner.took;
            check(inner);
        }
        assert!(free <= call.begins + call.took);
    }
    let mut traffic = Traffic::new(3, Duration::ZERO);
    traffic.until(MINUTE);
    for visit in traffic.until(MINUTE + MINUTE) {
        assert!(visit.ended >= MINUTE && visit.ended <= 2 * MINUTE);
        assert_eq!(visit.root.begins, Duration::ZERO);
        check(&visit.root);
    }
}

#[test]
fn a_healthy_minute_of_each_service_has_its_requests_and_hardly_a_failure() {
    // Rates of the journeys that reach each service, per minute.
    let [search, product, cart, checkout, sign_in] =
        [0, 1, 2, 3, 4].map(|index: usize| JOURNEYS[index].per_minute);
    let visits = Traffic::new(11, Duration::ZERO).until(MINUTE / 2);
    for (service, per_minute, short_of) in [
        (
            Service::EdgeGateway,
            search + product + cart + checkout + sign_in,
            0,
        ),
        (Service::Search, search + product, 2),
        (Service::Checkout, cart + checkout, 2),
        (Service::Identity, checkout + sign_in, 15),
        (Service::Payments, checkout, 15),
    ] {
        let found = answers_of(&visits, service);
        let expected = per_second(per_minute, 30);
        assert!(
            (expected - short_of..=expected).contains(&found.len()),
            "{service:?}: {} of {expected}",
            found.len()
        );
        let failed = found.iter().filter(|(_, status, _)| *status >= 500).count();
        assert!(failed <= 4, "{service:?}: {failed}");
    }
}

#[test]
fn a_bad_release_fails_in_its_region_and_version_only() {
    let mut traffic = Traffic::new(5, Duration::ZERO);
    traffic.until(FAULTS[0].begins);
    let visits = traffic.until(FAULTS[0].begins + FAULTS[0].lasts);
    let (here, elsewhere): (Vec<_>, Vec<_>) = visits
        .into_iter()
        .partition(|visit| visit.region == Region::EuWest);
    let failed = |visits: &[Visit], version: &str| {
        let answers = answers_of(visits, Service::Checkout);
        let of_version: Vec<_> = answers
            .iter()
            .filter(|(found, ..)| *found == version)
            .collect();
        let failed: Vec<_> = of_version
            .iter()
            .filter(|(_, status, _)| *status == 503)
            .collect();
        assert!(
            failed
                .iter()
                .all(|(.., took)| *took >= Duration::from_secs(2))
        );
        (failed.len() * 100, of_version.len())
    };
    let (failed_new, new) = failed(&here, "4.21.3");
    assert!(
        new > 200 && (54 * new..66 * new).contains(&failed_new),
        "{failed_new} of {new}"
    );
    let (failed_old, old) = failed(&here, "4.21.2");
    assert!(old > 200 && failed_old == 0, "{failed_old} of {old}");
    assert_eq!(failed(&elsewhere, "4.21.3"), (0, 0));
    // The edge answers for what it calls.
    let edge = answers_of(&here, Service::EdgeGateway);
    assert_eq!(
        edge.iter().filter(|(_, status, _)| *status == 503).count() * 100,
        failed_new
    );
}

#[test]
fn a_slow_search_is_slow_and_answers() {
    let mut traffic = Traffic::new(5, Duration::ZERO);
    traffic.until(FAULTS[1].begins);
    let visits = traffic.until(FAULTS[1].begins + Duration::from_secs(30));
    let slow = |region: Region| {
        let mut found = Vec::new();
        visits
            .iter()
            .filter(|visit| visit.region == region)
            .for_each(|visit| answers(&visit.root, &mut found));
        let search: Vec<_> = found
            .into_iter()
            .filter(|(of, ..)| *of == Service::Search)
            .collect();
        let over = search
            .iter()
            .filter(|(.., took)| *took > Duration::from_millis(250))
            .count();
        over * 100 / search.len()
    };
    assert!(slow(Region::UsEast) > 40, "{}", slow(Region::UsEast));
    assert!(slow(Region::EuWest) < 2, "{}", slow(Region::EuWest));
}

#[test]
fn a_fault_of_one_route_leaves_the_others_alone() {
    let fault = &FAULTS[2];
    let mut traffic = Traffic::new(5, Duration::ZERO);
    traffic.until(fault.begins);
    let (mut sign_ins, mut sessions) = (0, 0);
    for visit in traffic.until(fault.begins + fault.lasts) {
        visit.root.each(&mut |call| match call.shape {
            Shape::Server {
                operation,
                status: 500..,
            } if operation.route == "/sign-in" => {
                sign_ins += 1;
            }
            Shape::Server {
                operation,
                status: 500..,
            } if operation.route == "/sessions/{id}" => {
                sessions += 1;
            }
            _ => {}
        });
    }
    assert!(sign_ins > 50, "{sign_ins}");
    assert!(sessions < 3, "{sessions}");
}
