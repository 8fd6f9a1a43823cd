//! Headless Chromium, driven through Debian's `ChromeDriver`.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::http;

/// From the first command to a driver's port.
const START: Duration = Duration::from_secs(30);

/// Whether pages may run scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    /// As browsers do by default.
    Run,
    /// Switched off in the browser's settings.
    Off,
}

/// One browser window with a profile of its own.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    endpoint: String,
    // The process, its output (held open: it would fail at its next word), and the browser's profile.
    _driver: (Child, BufReader<ChildStdout>, TempDir),
}

impl Browser {
    /// Opens a window whose viewport is `width` × `height` CSS pixels.
    pub async fn open(width: u32, height: u32, scripts: Scripts) -> Result<Browser> {
        let profile = tempfile::Builder::new()
            .prefix("sloburn-chromium-")
            .tempdir()?;
        let (port, driver, output) = tokio::time::timeout(START, driver()).await??;
        let endpoint = format!("http://127.0.0.1:{port}");
        http::client()?; // installs the TLS provider that the client below asks for
        let mut builder = ClientBuilder::rustls()?;
        if let Value::Object(map) = capabilities(profile.path(), width, height, scripts) {
            builder.capabilities(map);
        }
        let client = builder
            .connect(&endpoint)
            .await
            .context("Chromium did not start")?;
        Ok(Browser {
            client,
            endpoint,
            _driver: (driver, output, profile),
        })
    }

    /// Opens `url` and waits until it is loaded.
    pub async fn goto(&self, url: &str) -> Result<()> {
        self.client
            .goto(url)
            .await
            .with_context(|| format!("{url} did not load"))
    }

    /// Text of the first element that `css` selects, as a reader sees it.
    pub async fn text(&self, css: &str) -> Result<String> {
        match self.client.find(Locator::Css(css)).await {
            Ok(element) => Ok(element.text().await?),
            Err(problem) => {
                let (url, source) = (
                    self.client.current_url().await?,
                    self.client.source().await?,
                );
                Err(problem).with_context(|| format!("no `{css}` at {url} in {source}"))
            }
        }
    }

    /// What a script's function body returns. The driver can run one on a page that may not run its own.
    pub async fn evaluate(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// How many CSS pixels the page is wider than its window.
    pub async fn overflow(&self) -> Result<i64> {
        let script = "const e = document.documentElement; return e.scrollWidth - e.clientWidth;";
        self.evaluate(script).await?.as_i64().context("no width")
    }

    /// What the browser's console was told since the last call: errors and warnings, refusals by policy too.
    pub async fn complaints(&self) -> Result<Vec<String>> {
        let answer = self
            .extension("se/log", &json!({ "type": "browser" }))
            .await?;
        let entries = answer.as_array().context("no log")?;
        let told = |entry: &Value| format!("{} {}", entry["level"], entry["message"]);
        let mild = ["DEBUG", "INFO"];
        let severe = entries
            .iter()
            .filter(|entry| !mild.iter().any(|level| entry["level"] == *level));
        Ok(severe.map(told).collect())
    }

    /// The page from its top as a PNG picture: as wide as the window, and at most `tallest` CSS pixels high.
    pub async fn picture(&self, tallest: u32) -> Result<Vec<u8>> {
        let size = format!(
            "const e = document.documentElement; return [e.clientWidth, Math.min(e.scrollHeight, {tallest})];"
        );
        let size = self.evaluate(&size).await?;
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let options = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let body = json!({ "cmd": "Page.captureScreenshot", "params": options });
        let answer = self.extension("goog/cdp/execute", &body).await?;
        let data = answer["data"]
            .as_str()
            .with_context(|| format!("no picture: {answer}"))?;
        Ok(BASE64_STANDARD.decode(data)?)
    }

    /// Commands of `ChromeDriver` that the standard does not have.
    async fn extension(&self, command: &str, body: &Value) -> Result<Value> {
        let session = self.client.session_id().await?.context("no session")?;
        let url = format!("{}/session/{session}/{command}", self.endpoint);
        let mut answer: Value = http::client()?
            .post(url)
            .json(body)
            .send()
            .await?
            .json()
            .await?;
        Ok(answer["value"].take())
    }

    /// Ends the browser.
    pub async fn close(self) -> Result<()> {
        Ok(self.client.close().await?)
    }
}

/// A driver that listens, with its port and its output.
async fn driver() -> Result<(u16, Child, BufReader<ChildStdout>)> {
    loop {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("chromedriver did not start; `make setup` installs it")?;
        let mut output = BufReader::new(driver.stdout.take().context("its output is not piped")?);
        let mut told = String::new();
        while output.read_line(&mut told).await? > 0 {
            if let Some((_, port)) = told.rsplit_once("started successfully on port ") {
                let port = port.trim().trim_end_matches('.').parse()?;
                return Ok((port, driver, output));
            }
        }
        // It asks for any free port of IPv6 and then wants the same one of IPv4, where another process may listen.
        if !told.contains("IPv4 port not available") {
            anyhow::bail!("chromedriver ended without naming its port: {told}");
        }
    }
}

fn capabilities(profile: &Path, width: u32, height: u32, scripts: Scripts) -> Value {
    let javascript = match scripts {
        Scripts::Run => 1,
        Scripts::Off => 2,
    };
    json!({
        "browserName": "chrome",
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": {
            "binary": "/usr/bin/chromium",
            "args": [
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
                format!("--window-size={width},{height}"),
                format!("--user-data-dir={}", profile.display()),
            ],
            "prefs": { "profile.managed_default_content_settings.javascript": javascript },
            // A headless window is never narrower than 500 pixels; an emulated screen is.
            "mobileEmulation": {
                "deviceMetrics": { "width": width, "height": height, "pixelRatio": 1.0, "mobile": false }
            },
        },
    })
}
