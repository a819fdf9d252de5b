"""The read side for the tests of this directory."""

import pytest

for name in (
    "fixtures.read_side",
    *(f"property.{kit}" for kit in ("selling", "course", "projecting", "faults", "stores", "whole_sale")),
):
    pytest.register_assert_rewrite(f"tests.{name}")

from tests.fixtures.read_side import read_side  # noqa: E402 - after the lines above, or its asserts stay dumb

__all__ = ["read_side"]
