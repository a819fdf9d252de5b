"""The server of a gateway with nothing behind it: what decoding a request and replying cost at the least.

Run as a process: `python -m flashsale.bench.bare_http FILE`; a static reply is the file's bytes.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flashsale import log
from flashsale.address import Address
from flashsale.gateway.messages import PlacedOrder, PlaceOrder
from flashsale.gateway.pauses import pause_rarely
from flashsale.gateway.sale_state import CACHE_CONTROL
from flashsale.gateway.server import Server, listen

POST_PATH, STATIC_PATH = "/post", "/static"
CONNECTIONS_MAX = 1_000
#: As long as a real one.
_ORDER, _HOLD_UNTIL_MS = "0-" + 22 * "x", 1_800_000_000_000
_STATIC_HEADERS = {"ETag": f'W/"{24 * "0"}"', "Cache-Control": CACHE_CONTROL}


def application(page: bytes) -> Starlette:
    """Decodes the JSON of an order and replies in the same words; and replies the page to whoever asks for it."""
    decoder = msgspec.json.Decoder(PlaceOrder)

    async def post(request: Request) -> Response:
        wanted = decoder.decode(await request.body())
        placed = PlacedOrder("bench", _ORDER, wanted.sku, wanted.quantity, "held", _HOLD_UNTIL_MS)
        return Response(msgspec.json.encode(placed), 201, media_type="application/json")

    async def static(request: Request) -> Response:  # noqa: ARG001  # a handler takes one
        return Response(page, headers=_STATIC_HEADERS, media_type="application/json")

    return Starlette(
        routes=[Route(POST_PATH, post, methods=["POST"]), Route(STATIC_PATH, static, methods=["GET"])]
    )


def main(file: str) -> int:
    """Serve on any free port, which the log tells, until told to stop; returns the exit code."""
    log.configure("info", "json")
    page = Path(file).read_bytes()
    with listen(Address("127.0.0.1", 0)) as listener, asyncio.Runner() as runner:

        async def serve() -> int:
            return await Server(application(page), CONNECTIONS_MAX).run_beside(listener)

        pause_rarely()
        return runner.run(serve())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
