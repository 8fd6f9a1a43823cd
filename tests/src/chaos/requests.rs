//! Faults that are in the requests themselves: cut, poisoned, out of time, hostile.

use std::io::Write as _;

use anyhow::{Context, Result, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::chaos::lane::Lane;
use crate::chaos::load::{Habit, Load, slice_end, spans};
use crate::chaos::oracle::{Counts, Fate, Request};
use crate::clock;
use crate::otlp::{Coding, Spans, post};

/// Whose requests are cut, poisoned, sent many times, and out of time.
pub const SERVICES: [&str; 5] = ["cut", "poisoned", "copied", "late", EDGE];
/// Whose spans are a little ahead of sloburn's clock, and taken as of now.
pub const EDGE: &str = "edge";

const PROTOBUF: &str = "application/x-protobuf";
const SECOND: u64 = 1_000_000_000;
/// What hostile payloads may cost in memory, all together: a debug build, and an allocator that keeps what it had.
const BOMBS_KIB: u64 = 200 * 1024;

/// A request that ends at every byte before its end, as it is and compressed: nothing of it is counted.
pub async fn truncated(lane: &mut Lane, rng: &mut StdRng) -> Result<()> {
    let http = lane.running()?.http();
    let mut request = of(&Spans::ended_at("cut", 1, 1, clock::now_nanos()));
    let packed = gzip(&request.body)?;
    for (coding, whole) in [("identity", request.body.clone()), ("gzip", packed)] {
        for end in 1..whole.len() {
            let status = raw(&http, coding, &whole[..end]).await?;
            ensure!(
                (400..500).contains(&status),
                "{end} of {} bytes ({coding}) are answered {status}",
                whole.len()
            );
        }
    }
    let (status, _) = post(
        &http,
        "/v1/traces",
        PROTOBUF,
        Coding::Identity,
        &request.body,
    )
    .await?;
    ensure!(status == 200, "the whole request is answered {status}");
    request.fate = Fate::Acknowledged;
    lane.oracle.remember([request]);
    // And a cut that leaves a whole message: what is there counts.
    let first = spans("cut", clock::now_nanos(), 60, rng);
    let fate = post(&http, "/v1/traces", PROTOBUF, Coding::Identity, &first.body)
        .await?
        .0;
    ensure!(fate == 200, "a message is answered {fate}");
    lane.oracle.remember([Request {
        fate: Fate::Acknowledged,
        ..first
    }]);
    Ok(())
}

async fn raw(endpoint: &str, coding: &str, body: &[u8]) -> Result<u16> {
    let request = crate::http::client()?
        .post(format!("{endpoint}/v1/traces"))
        .header("content-type", PROTOBUF)
        .header("content-encoding", coding);
    Ok(request.body(body.to_vec()).send().await?.status().as_u16())
}

/// One span of 500 has no trace id, or a name that is no text: it alone is rejected, or none.
pub async fn poisoned(lane: &mut Lane, rng: &mut StdRng) -> Result<()> {
    let http = lane.running()?.http();
    for unusable in [true, false] {
        let spans = Spans::ended_at("poisoned", 480, 20, clock::now_nanos());
        let mut request = spans.request();
        let at = rng.random_range(0..480);
        let span = &mut request.resource_spans[0].scope_spans[0].spans[at];
        if unusable {
            span.trace_id = vec![0; 16];
        } else {
            "POISON".clone_into(&mut span.name);
        }
        let mut body = request.encode_to_vec();
        if let Some(at) = body.windows(6).position(|window| window == b"POISON") {
            body[at..at + 6].fill(0xff);
        }
        let (status, answer) = post(&http, "/v1/traces", PROTOBUF, Coding::Identity, &body).await?;
        ensure!(
            status == 200,
            "a request with one bad span is answered {status}"
        );
        let answer = ExportTraceServiceResponse::decode(&answer[..])?;
        let rejected = answer
            .partial_success
            .map_or(0, |partial| partial.rejected_spans);
        ensure!(
            rejected == i64::from(unusable),
            "{rejected} spans were rejected"
        );
        let total = 500 - u64::from(unusable);
        lane.oracle.remember([Request {
            body,
            counts: Counts {
                total,
                bad: 20,
                slow: 0,
            },
            slices: [(slice_end(spans.ended_at), (total, 20))].into(),
            ..acknowledged(&spans)
        }]);
    }
    Ok(())
}

/// Nearly two hours ago counts where it belongs, earlier does not; half a minute ahead counts now, later does not.
pub async fn late_and_future(lane: &mut Lane, rng: &mut StdRng) -> Result<()> {
    let http = lane.running()?.http();
    let now = clock::now_nanos().saturating_add_signed(lane.clock() * 1_000_000_000);
    let minute = 60 * SECOND;
    for (service, ended, counted) in [
        (
            "late",
            now - 110 * minute - rng.random_range(0..9) * minute,
            true,
        ),
        ("late", now - 121 * minute, false),
        (EDGE, now + 30 * SECOND, true),
        (EDGE, now + 3 * minute, false),
    ] {
        let burst = Spans::ended_at(service, 300, 100, ended);
        let mut request = acknowledged(&burst);
        let (status, answer) =
            post(&http, "/v1/traces", PROTOBUF, Coding::Gzip, &request.body).await?;
        ensure!(status == 200, "a burst is answered {status}");
        let answer = ExportTraceServiceResponse::decode(&answer[..])?;
        let rejected = answer
            .partial_success
            .map_or(0, |partial| partial.rejected_spans);
        ensure!(
            rejected == if counted { 0 } else { 400 },
            "{rejected} of 400 spans of `{service}` were rejected"
        );
        if !counted {
            request.fate = Fate::Refused;
        }
        lane.oracle.remember([request]);
    }
    Ok(())
}

/// Hostile payloads beside honest load: refused, cheap, and nobody else's trouble.
pub async fn bombs(lane: &mut Lane, rng: &mut StdRng) -> Result<()> {
    let services = ["s0".to_owned(), "s1".to_owned()];
    let habit = Habit {
        attempts: 1,
        spread_s: 300,
    };
    let load = Load::start(&services, lane.target()?, habit, rng);
    let http = lane.running()?.http();
    let before = peak_kib(lane)?;
    let zeros = vec![0; 200 << 20];
    let empty_spans = [0x12, 0].repeat(2_000_000);
    let mut deep = Vec::new();
    for _ in 0..20_000 {
        // An array value in an array value.
        let inner = std::mem::take(&mut deep);
        deep = field(5, &field(1, &inner));
        if deep.len() > 1 << 20 {
            break;
        }
    }
    for (what, coding, body) in [
        ("gzip of 200 MB", "gzip", gzip(&zeros)?),
        ("zstd of 200 MB", "zstd", zstd::encode_all(&zeros[..], 0)?),
        (
            "two million spans of nothing",
            "gzip",
            gzip(&field(1, &field(2, &empty_spans)))?,
        ),
        (
            "a deep attribute",
            "identity",
            field(1, &field(1, &field(1, &field(2, &deep)))),
        ),
        (
            "a length beyond the end",
            "identity",
            vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ),
        (
            "no protobuf",
            "identity",
            b"{\"resourceSpans\":[]}".to_vec(),
        ),
        ("no gzip", "gzip", b"PK".to_vec()),
    ] {
        let status = raw(&http, coding, &body).await;
        let status = status.with_context(|| format!("no answer to {what}; {}", lane.told()))?;
        ensure!(
            (400..500).contains(&status) || (what == "a deep attribute" && status == 200),
            "{what} is answered {status}"
        );
    }
    let grown = peak_kib(lane)?.saturating_sub(before);
    lane.oracle.remember(load.stop().await);
    ensure!(grown <= BOMBS_KIB, "bombs cost {grown} KiB");
    Ok(())
}

fn of(spans: &Spans) -> Request {
    let (good, bad) = (spans.good as u64, spans.bad as u64);
    Request {
        service: spans.service.clone(),
        body: spans.encode(),
        counts: Counts {
            total: good + bad,
            bad,
            slow: 0,
        },
        slices: [(slice_end(spans.ended_at), (good + bad, bad))].into(),
        fate: Fate::Unknown,
    }
}

fn acknowledged(spans: &Spans) -> Request {
    Request {
        fate: Fate::Acknowledged,
        ..of(spans)
    }
}

/// A length-delimited field.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// The most memory that sloburn ever took, in KiB.
fn peak_kib(lane: &Lane) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", lane.running()?.pid()?))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.context("no VmHWM")?.trim().trim_end_matches(" kB");
    Ok(peak.parse()?)
}
