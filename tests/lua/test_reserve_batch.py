"""reserve: many requests in one step are decided one after the other, as if they had come alone."""

from flashsale.events.types import OrderReserved
from tests.lua.kit import Argument, Shard


def flat(*requests: tuple[Argument, ...]) -> list[Argument]:
    """The requests as a script takes them."""
    return [value for request in requests for value in request]


def test_the_first_ones_win_until_nothing_is_left(shard: Shard) -> None:
    shard.sell(("A", 3))

    result = shard.run("reserve", *flat(*((f"0-order-{i}", f"buyer-{i}", "A", 1) for i in range(5))))

    assert result.words == ["RESERVED"] * 3 + ["SOLD_OUT"] * 2
    assert [answer.split(" ")[1] for answer in result.answers] == ["1-4", "1-5", "1-6", "1-6", "1-6"]
    assert result.position == "1-6"
    assert shard.counters() == (0, 3, 0, 0)


def test_a_smaller_order_may_win_after_a_larger_one_was_refused(shard: Shard) -> None:
    shard.sell(("A", 3))

    result = shard.run(
        "reserve",
        *flat(("0-a", "ann", "A", 2), ("0-b", "bob", "A", 2), ("0-c", "cid", "A", 1), ("0-d", "dan", "A", 1)),
    )

    assert result.words == ["RESERVED", "SOLD_OUT", "RESERVED", "SOLD_OUT"]
    assert [result.answers[1], result.answers[3]] == ["SOLD_OUT 1-4 1", "SOLD_OUT 1-5 0"]


def test_skus_do_not_mix(shard: Shard) -> None:
    shard.sell(("A", 1), ("B", 2))

    result = shard.run(
        "reserve",
        *flat(
            ("0-a", "ann", "A", 1),
            ("0-b", "ann", "B", 2),
            ("0-c", "bob", "A", 1),
            ("0-d", "bob", "B", 1),
            ("0-e", "bob", "C", 1),
        ),
    )

    assert result.words == ["RESERVED", "RESERVED", "SOLD_OUT", "SOLD_OUT", "UNKNOWN_SKU"]
    assert (shard.counters("A"), shard.counters("B")) == ((0, 1, 0, 0), (0, 2, 0, 0))
    told = [event for _, event in shard.log() if isinstance(event, OrderReserved)]
    assert [(event.sku, event.available, event.held) for event in told] == [("A", 0, 1), ("B", 0, 2)]


def test_the_same_request_twice_is_carried_out_once(shard: Shard) -> None:
    shard.sell(("A", 5))

    first, second = shard.run("reserve", *flat(*[("0-same", "ann", "A", 2)] * 2)).answers

    assert second == f"{first} held"
    assert shard.counters() == (3, 2, 0, 0)


def test_the_same_id_with_another_content_is_a_conflict(shard: Shard) -> None:
    shard.sell(("A", 5))

    result = shard.run(
        "reserve", *flat(("0-same", "ann", "A", 1), ("0-same", "bob", "A", 1), ("0-same", "ann", "A", 2))
    )

    assert result.words == ["RESERVED", "CONFLICT", "CONFLICT"]
    assert shard.counters() == (4, 1, 0, 0)


def test_the_limit_holds_within_a_batch(shard: Shard) -> None:
    shard.sell(("A", 9, 2))
    shard.reserve("0-before", "ann")

    result = shard.run(
        "reserve",
        *flat(("0-a", "ann", "A", 1), ("0-b", "ann", "A", 1), ("0-c", "bob", "A", 2), ("0-d", "bob", "A", 1)),
    )

    assert result.words == ["RESERVED", "LIMIT", "RESERVED", "LIMIT"]
    assert [answer for answer in result.answers if answer.startswith("LIMIT")] == [
        "LIMIT 1-5 2",
        "LIMIT 1-6 2",
    ]


def test_a_buyer_named_like_two_words_does_not_share_a_limit(shard: Shard) -> None:
    """Units are kept under "buyer SKU"; neither may hold a space."""
    shard.sell(("A", 9, 1), ("A-A", 9, 1))

    result = shard.run("reserve", *flat(("0-a", "x", "A-A", 1), ("0-b", "x-A", "A", 1), ("0-c", "x", "A", 1)))

    assert result.words == ["RESERVED"] * 3


def test_repeats_fresh_ones_and_refusals_mix(shard: Shard) -> None:
    shard.sell(("A", 2))
    old = shard.reserve("0-old")

    result = shard.run(
        "reserve", *flat(("0-new", "bob", "A", 1), ("0-old", "ann", "A", 1), ("0-late", "cid", "A", 1))
    )

    assert result.words == ["RESERVED", "RESERVED", "SOLD_OUT"]
    assert result.answers[1] == f"{old} held"


def test_a_thousand_requests_fit(shard: Shard) -> None:
    shard.sell(("A", 999))

    result = shard.run("reserve", *flat(*((f"0-order-{i}", f"buyer-{i}", "A", 1) for i in range(1000))))

    assert result.words == ["RESERVED"] * 999 + ["SOLD_OUT"]
    assert shard.counters() == (0, 999, 0, 0)


def test_a_sold_out_batch_does_not_need_the_log(shard: Shard) -> None:
    """Refusals are cheap: the log is looked at only when something could be sold."""
    shard.sell(("A", 1))
    shard.reserve("0-first")
    shard.damage("DEL", shard.keys.events)

    assert shard.reserve("0-second", "bob") == "SOLD_OUT 1-4 0"
    shard.damage("HSET", shard.keys.stock, "A", "1 1 0 0 0")
    assert shard.reserve("0-second", "bob") == "LOG_REGRESSED 1-4"
