//! `sloburn init`: a first catalog, proposed from the telemetry seen. The figures that led to it are in its comments.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use collector::{SeriesKey, SpanStatus, SparseHistogram};
use slo_specs::yaml_text;

use crate::cli::InitArgs;
use crate::seen::{ROUTE, Seen, request_kind};

/// Seconds of the proposed window.
const WINDOW_S: u64 = 30 * 86_400;
/// Targets that are proposed, in hundred-thousandths. Of a better one the default policy would page for 10 bad seconds.
const TARGETS: [u64; 6] = [99_950, 99_900, 99_500, 99_000, 98_000, 95_000];
/// A budget has room for at least so many bad events, or one more tells nothing.
const LEAST_BUDGET: u128 = 10;
/// Bounds that are proposed for a latency, in milliseconds; beyond them whole minutes are.
const BOUNDS_MS: [u64; 20] = [
    5, 10, 25, 50, 75, 100, 150, 200, 250, 300, 400, 500, 750, 1_000, 1_500, 2_500, 5_000, 10_000,
    30_000, 60_000,
];
/// Longest name that other tools of OpenSLO take.
const NAME: usize = 63;
/// What an indicator's name ends in.
const SLI: &str = "-sli";
/// Routes named in comments.
const ROUTES: usize = 5;

