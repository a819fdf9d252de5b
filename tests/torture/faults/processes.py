"""Projectors, the sweeper, the gateway and shops are killed, or hang and come back."""

from __future__ import annotations

import signal

from tests.torture.faults.registry import fault
from tests.torture.fleet import Fleet
from tests.torture.http_door import BROKEN, PATIENCE_S, SILENT
from tests.torture.patience import came_true, pause
from tests.torture.schedule import Planned
from tests.torture.world import World

#: One projector in four that hangs does so for longer than its lease lasts.
LEASE_S = 21
#: Nobody may ask for anything meanwhile: the sale is halted.
BITE_TIMEOUT_S = 25


def _kill(fleet: Fleet, kind: str, planned: Planned) -> int:
    slots = fleet.of_kind(kind)
    slot = slots[int(planned.lot * len(slots))]
    came_true(lambda: slot.is_running, 10)
    return int(fleet.kill(slot))


def _stop(fleet: Fleet, kind: str, planned: Planned, lasts_s: float) -> int:
    slots = fleet.of_kind(kind)
    slot = slots[int(planned.lot * len(slots))]
    came_true(lambda: slot.is_running, 10)
    hung = fleet.send(slot, signal.SIGSTOP)
    pause(lasts_s)
    fleet.send(slot, signal.SIGCONT)
    return int(hung)


@fault("projector-killed", "processes died")
def projector_killed(world: World, planned: Planned) -> int:
    return _kill(world.daemons, "projector", planned)


@fault("sweeper-killed", "processes died")
def sweeper_killed(world: World, planned: Planned) -> int:
    return _kill(world.daemons, "sweeper", planned)


@fault("shop-killed", "processes died")
def shop_killed(world: World, planned: Planned) -> int:
    return _kill(world.shops, "shop", planned)


@fault("projector-stopped", "processes that hung")
def projector_stopped(world: World, planned: Planned) -> int:
    lasts_s = LEASE_S if int(planned.lot * 1000) % 4 == 0 else planned.lasts_s
    return _stop(world.daemons, "projector", planned, lasts_s)


@fault("sweeper-stopped", "processes that hung")
def sweeper_stopped(world: World, planned: Planned) -> int:
    return _stop(world.daemons, "sweeper", planned, planned.lasts_s)


@fault("shop-stopped", "processes that hung")
def shop_stopped(world: World, planned: Planned) -> int:
    return _stop(world.shops, "shop", planned, planned.lasts_s)


@fault("gateway-killed", "requests over HTTP that broke")
def gateway_killed(world: World, planned: Planned) -> int:
    before = world.front.seen([BROKEN])
    died = _kill(world.gateways, "gateway", planned)
    came_true(lambda: world.front.seen([BROKEN]) > before, BITE_TIMEOUT_S)
    return died and world.front.seen([BROKEN]) - before


@fault("gateway-stopped", "requests over HTTP that nobody answered")
def gateway_stopped(world: World, planned: Planned) -> int:
    (slot,) = world.gateways.of_kind("gateway")
    came_true(lambda: slot.is_running, 10)
    hung = world.gateways.send(slot, signal.SIGSTOP)
    # Whoever gives up later than this was not answered because of it.
    pause(PATIENCE_S)
    before = world.front.seen([SILENT])
    pause(planned.lasts_s)
    came_true(lambda: world.front.seen([SILENT]) > before, BITE_TIMEOUT_S)
    world.gateways.send(slot, signal.SIGCONT)
    return hung and world.front.seen([SILENT]) - before
