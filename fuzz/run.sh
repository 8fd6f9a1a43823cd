#!/usr/bin/env bash
# Fuzzes the decoders with libFuzzer: SECONDS_EACH seconds a target (10), all targets or the one named TARGET.
# Works with the stable toolchain and a C++ compiler. What is found is left in fuzz/found/TARGET; put it into
# fuzz/seeds/TARGET when it is mended.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${SECONDS_EACH:-10}
host=$(rustc -vV | sed -n 's/^host: //p')
# What cargo-fuzz passes, as far as stable compilers know it: coverage, no sanitizer (there is no unsafe code).
instrument=(--cfg fuzzing -Cpasses=sancov-module)
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    instrument+=("-Cllvm-args=-sanitizer-coverage-$option")
done
# With a target named, build scripts are not instrumented.
RUSTFLAGS="${instrument[*]}" cargo build --quiet --release --target "$host" \
    --manifest-path libfuzzer/Cargo.toml
fuzzer=${CARGO_TARGET_DIR:-libfuzzer/target}/$host/release/sloburn-fuzz

failed=0
for seeds in seeds/${TARGET:-*}; do
    target=${seeds#seeds/}
    mkdir -p "found/$target" "corpus/$target"
    log=$(mktemp)
    if FUZZ_TARGET=$target "$fuzzer" "corpus/$target" "$seeds" -max_total_time="$seconds" -timeout=25 \
        -rss_limit_mb=1024 -max_len=8192 -artifact_prefix="found/$target/" -print_final_stats=1 >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        echo "$target: $runs inputs, nothing found"
    else
        failed=1
        tail -n 30 "$log"
        echo "$target: FAILED; the input is in fuzz/found/$target"
    fi
    rm -f "$log"
done
exit "$failed"
