"""What a sale, its projector and its consumer group go through, and how a test goes through any course of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from hypothesis import strategies as st
from redis.exceptions import ResponseError

from flashsale.commands import Cancel, Confirm, OrderRequest, Refund
from flashsale.commands.sale import Restock
from flashsale.keys import GROUP
from flashsale.projections.projector import Projector
from flashsale.stream import NoGroup, ShardId
from tests.fixtures.read_side import ReadSide, step_through

SKUS = ("phone", "case")
#: Few, so that they sell out, payments come too late and restocks matter.
UNITS = 8
#: Events that a projector applies at once: one by one, a few, or all there are.
batch_sizes = st.sampled_from([1, 3, 1_000])

_sales = itertools.count(1)


def new_sale(side: ReadSide) -> str:
    """The name of a sale that no earlier example had; the shards of those are nobody's concern any more."""
    side.postgres.execute("DELETE FROM checkpoint")
    return f"sale-{next(_sales)}"


def courses(happenings: list[Any]) -> st.SearchStrategy[list[tuple[Any, int]]]:
    """Histories of some of these happenings, each with a number."""
    return st.lists(st.tuples(st.sampled_from(happenings), st.integers(0, 59)), min_size=5, max_size=40)


@dataclass
class Trouble:
    """What the consumer group of one shard meets; nothing while there is no group."""

    side: ReadSide
    shard: ShardId

    @property
    def key(self) -> str:
        return self.side.key(self.shard)

    def destroy(self, _: int) -> None:
        self._in_group(lambda: self.side.redis.xgroup_destroy(self.key, GROUP))

    def set_back(self, _: int) -> None:
        self._in_group(lambda: self.side.redis.xgroup_setid(self.key, GROUP, "0"))

    def set_forward(self, _: int) -> None:
        self._in_group(lambda: self.side.redis.xgroup_setid(self.key, GROUP, "$"))

    def steal(self, number: int) -> None:
        """Somebody else reads, and acknowledges all of it, a part or nothing."""
        try:
            stolen = self.side.log.read([self.shard], "stranger", count=number % 5 + 1, block_ms=1)
        except NoGroup:
            return
        for entry in stolen.get(self.shard, [])[number % 3 :]:
            self.side.log.acknowledge(self.shard, [entry.position])

    def claim(self, number: int) -> None:
        """A stranger takes over what others, dead or not, have in hand, and acknowledges a part of it."""

        def take_over() -> None:
            found: Any = self.side.redis.xautoclaim(self.key, GROUP, "heir", 0, count=number % 5 + 1)
            for entry_id, _ in found[1][number % 3 :]:
                self.side.redis.xack(self.key, GROUP, entry_id)

        self._in_group(take_over)

    def delete_consumer(self, number: int) -> None:
        """A consumer goes, and what it had in hand with it."""

        def delete() -> None:
            consumers: Any = self.side.redis.xinfo_consumers(self.key, GROUP)
            names = [consumer["name"] for consumer in consumers]
            if names:
                self.side.redis.xgroup_delconsumer(self.key, GROUP, names[number % len(names)])

        self._in_group(delete)

    def _names(self) -> list[str]:
        try:
            infos: Any = self.side.redis.xinfo_groups(self.key)
        except ResponseError:  # no log yet
            return []
        return [info["name"] for info in infos]

    def _in_group(self, meddle: Callable[[], object]) -> None:
        if GROUP in self._names():
            meddle()


@dataclass
class Course(Trouble):
    """One sale and the projector that follows it; its methods are what may happen."""

    projector: Projector
    batch_max: int
    orders: list[str] = field(default_factory=list)
    restocks: int = 0

    @classmethod
    def begin(cls, side: ReadSide, batch_max: int) -> Self:
        """A new sale that sells, and its projector."""
        shard = side.open_sale(new_sale(side), quantity=UNITS, skus=SKUS, hold_ms=1)
        return cls(side, shard, side.projector("p0", batch_max=batch_max), batch_max)

    # ------------------------------------------------------------------------------------------- what is written

    def sell(self, number: int) -> None:
        self.orders += self.side.sell(self.shard, number % 5 + 1, SKUS[number % 2])

    def confirm(self, number: int) -> None:
        self._request(number, Confirm)

    def cancel(self, number: int) -> None:
        self._request(number, Cancel)

    def refund(self, number: int) -> None:
        self._request(number, Refund)

    def refund_and_keep(self, number: int) -> None:
        self._request(number, lambda order: Refund(order, units="keep"))

    def expire(self, _: int) -> None:
        self.side.expire(self.shard)

    def restock(self, number: int) -> None:
        self.restocks += 1
        direction: Literal["add", "remove"] = "add" if number % 2 else "remove"
        request = Restock(f"request-{self.restocks}", direction, SKUS[number % 2], number % 3 + 1)
        self.side.client.control(self.shard.sale, request)

    def _request(self, number: int, request: Callable[[str], OrderRequest]) -> None:
        if self.orders:
            self.side.run(self.shard, [request(self.orders[number % len(self.orders)])])

    # ----------------------------------------------------------------------------------- what the projector meets

    def step(self, _: int) -> None:
        if self.side.checkpoint(self.shard) != self.side.log.head(self.shard):
            step_through(self.projector)

    def close(self, _: int) -> None:
        self.projector.close()

    def successor(self, number: int) -> None:
        """A new process, in the old one's slot or in another; the old one is gone without a word."""
        self.side.end_sessions(self.projector.name)
        self.projector = self.side.projector(f"p{number % 3}", batch_max=self.batch_max)

    def session_ends(self, _: int) -> None:
        self.side.end_sessions(self.projector.name)
