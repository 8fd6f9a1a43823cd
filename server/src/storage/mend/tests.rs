use super::*;
use crate::page::ReceiverDocument;
use crate::page::testing::{environment, fired, resolved};
use crate::store::testing::Place;
use crate::store::{AlertChange, Attempted, History, Next};

fn now() -> Timestamp {
    "2026-03-10T04:00:00Z".parse().unwrap()
}

fn receivers() -> Vec<Receiver> {
    let document = |name: &str| ReceiverDocument {
        name: name.to_owned(),
        kind: "webhook".to_owned(),
        url: Some("https://hooks.example/x".to_owned().into()),
        secret: Some("env:WEBHOOK".to_owned().into()),
        severities: Some(vec!["page".to_owned()]),
        allow_private: false,
        fallback: None,
    };
    Receiver::resolve_all(&[document("oncall"), document("team")], &environment).unwrap()
}

/// A store with an incident that was paged to `oncall`; `over`: and resolved.
async fn paged(place: &Place, over: bool) -> Store {
    let store = place.open().await;
    let fire = fired();
    let number = i64::try_from(fire.incident).unwrap();
    let page = |kind, notice: &Notice| OutboxRow {
        receivers: vec!["oncall".to_owned()],
        only: None,
        incident: number,
        objective: fire.slo.id.clone(),
        rule: fire.rule.name.clone(),
        kind,
        notice: notice.to_json(),
        created_ms: fire.fired.as_millisecond(),
    };
    let state = |state: &AlertState| serde_json::to_string(state).unwrap();
    let firing = AlertChange {
        objective: fire.slo.id.clone(),
        rule: fire.rule.name.clone(),
        expected_version: 0,
        state: state(&AlertState::Firing {
            since: fire.fired,
            incident: fire.incident,
        }),
        incident: number,
        history: Some(History::Fired {
            severity: "page".to_owned(),
            fired_s: fire.fired.as_second(),
            reason: fire.reason.clone(),
            late: false,
        }),
    };
    let pages = [page(Kind::Fire, &fire)];
    store
        .transition(std::slice::from_ref(&firing), &pages)
        .await
        .unwrap();
    if over {
        let end = resolved();
        let ended = AlertChange {
            expected_version: 1,
            state: state(&AlertState::default()),
            history: Some(History::Resolved {
                resolved_s: end.resolved.unwrap().as_second(),
                reason: end.reason.clone(),
            }),
            ..firing
        };
        let pages = [page(Kind::Resolve, &end)];
        store.transition(&[ended], &pages).await.unwrap();
    }
    store
}

/// Mends until nothing is noted; how many rows that were.
async fn mended(store: &Store) -> u64 {
    store.scrub((0, 0)).await.unwrap();
    let mended = mend(store, &receivers(), "https://slo.example.com", now()).await;
    let mended = mended.unwrap();
    store.scrub((0, 0)).await.unwrap();
    assert_eq!(store.noted_damage(), []);
    mended
}

/// What a receiver is owed first.
async fn owed(store: &Store, receiver: &str) -> Option<Notice> {
    let owed = store.owed(receiver, 9).await.unwrap();
    owed.first()
        .map(|page| serde_json::from_str(&page.notice).unwrap())
}

/// Accepts what a receiver is owed first.
async fn accept(store: &Store, receiver: &str) {
    let page = store.owed(receiver, 1).await.unwrap().remove(0);
    let attempt = store.begin_attempt(page.id, 2_000, 22_000).await.unwrap();
    let accepted = Attempted {
        attempt,
        outbox: page.id,
        ended_ms: 3_000,
        status: Some(200),
        detail: None,
        next: Next::Accepted,
    };
    store.end_attempt(&accepted).await.unwrap();
}

async fn a_damaged_page_is_delivered(place: impl AsyncFn() -> Place) {
    for (column, value, receiver) in [
        ("notice", "'{\"event\":\"fire\"'", "oncall"),
        ("notice", "replace(notice, '482', '483')", "oncall"),
        ("receiver", "'oncalk'", "team"),
        ("receiver", "'oncalk'", "oncall"),
        ("kind", "'fird'", "oncall"),
        ("incident", "483", "oncall"),
        ("rule", "'page-fasu'", "oncall"),
        ("due_ms", "4611686018427387904", "oncall"),
        ("done_ms", "5", "oncall"),
        ("attempts", "90", "oncall"),
        ("created_ms", "1", "oncall"),
        ("escalated", "'team'", "oncall"),
    ] {
        let place = place().await;
        let store = paged(&place, false).await;
        let case = format!("{column} = {value}, to {receiver}");
        let changed = place
            .change(&format!("update outbox set {column} = {value}"))
            .await;
        assert_eq!(changed, 1, "{case}");
        assert_eq!(mended(&store).await, 1, "{case}");
        let notice = owed(&store, receiver).await.expect(&case);
        let fire = fired();
        assert_eq!(notice.dedup_key, fire.dedup_key, "{case}");
        assert_eq!(notice.webhook_id, fire.webhook_id, "{case}");
        assert!(
            notice.text.starts_with(&fire.reason),
            "{case}: {}",
            notice.text
        );
        assert!(notice.text.contains("damaged"), "{case}: {}", notice.text);
        assert_eq!(store.quarantined().await.unwrap().len(), 1, "{case}");
        let due = &store.owed(receiver, 1).await.unwrap()[0];
        assert!(due.due_ms <= now().as_millisecond(), "{case}");
    }
}

