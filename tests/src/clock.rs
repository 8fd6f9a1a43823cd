//! The one place of the tests that reads the clock: what is sent must be of now for a live server to count it.

/// Nanoseconds since the Unix epoch, now.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests send live traffic, so they are the clock's outer edge, as SystemClock is the server's"
)]
pub fn now_nanos() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default()
}
