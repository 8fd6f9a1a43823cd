//! OTLP load generator: builds realistic export requests once, and rewrites ids and times at each send, so that
//! the client costs a fraction of what it measures.

pub mod gen_metrics;
pub mod gen_traces;
pub mod net;
pub mod procfs;
pub mod rng;
pub mod wire;

use bytes::{BufMut, Bytes, BytesMut};

/// What a per-send refresh rewrites inside a pre-serialised payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    pub ids: bool,
    pub times: bool,
}

impl Refresh {
    pub const NONE: Refresh = Refresh {
        ids: false,
        times: false,
    };
    pub const ALL: Refresh = Refresh {
        ids: true,
        times: true,
    };
    pub fn any(self) -> bool {
        self.ids || self.times
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Proto,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    pub fn name(self) -> Option<&'static str> {
        match self {
            Compression::None => None,
            Compression::Gzip => Some("gzip"),
            Compression::Zstd => Some("zstd"),
        }
    }
    pub fn compress(self, level: u32, src: &[u8]) -> Vec<u8> {
        use std::io::Write;
        match self {
            Compression::None => src.to_vec(),
            Compression::Gzip => {
                let mut e = flate2::write::GzEncoder::new(
                    Vec::with_capacity(src.len() / 4),
                    flate2::Compression::new(level),
                );
                e.write_all(src).unwrap();
                e.finish().unwrap()
            }
            Compression::Zstd => zstd::bulk::compress(src, level as i32).unwrap(),
        }
    }
}

/// Per-span (or per-point) rewrite places inside one payload.
#[derive(Clone, Debug)]
pub enum Patch {
    /// A span: byte offsets of its ids and times, and the figures that the times are made of.
    Span {
        trace_id: u32,
        span_id: u32,
        /// Offset of parent_span_id, or `u32::MAX` when the span has none.
        parent_id: u32,
        /// Index (inside the payload) of the parent span, or `u32::MAX` for a remote parent.
        parent_ix: u32,
        start: u32,
        end: u32,
        /// Offset of the exception event's time, or `u32::MAX`.
        event: u32,
        group: u32,
        ix: u32,
        dur_ns: u64,
        age_ns: u64,
    },
    /// A metric point's start (0 = none) and time.
    PointTime { start: u32, time: u32 },
    /// A little-endian u64 that a cumulative series counts up: `delta * (n + 1)`.
    CumU64 { at: u32, delta: u64 },
    /// Same for a double.
    CumF64 { at: u32, delta: f64 },
    /// Same for a varint padded to four bytes.
    CumVarint4 { at: u32, delta: u64 },
}

/// One pre-serialised export request.
pub struct Template {
    pub raw: Vec<u8>,
    pub patches: Vec<Patch>,
    pub items: u64,
    pub encoding: Encoding,
    /// How often this template was sent (cumulative series count up with it).
    pub sends: std::sync::atomic::AtomicU64,
    /// When it was sent last, in Unix nanoseconds: where the next interval of its delta points begins.
    pub last: std::sync::atomic::AtomicU64,
    /// Body ready to send when nothing is refreshed (compressed where asked, framed where gRPC).
    pub ready: Bytes,
}

impl Template {
    pub fn new(raw: Vec<u8>, patches: Vec<Patch>, items: u64, encoding: Encoding) -> Self {
        Template {
            raw,
            patches,
            items,
            encoding,
            sends: std::sync::atomic::AtomicU64::new(0),
            last: std::sync::atomic::AtomicU64::new(0),
            ready: Bytes::new(),
        }
    }

    pub fn prepare(&mut self, grpc: bool, comp: Compression, level: u32) {
        self.ready = frame(grpc, comp, level, &self.raw);
    }

    /// The bytes of one send. `seq` is unique over the run.
    pub fn body(
        &self,
        refresh: Refresh,
        seq: u64,
        seed: u64,
        grpc: bool,
        comp: Compression,
        level: u32,
    ) -> Bytes {
        if !refresh.any() {
            return self.ready.clone();
        }
        let n = self
            .sends
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let prefix = if grpc { 5 } else { 0 };
        let mut b = BytesMut::with_capacity(self.raw.len() + prefix);
        if grpc && comp == Compression::None {
            b.put_u8(0);
            b.put_u32(self.raw.len() as u32);
        }
        let at = b.len();
        b.extend_from_slice(&self.raw);
        self.apply(&mut b[at..], refresh, seq, seed, n, now_ns());
        if comp == Compression::None {
            b.freeze()
        } else {
            frame(grpc, comp, level, &b)
        }
    }

