//! Alerts, and the pages they owe.

use super::*;

pub(super) async fn a_transition_is_all_or_nothing(store: &Store) {
    let fire = page(1, Kind::Fire, &["oncall"]);
    let changes = [change("cart", 0, 1), change("shop", 0, 0)];
    store.transition(&changes, &[fire]).await.unwrap();
    let alert = |objective: &str, incident, version| AlertRow {
        objective: objective.to_owned(),
        rule: "page-fast".to_owned(),
        state: format!("{{\"version\":{}}}", version - 1),
        incident,
        version,
    };
    let before = [alert("cart", 1, 1), alert("shop", 0, 1)];
    assert_eq!(store.alerts().await.unwrap(), before);

    for stale in [
        change("shop", 0, 2),
        change("shop", 2, 2),
        change("new", 1, 2),
    ] {
        let changes = [change("cart", 1, 2), stale];
        let more = page(2, Kind::Fire, &["oncall"]);
        let refused = store.transition(&changes, &[more]).await.unwrap_err();
        assert!(matches!(refused, StoreError::Conflict { .. }), "{refused}");
        assert_eq!(store.alerts().await.unwrap(), before);
        assert_eq!(owed(store, "oncall").await, [(1, Kind::Fire)]);
    }

    store
        .transition(&[change("cart", 1, 2)], &[])
        .await
        .unwrap();
    let after = [alert("cart", 2, 2), alert("shop", 0, 1)];
    assert_eq!(store.alerts().await.unwrap(), after);
}

pub(super) async fn incidents_have_numbers_of_their_own_and_a_history(place: &Place) {
    let store = place.open().await;
    let first = store.next_incident().await.unwrap();
    let mut fired = change("cart", 0, first);
    fired.history = Some(History::Fired {
        severity: "page".to_owned(),
        fired_s: 100,
        reason: "burn rate 20 over 1h and 5m".to_owned(),
        late: true,
    });
    let mut second = change("shop", 0, first + 1);
    second.history = fired.history.clone();
    store.transition(&[fired, second], &[]).await.unwrap();
    drop(store);

    let store = place.open().await;
    assert_eq!(store.next_incident().await.unwrap(), first + 2);
    assert_eq!(store.history(None, 10).await.unwrap()[0].resolved_s, None);
    let mut resolved = change("cart", 1, 0);
    resolved.incident = first;
    resolved.history = Some(History::Resolved {
        resolved_s: 700,
        reason: "burn rate 0.5 over 5m".to_owned(),
    });
    store.transition(&[resolved], &[]).await.unwrap();

    let history = store.history(Some("cart"), 10).await.unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].incident, first);
    assert_eq!(history[0].severity, "page");
    assert_eq!(history[0].reason, "burn rate 20 over 1h and 5m");
    assert_eq!(history[0].resolved_s, Some(700));
    assert_eq!(
        history[0].resolved_reason.as_deref(),
        Some("burn rate 0.5 over 5m")
    );
    assert!(history[0].late);
    assert_eq!(store.history(Some("shop"), 10).await.unwrap().len(), 1);
    assert_eq!(store.history(Some("nobody"), 10).await.unwrap(), []);
}

pub(super) async fn pages_of_one_incident_wait_for_each_other(store: &Store) {
    let pages = [
        page(1, Kind::Fire, &["oncall", "team"]),
        page(1, Kind::Resolve, &[]),
        page(2, Kind::Fire, &["oncall"]),
    ];
    store.transition(&[], &pages).await.unwrap();
    let fires = [(1, Kind::Fire), (2, Kind::Fire)];
    assert_eq!(owed(store, "oncall").await, fires);

    attempt(store, "oncall", Next::Retry { due_ms: 9_000 }).await;
    assert_eq!(
        owed(store, "oncall").await,
        [(2, Kind::Fire), (1, Kind::Fire)]
    );
    attempt(store, "oncall", Next::Accepted).await;
    attempt(store, "oncall", Next::Accepted).await;
    assert_eq!(owed(store, "oncall").await, [(1, Kind::Resolve)]);
    attempt(store, "oncall", Next::Accepted).await;
    assert_eq!(owed(store, "oncall").await, []);
    assert_eq!(owed(store, "team").await, [(1, Kind::Fire)]);

    let backlog = store.backlog().await.unwrap();
    assert_eq!(backlog.len(), 1);
    assert_eq!((backlog[0].pages, backlog[0].oldest_ms), (2, 1_000));
    assert_eq!(store.pending("team").await.unwrap(), 2);
    assert_eq!(store.pending("oncall").await.unwrap(), 0);
    let deliveries = store.deliveries(Some(1), 10).await.unwrap();
    let of_oncall: Vec<_> = deliveries
        .iter()
        .filter(|page| page.receiver == "oncall" && page.kind == Kind::Fire)
        .collect();
    assert_eq!(of_oncall.len(), 1);
    assert_eq!(of_oncall[0].outcome.as_deref(), Some("accepted"));
    let outcomes: Vec<_> = of_oncall[0]
        .attempts
        .iter()
        .map(|attempt| attempt.outcome.clone().unwrap())
        .collect();
    assert_eq!(outcomes, ["retry", "accepted"]);

    let trim = Trim {
        outbox_before_s: 4,
        ..Trim::default()
    };
    assert_eq!(store.trim(&trim).await.unwrap(), 3);
    assert_eq!(store.deliveries(None, 10).await.unwrap().len(), 2);
}

