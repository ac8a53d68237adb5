# Each verb prints what it runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

.PHONY: run test test-all check bench docs clean

run: $(VENV)/.run ## fine-tune the embedded encoder on the starter data and print where the report is
	$(BIN)/luthier run examples/starter.yaml

test: $(VENV)/.test ## the fast tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

test-all: $(VENV)/.test ## all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

check: $(VENV)/.test ## style, types, floors, sizes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/sizes.py

bench: $(VENV)/.test ## make bench q=training
	$(BIN)/python bench/$(q)/run.py

docs: $(VENV)/.docs ## build the documentation into site/
	$(BIN)/mkdocs build --strict

clean: ## remove what make made; runs are kept
	rm -rf $(VENV) build site

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e ".[embedded]"
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e ".[test,check,parity]"
	touch $@ $(VENV)/.run

$(VENV)/.docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e ".[docs]"
	touch $@
