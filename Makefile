# Commands of the template. "make" alone lists them.
PYTHON ?= python3
PYTEST ?= -n 2 --dist worksteal

.PHONY: help demo test test-long docs modules bench release tag clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/ready ## bake a service, build it, run it, show its answers
	@.venv/bin/python -m tools.demo

test: .venv/ready ## run the quick tests
	@.venv/bin/python -m pytest $(PYTEST) -m "not long"

test-long: .venv/ready ## run the tests that take longer: images, load, every update, other versions
	@.venv/bin/python -m pytest $(PYTEST) -m long

docs: .venv/ready ## write docs/gallery.md and docs/prompt.svg again
	@.venv/bin/python -m tools.gallery
	@.venv/bin/python -m tools.picture

modules: .venv/ready ## write templates/modules again, after a change of a version there
	@.venv/bin/python -m tools.modules

bench: .venv/ready ## measure the figures of docs/benchmarks.md and write them there
	@.venv/bin/python -m benchmarks

release: ## check the last commit and write VERSION down
	@$(PYTHON) -m tools.release write "$${VERSION:?Type: make release VERSION=1.2.3}"

tag: ## tag the releases of the default branch
	@$(PYTHON) -m tools.release tag $(BRANCH)

clean: ## remove the environment
	rm -rf .venv .venv-fleet .pytest_cache .mypy_cache .ruff_cache

.venv/ready: GROUP = dev
.venv/ready: NOTE = , with a Go toolchain: up to a minute, once
.venv-fleet/ready: GROUP = fleet # for tools/fleet

.venv/ready .venv-fleet/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("Python 3.10 or later is needed. This is " + sys.version)'
	@$(PYTHON) -c 'import ensurepip' || { echo "Python lacks venv. On Debian type: apt install python3-venv"; exit 1; }
	@echo "Creating $(@D)$(NOTE)"
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(@D)/bin/python -m pip install --quiet --group $(GROUP)
	@touch $@
