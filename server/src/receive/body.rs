//! Reading a request's body: bounded in size, in time, and by the memory all requests share.

use std::time::Duration;

use axum::body::HttpBody;
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use crate::listen::WatchedBody;

use super::limits::ReceiveLimits;
use super::refusal::Refusal;
use super::room::Share;

/// Most bytes allocated before they have come: a declared length may be a lie.
const AT_ONCE: usize = 256 << 10;

/// While others wait for room, so much of a body must come in this time.
const PRESSED_TIME: Duration = Duration::from_secs(1);
const PRESSED_BYTES: usize = 64 << 10;

/// Reads a body of at most `most` bytes whole. Its room is taken as it comes, whatever it says that it is. `early`
/// sees what has come so far, may refuse it before the rest comes, and says how long it claims to be, if it does.
///
/// A body that comes in one piece is not copied, and holds on to the buffer that it came in.
pub(super) async fn read(
    body: &mut WatchedBody,
    most: usize,
    limits: &ReceiveLimits,
    share: &mut Share,
    early: impl Fn(&[u8]) -> Result<Option<usize>, Refusal>,
) -> Result<Bytes, Refusal> {
    let hint = body.size_hint();
    let too_large = || Refusal::TooLarge {
        most: limits.request_bytes,
    };
    let declared = usize::try_from(hint.exact().unwrap_or(hint.lower())).unwrap_or(usize::MAX);
    if declared > most {
        return Err(too_large());
    }
    let mut pace = Pace::new(limits);
    let mut piece = Bytes::new();
    let mut bytes = Vec::new();
    loop {
        let came = piece.len() + bytes.len();
        let frame = loop {
            match timeout_at(pace.look_again(came), body.frame()).await {
                Ok(frame) => break frame,
                Err(_) => pace.check(came, share.is_pressed())?,
            }
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Refusal::Malformed("the body ended early".to_owned()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.len() > most - came {
            return Err(too_large());
        }
        share.grow_to(came + data.len()).await?;
        if came == 0 {
            early(&data)?;
            piece = data;
        } else {
            if bytes.is_empty() {
                let claimed = early(&piece)?.unwrap_or(declared).min(AT_ONCE);
                bytes.reserve_exact(claimed.max(came + data.len()));
                bytes.extend_from_slice(&std::mem::take(&mut piece));
            }
            bytes.extend_from_slice(&data);
            early(&bytes)?;
        }
        if body.is_end_stream() {
            break;
        }
        if share.is_pressed() {
            pace.check(came, true)?;
        }
    }
    Ok(if bytes.is_empty() {
        piece
    } else {
        Bytes::from(bytes)
    })
}

/// How fast a body comes. While others wait for room, one that hardly comes has to go.
struct Pace<'a> {
    limits: &'a ReceiveLimits,
    started: Instant,
    /// When it was last found to come, and what had come then.
    mark: (Instant, usize),
}

impl<'a> Pace<'a> {
    fn new(limits: &'a ReceiveLimits) -> Pace<'a> {
        let started = Instant::now();
        Pace {
            limits,
            started,
            mark: (started, 0),
        }
    }

    fn deadline(&self, bytes: usize) -> Instant {
        self.started + self.limits.body_deadline(bytes)
    }

    /// When to look at a body that does not come.
    fn look_again(&self, bytes: usize) -> Instant {
        let soon = Instant::now().max(self.mark.0) + PRESSED_TIME;
        soon.min(self.deadline(bytes))
    }

    /// [`Refusal::Slow`] if it should have come by now.
    fn check(&mut self, bytes: usize, pressed: bool) -> Result<(), Refusal> {
        let now = Instant::now();
        let (since, before) = self.mark;
        if now >= self.deadline(bytes) {
            return Err(Refusal::Slow);
        }
        if now >= since + PRESSED_TIME {
            if pressed && bytes < before + PRESSED_BYTES {
                return Err(Refusal::Slow);
            }
            self.mark = (now, bytes);
        }
        Ok(())
    }
}

/// Reads and forgets the rest of a refused request's body, within the same bounds. A sender that is still writing
/// when the connection closes would see a reset, which it repeats for ever, and not its answer.
pub(super) async fn drain(body: &mut WatchedBody, limits: &ReceiveLimits) {
    let deadline = Instant::now() + limits.body_time;
    let mut bytes = 0;
    while bytes <= limits.request_bytes {
        match timeout_at(deadline, body.frame()).await {
            Ok(Some(Ok(frame))) => bytes += frame.data_ref().map_or(0, Bytes::len),
            _ => return,
        }
    }
}
