"""Packed arrays arrive in Postgres as psycopg's own lists do; what does not fit is left to psycopg."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashsale.projections import arrays
from flashsale.projections.database import Connection, connect


@pytest.fixture(scope="module")
def connection(postgres_url: str) -> Iterator[Connection]:
    """A session of the server's own database: nothing is stored."""
    with connect(postgres_url) as connection:
        yield connection


PACKS = {
    "int2": (arrays.int2, st.integers(-(2**15), 2**15 - 1)),
    "int4": (arrays.int4, st.integers(-(2**31), 2**31 - 1)),
    "int8": (arrays.int8, st.integers(-(2**63), 2**63 - 1)),
    "text": (arrays.text, st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))),
    "bytea": (arrays.bytea, st.binary()),
}


@pytest.mark.parametrize("kind", PACKS)
def test_values_and_nulls_arrive_as_they_were(connection: Connection, kind: str) -> None:
    pack, values = PACKS[kind]

    @settings(max_examples=60, deadline=None)
    @given(st.lists(values | st.none(), min_size=1, max_size=20))
    def arrive(given_values: list[Any]) -> None:
        packed = pack(given_values)
        assert isinstance(packed, arrays.Packed)
        statement = f"SELECT %(values)b::{kind}[]".encode()
        row = connection.execute(statement, {"values": packed}).fetchone()
        assert row is not None
        found = [bytes(value) if isinstance(value, memoryview) else value for value in row[0]]
        assert found == given_values

    arrive()


@pytest.mark.parametrize(
    ("kind", "value"),
    [("int2", 2**15), ("int4", 2**31), ("int8", 2**63), ("int4", "1"), ("text", "a\0b"), ("text", "\ud800")],
)
def test_what_does_not_fit_is_left_as_it_is(kind: str, value: object) -> None:
    pack, _ = PACKS[kind]
    for values in ([value], [None, value]):
        assert pack(values) is values
