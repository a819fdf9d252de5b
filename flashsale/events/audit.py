"""The fold of a log for whoever must know what was done, also where the log contradicts itself.

The truth of a log is what its events did, not the counters they carry. Somebody who rewrites a hot counter makes the
scripts tell wrong counters from then on: `evolve` refuses the first such event, an `Audit` remembers it and adds on.
"""

from __future__ import annotations

import msgspec

from flashsale.events import types as t
from flashsale.events.evolution import evolve
from flashsale.events.state import InvariantBroken, ShardState
from flashsale.ids import Position

#: Broken rules that are kept; a counter that was rewritten makes every later event of its SKU one.
NOTED_MAX = 100

#: Available, held, sold, returned.
Counters = tuple[int, int, int, int]


class Astray(msgspec.Struct, frozen=True):
    """A stretch of the log in which the counters that a SKU's events carry differ from their sum, by the same."""

    #: of the first such event
    since: Position
    #: told, less what the log adds up to
    by: Counters


class Told(msgspec.Struct, frozen=True):
    """A SKU after one of its events, as the deltas add up."""

    position: Position
    counters: Counters
    capacity: int


class Audit:
    """Folds events by what they did. `state` is the sum so far."""

    def __init__(self) -> None:
        self.state = ShardState()
        #: the first broken rules
        self.noted: list[InvariantBroken] = []
        #: SKUs whose newest event carries counters that differ from the sum
        self.astray: dict[str, Astray] = {}
        #: each SKU after its newest event that was not withheld
        self.told: dict[str, Told] = {}

    def add(self, position: Position, event: t.AnyEvent, *, withheld: bool = False) -> None:
        """One more event; `withheld`: Postgres keeps its effect back, it is a dead letter.

        Raises `InvariantBroken` when it cannot be said what the event did: a gap, an unknown order, a second beginning.
        """
        self.state = evolve(self.state, position, event, self._note)
        if isinstance(event, t.OrderEvent | t.StockLoaded | t.StockAdded | t.StockRemoved):
            self._compare(position, event, withheld=withheld)

    def skip(self, position: Position) -> None:
        """An entry that is no event: nothing is known of what it did."""
        self.state.position = position

    def _note(self, broken: InvariantBroken) -> None:
        if len(self.noted) < NOTED_MAX:
            self.noted.append(broken)

    def _compare(
        self,
        position: Position,
        event: t.OrderEvent | t.StockLoaded | t.StockAdded | t.StockRemoved,
        *,
        withheld: bool,
    ) -> None:
        stock = self.state.stock[event.sku]
        counters = (stock.available, stock.held, stock.sold, stock.returned)
        if not withheld:
            self.told[event.sku] = Told(position, counters, stock.capacity)
        told = (event.available, event.held, event.sold, event.returned)
        if told == counters:
            self.astray.pop(event.sku, None)
            return
        by = (told[0] - counters[0], told[1] - counters[1], told[2] - counters[2], told[3] - counters[3])
        before = self.astray.get(event.sku)
        if before is None or before.by != by:
            self.astray[event.sku] = Astray(position, by)
