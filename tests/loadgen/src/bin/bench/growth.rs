//! How cost grows with what is sent and what is judged: one thing changes at a time.

use anyhow::{Result, ensure};

use crate::catalog::{self, Of};
use crate::rows::{Medians, once};
use crate::{Bench, OBJECTIVES, SERVICES};

/// One measurement.
pub struct Point {
    pub of: &'static str,
    pub at: String,
    pub spans_per_request: u32,
    pub series: u64,
    pub medians: Medians,
}

/// One short run of each.
pub fn measure(bench: &Bench) -> Result<Vec<Point>> {
    let mut points = Vec::new();
    for spans in [1, 10, 100, 1000] {
        let options = format!("--spans-per-request {spans}");
        let options = if spans < 100 {
            options + " --templates 400"
        } else {
            options
        };
        points.push(point(
            bench,
            "spans a request",
            &spans.to_string(),
            &options,
            OBJECTIVES,
            spans,
        )?);
    }
    for routes in [25, 250, 2500] {
        let options = format!("--templates 2000 --routes {routes}");
        let at = format!("×{}", routes / 25);
        points.push(point(bench, "series", &at, &options, OBJECTIVES, 100)?);
    }
    for objectives in [10, 100, 1000] {
        let at = objectives.to_string();
        points.push(point(bench, "objectives", &at, "", objectives, 100)?);
    }
    for seconds in [5, 50, 500] {
        let options = format!("--templates 400 --max-age-ms {}", seconds * 1000);
        let at = format!("spans up to {seconds} s old");
        points.push(point(
            bench,
            "slices touched",
            &at,
            &options,
            OBJECTIVES,
            100,
        )?);
    }
    Ok(points)
}

fn point(
    bench: &Bench,
    of: &'static str,
    at: &str,
    options: &str,
    objectives: usize,
    spans_per_request: u32,
) -> Result<Point> {
    let specs = catalog::write(bench.directory.path(), Of::Spans, SERVICES, objectives)?;
    let data = bench.data("growth");
    let server = bench.server(&specs, &data)?;
    let medians = once(&server, &format!("--via grpc {options}"), bench.short)?;
    let series = server.series()?;
    ensure!(
        server.counted()? > 0,
        "no objective used what was sent: {of} {at}"
    );
    drop(server);
    std::fs::remove_dir_all(data)?;
    eprintln!("  {of} {at}: {:.3} CPU s per million", medians.cpu);
    Ok(Point {
        of,
        at: at.to_owned(),
        spans_per_request,
        series,
        medians,
    })
}
