# Two commands are all a user needs, `make run` and `make test`: each does its own set-up first.
# Paths are relative throughout, so that a folder with spaces in its name is fine.

.PHONY: help run setup test lint format docs bench soak
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: ## Serve the studio; flags go into ARGS, such as make run ARGS="--port 8000"
	@sh scripts/run $(ARGS)

test: ## Run the tests; pytest's flags go into ARGS, such as make test ARGS="-k canny"
	@sh scripts/test $(ARGS)

setup: ## Make .venv with what running needs, and stop there
	@sh scripts/setup

lint: ## Check style, format, types and generated docs
	@sh scripts/lint

format: ## Bring every file into the one format
	@sh scripts/format

docs: ## Write the docs that are made from the tables
	@sh scripts/setup && .venv/bin/python -m scripts.docs

bench: ## Measure speed beside diffusers' own pipelines
	@sh scripts/setup && .venv/bin/python -m benchmarks $(ARGS)

soak: ## Kill it, crowd it and feed it bad files for an hour; a part: make soak ARGS="fuzz --minutes 1"
	@sh scripts/setup dev && .venv/bin/python -m scripts.soak $(ARGS)
