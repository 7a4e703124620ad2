# Each target makes the environment it needs: Python 3.11 or newer is all that must be there.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# The development environment contains the demo's.
RUNTIME := $(if $(wildcard $(VENV)/dev.stamp),$(VENV)/dev.stamp,$(VENV)/demo.stamp)

# Processes beside each other, as most tests wait for a broker: a file's tests stay in one, see tests/rig/sharing.py.
SHARED := --dist loadgroup --no-loadscope-reorder --max-worker-restart 0

# What is compiled is kept, whatever the machine says: tests start the service hundreds of times.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test scenarios helm minio check schemas licences bench bench-docs chaos chaos-full fuzz lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## Run the whole service on this machine: broker, provider, 600 uploads, verdicts (ARGS="--events 100 --keep")
	@$(BIN)/moderation-consumer demo $(ARGS)

test: $(VENV)/dev.stamp ## Run the tests, with a real Kafka where Java 17 and Maven are, the chart's where helm is (ARGS="-k pace")
	@$(BIN)/python -m pytest -n 3 $(SHARED) -m "not scenario" $(ARGS)

scenarios: $(VENV)/dev.stamp ## Run the whole service with faults, on a real Kafka (up to 20 minutes)
	@$(BIN)/python -m pytest -n 2 $(SHARED) -m scenario $(ARGS)

helm: $(BIN)/python ## Build the helm that tests the chart, with any Go (two minutes, once)
	@$(BIN)/python -m tests.rig.go_tools helm

minio: $(BIN)/python ## Build the MinIO that scenarios fetch images from, with any Go (three minutes, once)
	@$(BIN)/python -m tests.rig.go_tools minio

check: $(VENV)/dev.stamp ## Lint, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: $(VENV)/bench.stamp ## CPU per event of the service, beside a bare loop and what others would write, on a real Kafka (needs Java 17 and Maven; ARGS="--quick")
	@$(BIN)/python -m bench $(ARGS)

bench-docs: $(VENV)/bench.stamp ## Draw the curves of docs/performance.md into docs/curves/ (an hour)
	@$(BIN)/python -m bench.curves $(ARGS)

chaos: $(VENV)/chaos.stamp ## Kill, restart, freeze and starve the service on a real Kafka, short (15 minutes; ARGS="--only kill --seed 7")
	@$(BIN)/python -m bench.chaos $(ARGS)

chaos-full: $(VENV)/chaos.stamp ## The same, long (75 minutes)
	@$(BIN)/python -m bench.chaos --full $(ARGS)

fuzz: $(VENV)/dev.stamp ## 200,000 made-up records and 20,000 answers through a real Kafka (30 minutes; ARGS="--records 2000 --seed 7")
	@$(BIN)/python -m bench.fuzz $(ARGS)

schemas: $(RUNTIME) ## Renew config/schemas/ from the code
	@$(BIN)/moderation-consumer schema --write config/schemas

licences: $(VENV)/dev.stamp ## Renew docs/licences.md from the packages that are installed
	@$(BIN)/python -m tests.docs.licences

lock: $(VENV)/dev.stamp ## Renew locks/ from pyproject.toml
	@$(PIP) install --require-hashes -r locks/lock.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --upgrade \
		--extra demo --group dev pyproject.toml -o locks/dev.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--extra demo -c locks/dev.txt pyproject.toml -o locks/demo.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		-c locks/dev.txt pyproject.toml -o locks/run.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		-c locks/dev.txt --group chaos -o locks/chaos.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		-c locks/dev.txt --group bench -o locks/bench.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--group build -c locks/dev.txt -o locks/build.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --upgrade \
		--group lock -o locks/lock.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--extra otel -c locks/dev.txt pyproject.toml -o locks/otel.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--extra stores -c locks/dev.txt pyproject.toml -o locks/stores.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--extra images -c locks/dev.txt pyproject.toml -o locks/images.txt

clean: ## Remove the environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "moderation-consumer needs Python 3.11 or newer; none was found. Name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "No virtual environment could be made with $(PYTHON). On Debian and Ubuntu: apt install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/demo.stamp: locks/demo.txt locks/build.txt pyproject.toml | $(BIN)/python
	@echo "Installing the service and what the demo needs into $(VENV) (once) …"
	@$(PIP) install --require-hashes -r locks/demo.txt -r locks/build.txt
	@$(PIP) install --no-index --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: locks/dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing the service and its development tools into $(VENV) (once) …"
	@$(PIP) install --require-hashes -r locks/dev.txt
	@$(PIP) install --no-index --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/bench.stamp: locks/bench.txt $(VENV)/dev.stamp
	@echo "Installing what the benches compare with into $(VENV) (once) …"
	@$(PIP) install --require-hashes -r locks/bench.txt
	@touch $@

# Beside the development tools, and only for this: what the service is compared with.
$(VENV)/chaos.stamp: locks/chaos.txt $(VENV)/dev.stamp
	@echo "Installing what the chaos runs compare with into $(VENV) (once) …"
	@$(PIP) install --require-hashes -r locks/chaos.txt
	@touch $@
