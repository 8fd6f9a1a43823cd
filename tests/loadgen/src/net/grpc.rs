//! gRPC over raw HTTP/2.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Outcome, Shared, Stats, connect, record, rejected};

type Slot = Arc<tokio::sync::Mutex<Option<(u64, h2::client::SendRequest<Bytes>)>>>;

pub(super) async fn grpc_worker(sh: Arc<Shared>, slot: Slot, worker: usize) -> Stats {
    let mut st = Stats::new();
    let mut mine: Option<(u64, h2::client::SendRequest<Bytes>)> = None;
    while let Some((n, at)) = sh.next() {
        if let Some(at) = at {
            tokio::time::sleep_until(at.into()).await;
        }
        let (body, items) = sh.body(n, worker, st.requests);
        st.requests += 1;
        st.sent += items;
        st.bytes += body.len() as u64;
        let t0 = Instant::now();
        let out =
            match tokio::time::timeout(sh.plan.timeout, grpc_once(&sh, &slot, &mut mine, body))
                .await
            {
                Ok(Ok(o)) => o,
                Ok(Err(e)) => {
                    // Forget the broken connection, unless another worker has already replaced it.
                    let mut g = slot.lock().await;
                    if let (Some((a, _)), Some((b, _))) = (&*g, &mine)
                        && a == b
                    {
                        *g = None;
                    }
                    mine = None;
                    drop(g);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Outcome::Failed(e)
                }
                Err(_) => Outcome::Failed("timeout".into()),
            };
        record(&mut st, out, items, t0, at);
    }
    st
}

async fn grpc_once(
    sh: &Shared,
    slot: &Slot,
    mine: &mut Option<(u64, h2::client::SendRequest<Bytes>)>,
    body: Bytes,
) -> Result<Outcome, String> {
    if mine.is_none() {
        let mut g = slot.lock().await;
        if g.is_none() {
            static GEN: AtomicU64 = AtomicU64::new(0);
            let tcp = connect(&sh.plan.addr)
                .await
                .map_err(|e| format!("connect: {e}"))?;
            let (send, conn) = h2::client::Builder::new()
                .initial_window_size(1 << 20)
                .initial_connection_window_size(4 << 20)
                .max_send_buffer_size(16 << 20)
                .handshake::<_, Bytes>(tcp)
                .await
                .map_err(|e| format!("handshake: {e}"))?;
            tokio::spawn(async move {
                let _ = conn.await;
            });
            *g = Some((GEN.fetch_add(1, Ordering::Relaxed), send));
        }
        *mine = g.clone();
    }
    let send = mine.as_ref().unwrap().1.clone();
    let mut send = send.ready().await.map_err(|e| format!("h2: {e}"))?;
    let mut req = http::Request::builder()
        .method("POST")
        .uri(format!("http://{}{}", sh.plan.addr, sh.plan.grpc_path))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "sloburn-loadgen/0.1");
    if let Some(c) = sh.plan.compression.name() {
        req = req.header("grpc-encoding", c);
    }
    for (k, v) in &sh.plan.headers {
        req = req.header(k, v);
    }
    let (resp, mut stream) = send
        .send_request(req.body(()).unwrap(), false)
        .map_err(|e| format!("h2: {e}"))?;
    stream
        .send_data(body, true)
        .map_err(|e| format!("h2: {e}"))?;
    let resp = resp.await.map_err(|e| format!("h2: {e}"))?;
    let status = resp.status();
    let head_status = resp.headers().get("grpc-status").cloned();
    let head_msg = resp.headers().get("grpc-message").cloned();
    let mut rb = resp.into_body();
    let mut data: Vec<u8> = Vec::new();
    while let Some(chunk) = rb.data().await {
        let chunk = chunk.map_err(|e| format!("h2: {e}"))?;
        let _ = rb.flow_control().release_capacity(chunk.len());
        data.extend_from_slice(&chunk);
    }
    let trailers = rb.trailers().await.map_err(|e| format!("h2: {e}"))?;
    let (code, msg) = match trailers {
        Some(t) => (
            t.get("grpc-status").cloned(),
            t.get("grpc-message").cloned(),
        ),
        None => (head_status, head_msg),
    };
    if !status.is_success() {
        return Ok(Outcome::Failed(format!("http status {status}")));
    }
    let code = code
        .as_ref()
        .and_then(|c| c.to_str().ok())
        .unwrap_or("missing")
        .to_string();
    let text = || {
        format!(
            "grpc-status {code}: {}",
            msg.as_ref().and_then(|m| m.to_str().ok()).unwrap_or("")
        )
    };
    Ok(match code.as_str() {
        "0" => Outcome::Ok {
            rejected: if data.len() > 5 {
                rejected(&data[5..])
            } else {
                0
            },
        },
        "8" | "14" => Outcome::Throttled(text()),
        _ => Outcome::Failed(text()),
    })
}
