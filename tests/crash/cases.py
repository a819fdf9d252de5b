"""Every command that talks to servers, each in a state in which it has something to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flashsale.ids import Position
from tests.crash import scenes
from tests.crash.scenes import CANCELLED, HELD, KEYS, PAID, SALE, SHARD
from tests.crash.world_kit import Scene
from tests.fixtures.read_side import SKU, ReadSide

#: What the files hold that commands read.
FILES = {
    "drop.toml": f"""
sale = "{SALE}"
title = "A sale"
currency = "EUR"
hold = "10m"
[[items]]
sku = "{SKU}"
title = "Phone"
quantity = 20
unit_price_minor = 100
"""
}
#: The file that `reconcile` writes, and applies.
PLAN = "plan.json"


@dataclass(frozen=True)
class Case:
    """A command and where it is run."""

    scene: Scene
    args: tuple[str, ...]
    #: what is run before it, in peace
    first: tuple[str, ...] = ()
    #: for a daemon, which never ends by itself: when its work is done
    done: Callable[[ReadSide], bool] | None = None
    #: one request or transaction is all it changes: what it says of it must be so
    is_one_step: bool = False
    #: in this state the log and the hot state agree
    adds_up: bool = True
    #: what a repeat may end with when the first try did it after all, and only its reply was lost
    done_already: int = 0
    #: the keys and tables that tell whether it was done; none: everything. A repeat may write another event
    parts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For people."""
        return f"{' '.join(self.args)} ({self.scene.__name__})".replace(f" {SALE}", "")


def applied(side: ReadSide) -> bool:
    """Postgres has all of it, and Redis knows."""
    return side.checkpoint(SHARD) == side.log.head(SHARD) and side.pending(SHARD) == 0


def applied_and_trimmed(side: ReadSide) -> bool:
    """One event is left in the log."""
    return applied(side) and side.log.length(SHARD) == 1


def told(side: ReadSide) -> bool:
    """The dead letters are known in both stores."""
    return applied(side) and side.checkpoint(SHARD) > Position(1, 0)


def swept(side: ReadSide) -> bool:
    """Nothing is held any more."""
    return side.client.snapshot(SALE).hold_count == 0


#: What a sale is to be.
DEFINITION = ("sales", "sale_items")


def _order(scene: Scene, *args: str) -> Case:
    return Case(scene, ("order", *args), is_one_step=True)


def _sale(scene: Scene, *args: str) -> Case:
    return Case(scene, ("sale", *args), is_one_step=True, done_already=4)


WARMING = Case(
    scenes.defined, ("sale", "warm", SALE), done_already=4, parts=(KEYS.stock, "checkpoint", *DEFINITION)
)
WRITERS = (
    _order(scenes.selling, "reserve", SALE, SKU, "--buyer", "eve", "--order", "0-order-new"),
    _order(scenes.selling, "confirm", SALE, HELD),
    _order(scenes.selling, "cancel", SALE, HELD),
    _order(scenes.selling, "refund", SALE, PAID),
    Case(scenes.nothing, ("sale", "define", "drop.toml"), is_one_step=True, done_already=4),
    WARMING,
    _sale(scenes.warm, "open", SALE, "--now"),
    _sale(scenes.selling, "pause", SALE),
    _sale(scenes.paused, "resume", SALE),
    _sale(scenes.selling, "close", SALE),
    _sale(scenes.selling, "restock", SALE, SKU, "+5", "--request-id", "more"),
    Case(
        scenes.selling, ("sale", "reconfigure", SALE, "--limit", f"{SKU}=3"), parts=(KEYS.stock, *DEFINITION)
    ),
    Case(
        scenes.selling,
        ("room", "set", SALE, "--rate", "5", "--active", "5", "--mode", "pass-through"),
        parts=(KEYS.stock, *DEFINITION),
    ),
    Case(scenes.closed, ("sale", "archive", SALE)),
    Case(scenes.half_way, ("trim", SALE, "--keep", "2")),
    Case(scenes.half_way, ("replay", "run", SALE), done_already=4),
    Case(scenes.selling, ("replay", "run", SALE, "--in-place")),
    Case(scenes.lost, ("recover", SALE, "--yes"), adds_up=False),
    Case(scenes.regressed, ("recover", SALE, "--yes", "--leave-out"), adds_up=False),
    Case(scenes.parked, ("dead-letter", "retry", SALE, "--all"), adds_up=False),
    Case(
        scenes.parked,
        ("dead-letter", "discard", SALE, "--seq", "5", "--reason", "no"),
        is_one_step=True,
        adds_up=False,
    ),
    Case(scenes.selling, ("replay", "rollback", SALE), first=("replay", "run", SALE), done_already=4),
    Case(scenes.selling, ("replay", "finish", SALE), first=("replay", "run", SALE)),
    Case(
        scenes.drifted,
        ("reconcile", "--apply", PLAN, "--yes"),
        first=("reconcile", SALE, "--plan", PLAN),
        adds_up=False,
    ),
    Case(scenes.without_schema, ("db", "migrate")),
)
DAEMONS = (
    Case(scenes.behind, ("projector", "run"), done=applied),
    Case(scenes.half_way, ("projector", "run", "--trim", "--keep", "1"), done=applied_and_trimmed),
    Case(scenes.overdue, ("sweeper", "run"), done=swept),
)
READERS = (
    Case(scenes.selling, ("sale", "list")),
    Case(scenes.selling, ("sale", "show", SALE)),
    Case(scenes.selling, ("sale", "watch", SALE, "--count", "1")),
    Case(scenes.selling, ("order", "show", SALE, CANCELLED)),
    Case(scenes.half_way, ("events", "tail", SALE)),
    Case(scenes.half_way, ("events", "show", SALE, "3")),
    Case(scenes.half_way, ("events", "export", SALE)),
    Case(scenes.half_way, ("projector", "status")),
    Case(scenes.half_way, ("trim", SALE, "--keep", "2", "--dry-run")),
    Case(scenes.selling, ("replay", "run", SALE, "--verify")),
    Case(scenes.selling, ("replay", "status")),
    Case(scenes.regressed, ("recover", SALE), adds_up=False),
    Case(scenes.selling, ("reconcile", SALE)),
    Case(scenes.drifted, ("reconcile", SALE), adds_up=False),
    Case(scenes.parked, ("dead-letter", "list"), adds_up=False),
    Case(scenes.parked, ("dead-letter", "show", SALE, "5"), adds_up=False),
    Case(scenes.selling, ("doctor",)),
    Case(scenes.selling, ("db", "status")),
)
