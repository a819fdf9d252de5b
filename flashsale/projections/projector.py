"""The projector daemon: several processes share the shards, each applies those it leads, one connection for everything.

Leases, fences and batches use one Postgres session on purpose: when it is lost, the right to write is lost with it.
A step does one round and returns; the daemon loop around it handles signals and errors that pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import psycopg
import structlog

from flashsale.errors import Halted, Unreachable
from flashsale.ids import Position
from flashsale.projections.apply import Applied, Fork, Lease, LeaseLost
from flashsale.projections.database import Connection, is_transient, one_line
from flashsale.projections.lease import HEARTBEAT_MS, acquire, give_back, heartbeat
from flashsale.projections.led import Led
from flashsale.projections.migrate import check_schema
from flashsale.projections.newer import NewerEvents
from flashsale.projections.news import News
from flashsale.projections.pace import Pace
from flashsale.projections.session import Session
from flashsale.projections.shard import Phase, ShardProjector
from flashsale.projections.totals import Totals
from flashsale.stream import Entry, Log, NoGroup, ShardId

log = structlog.get_logger(__name__)

#: Events of one shard applied in one transaction.
BATCH_MAX = 4_000
#: How often a projector looks for shards that nobody leads. With the heartbeat, this bounds the take-over time.
ACQUIRE_EVERY_MS = 200
#: Shards taken in one look: processes that start together share the shards instead of the first taking all.
ACQUIRE_MAX = 1
#: While it leads fewer, a projector that has nothing else to do pauses before it takes another one: those that start a
#: moment later have their share. Beyond that, hundreds are taken over within seconds.
ACQUIRE_SLOWLY = 8
#: How long a shard whose next event only a newer projector can read is left to one, before it is looked at again.
LEFT_TO_NEWER_MS = 10_000
#: How often a halted or not yet warm shard is looked at again.
RECHECK_EVERY_MS = 1_000
#: How often the logs of the shards that are up to date are trimmed, if they are.
TRIM_EVERY_MS = 2_000
#: A round that lasts so long ends with the batch under way: leases, signals and the watchdog have their turn.
ROUND_MS = HEARTBEAT_MS

#: Takes off a log what need not be kept there. It raises nothing: projecting goes on whatever it meets.
Trimming = Callable[[Connection, Log, ShardId], None]
#: Ends the selling of a shard whose log and archive are two histories. It raises nothing.
Halting = Callable[[ShardId, Position], None]


class Projector:
    """One projector process. `name` is its slot: stable over restarts, unique among those running."""

    def __init__(
        self,
        redis_url: str,
        postgres_url: str,
        name: str,
        *,
        batch_max: int = BATCH_MAX,
        max_rate: int | None = None,
        wait: Callable[[float], object] = time.sleep,
        trim: Trimming | None = None,
        halt_sale: Halting | None = None,
    ) -> None:
        self.name = name
        self._trim, self._halt_sale = trim, halt_sale
        self.totals = Totals()
        self._redis_url, self._postgres_url = redis_url, postgres_url
        # A pause is at most a second: a longer silence would look like death.
        self._batch_max = min(batch_max, max_rate or batch_max)
        self._pace = Pace(max_rate, wait)
        self._session: Session | None = None
        self._led = Led()
        self._led_before: set[ShardId] = set()
        self._next_acquire = self._next_heartbeat = self._next_recheck = self._next_trim = 0.0
        self._looked_for_rivals = False

    def step(self) -> int:
        """One round: leases, then one batch of each shard that has news. Returns the number of events applied.

        Raises `Unreachable` when a server is away: everything is dropped, and the next step begins anew.
        """
        try:
            return self._step()
        except (Unreachable, NoGroup, psycopg.Error) as error:
            if isinstance(error, psycopg.Error):
                # Redis works, and may know that what was delivered did not kill this process.
                for projector in self._led:
                    projector.leave()
                if not is_transient(error):
                    if self._session is not None:
                        self._session.refuse_other_schema(error)
                    raise
            self.close()
            if isinstance(error, psycopg.Error):
                raise Unreachable(f"Postgres: {one_line(error)}") from error
            raise error if isinstance(error, Unreachable) else Unreachable(str(error)) from error

    def close(self) -> None:
        """Give the leases back and close the connections. Twice is harmless."""
        session, self._session = self._session, None
        self._led.clear()
        if session is not None:
            session.close()

    @property
    def shards(self) -> list[ShardId]:
        """The shards this process applies now."""
        return sorted(self._led.in_phase(Phase.LIVE))

    def _step(self) -> int:
        session = self._session or self._connect()
        connection, reader, news = session.connection, session.log, session.news
        now = time.monotonic()
        self._led.begin_round(ROUND_MS)
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + HEARTBEAT_MS / 1000
            self._follow(heartbeat(connection, self.name), connection, reader)
        if now >= self._next_acquire:
            self._next_acquire = now + ACQUIRE_EVERY_MS / 1000
            self._acquire(connection, reader, now)
        applied = 0
        recheck = now >= self._next_recheck
        if recheck:
            self._next_recheck = now + RECHECK_EVERY_MS / 1000
            for projector in self._led.in_turn(Phase.WAITING):
                applied += self._run(projector, self._start)
        for projector in self._led.in_turn(Phase.BEHIND):
            applied += self._run(projector, ShardProjector.catch_up)
        applied += self._read_live(news, recheck=recheck)
        if self._trim is not None and now >= self._next_trim:
            self._next_trim = now + TRIM_EVERY_MS / 1000
            for projector in self._led.in_turn(Phase.LIVE):
                self._trim(connection, reader, projector.lease.shard)
        return applied

    def _acquire(self, connection: Connection, reader: Log, now: float) -> None:
        leases = acquire(connection, self.name, ACQUIRE_MAX, but_not=self._led.left_to_others(now))
        if leases:
            # A contract step takes all leases: whoever takes one again looks first whether it may still write.
            check_schema(connection)
        for lease in leases:
            self._run(self._lead(lease, connection, reader), self._start)
            self._next_acquire = now

    def _lead(self, lease: Lease, connection: Connection, reader: Log) -> ShardProjector:
        log.info("leading a shard", action="shard_acquired", shard=str(lease.shard), fence=lease.fence)
        return self._led.add(ShardProjector(connection, reader, self.name, lease, self._batch_max))

    def _read_live(self, news: News, *, recheck: bool) -> int:
        """One batch of every live shard that has news, until the round is over; waits for news when there is none."""
        live = self._led.in_phase(Phase.LIVE)
        slowly = len(self._led) < ACQUIRE_SLOWLY
        wait_s = ACQUIRE_EVERY_MS / 1000 if slowly else max(0.0, self._next_acquire - time.monotonic())
        wait_s = 0.0 if self._led.in_phase(Phase.BEHIND) else wait_s
        if not live:
            self._pace.idle(wait_s)
            return 0
        found = news.take(list(live), int(wait_s * 1000) or None)
        for shard in live.keys() - found.keys() if recheck else ():
            self._run(live[shard], ShardProjector.look)
        meanwhile, applied = partial(self._ask_ahead, news, found), 0
        for shard in list(found):
            feed = partial(ShardProjector.feed, entries=found.pop(shard), meanwhile=meanwhile)
            applied += self._run(live[shard], feed)
            if found and self._led.is_round_over:
                news.put_back(found)
                break
        return applied

    def _ask_ahead(self, news: News, left: dict[ShardId, list[Entry]]) -> None:
        """While Postgres works on the last of what was taken: for those that are live still."""
        if not left:
            news.meanwhile(list(self._led.in_phase(Phase.LIVE)))

    def _connect(self) -> Session:
        self._session = Session(self._redis_url, self._postgres_url, self.name, self._batch_max)
        self._next_acquire = self._next_heartbeat = self._next_recheck = 0.0
        # Once: after a reconnect a rival could be this projector's own last session.
        if not self._looked_for_rivals:
            self._looked_for_rivals = True
            self._session.warn_of_rivals()
        return self._session

    def _follow(self, leases: list[Lease], connection: Connection, reader: Log) -> None:
        """Hold what Postgres says this session leads, from the checkpoint it names: an operator may have moved it."""
        led = {lease.shard: lease for lease in leases}
        for projector in self._led:
            if projector.lease != led.get(projector.lease.shard):
                self._drop(projector.lease.shard)
        for shard, lease in led.items():
            if shard not in self._led:
                self._lead(lease, connection, reader)

    def _drop(self, shard: ShardId) -> None:
        self._led.drop(shard)
        self._forget(shard)
        why = "another projector leads this shard now, or its sale is archived"
        log.warning(why, action="lease_lost", shard=str(shard))

    def _leave_to_newer(self, projector: ShardProjector) -> None:
        """Give a shard to a projector that can read its next event; take it again when there is none."""
        assert self._session is not None  # the halt was written by it
        shard = projector.lease.shard
        projector.leave()
        give_back(self._session.connection, projector.lease)
        self._led.leave_to_others(shard, time.monotonic() + LEFT_TO_NEWER_MS / 1000)
        self._led_before.discard(shard)  # others deliver it now

    def _forget(self, shard: ShardId) -> None:
        if self._session is not None:
            self._session.news.forget(shard)

    def _start(self, projector: ShardProjector) -> Applied:
        shard = projector.lease.shard
        projector.start(first_time=shard not in self._led_before)
        if projector.phase is Phase.BEHIND:
            self._led_before.add(shard)
            at = str(projector.lease.checkpoint)
            log.info("applying a shard", action="shard_started", shard=str(shard), at=at)
        return Applied()

    def _run(self, projector: ShardProjector, work: Callable[[ShardProjector], Applied]) -> int:
        """Do work on one shard; what cannot be right halts that shard alone."""
        shard = projector.lease.shard
        try:
            done = work(projector)
        except Halted as error:
            if str(error) != projector.halted:
                log.error(str(error), action="shard_halted", shard=str(shard))
            self._forget(shard)
            projector.halt(str(error))
            if isinstance(error, Fork) and self._halt_sale is not None:
                self._halt_sale(shard, projector.lease.checkpoint)
            if isinstance(error, NewerEvents):
                self._leave_to_newer(projector)
            return 0
        except LeaseLost:
            self._drop(shard)
            return 0
        self.totals.add(shard, done)
        self._pace.spend(done.events)
        return done.events
