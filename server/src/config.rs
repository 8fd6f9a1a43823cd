//! How this process runs: options, environment and `sloburn.toml`, resolved once at the start.
//!
//! An option on the command line wins over its environment variable, which wins over the file,
//! which wins over the default. After [`Config::resolve`] nothing checks a setting again.

mod document;
#[cfg(test)]
mod mutated;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use self::document::{Origin, Section};
use crate::cli::ServeArgs;
use crate::dedup::Dedup;
use crate::listen::ConnectionLimits;
use crate::page::{Receiver, ReceiverDocument};
use crate::receive::ReceiveLimits;
use crate::store::Location;
use crate::telemetry::{LogFormat, TelemetryConfig};

/// Everything `serve` needs to know about its process.
#[derive(Debug)]
pub struct Config {
    /// Folder with the specs.
    pub specs: PathBuf,
    /// Where state is kept.
    pub location: Location,
    /// The three listening addresses.
    pub listen: Listen,
    /// Address under which people reach the dashboards, without a slash at the end.
    pub base_url: String,
    /// Who is paged.
    pub(crate) receivers: Vec<Receiver>,
    /// Bounds of the OTLP listeners.
    pub receive: ReceiveLimits,
    /// Bounds of connections.
    pub connections: ConnectionLimits,
    /// Bounds of what is counted.
    pub counting: collector::Limits,
    /// How what was counted before is recognised.
    pub dedup: Dedup,
    /// Most memory that fingerprints of spans may take, in bytes.
    pub dedup_bytes: usize,
    /// Most memory that recent request bodies may take, in bytes.
    pub ring_bytes: usize,
    /// How long slices and tallies are kept.
    pub retention: Retention,
    /// Whether sloburn judges its own drop rate as an objective.
    pub ingest_slo: bool,
    /// Logs and own telemetry.
    pub telemetry: TelemetryConfig,
}

/// Addresses to listen on; loopback unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// OTLP over gRPC.
    pub otlp_grpc: SocketAddr,
    /// OTLP over HTTP.
    pub otlp_http: SocketAddr,
    /// Dashboards, API, probes, metrics.
    pub web: SocketAddr,
}

impl Default for Listen {
    fn default() -> Self {
        let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Listen {
            otlp_grpc: loopback(4317),
            otlp_http: loopback(4318),
            web: loopback(8080),
        }
    }
}

/// How long data is kept at each resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// 10-second slices, at least 6 h.
    pub ten_seconds: Duration,
    /// 1-minute slices, at least 35 d.
    pub minutes: Duration,
    /// 1-hour slices, at least 400 d.
    pub hours: Duration,
}

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// How late events may be: each tick judges again what they touched.
const LATE: std::ops::RangeInclusive<Duration> = Duration::from_mins(10)..=DAY;

/// How far ahead events may be: they count as now, and more than this is no skew of a clock.
const FUTURE: Duration = Duration::from_mins(10);

