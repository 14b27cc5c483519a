# `make demo` and `make test` are all a fresh checkout needs; both set up .venv first.
# Every path is relative, so the checkout may lie in a folder with spaces or non-ASCII letters.

PYTHON ?= python3
ACCELERATOR ?=
ARGS ?=
PARALLEL ?= -n logical --maxprocesses 4 --dist worksteal

# Nothing here may look for models on the network: what is not on this machine is an error at once.
export HF_HUB_OFFLINE = 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-portable docs lint format bench lock clean distclean

# Tests that compare numbers, without those beside them of what files say, and the libraries' switches that make every
# processor count like one of 2008: bits that a processor's matrix kernels decide come out otherwise, so a test that
# relies on them is red on any x86-64 machine.
NUMBERS = tests/analysis tests/pipelines/musicgen tests/pipelines/scorers tests/pipelines/test_features.py \
  tests/jobs/kmeans tests/jobs/fitting tests/versions
WORDS = $(foreach name,foreign_checkpoints broken_weights checkpoints,--ignore=tests/pipelines/musicgen/test_$(name).py)
OLD_PROCESSOR = ONEDNN_MAX_CPU_ISA=SSE41 MKL_CBWR=COMPATIBLE ATEN_CPU_CAPABILITY=default OPENBLAS_CORETYPE=Nehalem \
  NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4 AVX512_ICL"

help:  ## Show these targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 — /p' Makefile

setup:  ## Set up .venv (ACCELERATOR=cuda for the GPU build, PYTHON=python3.12 for another interpreter)
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'Undertone needs Python 3.11 or newer; "$(PYTHON)" is missing or older.' \
	       'Name one that is: make setup PYTHON=python3.11' >&2; exit 2; }
	@"$(PYTHON)" requirements/setup_environment.py $(if $(ACCELERATOR),--accelerator "$(ACCELERATOR)")

demo: setup  ## Run the whole job on embedded defaults; the result is in demo/
	.venv/bin/undertone demo demo

test: setup  ## Run the whole suite (ARGS="-k store" for a part of it, PARALLEL= for one process)
	.venv/bin/pytest $(PARALLEL) $(ARGS)

test-portable: setup  ## Run the tests that compare numbers as if on a processor without AVX
	$(OLD_PROCESSOR) .venv/bin/pytest $(PARALLEL) $(NUMBERS) $(WORDS) -m "not slow" $(ARGS)

docs: setup  ## Build the documentation into site/; a dead link is an error (ARGS=--quiet)
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict $(ARGS)

lint: setup  ## Check format, style, types and import directions
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format: setup  ## Rewrite the sources in the one format
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

bench: setup  ## Measure this machine; prints the ratios that benchmarks/RESULTS.md holds
	.venv/bin/python -m benchmarks $(ARGS)

lock: setup  ## Resolve requirements/lock.txt anew (ARGS=--upgrade for newer versions)
	.venv/bin/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 $(ARGS) \
	  --override requirements/overrides.txt --override requirements/overrides-cpu.txt \
	  --no-emit-package torchvision --custom-compile-command 'make lock' \
	  --no-annotate --quiet --output-file requirements/lock.txt
	sed -i.bak "s/ ; sys_platform == 'darwin' or sys_platform == 'linux'$$//" requirements/lock.txt
	rm requirements/lock.txt.bak

clean:  ## Remove caches, demo/ and site/
	rm -rf demo site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find pipelines store jobs analysis training undertone_testing tests benchmarks requirements docs -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## Remove .venv too
	rm -rf .venv
