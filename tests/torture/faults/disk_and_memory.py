"""The master's disk is slow, fails or is full, or its memory ends: nothing is acknowledged that is not kept."""

from __future__ import annotations

import errno

from tests.fixtures.machine import Field
from tests.torture.faults.registry import fault, needs_library, needs_small_disk
from tests.torture.patience import came_true, pause
from tests.torture.schedule import Planned
from tests.torture.world import World

#: Nobody writes while the sale is halted or the shops are cut off.
BITE_TIMEOUT_S = 25
MEMORY_BYTES = 1024 * 1024


def _slow(world: World, planned: Planned) -> None:
    world.master.control[Field.FSYNC_DELAY_US] = int(100_000 + planned.lot * 900_000)


@fault("fsync-slow", "fsyncs that took long", needs_library)
def fsync_slow(world: World, planned: Planned) -> int:
    control = world.master.control
    before = control[Field.FSYNCS_DELAYED]
    _slow(world, planned)
    pause(planned.lasts_s)
    came_true(lambda: control[Field.FSYNCS_DELAYED] > before, BITE_TIMEOUT_S)
    control.heal()
    return control[Field.FSYNCS_DELAYED] - before


@fault("fsync-slow-killed", "kills within an fsync", needs_library)
def fsync_slow_killed(world: World, planned: Planned) -> int:
    control = world.master.control
    before = control[Field.FSYNCS_DELAYED]
    _slow(world, planned)
    within = came_true(lambda: control[Field.FSYNCS_DELAYED] > before, BITE_TIMEOUT_S)
    # Near its end: what would be acknowledged before it is on disk has been by now.
    pause(control[Field.FSYNC_DELAY_US] / 1_000_000 * 0.8)
    world.master.kill()
    control.heal()
    pause(planned.lot)
    world.master.restart()
    return int(within)


@fault("fsync-fails", "fsyncs that failed, and ended the server", needs_library)
def fsync_fails(world: World, planned: Planned) -> int:
    control = world.master.control
    before = control[Field.FSYNCS_FAILED]
    control[Field.FSYNC_ERRNO] = errno.EIO
    died = came_true(lambda: not world.master.is_running, BITE_TIMEOUT_S)
    control.heal()
    if not died:
        return 0
    # docs/runbook.md, Disk full: make room, start Redis; it has everything that was acknowledged.
    pause(planned.lot)
    world.master.restart()
    return control[Field.FSYNCS_FAILED] - before


@fault("disk-full", "servers that ended for want of room", needs_small_disk)
def disk_full(world: World, planned: Planned) -> int:
    world.master.disk.fill()
    died = came_true(lambda: not world.master.is_running, BITE_TIMEOUT_S)
    pause(planned.lot)
    world.master.disk.make_room()
    if died:
        world.master.restart()
    return int(died)


@fault("out-of-memory", "commands refused for want of memory")
def out_of_memory(world: World, planned: Planned) -> int:
    with world.redis(5) as commands:

        def refused() -> int:
            found = commands.info("errorstats").get("errorstat_OOM", {})
            return int(found.get("count", 0)) if isinstance(found, dict) else 0

        before = refused()
        commands.config_set("maxmemory", MEMORY_BYTES)
        try:
            pause(planned.lasts_s)
            came_true(lambda: refused() > before, BITE_TIMEOUT_S)
        finally:
            commands.config_set("maxmemory", 0)
        return refused() - before
