//! The sending side: gRPC over raw h2 (pre-framed bodies, no codec) and HTTP/1.1 over hyper.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

mod grpc;
mod http1;

use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::net::TcpStream;

use crate::{Compression, Refresh, Template};
use grpc::grpc_worker;
use http1::http_worker;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proto {
    Grpc,
    Http,
}

pub struct Plan {
    pub addr: String,
    pub proto: Proto,
    pub grpc_path: &'static str,
    pub http_path: String,
    pub headers: Vec<(String, String)>,
    pub templates: Vec<Template>,
    pub refresh: Refresh,
    pub compression: Compression,
    pub level: u32,
    pub seed: u64,
    pub connections: usize,
    pub streams: usize,
    pub timeout: Duration,
    /// Stop after that many requests (None: until the deadline).
    pub count: Option<u64>,
    /// Requests per second (None: as fast as answered).
    pub rate: Option<f64>,
    pub duration: Option<Duration>,
}

pub struct Stats {
    pub requests: u64,
    pub sent: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub errors: u64,
    pub throttled: u64,
    pub bytes: u64,
    /// Microseconds from the send to the whole response.
    pub lat: Histogram<u64>,
    /// Microseconds from the scheduled send (fixed rate only): counts waiting behind a slow server.
    pub sched: Histogram<u64>,
    pub first_error: Option<String>,
}

impl Stats {
    fn new() -> Self {
        let h = || Histogram::<u64>::new_with_bounds(1, 120_000_000, 3).unwrap();
        Stats {
            requests: 0,
            sent: 0,
            accepted: 0,
            rejected: 0,
            errors: 0,
            throttled: 0,
            bytes: 0,
            lat: h(),
            sched: h(),
            first_error: None,
        }
    }
    fn merge(&mut self, o: Stats) {
        self.requests += o.requests;
        self.sent += o.sent;
        self.accepted += o.accepted;
        self.rejected += o.rejected;
        self.errors += o.errors;
        self.throttled += o.throttled;
        self.bytes += o.bytes;
        self.lat.add(&o.lat).unwrap();
        self.sched.add(&o.sched).unwrap();
        if self.first_error.is_none() {
            self.first_error = o.first_error;
        }
    }
}

struct Shared {
    plan: Plan,
    ticket: AtomicU64,
    stop: AtomicBool,
    start: Instant,
    seq0: u64,
}

impl Shared {
    /// The next request's number and scheduled time; None when the run is over.
    fn next(&self) -> Option<(u64, Option<Instant>)> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        let n = self.ticket.fetch_add(1, Ordering::Relaxed);
        if self.plan.count.is_some_and(|c| n >= c) {
            return None;
        }
        let at = self
            .plan
            .rate
            .map(|r| self.start + Duration::from_secs_f64(n as f64 / r));
        if let (Some(d), Some(at)) = (self.plan.duration, at)
            && at >= self.start + d
        {
            return None;
        }
        if let Some(d) = self.plan.duration
            && Instant::now() >= self.start + d
        {
            self.stop.store(true, Ordering::Relaxed);
            return None;
        }
        Some((n, at))
    }
    /// Request `n`, which is the `turn`th of its worker.
    fn body(&self, n: u64, worker: usize, turn: u64) -> (Bytes, u64) {
        let p = &self.plan;
        let workers = p.connections * p.streams;
        let at = worker as u64 + turn * workers as u64;
        let t = &p.templates[(at % p.templates.len() as u64) as usize];
        let b = t.body(
            p.refresh,
            self.seq0 + n,
            p.seed,
            p.proto == Proto::Grpc,
            p.compression,
            p.level,
        );
        (b, t.items)
    }
}

enum Outcome {
    Ok { rejected: u64 },
    Throttled(String),
    Failed(String),
}

/// Runs the plan; `seq0` keeps ids apart between a warm-up and the measured run.
pub async fn run(plan: Plan, seq0: u64) -> (Stats, f64, Plan) {
    let sh = Arc::new(Shared {
        plan,
        ticket: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        start: Instant::now(),
        seq0,
    });
    let mut tasks = Vec::new();
    match sh.plan.proto {
        Proto::Grpc => {
            for connection in 0..sh.plan.connections {
                let conn = Arc::new(tokio::sync::Mutex::new(
                    None::<(u64, h2::client::SendRequest<Bytes>)>,
                ));
                for stream in 0..sh.plan.streams {
                    let worker = connection * sh.plan.streams + stream;
                    tasks.push(tokio::spawn(grpc_worker(sh.clone(), conn.clone(), worker)));
                }
            }
        }
        Proto::Http => {
            for worker in 0..sh.plan.connections * sh.plan.streams {
                tasks.push(tokio::spawn(http_worker(sh.clone(), worker)));
            }
        }
    }
    let mut total = Stats::new();
    for t in tasks {
        match t.await {
            Ok(s) => total.merge(s),
            Err(e) => {
                total.errors += 1;
                total.first_error.get_or_insert(format!("worker: {e}"));
            }
        }
    }
    let elapsed = sh.start.elapsed().as_secs_f64();
    let sh = Arc::try_unwrap(sh).unwrap_or_else(|_| panic!("a worker still holds the plan"));
    (total, elapsed, sh.plan)
}

fn record(st: &mut Stats, out: Outcome, items: u64, t0: Instant, at: Option<Instant>) {
    let us = |d: Duration| (d.as_micros() as u64).max(1);
    st.lat.saturating_record(us(t0.elapsed()));
    if let Some(at) = at {
        st.sched
            .saturating_record(us(Instant::now().saturating_duration_since(at)));
    }
    match out {
        Outcome::Ok { rejected } => {
            st.rejected += rejected;
            st.accepted += items.saturating_sub(rejected);
        }
        Outcome::Throttled(e) => {
            st.throttled += 1;
            st.first_error.get_or_insert(e);
        }
        Outcome::Failed(e) => {
            st.errors += 1;
            st.first_error.get_or_insert(e);
        }
    }
}

async fn connect(addr: &str) -> io::Result<TcpStream> {
    let s = TcpStream::connect(addr).await?;
    s.set_nodelay(true)?;
    Ok(s)
}

/// `rejected_spans` / `rejected_data_points` of an export response's partial_success.
fn rejected(b: &[u8]) -> u64 {
    fn varint(b: &[u8], i: &mut usize) -> Option<u64> {
        let mut v = 0u64;
        for s in 0..10 {
            let x = *b.get(*i)?;
            *i += 1;
            v |= ((x & 0x7F) as u64) << (7 * s);
            if x < 0x80 {
                return Some(v);
            }
        }
        None
    }
    fn find(b: &[u8], want: u64) -> Option<(u64, &[u8])> {
        let mut i = 0;
        while i < b.len() {
            let tag = varint(b, &mut i)?;
            let (v, s): (u64, &[u8]) = match tag & 7 {
                0 => (varint(b, &mut i)?, &[]),
                2 => {
                    let n = varint(b, &mut i)? as usize;
                    let s = b.get(i..i + n)?;
                    i += n;
                    (0, s)
                }
                1 => {
                    i += 8;
                    (0, &[])
                }
                5 => {
                    i += 4;
                    (0, &[])
                }
                _ => return None,
            };
            if tag >> 3 == want {
                return Some((v, s));
            }
        }
        None
    }
    find(b, 1)
        .and_then(|(_, ps)| find(ps, 1))
        .map_or(0, |(v, _)| v)
}
