"""What may be asked of a replay, and what came of it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from flashsale.ids import START, Position
from flashsale.projections.drain import Onlooker
from flashsale.projections.rebuilt import Difference
from flashsale.projections.versions import PROJECTION_VERSIONS

ALL = tuple(PROJECTION_VERSIONS)


class Stopped(Exception):
    """Somebody asked to stop; what is committed stays, and the same command goes on from there."""


class Watcher(Onlooker, Protocol):
    """Who looks on, and may stop it between two chunks by raising `Stopped`."""

    def begin(self, sale: str, done: int, total: int) -> None: ...


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done for one sale."""

    sale: str
    #: swap, verify, until or in-place
    mode: str = "swap"
    names: tuple[str, ...] = ALL
    #: a position, or a time in ms
    until: Position | int | None = None
    #: the same as it was written
    until_text: str | None = None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it; `--json` prints exactly this."""

    sale: str
    #: empty, dropped (archived, its events are gone), swapped, verified, kept (a past moment) or rebuilt (in place)
    outcome: str
    position: str = str(START)
    #: events built by this process
    events: int = 0
    seconds: float = 0.0
    #: rows in which the live tables differed from the new ones, by projection
    differences: dict[str, int] = {}
    shown: list[Difference] = []
    #: of the rebuilt state; "" for an empty sale
    state_hash: str = ""
    #: of the live tables before
    live_hash: str = ""
    #: of a past moment: the tables that hold it, its stock, and its orders and units by status
    tables: dict[str, str] = {}
    stock: dict[str, dict[str, int]] = {}
    orders: dict[str, tuple[int, int]] = {}

    @property
    def differing(self) -> int:
        return sum(self.differences.values())
