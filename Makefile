# The two commands a newcomer needs are `make demo` and `make test`; both set up what they need.

.PHONY: help demo test test-long lint bench clean lock locale

PYTHON := .venv/bin/python
# Two workers fit the smallest host we test on; a group keeps tests that share a device together.
PYTEST := $(PYTHON) -m pytest -n $(or $(WORKERS),2) --dist loadgroup

help:
	@echo 'make demo       one night of a small generated hospital, from the pull to the shut door'
	@echo 'make test       set up, then the tests (under ten minutes)'
	@echo 'make test-long  the long kill matrices (COFFRE_TEST_EVERY=1: every point), every restic version'
	@echo 'make lint       ruff, mypy, import-linter'
	@echo 'make bench      seconds the vault is open, beside restic alone and the physical limit'
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
	@scripts/setup.sh test
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

# Names, versions and hashes only: where packages come from is the business of each host.
lock:
	@scripts/setup.sh run
	@$(PYTHON) -m piptools --version >/dev/null 2>&1 || \
	  { echo 'lock: pip-tools is needed: $(PYTHON) -m pip install pip-tools'; exit 2; }
	$(PYTHON) -m piptools compile --quiet --strip-extras --extra dev --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-annotate --no-header \
	  --output-file requirements.lock pyproject.toml

locale:
	@scripts/setup.sh test
	@$(PYTHON) scripts/translations.py

clean:
	rm -rf .demo .bench build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis \
	  .pytest_cache *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
