# The commands that a person types; continuous integration types the same ones.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: search test test-long check format docs lock

search: $(INSTALLED)  ## install what is needed and search on the handwritten digits
	$(BIN)/striate launch digits --trials 40

test: $(INSTALLED)  ## install what is needed and run the tests
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

test-long: $(INSTALLED)  ## the tests that `make test` leaves out, as each takes long
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m long

check: $(INSTALLED)  ## style, types, and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)  ## put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED)  ## write again what is made from the code: docs/cli.md and the JSON Schema of the language
	$(BIN)/python docs/write_cli.py
	$(BIN)/python docs/write_schema.py

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Striate needs Python 3.11 or newer; name one with: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock:  ## pin the newest packages that pyproject.toml allows; on a machine without a GPU
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet torch==2.13.0
	.venv-lock/bin/python -m pip install --quiet ".[cluster,dev]"
	head -2 requirements.lock > requirements.new
	.venv-lock/bin/python -m pip freeze --exclude striate | sed 's/+cpu$$//' >> requirements.new
	mv requirements.new requirements.lock
	rm -rf .venv-lock
