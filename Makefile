# Commands of the template. "make" alone lists them.
PYTHON ?= python3
PYTEST ?= -n 2 --dist worksteal

.PHONY: help demo gallery test properties updates fire bench release clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/ready ## bake a service, build it, run it, show its answers
	@.venv/bin/python -m tools.demo

gallery: .venv/ready ## bake each choice, ask a service, and write docs/gallery.md of what was seen
	@.venv/bin/python -m tools.gallery

test: .venv/ready ## run every test; what needs Docker is skipped where there is none
	@.venv/bin/python -m pytest $(PYTEST)

properties: .venv/ready ## try 100,000 made-up sets of answers: forty minutes
	@EXAMPLES=100000 .venv/bin/python -m pytest $(PYTEST) tests/test_properties.py

updates: .venv/ready ## try every edit of a team with every change of the template: a quarter of an hour
	@UPDATES=all .venv/bin/python -m pytest $(PYTEST) tests/test_updates.py

fire: .venv/ready ## restart behind HAProxy 50 times, ask the API 2,000 times an operation
	@RESTARTS=50 API_EXAMPLES=2000 .venv/bin/python -m pytest $(PYTEST) tests/test_restarts.py tests/test_openapi.py tests/test_fire.py

bench: .venv/ready ## measure the figures of docs/benchmarks.md and write them there
	@.venv/bin/python -m benchmarks

release: .venv/ready ## check everything, write the VERSION given down, commit and tag it
	@.venv/bin/python -m tools.release $(VERSION)

clean: ## remove the environment
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache

.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("Python 3.10 or later is needed, this is " + sys.version)'
	@$(PYTHON) -c 'import ensurepip' || { echo "Python lacks venv: install it (Debian: apt install python3-venv)"; exit 1; }
	@echo "Making .venv, with the Go toolchain in it: once, up to a minute"
	@$(PYTHON) -m venv --clear .venv
	@.venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	@.venv/bin/python -m pip install --quiet --group dev
	@touch $@
