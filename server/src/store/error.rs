//! What can go wrong with the store.

use std::path::PathBuf;

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
    /// The schema there is not what this program's migrations make.
    #[error("cannot bring the schema of the store in `{place}` up to date")]
    Migrate {
        /// Directory or database.
        place: String,
        /// What the migration said.
        source: sqlx::migrate::MigrateError,
    },
    /// The database does not let us in, or is not one.
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
    /// The database said no or did not answer; the next call connects anew.
    #[error("the store failed")]
    Sql(#[from] sqlx::Error),
    /// No answer in time; the next call connects anew.
    #[error("the store did not answer within {seconds} seconds")]
    TimedOut {
        /// How long was waited.
        seconds: u64,
    },
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
            StoreError::Sql(_) | StoreError::TimedOut { .. } | StoreError::LockLost => true,
            StoreError::Conflict { .. }
            | StoreError::Superseded
            | StoreError::Damaged { .. }
            | StoreError::Closed => false,
        }
    }
}
