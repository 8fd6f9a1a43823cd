//! What a store promises, checked on SQLite and on a real PostgreSQL.

use std::time::Duration;

use super::testing::Place;
use super::{
    AlertChange, AlertRow, Attempted, Demand, End, ExemplarRow, Fold, Group, History, JournalRow,
    Kind, Next, OpenError, OutboxRow, SliceRow, Store, StoreError, TallyRow, Tier, Trim,
};

mod damage;
mod flips;
mod incoming;
mod opening;
mod paging;
mod spans;
mod specs;

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    let place = async || Place::sqlite();
    contract(place).await;
}

#[tokio::test]
async fn postgres_keeps_the_contract() {
    contract(Place::postgres).await;
}

/// Each promise on an empty store of its own.
async fn contract(place: impl AsyncFn() -> Place) {
    incoming::answers_that_are_no_full_success_are_kept(&place().await.open().await).await;
    incoming::requests_are_kept_with_their_time_beyond_the_fold(&place().await.open().await).await;
    incoming::large_groups_are_stored_whole(&place().await.open().await).await;
    incoming::the_journal_outlives_a_process_that_ends_without_closing(&place().await).await;
    incoming::a_seq_is_never_used_again(&place().await).await;
    incoming::a_fold_replaces_rows_and_ends_the_journal(&place().await.open().await).await;
    incoming::a_fold_given_up_half_way_leaves_no_trace(&place().await.open().await).await;
    incoming::slices_are_found_by_tier_time_and_service(&place().await.open().await).await;
    incoming::any_service_name_can_be_stored(&place().await.open().await).await;
    incoming::retention_deletes_what_is_older_and_nothing_else(&place().await.open().await).await;
    incoming::tallies_of_other_indicators_are_forgotten(&place().await.open().await).await;
    incoming::minutes_that_no_sum_replaced_are_kept_as_long_as_sums(&place().await.open().await)
        .await;
    spans::a_commit_keeps_the_fingerprints_of_its_spans(&place().await.open().await).await;
    spans::sorted_fingerprints_are_found_by_chunk(&place().await.open().await).await;
    spans::forgetting_takes_whole_parts_and_remembers_that(&place().await.open().await).await;
    spans::the_secret_stays_and_is_its_own(&place().await, &place().await).await;
    paging::a_transition_is_all_or_nothing(&place().await.open().await).await;
    paging::incidents_have_numbers_of_their_own_and_a_history(&place().await).await;
    paging::pages_of_one_incident_wait_for_each_other(&place().await.open().await).await;
    paging::a_page_is_owed_once(&place().await.open().await).await;
    paging::a_resolve_goes_where_its_fire_went(&place().await.open().await).await;
    paging::what_is_over_is_escalated_with_its_end(&place().await.open().await).await;
    paging::a_fire_is_kept_as_long_as_its_incident_is_open(&place().await.open().await).await;
    paging::an_abandoned_fire_takes_its_resolve_along(&place().await.open().await).await;
    paging::an_interrupted_attempt_is_due_again_after_a_restart(&place().await).await;
    specs::changes_of_specs_are_kept_in_order(&place().await.open().await).await;
    damage::a_flipped_row_is_left_out_and_quarantined(&place().await).await;
    damage::rows_from_before_checksums_are_taken_as_they_are(&place().await).await;
    opening::a_second_process_is_refused(&place().await).await;
    opening::a_newer_schema_is_refused_and_left_alone(&place().await).await;
    opening::a_closed_store_refuses_writes(&place().await.open().await).await;
}

fn hash(number: u8) -> [u8; 16] {
    [number; 16]
}

fn group(hashes: &[u8]) -> Group {
    Group {
        received_s: 1_700_000_000,
        requests: hashes
            .iter()
            .map(|&number| (hash(number), vec![number]))
            .collect(),
        series: vec![(-5, b"series".to_vec())],
        delta: hashes.to_vec(),
        prints: Vec::new(),
    }
}

fn slice(tier: Tier, end_s: i64, service: &str, requests: i64) -> SliceRow {
    SliceRow {
        tier,
        end_s,
        service: service.to_owned(),
        requests,
        failed: 1,
        pack: vec![0, 159, 146, 150],
    }
}

fn tally(fingerprint: i64, tier: Tier, hour_end_s: i64) -> TallyRow {
    TallyRow {
        fingerprint,
        tier,
        hour_end_s,
        chunk: vec![1, 2, 3],
    }
}

fn change(objective: &str, expected_version: i64, incident: i64) -> AlertChange {
    AlertChange {
        objective: objective.to_owned(),
        rule: "page-fast".to_owned(),
        expected_version,
        state: format!("{{\"version\":{expected_version}}}"),
        incident,
        history: None,
    }
}

fn page(incident: i64, kind: Kind, receivers: &[&str]) -> OutboxRow {
    OutboxRow {
        receivers: receivers.iter().map(|&name| name.to_owned()).collect(),
        only: None,
        incident,
        objective: "checkout".to_owned(),
        rule: "page-fast".to_owned(),
        kind,
        notice: format!("{{\"incident\":{incident}}}"),
        created_ms: 1_000,
    }
}

/// What a receiver is owed: incident and kind.
async fn owed(store: &Store, receiver: &str) -> Vec<(i64, Kind)> {
    let owed = store.owed(receiver, 100).await.unwrap();
    owed.into_iter()
        .map(|page| (page.incident, page.kind))
        .collect()
}

/// Makes one attempt at the page a receiver is owed first.
async fn attempt(store: &Store, receiver: &str, next: Next) {
    let page = store.owed(receiver, 1).await.unwrap().remove(0);
    let attempt = store.begin_attempt(page.id, 2_000, 22_000).await.unwrap();
    let ended = Attempted {
        attempt,
        outbox: page.id,
        ended_ms: 3_000,
        status: Some(200),
        detail: None,
        next,
    };
    store.end_attempt(&ended).await.unwrap();
}
