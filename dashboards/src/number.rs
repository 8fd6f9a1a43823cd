//! Counts as quantities, and back: the one place where precision may be lost.

/// Something that is counted.
pub(crate) trait Count: Copy {
    /// As a float, exact up to 2⁵³: what is drawn or shown has far fewer digits.
    fn real(self) -> f64;
}

impl Count for u64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "drawn and shown quantities have few digits"
    )]
    fn real(self) -> f64 {
        self as f64
    }
}

impl Count for usize {
    #[expect(
        clippy::cast_precision_loss,
        reason = "drawn and shown quantities have few digits"
    )]
    fn real(self) -> f64 {
        self as f64
    }
}

/// A count as a quantity.
pub(crate) fn real(count: impl Count) -> f64 {
    count.real()
}

/// A quantity cut to a whole number; what is below zero, or no number, is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of floats saturates"
)]
pub(crate) fn whole(value: f64) -> u64 {
    value as u64
}

/// As [`whole`], for places in lists.
pub(crate) fn place(value: f64) -> usize {
    usize::try_from(whole(value)).unwrap_or(usize::MAX)
}
