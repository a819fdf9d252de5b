"""The composition of a gateway: from settings to a server that answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from flashsale.address import Address
from flashsale.bootstrap import Parts
from flashsale.client import AsyncClient, Fences
from flashsale.client.aio_reads import AsyncReads
from flashsale.gateway.app import Handler, application
from flashsale.gateway.archive import Archive
from flashsale.gateway.callers import Callers
from flashsale.gateway.catalogue import Catalogue, CatalogueReader
from flashsale.gateway.doorman import Doorman
from flashsale.gateway.engine import Engine
from flashsale.gateway.feed import Feeds
from flashsale.gateway.health import Health
from flashsale.gateway.meter import Meter
from flashsale.gateway.orders import Orders
from flashsale.gateway.passes import Passes
from flashsale.gateway.pauses import pause_rarely
from flashsale.gateway.queues import Queues
from flashsale.gateway.rooms import Rooms
from flashsale.gateway.sale_state import SaleStates
from flashsale.gateway.sales import Sales
from flashsale.gateway.server import Server, listen
from flashsale.gateway.storefront.options import StorefrontOptions
from flashsale.gateway.storefront.storefront import Storefront
from flashsale.gateway.storefront.stories import Stories
from flashsale.gateway.throttle import Throttle
from flashsale.metrics.names import Sample
from flashsale.projections.reads import OrderRow
from flashsale.projections.reads import order as projected_order


class Options(msgspec.Struct, frozen=True):
    """What one gateway is told beside the settings."""

    #: its name in the log
    name: str
    address: Address
    connections_max: int
    feeds_max: int
    #: new orders of one buyer at once; 0: as many as they like
    buyer_orders_max: int
    #: answers Prometheus with the samples
    serve_metrics: Callable[[Callable[[], Iterable[Sample]]], AbstractContextManager[object]]
    demo_auth: bool = False
    #: None: no pages, the API only
    storefront: StorefrontOptions | None = None
    #: units of a SKU that anybody is told of; None: all
    available_max: int | None = None


def run(parts: Parts, options: Options) -> int:
    """Serve until told to stop; returns the exit code. Raises `BadInput` for settings that let nobody in."""
    callers = Callers.configured(parts.settings, demo=options.demo_auth)
    passes = Passes(parts.settings.gateway_secrets)
    # asyncio's own loop, not uvloop: there, a write to a connection that has just ended raises RuntimeError, which
    # redis-py does not take for a lost connection.
    with listen(options.address) as listener, asyncio.Runner() as runner:
        redis_url, _ = parts.urls()
        fences, meter = Fences(), Meter()
        catalogue = CatalogueReader(parts.postgres)
        sales = Sales(_gated(parts, catalogue), fences)

        async def serve() -> int:
            client = AsyncClient(
                redis_url, by=options.name, fences=fences, on_call=meter.batch, **parts.promise
            )
            reads = AsyncReads(redis_url, fences, **parts.promise)
            rooms, archive = Rooms(), Archive(_from_postgres(parts))
            states = SaleStates(sales, reads, rooms, available_max=options.available_max)
            feeds = Feeds(
                callers, sales, states, options.feeds_max, check=partial(_check_let_in, rooms, passes)
            )
            engine = Engine(client, reads, archive, meter)
            throttle = Throttle(options.buyer_orders_max)
            orders = Orders(callers, sales, engine, throttle, rooms=rooms, passes=passes)
            queues = Queues(callers, sales, client, rooms, passes)

            def pages(operations: Mapping[str, Handler]) -> Sequence[Route]:
                shown = options.storefront
                stories = Stories(reads, sales, archive)
                return Storefront(callers, sales, stories, operations, shown).routes() if shown else ()

            health = Health(sales, states)
            app = application(orders, queues, states, feeds, health, meter=meter, pages=pages)
            doorman = Doorman(client, sales, rooms)
            server = Server(app, options.connections_max)

            def samples() -> Iterable[Sample]:
                return chain(meter.samples(), _present(server, client, states, feeds, doorman))

            try:
                with options.serve_metrics(samples):
                    return await server.run_beside(
                        listener,
                        sales.keep_read(),
                        states.keep_looking(),
                        feeds.keep_telling(),
                        doorman.keep_calling(),
                    )
            finally:
                await client.close()
                await reads.close()
                catalogue.close()

        pause_rarely()
        return runner.run(serve())


def _check_let_in(rooms: Rooms, passes: Passes, request: Request, sale: str, buyer: str) -> None:
    """Raises `Problem` for whoever waits in a line: feeds are few, and for those who shop."""
    if rooms.demand_pass(sale):
        passes.check(request, sale, buyer)


def _present(
    server: Server, client: AsyncClient, states: SaleStates, feeds: Feeds, doorman: Doorman
) -> Iterable[Sample]:
    """What there is now; asked from a thread."""
    yield Sample("flashsale_gateway_connections", len(server.server_state.connections))
    yield Sample("flashsale_gateway_waiting_requests", client.waiting)
    yield Sample("flashsale_gateway_feed_clients", feeds.count)
    yield Sample("flashsale_gateway_called_people_total", doorman.called)
    if (age_s := states.age_s) is not None:
        yield Sample("flashsale_gateway_page_age_seconds", age_s)


def _from_postgres(parts: Parts) -> Callable[[str, str], OrderRow | None]:
    """Reads one order, on a connection of its own."""

    def read(sale: str, order_id: str) -> OrderRow | None:
        with parts.postgres() as connection:
            return projected_order(connection, sale, order_id)

    return read


def _gated(parts: Parts, catalogue: CatalogueReader) -> Callable[[], Catalogue]:
    """Reads the catalogue, on servers that are fit for it."""
    newest: list[Catalogue] = []

    def read() -> None:
        newest[:] = [catalogue.read()]

    step = parts.gated(read)

    def gated() -> Catalogue:
        step()
        return newest[0]

    return gated
