//! server

pub mod clock;
pub mod store;
