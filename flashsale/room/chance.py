"""What a place in the line is worth: whether anything can be left when its turn comes, and nothing nicer than that."""

from __future__ import annotations

from typing import Literal

import msgspec

Chance = Literal["good", "uncertain", "none"]


class Supply(msgspec.Struct, frozen=True):
    """What there is, and who may take it before anybody in the line."""

    #: units on sale now
    available: int
    #: units of orders that are not paid: they may come back
    held: int
    #: buyers who have been let in, or called, and have not ordered
    active: int


def chance(fewest_ahead: int, most_ahead: int, supply: Supply) -> Chance:
    """Of somebody with so many ahead; each buyer is taken to want one unit.

    good: less would be taken than is on sale, if everybody who may come first did. none: those ahead are enough to take
    everything, even if every hold came back.
    """
    if fewest_ahead >= supply.available + supply.held:
        return "none"
    return "good" if most_ahead + supply.active < supply.available else "uncertain"
