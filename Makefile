# Convenience, not logic: with the environment active, plain `snakemake --cores all` does the same as `make study`.

SHELL := bash
.DEFAULT_GOAL := help
STUDY ?= default
CORES ?= all
TEST_WORKERS ?= 2

# Relative, because a folder's name may hold blanks and quotes.
BIN := .venv/bin
PYTHON := $(BIN)/python
# The workflow's jobs find the environment's programs first, as they do when it is activated.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export BASE_PYTHON

.PHONY: help
help: ## Show this list
	@echo "l2audit: from a fresh clone to a verdict page in one command: make study"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Variables: STUDY=$(STUDY) (study, report), CORES=$(CORES) (study, quick, full, smoke), TEST_WORKERS=$(TEST_WORKERS) and"
	@echo "PYTEST_ARGS= (test), BASE_PYTHON= (the Python to build the environment with), QUICK=1, STUDY_RUN=1 (run the"
	@echo "default study too), CHECK=1 (fail where a target that was met is lost) and BENCH_JAX_PYTHON= (bench)."

.PHONY: env
env: ## Build .venv from the lock (rebuilt only when the lock changes)
	@tools/environment.sh

.PHONY: study
study: env ## Run STUDY, the default one if none is named (at most 20 minutes on two cores)
	$(PYTHON) -m snakemake --cores $(CORES) --config "study=$(STUDY)"

.PHONY: quick
quick: env ## Run linear models on the bundled tables (a minute or two)
	$(PYTHON) -m snakemake --cores $(CORES) --config study=quick

.PHONY: full
full: env ## Run 90 tables and 11 image sets (about 2 hours on two cores, 36 MB of downloads)
	$(PYTHON) -m snakemake --cores $(CORES) --config study=full

.PHONY: smoke
smoke: env ## Run the whole pipeline on a tiny study (about 2 minutes): plumbing only, no verdicts
	$(PYTHON) -m snakemake --cores $(CORES) --config study=smoke

.PHONY: report
report: env ## Rebuild a page from stored results, without training: of STUDY, else of the main study that is there
	$(PYTHON) -m l2audit report $(if $(filter-out file,$(origin STUDY)),"$(STUDY)")

.PHONY: calibrate
calibrate: env ## Put the judge on trial: 2,000 simulated studies a scenario, into results/calibration.json
	$(PYTHON) -m l2audit.trial.calibration --studies 2000 --out results/calibration.json

.PHONY: cards
cards: env ## Download and prepare every dataset, and write data/cards.parquet (what cannot be had keeps its row)
	-$(PYTHON) -m snakemake --cores $(CORES) prepared
	$(PYTHON) tools/cards.py

.PHONY: docs
docs: env ## Write the tables in docs/ that follow from the code, the configuration and the data cards
	$(PYTHON) tools/tables.py

.PHONY: learning-rates
learning-rates: env ## Measure what the learning rate does to networks, into docs/training.md (about 5 minutes of one core)
	$(PYTHON) -m tools.learning_rates

.PHONY: drift
drift: env ## Train a part of the default study as two processors would, and compare its verdicts (about 5 minutes)
	$(PYTHON) -m tools.drift

.PHONY: bench
bench: env ## Measure the training engine beside Keras, scikit-learn and JAX (about 10 minutes; QUICK=1: 2)
	$(PYTHON) -m benchmarks $(if $(QUICK),--quick) $(if $(STUDY_RUN),--study-run) $(if $(CHECK),--check) \
		$(if $(BENCH_JAX_PYTHON),--jax-python $(BENCH_JAX_PYTHON))

.PHONY: test
test: env ## Run all tests (what cannot run here is skipped and counted)
	$(PYTHON) -m pytest -q -n $(TEST_WORKERS) --dist loadfile $(PYTEST_ARGS)

.PHONY: test-system
test-system: ## Install the system packages that some tests use (root, Debian)
	tools/install-test-system.sh

.PHONY: check
check: check-format check-lint check-types check-imports check-workflow check-config ## All checks that run no test
	@echo "check: all passed"

.PHONY: check-format
check-format: env
	$(PYTHON) -m ruff format --check .
	$(BIN)/snakefmt --check workflow

.PHONY: check-lint
check-lint: env
	$(PYTHON) -m ruff check .

.PHONY: check-types
check-types: env
	$(PYTHON) -m mypy --strict src

.PHONY: check-imports
check-imports: env
	$(BIN)/lint-imports

.PHONY: check-workflow
check-workflow: env
	$(PYTHON) tools/lint_workflow.py

.PHONY: check-config
check-config: env
	$(PYTHON) -m l2audit check

.PHONY: format
format: env ## Format the code and the workflow, and mend what lint can mend
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .
	$(BIN)/snakefmt workflow

# No address may reach the lock: whoever installs brings their own index. Every platform, from the lowest Python on.
LOCK_OPTIONS := --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --group dev \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
.PHONY: lock
lock: env ## Resolve pyproject.toml into requirements.lock (newest versions: make lock UPGRADE=1)
	UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile --quiet $(LOCK_OPTIONS) $(if $(UPGRADE),--upgrade) \
		--output-file requirements.lock pyproject.toml

.PHONY: clean
clean: ## Remove results and generated pages (keeps downloads, the environment and report/published)
	rm -rf results/*/ results/*.json data/prepared data/logs
	rm -f report/*.html
