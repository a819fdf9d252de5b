"""What the read side of a sale goes through, as rules: projectors in any order, their deaths, trims and replays."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import rule

from flashsale.ids import Position
from flashsale.projections.database import connect
from flashsale.projections.projector import Projector
from flashsale.replay import Replay
from flashsale.replay.request import Request
from flashsale.stream import ShardId
from flashsale.trim import trim
from tests.helpers import wait_until
from tests.integration.replay_kit import Onlooker
from tests.property.course import Trouble, batch_sizes
from tests.property.selling import Selling
from tests.property.stores import Failpoint, Stores

#: Steps until a failpoint is met: to lead, to catch up, to go live, and one more.
STEPS_MAX = 4

slots = st.sampled_from(["p0", "p1"])
troubles = st.sampled_from(
    [
        *(Trouble.destroy, Trouble.set_back, Trouble.set_forward),
        *(Trouble.steal, Trouble.steal, Trouble.claim, Trouble.claim, Trouble.delete_consumer),
    ]
)
#: The holder has said nothing for longer than a holder may be silent.
SILENCE = "UPDATE checkpoint SET heartbeat_at = heartbeat_at - interval '21 s' WHERE holder = %s"


class Projecting(Selling):
    """A sale that two projectors follow."""

    stores: Stores
    place: ShardId
    #: the tables that the last replay replaced are still there
    has_swapped = False

    @property
    def is_behind(self) -> bool:
        """Whether Postgres lacks an event. A step with nothing to do would wait for news."""
        return bool(self.model.seq) and self.checkpoint() < Position.parse(self.model.head)

    def checkpoint(self) -> Position:
        """Up to where Postgres has applied the log."""
        return self.stores.side.checkpoint(self.place)

    def drain(self) -> None:
        """Have everything applied; the projectors look at everything anew."""
        if not self.is_behind:
            return
        turn = itertools.cycle(self.stores.slots.values())

        def applied() -> bool:
            next(turn).step()
            return not self.is_behind

        for slot in self.stores.slots.values():
            slot.end()
        wait_until(applied, 30, "everything is applied")

    # ------------------------------------------------------------------------------------------------- projectors

    @rule(name=slots, steps=st.integers(1, 4))
    def project(self, name: str, steps: int) -> None:
        """Some steps of one projector, a batch each."""
        for _ in range(steps):
            if self.is_behind:
                self.stores.slots[name].step()

    @rule(
        name=slots,
        failpoint=st.sampled_from(Failpoint),
        dies=st.booleans(),
        begins=st.sampled_from(["no", "anew", "robbed"]),
    )
    def project_into(self, name: str, failpoint: Failpoint, dies: bool, begins: str) -> None:  # noqa: FBT001 - drawn
        """A projector steps into a failpoint; it may begin anew, and somebody else have taken what it wants."""
        self.give_work()
        if begins == "robbed":
            Trouble(self.stores.side, self.place).steal(2)
        if begins != "no":
            for slot in self.stores.slots.values():
                slot.end()
        before = self.stores.bites.total()
        for _ in range(STEPS_MAX):
            if self.is_behind and self.stores.bites.total() == before:
                self.stores.slots[name].step(failpoint, dies=dies)

    def give_work(self) -> None:
        """Have something that is not applied, if anything is sold at all."""
        if not self.is_behind:
            self.reserve([(f"0-work-{self.model.head}", "fay", "A", "1")], "head")

    @rule(name=slots, batch_max=batch_sizes)
    def stop(self, name: str, batch_max: int) -> None:
        """A projector is stopped; the next one under its name takes other batches."""
        slot = self.stores.slots[name]
        slot.end()
        slot.batch_max = batch_max

    @rule(name=slots)
    def lose_the_session(self, name: str) -> None:
        """Postgres ends the session of a projector, which lives."""
        self.stores.side.end_sessions(name)

    @rule(name=slots)
    def sleep_and_be_replaced(self, name: str) -> None:
        """A projector is silent for too long, the other one takes over, and the first one wakes up."""
        slot, other = (self.stores.slots[n] for n in (name, "p1" if name == "p0" else "p0"))
        self.give_work()
        other.end()
        self.project(name, 1)
        if self.stores.side.holder(self.place) != name:
            return
        self.give_work()
        slot.freeze()
        self.stores.side.postgres.execute(SILENCE, [name])
        self.project(other.name, STEPS_MAX)
        self.stores.bites["replaced"] += self.stores.side.holder(self.place) == other.name
        self.give_work()
        self.project(name, 1)

    @rule(trouble=troubles, number=st.integers(0, 59))
    def meddle(self, trouble: Callable[[Trouble, int], None], number: int) -> None:
        """Somebody meddles with the consumer group."""
        trouble(Trouble(self.stores.side, self.place), number)

    # ------------------------------------------------------------------------------------------- trims and replays

    @rule(keep=st.sampled_from([0, 0, 3, 10]), drained=st.booleans())
    def trim(self, keep: int, drained: bool) -> None:  # noqa: FBT001 - drawn
        """Somebody trims the log. That nothing unproven goes, is seen by what is there after it."""
        if drained:
            self.drain()
        side = self.stores.side
        done = trim(side.client, side.log, side.postgres, self.place, keep=keep)
        assert (done.refused is None) == bool(self.model.seq)
        self.stores.bites["trimmed"] += done.trimmed > 0

    @rule(
        mode=st.sampled_from(["swap", "swap", "swap", "verify", "in-place"]),
        keeps=st.booleans(),
        meanwhile=st.sampled_from(["nothing", "sales", "sales"]),
        name=slots,
    )
    def replay(self, mode: str, keeps: bool, meanwhile: str, name: str) -> None:  # noqa: FBT001 - drawn
        """The tables are rebuilt, and exchanged, while the sale goes on; or the exchange before is ended."""
        self.drain()
        slot = self.stores.slots[name]

        def then() -> None:
            if meanwhile == "sales":
                self.reserve([(f"0-meanwhile-{self.model.seq}", "gus", "B", "1")], "head")
                self.project(name, 1)

        with connect(self.stores.side.postgres_url) as connection:
            engine = Replay(
                connection,
                self.stores.side.log,
                self._projector,
                Onlooker(then),
                wait=lambda _: slot.step(),
            )
            if self.has_swapped:
                if keeps:
                    engine.finish(self.place.sale)
                else:
                    engine.roll_back(self.place.sale)
                self.has_swapped = False
                return
            done = engine.run(Request(sale=self.place.sale, mode=mode))
        assert done.differences == {} or done.differing == 0, done
        assert done.state_hash == done.live_hash, done
        self.has_swapped = done.outcome == "swapped"
        self.stores.bites[f"replay {done.outcome}"] += 1

    def _projector(self) -> Projector:
        urls = self.stores.servers.urls()
        return Projector(*urls, "replay", wait=lambda _: None)
