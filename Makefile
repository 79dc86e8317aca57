# What a newcomer and CI run. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Any Python from 3.11 on: make run PYTHON=python3.12
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
# Dozens of processes are started, and each would compile all of it again.
unexport PYTHONDONTWRITEBYTECODE
TYPED := $(wildcard mesh providers svc_* tests bench scripts)
# Handed on to leaky up, pytest or the benchmark: make test ARGS="-n 0 -k quota"
ARGS ?=

.PHONY: run run-full test test-full sim faults lint lint-gen lint-proto lint-style lint-types lint-imports gen lock bench bench-guard bench-metering bench-reconcile bench-strain bench-tracing load load-check clean help

run: $(VENV)/.run ## start the whole system (Ctrl-C drains it)
	@exec $(BIN)/leaky up $(ARGS)

run-full: $(VENV)/.run ## the same on PostgreSQL, Redis, Kafka, Cassandra and Consul, without Docker
	@exec scripts/run-full.sh $(ARGS)

test: $(VENV)/.dev ## run all tests
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-full: $(VENV)/.dev ## run the tests that want the real parts, which are started for it
	@$(BIN)/python -m scripts.test_full $(ARGS)

# Of the simulation: make sim SEEDS=100 ARGS="--first 1000"
SEEDS ?= 500
sim: $(VENV)/.dev ## crash svc_token in a thousand ways on a virtual clock, and look at the books
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

# How many kills at each failpoint, random schedules, operations in each of them.
MATRIX ?= 3
SCHEDULES ?= 20
OPS ?= 2000
faults: $(VENV)/.dev ## kill, stop and cut off the real processes, and count what that cost
	@$(BIN)/python -m tests.faults --matrix $(MATRIX) --schedules $(SCHEDULES) --ops $(OPS) $(ARGS)

lint: lint-gen lint-proto lint-style lint-types lint-imports ## check generated code, protos, style, types, import rules

# First, as it also copies the third-party protos that buf reads.
lint-gen: $(VENV)/.dev
	$(BIN)/python -m mesh.codegen --check

lint-proto: lint-gen
	$(BIN)/buf lint
	$(BIN)/buf format proto --diff --exit-code

lint-style: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

lint-types: $(VENV)/.dev
	$(BIN)/mypy --strict $(TYPED)

lint-imports: $(VENV)/.dev
	$(BIN)/python -m pytest tests/test_architecture.py

gen: $(VENV)/.dev ## generate gen/ from proto/
	$(BIN)/python -m mesh.codegen

bench: $(VENV)/.dev ## compare with bare uvicorn and FastAPI on this machine
	@$(BIN)/python -m bench $(ARGS)

bench-guard: $(VENV)/.dev ## fail when a call costs a tenth more than recorded; ARGS=--record records
	@$(BIN)/python -m bench.guard $(ARGS)

bench-strain: $(VENV)/.dev ## one slow call, a thousand cancelled, kill -9 under load, ten times too many callers
	@$(BIN)/python -m bench.strain $(ARGS)

bench-metering: $(VENV)/.dev ## compare group commit with one transaction a call, on a PostgreSQL of its own
	@$(BIN)/python -m bench.metering $(ARGS)

bench-reconcile: $(VENV)/.dev ## read a ledger of a million lines from end to end, on SQLite and PostgreSQL
	@$(BIN)/python -m bench.reconcile $(ARGS)

bench-tracing: $(VENV)/.dev ## what a consume costs untraced, at 1 % and at 100 %
	@$(BIN)/python -m bench.tracing $(ARGS)

# Another system, other users: make load SCENARIO=login ARGS="--base-url https://... --username ada --password ..."
SCENARIO ?= consume
load: $(VENV)/.dev ## let many users use a running system, by Locust; bench/README.md
	@$(BIN)/python -m bench.locust $(SCENARIO) $(ARGS)

# bash has a variable of that name, which counts. Of passwords a slow core hashes five a second: who
# come faster from one address are refused, as they should be.
SECONDS := 30
RAMP := 4
load-check: $(VENV)/.dev ## every kind of load on a system of its own; nothing may fail but 402 and 429
	@$(BIN)/python -m bench.locust all --up --duration $(SECONDS)s --ramp $(RAMP) $(ARGS)

# Needs uv. The locks name hashes and no index, so any mirror of the registry serves them.
LOCK := $(UV) pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock: ## resolve requirements*.in into the locks
	$(LOCK) requirements.in -o requirements.lock
	$(LOCK) -c requirements.lock requirements.in requirements-dev.in -o requirements-dev.lock

clean: ## remove all that can be made again; the data in .leaky stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

$(BIN)/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python"; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

# The stamps: what was installed last is newer than what it was installed from.
$(VENV)/.run: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps -e .
	@touch $@

# The locked setuptools builds it, so nothing comes in without a hash.
$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes -r requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@
