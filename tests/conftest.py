"""Fixtures live in tests/fixtures, one module for each thing they stand for."""

import signal

# Whoever starts the tests in the background ignores SIGINT for them, and every process they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "tests.fixtures.servers",
    "tests.fixtures.processes",
    "tests.fixtures.proxy",
    "tests.fixtures.workers",
]
