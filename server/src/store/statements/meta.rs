//! The store about itself: schema, epoch, single numbers.

use sqlx::migrate::Migrator;

use super::numbers::{USED_INCIDENT, number, raise_number};
use super::{Connection, Db, Engine, HAS_MIGRATIONS, Writing};
use crate::store::error::{OpenError, StoreError};

/// Brings the schema up to date; refuses one that is newer than this program, before anything is written.
pub(crate) async fn migrate(
    connection: &mut Connection,
    migrator: &Migrator,
    place: &str,
) -> Result<(), OpenError> {
    let known = migrator.iter().map(|step| step.version).max().unwrap_or(0);
    let found = schema(connection)
        .await
        .map_err(|source| OpenError::connect(place, source))?;
    if found > known {
        return Err(OpenError::NewerSchema {
            place: place.to_owned(),
            found,
            known,
        });
    }
    migrator
        .run_direct(None, connection, false)
        .await
        .map_err(|source| OpenError::Migrate {
            place: place.to_owned(),
            source,
        })
}

/// Refuses a schema that is not this program's: nothing is written.
pub(crate) async fn expect_schema(
    connection: &mut Connection,
    migrator: &Migrator,
    place: &str,
) -> Result<(), OpenError> {
    let known = migrator.iter().map(|step| step.version).max().unwrap_or(0);
    let found = schema(connection)
        .await
        .map_err(|source| OpenError::connect(place, source))?;
    let place = place.to_owned();
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(OpenError::OlderSchema {
            place,
            found,
            known,
        }),
        std::cmp::Ordering::Greater => Err(OpenError::NewerSchema {
            place,
            found,
            known,
        }),
    }
}

/// The newest schema version in the database; 0 if it is empty.
async fn schema(connection: &mut Connection) -> Result<i64, sqlx::Error> {
    let tables: i64 = sqlx::query_scalar(HAS_MIGRATIONS)
        .fetch_one(&mut *connection)
        .await?;
    if tables == 0 {
        return Ok(0);
    }
    sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations")
        .fetch_one(connection)
        .await
}

/// Counts this opening; returns its number.
pub(crate) async fn take_epoch(connection: &mut Connection) -> Result<i64, sqlx::Error> {
    // A row whose name is damaged is in the way of a search, and may be this one.
    sqlx::raw_sql(
        "insert into meta (name, value) select 'epoch', 0 \
         where not exists (select 1 from meta where name || '' = 'epoch')",
    )
    .execute(&mut *connection)
    .await?;
    let count = "update meta set value = value + 1 where name || '' = 'epoch' returning value";
    // To its end, where the commit is.
    sqlx::query_scalar(count)
        .fetch_all(connection)
        .await?
        .pop()
        .ok_or(sqlx::Error::RowNotFound)
}

pub(crate) async fn folded(engine: &Engine) -> Result<i64, StoreError> {
    number(engine, "folded").await
}

pub(crate) async fn sealed_until(engine: &Engine) -> Result<i64, StoreError> {
    number(engine, "sealed_until").await
}

pub(crate) async fn next_incident(engine: &Engine) -> Result<i64, StoreError> {
    let given = number(engine, "incident").await?;
    let used = sqlx::query_scalar::<Db, i64>(USED_INCIDENT)
        .fetch_one(&engine.readers)
        .await?;
    Ok(given.max(used) + 1)
}

/// A number that an incident has is never given again, also after the incident is deleted.
pub(super) async fn use_incident(
    connection: &mut Connection,
    incident: i64,
) -> Result<(), sqlx::Error> {
    raise_number(connection, "incident", incident).await
}

pub(crate) async fn ping_write(engine: &Engine) -> Result<(), StoreError> {
    let mut writing = Writing::begin(engine).await?;
    sqlx::query("update meta set value = value + 1 where name = 'ping'")
        .execute(&mut writing.connection)
        .await?;
    writing.commit().await
}
