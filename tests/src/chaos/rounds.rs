//! Rounds: a fault strikes, the counts are held against what was sent, what is unknown is sent again, and the
//! counts must be what was sent.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::chaos::fault::Fault;
use crate::chaos::lane::{End, Lane};
use crate::chaos::load::{Habit, Load, Target, deliver, spans, way};
use crate::chaos::oracle::Fate;
use crate::chaos::proxy::Proxy;
use crate::chaos::running::Meter;
use crate::chaos::{database, page, requests};
use crate::postgres::Postgres;
use crate::{clock, specs, wait};

/// Services of the senders of spans; as many requests at a time.
const SENDERS: u32 = 6;
/// Services whose senders do not share the server's clock.
const SKEWED: u32 = 2;
/// Services of the senders of running totals.
const METERS: u32 = 2;
/// One of them.
pub(crate) const METER: &str = "m0";
/// Sloburn's clock is ahead by so much, so that what is sent now is in slices that its last tick has seen.
pub const AHEAD_S: i64 = 15;

/// The longest that load of some requests may take.
pub(crate) const LOADED: Duration = Duration::from_mins(1);
/// From a jump of the clock to a tick by it.
const TICK: Duration = Duration::from_secs(30);

/// A small disk, for some thousand requests and what sloburn keeps free.
const DISK_MIB: u32 = 96;

const STEADY: Habit = Habit {
    attempts: 1,
    spread_s: 300,
};

/// A lane with everything that the faults need, running.
pub async fn lane(postgres: bool) -> Result<Lane> {
    let postgres = if postgres {
        Some(Postgres::start().await?)
    } else {
        None
    };
    let mut lane = Lane::new(postgres).await?;
    for service in named("s", SENDERS)
        .into_iter()
        .chain(named("k", SKEWED))
        .chain(requests::SERVICES.map(str::to_owned))
    {
        lane.watch_spans(&service)?;
    }
    for service in named("m", METERS) {
        lane.watch_totals(&service)?;
    }
    lane.guard(page::ALARM, page::CALM)?;
    lane.oracle.anywhen = named("k", SKEWED);
    lane.oracle.anywhen.push(requests::EDGE.to_owned());
    lane.start("").await?;
    lane.set_clock(AHEAD_S)?;
    Ok(lane)
}

/// One round.
pub async fn round(lane: &mut Lane, fault: Fault, rng: &mut StdRng) -> Result<()> {
    page::calm(lane).await?;
    strike(lane, fault, rng).await?;
    lane.check_slices().await.context("after the fault")?;
    page::incidents(lane)?;
    lane.settle(rng).await.context("after sending again")
}

async fn strike(lane: &mut Lane, fault: Fault, rng: &mut StdRng) -> Result<()> {
    match fault {
        Fault::Kill => kill(lane, rng).await,
        Fault::KillAt(point) => kill_at(lane, point, rng).await,
        Fault::Terminate => terminate(lane, rng).await,
        Fault::Doubt(point) => doubt(lane, point, rng).await,
        Fault::LostAnswers => lost_answers(lane, rng).await,
        Fault::Copies => copies(lane, rng).await,
        Fault::Clock => clock_steps(lane, rng).await,
        Fault::Truncation => requests::truncated(lane, rng).await,
        Fault::Poison => requests::poisoned(lane, rng).await,
        Fault::LateAndFuture => requests::late_and_future(lane, rng).await,
        Fault::Bombs => requests::bombs(lane, rng).await,
        Fault::Resets => resets(lane, rng).await,
        Fault::Reload(point) => reload(lane, point, rng).await,
        Fault::Page(plan) => page::strike(lane, plan).await,
        Fault::Connections => database::connections(lane, rng).await,
        Fault::DiskFull => disk_full(lane, rng).await,
        Fault::Refused(sqlstate) => database::refused(lane, sqlstate, rng).await,
        Fault::Commit(statement, cut) => database::commit_cut(lane, statement, cut, rng).await,
        Fault::PageCommit(statement, cut) => database::page_cut(lane, statement, cut).await,
    }
}

/// Names of services.
fn named(what: &str, count: u32) -> Vec<String> {
    (0..count).map(|number| format!("{what}{number}")).collect()
}

/// Waits for some more acknowledgements, or for the server's end.
pub(crate) async fn loaded(lane: &mut Lane, load: &Load, more: u64) -> Result<()> {
    let enough = load.acknowledged() + more;
    wait::until("requests are acknowledged", LOADED, async || {
        Ok((load.acknowledged() >= enough || !lane.runs()?).then_some(()))
    })
    .await
    .with_context(|| lane.told())
}

