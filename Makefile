# Gridpact: `make report` plays a day and writes the report; `make test` runs everything.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
OUT    ?= results
JOBS   ?= 2
export OMP_NUM_THREADS ?= 1

.PHONY: report test setup lint format bench clean help

help:  ## what each command does
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

report: $(VENV)/.base  ## play the default day, honest and malicious, and write $(OUT)/report.html
	$(BIN)/python evaluate.py --out $(OUT)

test: $(VENV)/.full  ## run all tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

setup: $(VENV)/.full  ## the whole environment, nothing run

lint: $(VENV)/.full  ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.full  ## bring the code into its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.full  ## measure speed; table on the screen, JSON in $(OUT)/bench.json
	$(BIN)/python -m benchmarks --out $(OUT)

clean:  ## remove the environment, results and caches
	rm -rf $(VENV) $(OUT) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

# pip, not another installer: the exact pin of torch is what keeps gigabytes of GPU libraries away.
$(VENV)/.full: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[train,dev]"
	touch $@ $(VENV)/.base
