//! Realistic trace export requests: batches as an SDK's batch processor sends them
//! (one resource, spans of several traces, HTTP semantic conventions, a share of
//! database clients and internal spans, exception events on errors).

mod encode;
mod names;

use crate::rng::Rng;
use crate::wire::Buf;
use crate::{Encoding, Template};
pub use encode::put_attrs;
use encode::{json_attrs, span_json, span_proto};
use names::{AGENTS, METHODS, NOUNS};
pub use names::{resource_attrs, route, service_name};

#[derive(Clone, Debug)]
pub struct TraceCfg {
    pub spans_per_request: usize,
    pub resources_per_request: usize,
    pub attrs: usize,
    pub services: usize,
    pub routes: usize,
    pub tenants: usize,
    pub error_ratio: f64,
    pub server_ratio: f64,
    pub median_ms: f64,
    pub sigma: f64,
    /// Spans end up to this long before they are sent.
    pub max_age_ms: f64,
    pub seed: u64,
}

impl Default for TraceCfg {
    fn default() -> Self {
        TraceCfg {
            spans_per_request: 100,
            resources_per_request: 1,
            attrs: 10,
            services: 20,
            routes: 25,
            tenants: 50,
            error_ratio: 0.01,
            server_ratio: 0.4,
            median_ms: 40.0,
            sigma: 0.8,
            max_age_ms: 5000.0,
            seed: 1,
        }
    }
}

pub enum Val {
    S(String),
    I(i64),
    B(bool),
}

struct SpanM {
    group: u32,
    parent: Parent,
    name: String,
    kind: u8,
    dur_ns: u64,
    age_ns: u64,
    attrs: Vec<(String, Val)>,
    error: Option<String>,
}

#[derive(Clone, Copy)]
enum Parent {
    Root,
    Remote,
    Ix(u32),
}

