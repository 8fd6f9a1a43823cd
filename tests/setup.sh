#!/usr/bin/env bash
# Installs what the tests need and this machine lacks: Debian packages, then the OpenTelemetry SDKs for
# Python and Node, pinned, below tests/. Running it again costs nothing.
set -euo pipefail
cd "$(dirname "$0")"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian packages whose program is missing.
missing=()
need() { # need PACKAGE PROGRAM…: the package, unless one of the programs is there
    local package=$1 program
    shift
    for program in "$@"; do
        if command -v "$program" >/dev/null || compgen -G "$program" >/dev/null; then return; fi
    done
    missing+=("$package")
}
need gcc cc gcc
need g++ c++ g++
need chromium chromium
if ! command -v chromium >/dev/null; then missing+=(fonts-liberation); fi # a page without a font has no width
need chromium-driver chromedriver
need nodejs node
need npm npm
need python3 python3
need postgresql '/usr/lib/postgresql/*/bin/initdb'
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then missing+=(python3-venv); fi

if [ ${#missing[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        echo "the tests need ${missing[*]}, and this machine has no apt-get to install them with" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update -qq
    as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# The SDKs, again only when their pinned lists have changed.
unchanged() { # unchanged STAMP FILE: whether STAMP was made from FILE as it is now
    [ -f "$1" ] && sha256sum --check --status "$1"
}

mkdir -p .cache
if ! unchanged .cache/python.sha256 sdk/python/requirements.txt; then
    rm -rf .cache/python
    python3 -m venv .cache/python
    .cache/python/bin/python -m pip install --quiet --disable-pip-version-check \
        --requirement sdk/python/requirements.txt
    sha256sum sdk/python/requirements.txt >.cache/python.sha256
fi
if ! [ -d sdk/node/node_modules ] || ! unchanged .cache/node.sha256 sdk/node/package-lock.json; then
    (cd sdk/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    sha256sum sdk/node/package-lock.json >.cache/node.sha256
fi
