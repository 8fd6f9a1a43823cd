//! Alert states, incidents, and the pages a transition owes.

use super::{Connection, Db, Engine, Writing, meta, outbox, text};
use crate::store::damage::{MISMATCH, RowKey, RowSum};
use crate::store::error::StoreError;
use crate::store::rows::{AlertChange, AlertRow, History, HistoryRow, OutboxRow};

pub(crate) async fn alerts(engine: &Engine) -> Result<Vec<AlertRow>, StoreError> {
    let rows: Vec<(String, String, String, i64, i64, Option<i64>)> = sqlx::query_as::<Db, _>(
        "select objective, rule, state, incident, version, crc from alert order by objective, rule",
    )
    .fetch_all(&engine.readers)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for (objective, rule, state, incident, version, crc) in rows {
        if sum(&objective, &rule, &state, incident, version).matches(crc) {
            found.push(AlertRow {
                objective,
                rule,
                state,
                incident,
                version,
            });
        } else {
            let row = RowKey::Alert { objective, rule };
            engine.noted.add(row, MISMATCH.to_owned());
        }
    }
    Ok(found)
}

fn sum(objective: &str, rule: &str, state: &str, incident: i64, version: i64) -> RowSum {
    RowSum::of("alert")
        .text(objective)
        .text(rule)
        .text(state)
        .number(incident)
        .number(version)
}

pub(crate) async fn transition(
    engine: &Engine,
    changes: &[AlertChange],
    pages: &[OutboxRow],
) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    for change in changes {
        if !advance(&mut writing.connection, change).await? {
            writing.rollback().await?;
            return Err(StoreError::Conflict {
                objective: change.objective.clone(),
                rule: change.rule.clone(),
            });
        }
        write_history(&mut writing.connection, change).await?;
        meta::use_incident(&mut writing.connection, change.incident).await?;
    }
    failpoint!("store.transition.halfway");
    for page in pages {
        outbox::owe(&mut writing.connection, page).await?;
    }
    writing.commit().await
}

/// Compare and set; false if the alert is at another version.
async fn advance(connection: &mut Connection, change: &AlertChange) -> Result<bool, sqlx::Error> {
    let statement = if change.expected_version == 0 {
        "insert into alert (objective, rule, state, incident, version, crc) \
         values ($1, $2, $3, $4, $5 + 1, $6) \
         on conflict (objective, rule) do nothing"
    } else {
        "update alert set state = $3, incident = $4, version = version + 1, crc = $6 \
         where objective = $1 and rule = $2 and version = $5"
    };
    let state = text(&change.state);
    let version = change.expected_version + 1;
    let sum = sum(
        &change.objective,
        &change.rule,
        &state,
        change.incident,
        version,
    );
    let done = sqlx::query::<Db>(statement)
        .bind(&change.objective)
        .bind(&change.rule)
        .bind(state)
        .bind(change.incident)
        .bind(change.expected_version)
        .bind(sum.value())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

async fn write_history(
    connection: &mut Connection,
    change: &AlertChange,
) -> Result<(), sqlx::Error> {
    match &change.history {
        None => Ok(()),
        Some(History::Fired {
            severity,
            fired_s,
            reason,
            late,
        }) => sqlx::query::<Db>(
            "insert into incident (incident, objective, rule, severity, fired_s, reason, late) \
             values ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(change.incident)
        .bind(&change.objective)
        .bind(&change.rule)
        .bind(severity)
        .bind(fired_s)
        .bind(text(reason))
        .bind(i64::from(*late))
        .execute(connection)
        .await
        .map(drop),
        Some(History::Resolved { resolved_s, reason }) => sqlx::query::<Db>(
            "update incident set resolved_s = $1, resolved_reason = $2 where incident = $3",
        )
        .bind(resolved_s)
        .bind(text(reason))
        .bind(change.incident)
        .execute(connection)
        .await
        .map(drop),
    }
}

/// Incidents that are not resolved: objective, rule, number, and when it fired (Unix seconds).
pub(crate) async fn open_incidents(
    engine: &Engine,
) -> Result<Vec<(String, String, i64, i64)>, StoreError> {
    Ok(sqlx::query_as::<Db, _>(
        "select objective, rule, incident, fired_s from incident where resolved_s is null \
         order by incident",
    )
    .fetch_all(&engine.readers)
    .await?)
}

type Incident = (
    i64,
    String,
    String,
    String,
    i64,
    Option<i64>,
    String,
    Option<String>,
    i64,
);

pub(crate) async fn history(
    engine: &Engine,
    objective: Option<&str>,
    limit: i64,
) -> Result<Vec<HistoryRow>, StoreError> {
    let rows: Vec<Incident> = sqlx::query_as::<Db, _>(
        "select incident, objective, rule, severity, fired_s, resolved_s, reason, resolved_reason, late \
         from incident where objective = coalesce($1, objective) \
         order by fired_s desc, incident desc limit $2",
    )
    .bind(objective)
    .bind(limit)
    .fetch_all(&engine.readers)
    .await?;
    Ok(rows.into_iter().map(history_row).collect())
}

fn history_row(row: Incident) -> HistoryRow {
    let (incident, objective, rule, severity, fired_s, resolved_s, reason, resolved_reason, late) =
        row;
    HistoryRow {
        incident,
        objective,
        rule,
        severity,
        fired_s,
        resolved_s,
        reason,
        resolved_reason,
        late: late != 0,
    }
}
