# Thin names for commands. Everything CI checks, a person can run from here.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test check fmt lint bench chaos conformance fuzz screenshots setup

CARGO := cargo
# A failing test tells what it saw; a backtrace of the test runner tells nothing more.
export RUST_LIB_BACKTRACE ?= 0
# cargo-nextest where it is installed, the ordinary runner where it is not.
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)

help: ## What can be made here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Run sloburn with the live traffic of a small shop; prints the address to open
	$(CARGO) run --locked --package server --bin sloburn -- demo

test: setup ## Install what the tests need, then run all of them
	$(CARGO) build --locked --package server --bin sloburn
ifdef NEXTEST
	$(CARGO) nextest run --locked --workspace
else
	RUST_TEST_THREADS=4 $(CARGO) test --locked --workspace --lib --bins --tests
endif
	$(CARGO) test --locked --workspace --doc

check: lint test ## All that CI checks

fmt: ## Format the code
	$(CARGO) fmt --all

lint: ## Formatting, clippy and documentation, no warning allowed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items
	if command -v cargo-deny >/dev/null; then $(CARGO) deny check; fi

bench: ## Measure cost, latency, memory and the limit of this machine; writes docs/performance.md (some 25 minutes)
	tests/bench.sh

chaos: setup ## Break sloburn in every numbered way and count: SEED= repeats a run; ROUNDS=, MINUTES=, FAULT= limit it
	$(CARGO) build --locked --package server --bin sloburn --package acceptance --bin chaos
	$${CARGO_TARGET_DIR:-target}/debug/chaos seed=$(SEED) rounds=$(ROUNDS) minutes=$(MINUTES) fault=$(FAULT)

fuzz: setup ## Fuzz the decoders: SECONDS= a target (10), all or the one that TARGET= names
	SECONDS_EACH=$(or $(SECONDS),10) TARGET=$(TARGET) fuzz/run.sh

conformance: ## Compare our verdicts over other systems' spec files with theirs: CORPUS= a folder with a verdicts.tsv
	$(CARGO) run --locked --quiet --package slo-specs --example conformance -- $(CORPUS)

screenshots: setup ## Take the pictures of the README from the running demo
	$(CARGO) build --locked --package server --bin sloburn
	$(CARGO) run --locked --package acceptance --bin screenshots -- docs/screenshots

setup: ## Install what the tests need and this machine lacks (Debian packages, Python and Node SDKs)
	tests/setup.sh