pub(super) async fn a_page_is_owed_once(store: &Store) {
    let fire = page(1, Kind::Fire, &["oncall", "oncall"]);
    store
        .transition(&[], &[fire.clone(), fire.clone()])
        .await
        .unwrap();
    attempt(store, "oncall", Next::Accepted).await;
    store.transition(&[], &[fire]).await.unwrap();
    assert_eq!(owed(store, "oncall").await, []);
}

pub(super) async fn a_resolve_goes_where_its_fire_went(store: &Store) {
    let fire = |incident| page(incident, Kind::Fire, &["oncall"]);
    store.transition(&[], &[fire(1), fire(2)]).await.unwrap();
    let unaccepted = store.unaccepted("oncall", 10).await.unwrap();
    assert_eq!(unaccepted.len(), 2);
    assert_eq!(unaccepted[0].1, 1_000);
    store
        .escalate(unaccepted[0].0, "backup", None, 61_000)
        .await
        .unwrap();
    store
        .escalate(unaccepted[0].0, "backup", None, 62_000)
        .await
        .unwrap();
    assert_eq!(
        store.unaccepted("oncall", 10).await.unwrap(),
        unaccepted[1..]
    );
    assert_eq!(owed(store, "backup").await, [(1, Kind::Fire)]);

    let resolve = |incident| page(incident, Kind::Resolve, &[]);
    store
        .transition(&[], &[resolve(1), resolve(2)])
        .await
        .unwrap();
    attempt(store, "backup", Next::Accepted).await;
    assert_eq!(owed(store, "backup").await, [(1, Kind::Resolve)]);
    store
        .escalate(unaccepted[1].0, "backup", None, 63_000)
        .await
        .unwrap();
    attempt(store, "backup", Next::Accepted).await;
    assert_eq!(owed(store, "backup").await, [(2, Kind::Fire)]);
    attempt(store, "backup", Next::Accepted).await;
    assert_eq!(owed(store, "backup").await, [(2, Kind::Resolve)]);
    let of_backup = store.deliveries(Some(2), 10).await.unwrap();
    assert_eq!(of_backup[0].fallback_of.as_deref(), Some("oncall"));
}

/// The change by which an alert fires, or resolves, as its history tells it.
fn told(version: i64, history: History) -> AlertChange {
    AlertChange {
        history: Some(history),
        ..change("checkout", version, 1)
    }
}

fn fired_at(fired_s: i64) -> History {
    History::Fired {
        severity: "page".to_owned(),
        fired_s,
        reason: "burn rate 20 over 1h and 5m".to_owned(),
        late: false,
    }
}

fn resolved_at(resolved_s: i64) -> History {
    History::Resolved {
        resolved_s,
        reason: "burn rate 0.5 over 5m".to_owned(),
    }
}

pub(super) async fn a_fire_is_kept_as_long_as_its_incident_is_open(store: &Store) {
    let fire = page(1, Kind::Fire, &["oncall"]);
    let fired = told(0, fired_at(1));
    store.transition(&[fired], &[fire]).await.unwrap();
    attempt(store, "oncall", Next::Accepted).await;
    let trim = |outbox_before_s| {
        let trim = Trim {
            outbox_before_s,
            ..Trim::default()
        };
        async move { store.trim(&trim).await.unwrap() }
    };
    assert_eq!(
        trim(5_000_000).await,
        0,
        "the resolve must find its receivers"
    );

    let resolve = page(1, Kind::Resolve, &[]);
    let resolved = told(1, resolved_at(5_000_000));
    store.transition(&[resolved], &[resolve]).await.unwrap();
    assert_eq!(owed(store, "oncall").await, [(1, Kind::Resolve)]);
    attempt(store, "oncall", Next::Accepted).await;
    assert_eq!(trim(5_000_000).await, 0, "it is not over for so long");
    assert_eq!(trim(5_000_001).await, 2);
    assert_eq!(store.deliveries(None, 10).await.unwrap(), []);
}

