"""The constants of docs/capacity.md are what a real sale takes on real servers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flashsale import trim
from flashsale.commands import Cancel, Confirm, OrderRequest, Reserve
from flashsale.keys import shard_keys
from flashsale.stream import ShardId
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until

#: A quarter of them is cancelled, a half is paid, the rest stays held.
ORDERS = 4_000
PAID, CANCELLED = ORDERS // 2, ORDERS // 4
#: A full batch, as under load.
BATCH = 512
#: A hash table is between half full and full, a page of a table as well.
TOLERANCE = 0.25
PAGE = Path(__file__).parents[2] / "docs/capacity.md"


def constants() -> dict[str, tuple[float, float]]:
    """Row of the page's table → bytes on Valkey and on Redis 7.0."""
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| [^|]+ \| ([\d,]+) \| ([\d,]+) \|$", text, re.MULTILINE)
    return {name: (_number(valkey), _number(redis)) for name, valkey, redis in rows}


def _number(cell: str) -> float:
    return float(cell.replace(",", ""))


def test_the_sums_of_the_page_are_those_of_its_constants() -> None:
    """Two numbers: on Valkey and on Redis 7.0; one where both are the same."""
    sums = re.findall(
        r"^    .+?  +((?:\d × )?[a-z_]+(?: \+ (?:\d × )?[a-z_]+)*)  +([\d,]+)(?: · ([\d,]+))?$",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(sums) == 7
    for formula, *written in sums:
        terms = [term.rpartition(" × ") for term in formula.split(" + ")]
        for server, number in enumerate(filter(None, written)):
            total = sum(int(times or 1) * constants()[name][server] for times, _, name in terms)
            assert total == int(number.replace(",", "")), formula


class Meter:
    """What the keys of one shard, and the file on disk, take now."""

    def __init__(self, side: ReadSide, shard: ShardId) -> None:
        self._redis, self._keys = side.redis, shard_keys(shard.sale, shard.shard)

    def key(self, name: str) -> int:
        used = self._redis.memory_usage(getattr(self._keys, name), samples=0)
        return 0 if used is None else int(used)

    def on_disk(self) -> int:
        return int(self._redis.info("persistence").get("aof_current_size", 0))


@pytest.fixture
def unhurried(read_side: ReadSide) -> Iterator[None]:
    """Redis writes its file anew when it has doubled; not in the middle of this."""
    (found,) = read_side.redis.config_get("auto-aof-rewrite-percentage").values()
    read_side.redis.config_set("auto-aof-rewrite-percentage", 0)
    wait_until(lambda: not read_side.redis.info("persistence")["aof_rewrite_in_progress"], 30)
    yield
    read_side.redis.config_set("auto-aof-rewrite-percentage", found or "100")


def in_batches(side: ReadSide, shard: ShardId, requests: list[OrderRequest]) -> None:
    for first in range(0, len(requests), BATCH):
        side.run(shard, requests[first : first + BATCH])


def measured(side: ReadSide) -> dict[str, float]:
    """The same as the page's table, from a sale of so many orders."""
    shard = side.open_sale(quantity=ORDERS)
    meter, events = Meter(side, shard), side.log.length
    ids = [f"0-{number:022d}" for number in range(ORDERS)]
    began, disk = events(shard), meter.on_disk()
    in_batches(side, shard, [Reserve(order, f"buyer-{order[-6:]}", "phone") for order in ids])
    found = {
        "record": meter.key("orders") / ORDERS,
        "deadline": meter.key("holds") / ORDERS,
        "buyer": meter.key("buyers") / ORDERS,
        "event": meter.key("events") / (events(shard) - began),
        "aof_reserved": (meter.on_disk() - disk) / ORDERS,
    }
    disk = meter.on_disk()
    in_batches(side, shard, [Confirm(order) for order in ids[:PAID]])
    found["aof_settled"] = (meter.on_disk() - disk) / PAID
    in_batches(side, shard, [Cancel(order) for order in ids[PAID : PAID + CANCELLED]])
    total, disk = events(shard), meter.on_disk()
    side.drain(side.projector())
    found["aof_projected"] = (meter.on_disk() - disk) / total
    for table, rows in (("event_log", total), ("orders", ORDERS)):
        size = side.value("SELECT pg_total_relation_size(%s::text::regclass)", f'"{table}_{shard.sale}"')
        found[f"postgres_{table}"] = size / rows
    return found


def test_the_page_tells_what_a_sale_takes(read_side: ReadSide, unhurried: None) -> None:
    del unhurried
    server, disk = read_side.redis.info("server"), read_side.redis.info("persistence")
    version = str(server.get("valkey_version", server["redis_version"]))
    column = next((n for n, named in enumerate(("9.1.", "7.0.")) if version.startswith(named)), None)
    if column is None or not disk["aof_enabled"]:
        pytest.skip("the page speaks of Valkey 9.1 and Redis 7.0 that write their log to disk")
    written = {name: pair[column] for name, pair in constants().items()}
    found = measured(read_side)
    assert set(written) == set(found)
    off = {
        name: (round(value), written[name])
        for name, value in found.items()
        if abs(value / written[name] - 1) > TOLERANCE
    }
    assert off == {}


def test_a_trim_gives_the_memory_of_the_events_back(read_side: ReadSide) -> None:
    shard = read_side.open_sale(quantity=ORDERS)
    read_side.sell(shard, ORDERS)
    read_side.drain(read_side.projector())
    meter = Meter(read_side, shard)
    before, others = meter.key("events"), meter.key("orders")

    trim.trim(read_side.client, read_side.log, read_side.postgres, shard, keep=0)

    assert meter.key("events") < before * 0.02
    assert meter.key("orders") == others
