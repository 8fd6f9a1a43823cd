//! A part of the chaos, of every kind of fault: `make chaos` has all of it, for longer.
//!
//! Named points are in builds with debug assertions only.
#![cfg(debug_assertions)]

use acceptance::chaos::fault::{FAULTS, Fault};
use acceptance::chaos::rounds::{lane, round};
use acceptance::chaos::wire::Cut;
use anyhow::{Context, Result};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

/// One round of each fault, on a server of their own. Chance is fixed: a failure here can be repeated.
async fn rounds(postgres: bool, faults: &[Fault]) -> Result<()> {
    let mut lane = lane(postgres).await?;
    for fault in faults {
        let mut rng = StdRng::seed_from_u64(fault.number() as u64);
        round(&mut lane, *fault, &mut rng)
            .await
            .with_context(|| format!("fault {} {fault:?}", fault.number()))?;
    }
    lane.end().await
}

#[test]
fn every_fault_has_one_number() {
    for (place, fault) in FAULTS.iter().enumerate() {
        assert_eq!(fault.number(), place + 1, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_around_a_commit_loses_nothing_and_repeats_nothing() -> Result<()> {
    let faults = [
        Fault::KillAt("store.commit.unanswered"),
        Fault::KillAt("journal.applied"),
        Fault::Doubt("store.commit.unanswered"),
    ];
    rounds(false, &faults).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_around_a_fold_loses_nothing_and_repeats_nothing() -> Result<()> {
    let faults = [
        Fault::KillAt("store.fold.halfway"),
        Fault::Doubt("store.fold.unanswered"),
        Fault::KillAt("start.loaded"),
    ];
    rounds(false, &faults).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_whose_answers_are_lost_count_once() -> Result<()> {
    rounds(false, &[Fault::LostAnswers, Fault::Copies]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_totals_of_restarted_senders_count_once() -> Result<()> {
    rounds(false, &[Fault::Resets]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_cut_poisoned_hostile_or_out_of_time_count_what_is_good() -> Result<()> {
    let faults = [
        Fault::Truncation,
        Fault::Poison,
        Fault::LateAndFuture,
        Fault::Bombs,
    ];
    rounds(false, &faults).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jumps_of_the_clock_change_no_count_and_page_nobody() -> Result<()> {
    rounds(false, &[Fault::Clock]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_specs_are_read_again_counts_their_history_once() -> Result<()> {
    rounds(false, &[Fault::Reload("reload.changed")]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_a_transition_and_its_page_pages_once() -> Result<()> {
    rounds(false, &[Fault::Page("store.transition.unanswered:kill")]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_or_broken_connections_lose_nothing_on_postgres() -> Result<()> {
    let faults = [
        Fault::Kill,
        Fault::KillAt("store.commit.unanswered"),
        Fault::Connections,
    ];
    rounds(true, &faults).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_without_room_is_asked_again_and_counts_once() -> Result<()> {
    rounds(true, &["53100", "53200"].map(Fault::Refused)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_postgres_cancels_are_asked_for_again_and_count_once() -> Result<()> {
    rounds(true, &["57014", "40001"].map(Fault::Refused)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_at_a_commit_of_postgres_counts_once() -> Result<()> {
    let faults = [
        Fault::Commit("insert into journal", Cut::Unsent),
        Fault::Commit("insert into journal", Cut::Unanswered),
        Fault::Commit("insert into slice", Cut::Unanswered),
    ];
    rounds(true, &faults).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_while_an_incident_is_stored_pages_once() -> Result<()> {
    let faults =
        [Cut::Unsent, Cut::Unanswered].map(|cut| Fault::PageCommit("insert into incident", cut));
    rounds(true, &faults).await
}
