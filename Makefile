# `make demo` and `make test` do all their own set-up; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
BACKENDS := .venv-backends/bin
DP := .venv-dp/bin
# A CPU build, before all else: a resolver left alone takes CUDA's gigabytes.
TORCH ?= torch==2.13.0
SETUP := .venv/.set-up
POSTGRES_TESTS := tests/test_migrations.py tests/core tests/feedback tests/releases tests/bot tests/sandbox/test_tour_postgres.py

LIST_EXTRA = import sys, tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]], sep="\n")

.PHONY: help setup demo serve test test-slow test-postgres test-backends test-dp browser check format lock revision bench bench-optimize soak fuzz clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(SETUP) ## .venv with everything pinned

$(SETUP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Muster needs Python 3.11 or newer (set PYTHON=)."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q .venv || true
	touch $@

demo: $(SETUP) ## the whole loop on this machine, with a page to see it
	$(BIN)/muster demo

serve: $(SETUP) ## run the Procfile (settings from the environment)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/muster db upgrade
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/honcho start web worker

test: $(SETUP) browser ## all tests but the slow ones
	$(BIN)/pytest

test-slow: $(SETUP) ## the slow ones: kill -9 under load, the tour, a browser
	$(BIN)/pytest -m slow

test-postgres: $(SETUP) ## the tests of whatever has tables, and the tour, on a PostgreSQL server of their own
	$(BIN)/python -m tests.postgres -m "slow or not slow" $(POSTGRES_TESTS)

test-backends: $(SETUP) ## the optimizer's tests with every extra that can be installed here; some gigabytes
	test -x $(BACKENDS)/python || $(PYTHON) -m venv .venv-backends
	$(BACKENDS)/python -c 'import torch' 2>/dev/null || $(BACKENDS)/python -m pip install --quiet --disable-pip-version-check $(TORCH) \
	  || echo "torch cannot be installed here: its tests are skipped (set TORCH= to what finds the CPU build)."
	$(BIN)/uv pip install --quiet --python $(BACKENDS)/python --require-hashes -r requirements/dev.txt
	for extra in litert coreml train; do \
	  $(BIN)/uv pip install --quiet --python $(BACKENDS)/python --no-deps --require-hashes -r requirements/$$extra.txt \
	    || echo "The extra [$$extra] cannot be installed here: its tests are skipped."; done
	$(BACKENDS)/python -m compileall -qq .venv-backends || true  # the limited children may not write it
	$(BACKENDS)/python -m pytest -rs tests/optimize

test-dp: $(SETUP) ## the tests of noised counts, with OpenDP's own noise; 265 MB
	test -x $(DP)/python || $(PYTHON) -m venv .venv-dp
	$(BIN)/uv pip install --quiet --python $(DP)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(DP)/python --no-deps --require-hashes -r requirements/dp.txt
	$(DP)/python -m pytest -rs tests/bot/test_opendp.py tests/bot/test_noised_digest.py tests/feedback/test_noised.py

browser: ## Chromium for the test of the page; that test is skipped where there is none
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-color-emoji >/dev/null; } \
	  || echo "There is no chromium and it cannot be installed here: the test of the page will be skipped."

check: $(SETUP) ## format, lint, types, import contracts
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(SETUP) ## put the code in its format
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --fix --quiet .

lock: ## pin the newest versions again
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group dev pyproject.toml -o requirements/dev.txt --upgrade
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml -c requirements/dev.txt -o requirements/base.txt
	echo uv | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate - -c requirements/dev.txt -o requirements/uv.txt
	for extra in dp litert coreml train; do $(BIN)/python -c '$(LIST_EXTRA)' $$extra | $(BIN)/uv pip compile --quiet --universal \
	  --python-version 3.11 --generate-hashes --no-header --no-annotate - -c requirements/dev.txt \
	  $$(test $$extra = train && echo --override requirements/train-overrides.txt --no-emit-package torch) -o requirements/$$extra.txt; done

revision: $(SETUP) ## write a migration for changed tables: make revision m="Keep polls"
	$(BIN)/python -m migrations.run "$(m)"

bench: $(SETUP) ## what the collector takes in, and what an item costs, as tables; docs/performance.md names the command of every other number
	$(BIN)/python -m bench.ingest
	$(BIN)/python -m bench.parse

bench-optimize: $(SETUP) ## auto against ONNX Runtime, NNCF and Olive, which are installed beside; half an hour; ONLY=mlp,cnn and SPLIT=1 for less
	nice -n 10 $(BIN)/python -m bench.optimize --split $(or $(SPLIT),0) $(if $(ONLY),--only $(ONLY))

soak: $(SETUP) ## ten minutes under load, web killed every 20 s: nothing lost, nothing doubled
	$(BIN)/python -m bench.soak

fuzz: $(SETUP) ## made-up requests to every route of a whole world, with both kinds of keys; ten minutes, or MINUTES=60
	nice -n 10 $(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),10)

clean: ## forget the set-up
	rm -rf .venv
