//! Harness of the acceptance tests: starts the real `sloburn` binary, sends it real OTLP, receives its pages,
//! opens its dashboards in a real browser, and runs real PostgreSQL servers beside it.
//!
//! Nothing here knows the inside of sloburn: it is driven through its command line, ports, files and signals
//! only. Every wait is for a condition with a deadline ([`wait::until`]); nothing sleeps for a guessed time.

pub mod api;
pub mod browser;
pub mod chaos;
pub mod clock;
pub mod demo;
pub mod disk;
pub mod exporter;
pub mod footprint;
pub mod home;
pub mod http;
pub mod inbox;
pub mod otlp;
pub mod postgres;
pub mod raw;
pub mod replay;
pub mod sdk;
pub mod sloburn;
pub mod specs;
pub mod wait;
