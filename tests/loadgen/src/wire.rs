//! The few protobuf writing primitives needed, with offset tracking for patches.

use crate::Patch;

#[derive(Default)]
pub struct Buf {
    pub b: Vec<u8>,
    pub patches: Vec<Patch>,
}

pub fn varint_len(v: u64) -> usize {
    (64 - (v | 1).leading_zeros() as usize).div_ceil(7)
}

pub fn put_varint4(b: &mut [u8], v: u64) {
    let v = v & 0x0FFF_FFFF;
    b[0] = (v as u8 & 0x7F) | 0x80;
    b[1] = ((v >> 7) as u8 & 0x7F) | 0x80;
    b[2] = ((v >> 14) as u8 & 0x7F) | 0x80;
    b[3] = (v >> 21) as u8 & 0x7F;
}

impl Buf {
    pub fn varint(&mut self, mut v: u64) {
        while v >= 0x80 {
            self.b.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.b.push(v as u8);
    }
    pub fn tag(&mut self, field: u32, wt: u32) {
        self.varint(((field << 3) | wt) as u64);
    }
    pub fn uint(&mut self, field: u32, v: u64) {
        self.tag(field, 0);
        self.varint(v);
    }
    pub fn sint(&mut self, field: u32, v: i64) {
        self.uint(field, ((v << 1) ^ (v >> 63)) as u64);
    }
    /// Returns the offset of the eight bytes.
    pub fn fixed64(&mut self, field: u32, v: u64) -> u32 {
        self.tag(field, 1);
        let at = self.b.len() as u32;
        self.b.extend_from_slice(&v.to_le_bytes());
        at
    }
    pub fn double(&mut self, field: u32, v: f64) -> u32 {
        self.fixed64(field, v.to_bits())
    }
    pub fn fixed32(&mut self, field: u32, v: u32) {
        self.tag(field, 5);
        self.b.extend_from_slice(&v.to_le_bytes());
    }
    /// Returns the offset of the content.
    pub fn bytes(&mut self, field: u32, v: &[u8]) -> u32 {
        self.tag(field, 2);
        self.varint(v.len() as u64);
        let at = self.b.len() as u32;
        self.b.extend_from_slice(v);
        at
    }
    pub fn str(&mut self, field: u32, v: &str) {
        self.bytes(field, v.as_bytes());
    }
    /// Appends `child` as a length-delimited field and moves its patches along.
    pub fn msg(&mut self, field: u32, child: Buf) {
        self.tag(field, 2);
        self.varint(child.b.len() as u64);
        let by = self.b.len() as u32;
        self.b.extend_from_slice(&child.b);
        self.patches
            .extend(child.patches.into_iter().map(|p| shift(p, by)));
    }
    pub fn kv_str(&mut self, field: u32, k: &str, v: &str) {
        let mut any = Buf::default();
        any.str(1, v);
        self.kv(field, k, any);
    }
    pub fn kv_int(&mut self, field: u32, k: &str, v: i64) {
        let mut any = Buf::default();
        any.uint(3, v as u64);
        self.kv(field, k, any);
    }
    pub fn kv_bool(&mut self, field: u32, k: &str, v: bool) {
        let mut any = Buf::default();
        any.uint(2, v as u64);
        self.kv(field, k, any);
    }
    fn kv(&mut self, field: u32, k: &str, any: Buf) {
        let mut kv = Buf::default();
        kv.str(1, k);
        kv.msg(2, any);
        self.msg(field, kv);
    }
}

pub fn shift(p: Patch, by: u32) -> Patch {
    let opt = |v: u32| if v == u32::MAX { v } else { v + by };
    match p {
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
        } => Patch::Span {
            trace_id: trace_id + by,
            span_id: span_id + by,
            parent_id: opt(parent_id),
            parent_ix,
            start: start + by,
            end: end + by,
            event: opt(event),
            group,
            ix,
            dur_ns,
            age_ns,
        },
        Patch::PointTime { start, time } => Patch::PointTime {
            start: if start == 0 { 0 } else { start + by },
            time: time + by,
        },
        Patch::CumU64 { at, delta } => Patch::CumU64 { at: at + by, delta },
        Patch::CumF64 { at, delta } => Patch::CumF64 { at: at + by, delta },
        Patch::CumVarint4 { at, delta } => Patch::CumVarint4 { at: at + by, delta },
    }
}
