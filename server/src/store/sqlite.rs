//! SQLite: how it is opened and how a write begins. The statements are those of PostgreSQL too.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection as _};

use super::damage::Noted;
use super::error::{OpenError, StoreError};
use super::room::Room;

pub(super) type Db = sqlx::Sqlite;
pub(super) type Connection = SqliteConnection;

#[expect(
    clippy::duplicate_mod,
    reason = "the same statements, compiled for each database"
)]
#[path = "statements/mod.rs"]
pub(super) mod statements;

/// Takes the write lock at once, so that a transaction never fails half way for want of it.
const BEGIN: &str = "begin immediate";
/// SQLite keeps the last number that it gave out in a table of its own.
const CONTINUE_JOURNAL: &str = "\
    update sqlite_sequence set seq = (select value from meta where name = 'folded') \
    where name = 'journal' and seq < (select value from meta where name = 'folded'); \
    insert into sqlite_sequence (name, seq) select 'journal', value from meta \
    where name = 'folded' and not exists (select 1 from sqlite_sequence where name = 'journal')";
const HAS_MIGRATIONS: &str = "select count(*) from sqlite_master where name = '_sqlx_migrations'";
const FILE: &str = "sloburn.db";
const LOG_FILE: &str = "sloburn.db-wal";
const LOCK_FILE: &str = "lock";
/// Readers wait for nobody in WAL mode; a few serve the pages, the evaluator and the workers.
const READERS: u32 = 4;
/// Of a new database. Commits are large: with SQLite's 4 KiB each is many pages, and as many system calls.
const PAGE_BYTES: u32 = 16 << 10;
/// The log is copied into the file when it is so long: a disk that is nearly full must have room for it.
const LOG_BYTES: u32 = 4 << 20;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// By one process.
const MOST_REINDEXED: u32 = 5;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/sqlite");

/// An open data directory.
#[derive(Debug)]
pub(super) struct Engine {
    writer: statements::Writer,
    pub(super) readers: SqlitePool,
    options: SqliteConnectOptions,
    pub(super) noted: Noted,
    pub(super) room: Room,
    /// The lock on the directory; the system lets go of it when the process ends, however it ends. It is empty
    /// unless a process has the directory, or had it and did not close. None if the store is only read.
    lock: Option<File>,
    /// How often the indexes were made anew.
    reindexed: AtomicU32,
    /// The process before this one did not close.
    unclean: bool,
    /// Commits of it that the log cannot give back, and when it was last written to (Unix seconds).
    lost: Option<(usize, i64)>,
}

