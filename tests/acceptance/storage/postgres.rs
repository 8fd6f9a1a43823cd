//! PostgreSQL that drops sessions, crashes, and turns read-only.

use acceptance::home::Home;
use acceptance::inbox::Inbox;
use acceptance::otlp::{Spans, send};
use acceptance::postgres::Postgres;
use acceptance::sloburn::Sloburn;
use acceptance::specs::availability;
use acceptance::{clock, wait};
use anyhow::{Context, Result, ensure};

use super::{
    SOON, fires_once, home, kept_over_a_kill, post_body, resolved, send_until_refused, told,
};

/// What happens to PostgreSQL while requests come.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Every session of sloburn is ended.
    Sessions,
    /// It crashes and comes back.
    Restart,
}

#[tokio::test]
async fn postgres_that_drops_sessions_and_crashes_loses_nothing_acknowledged() -> Result<()> {
    let mut postgres = Postgres::start().await?;
    let home = Home::new()?.on_postgres(&postgres.url());
    home.spec("shop.yaml", &availability("shop", "shop", 0.99, "1d"))?;
    let sloburn = home.start().await?;
    let mut bodies: Vec<(Vec<u8>, bool)> = Vec::new();
    for fault in [Fault::Sessions, Fault::Restart, Fault::Sessions] {
        let (done, sent) = tokio::join!(happen(&mut postgres, fault), send_many(&sloburn, 150));
        done?;
        bodies.extend(sent?);
        wait::until("requests are accepted again", SOON, async || {
            let body = Spans::now("shop", 10, 0).encode();
            Ok((post_body(&sloburn, &body).await? == 200).then(|| bodies.push((body, true))))
        })
        .await
        .with_context(|| format!("after {fault:?}; {}", sloburn.told()))?;
    }
    let acknowledged = 10 * bodies.iter().filter(|(_, yes)| *yes).count() as u64;
    let slo = sloburn
        .slo_that("shop", |slo| slo.total >= acknowledged)
        .await;
    let slo = slo.context("acknowledged and not counted")?;
    ensure!(
        slo.total <= sent_spans(&sloburn, &mut bodies).await?,
        "counted twice"
    );
    let sent = 10 * bodies.len() as u64;
    sloburn.slo_that("shop", |slo| slo.total == sent).await?;
    sloburn.kill().await?;
    let sloburn = home.start().await?;
    sloburn.slo_that("shop", |slo| slo.total == sent).await?;
    drop(sloburn);
    postgres.stop().await
}

async fn happen(postgres: &mut Postgres, fault: Fault) -> Result<()> {
    match fault {
        Fault::Restart => postgres.restart().await,
        Fault::Sessions => end_sessions(postgres).await,
    }
}

async fn end_sessions(postgres: &Postgres) -> Result<()> {
    let end = "select pg_terminate_backend(pid) from pg_stat_activity \
               where application_name = 'sloburn'";
    let ended = postgres.psql("sloburn", end).await?;
    ensure!(ended.contains('t'), "no session was ended");
    Ok(())
}

/// Requests of ten spans, and whether each was acknowledged.
async fn send_many(sloburn: &Sloburn, count: usize) -> Result<Vec<(Vec<u8>, bool)>> {
    let mut sent = Vec::new();
    for _ in 0..count {
        let body = Spans::now("shop", 10, 0).encode();
        let status = post_body(sloburn, &body).await?;
        ensure!(status == 200 || status == 503, "answered {status}");
        sent.push((body, status == 200));
    }
    Ok(sent)
}

/// Sends what was not acknowledged again, until it is; answers all spans.
async fn sent_spans(sloburn: &Sloburn, bodies: &mut [(Vec<u8>, bool)]) -> Result<u64> {
    for (body, acknowledged) in bodies.iter_mut().filter(|(_, yes)| !*yes) {
        ensure!(post_body(sloburn, body).await? == 200);
        *acknowledged = true;
    }
    Ok(10 * bodies.len() as u64)
}

