//! Acceptance tests: the real binary, from outside.

mod harness;
mod layers;