impl Engine {
    pub(super) async fn open(directory: &Path) -> Result<Engine, OpenError> {
        let lock = lock(directory)?;
        let unclean = mark(&lock);
        // Before SQLite takes up the log.
        let lost = if unclean { lost(directory) } else { None };
        let options = SqliteConnectOptions::new()
            .filename(directory.join(FILE))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .page_size(PAGE_BYTES)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("wal_autocheckpoint", log_pages(directory).to_string())
            .pragma("journal_size_limit", "67108864")
            // Statement journals of multi-row inserts would else be files, made and deleted for each.
            .pragma("temp_store", "memory")
            .disable_statement_logging();
        let place = directory.join(FILE).display().to_string();
        let connect = |source| OpenError::connect(&place, source);
        let mut connection = options.connect().await.map_err(connect)?;
        statements::meta::migrate(&mut connection, &MIGRATOR, &place).await?;
        statements::meta::take_epoch(&mut connection)
            .await
            .map_err(connect)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY_TIMEOUT)
            .connect_with(options.clone().create_if_missing(false).read_only(true))
            .await
            .map_err(connect)?;
        Ok(Engine {
            writer: statements::Writer::new(connection),
            readers,
            options,
            noted: Noted::default(),
            room: Room::keep(directory),
            lock: Some(lock),
            reindexed: AtomicU32::new(0),
            unclean,
            lost,
        })
    }

    /// Opens a data directory that another process may be using, to read what it has committed. Nothing is
    /// written, and nobody waits for it.
    pub(super) async fn open_to_read(directory: &Path) -> Result<Engine, OpenError> {
        let place = directory.join(FILE).display().to_string();
        if !directory.join(FILE).exists() {
            let place = directory.display().to_string();
            return Err(OpenError::Absent { place });
        }
        let options = SqliteConnectOptions::new()
            .filename(directory.join(FILE))
            .create_if_missing(false)
            .read_only(true)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let refused = match reading(options.clone(), &place).await {
            Ok(readers) => return Ok(Engine::of_readers(directory, options, readers)),
            Err(error) => error,
        };
        // In a directory that may not be written the log's index cannot be made; without a log none is needed.
        if directory.join(LOG_FILE).exists() {
            return Err(refused);
        }
        let options = options.immutable(true);
        match reading(options.clone(), &place).await {
            Ok(readers) => Ok(Engine::of_readers(directory, options, readers)),
            Err(_) => Err(refused),
        }
    }

    fn of_readers(directory: &Path, options: SqliteConnectOptions, readers: SqlitePool) -> Engine {
        Engine {
            writer: statements::Writer::refusing(),
            readers,
            options,
            noted: Noted::default(),
            room: Room::none(directory),
            lock: None,
            reindexed: AtomicU32::new(0),
            unclean: false,
            lost: None,
        }
    }

    /// A new writer connection, after an error made the last one doubtful.
    async fn connect_writer(&self) -> Result<SqliteConnection, StoreError> {
        Ok(self.options.connect().await?)
    }

    /// Readers first: the last connection to close writes the log back, and readers may not write.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        if let Some(connection) = self.writer.close().await
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the store was not closed cleanly; nothing is lost");
        } else if let Some(Err(error)) = self.lock.as_ref().map(|lock| lock.set_len(0)) {
            tracing::warn!(%error, "the next start will look as if this process had crashed");
        }
    }

    /// Whether the process before this one did not close.
    pub(super) fn was_unclean(&self) -> bool {
        self.unclean
    }

    /// Commits of the last process that are lost, and when it last wrote (Unix seconds).
    pub(super) fn lost(&self) -> Option<(usize, i64)> {
        self.lost
    }

    /// Empties the log, so that what is damaged in it is not found again.
    pub(super) async fn restart_log(&self) -> Result<(), StoreError> {
        let mut connection = self.options.connect().await?;
        sqlx::raw_sql("pragma wal_checkpoint(truncate)")
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        Ok(())
    }

    /// Makes all indexes anew from their tables, so that a write that failed for one of them can be made again; false
    /// if that failed, or was done too often.
    pub(super) async fn make_indexes(&self) -> bool {
        if self.reindexed.fetch_add(1, Ordering::Relaxed) >= MOST_REINDEXED {
            return false;
        }
        tracing::error!("an index of the database is damaged; all are made anew");
        let made = async {
            let mut connection = self.options.connect().await?;
            sqlx::raw_sql("reindex").execute(&mut connection).await?;
            connection.close().await
        };
        made.await
            .inspect_err(|error| tracing::error!(%error, "the indexes cannot be made"))
            .is_ok()
    }

    /// Reads the whole file and says what is wrong with its structure; nothing if it is sound.
    pub(super) async fn check(&self) -> Result<Vec<String>, StoreError> {
        let options = self
            .options
            .clone()
            .create_if_missing(false)
            .read_only(true);
        let mut connection = options.connect().await?;
        let said: Vec<String> = sqlx::query_scalar("pragma quick_check(20)")
            .fetch_all(&mut connection)
            .await?;
        connection.close().await?;
        Ok(said.into_iter().filter(|line| line != "ok").collect())
    }
}

/// As many pages as the log may have: those of an existing database are as large as they were made.
fn log_pages(directory: &Path) -> u32 {
    let mut header = [0; 18];
    let read = File::open(directory.join(FILE)).and_then(|mut file| file.read_exact(&mut header));
    let page_bytes = match (read, u16::from_be_bytes([header[16], header[17]])) {
        (Err(_), _) => PAGE_BYTES,
        (Ok(()), 1) => 64 << 10,
        (Ok(()), bytes) => u32::from(bytes),
    };
    LOG_BYTES / page_bytes.max(512)
}

/// Connections that only read, to a database of this program's schema.
async fn reading(options: SqliteConnectOptions, place: &str) -> Result<SqlitePool, OpenError> {
    let connect = |source| OpenError::connect(place, source);
    let mut connection = options.connect().await.map_err(connect)?;
    statements::meta::expect_schema(&mut connection, &MIGRATOR, place).await?;
    connection.close().await.map_err(connect)?;
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(BUSY_TIMEOUT)
        .connect_with(options)
        .await
        .map_err(connect)
}

fn lost(directory: &Path) -> Option<(usize, i64)> {
    let log = directory.join(LOG_FILE);
    let commits = super::wal::lost_commits(&log);
    let written = fs::metadata(&log).ok()?.modified().ok()?;
    let written = written.duration_since(std::time::UNIX_EPOCH).ok()?;
    let written_s = i64::try_from(written.as_secs()).ok()?;
    (commits > 0).then_some((commits, written_s))
}

/// Marks the lock as in use; true if it was, by a process that is gone.
fn mark(mut lock: &File) -> bool {
    let unclean = lock.metadata().is_ok_and(|file| file.len() > 0);
    // On a full disk a crash may look like a clean end: the check it asks for finds nothing that reads do not.
    if let Err(error) = lock.write_all(b"in use\n") {
        tracing::warn!(%error, "the lock of the data directory cannot be marked");
    }
    unclean
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let unwritable = |source| OpenError::Unwritable {
        directory: PathBuf::from(directory),
        source,
    };
    fs::create_dir_all(directory).map_err(unwritable)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join(LOCK_FILE))
        .map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::DirectoryInUse {
            directory: PathBuf::from(directory),
        }),
        Err(TryLockError::Error(source)) => Err(unwritable(source)),
    }
}
