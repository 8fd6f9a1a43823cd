//! Waiting for a condition, with a deadline.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Two ticks and what a busy machine adds: the longest an evaluated answer may take to appear.
pub const TICKS: Duration = Duration::from_mins(1);

/// Looks at `probe` until it answers something, and hands that over.
///
/// An error of `probe` counts as "not yet"; the last one is told when `limit` has passed.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    while Instant::now() < deadline {
        ticks.tick().await;
        match tokio::time::timeout_at(deadline, probe()).await {
            Ok(Ok(Some(value))) => return Ok(value),
            Ok(Ok(None)) => last = None,
            Ok(Err(problem)) => last = Some(problem),
            Err(_) => break,
        }
    }
    match last {
        Some(problem) => Err(problem.context(format!("{what}: not within {limit:?}"))),
        None => bail!("{what}: not within {limit:?}"),
    }
}

/// Waits until something listens on `address`, for a minute at most.
pub async fn for_listener(address: SocketAddr) {
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut ticks = interval(POLL);
    while Instant::now() < deadline && TcpStream::connect(address).await.is_err() {
        ticks.tick().await;
    }
}
