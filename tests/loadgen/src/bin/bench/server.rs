//! A server under measurement: sloburn itself, or one that receives and drops.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Longest wait for a server to be ready.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running server; ended by force when dropped.
pub struct Server {
    child: Child,
    said: String,
}

/// Seconds of one measurement.
#[derive(Clone, Copy)]
pub struct Times {
    /// Load before it, not measured.
    pub warmup: u32,
    pub seconds: u32,
    /// Waiting after the last answer, so that work in the background is counted.
    pub settle: u32,
}

impl Times {
    /// The same with another warm-up.
    pub fn with_warmup(self, warmup: u32) -> Times {
        Times { warmup, ..self }
    }
}

impl Server {
    /// Starts sloburn on SQLite, and waits until it is ready.
    pub fn sloburn(binary: &Path, specs: &Path, data: &Path) -> Result<Server> {
        let mut command = Command::new(binary);
        command.arg("serve").arg("--specs").arg(specs);
        command.arg("--data").arg(data);
        for port in ["otlp-grpc", "otlp-http", "web"] {
            command.args([&format!("--{port}-listen"), "127.0.0.1:0"]);
        }
        let server = Server::start(command)?;
        server.ready()?;
        Ok(server)
    }

    /// Starts this program again as the server that receives and drops.
    pub fn sink() -> Result<Server> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(crate::sink::COMMAND);
        Server::start(command)
    }

    fn start(mut command: Command) -> Result<Server> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{command:?} did not start"))?;
        let mut output = BufReader::new(child.stdout.take().context("no output")?).lines();
        let said = output
            .find_map(|line| line.ok()?.strip_prefix("listening ").map(str::to_owned))
            .context("the server did not say where it listens")?;
        // Whatever else it says is of no interest, but must not fill the pipe.
        std::thread::spawn(move || output.for_each(drop));
        Ok(Server { child, said })
    }

    /// Its process id.
    pub fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Waits until `/readyz` says so.
    fn ready(&self) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self
                .get("/readyz")
                .is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        bail!("the server was not ready in {PATIENCE:?}")
    }

    /// Series that it knows, from its `/metrics`.
    pub fn series(&self) -> Result<u64> {
        let metrics = self.get("/metrics")?;
        let value = metrics
            .lines()
            .find_map(|line| line.strip_prefix("sloburn_series "))
            .context("no sloburn_series in /metrics")?;
        Ok(value.trim().parse()?)
    }

    /// Spans and points that objectives used: a load that nothing judges would be cheap.
    pub fn counted(&self) -> Result<u64> {
        let metrics = self.get("/metrics")?;
        let counted = metrics.lines().filter(|line| {
            line.starts_with("sloburn_receive_items_total") && line.contains("class=\"counted\"")
        });
        let values = counted.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        Ok(values.sum())
    }

    fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.place("web")?)?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn place(&self, name: &str) -> Result<&str> {
        self.said
            .split(' ')
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
            .with_context(|| format!("no {name} in `{}`", self.said))
    }

    /// Loads it with the generator, 64 requests in flight; what that says.
    pub fn load(&self, options: &[String], times: Times) -> Result<Value> {
        let http = options.iter().any(|option| option.starts_with("http"));
        let generator = std::env::current_exe()?.with_file_name("loadgen");
        let output = Command::new(generator)
            .args([
                "--target",
                self.place(if http { "otlp-http" } else { "otlp-grpc" })?,
            ])
            .args(options)
            .args(["--connections", "4", "--streams", "16", "--threads", "1"])
            .args(["--warmup", &times.warmup.to_string()])
            .args(["--duration", &times.seconds.to_string()])
            .args(["--settle", &times.settle.to_string()])
            .args(["--server-pid", &self.pid()])
            .stderr(Stdio::inherit())
            .output()?;
        let said = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "the load was not accepted: {said}");
        let run: Value = serde_json::from_str(&said)?;
        ensure!(
            run["errors"] == 0 && run["rejected"] == 0 && run["throttled"] == 0,
            "not all was accepted: {run}"
        );
        Ok(run)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