/// Prints the catalog; exit status 1 if there is nothing to promise.
pub fn main(args: &InitArgs) -> anyhow::Result<ExitCode> {
    let Some(seen) = Seen::of(&args.seen, &slo_specs::Catalog::default())? else {
        anyhow::bail!(
            "say where telemetry was seen: `--server URL`, `--recording FILE…`, `--data DIR` or `--database-url URL`"
        );
    };
    let entries = entries(&seen);
    if entries.is_empty() {
        anyhow::bail!(
            "{} has no server or consumer spans: there is nothing that a service is asked for",
            seen.place
        );
    }
    std::io::stdout()
        .lock()
        .write_all(catalog(&seen, &entries).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// What one service was asked for in one way.
#[derive(Debug, Default)]
struct Asked {
    requests: u64,
    failed: u64,
    durations: SparseHistogram,
    /// Route, or else the span's name → requests and failed ones.
    routes: BTreeMap<String, (u64, u64)>,
}

/// By service and kind: servers first.
type Entries = BTreeMap<(String, &'static str), Asked>;

fn entries(seen: &Seen) -> Entries {
    let mut entries = Entries::new();
    for (key, events) in seen.series() {
        let Some(kind) = request_kind(key) else {
            continue;
        };
        let asked = entries.entry((key.service.to_string(), kind));
        let asked = asked.or_insert_with(|| Asked {
            durations: seen.durations(&key.service, kind),
            ..Asked::default()
        });
        asked.add(key, events);
    }
    entries
}

impl Asked {
    fn add(&mut self, key: &SeriesKey, events: u64) {
        let failed = if key.status == SpanStatus::Error {
            events
        } else {
            0
        };
        self.requests = self.requests.saturating_add(events);
        self.failed = self.failed.saturating_add(failed);
        let route = key.attribute(ROUTE).and_then(|value| match value {
            collector::AttributeValue::Text(text) => Some(text.to_owned()),
            _ => None,
        });
        let (requests, of_failed) = self
            .routes
            .entry(route.unwrap_or_else(|| key.name.to_string()))
            .or_default();
        *requests = requests.saturating_add(events);
        *of_failed = of_failed.saturating_add(failed);
    }

    /// The best target that was kept, and that the traffic of a window has a budget for; and why it is not better.
    fn target(&self, seconds: u64) -> (u64, &'static str) {
        let in_window =
            u128::from(self.requests) * u128::from(WINDOW_S) / u128::from(seconds.max(1));
        let mut why = "what was kept, rounded down";
        let mut lowest = "more than was kept: mend the service, or lower it";
        for target in TARGETS {
            let allowed = u128::from(100_000 - target);
            let kept = u128::from(self.failed) * 100_000 <= allowed * u128::from(self.requests);
            let budget = in_window * allowed / 100_000 >= LEAST_BUDGET;
            if kept && budget {
                return (target, why);
            }
            if kept {
                why = "what this little traffic has a budget of ten failures for";
                lowest = "the lowest proposed, and kept, but the traffic is too little for a budget of ten failures";
            }
        }
        let last = TARGETS.last().copied().unwrap_or_default();
        (last, lowest)
    }

    /// A quantile in microseconds; the duration that so many in a thousand do not exceed.
    fn quantile_us(&self, thousandths: u64) -> u64 {
        let total = u128::from(self.durations.total());
        let wanted = (total * u128::from(thousandths)).div_ceil(1_000);
        let mut counted = 0;
        for (_, high, count) in self.durations.iter() {
            counted += u128::from(count);
            if counted >= wanted {
                return high;
            }
        }
        0
    }
}

fn catalog(seen: &Seen, entries: &Entries) -> String {
    let seconds = seen.seconds();
    let mut text = format!(
        "# Proposed by `sloburn init` from {}: {} of telemetry, {} service(s).\n# Every figure is what was seen; a target is a \
         promise, so decide what your users need. `sloburn check` it, and keep it in git.\n",
        one_line(&seen.place),
        length(seconds),
        entries
            .keys()
            .map(|(service, _)| service)
            .collect::<BTreeSet<_>>()
            .len()
    );
    let mut names = Names::default();
    for ((service, kind), asked) in entries {
        let name = names.take(service, word(kind, "availability", "consumed"));
        write!(
            text,
            "{}",
            availability(service, kind, asked, seconds, &name)
        )
        .unwrap_or_default();
        if asked.durations.total() > 0 {
            let name = names.take(service, word(kind, "latency", "consumed-in-time"));
            write!(text, "{}", latency(service, kind, asked, &name)).unwrap_or_default();
        }
    }
    text
}

/// Names of the SLOs so far.
#[derive(Debug, Default)]
struct Names(BTreeSet<String>);

impl Names {
    /// A name that no other has. Of a long service the end is left out, so that what is promised is still in the name.
    fn take(&mut self, service: &str, what: &str) -> String {
        let service = slo_specs::label(service);
        let name = |number: u32| {
            let number = if number > 1 {
                format!("-{number}")
            } else {
                String::new()
            };
            let end = format!("-{what}{number}");
            let room = NAME.saturating_sub(end.len() + SLI.len());
            let start: String = service.chars().take(room).collect();
            format!("{}{end}", start.trim_end_matches('-'))
        };
        let free = (1..u32::MAX).map(name).find(|name| !self.0.contains(name));
        let free = free.unwrap_or_default();
        self.0.insert(free.clone());
        free
    }
}

fn availability(service: &str, kind: &str, asked: &Asked, seconds: u64, name: &str) -> String {
    let (target, why) = asked.target(seconds);
    let mut comments = format!(
        "# {} {kind} spans of {}, {} failed: {} succeeded. The target is {why}.\n",
        asked.requests,
        one_line(service),
        asked.failed,
        percent(asked.requests - asked.failed, asked.requests),
    );
    let daily = u128::from(asked.requests) * 86_400 / u128::from(seconds.max(1));
    if daily < 1_000 {
        comments.push_str(
            "# Little traffic: a page needs three failures (`sloburn.dev/minimum-bad-events`), as one or two say nothing about a rate.\n",
        );
    }
    comments.push_str("# Busiest, each of which could have an objective of its own (`match: { http.route: … }`):\n");
    let mut routes: Vec<_> = asked.routes.iter().collect();
    routes.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    for (route, (requests, failed)) in routes.into_iter().take(ROUTES) {
        writeln!(
            comments,
            "#   {}: {requests} requests, {failed} failed",
            one_line(route)
        )
        .unwrap_or_default();
    }
    let source = |status: &str| source(service, kind, status);
    let sli = format!(
        "      ratioMetric:\n        counter: true\n        bad:\n          metricSource: {}\n        total:\n          \
         metricSource: {}\n",
        source(", status: error"),
        source("")
    );
    document(
        &comments,
        service,
        name,
        "succeed",
        &sli,
        &format!("target: {}", decimal(target)),
    )
}

fn latency(service: &str, kind: &str, asked: &Asked, name: &str) -> String {
    let [p50, p90, p99] = [500, 900, 990].map(|q| asked.quantile_us(q));
    let minutes = p99 / 60_000_000 + 1;
    let bound = BOUNDS_MS
        .iter()
        .copied()
        .find(|bound| bound * 1_000 > p99)
        .unwrap_or(minutes * 60_000);
    let comments = format!(
        "# Durations: p50 {}, p90 {}, p99 {}. The bound is the p99, rounded up.\n",
        milliseconds(p50),
        milliseconds(p90),
        milliseconds(p99)
    );
    let sli = format!(
        "      thresholdMetric:\n        metricSource: {}\n",
        source(service, kind, ", value: duration_ms")
    );
    let title = format!("take at most {bound} ms");
    document(
        &comments,
        service,
        name,
        &title,
        &sli,
        &format!("op: lte, value: {bound}, target: 0.99"),
    )
}

fn word<'w>(kind: &str, server: &'w str, consumer: &'w str) -> &'w str {
    if kind == "server" { server } else { consumer }
}

fn source(service: &str, kind: &str, more: &str) -> String {
    format!(
        "{{ type: otlp, spec: {{ signal: traces, spanKind: {kind}{more}, match: {{ service.name: {} }} }} }}",
        yaml_text(service)
    )
}

fn document(
    comments: &str,
    service: &str,
    name: &str,
    title: &str,
    sli: &str,
    objective: &str,
) -> String {
    let runbook = slo_specs::label(service);
    format!(
        "---\n{comments}apiVersion: openslo/v1\nkind: SLO\nmetadata:\n  name: {name}\n  annotations:\n    # Write it, and say here where it is.\n    \
         sloburn.dev/runbook: https://runbooks.example/{runbook}\nspec:\n  description: {}\n  service: {}\n  timeWindow: [{{ duration: \
         30d, isRolling: true }}]\n  budgetingMethod: Occurrences\n  indicator:\n    metadata: {{ name: {name}{SLI} }}\n    spec:\n{sli}  \
         objectives: [{{ {objective} }}]\n",
        yaml_text(&format!("Requests of {service} {title}")),
        yaml_text(service),
    )
}

/// Hundred-thousandths as a decimal.
fn decimal(target: u64) -> String {
    let digits = format!("{target:05}");
    format!("0.{}", digits.trim_end_matches('0'))
}

fn percent(part: u64, of: u64) -> String {
    let thousandths = u128::from(part) * 100_000 / u128::from(of.max(1));
    format!("{}.{:03} %", thousandths / 1_000, thousandths % 1_000)
}

fn milliseconds(us: u64) -> String {
    format!("{}.{} ms", us / 1_000, us % 1_000 / 100)
}

fn length(seconds: u64) -> String {
    match seconds {
        0..=599 => format!("{seconds} s"),
        600..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Nothing in a comment may begin a line of its own.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests;
