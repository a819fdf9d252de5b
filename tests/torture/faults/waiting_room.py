"""An operator has buyers wait for a while: each order needs a pass then."""

from __future__ import annotations

from tests.torture.faults.registry import fault
from tests.torture.http_door import ADMITTED
from tests.torture.operations import set_room
from tests.torture.patience import came_true, pause
from tests.torture.schedule import Planned
from tests.torture.world import World

#: Nobody is called while the sale is halted, and fewer while Postgres is behind.
BITE_TIMEOUT_S = 25


@fault("room-opened", "orders placed over HTTP with a pass")
def room_opened(world: World, planned: Planned) -> int:
    before = world.front.seen([ADMITTED])
    set_room(world, "open")
    pause(planned.lasts_s)
    came_true(lambda: world.front.seen([ADMITTED]) > before, BITE_TIMEOUT_S)
    set_room(world, "pass-through")
    return world.front.seen([ADMITTED]) - before
