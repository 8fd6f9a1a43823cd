use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use loadgen::net::{Plan, Proto, run};
use loadgen::{Compression, Encoding, Refresh, gen_metrics, gen_traces, procfs};
use serde_json::json;

#[derive(Clone, Copy, ValueEnum, PartialEq, Debug)]
enum Signal {
    Traces,
    Metrics,
}
#[derive(Clone, Copy, ValueEnum, PartialEq, Debug)]
enum Via {
    Grpc,
    Http,
    HttpJson,
}
#[derive(Clone, Copy, ValueEnum, PartialEq, Debug)]
enum Comp {
    None,
    Gzip,
    Zstd,
}
#[derive(Clone, Copy, ValueEnum, PartialEq, Debug)]
enum Fresh {
    /// Send the pre-built bytes as they are.
    None,
    /// Rewrite timestamps only.
    Time,
    /// Rewrite ids (and count cumulative series up) only.
    Ids,
    /// Both: every payload is unique.
    All,
}
#[derive(Clone, Copy, ValueEnum, PartialEq, Debug)]
enum Temporality {
    Delta,
    Cumulative,
}

/// OTLP load generator. Prints one JSON line; the headline is `server_cpu_s_per_million`.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// host:port (loopback unless you mean otherwise)
    #[arg(long, default_value = "127.0.0.1:4317")]
    target: String,
    #[arg(long, value_enum, default_value = "grpc")]
    via: Via,
    #[arg(long, value_enum, default_value = "traces")]
    signal: Signal,
    #[arg(long, value_enum, default_value = "none")]
    compression: Comp,
    #[arg(long, default_value_t = 1)]
    compression_level: u32,
    #[arg(long, value_enum, default_value = "all")]
    refresh: Fresh,
    /// HTTP path; default /v1/traces or /v1/metrics
    #[arg(long)]
    path: Option<String>,
    /// Extra header, name=value (repeatable)
    #[arg(long = "header")]
    headers: Vec<String>,

    /// Stop after this many spans or points
    #[arg(long)]
    count: Option<u64>,
    /// Run this many seconds
    #[arg(long)]
    duration: Option<f64>,
    /// Spans (points) per second; without it as fast as the server answers
    #[arg(long)]
    rate: Option<f64>,
    /// Seconds of unmeasured load first (same shape and rate)
    #[arg(long, default_value_t = 0.0)]
    warmup: f64,
    /// Seconds after the last response before the server's CPU time is read (its background work)
    #[arg(long, default_value_t = 1.0)]
    settle: f64,

    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Requests in flight per connection
    #[arg(long, default_value_t = 4)]
    streams: usize,
    /// Client threads
    #[arg(long, default_value_t = 1)]
    threads: usize,
    #[arg(long, default_value_t = 30.0)]
    timeout: f64,

    /// Different pre-built payloads
    #[arg(long, default_value_t = 40)]
    templates: usize,
    #[arg(long, default_value_t = 100)]
    spans_per_request: usize,
    #[arg(long, default_value_t = 1)]
    resources_per_request: usize,
    /// Attributes per server and client span
    #[arg(long, default_value_t = 10)]
    attrs: usize,
    #[arg(long, default_value_t = 20)]
    services: usize,
    /// Routes per service
    #[arg(long, default_value_t = 25)]
    routes: usize,
    #[arg(long, default_value_t = 50)]
    tenants: usize,
    #[arg(long, default_value_t = 0.01)]
    error_ratio: f64,
    /// Share of SERVER spans (the rest: HTTP and database clients, internal)
    #[arg(long, default_value_t = 0.4)]
    server_ratio: f64,
    #[arg(long, default_value_t = 40.0)]
    median_ms: f64,
    #[arg(long, default_value_t = 0.8)]
    sigma: f64,
    #[arg(long, default_value_t = 5000.0)]
    max_age_ms: f64,

    /// Metrics: points of each kind in one request
    #[arg(long, default_value_t = 100)]
    points_per_request: usize,
    /// Metrics: comma-separated kinds out of sum,hist,exphist
    #[arg(long, default_value = "sum,hist,exphist")]
    metric_kinds: String,
    #[arg(long, value_enum, default_value = "delta")]
    temporality: Temporality,

    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Process whose CPU seconds and resident size are reported
    #[arg(long)]
    server_pid: Option<String>,
    /// Write the first payload (uncompressed, unframed) here and exit
    #[arg(long)]
    dump: Option<PathBuf>,
    /// A word carried into the JSON line
    #[arg(long)]
    label: Option<String>,
}

