"""The HTTP servers of a run: a gateway, and the same server with nothing behind it. Each is a process of its own."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import NamedTuple

from flashsale.address import Address
from flashsale.bench.http_wire import Pool, Reply, packed
from flashsale.demo.processes import Daemons
from flashsale.errors import FlashsaleError

#: Starting a Python process takes a second or two on a busy machine.
START_TIMEOUT_S = 60
LOOK_EVERY_S = 0.02
_ANY_PORT = "127.0.0.1:0"
_URL = re.compile(r"http://([0-9.]+:[0-9]+)")


class Served(NamedTuple):
    """A server that listens."""

    address: Address
    pid: int


def start_gateway(daemons: Daemons, folder: Path, secret: str, name: str = "bench-gateway") -> Served:
    """A gateway that believes tokens signed by `secret`. Raises `FlashsaleError` when it does not come up."""
    keys = folder / f"{name}-keys"
    keys.touch(mode=0o600)
    keys.write_text(secret, encoding="utf-8")
    daemons.start("gateway", name, "--listen", _ANY_PORT, FLASHSALE_GATEWAY_KEYS_FILE=str(keys))
    return _listening(daemons, name)


def start_bare(daemons: Daemons, folder: Path, page: bytes) -> Served:
    """A server that decides nothing. `page`: what its static reply is. Raises `FlashsaleError`."""
    file = folder / "page.json"
    file.write_bytes(page)
    daemons.launch("bench-bare", "flashsale.bench.bare_http", str(file))
    return _listening(daemons, "bench-bare")


async def page_of(gateway: Served, sale: str) -> Reply:
    """A sale's page, once the gateway knows it. Raises `FlashsaleError` when it does not come to."""
    request = packed("GET", str(gateway.address), f"/v1/sales/{sale}", {})
    pool = Pool(gateway.address, 1)
    deadline = time.monotonic() + START_TIMEOUT_S
    try:
        while time.monotonic() < deadline:
            reply = await pool.submit(request)
            if reply is not None and reply.status == 200:
                return reply
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        await pool.close()
    raise FlashsaleError(f"the gateway does not come to know sale {sale}")


def _listening(daemons: Daemons, name: str) -> Served:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        told = daemons.log_of(name).read_text(encoding="utf-8", errors="replace")
        if url := _URL.search(told):
            return Served(Address.parse(url[1], "listen"), daemons.pid_of(name))
        if name in daemons.dead() or time.monotonic() > deadline:
            last = told.strip().rpartition("\n")[2]
            raise FlashsaleError(f"{name} did not come up: {last or 'it said nothing'}")
        time.sleep(LOOK_EVERY_S)
