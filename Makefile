# The two commands a newcomer needs are `make demo` and `make test`; both set up what they need.

.PHONY: help demo test test-long lint bench bench-inspection bench-report clean lock locale man

# The tests start the command hundreds of times: it is compiled once, not each time.
unexport PYTHONDONTWRITEBYTECODE

PYTHON := .venv/bin/python
# A test waits a third of its time, so three workers keep the two cores of the smallest host busy; a
# group keeps tests that share a device together.
PYTEST := $(PYTHON) -m pytest -n $(or $(WORKERS),3) --dist loadgroup

help:
	@echo 'make demo       one night of a small generated hospital, from the pull to the shut door'
	@echo 'make test       set up, then the tests (under ten minutes)'
	@echo 'make test-long  the long kill matrices (COFFRE_TEST_EVERY=1: every point), every restic version'
	@echo 'make lint       ruff, mypy, import-linter'
	@echo 'make bench      seconds the vault is open, beside restic alone and the physical limit'
	@echo 'make bench-inspection  how often the gate refuses what was encrypted, and what was not'
	@echo 'make bench-report  gaps and pages over ten years of two hundred sources'
	@echo 'make man        the manual pages, in build/man; read one with man -l'
	@echo 'make locale     gather the texts to translate, compile what is translated'
	@echo 'make lock       pin the dependencies anew, with hashes'
	@echo 'make clean      remove what the other targets made, .venv excepted'

demo:
	@scripts/setup.sh run
	@.venv/bin/coffre demo

test:
	@scripts/setup.sh test
	$(PYTEST) -m 'not long'

test-long:
	@scripts/setup.sh long
	COFFRE_TEST_LONG=1 $(PYTEST) -m 'long or matrix'

lint:
	@scripts/setup.sh test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench:
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks

bench-inspection:
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.inspection

bench-report:
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.reporting

# Names, versions and hashes only: where packages come from is the business of each host.
# requirements.lock is what a vault host runs; -dev adds what the tests need, at the versions of the
# first; -build is the backend that installs coffre itself and does not stay. After a change of
# pyproject.toml run this, in a virtual environment that pip-tools was installed into.
COMPILE = $(PYTHON) -m piptools compile --quiet --strip-extras --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-annotate --no-header

lock:
	@scripts/setup.sh run
	@$(PYTHON) -c 'import piptools' 2>/dev/null || \
	  { echo 'lock: pip-tools is needed: $(PYTHON) -m pip install pip-tools'; exit 2; }
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --extra dev --constraint requirements.lock \
	  --output-file requirements-dev.lock pyproject.toml
	$(COMPILE) --only-build-deps --build-deps-for editable \
	  --output-file requirements-build.lock pyproject.toml

man:
	@scripts/setup.sh run
	@.venv/bin/coffre man --to build/man

locale:
	@scripts/setup.sh test
	@$(PYTHON) scripts/translations.py

clean:
	rm -rf .demo .bench build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis \
	  .pytest_cache *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
