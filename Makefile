# `make` alone lists what there is. PYTHON=python3.12 names an interpreter; ARGS=… is handed to pytest, the demo or the benchmarks.
.DEFAULT_GOAL := help
.PHONY: help install demo demo-all up screenshots test check races fuzz images smoke bench instructions lock clean

PY := .venv/bin/python

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: install ## one pass of everything on this machine: Kafka, S3, Prefect, an Arize stand-in, real events
	@$(PY) -m deployments.local.demo $(ARGS)

demo-all: install ## the same with all 336,776 departures, a backfill and a replay: some minutes
	@$(PY) -m deployments.local.demo --all $(ARGS)

up: install ## the same, left running, to be looked at and played with
	@$(PY) -m deployments.local.up $(ARGS)

screenshots: install ## pictures of the pages of Prefect that people see, after a small pass; needs a Chromium
	@deployments/venv.sh add deployments/local/screenshots.lock
	@$(PY) -m deployments.local.screenshots $(ARGS)

# Three at a time, for most of them wait; a file stays whole, for its tests share what they start.
test: check ## check, then the tests: unit, contract, end to end
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: install ## lint, format, types, and which module may import which
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@.venv/bin/lint-imports --no-logo

races: install ## the long proofs: kills, races, leader changes
	@$(PY) -m pytest tests -m long -o faulthandler_timeout=3600 $(ARGS)

fuzz: install ## hostile windows, guided by coverage: SECONDS=60, or ARGS=<a file that was found>
	@deployments/venv.sh add tests/fuzz/requirements.lock
	@$(PY) -m tests.fuzz --seconds $(or $(SECONDS),60) $(ARGS)

images: install ## the image's recipe and the job templates, by hadolint, Prefect's workers and Kubernetes' schemas
	@deployments/venv.sh add tests/images/requirements.lock
	@$(PY) -m pytest tests/images/check_*.py $(ARGS)

smoke: ## ten rows to the real Arize, if ARIZE_API_KEY and ARIZE_SPACE_ID are set
	@if [ -n "$$ARIZE_API_KEY" ] && [ -n "$$ARIZE_SPACE_ID" ]; then \
		deployments/venv.sh install && $(PY) -m tests.smoke; \
	else \
		echo "not run: ARIZE_API_KEY and ARIZE_SPACE_ID are not set"; \
	fi

bench: install ## speed beside others, on a real broker: minutes to an hour; ARGS=--help
	@$(PY) -m benchmarks $(ARGS)

instructions: install ## the instructions of a window's pure kernel beside those kept, under valgrind: two minutes
	@$(PY) -m benchmarks.instructions $(ARGS)

install: ## .venv as requirements.lock says (the others do this first)
	@deployments/venv.sh install

lock: ## requirements.lock anew; UPGRADE=--upgrade takes the newest versions that pyproject.toml allows
	@deployments/venv.sh lock $(UPGRADE)

clean: ## remove what was made here, .venv included
	rm -rf .venv .venv.lock benchmarks/.venv benchmarks/results .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .fuzz .screenshots build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