pub(crate) fn load(lane: &Lane, rng: &mut StdRng) -> Result<Load> {
    Ok(Load::start(
        &named("s", SENDERS),
        lane.target()?,
        STEADY,
        rng,
    ))
}

async fn kill(lane: &mut Lane, rng: &mut StdRng) -> Result<()> {
    let load = load(lane, rng)?;
    for _ in 0..rng.random_range(1..4) {
        loaded(lane, &load, rng.random_range(10..150)).await?;
        lane.kill().await?;
        lane.start("").await?;
    }
    lane.oracle.remember(load.stop().await);
    Ok(())
}

/// Load until the process dies at the point, at the latest while it stops.
async fn kill_at(lane: &mut Lane, point: &str, rng: &mut StdRng) -> Result<()> {
    let often = point.starts_with("journal") || point.starts_with("store.commit");
    let hit = match often {
        true => rng.random_range(1..8),
        // The first fold and tick are those of the start.
        false if point.starts_with("store.fold") || point.starts_with("tick") => 2,
        false => 1,
    };
    // Something for the start to do.
    let before = load(lane, rng)?;
    loaded(lane, &before, 20).await?;
    lane.kill().await?;
    lane.oracle.remember(before.stop().await);
    lane.start(&format!("{point}:kill@{hit}")).await?;
    if lane.runs()? {
        let load = load(lane, rng)?;
        loaded(lane, &load, rng.random_range(60..200)).await?;
        let end = lane.stop().await?;
        lane.oracle.remember(load.stop().await);
        ensure!(end == End::Killed, "`{point}` was not reached {hit} times");
    }
    lane.start("").await
}

async fn terminate(lane: &mut Lane, rng: &mut StdRng) -> Result<()> {
    let load = load(lane, rng)?;
    loaded(lane, &load, rng.random_range(30..150)).await?;
    let end = lane.stop().await?;
    lane.oracle.remember(load.stop().await);
    ensure!(end == End::Stopped, "it was killed");
    lane.start("").await
}

/// The operation fails after it was done; every second time sloburn is then killed.
async fn doubt(lane: &mut Lane, point: &str, rng: &mut StdRng) -> Result<()> {
    lane.stop().await?;
    let hit = if point.starts_with("store.fold") {
        2
    } else {
        rng.random_range(1..8)
    };
    lane.start(&format!("{point}:error@{hit}")).await?;
    let load = load(lane, rng)?;
    loaded(lane, &load, rng.random_range(60..200)).await?;
    if rng.random() {
        lane.kill().await?;
    } else {
        lane.stop().await?;
    }
    lane.oracle.remember(load.stop().await);
    lane.start("").await
}

async fn lost_answers(lane: &mut Lane, rng: &mut StdRng) -> Result<()> {
    let proxy = Proxy::start(lane.target()?, rng).await?;
    let habit = Habit {
        attempts: 4,
        ..STEADY
    };
    let load = Load::start(&named("s", SENDERS), proxy.target(), habit, rng);
    loaded(lane, &load, rng.random_range(60..120)).await?;
    if rng.random() {
        lane.kill().await?;
        lane.start("").await?;
        loaded(lane, &load, 20).await?;
    }
    lane.oracle.remember(load.stop().await);
    Ok(())
}

async fn copies(lane: &mut Lane, rng: &mut StdRng) -> Result<()> {
    let load = load(lane, rng)?;
    for _ in 0..5 {
        let mut request = spans("copied", clock::now_nanos(), 300, rng);
        for _ in 0..2 {
            let answers = at_once(lane.target()?, &request.body, 8, rng).await;
            ensure!(
                answers.iter().all(|fate| *fate == Fate::Acknowledged),
                "copies of one request are answered {answers:?}"
            );
            request.fate = Fate::Acknowledged;
            if rng.random() {
                lane.kill().await?;
                lane.start("").await?;
            }
        }
        lane.oracle.remember([request]);
    }
    lane.oracle.remember(load.stop().await);
    Ok(())
}

/// Answers to copies of one request that are sent at the same moment.
async fn at_once(target: Target, body: &[u8], copies: u32, rng: &mut StdRng) -> Vec<Fate> {
    let mut sending = JoinSet::new();
    for _ in 0..copies {
        let (way, body) = (way(rng), body.to_vec());
        sending.spawn(async move { deliver(way, target, &body).await });
    }
    sending.join_all().await
}

