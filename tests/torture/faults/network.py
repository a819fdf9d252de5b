"""The proxies between shops, daemons, gateways and servers do what a bad network does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flashsale.gateway import problems
from tests.fixtures.proxy import Mode, Proxy
from tests.torture.faults.registry import Run, fault
from tests.torture.http_door import BROKEN
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
#: What a shop sends to a gateway.
POST = b"POST"
#: What a proxy counts in each mode, and what that is called.
COUNTED = {
    Mode.CUT_REPLY: ("replies_cut", "replies lost"),
    Mode.RESET: ("resets", "connections reset"),
    Mode.BLACK_HOLE: ("swallowed", "messages swallowed"),
    Mode.DELAY: ("replies_delayed", "replies late"),
}


class Heard(NamedTuple):
    """Why shops over HTTP have no answer when it bites."""

    evidence: str
    words: tuple[str, ...]


WITHOUT_REDIS = Heard(
    "requests over HTTP told unknown or unavailable",
    (problems.UNKNOWN_OUTCOME.slug, problems.UNAVAILABLE.slug),
)
WITHOUT_GATEWAY = Heard("requests over HTTP that broke", (BROKEN,))


def _bad_network(which: Callable[[World], Proxy], mode: Mode, telling: bytes, words: tuple[str, ...]) -> Run:
    """`telling`: what the requests that matter contain. `words`: of these, one must be heard; none: of no matter."""

    def run(world: World, planned: Planned) -> int:
        proxy = which(world)

        def done() -> int:
            return int(getattr(proxy.counts, COUNTED[mode][0]))

        def heard() -> int:
            return world.front.seen(words)

        done_before, heard_before = done(), heard()
        delay_s = DELAY_S[0] + planned.lot * (DELAY_S[1] - DELAY_S[0])
        # A reply can only be lost of a request that came through: the first one on a connection is a greeting.
        only = mode is Mode.CUT_REPLY or (planned.lot < 0.5 and telling == EVALSHA)
        proxy.behave(mode, when=telling if only else b"", delay_s=delay_s)
        try:
            pause(planned.lasts_s)
            came_true(lambda: done() > done_before and (not words or heard() > heard_before), BITE_TIMEOUT_S)
        finally:
            proxy.heal()
        done_now = done() - done_before
        return done_now and heard() - heard_before if words else done_now

    return run


def _register(
    name: str,
    which: Callable[[World], Proxy],
    mode: Mode,
    telling: bytes = EVALSHA,
    heard: Heard | None = None,
) -> None:
    evidence = heard.evidence if heard else COUNTED[mode][1]
    fault(name, evidence)(_bad_network(which, mode, telling, heard.words if heard else ()))


def _shops(world: World) -> Proxy:
    return world.shop_redis


def _daemons(world: World) -> Proxy:
    return world.daemon_redis


def _postgres(world: World) -> Proxy:
    return world.postgres_proxy


def _gateways(world: World) -> Proxy:
    return world.front.redis


def _http(world: World) -> Proxy:
    return world.front.http


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
_register("gateway-replies-lost", _gateways, Mode.CUT_REPLY, heard=WITHOUT_REDIS)
_register("gateway-reset", _gateways, Mode.RESET, heard=WITHOUT_REDIS)
_register("gateway-black-hole", _gateways, Mode.BLACK_HOLE, heard=WITHOUT_REDIS)
_register("http-replies-lost", _http, Mode.CUT_REPLY, POST, WITHOUT_GATEWAY)
_register("http-reset", _http, Mode.RESET, POST, WITHOUT_GATEWAY)


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
