//! Faults of PostgreSQL: sessions that end, commits that are refused, and commits of which nobody hears.

use anyhow::{Context, Result, ensure};
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::chaos::lane::Lane;
use crate::chaos::load::spans;
use crate::chaos::oracle::Running;
use crate::chaos::page;
use crate::chaos::rounds::{LOADED, METER, load, loaded};
use crate::chaos::running::Meter;
use crate::chaos::wire::Cut;
use crate::otlp::{Coding, post};
use crate::{clock, wait};

/// Tables that every commit of requests, and every fold of them, writes to; and what a trial commit writes to.
const WRITTEN: [&str; 4] = ["journal", "slice", "tally", "meta"];

/// Every session ends under load, some times.
pub async fn connections(lane: &mut Lane, rng: &mut StdRng) -> Result<()> {
    let load = load(lane, rng)?;
    for _ in 0..rng.random_range(1..4) {
        loaded(lane, &load, rng.random_range(10..60)).await?;
        let end = "select pg_terminate_backend(pid) from pg_stat_activity \
                   where datname = 'sloburn' and pid <> pg_backend_pid()";
        lane.postgres()?.psql("postgres", end).await?;
    }
    loaded(lane, &load, 20).await?;
    lane.oracle.remember(load.stop().await);
    Ok(())
}

/// Everything written is refused for a while: senders are asked to come again, `/readyz` says why, and when it is
/// over requests are taken again without a hand. By chance sloburn is killed meanwhile.
pub async fn refused(lane: &mut Lane, sqlstate: &str, rng: &mut StdRng) -> Result<()> {
    let load = load(lane, rng)?;
    let mut meter = Metered::new(lane);
    loaded(lane, &load, 30).await?;
    meter.export(lane, rng).await?;
    refuse(lane, sqlstate, rng.random()).await?;
    let sentence = said(sqlstate);
    let told = wait::until("/readyz says why", LOADED, async || {
        let (status, why) = lane.running()?.get("/readyz").await?;
        ensure!(why.contains(sentence), "it says `{why}`");
        Ok((status == 503).then_some(()))
    });
    told.await.with_context(|| lane.told())?;
    asked_to_come_again(lane, rng).await?;
    meter.export(lane, rng).await?;
    if rng.random() {
        lane.kill().await?;
        take_again(lane).await?;
        lane.start("").await?;
    } else {
        take_again(lane).await?;
    }
    loaded(lane, &load, 30).await?;
    lane.oracle.remember(load.stop().await);
    meter.settle(lane).await
}

/// What is refused, from now on: at the statement, or only when it is committed. A statement is cancelled because it
/// takes too long, as it is in earnest.
async fn refuse(lane: &Lane, sqlstate: &str, at_commit: bool) -> Result<()> {
    let (fault, at_commit) = match sqlstate {
        "57014" => ("perform pg_sleep(60)".to_owned(), false),
        _ => (
            format!("raise exception using errcode = '{sqlstate}', message = 'as asked'"),
            at_commit,
        ),
    };
    let initially = if at_commit { "deferred" } else { "immediate" };
    let postgres = lane.postgres()?;
    let function = format!(
        "create function fault() returns trigger language plpgsql as \
         $$ begin {fault}; return null; end $$"
    );
    postgres.psql("sloburn", &function).await?;
    for table in WRITTEN {
        let trigger = format!(
            "create constraint trigger fault after insert or update on {table} \
             deferrable initially {initially} for each row execute function fault()"
        );
        postgres.psql("sloburn", &trigger).await?;
    }
    Ok(())
}

/// Undoes [`refuse`]. Both lock one table a transaction: who holds one and waits for the next can be in a deadlock with
/// a commit that takes them in another order.
async fn take_again(lane: &Lane) -> Result<()> {
    let postgres = lane.postgres()?;
    for table in WRITTEN {
        let trigger = format!("drop trigger if exists fault on {table}");
        postgres.psql("sloburn", &trigger).await?;
    }
    postgres
        .psql("sloburn", "drop function if exists fault()")
        .await?;
    Ok(())
}

/// How `/readyz` tells a SQLSTATE.
fn said(sqlstate: &str) -> &'static str {
    match sqlstate {
        "53100" => "commit: the disk is full",
        "53200" => "commit: the database server is out of memory",
        "57014" => "commit: the database does not answer in time",
        "40001" => "commit: another program writes to the same rows",
        _ => "",
    }
}

/// One request that finds the store refusing: its sender is told to send it again, and later does.
async fn asked_to_come_again(lane: &mut Lane, rng: &mut StdRng) -> Result<()> {
    let request = spans("s0", clock::now_nanos(), 0, rng);
    let http = lane.running()?.http();
    let kind = "application/x-protobuf";
    let (status, _) = post(&http, "/v1/traces", kind, Coding::Identity, &request.body).await?;
    ensure!(status == 503, "answered {status}; {}", lane.told());
    lane.oracle.remember([request]);
    Ok(())
}

/// The connection is cut at a commit under load, some times.
pub async fn commit_cut(
    lane: &mut Lane,
    statement: &'static str,
    cut: Cut,
    rng: &mut StdRng,
) -> Result<()> {
    let load = load(lane, rng)?;
    let mut meter = Metered::new(lane);
    let times = if cut == Cut::Silent { 1 } else { 3 };
    for _ in 0..times {
        loaded(lane, &load, rng.random_range(5..40)).await?;
        lane.wire()?.cut(statement, cut);
        wait::until(statement, LOADED, async || {
            meter.export(lane, rng).await?;
            Ok(lane.wire()?.is_cut().then_some(()))
        })
        .await?;
    }
    loaded(lane, &load, 20).await?;
    lane.oracle.remember(load.stop().await);
    meter.settle(lane).await
}

/// The connection is cut at a commit that a page depends on.
pub async fn page_cut(lane: &mut Lane, statement: &'static str, cut: Cut) -> Result<()> {
    lane.wire()?.cut(statement, cut);
    page::strike(lane, "").await?;
    ensure!(lane.wire()?.is_cut(), "no commit of `{statement}`");
    Ok(())
}

/// A sender of running totals beside the load: what is remembered of its stream must be what is stored.
#[derive(Debug)]
struct Metered {
    meter: Meter,
    former: Running,
}

impl Metered {
    fn new(lane: &Lane) -> Metered {
        let former = lane.oracle.running.get(METER).copied();
        Metered {
            meter: Meter::new(METER),
            former: former.unwrap_or_default(),
        }
    }

    /// Sends some more, or once more what was not answered.
    async fn export(&mut self, lane: &mut Lane, rng: &mut StdRng) -> Result<()> {
        self.meter.export(lane.target()?, rng).await;
        self.note(lane);
        Ok(())
    }

    fn note(&self, lane: &mut Lane) {
        let running = self.former.plus(self.meter.running());
        lane.oracle.running.insert(METER.to_owned(), running);
    }

    /// Sends what was not answered until it is.
    async fn settle(mut self, lane: &mut Lane) -> Result<()> {
        let target = lane.target()?;
        let delivered = wait::until("totals are taken", LOADED, async || {
            Ok(self.meter.deliver(target).await.then_some(()))
        });
        delivered.await.with_context(|| lane.told())?;
        self.note(lane);
        Ok(())
    }
}
