"""Whatever groups, consumers, projectors and the archive go through: no unproven event ever leaves the log."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, event, example, given, settings

from flashsale.ids import Position
from flashsale.reconcile import compare
from flashsale.trim import trim
from tests.fixtures.read_side import ReadSide, step_through
from tests.property.course import Course, batch_sizes, courses

#: Groups of others; that of the projectors is there as well.
GROUPS = ("audit", "mail")

Log = dict[Position, bytes]


@dataclass
class Trimming(Course):
    """A sale, its projector, other readers of its log, and somebody who trims it."""

    #: every event ever seen in the stream
    written: Log = field(default_factory=dict)
    #: the archive was damaged: the projector may rightly halt
    is_damaged: bool = False

    # ------------------------------------------------------------------------------------------ what others do

    def found_at_the_beginning(self, number: int) -> None:
        self._found(number, "0")

    def found_at_the_end(self, number: int) -> None:
        self._found(number, "$")

    def _found(self, number: int, at: str) -> None:
        name = GROUPS[number % 2]
        if name not in self._names():
            self.side.redis.xgroup_create(self.key, name, at)

    def leave(self, number: int) -> None:
        self.side.redis.xgroup_destroy(self.key, GROUPS[number % 2])

    def read_slowly(self, number: int) -> None:
        """A consumer takes some events and acknowledges all of them."""
        for name, ids in self._read(number, "slow"):
            self.side.redis.xack(self.key, name, *ids)

    def read_and_die(self, number: int) -> None:
        """A consumer takes some events, acknowledges the later ones, and is never seen again."""
        for name, ids in self._read(number, "dead"):
            self.side.redis.xack(self.key, name, *ids[number % 4 + 1 :] or ["0-1"])

    def mend_the_dead(self, number: int) -> None:
        """Somebody acknowledges what the dead had in hand."""
        name = GROUPS[number % 2]
        if name in self._names():
            pending: Any = self.side.redis.xpending_range(self.key, name, "-", "+", 100)
            self.side.redis.xack(self.key, name, "0-1", *(item["message_id"] for item in pending))

    def _read(self, number: int, consumer: str) -> list[tuple[str, list[str]]]:
        name = GROUPS[number % 2]
        if name not in self._names():
            return []
        found: Any = self.side.redis.xreadgroup(name, consumer, {self.key: ">"}, count=number + 1)
        return [(name, [at for at, _ in entries]) for _, entries in found]

    # -------------------------------------------------------------------------------- what the archive meets

    def lose_a_row(self, number: int) -> None:
        self._damage("DELETE FROM event_log", number)

    def change_a_byte(self, number: int) -> None:
        self._damage("UPDATE event_log SET body = set_byte(body, 3, get_byte(body, 3) # 1)", number)

    def _damage(self, statement: str, number: int) -> None:
        archive = self.side.archive(self.shard)
        if archive:
            epoch, seq = archive[-1 - number % len(archive)][0]
            place = (self.shard.sale, epoch, seq)
            done = self.side.postgres.execute(
                f"{statement} WHERE sale_id = %s AND epoch = %s AND seq = %s".encode(), place
            )
            self.is_damaged = self.is_damaged or done.rowcount > 0

    # ------------------------------------------------------------------------------------------ what is on trial

    def trim(self, number: int) -> None:
        """Trim, and hold what is gone against what each store and each group said before."""
        keep = (0, 0, 3, 10)[number % 4]
        before = self._stream()
        may_go = self._may_go(before, keep)

        done = trim(self.side.client, self.side.log, self.side.postgres, self.shard, keep=keep)

        after = self._stream()
        gone = [at for at in before if at not in after]
        assert after == {at: body for at, body in before.items() if at not in gone}, "the rest is as it was"
        assert gone == may_go, "what is proven and acknowledged goes, and nothing else"
        assert (done.trimmed, done.remaining) == (len(gone), len(after))
        assert bool(done.obstacles) == (len(after) > keep), "a reason for whatever had to stay"
        event(f"trimmed: {'some' if gone else 'none'}, {'+'.join(sorted(o.kind for o in done.obstacles))}")

    def _may_go(self, before: Log, keep: int) -> list[Position]:
        """The oldest events that nobody needs in the stream any more, by everybody's own word."""
        archive = dict(self.side.archive(self.shard))
        checkpoint = self.side.checkpoint(self.shard)
        infos: Any = self.side.redis.xinfo_groups(self.key)
        marks = [(Position.parse(info["last-delivered-id"]), self._in_hand(info["name"])) for info in infos]

        def is_free(at: Position) -> bool:
            acknowledged = all(at <= mark and not any(p <= at for p in in_hand) for mark, in_hand in marks)
            return bool(marks) and acknowledged and at <= checkpoint and archive.get(at) == before[at]

        oldest = list(before)[: max(0, len(before) - keep)]
        return list(itertools.takewhile(is_free, oldest))

    def _in_hand(self, group: str) -> list[Position]:
        pending: Any = self.side.redis.xpending_range(self.key, group, "-", "+", 1_000)
        return [Position.parse(item["message_id"]) for item in pending]

    def _stream(self) -> Log:
        found = {entry.position: entry.body or b"" for entry in self.side.entries(self.shard)}
        self.written |= found
        return found

    def apply(self, number: int) -> None:
        """Several steps of the projector."""
        for _ in range(number % 10 + 3):
            self.step(number)

    def finish(self) -> None:
        """Let everything be applied and all groups but the projectors' be gone; then trim to the last event."""
        self._stream()
        for name in GROUPS:
            self.side.redis.xgroup_destroy(self.key, name)
        self.projector.close()
        self.side.drain(self.projector, patient=True)
        # What was delivered before the close, and applied after it, is acknowledged once nothing is left to apply.
        step_through(self.projector)
        assert self.side.archive(self.shard) == sorted(self.written.items())
        done = trim(self.side.client, self.side.log, self.side.postgres, self.shard, keep=0)
        assert (done.obstacles, done.remaining) == ([], 0)
        stores = (self.side.client, self.side.log, self.side.postgres, self.shard)
        assert compare(*stores, timeout_s=5).drifts == []


EVENTS = [
    *(Trimming.sell, Trimming.sell, Trimming.confirm, Trimming.cancel, Trimming.expire, Trimming.restock),
    *(Trimming.apply, Trimming.apply, Trimming.apply, Trimming.step, Trimming.close, Trimming.successor),
    *(
        Trimming.destroy,
        Trimming.set_back,
        Trimming.set_forward,
        Trimming.steal,
        Trimming.claim,
        Trimming.delete_consumer,
    ),
    *(Trimming.found_at_the_beginning, Trimming.found_at_the_end, Trimming.leave),
    *(Trimming.read_slowly, Trimming.read_slowly, Trimming.read_and_die, Trimming.mend_the_dead),
    *(Trimming.lose_a_row, Trimming.change_a_byte),
    *(Trimming.trim, Trimming.trim, Trimming.trim, Trimming.trim),
]


@settings(
    max_examples=60,
    deadline=None,
    # Every example has a sale of its own in the same two servers.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(happenings=[(Trimming.sell, 0)] * 3 + [(Trimming.apply, 0)] * 2, batch_max=1)
@given(happenings=courses(EVENTS), batch_max=batch_sizes)
def test_no_unproven_event_leaves_the_log(
    read_side: ReadSide, happenings: list[tuple[Callable[[Trimming, int], None], int]], batch_max: int
) -> None:
    course = Trimming.begin(read_side, batch_max)

    for happen, number in happenings:
        happen(course, number)
        course.trim(number)

    if not course.is_damaged:
        course.finish()
    course.projector.close()
