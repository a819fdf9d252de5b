# All that a contributor types. `make` alone lists it. Needs Python 3.11 or newer, make and git; nothing else is assumed
# of the environment, and nothing outside this directory is changed.

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint fmt test-debian test-docker test-roles test-browser pictures test-million fuzz torture \
	crash-full model-deep bench bench-full systemd-test install-test build sbom audit test-release lock clean

BIN := .venv/bin
# Written last: while it is missing or older than the lock, the set-up is not complete and is done again.
READY := .venv/.ready
# What builds no product and tests nothing: kept out of everybody's .venv.
RELEASE := .release/bin
RELEASE_READY := .release/.ready

# Tried in this order, by running each: a name on the PATH may be a shim with no Python behind it.
PYTHONS = $(or $(PYTHON),python3.14 python3.13 python3.12 python3.11 python3)

# More arguments for pytest or the demo: make test-docker ARGS="-k lease", make demo ARGS="--buyers 100000"
ARGS =
# Of test: with ROLES=1, each command that a test runs is the least privileged user of both servers.
ROLES =
# Of fuzz.
TIMES = 50
# Before the tests; empty where another run does it at the same time.
LINT = lint
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

test: setup $(LINT) ## everything: lint, then every test on the bundled Valkey and PostgreSQL
	@$(BIN)/pytest -n auto $(if $(ROLES),--roles) $(ARGS)

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

test-browser: setup ## the storefront and the operator page in Debian's chromium (apt-get install chromium), about a minute
	@$(BIN)/pytest tests/browser $(ARGS)

pictures: setup ## the pictures of docs/pictures anew, by the same browser
	@FLASHSALE_PICTURES=docs/pictures $(BIN)/pytest tests/browser/test_pictures.py tests/browser/test_operator_page.py $(ARGS)

test-million: setup ## a replay of a million events beside a live sale; minutes, so not a part of `test`
	@$(BIN)/pytest tests/bench/test_replay_million.py $(ARGS)

fuzz: setup ## any bytes at every boundary, TIMES (50) as many as in `test`, by another seed each time
	@FLASHSALE_FUZZ=$(TIMES) $(BIN)/pytest -o timeout=0 tests/property/test_fuzz_*.py $(ARGS)

torture: setup ## break everything, at random, and check every promise: SEED=1 MINUTES=3; best as root
	@$(BIN)/python -m tests.torture --seed "$(SEED)" --minutes "$(MINUTES)" $(ARGS)

crash-full: setup ## the log cut at every byte, every command cut at each of its calls, in every way; half an hour
	@FLASHSALE_TEST_EVERY_CASE=1 $(BIN)/pytest -n 4 --dist=load tests/crash $(ARGS)

model-deep: MINUTES = 30
model-deep: setup ## half an hour of random histories with every fault (MINUTES=10: ten); `test` takes under a minute of them
	@FLASHSALE_MODEL_MINUTES=$(MINUTES) $(BIN)/pytest tests/property/test_whole_sale.py -rA $(ARGS)

bench: setup ## how fast, against what people use instead, in under three minutes: private servers
	@$(BIN)/flashsale bench all --quick $(ARGS)

bench-full: setup ## the same with longer rounds, and the cost as the work grows; about 20 minutes
	@$(BIN)/flashsale bench all $(ARGS)

systemd-test: setup ## boot a Debian with systemd in a container, and try the units; root, a few minutes
	@tests/boot/run.sh units

install-test: setup ## type docs/install.md, word by word, into an empty Debian; root, a few minutes
	@tests/boot/run.sh install

build: setup ## the sdist, and the wheel built from that sdist, in dist/: for one commit the same bytes everywhere
	@test -n "$$SOURCE_DATE_EPOCH" || { echo "git does not tell when the last commit was made: see above." >&2; exit 1; }
	@rm -rf dist
	@$(BIN)/python -m hatchling build --directory dist --target sdist >/dev/null
	@$(pip) wheel --no-deps --no-build-isolation --wheel-dir dist dist/flashsale-*.tar.gz
	@if [ -e .git ] && [ -n "$$(git status --porcelain)" ]; then \
		echo "These have changes that are in no commit: not for a release." >&2; fi
	@cd dist && { sha256sum -- * 2>/dev/null || shasum -a 256 -- *; }

sbom: $(RELEASE_READY) ## what a server runs, by requirements-runtime.lock, as a CycloneDX SBOM in dist/
	@mkdir -p dist
	@version=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' flashsale/__init__.py) && \
	sed "s/^dynamic = .*/version = \"$$version\"/" pyproject.toml | \
	$(RELEASE)/python -W ignore::UserWarning -m cyclonedx_py requirements \
		--pyproject /dev/stdin --output-reproducible --output-file "dist/flashsale-$$version.cdx.json" \
		requirements-runtime.lock && \
	echo "dist/flashsale-$$version.cdx.json"

audit: $(RELEASE_READY) ## ask PyPI for known vulnerabilities of everything that the locks name; what cannot be asked fails, too
	@code=0; for lock in requirements.lock requirements-release.lock; do \
		ops/release/audit.sh $(RELEASE)/pip-audit "$$lock" $(ARGS) || code=$$?; done; exit "$$code"

test-release: setup $(RELEASE_READY) ## install what `build` makes as a stranger would, and try it, audit and sbom; PyPI, minutes
	@$(BIN)/pytest -o timeout=0 tests/release $(ARGS)

lock: $(RELEASE_READY) ## write the three locks anew; newest versions with LOCK_FLAGS=--upgrade
	$(compile) pyproject.toml --all-extras --group dev --output-file requirements.lock
	$(compile) pyproject.toml --extra http --extra metrics --constraint requirements.lock --output-file requirements-runtime.lock
	$(compile) --group pyproject.toml:release --output-file requirements-release.lock

clean: ## remove everything that make made
	rm -rf .venv .release dist build .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .schemathesis
	find flashsale tests -name __pycache__ -prune -exec rm -rf {} +

# The time that files have in a build. An unpacked sdist has no commit, but its files have the time of its own build.
build sbom: export SOURCE_DATE_EPOCH ?= $(if $(wildcard .git),$(shell git log -1 --format=%ct),$(shell date -r pyproject.toml +%s))

compile = $(RELEASE)/uv --no-config pip compile --universal --python-version 3.11 --generate-hashes --quiet $(LOCK_FLAGS) \
	--default-index https://pypi.org/simple --custom-compile-command 'make lock'

pip = $(BIN)/python -m pip --quiet --disable-pip-version-check
# Hashes for everything, wheels only: nothing is built here, so nothing that a lock does not name can run.
locked = --quiet --disable-pip-version-check --require-hashes --only-binary=:all: --requirement
install_checkout = $(pip) install --no-deps --no-build-isolation --editable .
# -I: what is installed, not what lies in this directory.
is_this_checkout = $(BIN)/python -I -c 'import flashsale, os, sys; \
	sys.exit(not os.path.samefile(os.path.dirname(flashsale.__file__), "flashsale"))'

$(READY): requirements.lock pyproject.toml
	@set -e; \
	if ! $(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		$(find_python); "$$python" -m venv --clear .venv; \
	fi; \
	echo "Setting up .venv with $$($(BIN)/python --version); the first time this takes a minute." >&2; \
	$(BIN)/python -m pip install $(locked) requirements.lock; \
	$(install_checkout); \
	touch $@

$(RELEASE_READY): requirements-release.lock
	@$(find_python); "$$python" -m venv --clear .release
	@$(RELEASE)/python -m pip install $(locked) requirements-release.lock
	@touch $@

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
