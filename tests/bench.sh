#!/usr/bin/env bash
# What sloburn costs on this machine: a release build on SQLite under loads of every kind, how cost grows, what the
# machine allows. Writes docs/performance.md and prints its table. Arguments go to the bench: `tests/bench.sh --quick`
# tries everything in a few minutes; `--report FILE` writes elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."

# Symbols are kept for the profile; what runs is the same.
export CARGO_PROFILE_RELEASE_STRIP=none
cargo build --release --locked --package server --bin sloburn --package loadgen --bins
cargo bench --locked --package collector --bench decode
target=${CARGO_TARGET_DIR:-target}
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
[[ -z $(git status --porcelain -- ':!docs/performance.md' 2>/dev/null) ]] || commit+=" with changes"
"$target/release/bench" --server "$target/release/sloburn" --criterion "$target/criterion" \
  --date "$(date -u +%F)" --commit "$commit" --versions "$(rustc --version)" "$@"
