"""The draw of a line: every place once, found from either side, and looking like chance."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashsale.room import Shuffle

SEED = "5eed" * 16
#: Of the first draw that was ever made with it.
PLACES = [9, 7, 2, 3, 0, 10, 11, 8, 4, 1, 5, 6]
seeds = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(st.integers(0, 300), seeds)
def test_every_place_is_given_once(count: int, seed: str) -> None:
    shuffle = Shuffle("sale", count, seed)

    assert sorted(map(shuffle.place_of, range(count))) == [*range(count)]


@given(st.integers(1, 2**24), seeds, st.data())
def test_the_way_back_leads_to_the_ticket(count: int, seed: str, data: st.DataObject) -> None:
    shuffle = Shuffle("sale", count, seed)
    ticket = data.draw(st.integers(0, count - 1))

    assert 0 <= shuffle.place_of(ticket) < count
    assert shuffle.ticket_at(shuffle.place_of(ticket)) == ticket


def test_later_tickets_are_their_places() -> None:
    shuffle = Shuffle("sale", 10, SEED)

    assert [shuffle.place_of(n) for n in (10, 11, 500)] == [10, 11, 500]
    assert [shuffle.ticket_at(n) for n in (10, 11, 500)] == [10, 11, 500]
    assert Shuffle("sale", 0, SEED).place_of(0) == 0


def test_places_that_were_once_told_stay() -> None:
    """Somebody may have written theirs down: these numbers never change."""
    assert [Shuffle("sale", 12, SEED).place_of(n) for n in range(12)] == PLACES


@pytest.mark.parametrize(
    "other", [Shuffle("other", 12, SEED), Shuffle("sale", 13, SEED), Shuffle("sale", 12, "5" * 64)]
)
def test_another_sale_number_or_seed_is_another_draw(other: Shuffle) -> None:
    assert [other.place_of(n) for n in range(12)] != PLACES


@pytest.mark.parametrize("count", [2, 3, 10])
def test_no_ticket_is_favoured(count: int) -> None:
    """Over many seeds each ticket has each place about as often: within five standard deviations."""
    draws = 2_000
    seen = Counter(
        (ticket, Shuffle("sale", count, f"{seed:064x}").place_of(ticket))
        for seed in range(draws)
        for ticket in range(count)
    )
    expected = draws / count
    spread = 5 * (expected * (1 - 1 / count)) ** 0.5
    assert len(seen) == count * count
    assert all(abs(times - expected) < spread for times in seen.values())


def test_to_come_early_is_no_help() -> None:
    """The mean place of the first tenth is the middle, within five standard deviations of a random tenth."""
    count = 10_000
    shuffle = Shuffle("sale", count, SEED)
    mean = sum(shuffle.place_of(n) for n in range(count // 10)) / (count // 10)

    assert abs(mean - count / 2) < 5 * (count / 12**0.5) / (count // 10) ** 0.5
