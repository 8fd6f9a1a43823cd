//! The shop that the load comes from: services, routes, and what their resources say.

use super::Val;
use crate::rng::Rng;

const NAMES: [&str; 24] = [
    "checkout",
    "cart",
    "catalog",
    "payment",
    "shipping",
    "search",
    "inventory",
    "pricing",
    "accounts",
    "identity",
    "notify",
    "recommend",
    "reviews",
    "ledger",
    "fraud",
    "tax",
    "media",
    "email",
    "orders",
    "returns",
    "coupons",
    "gateway",
    "sessions",
    "reports",
];
pub(super) const NOUNS: [&str; 16] = [
    "orders", "items", "users", "carts", "payments", "quotes", "sessions", "events", "labels",
    "rates", "stocks", "refunds", "invoices", "devices", "reviews", "offers",
];
pub(super) const METHODS: [&str; 5] = ["GET", "GET", "GET", "POST", "PUT"];
pub(super) const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "okhttp/4.12.0",
    "python-requests/2.32.5",
];

pub fn service_name(i: usize) -> String {
    let base = NAMES[i % NAMES.len()];
    if i < NAMES.len() {
        base.to_string()
    } else {
        format!("{base}-{}", i / NAMES.len())
    }
}

/// (method, route template, concrete path) of route `r` of service `s`.
pub fn route(s: usize, r: usize, rng: &mut Rng) -> (&'static str, String, String) {
    let a = NOUNS[(s * 7 + r) % NOUNS.len()];
    let b = NOUNS[(s * 3 + r * 5 + 1) % NOUNS.len()];
    let m = METHODS[r % METHODS.len()];
    let v = 1 + r / NOUNS.len();
    match r % 3 {
        0 => (m, format!("/api/v{v}/{a}"), format!("/api/v{v}/{a}")),
        1 => (
            m,
            format!("/api/v{v}/{a}/{{id}}"),
            format!("/api/v{v}/{a}/{}", rng.below(10_000_000)),
        ),
        _ => (
            m,
            format!("/api/v{v}/{a}/{{id}}/{b}"),
            format!("/api/v{v}/{a}/{}/{b}", rng.below(10_000_000)),
        ),
    }
}

pub fn resource_attrs(s: usize, rng: &mut Rng) -> Vec<(String, Val)> {
    let name = service_name(s);
    let pod = format!(
        "{name}-{:08x}-{:05x}",
        rng.below(1 << 32),
        rng.below(1 << 20)
    );
    let v = |k: &str, v: &str| (k.to_string(), Val::S(v.to_string()));
    vec![
        v("service.name", &name),
        v("service.namespace", "shop"),
        v("service.version", &format!("1.{}.{}", s % 7, s % 11)),
        (
            "service.instance.id".into(),
            Val::S(format!(
                "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                rng.below(1 << 32),
                rng.below(1 << 16),
                rng.below(1 << 12),
                rng.below(1 << 12),
                rng.below(1 << 48)
            )),
        ),
        v("deployment.environment.name", "production"),
        v(
            "telemetry.sdk.language",
            ["java", "go", "python", "nodejs"][s % 4],
        ),
        v("telemetry.sdk.name", "opentelemetry"),
        v("telemetry.sdk.version", "1.54.1"),
        v(
            "host.name",
            &format!(
                "ip-10-0-{}-{}.eu-west-1.compute.internal",
                s % 256,
                rng.below(256)
            ),
        ),
        v("k8s.pod.name", &pod),
        v("k8s.namespace.name", "shop"),
        ("process.pid".into(), Val::I(1 + rng.below(60_000) as i64)),
    ]
}
