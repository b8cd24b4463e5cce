# Two commands on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
LOWEST = .venv-lowest

# Waiting threads sleep instead of spinning: on a shared machine small networks train several times faster.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test lowest check docs install audit mutants faults ecosystem release clean

demo: install
	$(BIN)/camforge run configs/quickstart.py
	@echo "open work/quickstart/report.html"

# JOBS=2: in two processes, file by file; with one thread each (OMP_NUM_THREADS=1) they do not get in each other's way.
JOBS ?= 0

test: install
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

# The tests on the oldest version of every dependency that pyproject.toml allows; `make test` takes the newest.
lowest: $(LOWEST)/installed
	$(LOWEST)/bin/python -m pytest $(TESTS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Known vulnerabilities of the newest and of the lowest versions that pyproject.toml allows, every extra included;
# a version that the public list does not answer for is a failure, too.
audit: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit uv
	for versions in highest lowest-direct; do \
		$(BIN)/uv pip compile --quiet --no-header --no-annotate --all-extras --resolution $$versions pyproject.toml \
		| $(BIN)/python -m pip_audit --strict --no-deps --disable-pip --requirement /dev/stdin || failed=1; \
	done; test -z "$$failed"

# Small faults in the store's code, one at a time: the tests of the store must find each (half an hour).
mutants: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "mutmut>=3.2"
	$(BIN)/python -m mutmut run && $(BIN)/python -m mutmut results

# Every call to the disk fails in turn, and the power (half an hour).
faults: install
	$(BIN)/python benchmarks/injection.py --experiment 400

# Every plugin of the catalogue in an environment of its own, with the newest and with the lowest versions.
ecosystem: install $(LOWEST)/installed
	$(BIN)/python .ci/ecosystem.py newest=$(CURDIR)/$(BIN)/python lowest=$(CURDIR)/$(LOWEST)/bin/python

# Build, check, and test wheel and sdist in fresh environments of every Python that is here.
release: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check build twine uv
	$(BIN)/python .ci/release.py $(PYTHONS)

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
	rm -rf $(VENV) $(LOWEST) dist build work/site
