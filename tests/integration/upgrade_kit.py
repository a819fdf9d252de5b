"""What the tests of an upgrade share: the records of earlier commits in tests/fixtures/earlier, and their clients.

`python -m tests.fixtures.earlier_record COMMIT` makes a record. `COMMIT` stands for the release before this one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from flashsale.client import Client
from flashsale.client.replicas import NO_WAIT
from flashsale.client.sync_wire import SyncWire
from flashsale.commands import Call
from flashsale.keys import GROUP
from flashsale.projections.database import connect
from flashsale.scripts import PRELUDE, Script, script

COMMIT = "9557df1"
#: The newest migration that it had.
SCHEMA = "0003"
#: What buyers and the sweeper run: those that meet the scripts of another release on one sale.
SCRIPTS = ("reserve", "confirm", "cancel", "refund", "expire")
RECORD = Path(__file__).parents[1] / "fixtures" / "earlier" / COMMIT


def totals() -> dict[str, Any]:
    """Sale → checkpoint, stock and orders, as the earlier commit's own projector ended."""
    return dict(json.loads((RECORD / "totals.json").read_text(encoding="utf-8")))


def restore_tables(database_url: str) -> None:
    """Make the tables of the record in an empty database, with their rows."""
    with connect(database_url) as database:
        database.execute((RECORD / "tables.sql").read_bytes())


def restore_redis(client: redis.Redis) -> None:
    """Write the keys of the record, entry by entry; the consumer group stands where it stood."""
    for key, content in json.loads((RECORD / "redis.json").read_text(encoding="utf-8")).items():
        if "hash" in content:
            client.hset(key, mapping=content["hash"])
        elif "zset" in content:
            client.zadd(key, dict(content["zset"]))
        else:
            for position, fields in content["stream"]:
                client.xadd(key, fields, id=position)
            restore_group(client, key, content["delivered"], content["pending"])


def restore_group(client: redis.Redis, key: str, delivered: str, pending: list[str]) -> None:
    """Deliver as much again, and acknowledge what was."""
    client.xgroup_create(key, GROUP, id="0")
    positions = [str(position) for position, _ in client.xrange(key, max=delivered) or ()]
    client.xreadgroup(GROUP, "earlier", {key: ">"}, count=len(positions))
    client.xack(key, GROUP, *[position for position in positions if position not in pending])


def earlier_script(name: str) -> Script:
    """A script as the earlier commit sent it."""
    engine, sha = json.loads((RECORD / "scripts.json").read_text(encoding="utf-8"))[name]
    files = [(RECORD / "lua" / f"{part}.lua").read_text(encoding="utf-8") for part in (PRELUDE, name)]
    source = f"{engine}\n{''.join(files)}"
    assert hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest() == sha
    return script(name)._replace(source=source, sha=sha)


class _EarlierWire(SyncWire):
    """Sends the earlier scripts in the place of this release's."""

    def run(self, calls: Sequence[Call]) -> list[Any]:
        return super().run(
            [call._replace(script=earlier_script(call.script.name), keys=call.keys[:6]) for call in calls]
        )


@contextmanager
def earlier_client(redis_url: str, by: str) -> Iterator[Client]:
    """A client that runs the scripts of the earlier commit. Their arguments are what they were."""
    with Client(redis_url, by=by) as client:
        client.close()
        client._wire = _EarlierWire(redis_url, 5_000, NO_WAIT)  # noqa: SLF001 - its scripts are not for users to choose
        yield client
