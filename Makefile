# Everything a newcomer needs: `make demo`, `make test`. All recipes build in the release profile, so that RocksDB is compiled once.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR

# Where ccache is installed it keeps RocksDB's objects, so that a second profile or a fresh clone takes them from there.
ifneq ($(shell command -v ccache),)
export CC ?= ccache cc
export CXX ?= ccache c++
ifeq ($(origin CC),default)
CC := ccache cc
endif
ifeq ($(origin CXX),default)
CXX := ccache c++
endif
endif

PROFILE := --release

.PHONY: help
help: ## List the recipes
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

.PHONY: demo
demo: setup ## Word count over two books, exactly once, on an embedded broker
	$(CARGO) run $(PROFILE) --quiet --example word_count -- --input examples/data/books.txt --processing-guarantee exactly_once_v2

.PHONY: demo-logs
# One partition keeps the lines in their order: one that tells no time counts in the minute of the line before it.
demo-logs: setup ## Counts per service, level and minute from log files of five formats
	cat examples/data/logs/*.log examples/data/logs/*.jsonl | $(CARGO) run $(PROFILE) --quiet --example log_aggregation -- \
		--owners examples/data/logs/owners.csv --year 2024 --partitions 1 --input - --processing-guarantee exactly_once_v2

# Most of the time tests wait: for sessions that end, for processes that die. Those that measure time run alone.
export RUST_TEST_THREADS ?= 8

# The tests stop processes at named points and seed mistakes into them.
TESTED := $(PROFILE) --workspace --features fault-injection

.PHONY: test
test: lint doc ## Everything that CI runs
	$(CARGO) build $(TESTED) --examples
	$(CARGO) test $(TESTED) --lib --bins --tests
	$(CARGO) test $(TESTED) --example log_aggregation
	$(CARGO) test $(TESTED) --doc

.PHONY: lint
lint: setup ## Formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(TESTED) --all-targets -- -D warnings

.PHONY: doc
doc: setup ## The documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(TESTED) --no-deps

RUST_VERSION = $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

.PHONY: rust-version
rust-version: setup ## Checks everything with the oldest Rust that is promised (rustup toolchain install first)
	$(CARGO) +$(RUST_VERSION) check $(TESTED) --all-targets

.PHONY: fmt
fmt: ## Format the sources
	$(CARGO) fmt --all

.PHONY: bench
bench: setup ## The workloads of benches/README.md; BENCH_SCALE=0.1 makes them smaller
	$(CARGO) bench --bench workloads

.PHONY: setup
setup: ## Install what is missing to build (only libclang-dev is)
	@tools/setup.sh
