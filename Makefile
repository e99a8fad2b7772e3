# icu-stream: every target sets up what it needs and says what it does.
#   make demo     everything on this machine, in the browser; needs Python alone
#   make test     all checks and tests; needs Java, Maven, Chromium, PostgreSQL and InfluxDB, too
#   make conformance   the named scenarios on the real worker over real Kafka, one line each
#   make bench    what is measured, beside its peers; of the ward view: make bench-ward
#   make evidence what scores and models are worth: docs/evidence.md, from ../shared/data
#   make chaos    minutes of kills, freezes and cut connections
#   make diagrams the pictures of the diagrams in docs/; needs npm and Chromium
#   make docs     the documentation's site, with its notebooks run: .cache/site/index.html
#   make audit    known vulnerabilities of what the locks hold; needs the network
#   make lint     ruff, mypy, import-linter        make format   mend the layout
#   make lock     resolve the dependencies anew    make clean    remove all of it

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test conformance bench bench-ward evidence chaos diagrams docs audit lint format lock clean tools

VENV := .venv
BIN := $(VENV)/bin
BENCH_VENV := .venv-bench
LOCK_VENV := .venv-lock
PIP_QUIET := --quiet --disable-pip-version-check --no-input
# Widths on a page are tested: with the fonts that Debian's desktops have.
CHROMIUM := chromium fonts-dejavu-core fonts-liberation
MERMAID := 11.17.2
# What runs beside the rest, as it waits for most of its time. A third beside them saves a
# minute, and Kafka misses its own heartbeats.
LONG := tests/browser tests/integration/test_kill.py
# How a lock is made: for every Python and platform that we support, with hashes.
COMPILE := $(LOCK_VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make lock" pyproject.toml --group build

# The newest Python that we support and that can make a virtual environment.
define FIND_PYTHON
for candidate in python3.13 python3.12 python3.11 python3; do \
  if $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
    if $$candidate -c 'import ensurepip, venv' 2>/dev/null; then python=$$candidate; break; \
    else lame=$$candidate; fi; \
  fi; \
done; \
if [ -z "$${python:-}" ]; then \
  if [ -n "$${lame:-}" ]; then \
    echo "$$lame cannot make a virtual environment: apt-get install python3-venv" >&2; \
  else \
    echo "no Python 3.11, 3.12 or 3.13 found: apt-get install python3 python3-venv" >&2; \
  fi; exit 1; \
fi
endef

# $(call INSTALL,venv,lock): exactly what the lock says, then this project itself.
define INSTALL
if [ ! -x $(1)/bin/python ]; then \
  $(FIND_PYTHON); echo "making $(1) with $$($$python --version)"; $$python -m venv --clear $(1); \
fi; \
echo "installing $(2) into $(1)"; \
$(1)/bin/python -m pip install $(PIP_QUIET) --require-hashes -r $(2); \
$(1)/bin/python -m pip install $(PIP_QUIET) --no-deps --no-build-isolation --no-index -e .
endef

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | sed -n '1,13p'

$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(call INSTALL,$(VENV),requirements.lock)
	@touch $@

# The development lock holds the same versions of what the runtime lock holds.
$(VENV)/.dev: requirements-dev.lock requirements.lock pyproject.toml
	@$(call INSTALL,$(VENV),requirements-dev.lock)
	@touch $(VENV)/.runtime $@

$(BENCH_VENV)/.done: requirements-bench.lock pyproject.toml
	@$(call INSTALL,$(BENCH_VENV),requirements-bench.lock)
	@touch $@

# $(call APT,program,packages): what pip does not bring is installed if we may; else a message
# says what is missing.
define APT
if ! PATH="$$PATH:$$(echo /usr/lib/postgresql/*/bin | tr ' ' ':')" command -v $(1) >/dev/null; then \
  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
    echo "installing $(firstword $(2))"; apt-get update -qq; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2) >/dev/null; \
  else echo "$(1) not found: sudo apt-get install $(2)" >&2; exit 1; fi; fi
endef

tools: $(VENV)/.dev
	@for tool in java mvn; do command -v $$tool >/dev/null || { \
	  echo "$$tool not found: apt-get install default-jdk-headless maven" >&2; exit 1; }; done
	@$(call APT,chromium,$(CHROMIUM))
	@$(call APT,initdb,postgresql)
	@$(call APT,influxd,influxdb)
	@if ! command -v systemd-analyze >/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing systemd, whose units are checked"; apt-get update -qq; \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends systemd >/dev/null; \
	  else echo "systemd-analyze not found: sudo apt-get install systemd" >&2; exit 1; fi; fi
	@echo "Apache Kafka for the tests: $$($(BIN)/python -c 'from tests import kafka; print(kafka.jars().name)')"

