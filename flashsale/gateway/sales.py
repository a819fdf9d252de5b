"""The sales there are, as Postgres defines them; read again and again, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from flashsale import ids
from flashsale.beside import beside
from flashsale.client import Fences
from flashsale.definition import SaleDefinition
from flashsale.errors import BadInput, FlashsaleError, Unreachable
from flashsale.gateway import problems
from flashsale.gateway.catalogue import Catalogue
from flashsale.gateway.outage import Outage
from flashsale.gateway.problems import Problem
from flashsale.ids import START, Position
from flashsale.stream import ShardId

log = structlog.get_logger(__name__)

#: How late a gateway may learn of a sale that was defined, or of other limits.
READ_EVERY_S = 2.0


class Sales:
    """Keeps the newest catalogue, and raises the fences to it.

    Nothing is sold before the first one: a fence that nobody knows keeps nothing out. `read` is called in a thread; a
    Postgres that is silent later keeps nobody from selling what is known.
    """

    def __init__(self, read: Callable[[], Catalogue], fences: Fences) -> None:
        self._read, self._fences = read, fences
        self._known: Catalogue | None = None

    @property
    def are_known(self) -> bool:
        return self._known is not None

    def find(self, sale: str) -> SaleDefinition:
        """A sale's definition. Raises `Problem`."""
        if self._known is None:
            raise Problem(problems.UNAVAILABLE, "this gateway has only begun, and waits for its servers")
        definition = self._known.definitions.get(sale)
        if definition is None:
            raise Problem(problems.UNKNOWN_SALE, _no_sale(sale))
        return definition

    def selling(self, sale: str) -> SaleDefinition:
        """The same, of a sale whose orders Redis has. Raises `Problem`."""
        definition = self.find(sale)
        if self.is_archived(sale):
            raise Problem(problems.CLOSED, "the sale is archived: its orders are final, and can only be read")
        return definition

    def is_archived(self, sale: str) -> bool:
        return self._known is not None and sale in self._known.archived

    def all(self) -> Iterable[SaleDefinition]:
        return self._known.definitions.values() if self._known else ()

    def reached(self, shard: ShardId) -> Position:
        """How far a shard's log is known to have come, by Postgres and by the answers of Redis."""
        return self._fences.of(shard.sale, shard.shard)

    def recorded(self, shard: ShardId) -> Position:
        """How far Postgres had a shard's log when it was asked last."""
        fence = self._known.logs.get(shard) if self._known else None
        return fence.position if fence else START

    async def keep_read(self) -> None:
        """Read the catalogue for ever. Raises what the first `read` raises, unless a server is only away.

        Later nothing stops it: a schema that was migrated in the middle of a sale must not end the sale.
        """
        outage = Outage("postgres")
        while True:
            try:
                self._take(await asyncio.wrap_future(beside(self._read, "gateway-sales")))
                outage.over()
            except FlashsaleError as error:
                if self._known is None and not isinstance(error, Unreachable):
                    raise
                outage.met(error)
            await asyncio.sleep(READ_EVERY_S)

    def _take(self, catalogue: Catalogue) -> None:
        for shard, fence in catalogue.logs.items():
            self._fences.saw(*shard, *fence)
        if self._known is None:
            log.info("ready", action="gateway_ready", sales=len(catalogue.definitions))
        self._known = catalogue


def _no_sale(sale: str) -> str:
    try:
        return f"sale {ids.sale_id(sale)} is not defined here"
    except BadInput as error:
        return str(error)
