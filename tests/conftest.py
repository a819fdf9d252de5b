"""Fixtures live in tests/fixtures, one module for each thing they stand for."""

import signal

import pytest

# What tests share asserts, too: without this, a failure there would not say what it compared.
for package in ("acceptance", "crash", "fixtures", "integration", "lua", "property"):
    pytest.register_assert_rewrite(f"tests.{package}")

# Whoever starts the tests in the background ignores SIGINT for them, and every process they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "tests.fixtures.servers",
    "tests.fixtures.databases",
    "tests.fixtures.processes",
    "tests.fixtures.proxy",
    "tests.fixtures.workers",
]
