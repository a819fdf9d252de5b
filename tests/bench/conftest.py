"""The read side for the tests of this directory."""

from tests.fixtures.read_side import read_side

__all__ = ["read_side"]
