#!/usr/bin/env bash
# What sloburn costs on this machine: server CPU per million spans over gRPC and HTTP, acknowledgement
# latency, peak memory (a release build, SQLite, medians of several runs), then the microbenchmarks of
# decoding, aggregating and evaluating. Arguments go to the first part: `tests/bench.sh --help`.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked --package server --bin sloburn --package loadgen --bins
target=${CARGO_TARGET_DIR:-target}
"$target/release/bench" --server "$target/release/sloburn" "$@"
cargo bench --locked --package collector --package slo-specs --bench '*'
