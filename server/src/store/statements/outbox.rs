//! Pages owed, attempts to deliver them, and what became of them.

use sqlx::QueryBuilder;

use super::{Connection, Db, Engine, ROWS, Writing, text};
use crate::store::error::StoreError;
use crate::store::rows::{
    AttemptRow, Attempted, Backlog, Delivery, End, Kind, Next, OutboxRow, Owed,
};

/// Adds what a transition owes. A resolve follows its fire, wherever that went.
pub(super) async fn owe(connection: &mut Connection, page: &OutboxRow) -> Result<(), sqlx::Error> {
    match page.kind {
        Kind::Fire => owe_fire(connection, page).await,
        Kind::Resolve => owe_resolve(connection, page).await,
    }
}

async fn owe_fire(connection: &mut Connection, page: &OutboxRow) -> Result<(), sqlx::Error> {
    for receiver in &page.receivers {
        sqlx::query::<Db>(
            "insert into outbox \
             (receiver, incident, objective, rule, kind, notice, created_ms, due_ms) \
             values ($1, $2, $3, $4, 'fire', $5, $6, $6) \
             on conflict (incident, rule, kind, receiver) do nothing",
        )
        .bind(receiver)
        .bind(page.incident)
        .bind(&page.objective)
        .bind(&page.rule)
        .bind(text(&page.notice))
        .bind(page.created_ms)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn owe_resolve(connection: &mut Connection, page: &OutboxRow) -> Result<(), sqlx::Error> {
    let Some(only) = &page.only else {
        return owe_resolve_to(connection, page, None).await;
    };
    for receiver in only {
        owe_resolve_to(connection, page, Some(receiver)).await?;
    }
    Ok(())
}

/// To one of those who were owed the fire, or to all.
async fn owe_resolve_to(
    connection: &mut Connection,
    page: &OutboxRow,
    receiver: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query::<Db>(
        "insert into outbox \
         (receiver, incident, objective, rule, kind, notice, created_ms, due_ms, fallback_of) \
         select receiver, incident, objective, rule, 'resolve', $1, $2, $2, fallback_of \
         from outbox \
         where incident = $3 and rule = $4 and kind = 'fire' and outcome is distinct from 'abandoned' \
         and receiver = coalesce($5, receiver) \
         on conflict (incident, rule, kind, receiver) do nothing",
    )
    .bind(text(&page.notice))
    .bind(page.created_ms)
    .bind(page.incident)
    .bind(&page.rule)
    .bind(receiver)
    .execute(connection)
    .await?;
    Ok(())
}

/// Each incident's oldest page that the receiver still has to accept, the one due first at the front.
pub(crate) async fn owed(
    engine: &Engine,
    receiver: &str,
    limit: i64,
) -> Result<Vec<Owed>, StoreError> {
    let rows: Vec<(i64, i64, String, String, i64, i64, i64)> = sqlx::query_as::<Db, _>(
        "select id, incident, kind, notice, created_ms, due_ms, attempts from outbox \
         where receiver = $1 and done_ms is null and not exists ( \
             select 1 from outbox earlier where earlier.receiver = outbox.receiver \
             and earlier.incident = outbox.incident and earlier.done_ms is null \
             and earlier.id < outbox.id) \
         order by due_ms, id limit $2",
    )
    .bind(receiver)
    .bind(limit)
    .fetch_all(&engine.readers)
    .await?;
    rows.into_iter()
        .map(
            |(id, incident, stored, notice, created_ms, due_ms, attempts)| {
                Ok(Owed {
                    id,
                    incident,
                    kind: kind(&stored)?,
                    notice,
                    created_ms,
                    due_ms,
                    attempts,
                })
            },
        )
        .collect()
}

fn kind(stored: &str) -> Result<Kind, StoreError> {
    Kind::parse(stored).ok_or_else(|| StoreError::Damaged {
        what: "the kind of a page",
        value: stored.to_owned(),
    })
}

/// Writes down that an attempt begins, and that nobody begins another before `lease_until_ms`.
pub(crate) async fn begin_attempt(
    engine: &Engine,
    outbox: i64,
    started_ms: i64,
    lease_until_ms: i64,
) -> Result<i64, StoreError> {
    let mut writing = Writing::begin(engine).await?;
    sqlx::query::<Db>("update outbox set attempts = attempts + 1, due_ms = $1 where id = $2")
        .bind(lease_until_ms)
        .bind(outbox)
        .execute(&mut writing.connection)
        .await?;
    let attempt = sqlx::query_scalar::<Db, _>(
        "insert into attempt (outbox, started_ms) values ($1, $2) returning id",
    )
    .bind(outbox)
    .bind(started_ms)
    .fetch_one(&mut writing.connection)
    .await?;
    writing.commit().await?;
    Ok(attempt)
}

/// Writes down how an attempt ended, and what follows.
pub(crate) async fn end_attempt(engine: &Engine, ended: &Attempted) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    let outcome = match ended.next {
        Next::Accepted => "accepted",
        Next::Retry { .. } | Next::Abandoned => "retry",
        Next::Refused { .. } => "refused",
    };
    sqlx::query::<Db>(
        "update attempt set ended_ms = $1, outcome = $2, status = $3, detail = $4 where id = $5",
    )
    .bind(ended.ended_ms)
    .bind(outcome)
    .bind(ended.status)
    .bind(ended.detail.as_deref().map(text))
    .bind(ended.attempt)
    .execute(&mut writing.connection)
    .await?;
    let (statement, at_ms) = match ended.next {
        Next::Accepted => (
            "update outbox set done_ms = $1, outcome = 'accepted' where id = $2",
            ended.ended_ms,
        ),
        Next::Retry { due_ms } | Next::Refused { due_ms } => {
            ("update outbox set due_ms = $1 where id = $2", due_ms)
        }
        Next::Abandoned => (
            "update outbox set done_ms = $1, outcome = 'abandoned' \
             where done_ms is null and id >= $2 and (receiver, incident) in \
             (select receiver, incident from outbox where id = $2)",
            ended.ended_ms,
        ),
    };
    sqlx::query::<Db>(statement)
        .bind(at_ms)
        .bind(ended.outbox)
        .execute(&mut writing.connection)
        .await?;
    writing.commit().await
}

/// After a start: attempts that the last process did not finish are due at once.
pub(crate) async fn resume(engine: &Engine, now_ms: i64) -> Result<u64, StoreError> {
    let mut writing = Writing::begin(engine).await?;
    let due = sqlx::query::<Db>(
        "update outbox set due_ms = $1 where done_ms is null and id in \
         (select outbox from attempt where ended_ms is null and outcome is null)",
    )
    .bind(now_ms)
    .execute(&mut writing.connection)
    .await?
    .rows_affected();
    sqlx::query::<Db>(
        "update attempt set outcome = 'interrupted' where ended_ms is null and outcome is null",
    )
    .execute(&mut writing.connection)
    .await?;
    writing.commit().await?;
    Ok(due)
}

/// Fires that a receiver has not accepted and that no fallback has yet: row and when decided, oldest first.
pub(crate) async fn unaccepted(
    engine: &Engine,
    receiver: &str,
    limit: i64,
) -> Result<Vec<(i64, i64)>, StoreError> {
    Ok(sqlx::query_as::<Db, _>(
        "select id, created_ms from outbox where receiver = $1 and kind = 'fire' \
         and done_ms is null and escalated is null order by created_ms, id limit $2",
    )
    .bind(receiver)
    .bind(limit)
    .fetch_all(&engine.readers)
    .await?)
}

/// Owes a fire, and its resolve if there is one, to the fallback receiver too. What is over is escalated as well:
/// nobody has seen that it ever was.
pub(crate) async fn escalate(
    engine: &Engine,
    outbox: i64,
    fallback: &str,
    end: Option<End>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    sqlx::query::<Db>(
        "insert into outbox \
         (receiver, incident, objective, rule, kind, notice, created_ms, due_ms, fallback_of) \
         select $1, page.incident, page.objective, page.rule, page.kind, page.notice, $2, $2, page.receiver \
         from outbox page join outbox fire \
         on page.incident = fire.incident and page.rule = fire.rule and page.receiver = fire.receiver \
         where fire.id = $3 order by page.id \
         on conflict (incident, rule, kind, receiver) do nothing",
    )
    .bind(fallback)
    .bind(now_ms)
    .bind(outbox)
    .execute(&mut writing.connection)
    .await?;
    if let Some(end) = end {
        owe_end(&mut writing.connection, outbox, fallback, end, now_ms).await?;
    }
    sqlx::query::<Db>("update outbox set escalated = $1 where id = $2")
        .bind(fallback)
        .bind(outbox)
        .execute(&mut writing.connection)
        .await?;
    writing.commit().await
}

/// If the incident is over, owes the fallback that too, whether or not another receiver was told.
async fn owe_end(
    connection: &mut Connection,
    outbox: i64,
    fallback: &str,
    end: End,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    let over: Option<(String, i64, String)> = sqlx::query_as::<Db, _>(
        "select fire.notice, resolved_s, coalesce(resolved_reason, '') \
         from outbox fire join incident on incident.incident = fire.incident \
         where fire.id = $1 and resolved_s is not null",
    )
    .bind(outbox)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(notice) = over.and_then(|(fire, at_s, reason)| end(&fire, at_s, &reason)) else {
        return Ok(());
    };
    sqlx::query::<Db>(
        "insert into outbox \
         (receiver, incident, objective, rule, kind, notice, created_ms, due_ms, fallback_of) \
         select $1, incident, objective, rule, 'resolve', $2, $3, $3, receiver from outbox where id = $4 \
         on conflict (incident, rule, kind, receiver) do nothing",
    )
    .bind(fallback)
    .bind(text(&notice))
    .bind(now_ms)
    .bind(outbox)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn pending(engine: &Engine, receiver: &str) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar::<Db, _>(
        "select count(*) from outbox where receiver = $1 and done_ms is null",
    )
    .bind(receiver)
    .fetch_one(&engine.readers)
    .await?)
}

