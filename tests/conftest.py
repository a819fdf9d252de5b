"""Fixtures live in tests/fixtures, one module for each thing they stand for."""

pytest_plugins = ["tests.fixtures.servers", "tests.fixtures.processes", "tests.fixtures.proxy"]
