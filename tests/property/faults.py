"""What servers go through, as rules: kill -9, a clock that jumps, a log that is lost, records that somebody changed."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hypothesis import strategies as st
from hypothesis.stateful import rule

from flashsale.commands import Code
from flashsale.keys import ShardKeys, shard_keys
from flashsale.reconcile import Item, apply_plan, examine
from flashsale.scripts import script
from flashsale.shop import Shop
from tests.integration.recover_kit import mended
from tests.lua.kit import HOUR_MS
from tests.property.projecting import Projecting, slots
from tests.property.selling import Request, reservations
from tests.property.stores import Failpoint

TIMEOUT_S = 10

#: Command and key, then its other words. NAME: the oldest order, SKU: its SKU, HOLDER: its buyer's units.
HOT_DAMAGE = [
    ("HSET", "stock", "SKU", "3 0 1 0 0"),
    ("HDEL", "orders", "NAME"),
    ("HDEL", "buyers", "HOLDER"),
    ("ZREM", "holds", "NAME"),
    ("HSET", "sale", "closes_ms", "1"),
]
ROW_DAMAGE = [
    "UPDATE stock SET available = available + 1, capacity = capacity + 1",
    "DELETE FROM stock",
    "UPDATE orders SET status = 'cancelled' WHERE status <> 'cancelled'",
    "DELETE FROM orders WHERE seq > 5",
]


class Faults(Projecting):
    """A sale whose servers are not spared."""

    #: what Redis held at some time, and its newest position then
    backup: Mapping[str, bytes] = {}
    backup_head = "0-0"

    # -------------------------------------------------------------------------------------------------- kill -9

    @rule(
        how=st.sampled_from(["redis, unheard", "redis, projecting", "postgres, projecting", "postgres"]),
        requests=st.lists(reservations, min_size=1, max_size=4),
        name=slots,
        failpoint=st.sampled_from(Failpoint),
    )
    def lose_a_server(self, how: str, requests: list[Request], name: str, failpoint: Failpoint) -> None:
        """A server is killed. One rule, for a restart takes as long as a hundred requests."""
        server, _, when = how.partition(", ")
        if when == "unheard":
            self._ask_and_hear_nothing(requests)
        elif when == "projecting":
            if self.is_behind:
                self.stores.slots[name].step(failpoint, kill=lambda: self.stores.kill(server))
        else:
            self.stores.kill(server)
            for slot in self.stores.slots.values():
                slot.step()
        self._restarted(server)

    def _ask_and_hear_nothing(self, requests: list[Request]) -> None:
        """Redis is killed while it decides: the outcome is unknown, all or nothing; asked again, it is told."""
        words = [word for request in requests for word in request]
        connection = self.shard.redis.connection_pool.get_connection()
        keys, self.model.passes = self.shard.keys_of("reserve"), self.holders()
        connection.send_command(
            "EVAL", script("reserve").source, len(keys), *keys, self.model.head, "test", *words
        )
        self.stores.kill("redis")
        connection.disconnect()
        self.shard.redis.connection_pool.release(connection)
        self._restarted("redis")
        if self.shard.head() != self.model.head:
            newest = self.stores.side.log.newest(self.place, 1)[0]
            self.model.now_ms = json.loads(newest.body or b"")[2]
            for request in requests:
                self.model.reserve(*request)
            self.stores.bites["decided, unheard"] += 1
        self.ask("reserve", requests, "head")

    def _restarted(self, name: str) -> None:
        self.stores.servers.up([name])
        self.shard.redis.connection_pool.disconnect()

    # ------------------------------------------------------------------------------------------------- the clock

    @rule(by_ms=st.sampled_from([1, 25, 25, HOUR_MS, HOUR_MS, 24 * HOUR_MS, -25, -HOUR_MS]))
    def clock_jumps(self, by_ms: int) -> None:
        """Redis's clock jumps: holds end at once, or last longer; windows open, and close."""
        if self.stores.clock is not None:
            self.stores.clock.move(by_ms)
            self.stores.bites["clock moved"] += 1

    # ------------------------------------------------------------------------------------------ losses and damage

    @rule()
    def back_up(self) -> None:
        """Somebody keeps what Redis holds."""
        contents = {name: self.shard.redis.dump(name) for name in self.shard.keys}
        self.backup = {name: content for name, content in contents.items() if content is not None}
        self.backup_head = self.model.head

    @rule(how=st.sampled_from(["halted", "flushed", "set back", "set back"]))
    def recover(self, how: str) -> None:
        """Redis loses some or all of what Postgres has, or somebody says that it did: the log is founded anew."""
        if not self.model.seq or (how == "set back" and self.backup_head in {self.model.head, "0-0"}):
            return
        fence = self.model.head
        if how == "halted":
            fence = f"{self.model.epoch}-{self.model.seq + 1}"
        else:
            self.drain()
            self.stores.side.redis.flushall()
        if how == "set back":
            for name, content in self.backup.items():
                self.shard.redis.restore(name, 0, content)
        assert self.shard.run("cancel", "0-nobody", "-", fence=fence).words == [Code.LOG_REGRESSED]
        done = mended(self.stores.side, self.place)
        assert (done.done, done.carried, done.left_out) == (True, 0, [])
        self.model.epoch, self.model.seq = done.position
        self.stores.bites[f"recovered, {how}"] += 1

    @rule(damage=st.sampled_from([*HOT_DAMAGE, *ROW_DAMAGE]))
    def damage_and_mend(self, damage: str | tuple[str, ...]) -> None:
        """Somebody tampers with what is derived from the log, and reconcile puts it right."""
        if not self.model.orders:
            return
        self.drain()
        side = self.stores.side
        if isinstance(damage, str):
            side.postgres.execute(damage.encode())
        else:
            side.redis.execute_command(*self._words(damage, shard_keys(*self.place)))
        servers = Shop(side.client, side.log, side.postgres)
        report = examine(servers, self.place, timeout_s=TIMEOUT_S).report
        items = [Item.of(self.place, finding) for finding in report.findings]
        outcomes = apply_plan(servers, items, timeout_s=TIMEOUT_S)
        assert {outcome.result for outcome in outcomes} <= {"mended"}, outcomes
        self.stores.bites["mended"] += bool(outcomes)
        assert not examine(servers, self.place, timeout_s=TIMEOUT_S).report.findings

    def _words(self, damage: tuple[str, ...], keys: ShardKeys) -> list[str]:
        name, order = next(iter(self.model.orders.items()))
        found = {"NAME": name, "SKU": order.sku, "HOLDER": f"{order.buyer} {order.sku}"}
        command, key, *words = damage
        return [command, getattr(keys, key), *(found.get(word, word) for word in words)]
