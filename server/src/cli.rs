//! The command line as written: subcommands and options.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::dedup::Dedup;
use crate::plan::Edge;
use crate::telemetry::LogFormat;

/// SLO and error-budget observability: OTLP in, budgets, burn rates and pages out.
#[derive(Debug, Parser)]
#[command(name = "sloburn", version, about, long_about = None)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service: receive OTLP, judge objectives, show dashboards, page.
    Serve(ServeArgs),
    /// Run the service with a small shop that sends live traffic, faults that come and go, and an
    /// inbox that shows the pages.
    Demo(DemoArgs),
    /// Check spec files and folders; prints every problem as `file:line:column: problem`.
    Check(CheckArgs),
    /// Convert spec files of Sloth, Pyrra and OpenSLO v1alpha; says field by field what cannot be converted.
    Convert(ConvertArgs),
    /// Propose a first catalog from the telemetry seen.
    Init(InitArgs),
    /// Judge recorded telemetry offline, with a simulated clock.
    Replay(ReplayArgs),
    /// Tell which pages other specs would have caused: the same past under both.
    Plan(PlanArgs),
    /// Tell the counts behind an SLO's numbers at a time, and every step from them to the result.
    Explain(ExplainArgs),
}

/// Options of `serve`. An option wins over its environment variable, which wins over the file.
#[derive(Debug, Default, Args)]
pub struct ServeArgs {
    /// Configuration file (TOML).
    #[arg(long, env = "SLOBURN_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder with the SLO specs (YAML); read again on SIGHUP and when files change.
    #[arg(long, env = "SLOBURN_SPECS", value_name = "DIR")]
    pub specs: Option<PathBuf>,
    /// Folder of the embedded SQLite store; made if absent [default: ./data].
    #[arg(
        long,
        env = "SLOBURN_DATA",
        value_name = "DIR",
        conflicts_with = "database_url"
    )]
    pub data: Option<PathBuf>,
    /// PostgreSQL to use in place of SQLite: `postgres://user:password@host/database`.
    #[arg(
        long,
        env = "SLOBURN_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database_url: Option<String>,
    /// How what was counted before is recognised: by its request, or span by span [default: request].
    #[arg(long, env = "SLOBURN_DEDUP", value_name = "BY")]
    pub dedup: Option<Dedup>,
    /// Where to receive OTLP over gRPC [default: 127.0.0.1:4317].
    #[arg(long, env = "SLOBURN_OTLP_GRPC_LISTEN", value_name = "ADDRESS")]
    pub otlp_grpc_listen: Option<SocketAddr>,
    /// Where to receive OTLP over HTTP [default: 127.0.0.1:4318].
    #[arg(long, env = "SLOBURN_OTLP_HTTP_LISTEN", value_name = "ADDRESS")]
    pub otlp_http_listen: Option<SocketAddr>,
    /// Where to serve dashboards, API, probes and metrics [default: 127.0.0.1:8080].
    #[arg(long, env = "SLOBURN_WEB_LISTEN", value_name = "ADDRESS")]
    pub web_listen: Option<SocketAddr>,
    /// Address under which people reach the dashboards; links in pages start with it.
    #[arg(long, env = "SLOBURN_BASE_URL", value_name = "URL")]
    pub base_url: Option<String>,
    /// How log lines are written to standard error.
    #[arg(long, env = "SLOBURN_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Which log lines are written, e.g. `info` or `info,server::page=debug`.
    #[arg(long, env = "SLOBURN_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// Where sloburn sends its own traces and metrics, by OTLP over gRPC; off unless given.
    #[arg(long, env = "SLOBURN_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Folder with SLO specs to use in place of the demo's own.
    #[arg(long, value_name = "DIR")]
    pub specs: Option<PathBuf>,
    /// Folder of the store; a temporary one unless given.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where to receive OTLP over gRPC.
    #[arg(long, default_value = "127.0.0.1:4317", value_name = "ADDRESS")]
    pub otlp_grpc_listen: SocketAddr,
    /// Where to receive OTLP over HTTP.
    #[arg(long, default_value = "127.0.0.1:4318", value_name = "ADDRESS")]
    pub otlp_http_listen: SocketAddr,
    /// Where to serve the dashboards.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub web_listen: SocketAddr,
    /// Where to serve the inbox that receives the pages.
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS")]
    pub inbox_listen: SocketAddr,
    /// Stop by itself after this long, e.g. `3m`; runs until Ctrl-C unless given.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub run_for: Option<std::time::Duration>,
}

/// Options of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Spec and scenario files, or folders that are searched for `*.yaml` and `*.yml`.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Refuse also what OpenSLO's Go SDK refuses, though sloburn would take it.
    #[arg(long)]
    pub strict: bool,
    /// Count as an error what is only a warning.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub deny: Option<Deny>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = ReplayFormat::Text)]
    pub format: ReplayFormat,
    /// Configuration file: tell also of pages that no receiver takes.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Telemetry to hold the specs against.
    #[command(flatten)]
    pub seen: SeenArgs,
}

