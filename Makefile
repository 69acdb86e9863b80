# The one command surface. `make demo` and `make test` need nothing of ours installed before.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
APT := make python3-venv bubblewrap libseccomp2 fonts-nanum
# On all cores (at most four); tests that start sites run one after another (tests/conftest.py).
SHARED_OUT := -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder
APT_TEST := chromium postgresql openjdk-17-jre-headless openssl

.PHONY: demo demo-reset journey test cover check fix bench soak dist docs docs-check env system-demo system-test

demo: env system-demo       ## a small nation on this machine, until Ctrl-C
	@$(BIN)/ansim demo

demo-reset:                 ## forget the nation; the next `make demo` starts over
	@rm -rf nation && echo "The nation is forgotten. 'make demo' makes a new one."

journey: env system-demo    ## the whole journey by script, with an HTML report
	@$(BIN)/ansim journey

test: env system-demo system-test ## everything that must hold
	$(BIN)/pytest $(SHARED_OUT)

cover: env system-demo system-test ## branch coverage, sites as processes included; a table, and HTML in build/coverage
	$(BIN)/pytest $(SHARED_OUT) --cov --cov-report=term:skip-covered --cov-report=html:build/coverage

check: env docs-check       ## style, types, layers, generated docs; never edits
	$(BIN)/ruff check src tests benchmarks tools
	$(BIN)/ruff format --check src tests benchmarks tools
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: env                    ## what tools can mend by themselves
	$(BIN)/ruff check --fix src tests benchmarks tools
	$(BIN)/ruff format src tests benchmarks tools

bench: env                  ## how fast: ledger, and each stage of the journey
	$(BIN)/python benchmarks/ledger.py
	$(BIN)/ansim journey

soak: env system-demo system-test ## the long suites, with a result file in docs/
	$(BIN)/python tools/soak.py

dist: env                   ## wheel, locks with hashes, bill of materials, sums, signature (ANSIM_RELEASE_KEY)
	$(BIN)/python tools/dist.py dist

docs: env                   ## the pages that are made from the code
	$(BIN)/python tools/tables.py
	$(BIN)/python tools/attacks.py
	$(BIN)/python tools/circe.py

docs-check: env
	@$(BIN)/python tools/tables.py --check

env: $(VENV)/.ready

# One lock, with hashes. uv only because it is quick; pip reads the same file.
$(VENV)/.ready: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock \
	  || $(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

# Debian packages: installed when root, printed otherwise.
system-demo:
	@$(PYTHON) tools/system.py $(APT)
system-test:
	@$(PYTHON) tools/system.py $(APT_TEST)
