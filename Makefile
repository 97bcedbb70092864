# Every target sets up what it needs. `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

.PHONY: help demo dev test coverage test-timing test-full lint types format bench attack browser postgres lighthouse screenshots examples docs lock audit clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.runtime ## Embedded Temporal, sample rollouts and the dashboard (PORT=8000)
	@exec $(BIN)/release-dashboard demo --port $(PORT)

dev: .venv/.runtime ## The same, and the dashboard reloads when a file changes
	@exec $(BIN)/release-dashboard demo --port $(PORT) --reload

# Many tests wait for Temporal, so that more of them are at work than there are cores; what measures runs by itself. Each
# process of the tests would compile all of the code if nobody kept what has been compiled.
WORKERS ?= 4
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest
PARALLEL := $(PYTEST) -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: .venv/.dev browser postgres ## Every test but what measures seconds and what only the night has time for, in 6 minutes
	@$(PARALLEL) -m 'not timing and not full' $(ARGS)

coverage: .venv/.dev browser postgres ## Branch coverage of all that does not measure, which has to be 95 percent
	@$(PARALLEL) -m 'not timing' --cov --cov-report=term $(ARGS)
	@printf 'Coverage of all rooms, with branches, in percent: '
	@$(BIN)/python -m coverage report --format=total --precision=1 --fail-under=95 \
		--include='dashboard/*/*'

test-timing: .venv/.dev browser postgres ## What measures seconds or calls, one test after another
	@$(PYTEST) -m timing $(ARGS)

test-full: .venv/.dev browser postgres ## Everything, on both databases and with generated requests, in 20 minutes
	@$(PARALLEL) -m 'not timing'; status=$$?; $(PYTEST) -m timing && exit $$status

lint: .venv/.dev ## Format check, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@if command -v npm >/dev/null 2>&1; then $(MAKE) --no-print-directory types; \
		else echo "The types of static/js were not checked: that takes npm (Debian: apt-get install npm)" >&2; test -z "$$CI"; fi

types: node_modules/.done
	@node_modules/.bin/tsc --project .

format: .venv/.dev ## Format the code and mend what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: .venv/.runtime ## Measure the dashboard beside bare calls and a bare server, in 7 minutes (RESULTS=file)
	@$(BIN)/python -m bench $(if $(RESULTS),--results $(RESULTS))

attack: .venv/.dev postgres ## Attack the dashboard as it is served, on both databases, in 2 minutes; what it refused
	@$(BIN)/python -m tests.attack

browser: ## Chromium for the browser tests, from Debian's packages where that is possible
	@sh scripts/install_chromium.sh

postgres: ## PostgreSQL and nginx for the tests of accounts and replicas, from Debian's packages where that is possible
	@{ ls /usr/lib/postgresql/*/bin/pg_ctl || command -v pg_ctl; } >/dev/null 2>&1 && \
		{ ls /usr/sbin/nginx || command -v nginx; } >/dev/null 2>&1 || sh scripts/install_postgres_nginx.sh

lighthouse: .venv/.dev bench/lighthouse/node_modules/.done ## Lighthouse's scores of the list and of a large release; fails under 95
	@$(BIN)/python -m bench.lighthouse

screenshots: .venv/.dev browser ## Pictures of every page in screenshots/, and the README's four in docs/
	@$(BIN)/python -m scripts.screenshots

examples: .venv/.dev ## Answers of the sample rollouts, as the API's reference shows them
	@$(BIN)/python -m scripts.api_examples

docs: .venv/.dev ## The pages of docs/ that come from the code, and .env.example
	@$(BIN)/python -m scripts.generate_docs

lock: .venv/.dev ## Renew the lock files from pyproject.toml
	@$(PIP) install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-header --no-emit-index-url \
		--upgrade --extra demo --extra postgres --extra oidc --group dev --output-file requirements-dev.lock
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-header --no-emit-index-url \
		--extra demo --group build --constraint requirements-dev.lock --output-file requirements.lock
	@npm update --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved --no-audit --no-fund --silent
	@cd bench/lighthouse && npm update --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved --no-audit --no-fund --silent
	@$(BIN)/python -m bench.lighthouse.lock

# Strict: what cannot be looked up is no package without faults.
audit: .venv/bin/python ## Known vulnerabilities of what the lock files name, as PyPI tells them
	@$(BIN)/python -m venv .venv/audit
	@.venv/audit/bin/python -m pip --disable-pip-version-check --no-input install --quiet pip-audit
	@.venv/audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock -r requirements-dev.lock

clean: ## Remove the virtual environment and what was built (the data in var/ stays)
	@rm -rf .venv node_modules bench/lighthouse/node_modules build dist .pytest_cache .mypy_cache .ruff_cache .coverage

.venv/bin/python:
	@echo "Creating .venv"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 demo" >&2; exit 1; }
	@$(PYTHON) -m venv .venv

# The build backend is in the lock file too, so that nothing unpinned is ever fetched.
.venv/.runtime: requirements.lock pyproject.toml | .venv/bin/python
	@echo "Installing the locked requirements"
	@$(PIP) install --quiet --require-hashes --no-deps --requirement requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.runtime
	@echo "Installing the locked development requirements"
	@$(PIP) install --quiet --require-hashes --no-deps --requirement requirements-dev.lock
	@touch $@

# The compiler's own package has no scripts to run, and what has may not.
node_modules/.done: package-lock.json package.json
	@echo "Installing what checks the types of static/js"
	@npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

bench/lighthouse/node_modules/.done: bench/lighthouse/package-lock.json bench/lighthouse/package.json
	@echo "Installing Lighthouse"
	@cd bench/lighthouse && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@
