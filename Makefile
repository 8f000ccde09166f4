# The first command on a fresh machine: `make run` or `make test`. Both need python3 (>= 3.11), make and git only.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
SEEDS  ?= 1..50
MINUTES ?= 5
SCENARIO ?= canonical

.DEFAULT_GOAL := help
.PHONY: help run test sim campaign load lint fuzz proto lock docs clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-8s %s\n", $$1, $$2}'

run: $(VENV)/.run  ## a complete demo on loopback; ARGS=--once checks the banks' ledgers and ends
	@$(BIN)/causeway demo $(ARGS)

test: $(VENV)/.dev  ## all tests; ARGS="tests/core -x" for some of them
	@$(BIN)/python -m pytest $(ARGS)

sim: $(VENV)/.dev  ## the simulator; SEEDS=1..50 or one that failed, ARGS=--help
	@PYTHONPATH=.:protos $(BIN)/python -m tests.sim $(SEEDS) $(ARGS)

campaign: $(VENV)/.dev  ## the long campaign against losing and paying twice; goes on where it was ended
	@$(BIN)/python -m tests.campaign $(ARGS)

load: $(VENV)/.dev  ## measure: the canonical workload in three minutes; SCENARIO=soak or another of loadtest/scenarios
	@PYTHONPATH=.:protos $(BIN)/python -m loadtest run $(SCENARIO) $(ARGS)

lint: $(VENV)/.dev  ## ruff, mypy strict, import contracts, and buf where npm is
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.tidy.buf_lint

fuzz: $(VENV)/.dev  ## the decoders and the gRPC framing against made-up input, by coverage where atheris installs; MINUTES=5
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
	  -r .ci/locks/fuzz.lock 2>/dev/null || echo "No atheris for this Python: input at random."
	@$(BIN)/python -m tests.fuzz.run --minutes $(MINUTES) $(ARGS)

proto: $(VENV)/.dev  ## generate the code of protos/ anew
	@$(BIN)/python -m tests.tidy.generate

docs: $(VENV)/.dev  ## write the generated parts of README.md and docs/ anew
	@$(BIN)/python -m tests.tidy.generated_docs

lock: $(VENV)/.dev  ## resolve the dependencies anew: hashes only, no registry named
	@for set in "run --extra editable" "dev --extra editable --extra dev -c .ci/locks/run.lock"; do \
	  name=$${set%% *}; CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/python -m piptools compile -q --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --no-emit-options --no-emit-trusted-host --strip-extras --no-header \
	    --allow-unsafe --annotation-style line $${set#* } -o .ci/locks/$$name.lock pyproject.toml || exit 1; done

clean:  ## remove what the commands above made
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Causeway needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version`. Try: make PYTHON=python3.12 run"; exit 1; }
	@echo "Making $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "The venv module is missing or broken; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.run: $(VENV)/bin/python .ci/locks/run.lock pyproject.toml
	@echo "Installing what the daemon needs (once, pinned by hash) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r .ci/locks/run.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run .ci/locks/dev.lock
	@echo "Installing what the tests and checks need (once, pinned by hash) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r .ci/locks/dev.lock
	@touch $@
