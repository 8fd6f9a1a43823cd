//! The catalogs that are measured with: of every scope its availability, and its latency at four thresholds.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use loadgen::gen_traces::{route, service_name};
use loadgen::rng::Rng;

/// Objectives of one scope.
pub const OBJECTIVES_EACH: usize = 5;

/// What objectives select.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Server spans.
    Spans,
    /// A counter of requests and a histogram of their durations.
    Metrics,
}

/// Writes the specs of `objectives` objectives into a folder of their own: first one scope for each of `services`
/// services, then more scopes by the services' routes.
pub fn write(root: &Path, of: Of, services: usize, objectives: usize) -> Result<PathBuf> {
    let signal = match of {
        Of::Spans => "spans",
        Of::Metrics => "metrics",
    };
    let folder = root.join(format!("specs-{signal}-{objectives}"));
    std::fs::create_dir_all(&folder)?;
    let mut text = String::new();
    for number in 0..objectives / OBJECTIVES_EACH {
        let service = number % services;
        let of_route = (number / services).checked_sub(1);
        scope(&mut text, of, service, of_route)?;
    }
    std::fs::write(folder.join("catalog.yaml"), text)?;
    Ok(folder)
}

fn scope(text: &mut String, of: Of, service: usize, of_route: Option<usize>) -> Result<()> {
    let name = service_name(service);
    let (mut id, mut selected) = (name.clone(), format!("service.name: {name}"));
    if let Some(number) = of_route {
        let (_, path, _) = route(service, number, &mut Rng::new(0));
        id = format!("{name}-route-{number}");
        write!(selected, ", http.route: \"{path}\"")?;
    }
    let source = |more: &str, metric: &str, value: &str| match of {
        Of::Spans => format!(
            "{{ metricSource: {{ type: otlp, spec: {{ signal: traces, spanKind: server, \
             match: {{ {selected} }}{value}{more} }} }} }}"
        ),
        Of::Metrics => format!(
            "{{ metricSource: {{ type: otlp, spec: {{ signal: metrics, metric: {metric}, \
             match: {{ {selected}{more} }} }} }} }}"
        ),
    };
    let (bad, limits) = match of {
        Of::Spans => (", status: error", ["100", "250", "500", "1000"]),
        Of::Metrics => (
            ", http.response.status_code: { gte: 500 }",
            ["0.1", "0.25", "0.5", "1"],
        ),
    };
    let count = "http.server.request.count";
    write!(
        text,
        "{}      ratioMetric:\n        counter: true\n        bad: {}\n        total: {}\n  \
         objectives: [{{ displayName: available, target: 0.999 }}]\n---\n\
         {}      thresholdMetric: {}\n  objectives:\n",
        head(&name, &format!("{id}-availability")),
        source(bad, count, ""),
        source("", count, ""),
        head(&name, &format!("{id}-latency")),
        source("", "http.server.request.duration", ", value: duration_ms"),
    )?;
    for (limit, target) in limits.iter().zip(["0.95", "0.98", "0.99", "0.999"]) {
        writeln!(
            text,
            "    - {{ displayName: within-{}, op: lte, value: {limit}, target: {target} }}",
            limit.replace('.', "-")
        )?;
    }
    text.push_str("---\n");
    Ok(())
}

fn head(service: &str, name: &str) -> String {
    format!(
        "apiVersion: openslo/v1\nkind: SLO\nmetadata:\n  name: {name}\nspec:\n  service: {service}\n  \
         timeWindow: [{{ duration: 30d, isRolling: true }}]\n  budgetingMethod: Occurrences\n  indicator:\n    \
         metadata: {{ name: {name} }}\n    spec:\n"
    )
}