/// What `check` takes for an error besides errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// Every warning.
    Warnings,
}

/// Where telemetry was seen.
#[derive(Debug, Default, Args)]
pub struct SeenArgs {
    /// Recorded telemetry: JSON lines as the OpenTelemetry Collector's file exporter writes them.
    #[arg(long, num_args = 1.., value_name = "FILE", conflicts_with_all = ["data", "database_url", "server"])]
    pub recording: Vec<PathBuf>,
    /// The last 30 days that the data folder of a sloburn, which may be running, keeps.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["database_url", "server"])]
    pub data: Option<PathBuf>,
    /// The last 30 days that a PostgreSQL database of sloburn keeps.
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    pub database_url: Option<String>,
    /// The last 30 days that a running sloburn keeps: `http://127.0.0.1:8080`.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
}

/// Options of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Telemetry to propose objectives from.
    #[command(flatten)]
    pub seen: SeenArgs,
}

/// Options of `convert`.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// Files, or folders that are searched for `*.yaml` and `*.yml`.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Folder for the converted files, each under its path below the folder that was given; printed unless given.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Options of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Folder with the SLO specs.
    #[arg(long, value_name = "DIR")]
    pub specs: PathBuf,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = ReplayFormat::Text)]
    pub format: ReplayFormat,
    /// Recorded telemetry: JSON lines as the OpenTelemetry Collector's file exporter writes them.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// How `replay` prints its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// Options of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Spec file or folder as it is; with `--server` it may be left out, for the catalog in force there.
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// Spec file or folder as it would be.
    #[arg(value_name = "NEW")]
    pub new: Option<PathBuf>,
    /// The past as recorded telemetry: JSON lines as the OpenTelemetry Collector's file exporter writes them.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["data", "database_url", "server"])]
    pub recording: Vec<PathBuf>,
    /// The past as the data folder of a sloburn, which may be running, keeps it.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["database_url", "server"])]
    pub data: Option<PathBuf>,
    /// The past as the PostgreSQL database of a sloburn keeps it.
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    pub database_url: Option<String>,
    /// The past as a running sloburn keeps it: `http://127.0.0.1:8080`.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// From when: RFC 3339, or `-7d` before the end [default: 30 days before it; a recording's begin].
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<Edge>,
    /// Until when [default: the end of what there is].
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<Edge>,
    /// A page is false if less than this share of its window's budget was spent while it burned.
    #[arg(long, value_name = "SHARE", default_value = "0.02")]
    pub significant: slo_specs::Ratio,
    /// How the plan is printed.
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
    /// What makes the exit status 3: any of these, separated by commas.
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',', default_values_t = [FailOn::PagesAdded, FailOn::PagesMissed])]
    pub fail_on: Vec<FailOn>,
}

/// Options of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Which SLO: its name, or `name.slug` for one of several objectives.
    #[arg(value_name = "SLO")]
    pub slo: String,
    /// When: RFC 3339, or `-6h` before the end [default: the end of what there is].
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<Edge>,
    /// Folder with the SLO specs; a server knows its own.
    #[arg(long, value_name = "DIR")]
    pub specs: Option<PathBuf>,
    /// The counts of recorded telemetry: JSON lines as the OpenTelemetry Collector's file exporter writes them.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["data", "database_url", "server"])]
    pub recording: Vec<PathBuf>,
    /// The counts in the data folder of a sloburn, which may be running.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["database_url", "server"])]
    pub data: Option<PathBuf>,
    /// The counts in the PostgreSQL database of a sloburn.
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    pub database_url: Option<String>,
    /// The counts of a running sloburn: `http://127.0.0.1:8080`.
    #[arg(long, value_name = "URL", conflicts_with = "specs")]
    pub server: Option<String>,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = ReplayFormat::Text)]
    pub format: ReplayFormat,
}

/// How `plan` prints its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
    /// A comment on a pull request.
    Markdown,
}

/// When `plan` exits with status 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// The new specs page where the old ones do not.
    PagesAdded,
    /// The old specs page where the new ones do not.
    PagesRemoved,
    /// The old specs page, and not falsely, where the new ones do not: nobody would hear of it.
    PagesMissed,
    /// Both page, the new specs later.
    PagesLater,
    /// Both page, at other times or by another rule.
    PagesMoved,
    /// Any page or ticket is added, removed or moved.
    Any,
    /// Only for problems.
    Never,
}

fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    let span: jiff::SignedDuration = text
        .parse()
        .map_err(|error| format!("`{text}` is not a duration such as `90s` or `3m`: {error}"))?;
    span.try_into()
        .map_err(|_| format!("`{text}` is negative; a run lasts longer than zero"))
}
