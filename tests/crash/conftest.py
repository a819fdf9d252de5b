"""Asserts of the kits tell what they saw."""

import pytest

pytest.register_assert_rewrite("tests.lua.kit", "tests.fixtures.read_side")
