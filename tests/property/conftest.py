"""The read side for the tests of this directory."""

import pytest

pytest.register_assert_rewrite("tests.fixtures.read_side")

from tests.fixtures.read_side import read_side  # noqa: E402 - after the line above, or its asserts stay dumb

__all__ = ["read_side"]