fn make_spans(
    cfg: &TraceCfg,
    s: usize,
    n: usize,
    first_ix: u32,
    first_group: u32,
    rng: &mut Rng,
) -> Vec<SpanM> {
    let mut out: Vec<SpanM> = Vec::with_capacity(n);
    let mut group = first_group;
    let mut server_ix = 0u32;
    let mut server_dur = 0u64;
    let mut server_age = 0u64;
    let mut left_in_group = 0;
    while out.len() < n {
        let ix = first_ix + out.len() as u32;
        if left_in_group == 0 {
            // A new trace: its server span first.
            if !out.is_empty() {
                group += 1;
            }
            left_in_group = children(cfg.server_ratio, rng);
            let r = rng.zipf(cfg.routes as u64) as usize;
            let (m, route, path) = route(s, r, rng);
            let median = cfg.median_ms * (0.3 + 0.2 * (r % 12) as f64);
            let dur_ms = rng.lognormal(median, cfg.sigma).clamp(0.05, 60_000.0);
            let err = rng.chance(cfg.error_ratio);
            let status = if err {
                [500, 502, 503, 504][rng.below(4) as usize]
            } else {
                match rng.below(50) {
                    0 => 404,
                    1 => 400,
                    2 => 429,
                    3..8 => 201,
                    _ => 200,
                }
            };
            let host = format!("{}.shop.internal", service_name(s));
            let mut attrs: Vec<(String, Val)> = vec![
                ("http.request.method".into(), Val::S(m.into())),
                ("http.route".into(), Val::S(route.clone())),
                ("http.response.status_code".into(), Val::I(status)),
                ("url.path".into(), Val::S(path)),
                ("url.scheme".into(), Val::S("https".into())),
                ("server.address".into(), Val::S(host)),
                ("server.port".into(), Val::I(8443)),
                (
                    "client.address".into(),
                    Val::S(format!("203.0.113.{}", rng.below(256))),
                ),
                (
                    "user_agent.original".into(),
                    Val::S(AGENTS[rng.below(4) as usize].into()),
                ),
                (
                    "app.tenant".into(),
                    Val::S(format!("tenant-{:04}", rng.zipf(cfg.tenants as u64))),
                ),
                ("network.protocol.version".into(), Val::S("1.1".into())),
                (
                    "app.plan".into(),
                    Val::S(["free", "pro", "enterprise"][rng.below(3) as usize].into()),
                ),
                ("app.cache_hit".into(), Val::B(rng.chance(0.6))),
            ];
            fit(&mut attrs, cfg.attrs, rng);
            server_ix = ix;
            server_dur = (dur_ms * 1e6) as u64;
            server_age = (rng.f64() * cfg.max_age_ms * 1e6) as u64;
            out.push(SpanM {
                group,
                parent: if rng.chance(0.3) {
                    Parent::Root
                } else {
                    Parent::Remote
                },
                name: format!("{m} {route}"),
                kind: 2,
                dur_ns: server_dur,
                age_ns: server_age,
                attrs,
                error: err
                    .then(|| "upstream connect error or disconnect before headers".to_string()),
            });
            continue;
        }
        left_in_group -= 1;
        let share = 0.05 + 0.7 * rng.f64();
        let dur_ns = (server_dur as f64 * share) as u64;
        let age_ns = server_age + (server_dur as f64 * (1.0 - share) * rng.f64()) as u64;
        let err = rng.chance(cfg.error_ratio);
        let (name, kind, mut attrs) = match rng.below(5) {
            0 | 1 => {
                let peer = service_name(rng.below(cfg.services as u64) as usize);
                let m = METHODS[rng.below(5) as usize];
                (
                    m.to_string(),
                    3u8,
                    vec![
                        ("http.request.method".into(), Val::S(m.into())),
                        (
                            "url.full".into(),
                            Val::S(format!(
                                "https://{peer}.shop.internal:8443/api/v1/{}/{}",
                                NOUNS[rng.below(16) as usize],
                                rng.below(1_000_000)
                            )),
                        ),
                        (
                            "http.response.status_code".into(),
                            Val::I(if err { 503 } else { 200 }),
                        ),
                        (
                            "server.address".into(),
                            Val::S(format!("{peer}.shop.internal")),
                        ),
                        ("server.port".into(), Val::I(8443)),
                        (
                            "network.peer.address".into(),
                            Val::S(format!("10.0.{}.{}", rng.below(256), rng.below(256))),
                        ),
                        ("network.peer.port".into(), Val::I(8443)),
                        ("network.protocol.version".into(), Val::S("1.1".into())),
                        ("thread.id".into(), Val::I(rng.below(200) as i64)),
                        (
                            "thread.name".into(),
                            Val::S(format!("http-nio-8080-exec-{}", rng.below(64))),
                        ),
                    ],
                )
            }
            2 | 3 => {
                let t = NOUNS[rng.below(16) as usize];
                (
                    format!("SELECT {t}"),
                    3,
                    vec![
                        ("db.system.name".into(), Val::S("postgresql".into())),
                        ("db.namespace".into(), Val::S("shop".into())),
                        ("db.operation.name".into(), Val::S("SELECT".into())),
                        ("db.collection.name".into(), Val::S(t.into())),
                        (
                            "db.query.text".into(),
                            Val::S(format!(
                                "SELECT id, state, total, updated_at FROM {t} WHERE tenant = ? AND id = ? ORDER BY updated_at DESC LIMIT ?"
                            )),
                        ),
                        (
                            "server.address".into(),
                            Val::S("pg-main.shop.internal".into()),
                        ),
                        ("server.port".into(), Val::I(5432)),
                        ("network.peer.address".into(), Val::S("10.0.9.12".into())),
                        ("thread.id".into(), Val::I(rng.below(200) as i64)),
                        (
                            "thread.name".into(),
                            Val::S(format!("http-nio-8080-exec-{}", rng.below(64))),
                        ),
                    ],
                )
            }
            _ => (
                format!("{}Service.validate", service_name(s)),
                1,
                vec![
                    (
                        "code.function.name".into(),
                        Val::S(format!("com.shop.{}.Service.validate", service_name(s))),
                    ),
                    ("code.file.path".into(), Val::S("Service.java".into())),
                    ("code.line.number".into(), Val::I(rng.below(900) as i64)),
                    ("thread.id".into(), Val::I(rng.below(200) as i64)),
                    (
                        "thread.name".into(),
                        Val::S(format!("http-nio-8080-exec-{}", rng.below(64))),
                    ),
                ],
            ),
        };
        if kind != 1 {
            fit(&mut attrs, cfg.attrs, rng);
        }
        out.push(SpanM {
            group,
            parent: Parent::Ix(server_ix),
            name,
            kind,
            dur_ns,
            age_ns,
            attrs,
            error: err.then(|| "deadline exceeded".to_string()),
        });
    }
    out
}

