# Every recipe is a plain command, so this file also reads as documentation.
# PYTHON=python3.12 make setup    chooses another interpreter (3.11 to 3.13).

PYTHON ?= python3
PORT ?= 8000
POSTGRES_URL ?= postgres://postgres@127.0.0.1:5432/postgres
BIN := .venv/bin
export RAISIN_URL ?= http://127.0.0.1:$(PORT)

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-clients demo run test test-sqlite test-postgres check browser lock clean

help:  ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: .venv/.runtime  ## Build .venv from the lock.

demo: setup  ## Everything from nothing: install, fill with the Raisin demo, serve.
	$(BIN)/python manage.py demo
	$(BIN)/python manage.py serve --port $(PORT)

run: setup  ## Serve what is there.
	$(BIN)/python manage.py serve --port $(PORT)

test: test-sqlite test-postgres  ## Every test: on SQLite, and on PostgreSQL where a server answers.

# The library's tests must reach every line and branch of it; without the real data some are left out,
# so the bound holds where nothing may be. Two processes share the work. Browsers have runs of their own:
# they leave an event loop behind, in which Django refuses to ask the database.
# Threads of linear algebra in each process would only wait for one another.
test-sqlite test-postgres browser: export OPENBLAS_NUM_THREADS := 1
test-sqlite: setup-dev setup-clients
	$(BIN)/coverage run -m pytest -n 2 $(PLAIN) tests/mlcore
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --include='mlcore/*' --fail-under=$(if $(RAISIN_TEST_STRICT),100,0)
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/dashboard tests/endpoints
	$(BIN)/python -m pytest -n 2 $(PLAIN) --dist loadfile tests/browser
	$(BIN)/python -m pytest -n 2 $(PLAIN) --dist loadfile $(addprefix --ignore=tests/,mlcore dashboard endpoints browser)

test-postgres: setup-dev
	@if $(BIN)/python -m tests.postgres "$(POSTGRES_URL)"; then export DATABASE_URL="$(POSTGRES_URL)"; \
	  $(BIN)/python -m pytest -n 2 --dist loadfile tests/endpoints tests/dashboard && \
	  $(BIN)/python -m pytest -n 2 $(PLAIN) --dist loadfile tests/raisin_site tests/serving/test_killed.py && \
	  $(BIN)/python -m pytest -n 2 $(PLAIN) --dist loadfile $(addprefix tests/browser/,$(STORIES)); \
	else echo "No PostgreSQL answers at $(POSTGRES_URL); its tests are left out"; test -z "$$RAISIN_TEST_STRICT"; fi

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

# Where nobody asks for it, a plugin that takes a second to import in each process.
PLAIN := -p no:schemathesis

# What people do in a browser, on either database; how pages are drawn does not depend on it.
STORIES := test_promotion.py test_everyday.py test_newcomer.py test_two_browsers.py

LOCK := --quiet --upgrade --generate-hashes --python-version 3.11 --no-header

setup-dev: .venv/.dev

.venv/.runtime: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit("Raisin needs Python 3.11 or newer; say PYTHON=python3.12 make ..." if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

.venv/.dev: requirements-dev.txt .venv/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

# Clients are far heavier than the product, and two of them exclude each other.
.venv-clients/.installed: tests/clients/requirements.txt | .venv/.dev
.venv-mlserver/.installed: tests/clients/mlserver.txt | .venv/.dev
.venv-clients/.installed .venv-mlserver/.installed:
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip sync --quiet --require-hashes --python $(@D)/bin/python $<
	touch $@
