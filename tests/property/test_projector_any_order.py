"""However a projector is interrupted and its group is meddled with, the tables end as the fold of the log."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flashsale.commands import Cancel, Confirm, OrderRequest, Refund
from flashsale.commands.sale import Restock
from flashsale.keys import GROUP
from flashsale.projections.projector import Projector
from flashsale.stream import NoGroup, ShardId
from tests.fixtures.read_side import ReadSide, step_through

SKUS = ("phone", "case")
#: Few, so that they sell out, payments come too late and restocks matter.
UNITS = 8
_sales = itertools.count(1)


@dataclass
class Course:
    """One sale and the projector that follows it; its methods are what may happen."""

    side: ReadSide
    shard: ShardId
    projector: Projector
    batch_max: int
    orders: list[str] = field(default_factory=list)
    restocks: int = 0

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

    # ------------------------------------------------------------------------------------ what the group meets

    def destroy(self, _: int) -> None:
        self.side.redis.xgroup_destroy(self.side.key(self.shard), GROUP)

    def set_back(self, _: int) -> None:
        self._in_group(lambda: self.side.redis.xgroup_setid(self.side.key(self.shard), GROUP, "0"))

    def set_forward(self, _: int) -> None:
        self._in_group(lambda: self.side.redis.xgroup_setid(self.side.key(self.shard), GROUP, "$"))

    def steal(self, number: int) -> None:
        """Somebody else reads, and acknowledges all of it, a part or nothing."""
        try:
            stolen = self.side.log.read([self.shard], "stranger", count=number % 5 + 1, block_ms=1)
        except NoGroup:
            return
        for entry in stolen.get(self.shard, [])[number % 3 :]:
            self.side.log.acknowledge(self.shard, [entry.position])

    def delete_consumer(self, number: int) -> None:
        name = "stranger" if number % 2 else self.projector.name
        self._in_group(lambda: self.side.redis.xgroup_delconsumer(self.side.key(self.shard), GROUP, name))

    def _in_group(self, meddle: Callable[[], object]) -> None:
        if self.side.redis.xinfo_groups(self.side.key(self.shard)):
            meddle()


EVENTS = [
    *(Course.sell, Course.sell, Course.confirm, Course.cancel, Course.refund, Course.refund_and_keep),
    *(Course.expire, Course.restock),
    *(Course.step, Course.step, Course.step, Course.close, Course.successor, Course.session_ends),
    *(Course.destroy, Course.set_back, Course.set_forward, Course.steal, Course.delete_consumer),
]


@settings(
    max_examples=40,
    deadline=None,
    # Every example has a sale of its own in the same two servers.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    happenings=st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 59)), min_size=5, max_size=40),
    batch_max=st.sampled_from([1, 3, 1_000]),
)
def test_any_course_of_events_ends_in_the_fold(
    read_side: ReadSide, happenings: list[tuple[Callable[[Course, int], None], int]], batch_max: int
) -> None:
    read_side.postgres.execute("DELETE FROM checkpoint")  # the earlier examples' shards are nobody's concern
    shard = read_side.open_sale(f"sale-{next(_sales)}", quantity=UNITS, skus=SKUS, hold_ms=1)
    course = Course(read_side, shard, read_side.projector("p0", batch_max=batch_max), batch_max)

    for happen, number in happenings:
        happen(course, number)
    course.projector.close()  # its next step looks at everything anew, and need not wait for the next look
    read_side.drain(course.projector, patient=True)

    read_side.assert_projected(shard)
    course.projector.close()
