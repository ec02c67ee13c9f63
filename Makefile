# Everything runs in .venv, which `make setup` builds once and again whenever the requirements change.
# PIP_ARGS passes options to pip, such as an index of your own.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
PIP_ARGS ?=
TESTS ?= test
WORKERS ?= auto

.DEFAULT_GOAL := help
# Long checks, each a target `nightly-NAME` below; a new one needs a name here and a target there.
NIGHTLY := fuzz guided
CASES ?= 10000
MINUTES ?= 10

.PHONY: help setup demo test nightly $(NIGHTLY:%=nightly-%) lint audit bench clean

help:
	@echo 'make setup   .venv with everything, ROS 2 included (Python 3.11 or 3.12)'
	@echo 'make demo    map, train, drive, localize through the real node over DDS, evaluate: offline, under build/demo'
	@echo 'make test    the tests (TESTS=test/test_x.py for some of them)'
	@echo 'make nightly  long checks: $(NIGHTLY) (CASES=10000 and MINUTES=10 of each target, docs/security.md)'
	@echo 'make audit   asks PyPI for known vulnerabilities of the pinned packages'
	@echo 'make lint    ruff, mypy, and flake8 with the rules of ament (docs/linting.md)'
	@echo 'make bench   the benchmark commands behind the figures in README'
	@echo 'make coverage, make docs, make mutation   docs/quality.md'
	@echo 'make clean   remove what the others made'

setup: $(STAMP)

$(STAMP): requirements.txt constraints.txt setup.py setup.cfg
	@python=; for p in $(PYTHON) python3.11 python3.12 python3; do \
	    if $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; \
	    then python=$$p; break; fi; done; \
	if [ -x $(BIN)/python ]; then :; elif [ -n "$$python" ]; then $$python -m venv $(VENV); \
	else echo 'no Python 3.11 or 3.12 with venv found: install python3.11-venv or python3.12-venv, or give make PYTHON=/path/to/python' >&2; exit 1; fi
	@rm -f $@
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements.txt -c constraints.txt
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

demo: $(STAMP)
	$(BIN)/urban_map_loc demo --out build/demo

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

nightly: $(NIGHTLY:%=nightly-%)

nightly-fuzz: $(STAMP)
	URBAN_MAP_LOC_FUZZ_CASES=$(CASES) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --timeout 0 test/test_fuzz_files.py test/test_fuzz_structures.py

nightly-guided: build/guided/packages
	$(BIN)/python test/fuzz_guided.py --minutes $(MINUTES)

# In an environment of its own: what audits is no part of what is audited. Needs a network.
audit: $(STAMP)
	@[ -x build/audit/bin/pip-audit ] || { $(BIN)/python -m venv build/audit && build/audit/bin/python -m pip install --quiet $(PIP_ARGS) pip-audit==2.10.1; }
	$(BIN)/python -m pip freeze --exclude-editable > build/audit/installed.txt
	build/audit/bin/pip-audit --disable-pip --no-deps --progress-spinner off -r build/audit/installed.txt

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/flake8 .
	$(BIN)/mypy

bench: $(STAMP)
	@found=0; for b in benchmark/*.py; do [ -e "$$b" ] || continue; found=1; \
	    printf '%s\n    %s\n' "$(BIN)/python $$b" "$$(sed -n '/^"""/{s/^"""//;s/"""$$//;p;q}' $$b)"; done; \
	[ $$found = 1 ] || echo 'benchmark/ holds no benchmark yet'

clean:
	rm -rf $(VENV) build install log *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Below: what is run now and then. docs/quality.md says what of it is asked for.
.PHONY: coverage docs mutation

coverage: $(STAMP)
	@rm -rf build/coverage && mkdir -p build/coverage
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report= test
	$(BIN)/coverage report --omit='urban_map_loc/ros/*' --fail-under=90
	$(BIN)/coverage report --include='urban_map_loc/ros/*' --fail-under=80

# Packages of their own: Sphinx wants an older docutils than colcon has, and nothing else wants cosmic-ray or atheris.
build/docs/packages: docs/requirements.txt
build/mutation/packages: benchmark/mutation.requirements.txt
build/guided/packages: test/guided.requirements.txt
build/docs/packages build/mutation/packages build/guided/packages: $(STAMP)
	@rm -rf $@
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --target $@ -r $(filter %requirements.txt,$^)

docs: build/docs/packages
	PYTHONPATH=build/docs/packages $(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -c docs . build/docs/html
	@echo build/docs/html/docs/index.html

mutation: build/mutation/packages
	$(BIN)/python benchmark/mutation.py
