# make demo   sets up .venv with the light package and shows the main job on the clip that ships with it
# make test   sets up .venv with the test tools and checks style, types, documents and behaviour
# make quick  runs the tests that take under a minute together
# make lint   checks style, and that imports keep to the layers
# make types  checks types alone
# make coverage  runs the quick tests and fails where they reach less of the package than before
# make docs   builds the site of the documents into site/ and fails on a broken link
# make page   bundles the live page from web/src into the package (needs Node; esbuild and TypeScript come from npm)
# make site   checks the types of the page, bundles it, and builds the browser edition into web/dist (needs Node)
# make bench  measures speed, memory and size on this machine
# make clean  removes what these made
# make help   prints these lines

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip install --quiet --disable-pip-version-check

.PHONY: demo test quick coverage lint types docs page site bench clean help
.DELETE_ON_ERROR:

demo: $(VENV)/.light
	$(VENV)/bin/handlens demo --out demo-out

test: lint types docs
	$(PY) -m pytest

quick: $(VENV)/.test
	$(PY) -m pytest -m "not slow"

coverage: $(VENV)/.test
	$(PY) -m coverage run -m pytest -m "not slow"
	$(PY) -m coverage report

lint: $(VENV)/.test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports --no-logo
	@if [ -e web/node_modules/.installed ]; then cd web && npm run --silent types; \
	  else echo "the types of the page are not checked: type 'make page' first, which needs Node and npm" >&2; fi

types: $(VENV)/.test
	$(PY) -m mypy

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --site-dir site

page: web/node_modules/.installed
	cd web && npm run --silent types && npm run --silent page

site: page $(VENV)/.light
	rm -rf web/dist
	$(PY) web/models.py web/dist
	cd web && npm run --silent site

web/node_modules/.installed: web/package-lock.json
	@command -v npm >/dev/null || { echo "the page is bundled with Node and npm (Debian, Ubuntu: apt install nodejs npm)" >&2; exit 2; }
	cd web && npm ci --no-audit --no-fund --silent
	@touch $@

bench: $(VENV)/.light
	$(VENV)/bin/handlens bench

help:
	@sed -n 's/^# make/make/p' $(firstword $(MAKEFILE_LIST))

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "handlens needs Python 3.11 or newer, and '$(PYTHON)' is not: name another one, e.g. make demo PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "'$(PYTHON) -m venv' does not work here: install it (Debian, Ubuntu: apt install python3-venv) and try again" >&2; exit 2; }
	@touch $@

$(VENV)/.light: $(VENV)/.python pyproject.toml
	$(PIP) --editable .
	@touch $@

$(VENV)/.docs: $(VENV)/.python pyproject.toml
	$(PIP) --editable '.[docs]'
	@touch $(VENV)/.light $@

$(VENV)/.test: $(VENV)/.python pyproject.toml
	$(PIP) --editable '.[train,test,docs]'
	@touch $(VENV)/.light $(VENV)/.docs $@

clean:
	rm -rf $(VENV) demo-out site web/dist web/node_modules build dist .mypy_cache .pytest_cache .ruff_cache .coverage .import_linter_cache