/// Jumps of the machine's clock under load, and back: by seconds, ten minutes, hours.
async fn clock_steps(lane: &mut Lane, rng: &mut StdRng) -> Result<()> {
    let usual = lane.clock();
    let steps = [-7200, -600, -45, 7, 600, 3 * 3600, 12 * 3600];
    for _ in 0..2 {
        lane.set_clock(usual + steps[rng.random_range(0..steps.len())])?;
        let habit = Habit {
            attempts: 1,
            spread_s: 0,
        };
        let load = Load::start(&named("k", SKEWED), lane.target()?, habit, rng);
        ticked(lane).await?;
        if rng.random() {
            lane.kill().await?;
            lane.start("").await?;
        }
        lane.oracle.remember(load.stop().await);
    }
    lane.set_clock(usual)?;
    ticked(lane).await
}

/// Waits for a tick by the clock as it is now.
async fn ticked(lane: &Lane) -> Result<()> {
    let sloburn = lane.running()?;
    let at = async || -> Result<Value> {
        let answer: Value = serde_json::from_str(&sloburn.get("/api/v1/slos").await?.1)?;
        Ok(answer["at"].clone())
    };
    let before = at().await?;
    let next = wait::until("a tick", TICK, async || {
        Ok((at().await? != before).then_some(()))
    });
    next.await.with_context(|| lane.told())
}

/// Senders of running totals that start again, under a sloburn that does too.
async fn resets(lane: &mut Lane, rng: &mut StdRng) -> Result<()> {
    for service in named("m", METERS) {
        let mut meter = Meter::new(&service);
        let former = lane.oracle.running.get(&service).copied();
        let former = former.unwrap_or_default();
        for _ in 0..rng.random_range(2..5) {
            let target = lane.target()?;
            let crash_after = rng.random_range(2..12);
            for number in 0..14 {
                if number == crash_after {
                    lane.kill().await?;
                }
                meter.export(target, rng).await;
                if number == crash_after {
                    lane.start("").await?;
                }
                if rng.random_range(0..5) == 0 {
                    meter.reset();
                }
            }
            let running = meter.running();
            lane.oracle
                .running
                .insert(service.clone(), former.plus(running));
            lane.check().await?;
        }
        let target = lane.target()?;
        let delivered = wait::until("totals are taken", LOADED, async || {
            Ok(meter.deliver(target).await.then_some(()))
        });
        delivered.await.with_context(|| lane.told())?;
        lane.oracle
            .running
            .insert(service, former.plus(meter.running()));
    }
    Ok(())
}

/// A new objective over the same events, and a crash while it is read: it counts what the old one counts.
async fn reload(lane: &mut Lane, point: &str, rng: &mut StdRng) -> Result<()> {
    lane.stop().await?;
    lane.start(&format!("{point}:kill")).await?;
    let load = load(lane, rng)?;
    loaded(lane, &load, 40).await?;
    let service = format!("s{}", rng.random_range(0..SENDERS));
    let again = specs::availability("again", &service, 0.01, "1d");
    let again = again.replace("spanKind: server, ", "");
    lane.watch("again", &again)?;
    lane.running()?.signal("HUP").await?;
    wait::until("the reload kills", LOADED, async || {
        Ok((!lane.runs()?).then_some(()))
    })
    .await
    .with_context(|| lane.told())?;
    lane.stop().await?;
    lane.oracle.remember(load.stop().await);
    lane.start("").await?;
    let same = wait::until("the new objective counts the same", LOADED, async || {
        let slos = lane.running()?.slos().await?;
        let (old, new) = (slos.named(&service)?, slos.named("again")?);
        Ok(((old.total, old.bad) == (new.total, new.bad)).then_some(()))
    });
    same.await.with_context(|| lane.told())
}

/// The disk is full under load, for as long as some requests take; by chance sloburn is killed meanwhile.
async fn disk_full(lane: &mut Lane, rng: &mut StdRng) -> Result<()> {
    lane.stop().await?;
    let disk = lane.move_to_disk(DISK_MIB)?;
    lane.start("").await?;
    let load = load(lane, rng)?;
    loaded(lane, &load, 30).await?;
    disk.fill()?;
    let refused = load.unanswered() + 6;
    wait::until("requests find no room", LOADED, async || {
        Ok((load.unanswered() >= refused).then_some(()))
    })
    .await
    .with_context(|| lane.told())?;
    if rng.random() {
        lane.kill().await?;
        disk.free()?;
        lane.start("").await?;
    } else {
        disk.free()?;
    }
    loaded(lane, &load, 30).await?;
    lane.oracle.remember(load.stop().await);
    lane.check().await?;
    lane.stop().await?;
    lane.move_back()?;
    drop(disk);
    lane.uncover()?;
    lane.start("").await
}
