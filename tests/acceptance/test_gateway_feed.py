"""`flashsale gateway run`: the feed that shoppers follow."""

from __future__ import annotations

from contextlib import ExitStack

import httpx

from tests.acceptance.feed_kit import FEED, following
from tests.acceptance.gateway_kit import (
    Front,
    a_buyer,
    as_buyer,
    as_service,
    logged,
    problem,
)
from tests.helpers import wait_until

FEEDS_MAX = 6
#: A gateway that few may follow.
GATEWAY_OPTIONS = ("--feeds-max", str(FEEDS_MAX))


def test_a_change_is_told_to_all_who_follow(front: Front) -> None:
    with following(front) as one, following(front) as other:
        before = next(one), next(other)

        front.order(quantity=3)

        after = next(one), next(other)
    assert before[0].name == "sale"
    assert before[0].id == before[1].id
    assert before[0].sale["state"] == "open"
    assert after[0] == after[1], "the same message"
    assert after[0].available() == before[0].available() - 3
    assert after[0].id != before[0].id


def test_who_comes_back_is_told_what_was_missed_and_nothing_twice(front: Front) -> None:
    with following(front) as events:
        heard = next(events)
    with following(front, heard=heard.id) as events:
        front.order()
        news = next(events)
    assert news.available() == heard.available() - 1, "what had been heard was not told again"
    with following(front, heard=heard.id) as events:
        assert next(events).id == news.id, "what was missed is told at once"


def test_it_is_for_buyers(front: Front) -> None:
    problem(front.http.get(FEED), 401, "unauthenticated")
    problem(front.http.get(FEED, headers=as_service()), 403, "forbidden")
    problem(front.http.get("/v1/sales/nothing/feed", headers=as_buyer("ada")), 404, "unknown-sale")
    head = front.http.head(FEED, headers=as_buyer("ada"))
    assert (head.status_code, head.content) == (200, b"")


def test_of_many_tabs_of_one_buyer_the_newest_are_kept(front: Front) -> None:
    buyer = a_buyer()
    with ExitStack() as tabs:
        oldest, *others = [tabs.enter_context(following(front, buyer=buyer)) for _ in range(4)]
        assert len(list(oldest)) <= 2, "it ends"
        for tab in others:
            next(tab)
        front.order()
        for tab in others:
            next(tab)


def test_only_so_many_follow_and_who_leaves_makes_room(front: Front) -> None:
    def refused() -> httpx.Response | None:
        with front.http.stream("GET", FEED, headers=as_buyer(a_buyer())) as response:
            return None if response.status_code == 200 else httpx.Response(
                response.status_code, headers=response.headers, content=response.read(), request=response.request
            )  # fmt: skip

    with ExitStack() as stack:
        for _ in range(FEEDS_MAX):
            next(stack.enter_context(following(front)))
        told = refused()
        assert told is not None
        problem(told, 503, "overloaded")
        assert front.order().status_code == 201
    wait_until(lambda: refused() is None, 10, "there is room again")


def test_sigterm_ends_the_feeds_and_waits_for_none(front: Front) -> None:
    with following(front) as events:
        next(events)
        done = front.process.stop()
        assert list(events) == [], "the response is complete"
    assert done.exit_code == 0
    assert logged(front.process)[-1]["action"] == "gateway_stopped"