/// What PostgreSQL says to a commit, and what `/readyz` makes of it.
const REFUSALS: [(&str, &str, &str); 8] = [
    (
        "a full disk is told at the statement",
        "immediate raise exception using errcode = '53100'",
        "commit: the disk is full",
    ),
    (
        "or only when it commits",
        "deferred raise exception using errcode = '53100'",
        "commit: the disk is full",
    ),
    (
        "no memory at the statement",
        "immediate raise exception using errcode = '53200'",
        "commit: the database server is out of memory; give it more, or fewer connections",
    ),
    (
        "no memory at the commit",
        "deferred raise exception using errcode = '53200'",
        "commit: the database server is out of memory; give it more, or fewer connections",
    ),
    (
        "the statement takes too long, and is cancelled",
        "immediate perform pg_sleep(60)",
        "commit: the database does not answer in time",
    ),
    (
        "it is cancelled by hand at the commit",
        "deferred raise exception using errcode = '57014'",
        "commit: the database does not answer in time",
    ),
    (
        "another transaction is in the way, seen at the statement",
        "immediate raise exception using errcode = '40001'",
        "commit: another program writes to the same rows",
    ),
    (
        "another transaction is in the way, seen at the commit",
        "deferred raise exception using errcode = '40001'",
        "commit: another program writes to the same rows",
    ),
];

#[tokio::test]
async fn a_commit_that_postgres_refuses_is_not_acknowledged_and_counts_once() -> Result<()> {
    let postgres = Postgres::start().await?;
    let home = Home::new()?.on_postgres(&postgres.url());
    home.spec("shop.yaml", &availability("shop", "shop", 0.99, "1d"))?;
    let sloburn = home.start().await?;
    // From here on a request has no series that is new: its commit is one statement.
    ensure!(send(&sloburn.http(), &Spans::now("shop", 10, 0)).await? == 200);
    let mut sent = 10;
    for (case, refusal, sentence) in REFUSALS {
        let body = Spans::now("shop", 10, 0).encode();
        refuse(&postgres, refusal).await?;
        ensure!(post_body(&sloburn, &body).await? == 503, "{case}");
        let (status, why) = sloburn.get("/readyz").await?;
        ensure!(status == 503 && why.contains(sentence), "{case}: {why}");
        ensure!(post_body(&sloburn, &body).await? == 503, "{case}: again");
        let lift = "drop function refuse cascade";
        postgres.psql("sloburn", lift).await?;
        for again in ["taken", "taken as sent before"] {
            let status = post_body(&sloburn, &body).await?;
            ensure!(status == 200, "{case}: not {again}; {}", sloburn.told());
        }
        ensure!(sloburn.get("/readyz").await?.0 == 200, "{case}");
        sent += 10;
    }
    let slo = sloburn.slo_that("shop", |slo| slo.total >= sent).await?;
    ensure!(slo.total == sent, "counted twice");
    ensure!(
        sloburn
            .told()
            .contains("canceling statement due to statement timeout"),
        "the log does not say why; {}",
        sloburn.told()
    );
    sloburn.kill().await?;
    let sloburn = home.start().await?;
    sloburn.slo_that("shop", |slo| slo.total == sent).await?;
    drop(sloburn);
    postgres.stop().await
}

/// From now on requests are refused: when their statement is executed, or when it commits.
async fn refuse(postgres: &Postgres, how: &str) -> Result<()> {
    let (when, fault) = how.split_once(' ').context("when and what")?;
    let sql = format!(
        "create function refuse() returns trigger language plpgsql as \
         $$ begin {fault}; return null; end $$;
         create constraint trigger refuse after insert on journal \
         deferrable initially {when} for each row execute function refuse();"
    );
    postgres.psql("sloburn", &sql).await.map(drop)
}

#[tokio::test]
async fn a_full_disk_of_postgres_refuses_requests_pages_and_recovers() -> Result<()> {
    let postgres = Postgres::start().await?;
    let disk = postgres.move_to_disk(32).await?;
    let inbox = Inbox::start().await?;
    let home = home(&inbox)?.on_postgres(&postgres.url());
    let sloburn = home.start().await?;
    clock::within_a_slice().await?;
    ensure!(send(&sloburn.http(), &Spans::now("shop", 50, 50)).await? == 200);
    disk.fill()?;
    let (acknowledged, refused) = send_until_refused(&sloburn).await?;
    let (status, why) = sloburn.get("/readyz").await?;
    ensure!(
        status == 503 && why.contains("commit: the disk is full"),
        "{why}"
    );
    // The alert that was about to fire, and the disk itself.
    for objective in ["shop", "sloburn:storage"] {
        told(&inbox, "fire", objective)
            .await
            .with_context(|| sloburn.told())?;
    }

    disk.free()?;
    wait::until("requests are accepted again", SOON, async || {
        Ok((post_body(&sloburn, &refused).await? == 200).then_some(()))
    })
    .await
    .with_context(|| sloburn.told())?;
    resolved(&inbox, "sloburn:storage")
        .await
        .with_context(|| sloburn.told())?;
    fires_once(&inbox.deliveries(), "shop");
    fires_once(&inbox.deliveries(), "sloburn:storage");
    kept_over_a_kill(&home, sloburn, 100 + acknowledged + 10).await?;
    drop(disk);
    postgres.stop().await
}

