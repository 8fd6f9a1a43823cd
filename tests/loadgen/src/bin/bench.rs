//! Starts a server on SQLite with a generated catalog, loads it over gRPC and HTTP, and prints what a million
//! spans cost it, how long acknowledgements take, and how much memory it holds: medians of several runs.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use loadgen::gen_traces::service_name;
use serde_json::Value;

#[derive(Parser, Debug)]
struct Args {
    /// The `sloburn` binary, a release build
    #[arg(long)]
    server: PathBuf,
    /// Runs of each load; medians are printed
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Seconds of each run
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Services in the catalog and in the load, two objectives each
    #[arg(long, default_value_t = 20)]
    services: usize,
    /// Spans per second of the loads that acknowledgement latency is taken at
    #[arg(long, default_value_t = 20_000)]
    rate: u32,
}

/// A load: its name, and what the generator is told for it.
struct Load {
    name: &'static str,
    grpc: bool,
    options: Vec<String>,
}

/// What is taken from each run, and how it is headed.
const COLUMNS: [(&str, &str); 6] = [
    ("items_per_s", "spans/s"),
    ("server_cpu_s_per_million", "CPU s/1M"),
    ("p50_ms", "ack p50 ms"),
    ("p99_ms", "ack p99 ms"),
    ("server_rss_peak_mib", "RSS MiB"),
    ("client_cpu_s_per_million", "(client) s/1M"),
];

fn main() -> Result<()> {
    let args = Args::parse();
    let directory = tempfile::tempdir()?;
    let specs = directory.path().join("specs");
    std::fs::create_dir(&specs)?;
    std::fs::write(specs.join("catalog.yaml"), catalog(args.services))?;
    print!("{:<34}", "load");
    COLUMNS
        .iter()
        .for_each(|(_, heading)| print!("{heading:>15}"));
    println!();
    for (number, load) in loads(args.rate).iter().enumerate() {
        // A server of its own for each load: memory is of that load alone.
        let data = directory.path().join(format!("data-{number}"));
        let mut server = Server::start(&args.server, &specs, &data)?;
        let runs: Vec<Value> = (0..args.runs)
            .map(|_| server.load(load, &args))
            .collect::<Result<_>>()?;
        print!("{:<34}", load.name);
        for (key, _) in COLUMNS {
            print!(
                "{:>15.2}",
                median(runs.iter().filter_map(|run| run[key].as_f64()).collect())
            );
        }
        println!();
        server.stop()?;
    }
    Ok(())
}

fn loads(rate: u32) -> Vec<Load> {
    let load = |name, grpc, options: &[&str]| Load {
        name,
        grpc,
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    };
    let rate = rate.to_string();
    vec![
        load("gRPC, as fast as answered", true, &["--via", "grpc"]),
        load(
            "gRPC gzip, as fast as answered",
            true,
            &["--via", "grpc", "--compression", "gzip"],
        ),
        load(
            "HTTP protobuf, as fast as answered",
            false,
            &["--via", "http"],
        ),
        load(
            "HTTP JSON, as fast as answered",
            false,
            &["--via", "http-json"],
        ),
        load(
            "gRPC, fixed rate",
            true,
            &["--via", "grpc", "--rate", &rate],
        ),
        load(
            "HTTP protobuf, fixed rate",
            false,
            &["--via", "http", "--rate", &rate],
        ),
    ]
}

/// Availability and latency of every service.
fn catalog(services: usize) -> String {
    (0..services)
        .map(|number| objectives(&service_name(number)))
        .collect()
}

fn objectives(service: &str) -> String {
    let source = |more: &str| {
        format!(
            "{{ metricSource: {{ type: otlp, spec: {{ signal: traces, spanKind: server, match: {{ service.name: {service} }}{more} }} }} }}"
        )
    };
    let head = |name: &str| {
        format!(
            "apiVersion: openslo/v1\nkind: SLO\nmetadata:\n  name: {service}-{name}\nspec:\n  service: {service}\n  \
             timeWindow: [{{ duration: 30d, isRolling: true }}]\n  budgetingMethod: Occurrences\n  indicator:\n    \
             metadata: {{ name: {service}-{name} }}\n    spec:\n"
        )
    };
    format!(
        "{}      ratioMetric:\n        counter: true\n        bad: {}\n        total: {}\n  \
         objectives: [{{ displayName: available, target: 0.999 }}]\n---\n\
         {}      thresholdMetric: {}\n  \
         objectives: [{{ displayName: fast, op: lte, value: 300, target: 0.99 }}]\n---\n",
        head("availability"),
        source(", status: error"),
        source(""),
        head("latency"),
        source(", value: duration_ms"),
    )
}

struct Server {
    child: Child,
    grpc: String,
    http: String,
}

impl Server {
    fn start(binary: &Path, specs: &Path, data: &Path) -> Result<Server> {
        let mut child = Command::new(binary)
            .arg("serve")
            .arg("--specs")
            .arg(specs)
            .arg("--data")
            .arg(data)
            .args([
                "--otlp-grpc-listen",
                "127.0.0.1:0",
                "--otlp-http-listen",
                "127.0.0.1:0",
            ])
            .args(["--web-listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} did not start", binary.display()))?;
        let mut output = BufReader::new(child.stdout.take().context("no output")?).lines();
        let said = output
            .find_map(|line| line.ok()?.strip_prefix("listening ").map(str::to_owned))
            .context("the server did not say where it listens")?;
        // Whatever else it says is of no interest, but must not fill the pipe.
        std::thread::spawn(move || output.for_each(drop));
        let place = |name: &str| {
            let found = said
                .split(' ')
                .find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            found
                .map(str::to_owned)
                .with_context(|| format!("no {name} in `{said}`"))
        };
        Ok(Server {
            child,
            grpc: place("otlp-grpc")?,
            http: place("otlp-http")?,
        })
    }

    fn load(&mut self, load: &Load, args: &Args) -> Result<Value> {
        let generator = std::env::current_exe()?.with_file_name("loadgen");
        let output = Command::new(generator)
            .args(["--target", if load.grpc { &self.grpc } else { &self.http }])
            .args(&load.options)
            .args(["--services", &args.services.to_string()])
            .args([
                "--duration",
                &args.seconds.to_string(),
                "--warmup",
                "2",
                "--settle",
                "11",
            ])
            .args(["--server-pid", &self.child.id().to_string()])
            .stderr(Stdio::inherit())
            .output()?;
        let said = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "the load was not accepted: {said}");
        let run: Value = serde_json::from_str(&said)?;
        ensure!(
            run["errors"] == 0 && run["rejected"] == 0,
            "not all was accepted: {run}"
        );
        Ok(run)
    }

    fn stop(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
