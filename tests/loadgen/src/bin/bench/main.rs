//! Measures what sloburn costs: loads of every kind against a server on SQLite with a generated catalog, how cost
//! grows, and what the machine allows. Writes the report, so that no figure in it is typed by hand.

mod catalog;
mod decoding;
mod growth;
mod profile;
mod report;
mod restart;
mod rows;
mod server;
mod sink;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Parser;
use tempfile::TempDir;

use catalog::Of;
use server::{Server, Times};

/// Services in the catalog and in the load.
const SERVICES: usize = 20;
/// Objectives of the catalog.
const OBJECTIVES: usize = 100;

#[derive(Parser, Debug)]
struct Args {
    /// The `sloburn` binary, a release build
    #[arg(long)]
    server: PathBuf,
    /// Runs of each load; medians are reported
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Seconds of each run
    #[arg(long, default_value_t = 8)]
    seconds: u32,
    /// One run of 4 s of each load: to try the measuring itself
    #[arg(long)]
    quick: bool,
    /// Where the report is written
    #[arg(long, default_value = "docs/performance.md")]
    report: PathBuf,
    /// Where criterion left its estimates
    #[arg(long, default_value = "target/criterion")]
    criterion: PathBuf,
    /// The day, for the report
    #[arg(long, default_value = "unknown")]
    date: String,
    /// The commit that was built, for the report
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// Versions of compiler and the like, for the report
    #[arg(long, default_value = "unknown")]
    versions: String,
}

/// What all measurements need.
pub struct Bench {
    pub binary: PathBuf,
    pub runs: usize,
    /// Of a run of the table.
    pub times: Times,
    /// Of a run that shows how cost grows.
    pub short: Times,
    pub directory: TempDir,
    /// Specs over spans and over metrics.
    pub spans: PathBuf,
    pub metrics: PathBuf,
}

impl Bench {
    fn new(args: &Args) -> Result<Bench> {
        let directory = tempfile::tempdir()?;
        let specs = |of| catalog::write(directory.path(), of, SERVICES, OBJECTIVES);
        let times = |warmup, seconds, settle| Times {
            warmup,
            seconds,
            settle,
        };
        Ok(Bench {
            binary: args.server.clone(),
            runs: if args.quick { 1 } else { args.runs },
            times: if args.quick {
                times(1, 4, 2)
            } else {
                times(2, args.seconds, 11)
            },
            short: if args.quick {
                times(1, 2, 1)
            } else {
                times(1, 4, 6)
            },
            spans: specs(Of::Spans)?,
            metrics: specs(Of::Metrics)?,
            directory,
        })
    }

    /// A folder for a store.
    pub fn data(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("data-{name}"))
    }

    /// A ready server on `data`.
    pub fn server(&self, specs: &Path, data: &Path) -> Result<Server> {
        Server::sloburn(&self.binary, specs, data)
    }
}

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(sink::COMMAND) {
        return sink::serve();
    }
    let args = Args::parse();
    let bench = Bench::new(&args)?;
    eprintln!(
        "loads, {} run(s) of {} s each",
        bench.runs, bench.times.seconds
    );
    let mut measured = rows::measure(&bench)?;
    eprintln!("ready again after kill -9");
    let restart = restart::measure(&bench)?;
    measured.push(rows::of_restart(&restart));
    eprintln!("the socket alone");
    let socket = rows::socket(&bench)?;
    eprintln!("how cost grows");
    let growth = growth::measure(&bench)?;
    eprintln!("profile");
    let profile = profile::measure(&bench);
    let decoding = decoding::medians(&args.criterion);
    let table = report::table(&measured);
    let report = report::Report {
        args: &args,
        bench: &bench,
        measured: &measured,
        restart: &restart,
        socket: &socket,
        growth: &growth,
        profile: &profile,
        decoding: &decoding,
    };
    if let Some(folder) = args.report.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&args.report, report.text())?;
    println!("{table}\nwritten: {}", args.report.display());
    Ok(())
}

/// Options of the generator, from a line of them.
pub fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// The middle one; NaN of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
