"""The master's process dies, hangs or forgets; it comes back with everything it acknowledged."""

from __future__ import annotations

import signal
import time

from tests.fixtures.machine import Field
from tests.torture.faults.registry import fault, needs_library
from tests.torture.patience import came_true, pause
from tests.torture.schedule import Planned
from tests.torture.world import World


@fault("redis-killed", "processes died")
def killed(world: World, planned: Planned) -> int:
    died = world.master.kill() == -signal.SIGKILL
    pause(planned.lot * 2)
    world.master.restart()
    return int(died)


@fault("redis-stopped", "pings without an answer")
def stopped(world: World, planned: Planned) -> int:
    world.master.send(signal.SIGSTOP)
    try:
        silent = not world.master.answers()
        pause(planned.lasts_s)
    finally:
        world.master.send(signal.SIGCONT)
    came_true(world.master.answers, 10)
    return int(silent)


@fault("killed-in-rewrite", "kills within a rewrite of the AOF", needs_library)
def killed_in_rewrite(world: World, planned: Planned) -> int:
    # A small log is rewritten in milliseconds: its fsyncs are slow meanwhile.
    world.master.control[Field.FSYNC_DELAY_US] = 200_000
    with world.redis(5) as commands:
        commands.bgrewriteaof()

        def rewriting() -> bool:
            info = commands.info("persistence")
            return bool(info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])

        within = came_true(rewriting, 2)
    world.master.kill()
    world.master.control.heal()
    pause(planned.lot)
    world.master.restart()
    return int(within)


@fault("scripts-flushed", "scripts that were asked for and gone")
def scripts_flushed(world: World, planned: Planned) -> int:
    with world.redis() as commands:

        def missed() -> int:
            found = commands.info("errorstats").get("errorstat_NOSCRIPT", {})
            return int(found.get("count", 0)) if isinstance(found, dict) else 0

        before = missed()
        commands.script_flush()
        came_true(lambda: missed() > before, 5)
        return missed() - before


@fault("clock-stepped", "readings of a wrong clock", needs_library)
def clock_stepped(world: World, planned: Planned) -> int:
    step_ms = int((planned.lot - 0.5) * 40_000)
    step_ms += 2_000 if step_ms >= 0 else -2_000
    world.master.control[Field.CLOCK_OFFSET_MS] = step_ms
    wrong = 0
    try:
        for _ in range(5):
            pause(planned.lasts_s / 5)
            with world.redis() as commands:
                seconds, _microseconds = commands.time()
            wrong += abs(seconds - time.time()) > 1
    finally:
        world.master.control.heal()
    return wrong
