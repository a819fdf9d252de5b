"""The proxies between shops, daemons and servers do what a bad network does."""

from __future__ import annotations

from collections.abc import Callable

from tests.fixtures.proxy import Counts, Mode, Proxy
from tests.torture.faults.registry import Run, fault
from tests.torture.patience import AWAY, came_true, pause
from tests.torture.schedule import Planned
from tests.torture.world import World

#: Nobody may ask for anything meanwhile: the sale is halted, or a server is away.
BITE_TIMEOUT_S = 25
DELAY_S = (0.05, 1.5)
#: What a shop sends.
EVALSHA = b"EVALSHA"
#: What a projector sends to Postgres with every batch.
A_BUYER = b"buyer-"
#: What a proxy counts in each mode, and what that is called.
COUNTED = {
    Mode.CUT_REPLY: ("replies_cut", "replies lost"),
    Mode.RESET: ("resets", "connections reset"),
    Mode.BLACK_HOLE: ("swallowed", "messages swallowed"),
    Mode.DELAY: ("replies_delayed", "replies late"),
}


def _bad_network(which: Callable[[World], Proxy], mode: Mode, telling: bytes) -> Run:
    """`telling`: what the requests that matter contain."""

    def run(world: World, planned: Planned) -> int:
        proxy = which(world)

        def count(counts: Counts) -> int:
            return int(getattr(counts, COUNTED[mode][0]))

        before = count(proxy.counts)
        delay_s = DELAY_S[0] + planned.lot * (DELAY_S[1] - DELAY_S[0])
        # A reply can only be lost of a request that came through: the first one on a connection is a greeting.
        only = mode is Mode.CUT_REPLY or (planned.lot < 0.5 and telling == EVALSHA)
        proxy.behave(mode, when=telling if only else b"", delay_s=delay_s)
        try:
            pause(planned.lasts_s)
            came_true(lambda: count(proxy.counts) > before, BITE_TIMEOUT_S)
        finally:
            proxy.heal()
        return count(proxy.counts) - before

    return run


def _register(name: str, which: Callable[[World], Proxy], mode: Mode, telling: bytes = EVALSHA) -> None:
    fault(name, COUNTED[mode][1])(_bad_network(which, mode, telling))


def _shops(world: World) -> Proxy:
    return world.shop_redis


def _daemons(world: World) -> Proxy:
    return world.daemon_redis


def _postgres(world: World) -> Proxy:
    return world.postgres_proxy


_register("shop-replies-lost", _shops, Mode.CUT_REPLY)
_register("shop-reset", _shops, Mode.RESET)
_register("shop-black-hole", _shops, Mode.BLACK_HOLE)
_register("shop-delayed", _shops, Mode.DELAY)
_register("daemon-reset", _daemons, Mode.RESET, b"")
_register("daemon-black-hole", _daemons, Mode.BLACK_HOLE, b"")
_register("daemon-delayed", _daemons, Mode.DELAY, b"")
_register("postgres-replies-lost", _postgres, Mode.CUT_REPLY, A_BUYER)
_register("postgres-reset", _postgres, Mode.RESET, b"")
_register("postgres-black-hole", _postgres, Mode.BLACK_HOLE, b"")
_register("postgres-delayed", _postgres, Mode.DELAY, b"")


@fault("connections-cut", "connections cut")
def connections_cut(world: World, planned: Planned) -> int:
    cut: list[int] = []

    def kill_all() -> bool:
        try:
            with world.redis() as commands:
                cut.append(int(commands.client_kill_filter(_type="normal", skipme=True)))
        except AWAY:
            return False
        return sum(cut) > 0

    came_true(kill_all, 15)
    return sum(cut)
