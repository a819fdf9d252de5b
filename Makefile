# All that a contributor types. `make` alone lists it. Needs Python 3.11 or newer, make and git; nothing else is assumed
# of the environment, and nothing outside this directory is changed.

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint fmt test-debian test-docker test-roles test-million fuzz torture crash-full model-deep bench \
	bench-full systemd-test build lock clean

BIN := .venv/bin
# Written last: while it is missing or older than the lock, the set-up is not complete and is done again.
READY := .venv/.ready
UV := .uv/bin/uv

# Tried in this order, by running each: a name on the PATH may be a shim with no Python behind it.
PYTHONS = $(or $(PYTHON),python3.14 python3.13 python3.12 python3.11 python3)

# More arguments for pytest or the demo: make test-docker ARGS="-k lease", make demo ARGS="--buyers 100000"
ARGS =
# Of test: with ROLES=1, each command that a test runs is the least privileged user of both servers.
ROLES =
# Of fuzz.
TIMES = 50
# Of torture; without a seed, a random one that it prints.
SEED =
MINUTES = 3

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv from requirements.lock; again only when that or pyproject.toml changed
	@$(is_this_checkout) 2>/dev/null || { \
		echo "The flashsale in .venv is not this checkout (pip install .?): installing it anew." >&2; $(install_checkout); }

demo: setup ## sell 1,000 units to two million buyers, on private servers, and check the books
	@$(BIN)/flashsale demo $(ARGS)

test: setup lint ## everything: lint, then every test on the bundled Valkey and PostgreSQL
	@$(BIN)/pytest $(if $(ROLES),--roles) $(ARGS)

lint: setup ## ruff, mypy --strict, layers, luacheck
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if command -v luacheck >/dev/null; then echo luacheck lua; luacheck --quiet lua; \
	elif [ "$${CI:-}" = true ]; then echo 'luacheck is missing: apt-get install lua-check' >&2; exit 1; \
	else echo 'luacheck is missing, so lua/ was not linted (apt-get install lua-check)' >&2; fi

fmt: setup ## let ruff format and repair what it can
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

test-debian: setup ## every test on private instances of Debian's own redis-server and postgresql
	@$(BIN)/pytest --servers=debian $(ARGS)

test-docker: setup ## the tests that talk to servers, on a matrix of versions in containers
	@$(BIN)/pytest --servers=docker -m docker $(ARGS)

test-roles: setup ## the acceptance tests, each command in its role; `make test ROLES=1`: every test
	@$(BIN)/pytest --roles tests/acceptance $(ARGS)

test-million: setup ## a replay of a million events beside a live sale; minutes, so not a part of `test`
	@$(BIN)/pytest tests/bench/test_replay_million.py $(ARGS)

fuzz: setup ## any bytes at every boundary, TIMES (50) as many as in `test`, by another seed each time
	@FLASHSALE_FUZZ=$(TIMES) $(BIN)/pytest -o timeout=0 tests/property/test_fuzz_*.py $(ARGS)

torture: setup ## break everything, at random, and check every promise: SEED=1 MINUTES=3; best as root
	@$(BIN)/python -m tests.torture --seed "$(SEED)" --minutes "$(MINUTES)" $(ARGS)

crash-full: setup ## the log cut at every byte, every command cut at each of its calls, in every way; minutes
	@FLASHSALE_TEST_EVERY_CASE=1 $(BIN)/pytest tests/crash $(ARGS)

model-deep: MINUTES = 30
model-deep: setup ## half an hour of random histories with every fault (MINUTES=10: ten); `test` takes under a minute of them
	@FLASHSALE_MODEL_MINUTES=$(MINUTES) $(BIN)/pytest tests/property/test_whole_sale.py -rA $(ARGS)

bench: setup ## how fast, against what people use instead, in under three minutes: private servers
	@$(BIN)/flashsale bench all --quick $(ARGS)

bench-full: setup ## the same with longer rounds, and the cost as the work grows; about 20 minutes
	@$(BIN)/flashsale bench all $(ARGS)

systemd-test: setup ## boot a Debian with systemd in a container, and try the units; root, a few minutes
	@tests/boot/run.sh

build: setup ## the sdist, and the wheel built from that sdist, in dist/
	rm -rf dist
	$(BIN)/hatchling build --directory dist --target sdist
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist dist/flashsale-*.tar.gz
	@ls dist

lock: $(UV) ## write requirements.lock anew; newest versions with LOCK_FLAGS=--upgrade
	$(UV) --no-config pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--generate-hashes --default-index https://pypi.org/simple --custom-compile-command 'make lock' \
		$(LOCK_FLAGS) --quiet --output-file requirements.lock

clean: ## remove everything that make made
	rm -rf .venv .uv dist build .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find flashsale tests -name __pycache__ -prune -exec rm -rf {} +

pip = $(BIN)/python -m pip install --quiet --disable-pip-version-check
install_checkout = $(pip) --no-deps --no-build-isolation --editable .
# -I: what is installed, not what lies in this directory.
is_this_checkout = $(BIN)/python -I -c 'import flashsale, os, sys; \
	sys.exit(not os.path.samefile(os.path.dirname(flashsale.__file__), "flashsale"))'

# Hashes for everything, wheels only: nothing is built here, so nothing that the lock does not name can run.
$(READY): requirements.lock pyproject.toml
	@set -e; \
	if ! $(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		$(find_python); "$$python" -m venv --clear .venv; \
	fi; \
	echo "Setting up .venv with $$($(BIN)/python --version); the first time this takes a minute." >&2; \
	$(pip) --require-hashes --only-binary=:all: --requirement requirements.lock; \
	$(install_checkout); \
	touch $@

# A fixed version, so that everyone's lock looks alike.
$(UV):
	@$(find_python); "$$python" -m venv --clear .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9

# Shell: sets $python and $version, or stops with the remedy.
define find_python
python=; old=; bare=; \
for name in $(PYTHONS); do \
	version=$$("$$name" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue; \
	if ! "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then old="$$old $$name is $$version."; \
	elif ! "$$name" -c 'import ensurepip, venv' 2>/dev/null; then bare=$$name; \
	else python=$$name; break; fi; \
done; \
if [ -z "$$python" ]; then \
	if [ -n "$$bare" ]; then \
		echo "$$bare cannot make virtual environments: its venv module is not installed." >&2; \
		echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	else \
		echo "flashsale needs Python 3.11 or newer, and none was found.$$old" >&2; \
		echo "Install one, or name it: make setup PYTHON=/path/to/python3" >&2; \
	fi; \
	exit 1; \
fi
endef
