//! A running `sloburn serve`.

use std::fs::{File, OpenOptions};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

use crate::api::{Slo, Slos};
use crate::{http, wait};

/// From the command to `/readyz`. A debug build on a busy machine, with data to load.
const START: Duration = Duration::from_mins(1);

/// From SIGTERM to the end: sloburn promises 10 s.
const STOP: Duration = Duration::from_secs(15);

/// Where a sloburn listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listeners {
    /// OTLP over gRPC.
    pub grpc: SocketAddr,
    /// OTLP over HTTP.
    pub http: SocketAddr,
    /// Web and API.
    pub web: SocketAddr,
}

impl Listeners {
    /// Free loopback ports, chosen by the system.
    pub const ANY: Listeners = {
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Listeners {
            grpc: any,
            http: any,
            web: any,
        }
    };
}

/// A running server; ended (SIGKILL) when dropped.
#[derive(Debug)]
pub struct Sloburn {
    child: Child,
    listeners: Listeners,
    log: PathBuf,
}

impl Sloburn {
    /// Starts `command` with its standard error appended to `log`, reads where it listens, and waits until it is ready.
    pub async fn start(command: Command, log: &Path) -> Result<Sloburn> {
        let mut sloburn = Sloburn::spawn(command, log)?;
        match sloburn.settle(&log.with_extension("out")).await {
            Ok(()) => Ok(sloburn),
            Err(problem) => {
                Err(problem.context(format!("sloburn did not start; {}", sloburn.told())))
            }
        }
    }

    fn spawn(mut command: Command, log: &Path) -> Result<Sloburn> {
        let child = command
            .stdout(File::create(log.with_extension("out"))?)
            .stderr(append(log)?)
            .spawn()
            .with_context(|| format!("{command:?} did not start"))?;
        Ok(Sloburn {
            child,
            listeners: Listeners::ANY,
            log: log.to_owned(),
        })
    }

    /// The same, where a planned fault may end it before it is ready: then none.
    pub async fn start_or_die(command: Command, log: &Path) -> Result<Option<Sloburn>> {
        let mut sloburn = Sloburn::spawn(command, log)?;
        let output = log.with_extension("out");
        match sloburn.settle(&output).await {
            Ok(()) => Ok(Some(sloburn)),
            Err(_) if sloburn.ended()?.is_some_and(killed) => Ok(None),
            Err(problem) => {
                Err(problem.context(format!("sloburn did not start; {}", sloburn.told())))
            }
        }
    }

    async fn settle(&mut self, output: &Path) -> Result<()> {
        let child = &mut self.child;
        let said = wait::until("sloburn says where it listens", START, async || {
            if let Some(listeners) = announced(&std::fs::read_to_string(output)?)? {
                return Ok(Some(Ok(listeners)));
            }
            Ok(child.try_wait()?.map(Err))
        });
        self.listeners = match said.await? {
            Ok(listeners) => listeners,
            Err(ended) => bail!("it ended without saying where it listens: {ended}"),
        };
        wait::until("sloburn is ready", START, async || {
            if let Some(ended) = self.ended()? {
                return Ok(Some(Err(ended)));
            }
            Ok((self.get("/readyz").await?.0 == 200).then_some(Ok(())))
        })
        .await?
        .or_else(|ended| bail!("it ended before it was ready: {ended}"))
    }

    /// Where it listens.
    pub fn listeners(&self) -> Listeners {
        self.listeners
    }

    /// Endpoint of OTLP over gRPC.
    pub fn grpc(&self) -> String {
        format!("http://{}", self.listeners.grpc)
    }

    /// Endpoint of OTLP over HTTP, without a path.
    pub fn http(&self) -> String {
        format!("http://{}", self.listeners.http)
    }

    /// Address of a page or of the API.
    pub fn web(&self, path: &str) -> String {
        format!("http://{}{path}", self.listeners.web)
    }

    /// Status and body of a page or of the API.
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        let response = http::client()?.get(self.web(path)).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// Every objective, as of the last tick.
    pub async fn slos(&self) -> Result<Slos> {
        Slos::parse(&self.get("/api/v1/slos").await?.1)
    }

    /// Waits until the objective `name` satisfies `condition`.
    pub async fn slo_that(&self, name: &str, condition: impl Fn(&Slo) -> bool) -> Result<Slo> {
        let mut seen = None;
        let found = wait::until(&format!("objective `{name}`"), wait::TICKS, async || {
            let slo = self.slos().await?.named(name)?.clone();
            seen = Some(slo.clone());
            Ok(condition(&slo).then_some(slo))
        })
        .await;
        found.with_context(|| format!("it was last {seen:?}; {}", self.told()))
    }

    /// The process id.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().context("sloburn has ended")
    }

    /// Sends a signal, named as `kill` names it.
    pub async fn signal(&self, name: &str) -> Result<()> {
        signal(self.pid()?, name).await
    }

    /// How it ended; none while it runs.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// SIGTERM, then waits for its end.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.signal("TERM").await?;
        let ended = tokio::time::timeout(STOP, self.child.wait()).await;
        Ok(ended
            .with_context(|| format!("sloburn did not stop within {STOP:?}; {}", self.told()))??)
    }

    /// SIGKILL, then waits for its end.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// The end of its log, for a failing test to show.
    pub fn told(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        format!(
            "its log ends:\n{}",
            lines[lines.len().saturating_sub(40)..].join("\n")
        )
    }
}

/// Whether a process ended by SIGKILL.
pub fn killed(ended: ExitStatus) -> bool {
    ended.signal() == Some(9)
}

/// Sends a signal, named as `kill` names it, to a process.
pub async fn signal(pid: u32, name: &str) -> Result<()> {
    let status = Command::new("sh")
        .args([
            "-c",
            "kill -s \"$1\" \"$2\"",
            "kill",
            name,
            &pid.to_string(),
        ])
        .status()
        .await?;
    if !status.success() {
        bail!("process {pid} took no SIG{name}");
    }
    Ok(())
}

/// The listeners in what a server said on standard output; none while the line is not whole.
fn announced(said: &str) -> Result<Option<Listeners>> {
    let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let Some(places) = whole
        .lines()
        .find_map(|line| line.strip_prefix("listening "))
    else {
        return Ok(None);
    };
    let place = |name: &str| -> Result<SocketAddr> {
        let found = places
            .split(' ')
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        Ok(found
            .with_context(|| format!("no {name} in `{places}`"))?
            .parse()?)
    };
    Ok(Some(Listeners {
        grpc: place("otlp-grpc")?,
        http: place("otlp-http")?,
        web: place("web")?,
    }))
}

fn append(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.with_context(|| format!("{} cannot be written", path.display()))
}
