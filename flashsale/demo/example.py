"""The sale of a demo: the shipped example, changed to its needs."""

from __future__ import annotations

from importlib.resources import files

import msgspec

from flashsale.definition import SaleDefinition
from flashsale.definition_file import parse_definition
from flashsale.errors import RefusedByState
from flashsale.projections import catalog
from flashsale.projections.database import connect


def define_example(postgres_url: str, *, units: int, hold_ms: int, opens_ms: int = 0) -> SaleDefinition:
    """The example with so many units, under the first free sale id. `opens_ms` 0: somebody opens it."""
    text = (files("flashsale") / "examples" / "mega-drop.toml").read_bytes()
    example = parse_definition(text, "mega-drop.toml")
    item = msgspec.structs.replace(example.items[0], quantity=units)
    with connect(postgres_url) as connection:
        for number in range(1, 10_000):
            sale = example.sale if number == 1 else f"{example.sale}-{number}"
            definition = msgspec.structs.replace(
                example, sale=sale, items=(item,), hold_ms=hold_ms, opens_ms=opens_ms, closes_ms=0
            )
            try:
                catalog.define(connection, definition)
            except RefusedByState:
                continue  # kept from an earlier run
            return definition
    raise RefusedByState("10,000 demo sales are kept here: choose another --data-dir")
