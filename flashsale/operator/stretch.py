"""A stretch of a log, read from a place on, in either direction, until enough was found or enough was read."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from flashsale import history
from flashsale.history import Shown
from flashsale.ids import Position
from flashsale.shop import Shop
from flashsale.stream import PAGE_MAX, ShardId


class Bounds(NamedTuple):
    """Where to stop."""

    #: events that are wanted
    found_max: int
    #: events that are read for them
    read_max: int


class Stretch(NamedTuple):
    """What was read. The one before `first` and the one behind `last` are where to go on."""

    #: what was wanted of it, oldest first
    found: list[Shown]
    #: None: nothing was read
    first: Position | None
    last: Position | None
    #: how many were read
    read: int


#: Whether an event is wanted.
Fits = Callable[[Shown], bool]


def backwards(shop: Shop, shard: ShardId, before: Position | None, fits: Fits, bounds: Bounds) -> Stretch:
    """From right before a position; None: from the end of the log."""
    found: list[Shown] = []
    first = last = None
    read = 0
    while read < bounds.read_max and len(found) < bounds.found_max:
        number = min(PAGE_MAX, bounds.read_max - read)
        end = first or before
        page = (
            history.newest(shop.log, shop.connection, shard, number)
            if end is None
            else history.before(shop.log, shop.connection, shard, end, number)
        )
        if not page:
            break
        last = last or page[-1].position
        for shown in reversed(page):
            first, read = shown.position, read + 1
            if fits(shown):
                found.append(shown)
            if len(found) == bounds.found_max:
                break
    return Stretch(found[::-1], first, last, read)


def forwards(shop: Shop, shard: ShardId, after: Position, fits: Fits, bounds: Bounds) -> Stretch:
    """From right behind a position. Raises `Halted` where the log has a gap."""
    found: list[Shown] = []
    first = last = None
    read = 0
    for shown in islice(history.whole(shop.log, shop.connection, shard, after), bounds.read_max):
        first, last, read = first or shown.position, shown.position, read + 1
        if fits(shown):
            found.append(shown)
        if len(found) == bounds.found_max:
            break
    return Stretch(found, first, last, read)
