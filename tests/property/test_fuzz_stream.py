"""Whatever stands in a stream is applied, or parked, or halts its own shard; the tables stay within their rules."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import redis
from hypothesis import event, given
from hypothesis import strategies as st

from flashsale.commands import Code, Confirm
from flashsale.errors import FlashsaleError
from flashsale.stream import Entry, ShardId
from tests.fixtures.fuzz import examples, raw
from tests.fixtures.read_side import SKU, ReadSide, step_through
from tests.helpers import wait_until

_sales = itertools.count(1)

values: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([0, -1, 1, 5, 2**31, 2**53 + 1, 2**63, 10**14, 1.5, True, None, "", "a\0b", SKU, "0-x", {}, []]),
    st.text(max_size=5),
    st.integers(),
)  # fmt: skip


def spoilt(body: bytes, place: int, value: Any) -> bytes:
    """An event with another value in one place, one more value, or one fewer."""
    fields: list[Any] = json.loads(body)
    place %= len(fields) + 2
    if place < len(fields):
        fields[place] = value
    elif place == len(fields):
        fields.append(value)
    else:
        fields.pop()
    return json.dumps(fields).encode()


#: (an event of the log → the bytes that are written behind it)
bodies: st.SearchStrategy[Callable[[list[Entry], int], bytes]] = st.one_of(
    raw.map(lambda body: lambda _log, _n: body),
    st.tuples(st.integers(0, 20), values).map(
        lambda change: lambda log, n: spoilt(log[n % len(log)].body or b"", *change)
    ),
    # a repeat of what is there already: an order reserved twice, a sale opened twice
    st.just(lambda log, n: log[n % len(log)].body or b""),
    st.sampled_from([b"x" * 1_000_000, b'["order.reserved",1,' + b"[" * 5_000]).map(
        lambda body: lambda _log, _n: body
    ),
)
#: where it is written: as if a script had, behind the head, behind a gap, or in the next epoch
ways = st.sampled_from(["append", "append", "append", "forge", "gap", "epoch", "last"])


def write(side: ReadSide, shard: ShardId, way: str, body: bytes, name: str) -> None:
    """Write one entry that no script wrote."""
    head = side.log.head(shard)
    assert head is not None
    place = {
        "gap": f"{head.epoch}-{head.seq + 2}",
        "epoch": f"{head.epoch + 1}-1",
        "last": f"{2**64 - 1}-{2**64 - 1}",
    }
    if way == "append":
        side.append(shard, body, name)
    elif way == "forge":
        side.forge(shard, body, name)
    else:
        side.redis.execute_command("XADD", side.key(shard), place[way], name, body)


@examples(25)
@given(
    entries=st.lists(
        st.tuples(ways, bodies, st.integers(0, 50), st.sampled_from(["e", "e", "e", "x", ""])), max_size=4
    )
)
def test_any_entries(read_side: ReadSide, entries: list[tuple[str, Any, int, str]]) -> None:
    read_side.postgres.execute("DELETE FROM checkpoint")  # the earlier examples' shards are nobody's concern
    shard, other = (read_side.open_sale(f"sale-{next(_sales)}", quantity=5) for _ in range(2))
    read_side.run(shard, [Confirm(order) for order in read_side.sell(shard, 3)[:1]])
    honest = read_side.entries(shard)
    for way, body, number, name in entries:
        try:
            write(read_side, shard, way, body(honest, number), name)
        except redis.ResponseError:
            event("refused by Redis")  # behind the largest position there is none
    read_side.sell(other, 2)
    projector = read_side.projector("p1")

    def is_settled() -> bool:
        step_through(projector)
        is_through = bool(read_side.halted(shard)) or read_side.checkpoint(shard) == read_side.log.head(shard)
        return is_through and read_side.checkpoint(other) == read_side.log.head(other)

    wait_until(is_settled, 20, "applied, parked or halted")
    projector.close()

    event("halted" if read_side.halted(shard) else "applied")
    read_side.assert_projected(other)
    archived = read_side.archive(shard)
    log = read_side.entries(shard)
    assert [place for place, _ in archived] == [entry.position for entry in log[: len(archived)]]
    for (_, body), entry in zip(archived, log, strict=False):
        assert entry.body in (body, None), "byte for byte; of another shape: whatever it was"
    for available, held, sold, returned, capacity in read_side.rows(
        "SELECT available, held, sold, returned, capacity FROM stock WHERE sale_id = %s", shard.sale
    ):
        assert min(available, held, sold, returned) >= 0
        assert available + held + sold + returned == capacity
    if entries and entries[-1][0] != "append":  # else the counters say that a script wrote it
        assert answer_to(read_side, shard) in (Code.LOG_REGRESSED, "Halted"), "nothing is sold on top of it"


def answer_to(side: ReadSide, shard: ShardId) -> str:
    """What the sale answers: a word, or the kind of the exception."""
    try:
        (answer,) = side.client.execute(shard.sale, [Confirm("0-order-unknown")])
    except FlashsaleError as error:
        return type(error).__name__
    return answer.code
