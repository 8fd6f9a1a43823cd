//! PostgreSQL: how it is opened, how one process keeps it to itself, and how a write begins. The statements
//! are those of SQLite too.
//!
//! All writes go over one connection, and that connection holds an advisory lock on the database: as long as
//! a write can be made, the lock is held. When the connection is lost, the next write connects anew, takes
//! the lock again, and looks whether another process was there meanwhile (the epoch). A connection pooler in
//! transaction mode between us and the server would break this; one in session mode does not.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection as _};

use super::damage::Noted;
use super::error::{OpenError, StoreError};

pub(super) type Db = sqlx::Postgres;
pub(super) type Connection = PgConnection;

#[expect(
    clippy::duplicate_mod,
    reason = "the same statements, compiled for each database"
)]
#[path = "statements/mod.rs"]
pub(super) mod statements;

const BEGIN: &str = "begin";
/// PostgreSQL's sequences are safe by themselves.
const CONTINUE_JOURNAL: &str = "";
const HAS_MIGRATIONS: &str = "select count(*) from pg_tables where tablename = '_sqlx_migrations' and schemaname = current_schema()";
/// `sloburn` in ASCII.
const ADVISORY_LOCK: i64 = 0x73_6c_6f_62_75_72_6e;
/// The server may need a moment to notice that the last holder is gone.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
const LOCK_RETRY: Duration = Duration::from_millis(100);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 8;
/// Session settings: no statement takes long, and a server that loses sight of us lets the lock go in half a minute.
/// One process writes: what other isolation levels would refuse for the sake of others is no conflict here.
const SESSION: [(&str, &str); 7] = [
    ("default_transaction_isolation", "read committed"),
    ("statement_timeout", "5s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// Whatever the database is set to, and will be: a commit is answered when it is on the disk. What waits for more
/// than that (standbys) stays.
const KEEP_WHAT_IS_COMMITTED: &str = "select set_config('synchronous_commit', \
     case current_setting('synchronous_commit') when 'off' then 'on' else current_setting('synchronous_commit') end, false)";

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/postgres");

/// An open database.
#[derive(Debug)]
pub(super) struct Engine {
    writer: statements::Writer,
    pub(super) readers: PgPool,
    options: PgConnectOptions,
    pub(super) noted: Noted,
    /// Number of this opening; another number in the database means that another process was there.
    epoch: i64,
}

impl Engine {
    pub(super) async fn open(url: &SecretString) -> Result<Engine, OpenError> {
        let options = parse(url)?
            .application_name("sloburn")
            .options(SESSION)
            .disable_statement_logging();
        let place = place(&options);
        let failed = |source| OpenError::Connect {
            place: place.clone(),
            source,
        };
        let mut connection = connect(&options).await.map_err(failed)?;
        if !lock(&mut connection).await.map_err(failed)? {
            return Err(OpenError::DatabaseInUse { database: place });
        }
        set_statement_timeout(&mut connection, "0")
            .await
            .map_err(failed)?;
        statements::meta::migrate(&mut connection, &MIGRATOR, &place).await?;
        set_statement_timeout(&mut connection, "5s")
            .await
            .map_err(failed)?;
        let epoch = statements::meta::take_epoch(&mut connection)
            .await
            .map_err(failed)?;
        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_lazy_with(options.clone());
        Ok(Engine {
            writer: statements::Writer::new(connection),
            readers,
            options,
            noted: Noted::default(),
            epoch,
        })
    }

    /// Opens a database that another process may be using, to read what it has committed.
    pub(super) async fn open_to_read(url: &SecretString) -> Result<Engine, OpenError> {
        let options = parse(url)?
            .application_name("sloburn (reading)")
            .options(SESSION)
            .options([("default_transaction_read_only", "on")])
            .disable_statement_logging();
        let place = place(&options);
        let failed = |source| OpenError::Connect {
            place: place.clone(),
            source,
        };
        let mut connection = connect(&options).await.map_err(failed)?;
        statements::meta::expect_schema(&mut connection, &MIGRATOR, &place).await?;
        connection.close().await.map_err(failed)?;
        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_lazy_with(options.clone());
        Ok(Engine {
            writer: statements::Writer::refusing(),
            readers,
            options,
            noted: Noted::default(),
            epoch: 0,
        })
    }

    /// A new writer connection, with the lock, unless another process was or is there.
    async fn connect_writer(&self) -> Result<PgConnection, StoreError> {
        let mut connection = connect(&self.options).await?;
        if !lock(&mut connection).await? {
            return Err(StoreError::LockLost);
        }
        if last_epoch(&mut connection).await? != self.epoch {
            return Err(StoreError::Superseded);
        }
        tracing::info!("the PostgreSQL connection was lost and is back, with the lock");
        Ok(connection)
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        if let Some(connection) = self.writer.close().await
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the store was not closed cleanly; nothing is lost");
        }
    }
}

fn parse(url: &SecretString) -> Result<PgConnectOptions, OpenError> {
    let url = url.expose_secret();
    // The driver takes any scheme.
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(OpenError::Url);
    }
    // Its error may quote the URL, and with it a password.
    url.parse().map_err(|_| OpenError::Url)
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connecting = async {
        let mut connection = options.connect().await?;
        sqlx::raw_sql(KEEP_WHAT_IS_COMMITTED)
            .execute(&mut connection)
            .await?;
        Ok(connection)
    };
    tokio::time::timeout(CONNECT_TIMEOUT, connecting)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// True if the lock is ours; false if another process held it all the while.
async fn lock(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let deadline = tokio::time::Instant::now() + LOCK_PATIENCE;
    loop {
        let ours = sqlx::query_scalar("select pg_try_advisory_lock($1)")
            .bind(ADVISORY_LOCK)
            .fetch_one(&mut *connection)
            .await?;
        if ours || tokio::time::Instant::now() >= deadline {
            return Ok(ours);
        }
        tokio::time::sleep(LOCK_RETRY).await;
    }
}

/// The number of the last opening, by whichever process.
async fn last_epoch(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select value from meta where name = 'epoch'")
        .fetch_one(connection)
        .await
}

async fn set_statement_timeout(
    connection: &mut PgConnection,
    value: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("select set_config('statement_timeout', $1, false)")
        .bind(value)
        .execute(connection)
        .await?;
    Ok(())
}

/// The database as messages name it: no user, no password.
fn place(options: &PgConnectOptions) -> String {
    let database = options
        .get_database()
        .unwrap_or_else(|| options.get_username());
    format!("{}:{}/{database}", options.get_host(), options.get_port())
}