    pub fn apply(&self, b: &mut [u8], refresh: Refresh, seq: u64, seed: u64, n: u64, now: u64) {
        let json = self.encoding == Encoding::Json;
        // The first interval is of ten seconds.
        let since = match self.last.swap(now, std::sync::atomic::Ordering::Relaxed) {
            0 => now - 10_000_000_000,
            last => last.min(now - 1),
        };
        for p in &self.patches {
            match *p {
                Patch::Span {
                    trace_id,
                    span_id,
                    parent_id,
                    parent_ix,
                    start,
                    end,
                    event,
                    group,
                    ix,
                    dur_ns,
                    age_ns,
                } => {
                    if refresh.ids {
                        let t0 = rng::mix3(seed, seq, group as u64 * 2 + 1);
                        let t1 = rng::mix3(seed, seq, group as u64 * 2 + 2);
                        put_id(b, trace_id, t0, json);
                        put_id(b, trace_id + if json { 16 } else { 8 }, t1, json);
                        put_id(b, span_id, span_id_for(seed, seq, ix), json);
                        if parent_id != u32::MAX {
                            let p = if parent_ix == u32::MAX {
                                rng::mix3(seed ^ 0xABCD, seq, ix as u64) | 1
                            } else {
                                span_id_for(seed, seq, parent_ix)
                            };
                            put_id(b, parent_id, p, json);
                        }
                    }
                    if refresh.times {
                        let e = now.saturating_sub(age_ns);
                        let s = e.saturating_sub(dur_ns);
                        put_time(b, start, s, json);
                        put_time(b, end, e, json);
                        if event != u32::MAX {
                            put_time(b, event, e, json);
                        }
                    }
                }
                Patch::PointTime { start, time } => {
                    if refresh.times {
                        if start != 0 {
                            put_time(b, start, since, json);
                        }
                        put_time(b, time, now, json);
                    }
                }
                Patch::CumU64 { at, delta } => {
                    if refresh.ids {
                        let at = at as usize;
                        b[at..at + 8].copy_from_slice(&(delta.wrapping_mul(n + 1)).to_le_bytes());
                    }
                }
                Patch::CumF64 { at, delta } => {
                    if refresh.ids {
                        let at = at as usize;
                        b[at..at + 8].copy_from_slice(&(delta * (n + 1) as f64).to_le_bytes());
                    }
                }
                Patch::CumVarint4 { at, delta } => {
                    if refresh.ids {
                        wire::put_varint4(&mut b[at as usize..at as usize + 4], delta * (n + 1));
                    }
                }
            }
        }
    }
}

fn span_id_for(seed: u64, seq: u64, ix: u32) -> u64 {
    rng::mix3(seed ^ 0x5150, seq, ix as u64) | 1
}

fn put_id(b: &mut [u8], at: u32, v: u64, json: bool) {
    let at = at as usize;
    if json {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        for (i, byte) in v.to_be_bytes().into_iter().enumerate() {
            b[at + 2 * i] = HEX[(byte >> 4) as usize];
            b[at + 2 * i + 1] = HEX[(byte & 15) as usize];
        }
    } else {
        b[at..at + 8].copy_from_slice(&v.to_be_bytes());
    }
}

fn put_time(b: &mut [u8], at: u32, v: u64, json: bool) {
    let at = at as usize;
    if json {
        let mut v = v;
        for i in (0..19).rev() {
            b[at + i] = b'0' + (v % 10) as u8;
            v /= 10;
        }
    } else {
        b[at..at + 8].copy_from_slice(&v.to_le_bytes());
    }
}

fn frame(grpc: bool, comp: Compression, level: u32, raw: &[u8]) -> Bytes {
    let body = comp.compress(level, raw);
    if !grpc {
        return Bytes::from(body);
    }
    let mut b = BytesMut::with_capacity(body.len() + 5);
    b.put_u8((comp != Compression::None) as u8);
    b.put_u32(body.len() as u32);
    b.extend_from_slice(&body);
    b.freeze()
}

pub fn now_ns() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64
}
