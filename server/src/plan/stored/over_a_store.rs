//! A plan over a store: what is sealed and what is young, counted from slices and from tallies.

use collector::{Measured, Pack, SeriesKey, Signal, SpanKind, SpanStatus};

use super::super::tests::{BAD, loaded, slo};
use super::super::{Ask, Outline, SIGNIFICANT, plan_against_store};
use super::*;
use crate::plan::lane::Course;
use crate::plan::{Plan, instant};
use crate::store::testing::Place;
use crate::store::{Fold, Group, SliceRow};

/// An hour boundary, in Unix seconds.
const BEGIN_S: i64 = 1_704_067_200;
/// Hours of traffic, and how many of them are sealed.
const HOURS: i64 = 12;
const SEALED: i64 = 10;
/// The first slice of 10 s that is still kept.
const TENS_FROM_S: i64 = BEGIN_S + 7 * HOUR_S;

fn key(service: &str, status: SpanStatus) -> SeriesKey {
    SeriesKey {
        signal: Signal::Spans,
        service: service.into(),
        kind: SpanKind::Server,
        name: "GET /".into(),
        unit: "".into(),
        status,
        attributes: Vec::new(),
        root: false,
        overflow: false,
    }
}

/// Good and bad requests of the slice that ends there: an hour that burns while minutes are kept, one while slices are.
fn traffic(end_s: i64) -> (u64, u64) {
    let hour = (end_s - 1 - BEGIN_S) / HOUR_S;
    match hour {
        2 | 8 => (4, 6),
        _ => (10, u64::from(end_s % 900 == 0)),
    }
}

/// What happened in `(from, to]`, as a row of a tier.
fn row(tier: Tier, service: &str, from_s: i64, to_s: i64) -> SliceRow {
    let mut pack = Pack::default();
    for end in (from_s + 10..=to_s).step_by(10) {
        let (good, bad) = traffic(end);
        for (status, count) in [(SpanStatus::Unset, good), (SpanStatus::Error, bad)] {
            let series = key(service, status).id();
            pack.add(series, &Measured::counted(count)).unwrap();
        }
    }
    SliceRow {
        tier,
        end_s: to_s,
        service: service.to_owned(),
        requests: 0,
        failed: 0,
        pack: pack.encode(),
    }
}

fn rows(tier: Tier, service: &str, from_s: i64, to_s: i64) -> Vec<SliceRow> {
    let step = usize::try_from(tier.seconds()).unwrap();
    let ends = (from_s + tier.seconds()..=to_s).step_by(step);
    ends.map(|end| row(tier, service, end - tier.seconds(), end))
        .collect()
}

/// A store with twelve hours of `checkout` and `other`, as a server leaves it.
async fn filled(store: &Store) {
    let keys = ["checkout", "other"].into_iter().flat_map(|service| {
        [SpanStatus::Unset, SpanStatus::Error].map(|status| key(service, status))
    });
    let series = keys
        .map(|key| (key.id().0.cast_signed(), key.encode()))
        .collect();
    let group = Group {
        series,
        ..Group::default()
    };
    let upto = store.commit(&group).await.unwrap();
    let sealed_s = BEGIN_S + SEALED * HOUR_S;
    let (mut tens, mut longer) = (Vec::new(), Vec::new());
    for service in ["checkout", "other"] {
        tens.extend(rows(
            Tier::Ten,
            service,
            TENS_FROM_S,
            BEGIN_S + HOURS * HOUR_S,
        ));
        longer.extend(rows(Tier::Minute, service, BEGIN_S, sealed_s));
        longer.extend(rows(Tier::Hour, service, BEGIN_S, sealed_s));
    }
    let fold = Fold {
        upto,
        slices: tens,
        ..Fold::default()
    };
    store.fold(&fold).await.unwrap();
    store.seal(&longer, sealed_s).await.unwrap();
}

fn ask() -> Ask {
    Ask {
        old: loaded(&slo("a", "0.9", "1d", BAD)),
        new: loaded(&slo("a", "0.99", "1d", BAD)),
        span: Span::default(),
        significant: SIGNIFICANT,
    }
}

/// The same from a timeline that is counted here, by the minute and by 10 s as the store keeps it.
fn naive() -> Plan {
    let outline = Outline::new(&ask(), "what the store keeps".to_owned());
    let live = |catalog: Catalog| {
        let mut live = Live::new(Arc::new(catalog), Arc::default());
        let indicator = live.indicators()[0];
        let timeline = live.timeline_mut(indicator).unwrap();
        for end in (BEGIN_S + 10..=BEGIN_S + HOURS * HOUR_S).step_by(10) {
            let (good, bad) = traffic(end);
            let tier = if end <= TENS_FROM_S {
                slo_specs::Tier::Minute
            } else {
                slo_specs::Tier::Ten
            };
            timeline.add_coarse(tier, end, slo_specs::Tally::new(good + bad, bad));
        }
        live
    };
    let old = live(outline.side(|one| one.old.as_ref()));
    let new = live(outline.side(|one| one.new.as_ref()));
    let grid = Grid {
        from: BEGIN_S,
        warm_up_s: WARM_UP_S,
        to: BEGIN_S + HOURS * HOUR_S,
        hours_until: i64::MIN,
        minutes_until: TENS_FROM_S,
    };
    let course = Course::new(grid, SIGNIFICANT, CancellationToken::new());
    let mut plan = outline.fill(&course, &old, &new).unwrap();
    plan.hourly_until = None;
    plan
}

#[tokio::test]
async fn stored_slices_are_judged_as_finely_as_they_are_kept() {
    for place in [Place::sqlite(), Place::postgres().await] {
        let store = place.open().await;
        filled(&store).await;
        let now = instant(BEGIN_S + HOURS * HOUR_S + 20);
        let plan = plan_against_store(&store, None, ask(), now, CancellationToken::new()).await;
        let plan = plan.unwrap();
        let pages = plan.slos[0].pages.sum;
        assert!(pages.moved > 1, "{pages:?}");
        assert_eq!(plan.minutely_until, Some(instant(TENS_FROM_S)));
        assert_eq!(plan, naive());
        let reading = Store::open_to_read(&place.location).await.unwrap();
        let beside = plan_against_store(&reading, None, ask(), now, CancellationToken::new()).await;
        assert_eq!(beside.unwrap(), plan, "read beside the process that has it");
        assert!(reading.ping_write().await.is_err(), "and never written");
        let stop = CancellationToken::new();
        stop.cancel();
        let stopped = plan_against_store(&store, None, ask(), now, stop).await;
        assert!(matches!(stopped, Err(PlanError::Stopped)), "{stopped:?}");
        reading.close().await;
        store.close().await;
    }
}
