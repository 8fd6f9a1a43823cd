//! Alert states, incidents, and the pages a transition owes.

use super::{Connection, Db, Engine, Found, Writing, meta, outbox, text};
use crate::store::damage::{MISMATCH, RowKey, RowSum};
use crate::store::error::StoreError;
use crate::store::rows::{AlertChange, AlertRow, History, HistoryRow, OutboxRow};

pub(crate) async fn alerts(engine: &Engine) -> Result<Vec<AlertRow>, StoreError> {
    let rows: Vec<(Found, Found, Found, i64, i64, Option<i64>)> = sqlx::query_as::<Db, _>(
        "select objective, rule, state, incident, version, crc from alert order by objective, rule",
    )
    .fetch_all(&engine.readers)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for (Found(objective), Found(rule), Found(state), incident, version, crc) in rows {
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
        write_history(engine, &mut writing.connection, change).await?;
        meta::use_incident(&mut writing.connection, change.incident).await?;
    }
    failpoint!("store.transition.halfway");
    for page in pages {
        outbox::owe(engine, &mut writing.connection, page).await?;
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
    engine: &Engine,
    connection: &mut Connection,
    change: &AlertChange,
) -> Result<(), StoreError> {
    match &change.history {
        None => Ok(()),
        Some(History::Fired {
            severity,
            fired_s,
            reason,
            late,
        }) => {
            let row = HistoryRow {
                incident: change.incident,
                objective: change.objective.clone(),
                rule: change.rule.clone(),
                severity: severity.clone(),
                fired_s: *fired_s,
                resolved_s: None,
                reason: reason.clone(),
                resolved_reason: None,
                late: *late,
            };
            Ok(insert_incident(connection, &row).await?)
        }
        Some(History::Resolved { resolved_s, reason }) => {
            // One that is damaged, or is not there, does not keep its alert from resolving: see `mend`.
            let Some(row) = incident(engine, connection, change.incident).await? else {
                return Ok(());
            };
            let row = HistoryRow {
                resolved_s: Some(*resolved_s),
                resolved_reason: Some(reason.clone()),
                ..row
            };
            Ok(update_incident(connection, change.incident, &row).await?)
        }
    }
}

fn incident_sum(row: &HistoryRow) -> RowSum {
    RowSum::of("incident")
        .number(row.incident)
        .text(&row.objective)
        .text(&row.rule)
        .text(&row.severity)
        .number(row.fired_s)
        .optional_number(row.resolved_s)
        .text(&row.reason)
        .optional_text(row.resolved_reason.as_deref())
        .number(i64::from(row.late))
}

pub(super) async fn insert_incident(
    connection: &mut Connection,
    row: &HistoryRow,
) -> Result<(), sqlx::Error> {
    let statement = "insert into incident (incident, objective, rule, severity, fired_s, resolved_s, reason, \
         resolved_reason, late, crc) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    write_incident(connection, statement, row, None).await
}

/// Writes all of an incident, which may get another number.
pub(super) async fn update_incident(
    connection: &mut Connection,
    number: i64,
    row: &HistoryRow,
) -> Result<(), sqlx::Error> {
    let statement = "update incident set incident = $1, objective = $2, rule = $3, severity = $4, fired_s = $5, \
         resolved_s = $6, reason = $7, resolved_reason = $8, late = $9, crc = $10 where incident = $11";
    write_incident(connection, statement, row, Some(number)).await
}

async fn write_incident(
    connection: &mut Connection,
    statement: &'static str,
    row: &HistoryRow,
    number: Option<i64>,
) -> Result<(), sqlx::Error> {
    let mut row = row.clone();
    row.reason = text(&row.reason).into_owned();
    row.resolved_reason = row.resolved_reason.map(|reason| text(&reason).into_owned());
    let query = sqlx::query::<Db>(statement)
        .bind(row.incident)
        .bind(&row.objective)
        .bind(&row.rule)
        .bind(&row.severity)
        .bind(row.fired_s)
        .bind(row.resolved_s)
        .bind(&row.reason)
        .bind(row.resolved_reason.as_deref())
        .bind(i64::from(row.late))
        .bind(incident_sum(&row).value());
    let query = match number {
        Some(number) => query.bind(number),
        None => query,
    };
    query.execute(connection).await.map(drop)
}

/// One incident; none if it is damaged, which is noted, or not there.
pub(super) async fn incident(
    engine: &Engine,
    connection: &mut Connection,
    number: i64,
) -> Result<Option<HistoryRow>, StoreError> {
    let rows: Vec<Incident> = sqlx::query_as::<Db, _>(incidents!("where incident = $1"))
        .bind(number)
        .fetch_all(connection)
        .await?;
    Ok(sound(engine, rows).pop())
}

/// Incidents that are not resolved: objective, rule, number, and when it fired (Unix seconds).
pub(crate) async fn open_incidents(
    engine: &Engine,
) -> Result<Vec<(String, String, i64, i64)>, StoreError> {
    let rows: Vec<Incident> =
        sqlx::query_as::<Db, _>(incidents!("where resolved_s is null order by incident"))
            .fetch_all(&engine.readers)
            .await?;
    let open = |row: HistoryRow| (row.objective, row.rule, row.incident, row.fired_s);
    Ok(sound(engine, rows).into_iter().map(open).collect())
}

/// An incident as it is found.
pub(super) type Incident = (
    i64,
    Found,
    Found,
    Found,
    i64,
    Option<i64>,
    Found,
    Option<Found>,
    i64,
    Option<i64>,
);

pub(crate) async fn history(
    engine: &Engine,
    objective: Option<&str>,
    limit: i64,
) -> Result<Vec<HistoryRow>, StoreError> {
    let rows: Vec<Incident> = sqlx::query_as::<Db, _>(incidents!(
        "where objective = coalesce($1, objective) order by fired_s desc, incident desc limit $2"
    ))
    .bind(objective)
    .bind(limit)
    .fetch_all(&engine.readers)
    .await?;
    Ok(sound(engine, rows))
}

/// The rows that are whole; the others are noted.
pub(super) fn sound(engine: &Engine, rows: Vec<Incident>) -> Vec<HistoryRow> {
    let whole = |row: Incident| {
        let (row, whole) = read_incident(row);
        if !whole {
            let row = RowKey::Incident(row.incident);
            engine.noted.add(row, MISMATCH.to_owned());
        }
        whole.then_some(row)
    };
    rows.into_iter().filter_map(whole).collect()
}

/// The row, as far as it can be read, and whether it is whole.
pub(super) fn read_incident(row: Incident) -> (HistoryRow, bool) {
    let (incident, objective, rule, severity, fired_s, resolved_s, reason, ended, late, crc) = row;
    let row = HistoryRow {
        incident,
        objective: objective.0,
        rule: rule.0,
        severity: severity.0,
        fired_s,
        resolved_s,
        reason: reason.0,
        resolved_reason: ended.map(|ended| ended.0),
        late: late != 0,
    };
    let whole = incident_sum(&row).matches(crc);
    (row, whole)
}
