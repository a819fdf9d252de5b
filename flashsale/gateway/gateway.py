"""The composition of a gateway: from settings to a server that answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec
from starlette.routing import Route

from flashsale.address import Address
from flashsale.bootstrap import Parts
from flashsale.client import AsyncClient, Fences
from flashsale.client.aio_reads import AsyncReads
from flashsale.gateway.app import Handler, application
from flashsale.gateway.archive import Archive
from flashsale.gateway.callers import Callers
from flashsale.gateway.health import Health
from flashsale.gateway.orders import Orders
from flashsale.gateway.sale_state import SaleStates
from flashsale.gateway.sales import Catalogue, Sales
from flashsale.gateway.server import Server, listen
from flashsale.gateway.storefront.options import StorefrontOptions
from flashsale.gateway.storefront.storefront import Storefront
from flashsale.gateway.storefront.stories import Stories
from flashsale.projections import catalog
from flashsale.projections.reads import OrderRow
from flashsale.projections.reads import order as projected_order


class Options(msgspec.Struct, frozen=True):
    """What one gateway is told beside the settings."""

    #: its name in the log
    name: str
    address: Address
    connections_max: int
    demo_auth: bool = False
    #: None: no pages, the API only
    storefront: StorefrontOptions | None = None


def run(parts: Parts, options: Options) -> int:
    """Serve until told to stop; returns the exit code. Raises `BadInput` for settings that let nobody in."""
    callers = Callers.configured(parts.settings, demo=options.demo_auth)
    # asyncio's own loop, not uvloop: there, a write to a connection that has just ended raises RuntimeError, which
    # redis-py does not take for a lost connection.
    with listen(options.address) as listener, asyncio.Runner() as runner:
        redis_url, _ = parts.urls()
        fences = Fences()
        sales = Sales(_gated(parts), fences)

        async def serve() -> int:
            client = AsyncClient(redis_url, by=options.name, fences=fences, **parts.promise)
            reads = AsyncReads(redis_url, fences, **parts.promise)
            states = SaleStates(sales, reads)
            orders = Orders(callers, sales, client, reads)

            def pages(operations: Mapping[str, Handler]) -> Sequence[Route]:
                shown = options.storefront
                stories = Stories(reads, sales, Archive(_from_postgres(parts)))
                return Storefront(callers, sales, stories, operations, shown).routes() if shown else ()

            app = application(orders, states, Health(sales, states), pages)
            server = Server(app, options.connections_max)
            try:
                return await server.run_beside(listener, sales.keep_read(), states.keep_looking())
            finally:
                await client.close()
                await reads.close()

        return runner.run(serve())


def _from_postgres(parts: Parts) -> Callable[[str, str], OrderRow | None]:
    """Reads one order, on a connection of its own."""

    def read(sale: str, order_id: str) -> OrderRow | None:
        with parts.postgres() as connection:
            return projected_order(connection, sale, order_id)

    return read


def _gated(parts: Parts) -> Callable[[], Catalogue]:
    """Reads the catalogue, on servers that are fit for it."""
    newest: list[Catalogue] = []

    def read() -> None:
        with parts.postgres() as connection:
            definitions = {definition.sale: definition for definition in catalog.every(connection)}
            reached = catalog.fences(connection)
            running = {shard.sale for shard in catalog.fences(connection, running=True)}
        newest[:] = [Catalogue(definitions, reached, frozenset(definitions) - running)]

    step = parts.gated(read)

    def gated() -> Catalogue:
        step()
        return newest[0]

    return gated
