# Two commands on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
LOWEST = .venv-lowest

# Waiting threads sleep instead of spinning: on a shared machine small networks train several times faster.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test lowest check docs install clean

demo: install
	$(BIN)/camforge run configs/quickstart.py
	@echo "open work/quickstart/report.html"

test: install
	$(BIN)/python -m pytest

# The tests on the oldest version of every dependency that pyproject.toml allows; `make test` takes the newest.
lowest: $(LOWEST)/installed
	$(LOWEST)/bin/python -m pytest $(TESTS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "open work/site/index.html"

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

$(LOWEST)/installed: pyproject.toml
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) $(LOWEST) work dist build