impl Default for Retention {
    fn default() -> Self {
        Retention {
            ten_seconds: HOUR * 6,
            minutes: DAY * 35,
            hours: DAY * 400,
        }
    }
}

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `file:line:column`, or the name of the option.
    pub place: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// Takes out the middle of a long message: a value that it quotes may be as long as the file, as where a string does
    /// not end.
    fn shorten(&mut self) {
        const EACH_END: usize = 200;
        let length = self.message.chars().count();
        if length > 2 * EACH_END {
            let begin: String = self.message.chars().take(EACH_END).collect();
            let end = self.message.chars().skip(length - EACH_END);
            self.message = format!("{begin} … {}", end.collect::<String>());
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// All that is wrong with the configuration, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

impl Config {
    /// Resolves the command line (with environment) over the file it names.
    pub fn resolve(args: &ServeArgs) -> Result<Config, Problems> {
        let Some(path) = &args.config else {
            return Config::from_text(args, "", "sloburn.toml");
        };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Problems(vec![Problem {
                place: name.clone(),
                message: format!("cannot read the configuration: {error}"),
            }])
        })?;
        Config::from_text(args, &text, &name)
    }

    /// As [`Config::resolve`], with the file's text given.
    pub fn from_text(args: &ServeArgs, text: &str, path: &str) -> Result<Config, Problems> {
        let mut problems = Vec::new();
        let origin = Origin { path, text };
        let mut root = Section::parse(origin, &mut problems);
        let listen = listen(args, &mut root, &mut problems);
        // Taken also when an option wins: what nobody takes is reported as unknown.
        let specs = root.take("specs", &mut problems);
        let specs = args
            .specs
            .clone()
            .or(specs)
            .unwrap_or_else(|| PathBuf::from("specs"));
        let location = location(args, &mut root, &mut problems);
        let base_url = base_url(args, &mut root, listen, &mut problems);
        let dedup = root.take("dedup", &mut problems);
        let dedup = args.dedup.or(dedup).unwrap_or_default();
        let limits = limits(&mut root, &mut problems);
        let retention = retention(&mut root, &mut problems);
        let telemetry = telemetry(args, &mut root, &mut problems);
        let ingest_slo = root.take("ingest_slo", &mut problems).unwrap_or(true);
        let documents: Vec<(usize, ReceiverDocument)> = root.list("receivers", &mut problems);
        root.finish(&mut problems);
        let receivers = receivers(origin, documents, &mut problems);
        if !specs.is_dir() {
            problems.push(Problem {
                place: "specs".to_owned(),
                message: format!(
                    "`{}` is not a folder; give the folder with the SLO specs by --specs DIR",
                    specs.display()
                ),
            });
        }
        if problems.is_empty() {
            Ok(Config {
                specs,
                location,
                listen,
                base_url,
                receivers,
                receive: limits.receive,
                connections: limits.connections,
                counting: limits.counting,
                dedup,
                dedup_bytes: limits.dedup_bytes,
                ring_bytes: limits.ring_bytes,
                retention,
                ingest_slo,
                telemetry,
            })
        } else {
            problems.iter_mut().for_each(Problem::shorten);
            Err(Problems(problems))
        }
    }
}

fn listen(args: &ServeArgs, root: &mut Section<'_>, problems: &mut Vec<Problem>) -> Listen {
    let mut section = root.section("listen", problems);
    let standard = Listen::default();
    let mut address = |option: Option<SocketAddr>, field, standard| {
        let written = section.take(field, problems);
        option.or(written).unwrap_or(standard)
    };
    let listen = Listen {
        otlp_grpc: address(args.otlp_grpc_listen, "otlp_grpc", standard.otlp_grpc),
        otlp_http: address(args.otlp_http_listen, "otlp_http", standard.otlp_http),
        web: address(args.web_listen, "web", standard.web),
    };
    section.finish(problems);
    listen
}

fn location(args: &ServeArgs, root: &mut Section<'_>, problems: &mut Vec<Problem>) -> Location {
    let data: Option<PathBuf> = root.take("data", problems);
    let url: Option<String> = root.take("database_url", problems);
    if data.is_some() && url.is_some() {
        problems.push(Problem {
            place: "data".to_owned(),
            message: "`data` (SQLite) and `database_url` (PostgreSQL) are both set; keep one"
                .to_owned(),
        });
    }
    let url = match (&args.data, &args.database_url) {
        (_, Some(url)) => Some(url.clone()),
        (Some(_), None) => None,
        (None, None) => url,
    };
    if let Some(url) = url {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            problems.push(Problem {
                place: "database_url".to_owned(),
                message: "the database URL must begin with postgres://; for SQLite give a folder by --data DIR".to_owned(),
            });
        }
        return Location::Postgres(SecretString::from(url));
    }
    let directory = args.data.clone().or(data);
    Location::Directory(directory.unwrap_or_else(|| PathBuf::from("data")))
}

fn base_url(
    args: &ServeArgs,
    root: &mut Section<'_>,
    listen: Listen,
    problems: &mut Vec<Problem>,
) -> String {
    let given: Option<String> = root.take("base_url", problems);
    let url = args
        .base_url
        .clone()
        .or(given)
        .unwrap_or_else(|| format!("http://{}", listen.web));
    if !url.starts_with("http://") && !url.starts_with("https://") {
        problems.push(Problem {
            place: "base_url".to_owned(),
            message: format!("`{url}` must begin with http:// or https://"),
        });
    }
    url.trim_end_matches('/').to_owned()
}

/// The section `limits`.
struct Limits {
    receive: ReceiveLimits,
    connections: ConnectionLimits,
    counting: collector::Limits,
    ring_bytes: usize,
    dedup_bytes: usize,
}

