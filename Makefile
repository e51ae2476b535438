# The front door: every target installs what it needs, and nobody activates anything.
# Needs make, bash, Python 3.11 or later, and either uv or pip to bootstrap it.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# Name another interpreter with `make PYTHON=/path/to/python test`: it gets a fresh .venv.
PYTHON ?=
FIND_PYTHON = $(if $(PYTHON),echo "$(PYTHON)",tools/find-python)

# A shim that does not run is no uv.
UV := $(or $(shell uv --version >/dev/null 2>&1 && command -v uv),.uv/bin/uv)
# A mirror that is named for pip serves uv too.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

BIN := .venv/bin
INSTALLED := .venv/.installed$(subst /,-,$(PYTHON))
PACKAGES := $(patsubst %/pyproject.toml,%,$(wildcard packages/*/pyproject.toml))
TEST_WORKERS ?= 2

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ── What a user runs ─────────────────────────────────────────────────────────
.PHONY: demo up test test-slow test-native races schemathesis e2e soak model sim campaign properties deep lint fix build terraform audit plan deploy
.PHONY: bench bench-cell bench-router bench-control bench-moving bench-lake
demo: $(INSTALLED) ## Run both clouds here, move a tenant there and back, prove it (KEEP=1: until Ctrl-C)
	$(BIN)/python -m cell_devstack $$($(BIN)/python -m tools.local_zips) $(if $(KEEP),--keep)

up: $(INSTALLED) ## Run both clouds here until Ctrl-C, for cellctl and curl
	$(BIN)/cellctl up $$($(BIN)/python -m tools.local_zips)

test: $(INSTALLED) ## Run every test that needs no cloud account
	$(BIN)/pytest --numprocesses $(TEST_WORKERS) --dist loadgroup

# Those that keep no time and start no world may share the cores.
SHARING := tests/contract tests/control tests/core tests/lake tests/model tests/sim tests/router/test_decision_mutants.py
test-slow: $(INSTALLED) ## Run the slow tests: all that follow but terraform, and the rest (BUT="paths" to leave out)
	$(BIN)/pytest -m slow --numprocesses $(TEST_WORKERS) --dist loadgroup $(SHARING) $(addprefix --ignore ,$(BUT))
	$(BIN)/pytest -m slow $(addprefix --ignore ,$(SHARING) tests/terraform $(BUT))

test-native: $(INSTALLED) ## Run the router's tests on its compiled modules (needs a C compiler)
	$(BIN)/python -m tools.native_router --tree
	PYTHONPATH=build/native $(BIN)/pytest tests/router --ignore tests/router/worker --numprocesses $(TEST_WORKERS) --dist loadgroup

races: $(INSTALLED) ## Race many threads and processes on both databases
	$(BIN)/pytest -m slow tests/races

schemathesis: $(INSTALLED) ## Hold both running cells to their OpenAPI (CASES=12 an operation)
	CELL_SCHEMATHESIS_CASES=$(or $(CASES),12) $(BIN)/pytest -m slow tests/e2e/test_schemathesis.py

e2e: $(INSTALLED) ## Break both running cells in every way
	$(BIN)/pytest -m slow tests/e2e --ignore tests/e2e/test_schemathesis.py

soak: $(INSTALLED) ## Soak the router with cells that fail, move and slow down (REQUESTS=1000000 SEED=1)
	$(BIN)/python -m tests.router.soak --requests $(or $(REQUESTS),1000000) --seed $(or $(SEED),1)

model: $(INSTALLED) ## Explore every state of the move protocol, and break each rule once (2 min)
	$(BIN)/python -m tests.model

sim: $(INSTALLED) ## Simulate the whole system in virtual time, one seed a run (SEEDS=1:200)
	$(BIN)/python -m tests.sim --seeds $(or $(SEEDS),1:200) $(FLAGS)

campaign: $(INSTALLED) ## Move many tenants under load while the control plane is killed (TENANTS=1000)
	$(BIN)/python -m tests.campaign --tenants $(or $(TENANTS),1000) $(FLAGS)

properties: $(INSTALLED) ## Walk the domains' properties longer than the fast suite does
	$(BIN)/pytest --hypothesis-profile ci tests/core/test_domain_properties.py

deep: $(INSTALLED) ## Walk them for hours, from new seeds
	$(BIN)/pytest --hypothesis-profile deep tests/core/test_domain_properties.py

lint: $(INSTALLED) ## Check locks, style, types, architecture and the cells' contract
	$(BIN)/python -m tools.locks check
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.terraform_contract
	$(BIN)/python -m tools.terraform_docs check

fix: $(INSTALLED) ## Format, and fix what can be fixed
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

build: $(INSTALLED) ## Build dist/: both cells' zips, the router, the edge's Worker, bills of materials
	$(BIN)/python -m tools.bundle --uv $(UV)
	$(BIN)/python -m tools.native_router --uv $(UV)
	$(BIN)/python -m tools.worker_bundle
	$(BIN)/python -m tools.sbom

plan: $(INSTALLED) ## Show what deploying would change (CELL=alpha or "alpha beta")
	$(BIN)/python -m tools.deploy plan $(CELL) $(FLAGS)

deploy: $(INSTALLED) ## Deploy a cell, watch it, probe it, then the next (CELL="alpha beta" FLAGS=--dry-run)
	$(BIN)/python -m tools.deploy deploy $(CELL) $(FLAGS)

.venv-terraform/.installed: requirements/terraform.txt | $(UV)
	rm -rf .venv-terraform
	$(UV) venv --quiet --no-python-downloads --python "$$($(FIND_PYTHON))" .venv-terraform
	$(UV) pip install --quiet --python .venv-terraform/bin/python --require-hashes --requirements requirements/terraform.txt
	@touch $@

terraform: $(INSTALLED) .venv-terraform/.installed ## Check terraform/ without an account; needs terraform (ONLY="paths")
	@command -v terraform >/dev/null || echo "terraform is missing: install 1.11 or later; what needs it is skipped" >&2
	$(BIN)/pytest -m "slow or not slow" -rs $(or $(ONLY),tests/terraform tests/deploy)

audit: $(INSTALLED) ## Ask for known vulnerabilities of what is deployed (skips loudly offline)
	$(BIN)/python -m tools.audit

bench: bench-cell bench-router bench-control bench-moving bench-lake ## Run every benchmark

bench-cell: $(INSTALLED) ## Measure CPU per command and ratios to the bare SDKs; then the zips
	$(BIN)/python -m tests.bench.cell
	$(BIN)/python -m tools.bundle --uv $(UV) aws_worker azure_worker

bench-router: $(INSTALLED) ## Measure the router beside nginx, HAProxy, Envoy and Python peers (FLAGS=--quick)
	$(BIN)/python -m tests.bench.router $(FLAGS)

bench-control: $(INSTALLED) ## Measure the registry and its feed on SQLite and PostgreSQL (FLAGS=--quick)
	$(BIN)/python -m tests.bench.control.registry $(FLAGS)
	$(BIN)/python -m tests.bench.control.feed $(FLAGS)

bench-moving: $(INSTALLED) ## Measure live moves: how long writes stop, how fast is copied (FLAGS=--quick)
	$(BIN)/python -m tests.bench.moving $(FLAGS)

bench-lake: $(INSTALLED) ## Measure the lake beside pyiceberg, and queries before and after compaction (FLAGS=--quick)
	$(BIN)/python -m tests.bench.lake $(FLAGS)

# ── Housekeeping ─────────────────────────────────────────────────────────────
.PHONY: lock upgrade clean
lock: $(INSTALLED) ## Write requirements/*.txt again, keeping every pin that still fits
	$(BIN)/python -m tools.locks write --uv $(UV)

upgrade: $(INSTALLED) ## Write requirements/*.txt again with the newest versions
	$(BIN)/python -m tools.locks upgrade --uv $(UV)

clean: ## Remove everything that can be made again
	rm -rf .venv .venv-terraform .uv build dist .hypothesis .*_cache
	find packages tests tools -name __pycache__ -prune -exec rm -rf {} +

# ── Installation ─────────────────────────────────────────────────────────────
$(INSTALLED): requirements/dev.txt $(wildcard packages/*/pyproject.toml) | $(UV)
	rm -rf .venv
	$(UV) venv --quiet --no-python-downloads --python "$$($(FIND_PYTHON))" .venv
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode --requirements requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix --editable ,$(PACKAGES))
	@$(BIN)/python -c 'import sys; print("Installed into .venv with Python", sys.version.split()[0])'
	@touch $@

# Any Python with pip will do here: it does not become the one in .venv.
.uv/bin/uv: requirements/uv.txt
	@for python in "$$($(FIND_PYTHON))" python3 /usr/bin/python3; do \
	    if "$$python" -m pip --version >/dev/null 2>&1; then \
	        PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore "$$python" -m pip install --quiet --disable-pip-version-check \
	            --upgrade --target .uv --require-hashes --requirement requirements/uv.txt; \
	        touch $@; exit 0; \
	    fi; \
	done; \
	echo "Found neither uv nor pip: install one of them (Debian: apt-get install python3-pip)." >&2; exit 1
