//! server

pub mod clock;
mod journal;
pub mod listen;
mod metrics;
mod probes;
pub mod receive;
mod ring;
pub mod store;
pub mod telemetry;
