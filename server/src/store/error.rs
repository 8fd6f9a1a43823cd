//! What can go wrong with the store.

use std::path::PathBuf;

use super::rows::Location;

/// Why a store cannot be opened. Each is one sentence for the person who starts sloburn.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Directory or lock file cannot be made: give it to the user sloburn runs as, or name another.
    #[error("cannot write in the data directory `{}`", .directory.display())]
    Unwritable {
        /// As configured.
        directory: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Stop the other process, or use another directory.
    #[error("another sloburn is using the data directory `{}`", .directory.display())]
    DirectoryInUse {
        /// As configured.
        directory: PathBuf,
    },
    /// Stop the other process, or use another database.
    #[error("another sloburn is using the PostgreSQL database `{database}`")]
    DatabaseInUse {
        /// `host:port/name`.
        database: String,
    },
    /// The URL is not shown, as it may hold a password.
    #[error("the database URL must look like postgres://user:password@host:port/database")]
    Url,
    /// Start the newer version again, or restore a backup from before it.
    #[error(
        "the store in `{place}` has schema {found}, made by a newer sloburn; this one knows schemas up to {known}"
    )]
    NewerSchema {
        /// Directory or database.
        place: String,
        /// Schema version there.
        found: i64,
        /// Newest schema version of this program.
        known: i64,
    },
    /// To be read only: start this version's `serve` on it once, which brings it up to date.
    #[error(
        "the store in `{place}` has schema {found}, made by an older sloburn; this one reads schema {known}: start it with `sloburn serve` once"
    )]
    OlderSchema {
        /// Directory or database.
        place: String,
        /// Schema version there.
        found: i64,
        /// The schema version that this program reads.
        known: i64,
    },
    /// To be read only, but nothing is there.
    #[error("there is no store in `{place}`")]
    Absent {
        /// Directory.
        place: String,
    },
    /// The schema there is not what this program's migrations make.
    #[error("cannot bring the schema of the store in `{place}` up to date")]
    Migrate {
        /// Directory or database.
        place: String,
        /// What the migration said.
        source: sqlx::migrate::MigrateError,
    },
    /// What is stored cannot be read at all.
    #[error(
        "the store in `{place}` is damaged or is no database; restore it from a backup, or move it away to start with nothing"
    )]
    Damaged {
        /// File or database.
        place: String,
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database does not let us in.
    #[error("cannot open the store in `{place}`")]
    Connect {
        /// Directory or database.
        place: String,
        /// What the database said.
        source: sqlx::Error,
    },
}

/// Why a read or a write failed. After a failed write nothing of it is stored, with one exception:
/// if the connection broke during the commit itself, it may be; look with `journal_after`.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no or did not answer, in its own words; the next call connects anew.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// No answer in time; the next call connects anew.
    #[error("the store did not answer within {seconds} seconds")]
    TimedOut {
        /// How long was waited.
        seconds: u64,
    },
    /// Free space on the disk of the data directory; requests are accepted again by themselves.
    #[error("the disk of the data directory is full")]
    Full,
    /// The alert was changed since it was read: read `alerts` again and decide again.
    #[error("the alert of objective `{objective}` and rule `{rule}` was changed by somebody else")]
    Conflict {
        /// Objective id.
        objective: String,
        /// Rule name.
        rule: String,
    },
    /// The connection that held the lock was lost, and another process holds it now: nothing is written.
    #[error("another sloburn holds the PostgreSQL database; nothing is written until it lets go")]
    LockLost,
    /// Another process wrote to the database meanwhile; what this one remembers is out of date: restart it.
    #[error("another sloburn took over the PostgreSQL database; this one must be restarted")]
    Superseded,
    /// A stored value that this program never writes.
    #[error("the store holds `{value}` as {what}")]
    Damaged {
        /// Which value.
        what: &'static str,
        /// As found.
        value: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl OpenError {
    /// What was stored could not be loaded; none if the database is not damaged.
    pub(crate) fn damaged(location: &Location, error: StoreError) -> Result<OpenError, StoreError> {
        let place = match location {
            Location::Directory(directory) => directory.display().to_string(),
            Location::Postgres(_) => "the PostgreSQL database".to_owned(),
        };
        match error {
            StoreError::Sql(source) if is_damage(&source) => Ok(OpenError::Damaged {
                place,
                source: Box::new(source),
            }),
            other => Err(other),
        }
    }

    /// Tells a damaged database from one that does not answer.
    pub(super) fn connect(place: &str, source: sqlx::Error) -> OpenError {
        let place = place.to_owned();
        if is_damage(&source) {
            let source = Box::new(source);
            OpenError::Damaged { place, source }
        } else {
            OpenError::Connect { place, source }
        }
    }
}

/// True if another process holds the lock.
pub(super) fn is_locked(error: &sqlx::Error) -> bool {
    is(error, LOCKED)
}

fn is_damage(error: &sqlx::Error) -> bool {
    is(error, DAMAGED)
}

fn is(error: &sqlx::Error, what: &str) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| trouble(&code) == what)
}

