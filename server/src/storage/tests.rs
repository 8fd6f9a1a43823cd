use super::*;
use crate::judge::Alert;
use crate::page::testing::fired;
use crate::store::testing::Place;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_704_067_200 + second).unwrap()
}

/// The watch over a store, with nobody to page.
async fn watch(place: &Place) -> StorageWatch {
    // The first of a process wins; they are all the same.
    drop(rustls::crypto::ring::default_provider().install_default());
    let metrics = Metrics::new("0", at(0));
    let receivers = Arc::new(Vec::new());
    StorageWatch {
        store: place.open().await,
        health: Health::new(),
        direct: Direct::new(Arc::clone(&receivers), metrics.clone()).unwrap(),
        metrics,
        receivers,
        base_url: "https://slo.example.com".to_owned(),
        owed: Arc::new(Notify::new()),
        scrubbed: (0, 0),
        state: State::default(),
    }
}

/// The page of an alert that fires with the number of its notice, and that alert.
fn fire() -> (AlertKey, u64, OutboxRow) {
    let notice = fired();
    let key = AlertKey {
        objective: notice.slo.id.clone(),
        rule: notice.rule.name.clone(),
    };
    let page = OutboxRow {
        objective: key.objective.clone(),
        rule: key.rule.clone(),
        ..page(Kind::Fire, Vec::new(), notice.incident, &notice, at(0))
    };
    (key, notice.incident, page)
}

#[tokio::test]
async fn a_promise_ends_with_the_outage() {
    let place = Place::sqlite();
    let mut watch = watch(&place).await;
    let (key, incident, page) = fire();
    let firing = |incident| AlertState::Firing {
        since: at(0),
        incident,
    };
    for (state, then) in [
        (AlertState::default(), "it is over and was never stored"),
        (firing(incident), "it is stored"),
        (
            firing(1),
            "an earlier try is stored, which had another number",
        ),
    ] {
        let alert = Alert { state, version: 1 };
        let mut judge = Judge::resume(BTreeMap::from([(key.clone(), alert)]), 1, None);
        watch.not_stored(
            &StoreError::Full,
            std::slice::from_ref(&page),
            &mut judge,
            at(0),
        );
        assert_eq!(judge.withdraw(&key), None, "one failed tick is no outage");
        watch.not_stored(
            &StoreError::Full,
            std::slice::from_ref(&page),
            &mut judge,
            at(10),
        );
        watch.stored(&mut judge, at(20));
        assert_eq!(judge.withdraw(&key), None, "{then}");
        assert_eq!(judge.take_incident(), incident + 1, "{then}");
    }
}

#[tokio::test]
async fn ticks_that_cannot_be_stored_page_although_requests_can() {
    let place = Place::sqlite();
    let mut watch = watch(&place).await;
    watch.health.committed();
    let mut judge = Judge::resume(BTreeMap::new(), 0, None);
    let full = StoreError::Full;
    for (second, failed, fires, case) in [
        (0, Some(&full), false, "one fold that fails is no outage"),
        (10, None, false, "the next succeeds"),
        (20, Some(&full), false, "it fails again"),
        (30, Some(&full), false, "for ten seconds"),
        (40, Some(&full), true, "for twenty seconds"),
        (50, Some(&full), true, "and goes on"),
        (60, None, false, "until a fold succeeds"),
    ] {
        watch.folded(failed, at(second));
        watch.tick(&mut judge, at(second)).await;
        let alerts = watch.store.alerts().await.unwrap();
        let own = alerts.iter().find(|alert| is_own(&alert.objective));
        let firing = own.is_some_and(|alert| alert.state.contains("firing"));
        assert_eq!(firing, fires, "{case}: {own:?}");
        let told = watch.notes(0).iter().any(|note| note.contains("slices"));
        assert_eq!(told, failed.is_some(), "{case}");
    }
}
