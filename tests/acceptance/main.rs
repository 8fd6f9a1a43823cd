//! Acceptance tests: the real binary, from outside.

mod chaos;
mod classes;
mod crash;
mod dedup;
mod demo;
mod deploy;
mod explain;
mod harness;
mod hostile;
mod layers;
mod lifecycle;
mod pages;
mod paging;
mod plan;
mod refusals;
mod replay;
mod rules;
mod sdks;
mod storage;
mod telemetry;
mod traces;
