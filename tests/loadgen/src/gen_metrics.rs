//! Metric export requests: monotonic sums, explicit-bucket and exponential histograms.

use crate::gen_traces::{Val, put_attrs, resource_attrs, route};
use crate::rng::Rng;
use crate::wire::Buf;
use crate::{Encoding, Patch, Template};

#[derive(Clone, Debug)]
pub struct MetricCfg {
    pub services: usize,
    pub routes: usize,
    /// Points (of each kind chosen) in one request.
    pub points_per_request: usize,
    pub sums: bool,
    pub histograms: bool,
    pub exp_histograms: bool,
    pub cumulative: bool,
    pub error_ratio: f64,
    pub median_ms: f64,
    pub sigma: f64,
    /// Requests folded into one histogram point.
    pub samples_per_point: usize,
    pub seed: u64,
}

impl Default for MetricCfg {
    fn default() -> Self {
        MetricCfg {
            services: 20,
            routes: 25,
            points_per_request: 100,
            sums: true,
            histograms: true,
            exp_histograms: true,
            cumulative: false,
            error_ratio: 0.01,
            median_ms: 40.0,
            sigma: 0.8,
            samples_per_point: 500,
            seed: 1,
        }
    }
}

/// The HTTP semantic conventions' advised bucket bounds, in seconds.
pub const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Attributes of the `i`th point of a metric: no two of one request are the same.
fn point_attrs(cfg: &MetricCfg, s: usize, i: usize, rng: &mut Rng) -> Vec<(String, Val)> {
    let (m, route, _) = route(s, i % cfg.routes, rng);
    let status = if rng.chance(cfg.error_ratio * 5.0) {
        503
    } else {
        200
    };
    vec![
        ("http.request.method".into(), Val::S(m.into())),
        ("http.route".into(), Val::S(route)),
        ("http.response.status_code".into(), Val::I(status)),
        ("url.scheme".into(), Val::S("https".into())),
        ("network.protocol.version".into(), Val::S("1.1".into())),
        (
            "app.tenant".into(),
            Val::S(format!("tenant-{:04}", i / cfg.routes)),
        ),
    ]
}

