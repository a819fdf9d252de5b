"""What the tests of this directory stand on: the read side, and servers that may be killed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.read_side import read_side
from tests.fixtures.redis_client import redis_client
from tests.fixtures.servers import private_binaries
from tests.property.stores import Stores, open_stores

__all__ = ["read_side", "stores"]


@pytest.fixture(scope="module")
def stores(pytestconfig: pytest.Config, redis_url: str) -> Iterator[Stores]:
    """Servers of the module's own; what they went through is told at the end."""
    with redis_client(redis_url) as client:
        program = Path(client.info("server")["executable"])
    if not program.is_file():
        pytest.skip("starts servers of its own: needs the server's program on this machine")
    with open_stores(program, *private_binaries(pytestconfig)) as stores:
        yield stores
        sys.stdout.write("".join(f"{times:6} {what}\n" for what, times in sorted(stores.bites.items())))
