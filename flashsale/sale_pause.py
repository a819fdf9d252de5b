"""Who paused a sale: what whoever thinks of resuming it wants to know first."""

from __future__ import annotations

from typing import Any

import msgspec

from flashsale import history, words
from flashsale.events.types import SalePaused
from flashsale.shop import Shop
from flashsale.stream import ShardId

_PAUSED = str(SalePaused.__struct_config__.tag)


class Paused(msgspec.Struct, frozen=True):
    """Who paused a sale, when by Redis's clock, and why if they said so."""

    by: str
    at_ms: int
    why: str

    def __str__(self) -> str:
        """For people."""
        told = f"paused by {self.by} at {words.when(self.at_ms)}"
        return f"{told}: {self.why}" if self.why else told

    def record(self) -> dict[str, Any]:
        """For programs."""
        return {"by": self.by, "at": words.iso(self.at_ms), "why": self.why}


def of(shop: Shop, sale: str) -> Paused | None:
    """The newest pause of a sale, whether or not it still lasts; None: no event that can be read tells of one."""
    found = history.latest(shop.log, shop.connection, ShardId(sale, 0), _PAUSED)
    if found is None or found.event is None:
        return None
    return Paused(found.event.by, found.event.at_ms, found.why)
