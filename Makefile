# What people and continuous integration type. Every target may be run twice.
#
#   make install     everything into .venv, from the locked requirements
#   make servers     find InfluxDB 2.7 and 1.8 on this machine, or build them once (needs Go, for 2.7 Rust too)
#   make demo        the whole pipeline on this machine; ARGS="--no-fault" and the like are passed on
#   make check       lint, format, types, import directions
#   make test        check and servers, then every test that this machine can run; ARGS="-k name" is passed on
#   make bench       the benchmarks of tests/benchmarks
#   make bench-detectors  what a reading costs the gateway, beside river's trees, and a year rescored
#   make bench-firmware   instructions and bytes of the kernels on every core, beside those of others
#   make lock        resolve the requirements anew; UPGRADE=1 takes newer versions
#   make clean       remove what the targets above made, .venv included
#
# PYTHON chooses the interpreter that .venv is made with: make install PYTHON=python3.12

PYTHON ?= python3
ARGS ?=
# Test files run side by side by so many workers; 0 runs them one after the other, for a debugger.
WORKERS ?= 2

VENV := .venv
# The interpreter is the one that PYTHON names; uv is to fetch no other.
export UV_PYTHON_DOWNLOADS := never
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# A virtual environment holds the address of its folder: one that was moved or copied is made anew.
HERE := $(VENV)/.folder
ifneq ($(shell cat $(HERE) 2>/dev/null),$(CURDIR))
.PHONY: $(HERE)
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install servers servers-if-possible demo check test bench bench-detectors bench-firmware lock clean

help:
	@sed -n 's/^#   //p' Makefile

install: $(STAMP)

$(HERE):
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	  echo "make: no program $(PYTHON) on the path: install Python 3.11, 3.12 or 3.13, or name one with PYTHON=/path/to/python3." >&2; \
	  exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "make: $$("$(PYTHON)" -V 2>&1) is not one of 3.11, 3.12, 3.13: name one that is with PYTHON=/path/to/python3." >&2; \
	  exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "make: $(PYTHON) cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python3-venv)." >&2; \
	  exit 1; }
	@rm -rf $(VENV)
	"$(PYTHON)" -m venv $(VENV)
	@printf '%s\n' "$(CURDIR)" > $@

$(STAMP): $(HERE) requirements/install.txt requirements/all.txt pyproject.toml
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/install.txt
	$(RUN) -m uv pip install --quiet --compile-bytecode --python $(RUN) --require-hashes -r requirements/all.txt
	$(RUN) -m uv pip install --quiet --python $(RUN) --no-deps --no-build-isolation --editable .
	@touch $@

servers: install
	$(VENV)/bin/tocsin servers build all --if-possible

# A machine that cannot build them, for want of a network for example, runs the other tests.
servers-if-possible: install
	@$(VENV)/bin/tocsin servers build all --if-possible || \
	  echo "make: tests on the servers that are missing are skipped" >&2

demo: install
	$(VENV)/bin/tocsin demo $(ARGS)

check: install
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

test: install check servers-if-possible
	$(RUN) -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

bench: install
	$(RUN) -m pytest tests/benchmarks --override-ini 'python_files=bench_*.py' --timeout=3600 -s $(ARGS)

bench-detectors: install
	$(RUN) -m pytest tests/benchmarks/bench_detectors.py --override-ini 'python_files=bench_*.py' --timeout=3600 -s $(ARGS)

bench-firmware: install
	$(RUN) -m firmware.bench $(ARGS)

# Each tier's file takes the versions of all.txt, so that a tier alone and all tiers together run the same code.
COMPILE = $(RUN) -m uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --fork-strategy fewest \
  --no-emit-index-url --no-header --no-annotate $(if $(UPGRADE),--upgrade)

lock: $(HERE)
	@$(RUN) -m uv --version >/dev/null 2>&1 || \
	  $(RUN) -m pip install --quiet --disable-pip-version-check -r requirements/install.in
	$(COMPILE) pyproject.toml requirements/install.in --extra all --extra dev -o requirements/all.txt
	$(COMPILE) pyproject.toml -c requirements/all.txt --extra sensor -o requirements/sensor.txt
	$(COMPILE) pyproject.toml -c requirements/all.txt --extra gateway -o requirements/gateway.txt
	$(COMPILE) pyproject.toml -c requirements/all.txt --extra cloud --extra console --extra train -o requirements/cloud.txt
	$(COMPILE) requirements/install.in -c requirements/all.txt -o requirements/install.txt

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find tocsin shared firmware gateway cloud tests -name __pycache__ -type d -prune -exec rm -rf {} +
