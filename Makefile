# Every recipe is a plain command, so this file also reads as documentation.
# PYTHON=python3.12 make setup    chooses another interpreter (3.11 to 3.13).

PYTHON ?= python3
PORT ?= 8000
POSTGRES_URL ?= postgres://postgres@127.0.0.1:5432/postgres
BIN := .venv/bin
export RAISIN_URL ?= http://127.0.0.1:$(PORT)

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-clients demo run test check browser lock clean

help:  ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: .venv/.runtime  ## Build .venv from the lock.

demo: setup  ## Everything from nothing: install, fill with the Raisin demo, serve, with a worker beside.
	$(BIN)/python manage.py demo
	$(BIN)/python manage.py serve --port $(PORT) --with-worker

run: setup  ## Serve what is there, with a worker beside.
	$(BIN)/python manage.py serve --port $(PORT) --with-worker

test:  ## Every test: on SQLite, and on PostgreSQL where a server answers.
	$(MAKE) -j $(JOBS) --output-sync=line tests

# One process each, JOBS at once, the longest first and before them the one that waits most: while it waits for
# servers or the clock, the others compute. Threads of linear algebra in each would only wait for one another.
JOBS ?= 3
TESTS := $(addprefix test-,servers postgres browser endpoints killed mlcore dashboard document stories)
.PHONY: tests $(TESTS)
tests: $(TESTS)
$(TESTS) browser: export OPENBLAS_NUM_THREADS := 1
$(TESTS): setup-dev

# The library's tests must reach every line and branch of it; without the real data some are left out,
# so the bound holds where nothing may be.
test-mlcore:
	$(BIN)/coverage erase
	$(BIN)/coverage run --source=mlcore -m pytest $(PLAIN) tests/mlcore
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --include='mlcore/*' --fail-under=$(if $(RAISIN_TEST_STRICT),100,0)

test-endpoints:
	$(BIN)/python -m pytest $(PLAIN) tests/endpoints $(addprefix --ignore=,$(DOCUMENT))

test-dashboard:
	$(BIN)/python -m pytest $(PLAIN) tests/dashboard

test-document:
	$(BIN)/python -m pytest $(DOCUMENT)

# In a process of their own: browsers leave an event loop behind, in which Django refuses to ask the database.
test-browser:
	$(BIN)/python -m pytest $(PLAIN) tests/browser

test-servers: setup-clients
	$(BIN)/python -m pytest $(PLAIN) tests $(addprefix --ignore=tests/,mlcore endpoints dashboard browser)

test-postgres:
	@if $(BIN)/python -m tests.postgres "$(POSTGRES_URL)"; then export DATABASE_URL="$(POSTGRES_URL)"; \
	  $(BIN)/python -m pytest $(PLAIN) tests/endpoints tests/dashboard $(ONE_DATABASE); \
	else $(NO_POSTGRES); fi

# On PostgreSQL too: the site, and processes that are killed in the middle of their work.
test-killed:
	@if $(BIN)/python -m tests.postgres "$(POSTGRES_URL)"; then export DATABASE_URL="$(POSTGRES_URL)"; \
	  $(BIN)/python -m pytest $(PLAIN) tests/raisin_site $(wildcard tests/serving/test_killed*.py) $(ONE_DATABASE); \
	else $(NO_POSTGRES); fi

# The everyday ones in the browser that people have, the others without its windows.
test-stories: export RAISIN_CHROMIUM := $(shell command -v chromium)
test-stories:
	@if $(BIN)/python -m tests.postgres "$(POSTGRES_URL)"; then export DATABASE_URL="$(POSTGRES_URL)"; \
	  $(BIN)/python -m pytest $(PLAIN) $(addprefix tests/browser/,$(STORIES)); \
	else $(NO_POSTGRES); fi

browser: setup-dev  ## The browser tests alone, in Chromium.
	$(BIN)/python -m pytest tests/browser

check: setup-dev  ## Style, types, import contracts, templates.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/python manage.py makemigrations --check --dry-run

setup-clients: .venv-clients/.installed .venv-mlserver/.installed  ## Foreign clients, for the tests that drive them.

lock: setup-dev  ## Compile the hashed locks anew, for the lowest Python.
	$(BIN)/uv pip compile $(LOCK) requirements.in -o requirements.txt
	$(BIN)/uv pip compile $(LOCK) requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile $(LOCK) tests/clients/requirements.in -o tests/clients/requirements.txt
	$(BIN)/uv pip compile $(LOCK) tests/clients/mlserver.in -o tests/clients/mlserver.txt

clean:  ## Remove the environments and caches; state in var/ stays.
	rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Where nobody asks for it, a plugin that takes a second to import, and its tests, which take it long to collect.
PLAIN := -p no:schemathesis
DOCUMENT := tests/endpoints/api/test_schemathesis.py tests/endpoints/api/test_model_schemathesis.py

# What these ask of a database is asked by others too, which run on both: docs/design.md.
ONE_DATABASE = $(addprefix --ignore=,$(shell cat tests/one_database.txt))

NO_POSTGRES = echo "No PostgreSQL answers at $(POSTGRES_URL); its tests are left out"; test -z "$$RAISIN_TEST_STRICT"

# What people do in a browser, on either database; how pages are drawn does not depend on it.
STORIES := test_promotion.py test_everyday.py test_newcomer.py test_two_browsers.py

LOCK := --quiet --upgrade --generate-hashes --python-version 3.11 --no-header

setup-dev: .venv/.dev

.venv/.made:
	$(PYTHON) -c 'import sys; sys.exit("Raisin needs Python 3.11 or newer; say PYTHON=python3.12 make ..." if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	touch $@

.venv/.runtime: requirements.txt | .venv/.made
	$(PIP) -r requirements.txt
	touch $@

# pip installs uv, and uv the rest, the product's packages among it, in a third of the time.
.venv/.dev: requirements-dev.txt requirements.txt | .venv/.made
	awk '/^[a-z]/ {on = /^uv==/} on' requirements-dev.txt > .venv/uv.txt
	$(PIP) -r .venv/uv.txt
	$(BIN)/uv pip install --quiet --require-hashes --python $(BIN)/python -r requirements-dev.txt
	touch .venv/.runtime $@

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

# Clients are far heavier than the product, and two of them exclude each other.
.venv-clients/.installed: tests/clients/requirements.txt | .venv/.dev
.venv-mlserver/.installed: tests/clients/mlserver.txt | .venv/.dev
.venv-clients/.installed .venv-mlserver/.installed:
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip sync --quiet --require-hashes --python $(@D)/bin/python $<
	touch $@