fn children(server_ratio: f64, rng: &mut Rng) -> usize {
    let mean = (1.0 / server_ratio.clamp(0.02, 1.0)) - 1.0;
    let lo = mean.floor();
    lo as usize + rng.chance(mean - lo) as usize
}

fn fit(attrs: &mut Vec<(String, Val)>, n: usize, rng: &mut Rng) {
    attrs.truncate(n);
    for i in attrs.len()..n {
        attrs.push((
            format!("app.attribute.{i}"),
            Val::S(format!("value-{:06}", rng.below(1_000_000))),
        ));
    }
}

/// `n` different templates, the services taken in turn.
pub fn templates(cfg: &TraceCfg, enc: Encoding, n: usize) -> Vec<Template> {
    let mut rng = Rng::new(cfg.seed);
    let mut out = Vec::with_capacity(n);
    let mut next_service = 0usize;
    for t in 0..n {
        let parts = cfg
            .resources_per_request
            .clamp(1, cfg.spans_per_request.max(1));
        let mut proto = Buf::default();
        let mut json: Vec<u8> = b"{\"resourceSpans\":[".to_vec();
        let mut jpatches = Vec::new();
        let mut ix = 0u32;
        let mut group = 0u32;
        for p in 0..parts {
            let count = cfg.spans_per_request * (p + 1) / parts - cfg.spans_per_request * p / parts;
            let s = next_service % cfg.services;
            next_service += 1;
            let res = resource_attrs(s, &mut rng);
            let spans = make_spans(cfg, s, count, ix, group, &mut rng);
            let scope = "io.opentelemetry.tomcat-10.0";
            match enc {
                Encoding::Proto => {
                    let mut r = Buf::default();
                    put_attrs(&mut r, 1, &res);
                    let mut sc = Buf::default();
                    sc.str(1, scope);
                    sc.str(2, "2.19.0-alpha");
                    let mut ss = Buf::default();
                    ss.msg(1, sc);
                    for (i, m) in spans.iter().enumerate() {
                        ss.msg(2, span_proto(m, ix + i as u32));
                    }
                    ss.str(3, "https://opentelemetry.io/schemas/1.37.0");
                    let mut rs = Buf::default();
                    rs.msg(1, r);
                    rs.msg(2, ss);
                    proto.msg(1, rs);
                }
                Encoding::Json => {
                    if p > 0 {
                        json.push(b',');
                    }
                    json.extend_from_slice(b"{\"resource\":{\"attributes\":");
                    json_attrs(&mut json, &res);
                    json.extend_from_slice(b"},\"scopeSpans\":[{\"scope\":{\"name\":\"");
                    json.extend_from_slice(scope.as_bytes());
                    json.extend_from_slice(b"\",\"version\":\"2.19.0-alpha\"},\"spans\":[");
                    for (i, m) in spans.iter().enumerate() {
                        if i > 0 {
                            json.push(b',');
                        }
                        span_json(&mut json, m, ix + i as u32, &mut jpatches);
                    }
                    json.extend_from_slice(
                        b"],\"schemaUrl\":\"https://opentelemetry.io/schemas/1.37.0\"}]}",
                    );
                }
            }
            ix += count as u32;
            group = spans.last().map_or(group, |s| s.group + 1);
        }
        let mut tpl = match enc {
            Encoding::Proto => Template::new(proto.b, proto.patches, ix as u64, enc),
            Encoding::Json => {
                json.extend_from_slice(b"]}");
                Template::new(json, jpatches, ix as u64, enc)
            }
        };
        // Fill ids and times once, so that a never refreshed template is well formed too.
        let mut raw = std::mem::take(&mut tpl.raw);
        tpl.apply(
            &mut raw,
            crate::Refresh::ALL,
            t as u64,
            cfg.seed,
            0,
            crate::now_ns(),
        );
        tpl.raw = raw;
        out.push(tpl);
    }
    out
}
