//! The report: what was measured, where, how, and what was not reached.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::Result;

use crate::growth::Point;
use crate::profile::Profile;
use crate::restart::Restart;
use crate::rows::{Medians, Row, Target};
use crate::{Args, Bench, OBJECTIVES, SERVICES};

/// All that was measured.
pub struct Report<'a> {
    pub args: &'a Args,
    pub bench: &'a Bench,
    pub measured: &'a [Row],
    pub restart: &'a Restart,
    pub socket: &'a [(&'static str, Medians)],
    pub growth: &'a [Point],
    pub profile: &'a Result<Profile>,
    pub decoding: &'a [(String, f64)],
}

impl Report<'_> {
    /// The whole file.
    pub fn text(&self) -> String {
        let mut text =
            String::from("# Performance\n\nWritten by `make bench`; not to be edited.\n\n");
        text += &self.conditions();
        text += "## What it costs\n\n";
        text += &table(self.measured);
        text += &self.planned();
        text += &self.verdict();
        text += &self.restarted();
        text += &self.growing();
        text += &self.limit();
        text += &self.profiled();
        text
    }

    fn conditions(&self) -> String {
        let (times, args) = (self.bench.times, self.args);
        let quick = if args.quick {
            "**Quick figures of single short runs: only to try the measuring itself.**\n\n"
        } else {
            ""
        };
        format!(
            "{quick}* **Where.** {}\n\
             * **What.** {}, commit {}, {}; {}.\n\
             * **How.** A release build with symbols, catalog of {OBJECTIVES} objectives over {SERVICES} services (availability, \
             and latency at four thresholds), SQLite, acknowledged when durable. The load generator runs on the same cores with \
             one thread, 64 requests in flight (4 connections × 16; over HTTP/1.1 64 connections); ids and times of every request are new. Medians of \
             {} run(s) of {} s, after a warm-up of {} s. Server CPU is user and system time of the process by the operating \
             system (`/proc`), from the first request to {} s after the last answer, so work in the background is in it; \
             memory is the largest resident size, sampled 40 times a second. Acknowledgement times are from sending a request \
             to its whole answer.\n\n",
            machine(),
            version(self.bench),
            args.commit,
            args.versions,
            args.date,
            self.bench.runs,
            times.seconds,
            times.warmup,
            times.settle,
        )
    }

    /// Latency at a fixed rate as a sender sees it that does not wait for its turn.
    fn planned(&self) -> String {
        let mut planned = self.measured.iter().filter_map(|row| row.medians);
        match planned.find(|medians| medians.planned_p50_ms.is_finite()) {
            Some(medians) => format!(
                "\nAt half of the maximum rate, from the moment that the rate had planned for a request (so that waiting in the \
                 generator counts too): p50 {:.2} ms, p99 {:.2} ms.\n",
                medians.planned_p50_ms, medians.planned_p99_ms
            ),
            None => String::new(),
        }
    }

    fn verdict(&self) -> String {
        let missed: Vec<String> = self
            .measured
            .iter()
            .flat_map(|row| {
                let missed = row.targets.iter().filter(|target| !target.reached());
                missed.map(|target| {
                    format!(
                        "* {}: {} is {}, to reach {}",
                        row.name,
                        target.of,
                        number(target.value),
                        wanted(target)
                    )
                })
            })
            .collect();
        if missed.is_empty() {
            "\nAll targets are reached.\n\n".to_owned()
        } else {
            format!("\n**Not reached:**\n\n{}\n\n", missed.join("\n"))
        }
    }

    fn restarted(&self) -> String {
        let restart = self.restart;
        format!(
            "## Ready again after kill -9\n\n{} spans of {SERVICES} services, their times spread over one hour of 10-second \
             slices; {} series; {:.1} MiB on disk (rows: {}). Killed {} time(s) at the end of a load at maximum rate, with \
             nothing given time to settle: from starting the process to `/readyz` 200, median {:.2} s, worst {:.2} s.\n\n",
            restart.spans,
            restart.series,
            restart.mib,
            restart.rows,
            self.bench.runs,
            restart.ready_s,
            restart.worst_s,
        )
    }

    fn growing(&self) -> String {
        let mut text = format!(
            "## How cost grows\n\ngRPC, one run of {} s each; one thing changes at a time. Objectives beyond \
             {OBJECTIVES} select by route as well.\n\n\
             | what | at | series | items/s | CPU s per million | CPU µs a request | peak MiB |\n|---|---|---:|---:|---:|---:|---:|\n",
            self.bench.short.seconds,
        );
        for point in self.growth {
            let medians = point.medians;
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:.0} | {:.2} | {:.1} | {:.0} |",
                point.of,
                point.at,
                point.series,
                medians.items_per_s,
                medians.cpu,
                medians.cpu * f64::from(point.spans_per_request),
                medians.rss_mib,
            );
        }
        text + "\n"
    }

    fn limit(&self) -> String {
        let mut text = String::from(
            "## The limit\n\n**The socket alone**: the same load, in the same run, against a server (hyper, the same frame and window \
             settings) that reads requests whole, drops them and answers.\n\n\
             | load | items/s | server CPU s per million | generator CPU s per million |\n|---|---:|---:|---:|\n",
        );
        for (name, medians) in self.socket {
            let _ = writeln!(
                text,
                "| {name} | {:.0} | {:.3} | {:.3} |",
                medians.items_per_s, medians.cpu, medians.client_cpu
            );
        }
        text +=
            "\n**Decoding alone**: criterion's medians on one core, no socket and no store.\n\n";
        if self.decoding.is_empty() {
            return text + "Not measured in this run.\n\n";
        }
        text += "| benchmark | CPU s per million |\n|---|---:|\n";
        for (name, each) in self.decoding {
            let _ = writeln!(text, "| {name} | {each:.3} |");
        }
        text + "\n"
    }

    fn profiled(&self) -> String {
        let mut text = String::from("## Where the time goes\n\n");
        let profile = match self.profile {
            Ok(profile) => profile,
            Err(why) => {
                return text + &format!("No profile: `perf` was not available here ({why}).\n");
            }
        };
        let _ = write!(
            text,
            "`perf` sampled the server during one gRPC run of 100 spans a request ({} samples, by the function that ran; work that a \
             part gives to another part, such as the kernel, is that one's).\n\n| part | share |\n|---|---:|\n",
            profile.samples
        );
        for (part, share) in &profile.parts {
            let _ = writeln!(text, "| {part} | {share:.1} % |");
        }
        text += "\n| function, outside the kernel | share |\n|---|---:|\n";
        for (function, share) in &profile.functions {
            let shown: String = function.chars().take(110).collect();
            let _ = writeln!(text, "| `{}` | {share:.1} % |", shown.replace('|', "\\|"));
        }
        text
    }
}

