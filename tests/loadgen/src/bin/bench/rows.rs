//! The rows of the table: each load, its medians, and what they are to reach.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::restart::Restart;
use crate::server::{Server, Times};
use crate::{Bench, median, words};

/// Medians of the runs of one load.
#[derive(Clone, Copy, Default)]
pub struct Medians {
    pub items_per_s: f64,
    /// CPU seconds of the server per million spans or points.
    pub cpu: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// From the moment that a fixed rate had planned, waiting in the generator included.
    pub planned_p50_ms: f64,
    pub planned_p99_ms: f64,
    pub rss_mib: f64,
    pub client_cpu: f64,
}

/// A value to reach: at least or at most so much.
pub struct Target {
    pub of: &'static str,
    pub value: f64,
    pub limit: f64,
    pub at_least: bool,
    pub unit: &'static str,
}

impl Target {
    /// Whether it was reached; what was not measured was not reached.
    pub fn reached(&self) -> bool {
        if self.at_least {
            self.value >= self.limit
        } else {
            self.value <= self.limit
        }
    }
}

/// A row of the table.
pub struct Row {
    pub name: String,
    pub medians: Option<Medians>,
    pub targets: Vec<Target>,
}

fn most(of: &'static str, value: f64, limit: f64, unit: &'static str) -> Target {
    Target {
        of,
        value,
        limit,
        at_least: false,
        unit,
    }
}

/// Runs all loads.
pub fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let per_million = "CPU s per million";
    let grpc = load(bench, "gRPC", "--via grpc", false)?.0;
    let mut targets = vec![most("server CPU", grpc.cpu, 0.6, per_million)];
    targets.push(Target {
        of: "rate",
        value: grpc.items_per_s,
        limit: 800_000.0,
        at_least: true,
        unit: "spans/s",
    });
    rows.push(row("gRPC, 100 spans a request", grpc, targets));
    for (name, options, metrics, limit) in [
        ("HTTP protobuf, 100 spans", "--via http", false, 0.5),
        (
            "gRPC gzip, 100 spans",
            "--via grpc --compression gzip",
            false,
            1.1,
        ),
        ("HTTP JSON, 100 spans", "--via http-json", false, 2.5),
        (
            "gRPC metrics, 100 sums and 100 histograms",
            "--via grpc --signal metrics --metric-kinds sum,hist",
            true,
            0.8,
        ),
    ] {
        let medians = load(bench, name, options, metrics)?.0;
        let targets = vec![most("server CPU", medians.cpu, limit, per_million)];
        rows.push(row(name, medians, targets));
    }
    let single = load(
        bench,
        "1 span",
        "--via grpc --spans-per-request 1 --templates 400",
        false,
    )?;
    // With one span a request, CPU seconds per million are microseconds a request.
    let targets = vec![most("server CPU", single.0.cpu, 20.0, "µs a request")];
    rows.push(row("gRPC, 1 span a request", single.0, targets));
    let rate = (grpc.items_per_s / 2.0).round();
    let half = load(bench, "half", &format!("--via grpc --rate {rate}"), false)?.0;
    let targets = vec![
        most("ack p50", half.p50_ms, 10.0, "ms"),
        most("ack p99", half.p99_ms, 50.0, "ms"),
    ];
    rows.push(row(
        &format!("gRPC at half of the maximum rate ({rate:.0} spans/s)"),
        half,
        targets,
    ));
    let (many, series) = load(
        bench,
        "series",
        "--via grpc --routes 500 --templates 2000",
        false,
    )?;
    let targets = vec![most("peak memory", many.rss_mib, 200.0, "MiB")];
    let name = format!("gRPC, {series} series, maximum rate");
    rows.push(row(&name, many, targets));
    Ok(rows)
}

fn row(name: &str, medians: Medians, targets: Vec<Target>) -> Row {
    Row {
        name: name.to_owned(),
        medians: Some(medians),
        targets,
    }
}

/// The row of the start after kill -9.
pub fn of_restart(restart: &Restart) -> Row {
    Row {
        name: "ready again after kill -9 with an hour of data".to_owned(),
        medians: None,
        targets: vec![most("ready", restart.ready_s, 2.0, "s")],
    }
}

/// A server of its own for the load: memory is of that load alone. Also the series that it knew in the end.
fn load(bench: &Bench, name: &str, options: &str, metrics: bool) -> Result<(Medians, u64)> {
    let specs = if metrics {
        &bench.metrics
    } else {
        &bench.spans
    };
    let data = bench.data(&name.replace(' ', "-"));
    let server = bench.server(specs, &data)?;
    let medians = medians(&server, &words(options), bench.times, bench.runs)?;
    let series = server.series()?;
    ensure!(server.counted()? > 0, "no objective used what {name} sent");
    drop(server);
    std::fs::remove_dir_all(data)?;
    eprintln!("  {name}: {:.3} CPU s per million", medians.cpu);
    Ok((medians, series))
}

fn medians(server: &Server, options: &[String], times: Times, runs: usize) -> Result<Medians> {
    let runs: Vec<Value> = (0..runs)
        .map(|run| {
            // Only the first finds a server that is not warm.
            let warmup = if run == 0 { times.warmup } else { 0 };
            server.load(options, times.with_warmup(warmup))
        })
        .collect::<Result<_>>()?;
    let of = |key: &str| median(runs.iter().filter_map(|run| run[key].as_f64()).collect());
    Ok(Medians {
        items_per_s: of("items_per_s"),
        cpu: of("server_cpu_s_per_million"),
        p50_ms: of("p50_ms"),
        p99_ms: of("p99_ms"),
        planned_p50_ms: of("sched_p50_ms"),
        planned_p99_ms: of("sched_p99_ms"),
        rss_mib: of("server_rss_peak_mib"),
        client_cpu: of("client_cpu_s_per_million"),
    })
}

/// One run, for how cost grows.
pub fn once(server: &Server, options: &str, times: Times) -> Result<Medians> {
    medians(server, &words(options), times, 1)
}

/// The same loads against a server that receives and drops.
pub fn socket(bench: &Bench) -> Result<Vec<(&'static str, Medians)>> {
    let times = Times {
        settle: 1,
        ..bench.times
    };
    let loads = [
        ("gRPC, 100 spans a request", "--via grpc"),
        ("HTTP protobuf, 100 spans", "--via http"),
        (
            "gRPC, 1 span a request",
            "--via grpc --spans-per-request 1 --templates 400",
        ),
    ];
    loads
        .into_iter()
        .map(|(name, options)| {
            let server = Server::sink()?;
            Ok((name, medians(&server, &words(options), times, 1)?))
        })
        .collect()
}
