"""The waiting rooms, as the one task that looks at the sales saw them last: whoever waits is answered from here."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from flashsale.commands import RoomSettings, RoomState, Snapshot, Standing
from flashsale.errors import BadInput
from flashsale.gateway import messages
from flashsale.gateway.messages import QueueState, SaleState
from flashsale.gateway.polling import USUAL_MS, heartbeat_after_ms, line_poll_after_ms
from flashsale.ids import Position
from flashsale.room.chance import Supply, chance
from flashsale.room.lag import Lag
from flashsale.room.speed import Speed


class View(msgspec.Struct, frozen=True):
    """One room at one look."""

    state: RoomState
    settings: RoomSettings
    #: what the sale does: open, scheduled, paused, ...
    word: str
    supply: Supply
    #: when the crowd asks again
    page_ms: int
    speed: Speed
    lag: Lag

    @property
    def moves(self) -> bool:
        """Whether people are being called."""
        return self.word == "open" and self.settings.mode == "open"

    def page(self) -> messages.Room:
        """What everybody may see of it."""
        room = self.state.room
        assert room is not None
        return messages.Room(
            mode=room.mode,
            now_serving=self.state.serving,
            waiting=self.state.waiting,
            message=room.message,
            commitment=room.commitment,
            drawn=room.drawn,
            seed=room.seed or None,
        )

    def waiting(self, sale: str, at: Standing) -> QueueState:
        """What somebody who stands there is told."""
        if at.place is None:
            # The lot decides who is ahead: nobody, or all the others.
            ahead, fewest, most = None, 0, min(max(0, self.state.tickets - 1), self._others(at.ticket))
        else:
            ahead = max(0, at.place - self.state.serving)
            fewest = most = min(ahead, self._others(at.place))
        least_ms, longest_ms = (None, None)
        if ahead is not None and self.moves:
            least_ms, longest_ms = self.speed.wait_ms(ahead)
        is_called = at.place is not None and at.place < self.state.serving
        return QueueState(
            sale=sale,
            state="waiting",
            ticket=at.ticket,
            place=at.place,
            ahead=ahead,
            wait_min_ms=least_ms,
            wait_max_ms=longest_ms,
            chance=chance(fewest, most, self.supply),
            message=self.settings.message,
            poll_after_ms=line_poll_after_ms(self.page_ms, least_ms),
            heartbeat_after_ms=heartbeat_after_ms(
                self.settings.leave_after_ms, page_ms=self.page_ms, is_called=is_called
            ),
        )

    def _others(self, number: int) -> int:
        """People who wait beside the one of this ticket or place, at most; those who came since the look, too."""
        return max(0, self.state.waiting - 1 + max(0, number + 1 - self.state.tickets))


class Rooms:
    """The room of every sale that has one."""

    def __init__(self) -> None:
        self._views: dict[str, View] = {}

    def saw(self, of: SaleState, snapshot: Snapshot, room: RoomState) -> View | None:
        """Take over a look at a sale and its room; None: there is none, or none that flashsale made."""
        try:
            settings = room.settings
        except BadInput:
            return None
        if settings is None:
            return None
        stock = snapshot.state.stock.values()
        available, held = sum(item.available for item in stock), sum(item.held for item in stock)
        supply = Supply(available, held, room.active + room.called)
        before = self._views.get(of.sale)
        speed, lag = (before.speed, before.lag) if before else (Speed(), Lag())
        view = View(room, settings, of.state, supply, of.poll_after_ms, speed, lag)
        self._views[of.sale] = view
        if view.moves and room.waiting:
            speed.saw(room.now_ms, room.serving)
        else:
            speed.forget()
        lag.saw(room.now_ms, room.position)
        return view

    def keep(self, sales: Collection[str]) -> None:
        """Forget all others: they are over, or cannot be seen."""
        for sale in self._views.keys() - set(sales):
            del self._views[sale]

    def demand_pass(self, sale: str) -> bool:
        """Whether an order needs a pass, as far as is known. Redis decides."""
        view = self._views.get(sale)
        return view is not None and view.settings.demands_pass

    def of_open_sales(self) -> Iterator[str]:
        """The sales whose line may move."""
        return iter([sale for sale, view in self._views.items() if view.word == "open"])

    def lag_ms(self, sale: str, recorded: Position) -> int:
        """How far Postgres, which has the log up to `recorded`, is behind it."""
        view = self._views.get(sale)
        return 0 if view is None else view.lag.age_ms(view.state.now_ms, recorded)

    def waiting(self, sale: str, at: Standing) -> QueueState:
        """What somebody is told who stands there by the word of Redis."""
        view = self._views.get(sale)
        if view is not None:
            return view.waiting(sale, at)
        # A room that was made a moment ago.
        return QueueState(
            sale=sale,
            state="waiting",
            ticket=at.ticket,
            place=at.place,
            poll_after_ms=USUAL_MS,
            heartbeat_after_ms=USUAL_MS,
        )

    def message(self, sale: str) -> str:
        """What the shop says to those who wait."""
        view = self._views.get(sale)
        return "" if view is None else view.settings.message

    def poll_after_ms(self, sale: str) -> int:
        """When the crowd asks again."""
        view = self._views.get(sale)
        return USUAL_MS if view is None else view.page_ms
