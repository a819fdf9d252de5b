"""Rebuild a sale's tables from the log: beside the live ones, compared with them, and put in their place.

The books of a rebuild stand in Postgres and move in the transactions they tell of. Whatever ends the process, the same
command goes on where the last commit was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec

from flashsale.errors import RefusedByState
from flashsale.ids import START, Position
from flashsale.projections import catalog, reads, rebuild, rebuilt, replays
from flashsale.projections.database import Connection
from flashsale.projections.drain import drain
from flashsale.projections.in_place import rebuild_in_place
from flashsale.projections.newer import refuse_newer_archive
from flashsale.projections.projector import Projector
from flashsale.projections.rebuild import OutOfDate
from flashsale.projections.rebuilt import Compared
from flashsale.projections.replays import Live, Run, live_tables, locked
from flashsale.projections.swap import SWAP_EVENTS_MAX, Busy, swap, swap_back
from flashsale.replay.opening import open_run
from flashsale.replay.request import Replayed, Request, Watcher
from flashsale.stream import Log

#: Attempts to swap; each waits for locks at most 0.4 s, and as long until the next. Together about a minute.
SWAP_ATTEMPTS_MAX = 75
SWAP_PAUSE_S = 0.4
#: Rounds of catching up before the comparison: each is shorter than the one before, or the machine is too slow.
CATCH_UP_ROUNDS_MAX = 50
#: How often a rebuild begins again because a dead letter was settled behind it.
RESTARTS_MAX = 5


class Replay:
    """Rebuilds over one connection. `projector` makes the one that archives what nobody else does."""

    def __init__(
        self,
        connection: Connection,
        log: Log,
        projector: Callable[[], Projector],
        watcher: Watcher,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        rebuild.prepare(connection)
        self._connection, self._log, self._projector = connection, log, projector
        self._watcher, self._wait = watcher, wait
        self._events = 0

    def run(self, request: Request) -> Replayed:
        """Do what is asked. Raises `RefusedByState`, `Halted`, `BadInput`, `Unreachable`, and `Stopped`."""
        began_s, self._events = time.monotonic(), 0
        catalog.get(self._connection, request.sale)
        with locked(self._connection, request.sale):
            drain(
                self._connection,
                self._log,
                request.sale,
                self._projector,
                onlooker=self._watcher,
                wait=self._wait,
            )
            now = rebuild.checkpoints(self._connection, request.sale)
            if all(position == START for position in now.values()):
                return Replayed(sale=request.sale, outcome="empty")
            if self._is_dropped(request.sale, now):
                return Replayed(sale=request.sale, outcome="dropped", position=_text(now))
            refuse_newer_archive(self._connection, request.sale)
            build = self._in_place if request.mode == "in-place" else self._beside
            done = build(request, now)
        seconds = round(time.monotonic() - began_s, 2)
        return msgspec.structs.replace(done, events=self._events, seconds=seconds)

    def roll_back(self, sale: str) -> Run:
        """Put the tables that the last replay replaced back, with all that was applied since."""
        catalog.get(self._connection, sale)
        with locked(self._connection, sale):
            run = replays.find(self._connection, sale, "swap")
            if run is None or run.state != "swapped":
                raise RefusedByState(
                    f"sale {sale} has no tables to roll back to: none were swapped, or they are finished"
                )
            try:
                self._swap(run, run.old_tables, lambda: swap_back(self._connection, run))
            except OutOfDate:
                raise RefusedByState(
                    f"dead letters of sale {sale} were settled since the swap, and its old tables would lack them: "
                    f"keep the new ones with `flashsale replay finish {sale}`"
                ) from None
            return run

    def finish(self, sale: str) -> list[str]:
        """Drop every table of this sale that is not live; returns their names."""
        catalog.get(self._connection, sale)
        with locked(self._connection, sale):
            return [
                table
                for run in replays.runs(self._connection, sale)
                for table in replays.discard(self._connection, run)
            ]

    def _is_dropped(self, sale: str, now: Mapping[int, Position]) -> bool:
        """Whether the sale is over and its part of the archive was dumped and dropped."""
        is_archived = all(row.archived for row in reads.checkpoints(self._connection, sale))
        return is_archived and rebuild.archived(self._connection, sale, now) == 0

    # --------------------------------------------------------------------------------------------------- building

    def _beside(self, request: Request, now: Mapping[int, Position]) -> Replayed:
        run = open_run(self._connection, request, now, self._watcher)
        for _ in range(RESTARTS_MAX):
            try:
                self._build(run)
                return self._conclude(run)
            except OutOfDate as error:
                self._watcher.say(f"{error}: it begins again.")
                replays.begin_again(self._connection, run)
        raise RefusedByState(
            f"dead letters of sale {request.sale} are being settled all the time: try again later"
        )

    def _build(self, run: Run) -> None:
        """Catch up in chunks until what is left is little, or the moment asked for is reached."""
        for number in range(CATCH_UP_ROUNDS_MAX):
            targets = run.until_at or rebuild.checkpoints(self._connection, run.sale)
            left = rebuild.archived(self._connection, run.sale, targets)
            done = rebuild.archived(self._connection, run.sale, run.reached)
            if number == 0:
                self._watcher.begin(run.sale, done, left)
            elif left - done <= SWAP_EVENTS_MAX:
                break
            rebuild.catch_up(self._connection, run, run.new_tables, targets, self._on_chunk)
        rebuild.analyze(self._connection, run.new_tables)

    def _on_chunk(self, events: int) -> None:
        self._events += events
        self._watcher.chunk(events)

    # ------------------------------------------------------------------------------------------------- concluding

    def _conclude(self, run: Run) -> Replayed:
        live = {table.name: table for table in live_tables(self._connection, run.sale)}
        if run.mode == "until":
            return self._keep(run, live)
        found = rebuilt.compare(self._connection, run, {name: table.table for name, table in live.items()})
        self._watcher.chunk(0)
        if run.mode == "verify":
            replays.discard(self._connection, run)
            return _told(run, "verified", found)
        replays.set_state(self._connection, run, "built")
        self._swap(run, run.new_tables, lambda: swap(self._connection, run, live))
        return _told(run, "swapped", found)

    def _keep(self, run: Run, live: Mapping[str, Live]) -> Replayed:
        replays.set_state(self._connection, run, "kept")
        return Replayed(
            sale=run.sale,
            outcome="kept",
            position=_text(run.reached),
            state_hash=rebuilt.content_hash(self._connection, run.new_tables)
            if len(run.tables) == len(live)
            else "",
            tables=run.new_tables,
            stock=rebuilt.counters(self._connection, run.new_tables),
            orders=rebuilt.totals(self._connection, run.new_tables),
        )

    def _swap(self, run: Run, coming: Mapping[str, str], exchange: Callable[[], None]) -> None:
        """Try until nobody is in the way; between attempts everybody else goes on."""
        for _ in range(SWAP_ATTEMPTS_MAX):
            targets = rebuild.checkpoints(self._connection, run.sale)
            rebuild.catch_up(self._connection, run, coming, targets, self._on_chunk)
            try:
                exchange()
            except Busy as busy:
                reason = str(busy)
                self._watcher.chunk(0)
                self._wait(SWAP_PAUSE_S)
            else:
                return
        raise RefusedByState(f"{reason}; the tables are ready and wait: give the same command again")

    def _in_place(self, request: Request, now: Mapping[int, Position]) -> Replayed:
        live = {table.name: table for table in live_tables(self._connection, request.sale)}
        self._watcher.begin(request.sale, 0, rebuild.archived(self._connection, request.sale, now))
        done = rebuild_in_place(self._connection, request.sale, live, request.names, self._on_chunk)
        return Replayed(
            sale=request.sale,
            outcome="rebuilt",
            position=_text(done.position),
            state_hash=done.hash,
            live_hash=done.hash_before,
        )


def _told(run: Run, outcome: str, found: Compared) -> Replayed:
    return Replayed(
        sale=run.sale,
        outcome=outcome,
        position=_text(found.position),
        differences=found.counts,
        shown=found.shown,
        state_hash=found.hash,
        live_hash=found.live_hash,
    )


def _text(positions: Mapping[int, Position]) -> str:
    return ", ".join(map(str, positions.values()))
