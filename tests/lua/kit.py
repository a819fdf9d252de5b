"""Runs scripts by raw arguments on a real server, and checks after every call what holds for all of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import msgspec
import pytest
import redis

from flashsale.commands import Snapshot, parse_snapshot
from flashsale.events import AnyEvent, ShardState, decode, encode, fold, type_name
from flashsale.ids import Position
from flashsale.keys import RoomKeys, ShardKeys, room_keys, script_keys, shard_keys
from flashsale.scripts import script
from tests.fixtures.redis_client import redis_client
from tests.helpers import wait_until

HOUR_MS = 3_600_000
#: A hold that is over at once: see `Shard.wait_until_overdue`.
SHORT_HOLD_MS = 1

#: Scripts that write no event, and make the log shorter.
SHORTENING = ("archive", "trim")

#: What stands behind the fields of an event whose request has a trace id, or says why.
BESIDE = re.compile(rb',\{"(trace":"[0-9a-f]{32}|why":".+)"\}\]$', re.DOTALL)

#: One of ARGV, as a client may send it.
Argument = str | int | bytes
#: Key → its type and its whole content.
Dump = dict[bytes, tuple[bytes, Any]]

#: How the content of a key of each type is read. Only damage makes strings.
READ: dict[bytes, Callable[[redis.Redis, bytes], object]] = {
    b"hash": lambda client, name: client.hgetall(name),
    b"zset": lambda client, name: client.zrange(name, 0, -1, withscores=True),
    b"stream": lambda client, name: client.xrange(name),
    b"string": lambda client, name: client.get(name),
}


class Result(NamedTuple):
    """What one script call returned."""

    position: str
    now_ms: int
    answers: list[str]

    @property
    def answer(self) -> str:
        """The only answer."""
        (answer,) = self.answers
        return answer

    @property
    def words(self) -> list[str]:
        """The first word of each answer."""
        return [answer.partition(" ")[0] for answer in self.answers]


class Shard:
    """One shard of one sale. Everything a script writes is checked as it is written."""

    def __init__(self, url: str, sale: str = "sale", shard: int = 0) -> None:
        self.redis = redis_client(url, decodes=False)
        self._place = (sale, shard)
        self.keys: ShardKeys = shard_keys(sale, shard)
        self.room_keys: RoomKeys = room_keys(sale, shard)
        #: the test has written to the keys itself: they need not add up any more
        self.is_damaged = False
        #: a script has taken events off the log: what is left of it does not add up alone
        self.is_shortened = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.redis.close()

    # ------------------------------------------------------------------------------------------- running scripts

    def run(self, name: str, *arguments: Argument, fence: Argument = "0-0", by: Argument = "test") -> Result:
        """Run the script `name`. Fails unless it either wrote events that its header names, or nothing at all."""
        return self.run_raw(name, fence, by, *arguments)

    def run_raw(self, name: str, *argv: Argument, keys: tuple[str, ...] | None = None) -> Result:
        """The same, with the whole of ARGV, and with other KEYS if need be."""
        before = self.dump()
        keys = self.keys_of(name) if keys is None else keys
        try:
            reply: Any = self.redis.eval(script(name).source, len(keys), *keys, *argv)
        except redis.ResponseError:
            assert self.dump() == before, "a script that fails has written"
            raise
        self._check_written(name, before)
        if name in ("snapshot", "roomstate"):
            return Result(reply[0].decode(), reply[1], [])
        return Result(reply[0].decode(), reply[1], [answer.decode() for answer in reply[2:]])

    def keys_of(self, name: str) -> tuple[str, ...]:
        """The keys that a script takes."""
        return script_keys(*self._place, script(name).keys)

    def error(self, name: str, *arguments: Argument, fence: Argument = "0-0", by: Argument = "test") -> str:
        """Run a script that must end with an error reply; returns its text. That nothing was written is checked."""
        return self.error_raw(name, fence, by, *arguments)

    def error_raw(self, name: str, *argv: Argument, keys: tuple[str, ...] | None = None) -> str:
        """The same, with the whole of ARGV."""
        with pytest.raises(redis.ResponseError) as caught:
            self.run_raw(name, *argv, keys=keys)
        # redis-py takes the first word off the errors for which it has a class.
        return f"{caught.value.status_code or ''} {caught.value}".strip()

    # ------------------------------------------------------------------------------------------------ short cuts

    def load(self, *items: tuple[str, int] | tuple[str, int, int], **times_ms: int) -> Result:
        """Warm a sale of (SKU, quantity[, limit]); times: `opens`, `closes`, `hold`, in ms."""
        flat = [value for item in items for value in (*item, 0)[:3]]
        times = (times_ms.get("opens", 0), times_ms.get("closes", 0), times_ms.get("hold", HOUR_MS))
        return self.run("load", *times, *flat)

    def sell(self, *items: tuple[str, int] | tuple[str, int, int], hold: int = HOUR_MS) -> None:
        """Have a sale of these items that is open."""
        self.load(*items, hold=hold)
        self.run("open", 0)

    def pass_closing_time(self) -> None:
        """Have a sale whose closing time has passed."""
        assert self.run("reconfigure", 1_000, 2_000, "-").words == ["RECONFIGURED"]

    def reserve(self, order: str, buyer: str = "ann", sku: str = "A", quantity: int = 1) -> str:
        """One reservation's answer."""
        return self.run("reserve", order, buyer, sku, quantity).answer

    def resolve(self, name: str, *orders: str) -> list[str]:
        """The answers of confirm or cancel for these orders, whoever their buyers are."""
        return self.run(name, *(value for order in orders for value in (order, "-"))).answers

    def refund(self, order: str, units: str = "restock") -> str:
        """One refund's answer."""
        return self.run("refund", order, "-", units).answer

    def pay(self, order: str, buyer: str = "ann", sku: str = "A", quantity: int = 1) -> None:
        """Have an order that is paid."""
        assert self.reserve(order, buyer, sku, quantity).startswith("RESERVED")
        assert self.resolve("confirm", order)[0].startswith("CONFIRMED")

    def expire(self, order: str, buyer: str = "ann", sku: str = "A", quantity: int = 1) -> None:
        """Have an order whose hold has ended; all holds of the sale must be short."""
        assert self.reserve(order, buyer, sku, quantity).startswith("RESERVED")
        self.wait_until_overdue()
        assert order in self.run("expire", 1000).answers

    def damage(self, *command: Argument) -> None:
        """Write to the server without a script: what a person or a fault would do."""
        self.is_damaged = True
        self.redis.execute_command(*command)

    # ----------------------------------------------------------------------------------------------- looking at it

    def now_ms(self) -> int:
        """Redis's clock."""
        time: Any = self.redis.time()
        return int(time[0] * 1000 + time[1] // 1000)

    def wait_until_ms(self, at_ms: int) -> None:
        """Return when Redis's clock has passed `at_ms`."""
        wait_until(lambda: self.now_ms() > at_ms, description=f"Redis's clock passes {at_ms}")

    def wait_until_overdue(self) -> None:
        """Return when the time of all holds is over."""
        self.wait_until_ms(max(self.snapshot().holds.values(), default=0))

    def log(self) -> list[tuple[Position, AnyEvent]]:
        """Every event, at its place."""
        entries: Any = self.redis.xrange(self.keys.events)
        return [(Position.parse(position), decode(fields[b"e"])) for position, fields in entries]

    def newest(self) -> AnyEvent:
        """The newest event."""
        return self.log()[-1][1]

    def types(self) -> list[str]:
        """The types of all events, in order."""
        return [type_name(event) for _, event in self.log()]

    def counters(self, sku: str = "A") -> tuple[int, int, int, int]:
        """Available, held, sold, returned."""
        return msgspec.structs.astuple(self.snapshot().state.stock[sku])[:4]

    def head(self) -> str:
        """The position of the newest event."""
        return str(self.snapshot().state.position)

    def snapshot(self) -> Snapshot:
        """The hot state."""
        reply: Any = self.redis.eval(script("snapshot").source, 6, *self.keys, "all")
        return parse_snapshot(reply)

    def dump(self) -> Dump:
        """Everything the server holds."""
        names: Any = self.redis.keys("*")
        with self.redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.type(name)
            kinds = pipe.execute()
            for name, kind in zip(names, kinds, strict=True):
                READ[kind](pipe, name)
            return dict(zip(names, zip(kinds, pipe.execute(), strict=True), strict=True))

    # ---------------------------------------------------------------------------------------------------- checking

    def _check_written(self, name: str, before: Dump) -> None:
        after = self.dump()
        if name in SHORTENING:
            self._check_shortened(before, after)
            return
        # No event tells who waits: neither the log nor what it adds up to depends on it.
        before, after = self._without_room(before), self._without_room(after)
        events = self.keys.events.encode()
        old, new = (dump.get(events, (b"", []))[1] for dump in (before, after))
        written = new[len(old) :]
        assert new[: len(old)] == old, "events are never changed"
        assert written or after == before or name == "mend" or self._has_halted(before, after), (
            "nothing changes without an event"
        )
        if not self.is_damaged:
            types = {type_name(decode(fields[b"e"])) for _, fields in written}
            assert types <= set(script(name).emits), "the header names every type that is emitted"

    def _without_room(self, dump: Dump) -> Dump:
        return {name: content for name, content in dump.items() if name.decode() not in self.room_keys}

    def _has_halted(self, before: Dump, after: Dump) -> bool:
        """Whether the one thing that changed is that somebody proved the log's tail lost."""
        name = self.keys.sale.encode()
        kind, head = before[name]
        return b"lost" not in head and after == before | {
            name: (kind, head | {b"lost": after[name][1].get(b"lost")})
        }

    def _check_shortened(self, before: Dump, after: Dump) -> None:
        """What `trim` and `archive` may do: take the oldest events off, or leave nothing but the head of the sale."""
        events = self.keys.events.encode()
        if after == before or self._has_halted(before, after):
            return
        self.is_shortened = True
        if events in after:
            old, new = before[events][1], after[events][1]
            assert new == old[len(old) - len(new) :], "the newest events stay, as they were"
            assert before | {events: after[events]} == after, "nothing else changes"
        else:
            assert list(after) == [self.keys.sale.encode()], "a tombstone is all that is left"

    def check(self) -> ShardState:
        """Fail unless the log adds up, and to exactly the hot state. Returns that state."""
        entries: Any = self.redis.xrange(self.keys.events)
        for _, fields in entries:
            fields_alone = BESIDE.sub(b"]", fields[b"e"])
            assert encode(decode(fields[b"e"])) == fields_alone, "a script writes as the codec does"
        return self.check_against(self.log())

    def check_against(self, log: list[tuple[Position, AnyEvent]]) -> ShardState:
        """The same with the whole log, of which the stream may have lost the beginning."""
        folded = fold(log)
        snapshot = self.snapshot()
        assert snapshot.state == folded
        assert snapshot.log_position == folded.position
        assert snapshot.holds == {
            order_id: order.hold_until_ms
            for order_id, order in folded.orders.items()
            if order.status == "held"
        }
        assert (snapshot.order_count, snapshot.hold_count) == (len(folded.orders), len(snapshot.holds))
        for sku, stock in folded.stock.items():
            for status, units in (("held", stock.held), ("confirmed", stock.sold)):
                owned = (o.quantity for o in folded.orders.values() if (o.sku, o.status) == (sku, status))
                assert sum(owned) == units, "no unit without an order, no order without its units"
        for name in self.dump():
            assert name.decode() in (*self.keys, *self.room_keys), "there are no other keys"
            assert self.redis.ttl(name) == -1, "no key ends with a clock"
        return folded
