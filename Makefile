# `make demo` and `make test` are the two commands to know; both do all their own set-up.
# The steps with logic are Python programs in tools/ (standard library only).
# Everything is built with one feature set, so that nothing is compiled twice.

FEATURES := --all-features
GUARD := python3 tools/guard.py --

# The program as the tests have it: without them it would be built again, with other features of its dependencies.
BUILD := cargo build $(FEATURES) --bins --tests --quiet

# Integration tests whose module starts with `e2e` need Docker; everything else does not.
NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)
ifeq ($(NEXTEST),yes)
RUN_TESTS := cargo nextest run $(FEATURES) --no-fail-fast
UNIT := $(RUN_TESTS) -E 'not (binary(it) & test(/^e2e/))'
E2E := $(RUN_TESTS) -E 'binary(it) & test(/^e2e/)'
SIM := $(RUN_TESTS) -E 'test(/(^|::)sim/)'
else
RUN_TESTS := cargo test $(FEATURES) --no-fail-fast
UNIT := $(RUN_TESTS) -- --skip e2e
E2E := $(RUN_TESTS) --test it -- e2e
SIM := $(RUN_TESTS) -- sim
endif

# Cases a property in `make soak`; the default of proptest is 256.
SOAK_CASES ?= 20000
# How long `make soak` goes on with random runs of the simulator.
SOAK_SECONDS ?= 1800

.NOTPARALLEL:
.PHONY: demo test steps setup nextest fmt lint unit e2e sim soak smoke doc sqlx openapi fuzzapi ui windows deny bench help

help: ## this list
	@grep -hE '^[a-z0-9]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## run an example from set-up to clean-up, with everything shown
	@python3 tools/setup.py demo
	@$(GUARD) python3 tools/demo.py

# A test that this host has no means for fails here instead of being skipped.
test: ## set up, then run every check and test there is
	@python3 tools/setup.py test
	@BERTH_TEST_ALL=1 $(GUARD) $(MAKE) --no-print-directory steps

steps: lint unit e2e doc smoke fuzzapi ui windows

setup: ## install and start what the tests need
	@python3 tools/setup.py test

nextest: ## install the faster test runner; without it `cargo test` is used
	@python3 tools/setup.py nextest

fmt: ## format all sources
	cargo fmt

lint: ## formatting and clippy, warnings are errors
	cargo fmt --check
	cargo clippy $(FEATURES) --all-targets -- -D warnings

unit: ## unit tests, properties, simulation, everything without Docker
	$(UNIT)

e2e: ## tests against the real Docker Engine and a registry on loopback
	@sync # Docker writes through to a disk that is still busy with what was built
	@$(GUARD) python3 tools/docker_stacks.py -- $(E2E)

sim: ## only the simulation of the engine
	$(SIM)

soak: ## properties and simulation with many more cases
	BERTH_SOAK_SECONDS=$(SOAK_SECONDS) PROPTEST_CASES=$(SOAK_CASES) $(SIM)

smoke:
	@$(GUARD) python3 tools/demo.py --binary $${CARGO_TARGET_DIR:-target}/debug/berth

doc: ## API documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc $(FEATURES) --no-deps

bench: ## figures: planner sweep, and the agent, also connected, beside plain Docker calls
	@python3 tools/setup.py demo
	cargo bench --features testing --bench sweep
	cargo bench --features testing --bench credentials
	cargo bench --features testing --bench introspection
	cargo build --release --features testing --example control_plane
	cargo build --release
	@$(GUARD) python3 tools/bench.py
	@$(GUARD) python3 tools/bench_connected.py

sqlx: ## check every SQL statement against the migrations, and write what builds read instead of a database
	@python3 tools/sqlx.py

openapi: ## write the documents of the listeners from the code
	for api in admin introspection; do \
		cargo run $(FEATURES) --quiet -- openapi $$api > openapi/$$api.json.new && \
		mv openapi/$$api.json.new openapi/$$api.json || exit 1; \
	done

fuzzapi: ## generated requests to a running agent, compared with its OpenAPI document
	$(BUILD)
	@$(GUARD) python3 tools/fuzz_api.py

ui: ## the web page in a real headless Chromium (after `make setup`)
	$(BUILD)
	@$(GUARD) .cache/venv/bin/python tools/ui_test.py

windows: ## berth.exe: built, linted and tested under Wine (installs its tools; some minutes the first time)
	@env -u BERTH_TEST_ALL $(GUARD) python3 tools/windows.py

deny: ## licences, sources and duplicates of dependencies, and unused ones (installs its tools)
	cargo install --locked cargo-deny cargo-machete
	cargo deny check bans licenses sources
	cargo machete
