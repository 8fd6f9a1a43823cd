//! What one sloburn needs on disk: specs, configuration, data, logs; kept over restarts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use crate::inbox::Inbox;
use crate::sloburn::{Listeners, Sloburn};

/// How long a command that should end by itself may take.
const COMMAND: Duration = Duration::from_mins(1);

/// A directory with everything one sloburn is started with. Started again from the same home, it listens on the
/// same ports, so that senders find it again.
#[derive(Debug)]
pub struct Home {
    directory: TempDir,
    database_url: Option<String>,
    environment: BTreeMap<String, String>,
    open_files: Option<u32>,
    listeners: OnceLock<Listeners>,
}

impl Home {
    /// An empty home: no specs, a configuration without receivers, SQLite in its `data`.
    pub fn new() -> Result<Home> {
        let directory = tempfile::Builder::new().prefix("sloburn-test-").tempdir()?;
        std::fs::create_dir(directory.path().join("specs"))?;
        std::fs::write(directory.path().join("sloburn.toml"), "")?;
        Ok(Home {
            directory,
            database_url: None,
            environment: BTreeMap::new(),
            open_files: None,
            listeners: OnceLock::new(),
        })
    }

    /// The same, with its data in the PostgreSQL database at `url`.
    #[must_use]
    pub fn on_postgres(mut self, url: &str) -> Home {
        self.database_url = Some(url.to_owned());
        self
    }

    /// Writes (or overwrites) the spec file `name`.
    pub fn spec(&self, name: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.specs().join(name), text)?)
    }

    /// Writes (or overwrites) `sloburn.toml`.
    pub fn config(&self, text: &str) -> Result<()> {
        Ok(std::fs::write(self.path().join("sloburn.toml"), text)?)
    }

    /// Sets an environment variable of the processes started from here.
    pub fn env(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Makes `inbox` a receiver of the sloburn started from here, beside those that it has.
    pub fn deliver_to(&mut self, name: &str, inbox: &Inbox) -> Result<()> {
        let secret = format!("{}_SECRET", name.to_uppercase());
        self.env(&secret, &inbox.secret());
        let path = self.path().join("sloburn.toml");
        let receiver = format!(
            "[[receivers]]
name = \"{name}\"
kind = \"webhook\"
url = \"{}\"
secret = \"env:{secret}\"
severities = [\"page\", \"ticket\"]
allow_private = true
",
            inbox.url()
        );
        self.config(&(std::fs::read_to_string(path)? + &receiver))
    }

    /// Lets the processes started from here open so many files and sockets at most.
    pub fn open_files(&mut self, most: u32) {
        self.open_files = Some(most);
    }

    /// The home's directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The directory of the specs.
    pub fn specs(&self) -> PathBuf {
        self.path().join("specs")
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// The file that all standard error of servers started here goes to.
    pub fn log(&self) -> PathBuf {
        self.path().join("log")
    }

    /// Starts `sloburn serve` and waits until it is ready.
    pub async fn start(&self) -> Result<Sloburn> {
        let known = self.listeners.get().copied();
        let sloburn = Sloburn::start(self.serve(known), &self.log()).await?;
        self.listeners.get_or_init(|| sloburn.listeners());
        Ok(sloburn)
    }

    /// Runs `sloburn serve` where it must refuse to start; fails when it does not end.
    pub async fn refuse_to_start(&self, more: &[&str]) -> Result<Output> {
        let mut command = self.serve(None);
        command.args(more);
        finish(command).await
    }

    /// Starts `sloburn serve` where a planned fault may end it before it is ready: then none.
    pub async fn start_or_die(&self) -> Result<Option<Sloburn>> {
        let known = self.listeners.get().copied();
        let started = Sloburn::start_or_die(self.serve(known), &self.log()).await?;
        if let Some(sloburn) = &started {
            self.listeners.get_or_init(|| sloburn.listeners());
        }
        Ok(started)
    }

    /// The same, told to listen on these addresses.
    pub async fn refuse_to_listen(&self, listeners: Listeners) -> Result<Output> {
        finish(self.serve(Some(listeners))).await
    }

    /// Runs `sloburn` with `arguments` to its end.
    pub async fn run(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command()?;
        command.args(arguments);
        finish(command).await
    }

    /// The command line of `sloburn serve`; without known listeners on ports that the system chooses.
    pub fn serve(&self, known: Option<Listeners>) -> Command {
        let known = known.unwrap_or(Listeners::ANY);
        // A missing binary is told when the command is spawned.
        let mut command = self
            .command()
            .unwrap_or_else(|_| Command::new("sloburn-is-not-built"));
        command
            .arg("serve")
            .arg("--config")
            .arg(self.path().join("sloburn.toml"));
        command.arg("--specs").arg(self.specs());
        match &self.database_url {
            Some(url) => command.arg("--database-url").arg(url),
            None => command.arg("--data").arg(self.data()),
        };
        command
            .arg("--otlp-grpc-listen")
            .arg(known.grpc.to_string());
        command
            .arg("--otlp-http-listen")
            .arg(known.http.to_string());
        command.arg("--web-listen").arg(known.web.to_string());
        command
    }

    fn command(&self) -> Result<Command> {
        let mut command = match self.open_files {
            None => Command::new(binary()?),
            Some(most) => {
                let mut shell = Command::new("sh");
                let script = format!("ulimit -n {most} && exec \"$0\" \"$@\"");
                shell.arg("-c").arg(script).arg(binary()?);
                shell
            }
        };
        // Only what is set here: a developer's own SLOBURN_… or OTEL_… must not change a test.
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs(&self.environment);
        command
            .current_dir(self.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        Ok(command)
    }
}

/// The `sloburn` binary of this build: beside this one, or beside the directory that test executables are in.
pub fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe().context("the test does not know its own path")?;
    let directory = own.parent().context("the test is in no directory")?;
    let profile = if directory.ends_with("deps") {
        directory.join("..")
    } else {
        directory.into()
    };
    let path = profile.join("sloburn");
    ensure!(
        path.is_file(),
        "{} is not built; `make test` builds it, as does `cargo build -p server --bin sloburn`",
        path.display()
    );
    Ok(path)
}

async fn finish(mut command: Command) -> Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    tokio::time::timeout(COMMAND, command.output())
        .await
        .with_context(|| format!("{command:?} did not end within {COMMAND:?}"))?
        .with_context(|| format!("{command:?} did not start"))
}
