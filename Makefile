# A fresh machine needs `make demo` and `make test`; each sets up what it needs and is quick when all is in place.
VENV    := .venv
PYTHON  := $(VENV)/bin/python
BUNDLE  := attnscope/static/widget.js
INSTALL := $(VENV)/.installed
NODE    := js/node_modules/.installed
SOURCES := $(shell find js/src -type f) js/build.mjs js/tsconfig.json

.DEFAULT_GOAL := help
.PHONY: help setup chromium demo lab test lint test-js test-python test-matrix bench train judge screenshots wheel clean

help: ## Say what there is to make
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# --- set-up ---------------------------------------------------------------------------------------------------------

$(INSTALL): pyproject.toml constraints.txt
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

$(NODE): js/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer."; exit 1; }
	cd js && npm ci --no-audit --no-fund --loglevel=error
	touch $@

$(BUNDLE): $(NODE) $(SOURCES)
	cd js && npm run --silent build
	touch $@

setup: $(INSTALL) $(BUNDLE)

chromium:
	@command -v chromium >/dev/null || { \
	  echo "Installing Debian's chromium for the browser tests ..."; \
	  SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$SUDO apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$SUDO apt-get install -y -qq chromium >/dev/null; }

# --- what one comes for ---------------------------------------------------------------------------------------------

demo: setup ## Paint a picture, capture its attention, write an HTML file to open
	$(PYTHON) -m attnscope

lab: setup ## Open the quickstart notebook in JupyterLab
	$(VENV)/bin/jupyter lab notebooks/01_quickstart.ipynb

# --- proof ----------------------------------------------------------------------------------------------------------

test: lint test-js test-python ## Run every check and test

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright
	cd js && npm run --silent typecheck && npm run --silent lint

test-js: setup chromium
	cd js && npm run --silent test && npm run --silent test:browser

# A file stays in one process, since its tests share servers and runs; files start in their order, so that the long ones
# in tests/browser do not come last.
test-python: setup chromium
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-matrix: setup ## Test with the oldest versions claimed and the newest there are (ROWS=oldest: one of them)
	$(PYTHON) tests/matrix/run.py $(ROWS)

bench: setup chromium ## Print the figures of the product, as ratios
	$(PYTHON) benchmarks/bench.py

screenshots: setup chromium ## Make the README's picture and screenshots in artifacts/
	$(PYTHON) docs/screenshots.py

# --- the rest -------------------------------------------------------------------------------------------------------

train: setup ## Train the demo pipeline (resumes; hours on two CPU cores)
	$(PYTHON) -m attnscope.demo.train

judge: setup ## Judge the demo pipeline on 200 held-out captions
	$(PYTHON) -m attnscope.demo.judge

wheel: setup ## Build the wheel and the source distribution into dist/
	$(PYTHON) -m build --outdir dist .

clean: ## Remove everything that was built
	rm -rf $(VENV) .matrix js/node_modules attnscope/static/*.js attnscope/static/*.css dist artifacts
