"""What decides about orders, and what knows them: Redis, and Postgres for sales that are over."""

from __future__ import annotations

import asyncio
import logging

import structlog

from flashsale.client import AsyncClient
from flashsale.client.aio_reads import Archived, AsyncReads
from flashsale.commands import Answer, OrderRequest
from flashsale.errors import UnknownOutcome
from flashsale.events import Order
from flashsale.gateway.archive import Archive
from flashsale.gateway.meter import Meter
from flashsale.projections.reads import OrderRow

log = structlog.get_logger(__name__)

#: Beside the codes of the engine, in lower case: it was decided before, and whether it is decided is not known.
REPEATED, UNKNOWN = "repeated", "unknown"


class Engine:
    def __init__(self, client: AsyncClient, reads: AsyncReads, archive: Archive, meter: Meter) -> None:
        self._client, self._reads, self._archive, self._meter = client, reads, archive, meter

    async def decide(self, sale: str, request: OrderRequest) -> Answer:
        """What Redis answers. Raises what `AsyncClient` raises."""
        try:
            answer = await self._client.submit(sale, request)
        except (UnknownOutcome, asyncio.CancelledError):
            self._tell(sale, request, UNKNOWN)
            raise
        self._tell(sale, request, REPEATED if answer.repeated else answer.code.lower())
        return answer

    async def order(self, sale: str, order_id: str, *, archived: bool = False) -> Order | OrderRow | None:
        """An order as it is now. `archived`: Redis has nothing of the sale any more."""
        if not archived:
            try:
                return await self._reads.order(sale, order_id)
            except Archived:  # a moment ago
                pass
        return await self._archive.order(sale, order_id)

    def _tell(self, sale: str, request: OrderRequest, answer: str) -> None:
        self._meter.decided(sale, request.SCRIPT, answer)
        if request.trace_id and log.is_enabled_for(logging.DEBUG):
            log.debug(
                "decided",
                action="order_decided", sale=sale, order_id=request.order_id, command=request.SCRIPT, answer=answer,
                trace_id=request.trace_id,
            )  # fmt: skip
