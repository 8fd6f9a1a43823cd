//! Senders that mean harm, or that only seem to: what they send costs a bounded amount, gets the right answer, and
//! takes nothing from the honest ones.

mod bombs;