impl StoreError {
    /// A stored value that cannot be decoded: which, of which row, and why.
    pub(crate) fn damaged(
        what: &'static str,
        row: impl std::fmt::Display,
        why: &dyn std::error::Error,
    ) -> StoreError {
        StoreError::Damaged {
            what,
            value: format!("row {row}: {why}"),
        }
    }

    /// True if the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            StoreError::Sql(_)
            | StoreError::TimedOut { .. }
            | StoreError::LockLost
            | StoreError::Full => true,
            StoreError::Conflict { .. }
            | StoreError::Superseded
            | StoreError::Damaged { .. }
            | StoreError::Closed => false,
        }
    }

    /// What is wrong, for pages and probes: without paths and names.
    pub fn in_short(&self) -> &'static str {
        match self {
            StoreError::Sql(error) => error
                .as_database_error()
                .and_then(sqlx::error::DatabaseError::code)
                .map_or("the database does not answer", |code| trouble(&code)),
            StoreError::TimedOut { .. } => "the database does not answer in time",
            StoreError::LockLost | StoreError::Superseded => "another sloburn has the database",
            StoreError::Full => FULL,
            StoreError::Conflict { .. } | StoreError::Damaged { .. } | StoreError::Closed => {
                "the store cannot commit; see the log"
            }
        }
    }

    /// True if an index does not have what its table has.
    pub(super) fn is_index(&self) -> bool {
        let StoreError::Sql(error) = self else {
            return false;
        };
        error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .is_some_and(|code| code == CORRUPT_INDEX)
    }

    /// True if there was no space to write.
    pub(super) fn is_full(&self) -> bool {
        match self {
            StoreError::Full => true,
            StoreError::Sql(error) => is(error, FULL),
            _ => false,
        }
    }
}

/// `SQLITE_CORRUPT_INDEX`.
const CORRUPT_INDEX: &str = "779";
const FULL: &str = "the disk is full";
const LOCKED: &str = "another process holds the database locked";
const DAMAGED: &str = "the database is damaged";

/// What a code of SQLite (extended, decimal) or a SQLSTATE of PostgreSQL means to people.
fn trouble(code: &str) -> &'static str {
    match code {
        // SQLITE_FULL, SQLITE_IOERR_WRITE (a quota), SQLITE_IOERR_SHMSIZE; disk_full.
        "13" | "778" | "4874" | "53100" => FULL,
        // SQLITE_READONLY and its kinds, SQLITE_CANTOPEN; read_only_sql_transaction.
        "8" | "264" | "520" | "776" | "1032" | "1288" | "1544" | "14" | "25006" => {
            "the database is read-only"
        }
        // SQLITE_BUSY, SQLITE_BUSY_RECOVERY, SQLITE_BUSY_SNAPSHOT; lock_not_available.
        "5" | "261" | "517" | "55P03" => LOCKED,
        // SQLITE_CORRUPT and its kinds, SQLITE_NOTADB; data_corrupted, index_corrupted.
        "11" | "267" | "523" | "779" | "26" | "XX001" | "XX002" => DAMAGED,
        // SQLITE_IOERR_FSYNC and its kin.
        "10" | "266" | "522" | "1034" | "1290" | "1546" => "the disk fails",
        // query_canceled: by the statement timeout, or by hand.
        "57014" => "the database does not answer in time",
        // out_of_memory.
        "53200" => "the database server is out of memory; give it more, or fewer connections",
        // too_many_connections.
        "53300" => "the database has no connection left; raise its max_connections",
        // serialization_failure, deadlock_detected: its own transactions never do this to each other.
        "40001" | "40P01" => {
            "another program writes to the same rows; nothing but sloburn may write to its database"
        }
        // admin_shutdown, crash_shutdown, cannot_connect_now.
        "57P01" | "57P02" | "57P03" => "the database is stopping or starting",
        _ => "the store cannot commit; see the log",
    }
}
