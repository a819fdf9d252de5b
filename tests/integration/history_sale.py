"""Hold a short sale on a real server, with every kind of answer in it, over a network that loses some."""

from __future__ import annotations

import asyncio
from pathlib import Path

from flashsale.client import AsyncClient, Client
from flashsale.client_history import open_history
from flashsale.commands import (
    Cancel,
    Close,
    Code,
    Confirm,
    Expire,
    Item,
    Load,
    Open,
    Pause,
    Reconfigure,
    Refund,
    Reserve,
    Restock,
    Resume,
)
from flashsale.errors import UnknownOutcome
from tests.fixtures.proxy import Mode, Proxy
from tests.helpers import wait_until
from tests.integration.history_kit import (
    AT_ONCE,
    BUYERS,
    CASE,
    PHONE,
    SALE,
    Crowd,
    Desk,
    Recorded,
    exported,
    lines_of,
    order,
)


async def rush(proxy: Proxy, directory: Path) -> int:
    """Everybody wants to buy; returns how many replies the buyers missed."""
    with (
        open_history(directory / "shop-a", "shop-a") as a_history,
        open_history(directory / "shop-b", "shop-b") as b_history,
    ):
        async with (
            AsyncClient(proxy.url, by="shop-a", batch_max=2) as a_client,
            AsyncClient(proxy.url, by="shop-b", batch_max=2) as b_client,
        ):
            crowds = [Crowd(a_client, a_history), Crowd(b_client, b_history, forgets_unknown=True)]
            numbers = iter(range(BUYERS))

            async def queue(crowd: Crowd) -> None:
                for number in numbers:
                    if number in (BUYERS // 6, BUYERS // 3):
                        proxy.behave(Mode.CUT_REPLY, when=b"EVALSHA", times=2)
                    if number == BUYERS // 2:
                        proxy.behave(Mode.RESET, when=b"EVALSHA", times=2)
                    await crowd.buy(number)

            await asyncio.gather(*(queue(crowds[i % 2]) for i in range(AT_ONCE)))
    return sum(crowd.unknown for crowd in crowds)


def begin(desk: Desk) -> None:
    """A sale that is open, with what is refused before it is."""
    load = Load((Item(PHONE, 40, 2), Item(CASE, 20)), hold_ms=1_000)
    assert desk.control(load).code is Code.LOADED
    assert desk.control(load).code is Code.ALREADY_LOADED
    desk.expect(Reserve(order(9_000), "early", PHONE), Code.NOT_OPEN)
    assert desk.control(Open(at_once=True)).code is Code.OPENED


def afterwards(desk: Desk, killed: Desk, proxy: Proxy) -> None:
    """Every kind of answer that the rush may have left out, one after the other."""
    more = Restock("more-phones", "add", PHONE, 9)
    assert desk.control(more).code is Code.RESTOCKED
    assert desk.control(more).repeated
    assert desk.control(Restock("more-phones", "add", PHONE, 8)).code is Code.CONFLICT

    greedy = Reserve(order(9_100), "greedy", PHONE, 2)
    desk.expect(greedy, Code.RESERVED)
    desk.expect(Reserve(order(9_101), "greedy", PHONE), Code.LIMIT)
    desk.expect(Refund(greedy.order_id), Code.WRONG_STATE)
    desk.expect(Reserve(greedy.order_id, "greedy", PHONE, 1), Code.CONFLICT)
    desk.expect(Reserve(order(9_102), "ada", "tablet"), Code.UNKNOWN_SKU)
    desk.expect(Confirm(order(9_103)), Code.NOT_FOUND)

    lost_to_a_kill = Reserve(order(9_104), "killed", PHONE)
    killed.history.invoked(SALE, lost_to_a_kill)
    proxy.behave(Mode.CUT_REPLY, when=b"EVALSHA", times=1)
    try:
        killed.client.execute(SALE, [lost_to_a_kill])
    except UnknownOutcome:
        pass
    else:
        raise AssertionError("the reply was to be cut")

    desk.control(Pause())
    desk.expect(Reserve(order(9_105), "ada", PHONE), Code.PAUSED)
    desk.control(Resume())

    late, due = Reserve(order(9_106), "late", PHONE), Reserve(order(9_107), "due", PHONE)
    desk.expect(late, Code.RESERVED)
    desk.expect(due, Code.RESERVED)
    desk.expect(Cancel(due.order_id), Code.CANCELLED)
    desk.expect(Confirm(due.order_id), Code.REFUND_DUE)
    desk.expect(Refund(due.order_id), Code.REFUNDED)
    desk.expect(Confirm(due.order_id), Code.WRONG_STATE)

    wait_until(lambda: holds_have_ended(desk.client))
    desk.expect(Confirm(late.order_id), Code.CONFIRMED)
    desk.expect(Cancel(late.order_id), Code.WRONG_STATE)
    desk.expect(Refund(late.order_id, units="keep"), Code.REFUNDED)
    desk.expect(Refund(late.order_id, units="restock"), Code.CONFLICT)
    sell_out(desk)


def sell_out(desk: Desk) -> None:
    """Sold out, on sale again, sold out again; then a limit, and the end."""
    first, second, third = (Reserve(order(9_200 + i), f"last-{i}", PHONE) for i in range(3))
    left = desk.client.snapshot(SALE).state.stock[PHONE].available
    assert desk.control(Restock("too-many", "remove", PHONE, left + 1)).code is Code.NOT_ENOUGH
    desk.control(Restock("all-gone", "remove", PHONE, left))
    desk.expect(first, Code.SOLD_OUT)
    desk.control(Restock("some-more", "add", PHONE, 3))
    desk.expect(second, Code.RESERVED)
    desk.expect(first, Code.RESERVED)
    desk.control(Restock("gone-again", "remove", PHONE, 1))
    desk.expect(third, Code.SOLD_OUT)
    desk.expect(first, Code.RESERVED)
    desk.expect(Confirm(second.order_id), Code.CONFIRMED)

    desk.control(Reconfigure(limits=((PHONE, 0), (CASE, 1))))
    desk.control(Restock("cases", "add", CASE, 5))
    desk.expect(Reserve(order(9_300), "bob", CASE), Code.RESERVED)
    desk.expect(Reserve(order(9_301), "bob", CASE), Code.LIMIT)
    desk.control(Close())
    desk.expect(Reserve(order(9_302), "ada", CASE), Code.CLOSED)
    assert desk.control(Restock("too-late", "add", CASE, 5)).code is Code.WRONG_STATE


def holds_have_ended(client: Client) -> bool:
    client.expire(SALE, Expire())
    return client.snapshot(SALE).hold_count == 0


def record(redis_url: str, directory: Path) -> Recorded:
    """Hold a whole sale on an empty Redis."""
    with (
        Proxy(redis_url) as proxy,
        Client(redis_url, by="desk") as direct,
        Client(proxy.url, by="killed") as bad_line,
        open_history(directory / "desk", "desk") as desk_history,
        open_history(directory / "killed", "killed") as killed_history,
    ):
        desk, killed = Desk(direct, desk_history), Desk(bad_line, killed_history)
        begin(desk)
        assert asyncio.run(rush(proxy, directory)) > 3
        proxy.heal()
        killed.ask(Confirm(order(9_103)))  # loads its script: what is cut next is the request itself
        afterwards(desk, killed, proxy)
    names = ("shop-a", "shop-b", "desk", "killed")
    return Recorded(exported(redis_url), {name: lines_of((directory / name).read_bytes()) for name in names})
