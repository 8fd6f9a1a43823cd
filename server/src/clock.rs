//! The clock: the only place in sloburn that reads the time of day. Everything else is given `now` as an argument.

use jiff::Timestamp;

/// The machine's wall clock.
#[derive(Clone, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The time of day, to the nanosecond.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one clock read that the ban leaves"
    )]
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        #[cfg(debug_assertions)]
        let now = now + crate::failpoint::clock_offset();
        now
    }

    /// The time of day in Unix nanoseconds; 0 for a clock set before 1970, and `u64::MAX` for one set after 2554.
    pub fn now_nanos(&self) -> u64 {
        let nanos = self.now().as_nanosecond().max(0);
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_and_timestamp_are_the_same_clock() {
        let clock = SystemClock;
        let before = clock.now().as_nanosecond();
        let nanos = i128::from(clock.now_nanos());
        assert!(before <= nanos && nanos <= clock.now().as_nanosecond());
    }
}
