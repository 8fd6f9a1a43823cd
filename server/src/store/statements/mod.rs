//! The statements of the store, written once: this folder is compiled for SQLite and again for PostgreSQL,
//! where `super` is the engine's own file, which says what differs.
//!
//! Values are bound, never pasted. Lists become multi-row statements, [`ROWS`] at a time.

/// Reads whole rows of the outbox, of which the rest of the statement says which.
macro_rules! pages {
    ($which:literal) => {
        concat!(
            "select id, receiver, incident, objective, rule, kind, notice, created_ms, due_ms, attempts, \
             escalated, fallback_of, done_ms, outcome, crc from outbox ",
            $which
        )
    };
}

/// Reads whole incidents, of which the rest of the statement says which.
macro_rules! incidents {
    ($which:literal) => {
        concat!(
            "select incident, objective, rule, severity, fired_s, resolved_s, reason, resolved_reason, late, \
             crc from incident ",
            $which
        )
    };
}

pub(crate) mod alerts;
pub(crate) mod exemplars;
pub(crate) mod journal;
pub(crate) mod mend;
pub(crate) mod meta;
pub(crate) mod numbers;
pub(crate) mod outbox;
pub(crate) mod pages;
pub(crate) mod quarantine;
pub(crate) mod retention;
pub(crate) mod slices;
pub(crate) mod spans;
pub(crate) mod specs;
pub(crate) mod tallies;

use std::borrow::Cow;

use sqlx::QueryBuilder;
use tokio::sync::{Mutex, MutexGuard};

use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Type};

use super::{BEGIN, CONTINUE_JOURNAL, Connection, Db, Engine, HAS_MIGRATIONS};
use crate::store::error::{StoreError, is_locked};

/// Rows in one statement; ten columns of them stay below SQLite's 32 766 parameters.
const ROWS: usize = 500;

/// The one connection that writes.
#[derive(Debug)]
pub(super) struct Writer(Mutex<Slot>);

#[derive(Debug)]
enum Slot {
    Ready(Connection),
    /// In use, or dropped after an error: the next write connects anew.
    Empty,
    Closed,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Writer {
        Writer(Mutex::new(Slot::Ready(connection)))
    }

    /// For a store that is only read.
    pub(super) fn refusing() -> Writer {
        Writer(Mutex::new(Slot::Closed))
    }

    /// Refuses further writes; returns the connection after the write in progress.
    pub(super) async fn close(&self) -> Option<Connection> {
        match std::mem::replace(&mut *self.0.lock().await, Slot::Closed) {
            Slot::Ready(connection) => Some(connection),
            Slot::Empty | Slot::Closed => None,
        }
    }
}

/// A write transaction. Dropped without [`Writing::commit`], by an error or because its caller went away, it
/// takes the connection with it, and the database rolls back.
struct Writing<'a> {
    slot: MutexGuard<'a, Slot>,
    connection: Connection,
}

impl<'a> Writing<'a> {
    async fn begin(engine: &'a Engine) -> Result<Writing<'a>, StoreError> {
        let mut writing = Writing::single(engine).await?;
        let mut begun = sqlx::raw_sql(BEGIN).execute(&mut writing.connection).await;
        if let Err(error) = &begun
            && !is_locked(error)
        {
            writing.connection = engine.connect_writer().await?;
            begun = sqlx::raw_sql(BEGIN).execute(&mut writing.connection).await;
        }
        match begun {
            Ok(_) => Ok(writing),
            Err(error) => {
                if is_locked(&error) {
                    // Another process writes: nothing is wrong with the connection.
                    *writing.slot = Slot::Ready(writing.connection);
                }
                Err(error.into())
            }
        }
    }

    /// The connection for one statement, which is a transaction by itself.
    async fn single(engine: &'a Engine) -> Result<Writing<'a>, StoreError> {
        let mut slot = engine.writer.0.lock().await;
        let connection = match std::mem::replace(&mut *slot, Slot::Empty) {
            Slot::Ready(connection) => connection,
            Slot::Empty => engine.connect_writer().await?,
            Slot::Closed => {
                *slot = Slot::Closed;
                return Err(StoreError::Closed);
            }
        };
        Ok(Writing { slot, connection })
    }

    /// After [`Writing::single`]: the statement succeeded.
    fn done(mut self) {
        *self.slot = Slot::Ready(self.connection);
    }

    async fn commit(mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("commit")
            .execute(&mut self.connection)
            .await?;
        *self.slot = Slot::Ready(self.connection);
        Ok(())
    }

    /// Ends the transaction without effect, and keeps the connection: for refusals that are no fault of it.
    async fn rollback(mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("rollback")
            .execute(&mut self.connection)
            .await?;
        *self.slot = Slot::Ready(self.connection);
        Ok(())
    }
}

/// Runs what a [`QueryBuilder`] built. Its text varies with the number of rows, so it is not kept prepared.
async fn run(connection: &mut Connection, mut built: QueryBuilder<Db>) -> Result<u64, sqlx::Error> {
    let done = built.build().persistent(false).execute(connection).await?;
    Ok(done.rows_affected())
}

/// Text as it is found. Bytes that are no text become other text, which no checksum matches: one damaged row is no
/// error for all the others.
#[derive(Clone, Debug)]
struct Found(String);

impl Type<Db> for Found {
    fn type_info() -> <Db as Database>::TypeInfo {
        <String as Type<Db>>::type_info()
    }

    fn compatible(info: &<Db as Database>::TypeInfo) -> bool {
        <String as Type<Db>>::compatible(info)
    }
}

impl<'r> Decode<'r, Db> for Found {
    fn decode(value: <Db as Database>::ValueRef<'r>) -> Result<Found, BoxDynError> {
        let bytes = <&[u8] as Decode<'r, Db>>::decode(value)?;
        Ok(Found(String::from_utf8_lossy(bytes).into_owned()))
    }
}

/// Text as both databases can keep it: PostgreSQL has no NUL in text.
fn text(value: &str) -> Cow<'_, str> {
    if value.contains('\0') {
        Cow::Owned(value.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(value)
    }
}
