#!/usr/bin/env bash
# Takes the pictures of the README from the running demo while its first fault burns:
#   docs/screenshots.sh [FOLDER]        (docs/screenshots unless given; needs chromium and curl)
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:-docs/screenshots}
web=127.0.0.1:18080
inbox=127.0.0.1:18090
scratch=$(mktemp -d)
demo=

finish() {
    if [[ -n $demo ]]; then
        kill -INT "$demo" 2>/dev/null || true
        wait "$demo" || true
    fi
    rm -rf "$scratch"
}
trap finish EXIT

browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "docs/screenshots.sh: no Chromium found; install it (Debian: apt-get install chromium)" >&2
    exit 1
}

# Waits until a command succeeds: wait_for SECONDS WHAT COMMAND…
wait_for() {
    local until=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        if ((SECONDS >= until)) || ! kill -0 "$demo" 2>/dev/null; then
            echo "docs/screenshots.sh: $what did not happen" >&2
            cat "$scratch/demo.log" >&2
            exit 1
        fi
        sleep 1
    done
}

# Takes one picture: picture NAME WIDTH HEIGHT URL [light|dark]
picture() {
    local dark=()
    [[ ${5:-light} == dark ]] && dark=(--blink-settings=preferredColorScheme=0)
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars \
        --disable-background-networking --disable-component-update --disable-sync \
        --user-data-dir="$scratch/profile" --window-size="$2,$3" "${dark[@]}" \
        --screenshot="$folder/$1.png" "$4" >"$scratch/browser.log" 2>&1 || {
        cat "$scratch/browser.log" >&2
        exit 1
    }
    echo "$folder/$1.png"
}

has_page() { curl -fsS "http://$inbox/deliveries" 2>/dev/null | grep -q '"title"'; }
is_resolved() { curl -fsS "http://$inbox/deliveries" 2>/dev/null | grep -q '"event":"resolve'; }

cargo build --locked --package server --bin sloburn
mkdir -p "$folder"
target/debug/sloburn demo --for 6m --web-listen $web --inbox-listen $inbox \
    --otlp-grpc-listen 127.0.0.1:14317 --otlp-http-listen 127.0.0.1:14318 >"$scratch/demo.log" 2>&1 &
demo=$!

wait_for 180 "the first page" has_page
# A little later the charts show what happened.
sleep 15
picture oncall 1440 1000 "http://$web/oncall"
picture oncall-phone 390 844 "http://$web/oncall"
picture slo 1440 1100 "http://$web/slos/checkout-availability"
picture debug 1440 1100 "http://$web/debug/checkout"
picture executive 1440 1000 "http://$web/executive"
wait_for 180 "the resolve" is_resolved
picture slos 1440 900 "http://$web/slos"
picture inbox 1440 900 "http://$inbox/"
