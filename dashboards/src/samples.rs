//! Every view in every state, made of nothing but constants: for tests, and to look at.
//!
//! The story is one night: Tuesday 10 March 2026, 03:14 UTC, checkout has been failing since 02:51.

mod charts;
mod objectives;
mod pages;
mod specs;

pub use pages::{debug, executive, oncall, slo, slos};
pub use specs::specs;

use crate::number::real;
use jiff::Timestamp;

/// Which state a sample shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything on track.
    Healthy,
    /// A page rule fires; other objectives are missed, ticketed, silent.
    Paging,
    /// The objective is missed, nothing fires.
    Missed,
    /// Data stopped.
    NoData,
    /// Six days of thirty.
    Young,
    /// No objective, no telemetry.
    Empty,
    /// Names that try to be markup, and figures at the ends of their ranges.
    Hostile,
}

/// All states with the names of their snapshots.
pub const STATES: [(&str, State); 7] = [
    ("healthy", State::Healthy),
    ("paging", State::Paging),
    ("missed", State::Missed),
    ("no_data", State::NoData),
    ("young", State::Young),
    ("empty", State::Empty),
    ("hostile", State::Hostile),
];

/// A string that would be markup, an attribute, a script and a reversal, if it were let.
pub const HOSTILE: &str =
    "</title><script>alert('x')</script>\" onload=\"alert(1)\u{202e}\u{0}&amp;";

/// 10 March 2026, 03:14:00 UTC.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_773_112_440).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The instant so many seconds before [`now`].
pub(crate) fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_773_112_440 - seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A repeatable wobble in −1 – 1.
pub(crate) fn wobble(seed: u64, index: u64) -> f64 {
    let mixed = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ index.wrapping_mul(0xbf58_476d_1ce4_e5b9))
    .wrapping_mul(0x94d0_49bb_1331_11eb);
    let bits = (mixed >> 40) & 0xffff;
    real(bits) / 32_767.5 - 1.0
}
