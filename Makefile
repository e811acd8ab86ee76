# Atelier. `make demo` shows it, `make test` proves it, `make check` keeps it tidy.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check format types walls contracts proto events release-contracts bench servers distributed faults

BIN := .venv/bin
export PYTHON

SERVICES := $(wildcard services/*/src/*)
PURE := $(wildcard services/*/src/*/domain services/*/src/*/engine services/scheduling/src/atelier_scheduling/oracle*)
SOURCES := libs/common/src libs/hosting/src libs/contracts/src libs/words/src $(wildcard services/*/src)
empty :=
space := $(empty) $(empty)

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|' 2>/dev/null || grep -hE '##' $(MAKEFILE_LIST)

demo: ## run the main job on a sample district, then serve its pages (ARGS=--once ends after the job)
	@.ci/environment run
	@$(BIN)/atelier demo $(ARGS)

servers: ## fetch and build real servers into a cache (Kafka; DocumentDB behind FerretDB): Debian with root, Java, Maven, Go
	@.ci/environment dev
	@$(BIN)/python -m infra.dev fetch

distributed: ## run the main job on real servers, each service a process of its own (REPLICAS=2 doubles them)
	@.ci/environment dev
	@$(BIN)/python -m infra.dev distributed --replicas $(or $(REPLICAS),1) $(ARGS)

faults: ## break real servers and processes over many seeds, as a table (SEEDS=200; ARGS='--only a_process_killed --seed 7' repeats one)
	@.ci/environment dev
	@$(BIN)/python -m tests.faults.servers --seeds $(or $(SEEDS),10) $(ARGS)

test: ## every test (ARGS=path or ARGS='-k name' for some); those on real servers, given or fetched, beside the others (SERVERS=fetch|none)
	@.ci/environment dev
	@$(BIN)/python -m tests --servers=$(or $(SERVERS),present) $(ARGS)

check: ## format, lint, types, walls, contracts
	@.ci/environment dev
	@$(MAKE) --no-print-directory format types walls contracts

format:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types:
	MYPYPATH=$(subst $(space),:,$(SOURCES)) $(BIN)/mypy libs/common/src libs/hosting/src libs/words/src $(PURE)

walls:
	$(BIN)/lint-imports --no-cache

contracts:
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf breaking --against proto/released.binpb
	$(BIN)/python libs/contracts/generate.py --check
	$(BIN)/python libs/contracts/catalogue.py --check

proto: ## generate code and the event catalogue anew from proto/ and contracts/samples/
	@.ci/environment dev
	$(BIN)/buf lint
	$(BIN)/buf format --write
	$(BIN)/python libs/contracts/generate.py
	$(BIN)/python libs/contracts/catalogue.py

release-contracts: ## take today's contracts as released: from now on nothing in them may break
	@.ci/environment dev
	$(BIN)/buf breaking --against proto/released.binpb
	$(BIN)/buf build --exclude-source-info --output proto/released.binpb

bench: ## measure, as ratios against named references in the same run
	@.ci/environment bench
	@$(BIN)/python -m bench $(ARGS)
