"""What is to be sold: a sale's definition, as a file describes it and Postgres keeps it."""

from __future__ import annotations

import re

import msgspec

from flashsale import ids
from flashsale.commands.sale import SKUS_MAX, Item, Load, check_hold, check_limit, check_window
from flashsale.errors import BadInput

TITLE_LENGTH_MAX = 200
#: Ten billion in minor units: above any flash-sale price, below every integer limit.
PRICE_MINOR_MAX = 1_000_000_000_000

_CURRENCY = re.compile(r"[A-Z]{3}")


class SaleItem(msgspec.Struct, frozen=True, kw_only=True):
    """One SKU of a sale."""

    sku: str
    title: str
    #: units to begin with
    quantity: int
    #: in the currency's smallest unit: cents, pence, yen
    unit_price_minor: int
    #: units one buyer may hold or own; 0: no limit
    limit: int = 0

    def __post_init__(self) -> None:
        ids.sku(self.sku)
        check_title(self.title)
        ids.quantity(self.quantity, maximum=ids.CAPACITY_MAX)
        price = self.unit_price_minor
        if type(price) is not int or not 0 <= price <= PRICE_MINOR_MAX:
            raise BadInput("unit_price_minor", price, f"use a whole number from 0 to {PRICE_MINOR_MAX}")
        check_limit(self.limit)


class SaleDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A whole sale. Making one checks every field; a bad one raises `BadInput`."""

    sale: str
    title: str
    #: ISO 4217
    currency: str
    items: tuple[SaleItem, ...]
    #: how long an unpaid order keeps its units
    hold_ms: int
    #: when it opens by itself; 0: a person opens it
    opens_ms: int = 0
    #: when it closes by itself; 0: a person closes it
    closes_ms: int = 0
    shards: int = 1

    def __post_init__(self) -> None:
        ids.sale_id(self.sale)
        check_title(self.title)
        if type(self.currency) is not str or _CURRENCY.fullmatch(self.currency) is None:
            raise BadInput("currency", self.currency, "use three capital letters, like EUR")
        check_hold(self.hold_ms, "hold")
        check_window(self.opens_ms, self.closes_ms)
        if not 1 <= len(self.items) <= SKUS_MAX:
            raise BadInput("items", f"{len(self.items)} items", f"a sale has 1 to {SKUS_MAX} SKUs")
        seen: set[str] = set()
        for item in self.items:
            if item.sku in seen:
                raise BadInput("sku", item.sku, "each SKU stands once in a sale")
            seen.add(item.sku)

    def load(self) -> Load:
        """The command that warms this sale."""
        items = tuple(Item(item.sku, item.quantity, item.limit) for item in self.items)
        return Load(items, hold_ms=self.hold_ms, opens_ms=self.opens_ms, closes_ms=self.closes_ms)


def check_title(value: object) -> str:
    """Text for people: one line, nothing invisible that could steer a terminal."""
    if type(value) is not str or not 1 <= len(value) <= TITLE_LENGTH_MAX or not value.isprintable():
        raise BadInput("title", value, f"use one line of 1 to {TITLE_LENGTH_MAX} printable characters")
    return value