fn main() {
    let a = Args::parse();
    let enc = if a.via == Via::HttpJson {
        Encoding::Json
    } else {
        Encoding::Proto
    };
    let templates = match a.signal {
        Signal::Traces => gen_traces::templates(
            &gen_traces::TraceCfg {
                spans_per_request: a.spans_per_request,
                resources_per_request: a.resources_per_request,
                attrs: a.attrs,
                services: a.services,
                routes: a.routes,
                tenants: a.tenants,
                error_ratio: a.error_ratio,
                server_ratio: a.server_ratio,
                median_ms: a.median_ms,
                sigma: a.sigma,
                max_age_ms: a.max_age_ms,
                seed: a.seed,
            },
            enc,
            a.templates,
        ),
        Signal::Metrics => {
            if enc == Encoding::Json {
                fail("metrics are sent as protobuf only");
            }
            let has = |k: &str| a.metric_kinds.split(',').any(|x| x.trim() == k);
            gen_metrics::templates(
                &gen_metrics::MetricCfg {
                    services: a.services,
                    routes: a.routes,
                    points_per_request: a.points_per_request,
                    sums: has("sum"),
                    histograms: has("hist"),
                    exp_histograms: has("exphist"),
                    cumulative: a.temporality == Temporality::Cumulative,
                    error_ratio: a.error_ratio,
                    median_ms: a.median_ms,
                    sigma: a.sigma,
                    samples_per_point: 500,
                    seed: a.seed,
                },
                // Each worker has templates of its own, as a metric stream must come in order.
                a.templates
                    .next_multiple_of(a.connections.max(1) * a.streams.max(1)),
            )
        }
    };
    let mut templates = templates;
    let items_per_request = templates[0].items.max(1);
    let raw_bytes: usize = templates.iter().map(|t| t.raw.len()).sum();
    let items_all: u64 = templates.iter().map(|t| t.items).sum();
    if let Some(p) = &a.dump {
        std::fs::write(p, &templates[0].raw).unwrap_or_else(|e| fail(&e.to_string()));
        eprintln!(
            "{} bytes, {} items -> {}",
            templates[0].raw.len(),
            items_per_request,
            p.display()
        );
        return;
    }
    let comp = match a.compression {
        Comp::None => Compression::None,
        Comp::Gzip => Compression::Gzip,
        Comp::Zstd => Compression::Zstd,
    };
    let proto = if a.via == Via::Grpc {
        Proto::Grpc
    } else {
        Proto::Http
    };
    for t in &mut templates {
        t.prepare(proto == Proto::Grpc, comp, a.compression_level);
    }
    if a.count.is_none() && a.duration.is_none() {
        fail("give --count or --duration");
    }
    let refresh = match a.refresh {
        Fresh::None => Refresh::NONE,
        Fresh::Time => Refresh {
            ids: false,
            times: true,
        },
        Fresh::Ids => Refresh {
            ids: true,
            times: false,
        },
        Fresh::All => Refresh::ALL,
    };
    let (grpc_path, http_path) = match a.signal {
        Signal::Traces => (
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            "/v1/traces",
        ),
        Signal::Metrics => (
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            "/v1/metrics",
        ),
    };
    let headers = a
        .headers
        .iter()
        .map(|h| match h.split_once('=') {
            Some((k, v)) => (k.to_ascii_lowercase(), v.to_string()),
            None => fail("--header takes name=value"),
        })
        .collect();
    let mut plan = Plan {
        addr: a.target.clone(),
        proto,
        grpc_path,
        http_path: a.path.clone().unwrap_or_else(|| http_path.to_string()),
        headers,
        templates,
        refresh,
        compression: comp,
        level: a.compression_level,
        seed: a.seed ^ loadgen::now_ns(),
        connections: a.connections.max(1),
        streams: a.streams.max(1),
        timeout: Duration::from_secs_f64(a.timeout),
        count: None,
        rate: a.rate.map(|r| r / items_per_request as f64),
        duration: None,
    };
    let rt = if a.threads <= 1 {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    } else {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(a.threads)
            .enable_all()
            .build()
    }
    .unwrap_or_else(|e| fail(&e.to_string()));

    let mut seq0 = 0u64;
    if a.warmup > 0.0 {
        plan.duration = Some(Duration::from_secs_f64(a.warmup));
        let (st, _, p) = rt.block_on(run(plan, 0));
        seq0 = st.requests + 1_000_000;
        plan = p;
        std::thread::sleep(Duration::from_secs_f64(a.settle));
    }
    plan.count = a.count.map(|c| c.div_ceil(items_per_request));
    plan.duration = a.duration.map(Duration::from_secs_f64);

    let cpu0 = a
        .server_pid
        .as_deref()
        .map(|p| procfs::cpu_s(p).unwrap_or_else(|| fail(&format!("no process {p}"))));
    let rss0 = a.server_pid.as_deref().and_then(procfs::rss_bytes);
    let sampler = a.server_pid.as_deref().map(procfs::RssSampler::start);
    let own_cpu_s = || procfs::cpu_s("self").map_or(0.0, |(user, system)| user + system);
    let me0 = own_cpu_s();
    let (st, elapsed, _plan) = rt.block_on(run(plan, seq0));
    let me = own_cpu_s() - me0;
    let cpu1 = a.server_pid.as_deref().and_then(procfs::cpu_s);
    if a.server_pid.is_some() {
        std::thread::sleep(Duration::from_secs_f64(a.settle));
    }
    let cpu2 = a.server_pid.as_deref().and_then(procfs::cpu_s);
    let peak = sampler.map(|s| s.finish());

    let ms = |us: u64| us as f64 / 1000.0;
    let r2 = |v: f64| (v * 1000.0).round() / 1000.0;
    let mut out = json!({
        "label": a.label,
        "signal": format!("{:?}", a.signal).to_lowercase(),
        "via": format!("{:?}", a.via).to_lowercase(),
        "compression": format!("{:?}", a.compression).to_lowercase(),
        "refresh": format!("{:?}", a.refresh).to_lowercase(),
        "items_per_request": items_per_request,
        "bytes_per_item": r2(raw_bytes as f64 / items_all as f64),
        "requests": st.requests,
        "sent": st.sent,
        "accepted": st.accepted,
        "rejected": st.rejected,
        "errors": st.errors,
        "throttled": st.throttled,
        "elapsed_s": r2(elapsed),
        "items_per_s": (st.accepted as f64 / elapsed).round(),
        "wire_mb_per_s": r2(st.bytes as f64 / elapsed / 1e6),
        "p50_ms": ms(st.lat.value_at_quantile(0.5)),
        "p99_ms": ms(st.lat.value_at_quantile(0.99)),
        "max_ms": ms(st.lat.max()),
        "client_cpu_s": r2(me),
        "client_cpu_s_per_million": r2(me * 1e6 / st.sent.max(1) as f64),
    });
    if !st.sched.is_empty() {
        out["sched_p50_ms"] = json!(ms(st.sched.value_at_quantile(0.5)));
        out["sched_p99_ms"] = json!(ms(st.sched.value_at_quantile(0.99)));
        out["sched_max_ms"] = json!(ms(st.sched.max()));
    }
    if let Some(e) = &st.first_error {
        out["first_error"] = json!(e);
    }
    if let (Some((u0, s0)), Some((u1, s1)), Some((u2, s2))) = (cpu0, cpu1, cpu2) {
        let total = u2 + s2 - u0 - s0;
        out["server_cpu_s_per_million"] = json!(r2(total * 1e6 / st.accepted.max(1) as f64));
        out["server_cpu_s"] = json!(r2(total));
        out["server_user_s"] = json!(r2(u2 - u0));
        out["server_sys_s"] = json!(r2(s2 - s0));
        out["server_cpu_s_while_sending"] = json!(r2(u1 + s1 - u0 - s0));
        out["server_cores_while_sending"] = json!(r2((u1 + s1 - u0 - s0) / elapsed));
        out["server_rss_peak_mib"] = json!(r2(peak.unwrap_or(0) as f64 / 1048576.0));
        out["server_rss_start_mib"] = json!(r2(rss0.unwrap_or(0) as f64 / 1048576.0));
    }
    println!("{out}");
    if st.accepted == 0 {
        std::process::exit(1);
    }
}

fn fail(msg: &str) -> ! {
    eprintln!("loadgen: {msg}");
    std::process::exit(2)
}