pub(crate) async fn backlog(engine: &Engine) -> Result<Vec<Backlog>, StoreError> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as::<Db, _>(
        "select receiver, count(*), min(created_ms) from outbox where done_ms is null \
         group by receiver order by receiver",
    )
    .fetch_all(&engine.readers)
    .await?;
    let backlog = |(receiver, pages, oldest_ms)| Backlog {
        receiver,
        pages,
        oldest_ms,
    };
    Ok(rows.into_iter().map(backlog).collect())
}

#[derive(sqlx::FromRow)]
struct Page {
    id: i64,
    receiver: String,
    fallback_of: Option<String>,
    incident: i64,
    objective: String,
    rule: String,
    kind: String,
    notice: String,
    created_ms: i64,
    done_ms: Option<i64>,
    outcome: Option<String>,
}

pub(crate) async fn deliveries(
    engine: &Engine,
    incident: Option<i64>,
    limit: i64,
) -> Result<Vec<Delivery>, StoreError> {
    let pages: Vec<Page> = sqlx::query_as::<Db, _>(
        "select id, receiver, fallback_of, incident, objective, rule, kind, notice, created_ms, \
         done_ms, outcome from outbox where incident = coalesce($1, incident) \
         order by id desc limit $2",
    )
    .bind(incident)
    .bind(limit)
    .fetch_all(&engine.readers)
    .await?;
    let attempts = attempts_of(engine, &pages).await?;
    pages
        .into_iter()
        .map(|page| {
            Ok(Delivery {
                attempts: attempts
                    .iter()
                    .filter(|attempt| attempt.outbox == page.id)
                    .cloned()
                    .collect(),
                id: page.id,
                receiver: page.receiver,
                fallback_of: page.fallback_of,
                incident: page.incident,
                objective: page.objective,
                rule: page.rule,
                kind: kind(&page.kind)?,
                notice: page.notice,
                created_ms: page.created_ms,
                done_ms: page.done_ms,
                outcome: page.outcome,
            })
        })
        .collect()
}

async fn attempts_of(engine: &Engine, pages: &[Page]) -> Result<Vec<AttemptRow>, StoreError> {
    let mut attempts = Vec::new();
    for pages in pages.chunks(ROWS) {
        let mut built = QueryBuilder::<Db>::new(
            "select outbox, started_ms, ended_ms, outcome, status, detail from attempt \
             where outbox in (",
        );
        let mut list = built.separated(", ");
        for page in pages {
            list.push_bind(page.id);
        }
        built.push(") order by id");
        let rows: Vec<AttemptRow> = built
            .build_query_as()
            .persistent(false)
            .fetch_all(&engine.readers)
            .await?;
        attempts.extend(rows);
    }
    Ok(attempts)
}
