//! Slices: the 10-second intervals of event time in which everything is counted.

/// Length of a slice in seconds.
pub const SLICE_SECONDS: i64 = 10;

pub(crate) const SLICE_NANOS: u64 = 10_000_000_000;

/// Ten seconds of event time, named by their end: the slice with end `e` covers `(e − 10 s, e]`.
///
/// An event exactly on the grid belongs to the slice that ends there, so that the window `(t − L,
/// t]` of a tick `t` holds the slices whose end lies in that range.
///
/// ```
/// use collector::Slice;
/// let slice = Slice::containing(1_704_074_490_000_000_000); // 2024-01-01T02:01:30Z
/// assert_eq!(slice.end_seconds(), 1_704_074_490);
/// assert_eq!(Slice::containing(1_704_074_490_000_000_001).end_seconds(), 1_704_074_500);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slice(u32);

impl Slice {
    /// The slice that holds an event at `nanos` Unix nanoseconds.
    pub fn containing(nanos: u64) -> Slice {
        Slice(u32::try_from(nanos.div_ceil(SLICE_NANOS)).unwrap_or(u32::MAX))
    }

    /// The slice that ends at `unix_seconds`; between two grid points, the one that holds that
    /// second. Times before 1970 give the slice that ends at 0.
    pub fn ending_at(unix_seconds: i64) -> Slice {
        let seconds = u64::try_from(unix_seconds).unwrap_or(0);
        Slice(u32::try_from(seconds.div_ceil(10)).unwrap_or(u32::MAX))
    }

    /// The Unix second at which the slice ends, always a multiple of ten.
    pub fn end_seconds(self) -> i64 {
        i64::from(self.0) * SLICE_SECONDS
    }

    /// The Unix nanosecond at which the slice ends (its last one).
    pub fn end_nanos(self) -> u64 {
        u64::from(self.0) * SLICE_NANOS
    }

    pub(crate) fn from_raw(tens: u32) -> Slice {
        Slice(tens)
    }

    pub(crate) fn raw(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_holds_its_end_and_not_its_start() {
        for (case, nanos, end) in [
            ("one nanosecond after the grid", 10_000_000_001, 20),
            ("on the grid", 20_000_000_000, 20),
            ("just before the grid", 19_999_999_999, 20),
            ("the epoch itself", 0, 0),
        ] {
            assert_eq!(Slice::containing(nanos).end_seconds(), end, "{case}");
        }
        assert_eq!(Slice::ending_at(20), Slice::containing(20_000_000_000));
        assert_eq!(Slice::ending_at(-5).end_seconds(), 0);
    }
}
