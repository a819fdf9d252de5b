"""Who buys: the same orders for every contender."""

from __future__ import annotations

from collections.abc import Iterator


def orders(count: int, first: int = 0) -> Iterator[tuple[int, tuple[str, str]]]:
    """Numbers from `first`, each with an order id as long as a real one, and a buyer who asks once."""
    return ((number, (order_id(number), f"buyer-{number}")) for number in range(first, first + count))


def order_id(number: int) -> str:
    return f"0-{number:022d}"


def pairs(count: int, first: int = 0) -> list[tuple[str, str]]:
    """Order ids and buyers."""
    return [pair for _, pair in orders(count, first)]
