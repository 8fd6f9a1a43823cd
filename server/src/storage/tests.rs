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
        watch.not_stored(std::slice::from_ref(&page), &mut judge, at(0));
        assert_eq!(judge.withdraw(&key), None, "one failed tick is no outage");
        watch.not_stored(std::slice::from_ref(&page), &mut judge, at(10));
        watch.stored(&mut judge, at(20));
        assert_eq!(judge.withdraw(&key), None, "{then}");
        assert_eq!(judge.take_incident(), incident + 1, "{then}");
    }
}
