# Gatepost: everything a developer or a fresh machine needs, by one name each. Needs Python 3.11 or later, and make.

# The distribution's own Python first: it is built with profile-guided optimisation, one compiled by hand mostly is not and
# costs a tenth more CPU for each message. One that can make a virtual environment is preferred to one that cannot.
PYTHON ?= $(shell for need in ", ensurepip" ""; do \
	for p in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do \
		$$p -c "import sys$$need; sys.exit(sys.version_info < (3, 11))" 2>/dev/null && { echo $$p; exit; }; done; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# A lock file is complete; `--no-deps` keeps pip from looking further, which one of 23 does for extras (`coverage[toml]`) and
# then refuses the newer release that it found for want of a pin.
PIP_LOCKED := $(PIP) --no-deps --require-hashes

# The stamps carry the hash of what they were made from: a changed lock file has no stamp yet.
RUNTIME_STAMP := .venv/.runtime-$(shell cat requirements.lock pyproject.toml | sha256sum | cut -c1-16)
DEV_STAMP := .venv/.dev-$(shell cat requirements-dev.lock pyproject.toml | sha256sum | cut -c1-16)

# Packages whose every line answers to the Internet or keeps accepted mail: `make cover` holds them to 95 %.
CORE := smtp policy tls spool

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help venv dev run test unit system check format cover faults soak fuzz bench bench-scale screenshots system-deps lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(RUNTIME_STAMP) ## Make .venv with Gatepost and what it needs to run

dev: $(DEV_STAMP) ## Add the test and lint tools to .venv

$(RUNTIME_STAMP):
	@[ -n "$(PYTHON)" ] || { echo "Gatepost needs Python 3.11 or later, and none was found; set PYTHON=..." >&2; exit 1; }
	@echo "venv: installing the runtime packages (once for each change of requirements.lock)"
	@[ -x $(BIN)/python ] && $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { \
		echo "$(PYTHON) cannot make a virtual environment; on Debian install python3-venv" >&2; exit 1; }
	@$(PIP_LOCKED) -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@rm -f .venv/.runtime-*
	@touch $@

$(DEV_STAMP): $(RUNTIME_STAMP)
	@echo "dev: installing the test and lint tools"
	@$(PIP_LOCKED) -r requirements-dev.lock
	@rm -f .venv/.dev-*
	@touch $@

run: venv ## Run a demo gateway on this machine, its state in ./var
	$(BIN)/gatepost serve --demo --state ./var

test: dev system-deps unit system cover ## Run all tests, then the coverage check

unit: dev ## Run the tests that need no running service
	$(BIN)/pytest -n 2 -m "not system and not long" --durations=15 --cov --cov-report= $(CORE:%=tests/%)
	$(BIN)/pytest -n 2 -m "not system and not long" --durations=15 $(CORE:%=--ignore=tests/%)

system: dev system-deps ## Run the tests that start the real service against real peers
	$(BIN)/pytest -n 2 --dist loadfile -m "system and not long and not alone"
	$(BIN)/pytest -m "system and not long and alone"

cover: dev ## Report the line coverage of the last `make unit`; 95 % of smtp, policy, tls and spool is the floor
	@[ -f .coverage ] || $(MAKE) --no-print-directory unit
	$(BIN)/coverage report --fail-under=95

check: dev ## Check format, lint, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict gatepost
	$(BIN)/lint-imports

format: dev ## Format the code and repair what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

system-deps: ## Install the Debian packages that the tests need, if missing
	@scripts/system-deps

faults: dev system-deps ## Run the rows of the fault matrix that take longer than `make test` may
	$(BIN)/pytest -m long

MINUTES ?= 30

soak: dev system-deps ## Load the gateway for MINUTES=30, one random fault a minute (SEED=... repeats a run), then judge
	$(BIN)/python -m tests.faults.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

fuzz: dev ## Throw random input at every parser for SECONDS=60 each; what was found once is kept and tried first
	$(BIN)/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS))

bench: dev system-deps ## Give Gatepost and Postfix the same work, in turn: speed, CPU, latency and memory into docs/benchmarks (10 minutes)
	$(BIN)/python -m tests.bench

bench-scale: dev system-deps ## Measure what sizes cost: connections, HAT, queue, messages, workers; plot it
	$(BIN)/python -m tests.bench.scale

screenshots: dev system-deps ## Draw every page of the web console into docs/screenshots, at 360 and at 1600 pixels
	$(BIN)/python scripts/screenshots

# Without UPGRADE, pins that still satisfy pyproject.toml stay as they are.
lock: ## Rewrite the lock files from pyproject.toml (UPGRADE=--upgrade for newer versions)
	@[ -x .tools/uv/bin/uv ] || { $(PYTHON) -m venv .tools/uv && .tools/uv/bin/pip install --quiet uv; }
	.tools/uv/bin/uv pip compile $(LOCK_OPTIONS) $(UPGRADE) --output-file requirements.lock pyproject.toml
	.tools/uv/bin/uv pip compile $(LOCK_OPTIONS) $(UPGRADE) --extra dev --constraints requirements.lock \
		--output-file requirements-dev.lock pyproject.toml

LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --group build \
	--custom-compile-command "make lock"

clean: ## Remove what make made, but not ./var
	rm -rf .venv .tools .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