fn limits(root: &mut Section<'_>, problems: &mut Vec<Problem>) -> Limits {
    let mut section = root.section("limits", problems);
    let mut receive = ReceiveLimits::default();
    let mut connections = ConnectionLimits::default();
    if let Some(most) = section.take("connections", problems) {
        connections.connections = most;
        connections.per_address = most / 2;
    }
    if let Some(most) = section.take("connections_per_address", problems) {
        connections.per_address = most;
    }
    let mut counting = collector::Limits::default();
    let mut ring_bytes = crate::ring::DEFAULT_BYTES;
    if let Some(bytes) = section.take("request_bytes", problems) {
        receive.request_bytes = bytes;
    }
    if let Some(bytes) = section.take("in_flight_bytes", problems) {
        receive.in_flight_bytes = bytes;
    }
    if let Some(series) = section.take("series", problems) {
        counting.max_series = series;
    }
    if let Some(services) = section.take("services", problems) {
        counting.max_services = services;
    }
    if let Some(late) = duration(&mut section, "late", problems) {
        counting.max_late = late;
        if !LATE.contains(&late) {
            problems.push(Problem {
                place: "limits.late".to_owned(),
                message: "late events are accepted for 10m to 24h".to_owned(),
            });
        }
    }
    if let Some(future) = duration(&mut section, "future", problems) {
        counting.max_future = future;
        if future > FUTURE {
            problems.push(Problem {
                place: "limits.future".to_owned(),
                message: "events are taken as now when they are at most 10m ahead".to_owned(),
            });
        }
    }
    if let Some(bytes) = section.take("ring_bytes", problems) {
        ring_bytes = bytes;
    }
    let dedup_bytes = section.take("dedup_bytes", problems);
    let dedup_bytes = dedup_bytes.unwrap_or(crate::dedup::DEFAULT_BYTES);
    section.finish(problems);
    Limits {
        receive,
        connections,
        counting,
        ring_bytes,
        dedup_bytes,
    }
}

fn retention(root: &mut Section<'_>, problems: &mut Vec<Problem>) -> Retention {
    let mut section = root.section("retention", problems);
    let least = Retention::default();
    let mut at_least = |field: &str, least: Duration, problems: &mut Vec<Problem>| {
        let given = duration(&mut section, field, problems).unwrap_or(least);
        if given < least {
            problems.push(Problem {
                place: format!("retention.{field}"),
                message: format!("{given:?} is too short; budgets need at least {least:?}"),
            });
        }
        given
    };
    let retention = Retention {
        ten_seconds: at_least("ten_seconds", least.ten_seconds, problems),
        minutes: at_least("minutes", least.minutes, problems),
        hours: at_least("hours", least.hours, problems),
    };
    section.finish(problems);
    retention
}

fn telemetry(
    args: &ServeArgs,
    root: &mut Section<'_>,
    problems: &mut Vec<Problem>,
) -> TelemetryConfig {
    let mut section = root.section("telemetry", problems);
    let format: Option<LogFormat> = section.take("log_format", problems);
    let log: Option<String> = section.take("log", problems);
    let endpoint: Option<String> = section.take("otlp_endpoint", problems);
    section.finish(problems);
    let standard = TelemetryConfig::default();
    TelemetryConfig {
        format: args.log_format.or(format).unwrap_or(standard.format),
        filter: args.log.clone().or(log).unwrap_or(standard.filter),
        otlp_endpoint: args.otlp_endpoint.clone().or(endpoint),
        instance: standard.instance,
    }
}

/// A duration is written as text: `90s`, `2h`, `35d`.
fn duration(
    section: &mut Section<'_>,
    field: &str,
    problems: &mut Vec<Problem>,
) -> Option<Duration> {
    let text: String = section.take(field, problems)?;
    match parse_duration(&text) {
        Ok(duration) => Some(duration),
        Err(error) => {
            problems.push(Problem {
                place: section.path(field),
                message: format!("`{text}` is no duration: {error}; write `90s`, `2h` or `35d`"),
            });
            None
        }
    }
}

/// As windows are written in specs, and seconds as well.
fn parse_duration(text: &str) -> Result<Duration, slo_specs::WindowError> {
    match text
        .strip_suffix('s')
        .and_then(|seconds| seconds.parse().ok())
    {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => slo_specs::parse_window(text),
    }
}

