"""A whole shop for one run: a sale, a gateway, a projector, on servers that are private or given."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from flashsale.bench.http_servers import page_of, start_gateway
from flashsale.bench.logs import logged_sale
from flashsale.bench.place import SKU, Place
from flashsale.client import Client
from flashsale.demo.processes import Daemons
from flashsale.gateway.tokens import Tokens
from flashsale.loadtest.target import Target
from flashsale.projections.database import Connection
from flashsale.stream import Log, ShardId


class Shop(NamedTuple):
    """Whom the crowd asks, and where it can be looked up what was done."""

    target: Target
    shard: ShardId
    client: Client
    log: Log
    connection: Connection
    #: of a database that is this run's alone; empty: it is somebody's
    private_postgres_url: str = ""


@contextmanager
def private_shop(place: Place, units: int) -> Iterator[Shop]:
    """An open sale of so many units, two for each buyer at most. All of it is gone afterwards."""
    with logged_sale(place, units) as sale, Daemons(place.urls, place.folder) as daemons:
        secret = secrets.token_urlsafe(48)
        daemons.start("projector", "loadtest-projector")
        gateway = start_gateway(daemons, place.folder, secret, "loadtest-gateway")
        asyncio.run(page_of(gateway, sale.shard.sale))
        target = Target.at(f"http://{gateway.address}", sale.shard.sale, SKU, Tokens([secret]))
        yield Shop(target, sale.shard, sale.client, sale.log, sale.connection, place.urls.postgres_url)
