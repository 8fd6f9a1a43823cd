//! OTLP over HTTP/1.1.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;

use super::{Outcome, Shared, Stats, connect, record, rejected};
use crate::Encoding;

pub(super) async fn http_worker(sh: Arc<Shared>, worker: usize) -> Stats {
    let mut st = Stats::new();
    let mut conn: Option<hyper::client::conn::http1::SendRequest<Full<Bytes>>> = None;
    while let Some((n, at)) = sh.next() {
        if let Some(at) = at {
            tokio::time::sleep_until(at.into()).await;
        }
        let (body, items) = sh.body(n, worker, st.requests);
        st.requests += 1;
        st.sent += items;
        st.bytes += body.len() as u64;
        let t0 = Instant::now();
        let out = match tokio::time::timeout(sh.plan.timeout, http_once(&sh, &mut conn, body)).await
        {
            Ok(Ok(o)) => o,
            Ok(Err(e)) => {
                conn = None;
                tokio::time::sleep(Duration::from_millis(50)).await;
                Outcome::Failed(e)
            }
            Err(_) => {
                conn = None;
                Outcome::Failed("timeout".into())
            }
        };
        record(&mut st, out, items, t0, at);
    }
    st
}

async fn http_once(
    sh: &Shared,
    conn: &mut Option<hyper::client::conn::http1::SendRequest<Full<Bytes>>>,
    body: Bytes,
) -> Result<Outcome, String> {
    if conn.as_ref().is_none_or(|c| c.is_closed()) {
        let tcp = connect(&sh.plan.addr)
            .await
            .map_err(|e| format!("connect: {e}"))?;
        let (send, c) = hyper::client::conn::http1::handshake(TokioIo::new(tcp))
            .await
            .map_err(|e| format!("handshake: {e}"))?;
        tokio::spawn(async move {
            let _ = c.await;
        });
        *conn = Some(send);
    }
    let send = conn.as_mut().unwrap();
    send.ready().await.map_err(|e| format!("http: {e}"))?;
    let ct = match sh.plan.templates[0].encoding {
        Encoding::Proto => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    let mut req = http::Request::builder()
        .method("POST")
        .uri(&sh.plan.http_path)
        .header("host", &sh.plan.addr)
        .header("content-type", ct)
        .header("user-agent", "sloburn-loadgen/0.1");
    if let Some(c) = sh.plan.compression.name() {
        req = req.header("content-encoding", c);
    }
    for (k, v) in &sh.plan.headers {
        req = req.header(k, v);
    }
    let resp = send
        .send_request(req.body(Full::new(body)).unwrap())
        .await
        .map_err(|e| format!("http: {e}"))?;
    let status = resp.status();
    let data = resp
        .into_body()
        .collect()
        .await
        .map_err(|e| format!("http: {e}"))?
        .to_bytes();
    let text = || {
        format!(
            "http {status}: {}",
            String::from_utf8_lossy(&data[..data.len().min(200)])
        )
    };
    Ok(if status.is_success() {
        let rej = if ct.ends_with("json") {
            0
        } else {
            rejected(&data)
        };
        Outcome::Ok { rejected: rej }
    } else if matches!(status.as_u16(), 429 | 502 | 503 | 504) {
        Outcome::Throttled(text())
    } else {
        Outcome::Failed(text())
    })
}
