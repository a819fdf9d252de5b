"""What a gateway reads of all sales: on one connection, for as long as it is good."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flashsale.definition import SaleDefinition, SaleItem
from flashsale.errors import Unreachable
from flashsale.gateway.catalogue import CatalogueReader
from flashsale.projections import catalog
from flashsale.projections.database import Connection, connect


class Door:
    """Connects, and may be shut."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self.opened = list[Connection]()
        self.is_shut = False

    def __call__(self) -> Connection:
        if self.is_shut:
            raise Unreachable("shut")
        self.opened.append(connect(self._url))
        return self.opened[-1]

    def end_newest(self) -> None:
        """As Postgres ends a connection when it stops."""
        with connect(self._url) as other:
            other.execute("SELECT pg_terminate_backend(%s, 10000)", (self.opened[-1].info.backend_pid,))


@pytest.fixture
def door(database_url: str) -> Door:
    return Door(database_url)


@pytest.fixture
def reader(door: Door) -> Iterator[CatalogueReader]:
    reader = CatalogueReader(door)
    yield reader
    reader.close()
    assert all(connection.closed for connection in door.opened)


def define(database_url: str, sale: str) -> None:
    item = SaleItem(sku="phone", title="Phone", quantity=1, unit_price_minor=1)
    with connect(database_url) as connection:
        catalog.define(
            connection,
            SaleDefinition(sale=sale, title="Drop", currency="EUR", items=(item,), hold_ms=600_000),
        )


def test_one_connection_reads_what_is_new(door: Door, reader: CatalogueReader, database_url: str) -> None:
    assert not reader.read().definitions
    define(database_url, "drop")

    assert set(reader.read().definitions) == {"drop"}
    assert len(door.opened) == 1


def test_a_server_that_was_restarted_meanwhile_is_no_outage(door: Door, reader: CatalogueReader) -> None:
    reader.read()
    door.end_newest()

    reader.read()
    assert len(door.opened) == 2
    assert door.opened[0].closed


def test_a_server_that_is_away_is_told_and_found_again(door: Door, reader: CatalogueReader) -> None:
    reader.read()
    door.end_newest()
    door.is_shut = True
    for _ in range(2):
        with pytest.raises(Unreachable):
            reader.read()

    door.is_shut = False
    reader.read()
