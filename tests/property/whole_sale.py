"""The whole sale: everybody who asks, everything that reads, every fault; and what must hold after each step."""

from __future__ import annotations

import sys
from collections import defaultdict

from hypothesis.stateful import invariant

from flashsale.commands.sale import Close
from flashsale.definition import SaleDefinition, SaleItem
from flashsale.events import decode
from flashsale.ids import Position
from flashsale.projections import catalog
from flashsale.projections.replays import discard, runs
from flashsale.reconcile import compare
from flashsale.sale_archive import archive
from flashsale.stream import NoGroup, ShardId
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until
from tests.lua.kit import HOUR_MS, Shard
from tests.property.faults import TIMEOUT_S, Faults
from tests.property.retelling import retell
from tests.property.selling import Request

PLACE = ShardId("sale", 0)
#: As if no sale had ever been warmed.
FORGET = """
TRUNCATE event_log, orders, stock, parked;
UPDATE checkpoint SET epoch = 0, seq = 0, fence = 0, founded_epoch = 0, halted = NULL,
    holder = NULL, backend_pid = NULL, backend_start = NULL, heartbeat_at = NULL;
UPDATE sales SET archived_at = NULL
"""


class WholeSale(Faults):
    """One sale on servers of its own, from nothing to its archive. Set `stores` in a subclass."""

    place = PLACE

    def __init__(self) -> None:
        self.stores.close()  # connections, fences and projectors of the history before
        self._forget(self.stores.side)
        super().__init__()
        #: every event ever seen in the log
        self.written: dict[Position, bytes] = {}
        #: every limit that was ever in force
        self.limits_ever: defaultdict[str, set[int]] = defaultdict(set)

    def new_shard(self) -> Shard:
        return Shard(self.stores.side.redis_url, *PLACE)

    def teardown(self) -> None:
        """After a history in which all went well, bring it to its end."""
        try:
            if sys.exc_info()[0] is None:
                self.finish()
        finally:
            self.shard.redis.close()

    def operate(self, name: str, arguments: Request, fence: str) -> None:
        super().operate(name, arguments, fence)
        if name == "load" and self.model.seq:  # as `sale warm` does
            catalog.found(self.stores.side.postgres, PLACE, 1, before=0)

    def _forget(self, side: ReadSide) -> None:
        if self.stores.clock is not None:
            self.stores.clock.move(-self.stores.clock.moved_ms)
        side.redis.flushall()
        for run in runs(side.postgres):
            discard(side.postgres, run)
        side.postgres.execute(FORGET.encode())
        if not side.shards():
            items = tuple(
                SaleItem(sku=sku, title=sku, quantity=12, unit_price_minor=100, limit=0) for sku in "AB"
            )
            definition = SaleDefinition(
                sale=PLACE.sale, title="A sale", currency="EUR", hold_ms=HOUR_MS, items=items
            )
            catalog.define(side.postgres, definition)

    # ----------------------------------------------------------------------------------------------- what must hold

    @invariant()
    def nothing_is_lost(self) -> None:
        """Each event is in the log until Postgres has it, is there once, and is never another one."""
        side = self.stores.side
        log = {entry.position: entry.body or b"" for entry in side.entries(PLACE)}
        for position, body in log.items():
            assert self.written.setdefault(position, body) == body, f"{position} has changed"
        checkpoint = self.checkpoint()
        applied = sorted(item for item in self.written.items() if item[0] <= checkpoint)
        assert side.archive(PLACE) == applied
        assert checkpoint == (applied[-1][0] if applied else Position(0, 0))
        assert log.keys() >= {position for position in self.written if position > checkpoint}

    @invariant()
    def postgres_is_the_log_so_far(self) -> None:
        """Stock and orders are what the applied events say, no more and no less; nothing is parked or halted."""
        side, checkpoint = self.stores.side, self.checkpoint()
        applied = [item for item in sorted(self.written.items()) if item[0] <= checkpoint]
        assert (side.stock(PLACE), side.orders(PLACE)) == retell(applied)
        assert side.rows("SELECT * FROM parked") == []
        assert side.halted(PLACE) is None

    @invariant()
    def nothing_is_oversold(self) -> None:
        """Redis, the fold of the log, its retelling and the model are one; no buyer has more than a limit allowed."""
        log = sorted(self.written.items())
        self.agree(self.shard.check_against([(position, decode(body)) for position, body in log]))
        stock, orders = retell(log)
        assert {row[0]: row[4] for row in orders} == {n: o.status for n, o in self.model.orders.items()}
        assert {row[0]: row[1:5] for row in stock} == {
            sku: self.model.counters(sku) for sku in self.model.capacity
        }
        for sku, limit in self.model.limits.items():
            self.limits_ever[sku].add(limit)
            most = max(self.limits_ever[sku])
            for order in self.model.orders.values():
                assert 0 in self.limits_ever[sku] or self.model.mine(order.buyer, sku) <= most

    def finish(self) -> None:
        """Apply everything, hold all three stores against each other, then close and archive the sale."""
        self.drain()
        self.nothing_is_lost()
        self.postgres_is_the_log_so_far()
        if not self.model.seq:
            return
        side = self.stores.side
        found = compare(side.client, side.log, side.postgres, PLACE, timeout_s=TIMEOUT_S)
        assert found.drifts == []
        assert found.log_hash == found.redis_hash == found.postgres_hash
        self.agree(found.state)
        for slot in self.stores.slots.values():
            slot.end()
        self.archived(side)

    def archived(self, side: ReadSide) -> None:
        """Close the sale, and leave nothing of it in Redis."""
        side.client.control(PLACE.sale, Close())
        for name in [name for name, order in self.model.orders.items() if order.status == "held"]:
            self.shard.resolve("cancel", name)
        before = {entry.position: entry.body or b"" for entry in side.entries(PLACE)} | self.written
        self.model.seq = max(before).seq
        self.drain()
        wait_until(self._is_acknowledged, 30, "the group has acknowledged everything")
        for slot in self.stores.slots.values():
            slot.end()
        answer = archive(side.client, side.log, side.postgres, PLACE, timeout_s=TIMEOUT_S)
        assert answer.code == "ARCHIVED", answer
        assert side.archive(PLACE) == sorted(before.items())
        assert (side.stock(PLACE), side.orders(PLACE)) == retell(sorted(before.items()))
        assert list(self.shard.dump()) == [self.shard.keys.sale.encode()]

    def _is_acknowledged(self) -> bool:
        """Whether the group is there and through; a projector finds out what others did to it, also without news."""
        self.stores.slots["p0"].step()
        try:
            groups = self.stores.side.log.groups(PLACE)
        except NoGroup:
            return False
        return [group.acknowledged for group in groups] == [self.checkpoint()]
