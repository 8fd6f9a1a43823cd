//! The one place of the tests that reads the clock: what is sent must be of now for a live server to count it.

use std::time::Duration;

use anyhow::Result;

use crate::wait;

const SECOND: u64 = 1_000_000_000;

/// Nanoseconds since the Unix epoch, now.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests send live traffic, so they are the clock's outer edge, as SystemClock is the server's"
)]
pub fn now_nanos() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default()
}

/// Waits until the present 10-second slice has begun and has half of its time left, so that what is sent within
/// a second is counted in one slice, and evaluated at one tick.
pub async fn within_a_slice() -> Result<()> {
    let into = || now_nanos() % (10 * SECOND);
    wait::until(
        "a slice with time left",
        Duration::from_secs(15),
        async || Ok((SECOND..5 * SECOND).contains(&into()).then_some(())),
    )
    .await
}