pub(super) async fn what_is_over_is_escalated_with_its_end(store: &Store) {
    let fires = [1, 2, 3].map(|incident| page(incident, Kind::Fire, &["oncall"]));
    let fired = told(0, fired_at(1));
    store.transition(&[fired], &fires).await.unwrap();
    // The rule is quiet: only who holds incidents open is told, and nobody who does was owed the fire.
    let quiet = OutboxRow {
        only: Some(vec!["pager".to_owned()]),
        ..page(1, Kind::Resolve, &[])
    };
    let resolved = told(1, resolved_at(31));
    store.transition(&[resolved], &[quiet]).await.unwrap();
    assert_eq!(store.pending("pager").await.unwrap(), 0);
    assert_eq!(store.pending("oncall").await.unwrap(), 3);

    let end: End = |fire, at_s, reason| Some(format!("{fire} ended at {at_s}: {reason}"));
    let told_of = [
        ("chat", None, vec![Kind::Fire], "it needs no end"),
        (
            "pager",
            Some(end),
            vec![Kind::Fire, Kind::Resolve],
            "it would stay open for ever",
        ),
    ];
    let waiting = store.unaccepted("oncall", 10).await.unwrap();
    for (receiver, end, kinds, why) in told_of {
        for (outbox, _) in &waiting {
            store
                .escalate(*outbox, receiver, end, 61_000)
                .await
                .unwrap();
        }
        let pages = store
            .deliveries(Some(1), 10)
            .await
            .unwrap()
            .into_iter()
            .rev();
        let pages: Vec<_> = pages.filter(|page| page.receiver == receiver).collect();
        let found: Vec<_> = pages.iter().map(|page| page.kind).collect();
        assert_eq!(found, kinds, "{receiver}: {why}");
        let open = [(2, Kind::Fire), (3, Kind::Fire)];
        assert_eq!(
            &owed(store, receiver).await[1..],
            open,
            "{receiver}: not over"
        );
    }
    let of_pager = &store.deliveries(Some(1), 10).await.unwrap()[0];
    assert_eq!(of_pager.fallback_of.as_deref(), Some("oncall"));
    let ended = "{\"incident\":1} ended at 31: burn rate 0.5 over 5m";
    assert_eq!(of_pager.notice, ended);
}

pub(super) async fn an_abandoned_fire_takes_its_resolve_along(store: &Store) {
    let pages = [
        page(1, Kind::Fire, &["oncall"]),
        page(2, Kind::Fire, &["oncall"]),
        page(1, Kind::Resolve, &[]),
    ];
    store.transition(&[], &pages).await.unwrap();
    attempt(store, "oncall", Next::Abandoned).await;
    assert_eq!(owed(store, "oncall").await, [(2, Kind::Fire)]);

    attempt(store, "oncall", Next::Abandoned).await;
    let resolve = page(2, Kind::Resolve, &[]);
    store.transition(&[], &[resolve]).await.unwrap();
    assert_eq!(owed(store, "oncall").await, []);
}

pub(super) async fn an_interrupted_attempt_is_due_again_after_a_restart(place: &Place) {
    let store = place.open().await;
    let fire = page(1, Kind::Fire, &["oncall"]);
    store.transition(&[], &[fire]).await.unwrap();
    let page = store.owed("oncall", 1).await.unwrap().remove(0);
    store.begin_attempt(page.id, 2_000, 22_000).await.unwrap();
    assert_eq!(store.owed("oncall", 1).await.unwrap()[0].due_ms, 22_000);
    drop(store);

    let store = place.open().await;
    assert_eq!(store.resume(5_000).await.unwrap(), 1);
    assert_eq!(store.resume(6_000).await.unwrap(), 0);
    let page = store.owed("oncall", 1).await.unwrap().remove(0);
    assert_eq!((page.due_ms, page.attempts), (5_000, 1));
    let deliveries = store.deliveries(None, 1).await.unwrap();
    let outcome = deliveries[0].attempts[0].outcome.as_deref();
    assert_eq!(outcome, Some("interrupted"));
}