/// As a database administrator may have set them, for other programs.
const SET_FOR_OTHERS: [&str; 2] = [
    "alter database sloburn set synchronous_commit = off",
    "alter database sloburn set default_transaction_isolation = serializable",
];

#[tokio::test]
async fn settings_of_the_database_do_not_make_acknowledged_requests_less_durable() -> Result<()> {
    let postgres = Postgres::start().await?;
    let home = Home::new()?.on_postgres(&postgres.url());
    for setting in SET_FOR_OTHERS {
        postgres.psql("sloburn", setting).await?;
    }
    let sloburn = home.start().await?;
    let witness = "create table seen (value text);
         create function see() returns trigger language plpgsql as \
         $$ begin insert into seen values (current_setting('synchronous_commit') || ', ' || \
         current_setting('transaction_isolation')); return null; end $$;
         create trigger see after insert on journal for each row execute function see();";
    postgres.psql("sloburn", witness).await?;
    ensure!(send(&sloburn.http(), &Spans::now("shop", 10, 0)).await? == 200);
    // The connection that comes after one that was lost, too.
    end_sessions(&postgres).await?;
    let body = Spans::now("shop", 10, 0).encode();
    wait::until("requests are accepted again", SOON, async || {
        Ok((post_body(&sloburn, &body).await? == 200).then_some(()))
    })
    .await?;
    // A reload does not reach it.
    postgres
        .psql("sloburn", "alter system set synchronous_commit = off")
        .await?;
    postgres.psql("sloburn", "select pg_reload_conf()").await?;
    ensure!(send(&sloburn.http(), &Spans::now("shop", 10, 0)).await? == 200);
    let distinct = "select distinct value from seen";
    let seen = postgres.psql("sloburn", distinct).await?;
    assert_eq!(seen.trim(), "on, read committed");
    drop(sloburn);
    postgres.stop().await
}

#[tokio::test]
async fn a_read_only_postgres_refuses_requests_and_pages_all_the_same() -> Result<()> {
    let postgres = Postgres::start().await?;
    let inbox = Inbox::start().await?;
    let home = home(&inbox)?.on_postgres(&postgres.url());
    let sloburn = home.start().await?;
    clock::within_a_slice().await?;
    ensure!(send(&sloburn.http(), &Spans::now("shop", 50, 50)).await? == 200);
    // As after a failover to a standby.
    postgres
        .psql(
            "sloburn",
            "alter system set default_transaction_read_only = on",
        )
        .await?;
    postgres.psql("sloburn", "select pg_reload_conf()").await?;
    let body = Spans::now("shop", 10, 0).encode();
    wait::until("requests are refused", SOON, async || {
        Ok((post_body(&sloburn, &body).await? == 503).then_some(()))
    })
    .await?;
    let (status, why) = sloburn.get("/readyz").await?;
    assert_eq!(status, 503);
    assert!(why.contains("the database is read-only"), "{why}");
    let pages = inbox.deliveries_at_least(2, SOON).await;
    let pages = pages.with_context(|| sloburn.told())?;
    fires_once(&pages, "shop");
    fires_once(&pages, "sloburn:storage");

    postgres
        .psql(
            "sloburn",
            "alter system reset default_transaction_read_only",
        )
        .await?;
    postgres.psql("sloburn", "select pg_reload_conf()").await?;
    wait::until("requests are accepted again", SOON, async || {
        Ok((post_body(&sloburn, &body).await? == 200).then_some(()))
    })
    .await
    .with_context(|| sloburn.told())?;
    sloburn.slo_that("shop", |slo| slo.total == 110).await?;
    resolved(&inbox, "sloburn:storage")
        .await
        .with_context(|| sloburn.told())?;
    fires_once(&inbox.deliveries(), "shop");
    drop(sloburn);
    postgres.stop().await
}
