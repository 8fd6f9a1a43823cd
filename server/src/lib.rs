//! server

pub mod clock;