demo: $(VENV)/.runtime
	@$(BIN)/icu-stream demo $(ARGS)

test: $(VENV)/.dev
	@$(MAKE) --no-print-directory -j2 lint tools
	@echo "pytest"
ifdef ARGS
	@$(BIN)/python -m pytest -q $(ARGS)
else
	@log=$$(mktemp); status=0; \
	$(BIN)/python -m pytest -q $(LONG) >"$$log" 2>&1 & long=$$!; \
	trap 'kill $$long 2>/dev/null || true; rm -f "$$log"' EXIT; \
	$(BIN)/python -m pytest -q tests $(LONG:%=--ignore=%) || status=$$?; \
	wait $$long || status=$$?; cat "$$log"; exit $$status
endif

conformance: tools
	@$(BIN)/python -m pytest -q tests/scenarios $(ARGS)

chaos: tools
	@echo "pytest -m chaos"
	@$(BIN)/python -m pytest -q -m chaos $(ARGS)

bench: $(BENCH_VENV)/.done tools
	@$(BENCH_VENV)/bin/python -m tests.benchmarks $(ARGS)

# From a monitor to the pixels: a quarter of an hour.
bench-ward: tools
	@$(BIN)/python -m tests.benchmarks.ward $(ARGS)

# One thread: the same figures on every machine, and sums of small matrices need no more.
evidence: $(VENV)/.dev
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m icu_stream.evaluation.evidence \
	  --shared "$${ICU_SHARED:-../shared}" --output docs/evidence.md

diagrams: $(VENV)/.dev
	@mkdir -p .cache/mermaid; cd .cache/mermaid; test -d package || { \
	  npm pack --silent mermaid@$(MERMAID) >/dev/null && tar -xzf mermaid-$(MERMAID).tgz; }
	@$(BIN)/python docs/site/diagrams.py .cache/mermaid/package/dist/mermaid.min.js

# The notebooks need the recordings in ../shared (or ICU_SHARED).
docs: $(VENV)/.dev
	@echo "notebooks"; $(BIN)/python -m pytest -q tests/integration/test_notebooks.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict -f docs/site/mkdocs.yml
	@echo "the site: .cache/site/index.html"

# No answer is not a clean one: without the network it fails.
audit: $(VENV)/.dev
	@for lock in requirements.lock requirements-dev.lock; do echo "$$lock"; \
	  $(BIN)/pip-audit --strict --progress-spinner off --disable-pip --require-hashes -r $$lock $(ARGS) || { \
	    echo "make audit: $$lock has known vulnerabilities, or the service that knows them could not be asked" >&2; \
	    exit 1; }; done

lint: $(VENV)/.dev
	@echo "ruff check"; $(BIN)/ruff check --quiet .
	@echo "ruff format --check"; $(BIN)/ruff format --quiet --check .
	@echo "mypy"; $(BIN)/mypy --no-error-summary
	@echo "lint-imports"; report=$$($(BIN)/lint-imports 2>&1) || { echo "$$report"; exit 1; }

format: $(VENV)/.dev
	@echo "ruff check --fix"; $(BIN)/ruff check --quiet --fix .
	@echo "ruff format"; $(BIN)/ruff format --quiet .

lock: pyproject.toml
	@if [ ! -x $(LOCK_VENV)/bin/uv ]; then $(FIND_PYTHON); echo "making $(LOCK_VENV)"; \
	  $$python -m venv $(LOCK_VENV); $(LOCK_VENV)/bin/python -m pip install $(PIP_QUIET) 'uv>=0.5'; fi
	@echo "requirements.lock"; $(COMPILE) $(ARGS) -o requirements.lock
	@echo "requirements-dev.lock"; $(COMPILE) $(ARGS) --extra dev -c requirements.lock -o requirements-dev.lock
	@echo "requirements-bench.lock"; $(COMPILE) $(ARGS) --extra bench -o requirements-bench.lock

clean:
	@echo "removing environments, caches and downloads"
	@rm -rf $(VENV) $(BENCH_VENV) $(LOCK_VENV) .cache dist
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
