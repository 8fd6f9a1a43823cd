//! Faults while an alert fires: each incident is paged once and resolved once, in that order, and none is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::chaos::lane::Lane;
use crate::inbox::Delivery;
use crate::otlp::{Spans, send};
use crate::{clock, wait};

/// The service whose errors page, and one whose traffic is always good.
pub const ALARM: &str = "alarm";
/// See [`ALARM`].
pub const CALM: &str = "calm";

/// A tick, its page, and what retries add.
const PAGED: Duration = Duration::from_secs(90);
/// Until the tick that has the errors.
const STRIKES: Duration = Duration::from_secs(30);
/// So far sloburn's clock is moved on until the rule's look-back is over.
const LOOK_BACK_S: i64 = 90;

/// Errors, the fault while they page, crashes while the alert fires, and calm again.
pub async fn strike(lane: &mut Lane, plan: &str) -> Result<()> {
    let before = incidents(lane)?.len();
    lane.stop().await?;
    lane.start(plan).await?;
    let burst = Spans::ended_at(ALARM, 10, 300, now(lane));
    let mut sent = lane.runs()? && send_once(lane, &burst).await;
    if plan.contains(":kill") {
        let died = wait::until("the fault strikes", STRIKES, async || {
            Ok((!lane.runs()?).then_some(()))
        });
        died.await.with_context(|| lane.told())?;
        lane.stop().await?;
        lane.start("").await?;
    }
    if !sent {
        sent = send_once(lane, &burst).await;
    }
    ensure!(sent, "errors are not taken");
    fired(lane, before + 1).await?;
    // Neither a crash nor a restart pages again.
    lane.kill().await?;
    lane.start("").await?;
    lane.stop().await?;
    lane.start("").await?;
    lane.set_clock(lane.clock() + LOOK_BACK_S)?;
    let resolved = wait::until("the alert resolves", PAGED, async || {
        ensure!(send_once(lane, &Spans::ended_at(ALARM, 1, 0, now(lane))).await);
        let incidents = incidents(lane)?;
        Ok(
            (incidents.len() == before + 1 && incidents.values().all(|events| *events == 2))
                .then_some(()),
        )
    });
    resolved.await.with_context(|| lane.told())
}

/// Good traffic of the service that must never page.
pub async fn calm(lane: &Lane) -> Result<()> {
    ensure!(
        send_once(lane, &Spans::ended_at(CALM, 50, 0, now(lane))).await,
        "good traffic is not taken; {}",
        lane.told()
    );
    Ok(())
}

async fn fired(lane: &Lane, count: usize) -> Result<()> {
    let fired = wait::until("the alert is paged", PAGED, async || {
        Ok((incidents(lane)?.len() >= count).then_some(()))
    });
    fired.await.with_context(|| lane.told())?;
    ensure!(incidents(lane)?.len() == count, "paged for nothing");
    Ok(())
}

async fn send_once(lane: &Lane, spans: &Spans) -> bool {
    let Ok(sloburn) = lane.running() else {
        return false;
    };
    matches!(send(&sloburn.http(), spans).await, Ok(200))
}

/// Now, by sloburn's clock: in the slice that its next tick judges.
fn now(lane: &Lane) -> u64 {
    clock::now_nanos().saturating_add_signed(lane.clock() * 1_000_000_000)
}

/// Deliveries by incident, a repeated one once: first the fire, then the resolve, of the alarm and nothing else.
pub fn incidents(lane: &Lane) -> Result<BTreeMap<(String, u64), u32>> {
    let mut incidents = BTreeMap::new();
    for Delivery { body, .. } in lane.inbox().deliveries() {
        // Sloburn's own disk and drop rate may be in trouble, and say so.
        let id = body["slo"]["id"].as_str().unwrap_or_default();
        if id.starts_with("sloburn") {
            continue;
        }
        ensure!(id == ALARM, "a false page: {body:#}");
        let key = body["dedup_key"].as_str().context("no dedup key")?;
        let number = body["incident"].as_u64().context("no incident")?;
        let events = incidents.entry((key.to_owned(), number)).or_insert(0);
        *events += 1;
        let due = if *events == 1 { "fire" } else { "resolve" };
        ensure!(
            body["event"] == due && *events <= 2,
            "delivery {events} of incident {number} is a {}",
            body["event"]
        );
    }
    Ok(incidents)
}
