//! A running `sloburn demo`.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{home, http, wait};

/// From the command to the announcement.
const START: Duration = Duration::from_mins(1);

/// A running demo; ended (SIGKILL) when dropped.
#[derive(Debug)]
pub struct Demo {
    child: Child,
    directory: TempDir,
    dashboards: String,
    inbox: String,
}

impl Demo {
    /// Starts the demo on ports that the system chooses, and waits until it says where to look.
    pub async fn start() -> Result<Demo> {
        let directory = tempfile::Builder::new().prefix("sloburn-demo-").tempdir()?;
        let said = directory.path().join("out");
        let mut command = Command::new(home::binary()?);
        command.arg("demo");
        for listener in ["otlp-grpc", "otlp-http", "web", "inbox"] {
            command
                .arg(format!("--{listener}-listen"))
                .arg("127.0.0.1:0");
        }
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir(directory.path());
        command.stdin(Stdio::null()).stdout(File::create(&said)?);
        command
            .stderr(File::create(directory.path().join("log"))?)
            .kill_on_drop(true);
        let child = command.spawn().context("the demo did not start")?;
        let mut demo = Demo {
            child,
            directory,
            dashboards: String::new(),
            inbox: String::new(),
        };
        (demo.dashboards, demo.inbox) = demo.announced(&said).await?;
        Ok(demo)
    }

    /// Address of a page of the dashboards.
    pub fn web(&self, path: &str) -> String {
        format!("{}{path}", self.dashboards)
    }

    /// Address of the inbox page.
    pub fn inbox(&self) -> String {
        self.inbox.clone()
    }

    /// The inbox page, as served.
    pub async fn read_inbox(&self) -> Result<String> {
        Ok(http::client()?
            .get(&self.inbox)
            .send()
            .await?
            .error_for_status()?
            .text()
            .await?)
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// SIGTERM, then waits for its end.
    pub async fn stop(mut self) -> Result<()> {
        let pid = self.child.id().context("the demo has ended")?;
        crate::sloburn::signal(pid, "TERM").await?;
        let ended = tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await;
        let ended = ended.with_context(|| format!("it did not stop: {}", self.log()))??;
        if !ended.success() {
            bail!("it ended with {ended}: {}", self.log());
        }
        Ok(())
    }

    async fn announced(&mut self, said: &Path) -> Result<(String, String)> {
        let child = &mut self.child;
        let found = wait::until("the demo says where to look", START, async || {
            let text = std::fs::read_to_string(said)?;
            if let (Some(on_call), Some(inbox)) =
                (address(&text, "On-call"), address(&text, "Inbox"))
            {
                let dashboards = on_call
                    .strip_suffix("/oncall")
                    .context("not the on-call page")?;
                return Ok(Some(Some((dashboards.to_owned(), inbox))));
            }
            Ok(child.try_wait()?.map(|_| None))
        });
        found
            .await?
            .with_context(|| format!("the demo ended: {}", self.log()))
    }
}

/// The first URL on the whole line that begins with `label`.
fn address(text: &str, label: &str) -> Option<String> {
    let whole = text.rsplit_once('\n')?.0;
    let line = whole
        .lines()
        .find(|line| line.trim_start().starts_with(label))?;
    line.split_whitespace()
        .find(|word| word.starts_with("http://"))
        .map(str::to_owned)
}