/// The table of all loads.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| work | items/s | CPU s per million | ack p50 ms | ack p99 ms | peak MiB | to reach | reached |\n\
         |---|---:|---:|---:|---:|---:|---|---|\n",
    );
    for row in rows {
        let _ = write!(text, "| {} |", row.name);
        match row.medians {
            Some(medians) => {
                let _ = write!(
                    text,
                    " {:.0} | {:.3} | {:.2} | {:.2} | {:.1} |",
                    medians.items_per_s,
                    medians.cpu,
                    medians.p50_ms,
                    medians.p99_ms,
                    medians.rss_mib
                );
            }
            None => text.push_str(" | | | | |"),
        }
        let targets: Vec<_> = row
            .targets
            .iter()
            .map(|target| format!("{} {}", target.of, wanted(target)))
            .collect();
        let reached: Vec<_> = row
            .targets
            .iter()
            .map(|target| {
                let verdict = if target.reached() { "yes" } else { "**no**" };
                format!("{verdict} ({})", number(target.value))
            })
            .collect();
        let _ = writeln!(text, " {} | {} |", targets.join("; "), reached.join("; "));
    }
    text
}

fn wanted(target: &Target) -> String {
    let sign = if target.at_least { "≥" } else { "≤" };
    format!("{sign} {} {}", target.limit, target.unit)
}

fn number(value: f64) -> String {
    if value >= 1000.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key))
            .map(|rest| rest.trim_start_matches([' ', '\t', ':']).trim().to_owned())
            .unwrap_or_else(|| "unknown".to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{cores} cores of {}, memory {}, Linux {}.",
        after(&read("/proc/cpuinfo"), "model name"),
        after(&read("/proc/meminfo"), "MemTotal"),
        read("/proc/sys/kernel/osrelease").trim(),
    )
}

fn version(bench: &Bench) -> String {
    Command::new(&bench.binary)
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map(|said| said.trim().to_owned())
        .filter(|said| !said.is_empty())
        .unwrap_or_else(|| "sloburn".to_owned())
}
