//! A throwaway PostgreSQL server from Debian's packages.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::disk::Disk;
use crate::wait;

/// From `postgres` to its first accepted connection.
const START: Duration = Duration::from_secs(30);

/// A running cluster of one database, with its data in a directory that goes away with it.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    server: Child,
    directory: TempDir,
    /// Whom it runs as, when the tests run as root.
    user: Option<(u32, u32)>,
}

impl Postgres {
    /// Makes a cluster and starts it on a loopback port.
    pub async fn start() -> Result<Postgres> {
        let programs = programs()?;
        let directory = tempfile::Builder::new().prefix("sloburn-pg-").tempdir()?;
        // PostgreSQL refuses to run as root.
        let user = unprivileged(directory.path())?;
        if let Some((uid, gid)) = user {
            chown(directory.path(), Some(uid), Some(gid))?;
        }
        initialise(&programs, directory.path(), user).await?;
        // Free now; another process may take it before PostgreSQL does, so a few are tried.
        for _ in 0..5 {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            if let Some(server) = serve(&programs, directory.path(), user, port).await? {
                let cluster = Postgres {
                    port,
                    server,
                    directory,
                    user,
                };
                cluster.psql("postgres", "create database sloburn").await?;
                return Ok(cluster);
            }
        }
        let log = std::fs::read_to_string(directory.path().join("log")).unwrap_or_default();
        bail!("PostgreSQL did not start:\n{log}")
    }

    /// The database's URL.
    pub fn url(&self) -> String {
        format!("postgres://sloburn@127.0.0.1:{}/sloburn", self.port)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Runs SQL in `database`; answers its rows, one a line, columns separated by `|`.
    pub async fn psql(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = Command::new(programs()?.join("psql"));
        psql.args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "sloburn",
        ]);
        psql.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-d",
            database,
            "-c",
            sql,
        ]);
        let output = psql.stdin(Stdio::null()).output().await?;
        ensure!(
            output.status.success(),
            "psql: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Moves the database `sloburn`, which nobody uses yet, to a small disk of its own.
    pub async fn move_to_disk(&self, mebibytes: u32) -> Result<Disk> {
        let place = self.directory.path().join("small");
        let disk = Disk::mount(&place, mebibytes)?;
        if let Some((uid, gid)) = self.user {
            chown(&place, Some(uid), Some(gid))?;
        }
        let space = format!("create tablespace small location '{}'", place.display());
        self.psql("postgres", &space).await?;
        let moved = "alter database sloburn set tablespace small";
        self.psql("postgres", moved).await?;
        Ok(disk)
    }

    /// Ends the server as a crash would, and starts it again with its data and on its port.
    pub async fn restart(&mut self) -> Result<()> {
        let pid = self.server.id().context("PostgreSQL has ended")?;
        crate::sloburn::signal(pid, "QUIT").await?;
        self.server.wait().await?;
        let server = serve(&programs()?, self.directory.path(), self.user, self.port).await?;
        self.server = server.context("PostgreSQL did not start again")?;
        Ok(())
    }

    /// Stops the server, data kept by nobody.
    pub async fn stop(mut self) -> Result<()> {
        // "Immediate": its children end with it. SIGKILL would leave them behind.
        let pid = self.server.id().context("PostgreSQL has ended")?;
        crate::sloburn::signal(pid, "QUIT").await?;
        self.server.wait().await?;
        Ok(self.directory.close()?)
    }
}

async fn initialise(programs: &Path, directory: &Path, user: Option<(u32, u32)>) -> Result<()> {
    let mut initdb = as_user(&programs.join("initdb"), user);
    initdb.arg("--pgdata").arg(directory.join("data"));
    initdb.args([
        "--username",
        "sloburn",
        "--auth",
        "trust",
        "--encoding",
        "UTF8",
    ]);
    initdb
        .args(["--locale", "C", "--no-sync"])
        .current_dir(directory);
    let made = initdb.stdin(Stdio::null()).output().await?;
    ensure!(
        made.status.success(),
        "initdb: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    Ok(())
}

/// Starts the server and waits until it accepts connections; none when it ends instead.
async fn serve(
    programs: &Path,
    directory: &Path,
    user: Option<(u32, u32)>,
    port: u16,
) -> Result<Option<Child>> {
    let mut postgres = as_user(&programs.join("postgres"), user);
    postgres
        .arg("-D")
        .arg(directory.join("data"))
        .arg("-p")
        .arg(port.to_string());
    postgres
        .arg("-k")
        .arg(directory)
        .args(["-c", "listen_addresses=127.0.0.1"]);
    let log = std::fs::File::create(directory.join("log"))?;
    postgres
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true);
    let mut server = postgres.current_dir(directory).spawn()?;
    let up = wait::until("PostgreSQL accepts connections", START, async || {
        if server.try_wait()?.is_some() {
            return Ok(Some(false));
        }
        let mut probe = Command::new(programs.join("pg_isready"));
        probe.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
        Ok(probe.status().await?.success().then_some(true))
    });
    Ok(up.await?.then_some(server))
}

/// Where Debian puts the newest installed version's programs.
fn programs() -> Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
    {
        let path = entry?.path();
        let version = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        if let Some(version) = version.filter(|_| path.join("bin/initdb").is_file()) {
            found.push((version, path.join("bin")));
        }
    }
    found.sort();
    let newest = found
        .pop()
        .context("no PostgreSQL in /usr/lib/postgresql; `make setup` installs it")?;
    Ok(newest.1)
}

/// Ids of the user that PostgreSQL runs as when the tests run as root; none when they do not.
fn unprivileged(own: &Path) -> Result<Option<(u32, u32)>> {
    if std::fs::metadata(own)?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let ids = |wanted: &str| {
        users.lines().find_map(|line| {
            let fields: Vec<_> = line.split(':').collect();
            (fields.first() == Some(&wanted)).then_some(())?;
            Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
        })
    };
    Ok(Some(
        ids("postgres")
            .or_else(|| ids("nobody"))
            .context("no user to run PostgreSQL as")?,
    ))
}

fn as_user(program: &Path, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}
