//! Remembers and acts: everything of the binary `sloburn` that knows a database, a configuration or
//! the process.

#[macro_use]
mod failpoint;

mod builtin;
mod catalog;
pub mod check;
mod classes;
pub mod cli;
pub mod clock;
pub mod config;
pub mod convert;
pub mod dedup;
pub mod demo;
pub mod explain;
mod fold;
mod history;
pub mod init;
mod journal;
mod judge;
pub mod listen;
mod live;
mod metrics;
mod overflow;
mod page;
pub mod plan;
mod probes;
pub mod receive;
mod reload;
mod remote;
pub mod replay;
mod resume;
mod ring;
mod seen;
mod segments;
mod senders;
pub mod serve;
mod sli;
mod snapshot;
mod spec_history;
mod storage;
pub mod store;
pub mod telemetry;
mod tick;
mod web;