#[tokio::test]
async fn a_damaged_page_is_delivered_from_sqlite() {
    a_damaged_page_is_delivered(async || Place::sqlite()).await;
}

#[tokio::test]
async fn a_damaged_page_is_delivered_from_postgres() {
    a_damaged_page_is_delivered(Place::postgres).await;
}

#[tokio::test]
async fn a_damaged_page_keeps_its_place_before_its_end() {
    let place = Place::sqlite();
    let store = paged(&place, true).await;
    let damage = "update outbox set notice = 'x' where kind = 'fire'";
    assert_eq!(place.change(damage).await, 1);
    assert_eq!(
        store.owed("oncall", 9).await.unwrap(),
        [],
        "nothing passes it"
    );
    assert_eq!(mended(&store).await, 1);
    for event in [NoticeEvent::Fire, NoticeEvent::Resolve] {
        assert_eq!(owed(&store, "oncall").await.unwrap().event, event);
        accept(&store, "oncall").await;
    }
    assert_eq!(owed(&store, "oncall").await, None);
}

#[tokio::test]
async fn an_end_is_owed_to_whom_a_damaged_page_is() {
    let place = Place::sqlite();
    let store = paged(&place, true).await;
    place
        .change("delete from outbox where kind = 'resolve'")
        .await;
    place.change("update outbox set receiver = 'oncalk'").await;
    assert_eq!(mended(&store).await, 1);
    for receiver in ["oncall", "team"] {
        for event in [NoticeEvent::Fire, NoticeEvent::Resolve] {
            assert_eq!(owed(&store, receiver).await.unwrap().event, event);
            accept(&store, receiver).await;
        }
    }
}

#[tokio::test]
async fn a_page_that_was_accepted_is_not_told_again() {
    let place = Place::sqlite();
    let store = paged(&place, false).await;
    accept(&store, "oncall").await;
    place.change("update outbox set notice = 'x'").await;
    assert_eq!(mended(&store).await, 1);
    assert_eq!(owed(&store, "oncall").await, None);
    let deliveries = store.deliveries(None, 9).await.unwrap();
    assert_eq!(deliveries[0].outcome.as_deref(), Some("accepted"));
}

#[tokio::test]
async fn a_page_of_nobody_knows_what_is_a_page_all_the_same() {
    let place = Place::sqlite();
    let store = paged(&place, false).await;
    place.change("delete from incident").await;
    place.change("update outbox set notice = 'x'").await;
    assert_eq!(mended(&store).await, 1);
    let notice = owed(&store, "oncall").await.unwrap();
    assert_eq!(notice.dedup_key, fired().dedup_key);
    assert!(
        notice.text.starts_with("why is not known"),
        "{}",
        notice.text
    );
}

#[tokio::test]
async fn a_damaged_incident_is_told_from_its_pages_and_its_alert() {
    for (column, value) in [
        ("objective", "'x'"),
        ("rule", "'x'"),
        ("severity", "'pagf'"),
        ("fired_s", "1"),
        ("resolved_s", "5"),
        ("reason", "'x'"),
        ("late", "1"),
    ] {
        for with_pages in [true, false] {
            let case = format!("{column} = {value}, pages {with_pages}");
            let place = Place::sqlite();
            let store = paged(&place, false).await;
            let whole = store.history(None, 9).await.unwrap().remove(0);
            if !with_pages {
                place.change("delete from outbox").await;
            }
            place
                .change(&format!("update incident set {column} = {value}"))
                .await;
            assert_eq!(store.history(None, 9).await.unwrap(), [], "{case}");
            assert_eq!(mended(&store).await, 1, "{case}");
            let mut told = store.history(None, 9).await.unwrap().remove(0);
            assert!(told.reason.ends_with(AGAIN), "{case}");
            if with_pages {
                told.reason = told.reason.replace(AGAIN, "");
                assert_eq!(told, whole, "{case}");
            } else {
                told.reason.clone_from(&whole.reason);
                told.late = false;
                assert_eq!(told, whole, "{case}");
            }
        }
    }
}