fn receivers(
    origin: Origin<'_>,
    documents: Vec<(usize, ReceiverDocument)>,
    problems: &mut Vec<Problem>,
) -> Vec<Receiver> {
    let (offsets, documents): (Vec<_>, Vec<_>) = documents.into_iter().unzip();
    match Receiver::resolve_all(&documents, &variable) {
        Ok(receivers) => receivers,
        Err(found) => {
            for (index, message) in found {
                let offset = offsets.get(index).copied().unwrap_or_default();
                problems.push(origin.problem(offset, message));
            }
            Vec::new()
        }
    }
}

/// An environment variable that a receiver's secret is kept in.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the configuration that the ban refers to"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> ServeArgs {
        ServeArgs {
            specs: Some(PathBuf::from(env!("CARGO_MANIFEST_DIR"))),
            ..ServeArgs::default()
        }
    }

    fn problems(text: &str) -> Vec<String> {
        match Config::from_text(&args(), text, "sloburn.toml") {
            Ok(_) => Vec::new(),
            Err(Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn without_a_file_everything_has_its_default() {
        let config = Config::from_text(&args(), "", "sloburn.toml").unwrap();
        assert_eq!(config.listen, Listen::default());
        assert_eq!(config.base_url, "http://127.0.0.1:8080");
        assert!(config.receivers.is_empty());
    }

    #[test]
    fn late_and_future_have_bounds() {
        let limits = |text: &str| problems(&format!("[limits]\n{text}\n"));
        assert_eq!(limits("late = \"10m\"\nfuture = \"10m\""), [""; 0]);
        assert_eq!(limits("late = \"24h\"\nfuture = \"0s\""), [""; 0]);
        for (text, place) in [
            ("late = \"9m\"", "limits.late"),
            ("late = \"2d\"", "limits.late"),
            ("future = \"11m\"", "limits.future"),
        ] {
            let found = limits(text);
            assert!(found.len() == 1 && found[0].starts_with(place), "{found:?}");
        }
        let off = Config::from_text(&args(), "ingest_slo = false", "sloburn.toml").unwrap();
        assert!(!off.ingest_slo);
    }

    #[test]
    fn an_option_wins_over_the_file() {
        let args = ServeArgs {
            web_listen: Some("127.0.0.1:9999".parse().unwrap()),
            ..args()
        };
        let text = "[listen]\nweb = \"127.0.0.1:1111\"\notlp_http = \"127.0.0.1:2222\"\n";
        let config = Config::from_text(&args, text, "sloburn.toml").unwrap();
        assert_eq!(config.listen.web.port(), 9999);
        assert_eq!(config.listen.otlp_http.port(), 2222);
    }

    #[test]
    fn a_long_value_is_not_quoted_whole() {
        let text = format!("base_url = '''{}'''\n", "long ".repeat(2000));
        let [problem] = &*problems(&text) else {
            panic!("one problem");
        };
        assert!(problem.len() < 500, "{problem}");
        assert!(problem.starts_with("base_url: `long long"), "{problem}");
        assert!(
            problem.ends_with("must begin with http:// or https://"),
            "{problem}"
        );
    }

    #[test]
    fn every_problem_is_found_at_once_and_placed() {
        let text = "base_url = \"ftp://x\"\nretntion = 1\n[listen]\nweb = \"nowhere\"\n[retention]\nminutes = \"1d\"\n[limits]\nlate = \"soon\"\n";
        let found = problems(text);
        let expected = [
            ("base_url", "must begin with http"),
            ("sloburn.toml:2:1", "unknown field `retntion`"),
            ("sloburn.toml:4:7", "`listen.web`"),
            ("retention.minutes", "too short"),
            ("limits.late", "soon"),
        ];
        for (place, message) in expected {
            assert!(
                found
                    .iter()
                    .any(|line| line.starts_with(place) && line.contains(message)),
                "no problem at {place} with {message} in {found:#?}"
            );
        }
        assert_eq!(found.len(), expected.len(), "{found:#?}");
    }

    #[test]
    fn two_stores_at_once_are_refused() {
        let text = "data = \"data\"\ndatabase_url = \"postgres://x/y\"\n";
        assert!(problems(text)[0].contains("keep one"));
        assert!(problems("database_url = \"mysql://x/y\"\n")[0].contains("postgres://"));
    }
}
