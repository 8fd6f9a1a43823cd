//! Reading a request's body: bounded in size, in time, and by the memory all requests share.

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::limits::ReceiveLimits;
use super::refusal::Refusal;
use super::room::Share;

/// Most bytes allocated before they have come: a declared length may be a lie.
const AT_ONCE: usize = 1 << 20;

/// Reads a body of at most `most` bytes whole. Its room is taken before its bytes are: from the declared length,
/// else step by step. `early` sees what has come so far and may refuse it before the rest comes.
pub(super) async fn read(
    body: &mut Body,
    most: usize,
    limits: &ReceiveLimits,
    share: &mut Share,
    early: impl Fn(&[u8]) -> Result<(), Refusal>,
) -> Result<Vec<u8>, Refusal> {
    let hint = body.size_hint();
    let too_large = || Refusal::TooLarge {
        most: limits.request_bytes,
    };
    let declared = usize::try_from(hint.exact().unwrap_or(hint.lower())).unwrap_or(usize::MAX);
    if declared > most {
        return Err(too_large());
    }
    share.grow_to(declared.max(1)).await?;
    let started = Instant::now();
    let mut bytes = Vec::with_capacity(declared.min(AT_ONCE));
    loop {
        let deadline = started + limits.body_deadline(bytes.len());
        let frame = timeout_at(deadline, body.frame())
            .await
            .map_err(|_| Refusal::Slow)?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Refusal::Malformed("the body ended early".to_owned()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.len() > most - bytes.len() {
            return Err(too_large());
        }
        share.grow_to(bytes.len() + data.len()).await?;
        bytes.extend_from_slice(&data);
        early(&bytes)?;
    }
    // The ring may keep it for long.
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// Reads and forgets the rest of a refused request's body, within the same bounds. A sender that is still writing
/// when the connection closes would see a reset, which it repeats for ever, and not its answer.
pub(super) async fn drain(body: &mut Body, limits: &ReceiveLimits) {
    let deadline = Instant::now() + limits.body_time;
    let mut bytes = 0;
    while bytes <= limits.request_bytes {
        match timeout_at(deadline, body.frame()).await {
            Ok(Some(Ok(frame))) => bytes += frame.data_ref().map_or(0, Bytes::len),
            _ => return,
        }
    }
}
