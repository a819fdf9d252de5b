"""A definition checks itself, whoever makes it."""

from __future__ import annotations

from typing import Any

import pytest

from flashsale.definition import SaleDefinition, SaleItem
from flashsale.errors import BadInput


def item(**changes: Any) -> SaleItem:
    values = {"sku": "phone", "title": "Phone", "quantity": 10, "unit_price_minor": 79_900, "limit": 2}
    return SaleItem(**{**values, **changes})


def definition(**changes: Any) -> SaleDefinition:
    values = {"sale": "drop", "title": "Drop", "currency": "EUR", "hold_ms": 60_000, "items": (item(),)}
    return SaleDefinition(**{**values, **changes})


def test_the_load_that_warms_it() -> None:
    load = definition(items=(item(), item(sku="case", limit=0)), opens_ms=5, closes_ms=9).load()

    assert load.arguments() == (5, 9, 60_000, "phone", 10, 2, "case", 10, 0)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("sale", {"sale": "Drop"}),
        ("title", {"title": "a\x00b"}),
        ("title", {"title": None}),
        ("currency", {"currency": "EU€"}),
        ("hold", {"hold_ms": 999}),
        ("closes", {"opens_ms": 5, "closes_ms": 5}),
        ("opens", {"opens_ms": -1}),
        ("items", {"items": ()}),
        ("items", {"items": tuple(item(sku=f"sku-{i}") for i in range(1001))}),
        ("sku", {"items": (item(), item())}),
    ],
)
def test_a_bad_definition_names_the_field(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as caught:
        definition(**changes)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("sku", {"sku": "a b"}),
        ("title", {"title": ""}),
        ("quantity", {"quantity": 0}),
        ("quantity", {"quantity": 1_000_000_001}),
        ("quantity", {"quantity": True}),
        ("unit_price_minor", {"unit_price_minor": 10.0}),
        ("unit_price_minor", {"unit_price_minor": 1_000_000_000_001}),
        ("limit", {"limit": -1}),
    ],
)
def test_a_bad_item_names_the_field(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as caught:
        item(**changes)
    assert caught.value.field == field