pub fn templates(cfg: &MetricCfg, n: usize) -> Vec<Template> {
    let mut rng = Rng::new(cfg.seed);
    let mut out = Vec::with_capacity(n);
    let temporality = if cfg.cumulative { 2 } else { 1 };
    for t in 0..n {
        let s = t % cfg.services;
        let mut items = 0u64;
        let mut scope = Buf::default();
        scope.str(1, "io.opentelemetry.http-server");
        scope.str(2, "2.19.0");
        let mut sm = Buf::default();
        sm.msg(1, scope);

        if cfg.sums {
            let mut sum = Buf::default();
            for i in 0..cfg.points_per_request {
                let mut p = Buf::default();
                put_attrs(&mut p, 7, &point_attrs(cfg, s, i, &mut rng));
                let start = p.fixed64(2, 0);
                let time = p.fixed64(3, 0);
                let delta = 1 + rng.below(2 * cfg.samples_per_point as u64);
                let at = p.fixed64(6, delta);
                time_patch(&mut p, start, time, cfg.cumulative);
                if cfg.cumulative {
                    p.patches.push(Patch::CumU64 { at, delta });
                }
                sum.msg(1, p);
                items += 1;
            }
            sum.uint(2, temporality);
            sum.uint(3, 1);
            metric(&mut sm, "http.server.request.count", "{request}", 7, sum);
        }
        if cfg.histograms {
            let mut h = Buf::default();
            for i in 0..cfg.points_per_request {
                let mut counts = [0u64; BOUNDS.len() + 1];
                let (total, min, max) = samples(cfg, i, &mut rng, |v| {
                    counts[BOUNDS.partition_point(|&b| b < v)] += 1;
                });
                let mut p = Buf::default();
                let start = p.fixed64(2, 0);
                let time = p.fixed64(3, 0);
                let n: u64 = counts.iter().sum();
                let count_at = p.fixed64(4, n);
                let sum_at = p.double(5, total);
                p.tag(6, 2);
                p.varint(8 * counts.len() as u64);
                let first = p.b.len() as u32;
                for c in counts {
                    p.b.extend_from_slice(&c.to_le_bytes());
                }
                p.tag(7, 2);
                p.varint(8 * BOUNDS.len() as u64);
                for v in BOUNDS {
                    p.b.extend_from_slice(&v.to_le_bytes());
                }
                put_attrs(&mut p, 9, &point_attrs(cfg, s, i, &mut rng));
                time_patch(&mut p, start, time, cfg.cumulative);
                if cfg.cumulative {
                    p.patches.push(Patch::CumU64 {
                        at: count_at,
                        delta: n,
                    });
                    p.patches.push(Patch::CumF64 {
                        at: sum_at,
                        delta: total,
                    });
                    for (j, c) in counts.into_iter().enumerate() {
                        p.patches.push(Patch::CumU64 {
                            at: first + 8 * j as u32,
                            delta: c,
                        });
                    }
                } else {
                    p.double(11, min);
                    p.double(12, max);
                }
                h.msg(1, p);
                items += 1;
            }
            h.uint(2, temporality);
            metric(&mut sm, "http.server.request.duration", "s", 9, h);
        }
        if cfg.exp_histograms {
            let mut h = Buf::default();
            for i in 0..cfg.points_per_request {
                // Scale 4: base 2^(1/16); indexes of 0.05 ms .. 60 s lie within +-240.
                let scale = 4i32;
                let mut counts = std::collections::BTreeMap::<i64, u64>::new();
                let (total, min, max) = samples(cfg, i, &mut rng, |v| {
                    let ix = (v.log2() * (1 << scale) as f64).ceil() as i64 - 1;
                    *counts.entry(ix).or_default() += 1;
                });
                let lo = *counts.keys().next().unwrap();
                let hi = *counts.keys().next_back().unwrap();
                let n: u64 = counts.values().sum();
                let mut p = Buf::default();
                put_attrs(&mut p, 1, &point_attrs(cfg, s, i, &mut rng));
                let start = p.fixed64(2, 0);
                let time = p.fixed64(3, 0);
                let count_at = p.fixed64(4, n);
                let sum_at = p.double(5, total);
                p.sint(6, scale as i64);
                let mut pos = Buf::default();
                pos.sint(1, lo);
                let vals: Vec<u64> = (lo..=hi)
                    .map(|k| counts.get(&k).copied().unwrap_or(0))
                    .collect();
                pos.tag(2, 2);
                if cfg.cumulative {
                    // Varints padded to four bytes, so that they can count up in place.
                    pos.varint(4 * vals.len() as u64);
                    for v in vals {
                        let at = pos.b.len();
                        pos.b.extend_from_slice(&[0; 4]);
                        crate::wire::put_varint4(&mut pos.b[at..], v);
                        if v > 0 {
                            pos.patches.push(Patch::CumVarint4 {
                                at: at as u32,
                                delta: v,
                            });
                        }
                    }
                } else {
                    pos.varint(
                        vals.iter()
                            .map(|&v| crate::wire::varint_len(v) as u64)
                            .sum(),
                    );
                    for v in vals {
                        pos.varint(v);
                    }
                }
                p.msg(8, pos);
                time_patch(&mut p, start, time, cfg.cumulative);
                if cfg.cumulative {
                    p.patches.push(Patch::CumU64 {
                        at: count_at,
                        delta: n,
                    });
                    p.patches.push(Patch::CumF64 {
                        at: sum_at,
                        delta: total,
                    });
                } else {
                    p.double(12, min);
                    p.double(13, max);
                }
                h.msg(1, p);
                items += 1;
            }
            h.uint(2, temporality);
            metric(&mut sm, "http.server.request.duration.exp", "s", 10, h);
        }
        let mut r = Buf::default();
        put_attrs(&mut r, 1, &resource_attrs(s, &mut rng));
        let mut rm = Buf::default();
        rm.msg(1, r);
        rm.msg(2, sm);
        let mut req = Buf::default();
        req.msg(1, rm);
        let mut tpl = Template::new(req.b, req.patches, items, Encoding::Proto);
        let mut raw = std::mem::take(&mut tpl.raw);
        let now = crate::now_ns();
        tpl.apply(&mut raw, crate::Refresh::ALL, t as u64, cfg.seed, 0, now);
        if cfg.cumulative {
            // The start of a cumulative series never moves.
            set_starts(&tpl.patches, &mut raw, now - 60_000_000_000);
            for p in &mut tpl.patches {
                if let Patch::PointTime { start, .. } = p {
                    *start = 0;
                }
            }
        }
        tpl.raw = raw;
        out.push(tpl);
    }
    out
}

fn set_starts(patches: &[Patch], raw: &mut [u8], at_ns: u64) {
    for p in patches {
        if let Patch::PointTime { start, .. } = *p
            && start != 0
        {
            raw[start as usize..start as usize + 8].copy_from_slice(&at_ns.to_le_bytes());
        }
    }
}

fn time_patch(p: &mut Buf, start: u32, time: u32, _cumulative: bool) {
    p.patches.push(Patch::PointTime { start, time });
}

fn metric(sm: &mut Buf, name: &str, unit: &str, field: u32, data: Buf) {
    let mut m = Buf::default();
    m.str(1, name);
    m.str(3, unit);
    m.msg(field, data);
    sm.msg(2, m);
}

fn samples(cfg: &MetricCfg, r: usize, rng: &mut Rng, mut f: impl FnMut(f64)) -> (f64, f64, f64) {
    let median = cfg.median_ms * (0.3 + 0.2 * (r % 12) as f64);
    let (mut sum, mut min, mut max) = (0.0, f64::MAX, 0.0f64);
    for _ in 0..cfg.samples_per_point.max(1) {
        let v = rng.lognormal(median, cfg.sigma).clamp(0.05, 60_000.0) / 1000.0;
        f(v);
        sum += v;
        min = min.min(v);
        max = max.max(v);
    }
    (sum, min, max)
}
