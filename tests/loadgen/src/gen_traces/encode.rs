//! Spans as protobuf and as JSON, with the places that a send rewrites.

use super::{Parent, SpanM, Val};
use crate::Patch;
use crate::wire::Buf;

pub fn put_attrs(b: &mut Buf, field: u32, attrs: &[(String, Val)]) {
    for (k, v) in attrs {
        match v {
            Val::S(v) => b.kv_str(field, k, v),
            Val::I(v) => b.kv_int(field, k, *v),
            Val::B(v) => b.kv_bool(field, k, *v),
        }
    }
}

pub(super) fn span_proto(m: &SpanM, ix: u32) -> Buf {
    let mut b = Buf::default();
    let trace_id = b.bytes(1, &[1u8; 16]);
    let span_id = b.bytes(2, &[2u8; 8]);
    let (parent_id, parent_ix) = match m.parent {
        Parent::Root => (u32::MAX, u32::MAX),
        Parent::Remote => (b.bytes(4, &[3u8; 8]), u32::MAX),
        Parent::Ix(p) => (b.bytes(4, &[3u8; 8]), p),
    };
    b.str(5, &m.name);
    b.uint(6, m.kind as u64);
    let start = b.fixed64(7, 0);
    let end = b.fixed64(8, 0);
    put_attrs(&mut b, 9, &m.attrs);
    let mut event = u32::MAX;
    if let Some(msg) = &m.error {
        let mut e = Buf::default();
        let at = e.fixed64(1, 0);
        e.str(2, "exception");
        put_attrs(&mut e, 3, &exception(msg));
        b.tag(11, 2);
        b.varint(e.b.len() as u64);
        event = b.b.len() as u32 + at;
        b.b.extend_from_slice(&e.b);
        let mut st = Buf::default();
        st.str(2, msg);
        st.uint(3, 2);
        b.msg(15, st);
    }
    b.fixed32(16, 0x101);
    b.patches.push(Patch::Span {
        trace_id,
        span_id,
        parent_id,
        parent_ix,
        start,
        end,
        event,
        group: m.group,
        ix,
        dur_ns: m.dur_ns,
        age_ns: m.age_ns,
    });
    b
}

fn exception(msg: &str) -> Vec<(String, Val)> {
    vec![
        ("exception.type".into(), Val::S("java.net.SocketTimeoutException".into())),
        ("exception.message".into(), Val::S(msg.into())),
        (
            "exception.stacktrace".into(),
            Val::S("java.net.SocketTimeoutException: timeout\n\tat com.shop.net.Client.call(Client.java:212)\n\tat com.shop.net.Client.retry(Client.java:118)\n\tat com.shop.api.Handler.handle(Handler.java:77)\n\tat com.shop.api.Router.route(Router.java:41)\n\tat java.base/java.lang.Thread.run(Thread.java:1583)".into()),
        ),
    ]
}

const JSON_TIME: &str = "1000000000000000000";

fn json_str(out: &mut Vec<u8>, s: &str) {
    out.extend_from_slice(serde_json::to_string(s).unwrap().as_bytes());
}

pub(super) fn json_attrs(out: &mut Vec<u8>, attrs: &[(String, Val)]) {
    out.extend_from_slice(b"[");
    for (i, (k, v)) in attrs.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"key\":");
        json_str(out, k);
        out.extend_from_slice(b",\"value\":{");
        match v {
            Val::S(v) => {
                out.extend_from_slice(b"\"stringValue\":");
                json_str(out, v);
            }
            Val::I(v) => out.extend_from_slice(format!("\"intValue\":\"{v}\"").as_bytes()),
            Val::B(v) => out.extend_from_slice(format!("\"boolValue\":{v}").as_bytes()),
        }
        out.extend_from_slice(b"}}");
    }
    out.push(b']');
}

/// Appends a quoted placeholder and returns where its content begins.
fn json_slot(out: &mut Vec<u8>, content: &str) -> u32 {
    out.push(b'"');
    let at = out.len() as u32;
    out.extend_from_slice(content.as_bytes());
    out.push(b'"');
    at
}

pub(super) fn span_json(out: &mut Vec<u8>, m: &SpanM, ix: u32, patches: &mut Vec<Patch>) {
    out.extend_from_slice(b"{\"traceId\":");
    let trace_id = json_slot(out, "01010101010101010101010101010101");
    out.extend_from_slice(b",\"spanId\":");
    let span_id = json_slot(out, "0202020202020202");
    let (mut parent_id, mut parent_ix) = (u32::MAX, u32::MAX);
    if !matches!(m.parent, Parent::Root) {
        out.extend_from_slice(b",\"parentSpanId\":");
        parent_id = json_slot(out, "0303030303030303");
        if let Parent::Ix(p) = m.parent {
            parent_ix = p;
        }
    }
    out.extend_from_slice(b",\"flags\":257,\"name\":");
    json_str(out, &m.name);
    out.extend_from_slice(format!(",\"kind\":{},\"startTimeUnixNano\":", m.kind).as_bytes());
    let start = json_slot(out, JSON_TIME);
    out.extend_from_slice(b",\"endTimeUnixNano\":");
    let end = json_slot(out, JSON_TIME);
    out.extend_from_slice(b",\"attributes\":");
    json_attrs(out, &m.attrs);
    let mut event = u32::MAX;
    if let Some(msg) = &m.error {
        out.extend_from_slice(b",\"events\":[{\"timeUnixNano\":");
        event = json_slot(out, JSON_TIME);
        out.extend_from_slice(b",\"name\":\"exception\",\"attributes\":");
        json_attrs(out, &exception(msg));
        out.extend_from_slice(b"}],\"status\":{\"message\":");
        json_str(out, msg);
        out.extend_from_slice(b",\"code\":2}");
    } else {
        out.extend_from_slice(b",\"status\":{}");
    }
    out.push(b'}');
    patches.push(Patch::Span {
        trace_id,
        span_id,
        parent_id,
        parent_ix,
        start,
        end,
        event,
        group: m.group,
        ix,
        dur_ns: m.dur_ns,
        age_ns: m.age_ns,
    });
}
