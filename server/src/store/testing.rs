//! Stores for tests: SQLite in a directory that goes away, and a real PostgreSQL.
//!
//! The first test of a process that wants PostgreSQL starts a cluster of its own, reachable through a socket
//! in its directory only; it stops when the process ends, however that ends.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use secrecy::ExposeSecret as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

use super::{Location, Store};

/// Where one test keeps its store.
pub(crate) struct Place {
    pub(crate) location: Location,
    _directory: Option<TempDir>,
}

impl Place {
    pub(crate) fn sqlite() -> Place {
        let directory = tempfile::tempdir().unwrap();
        Place {
            location: Location::Directory(directory.path().to_owned()),
            _directory: Some(directory),
        }
    }

    /// A new, empty database.
    pub(crate) async fn postgres() -> Place {
        static DATABASES: AtomicU32 = AtomicU32::new(0);
        let cluster = Cluster::running();
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&cluster.url("postgres"))
            .await
            .unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}")))
            .execute(&mut connection)
            .await
            .unwrap();
        Place {
            location: Location::Postgres(cluster.url(&name).into()),
            _directory: None,
        }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.location).await.unwrap()
    }

    /// Runs a statement beside the store, as a decaying disk would; the number of rows that it changed.
    pub(crate) async fn change(&self, statement: &str) -> u64 {
        let sql = AssertSqlSafe(statement.to_owned());
        match &self.location {
            Location::Directory(directory) => {
                let file = directory.join("sloburn.db").display().to_string();
                let mut connection = sqlx::SqliteConnection::connect(&file).await.unwrap();
                let done = sqlx::query(sql).execute(&mut connection).await;
                done.unwrap().rows_affected()
            }
            Location::Postgres(url) => {
                let mut connection = PgConnection::connect(url.expose_secret()).await.unwrap();
                let done = sqlx::query(sql).execute(&mut connection).await;
                done.unwrap().rows_affected()
            }
        }
    }
}

struct Cluster {
    directory: PathBuf,
    /// Ends the server when its standard input ends, which this process holds.
    _script: Child,
}

/// `$1`: directory of the programs, `$2`: directory to make.
const SCRIPT: &str = r#"
"$1/initdb" -D "$2" -U postgres -A trust -E UTF8 --locale=C --no-sync >/dev/null &&
"$1/pg_ctl" -D "$2" -l "$2/log" -w start \
    -o "-k '$2' -c listen_addresses='' -c fsync=off -c max_connections=200" >/dev/null &&
echo running
exec 2>/dev/null
cat >/dev/null
"$1/pg_ctl" -D "$2" -m immediate stop >/dev/null
rm -rf "$2"
"#;

impl Cluster {
    fn running() -> &'static Cluster {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(Cluster::start)
    }

    fn start() -> Cluster {
        let programs = programs().expect(
            "PostgreSQL is not installed: `make test` installs it, or `apt-get install postgresql`",
        );
        let unique = tempfile::tempdir().unwrap();
        let name = unique.path().file_name().unwrap().to_str().unwrap();
        let directory = std::env::temp_dir().join(format!("sloburn-postgres{name}"));
        let mut child = shell()
            .args(["-c", SCRIPT, "sh"])
            .arg(programs)
            .arg(&directory)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "running\n", "PostgreSQL did not start");
        Cluster {
            directory,
            _script: child,
        }
    }

    fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@localhost/{database}?host={}",
            self.directory.display()
        )
    }
}

/// PostgreSQL refuses to run as root, so that root becomes Debian's `postgres` user.
fn shell() -> Command {
    let root = Path::new("/root").read_dir().is_ok();
    if !root {
        return Command::new("sh");
    }
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=postgres",
        "--regid=postgres",
        "--clear-groups",
        "sh",
    ]);
    command
}

/// Debian's newest, wherever it is kept.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = Path::new("/usr/lib/postgresql")
        .read_dir()
        .ok()?
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|programs| programs.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}
