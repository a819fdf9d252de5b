"""For each script that writes: a sale in which it has something to do, and arguments with which it does it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from flashsale.scripts import script, script_names
from tests.lua.kit import SHORT_HOLD_MS, Argument, Shard

#: Scripts that may write, in a stable order.
WRITERS = tuple(name for name in script_names() if script(name).emits)
#: The same without the one that begins a sale.
LATER_WRITERS = tuple(name for name in WRITERS if name != "load")

#: Width of one request, for the scripts that take a batch of orders
BATCHES = {"reserve": 4, "confirm": 2, "cancel": 2, "refund": 3}

#: What a line is drawn from.
SEED = "5eed" * 16

HELD, PAID, NEW = "0-held", "0-paid", "0-new"

#: ARGV after fence and actor.
GOOD: dict[str, tuple[Argument, ...]] = {
    "admit": (1000,),
    "cancel": (HELD, "-"),
    "close": (),
    "confirm": (HELD, "-"),
    "expire": (10,),
    "load": (0, 0, 60_000, "A", 5, 2),
    "open": (0,),
    "pause": (),
    "reconfigure": ("-", "-", 5_000, "A", 3),
    "refund": (PAID, "-", "restock"),
    "reserve": (NEW, "eve", "A", 1),
    "restock": ("r-1", "add", "A", 1),
    "resume": (),
    "room": (
        "open",
        100,
        10,
        60_000,
        60_000,
        1,
        SEED,
        hashlib.sha256(SEED.encode()).hexdigest(),
        'Say "hello"',
    ),
}


def nothing(shard: Shard) -> None:
    """No sale at all."""


def warm(shard: Shard) -> None:
    """A sale that waits for a person to open it."""
    shard.load(("A", 5, 2), ("B", 1), hold=SHORT_HOLD_MS)


def selling(shard: Shard) -> None:
    """An open sale with an order that is overdue and one that is paid."""
    warm(shard)
    shard.run("open", 0)
    shard.reserve(HELD, "ann")
    shard.pay(PAID, "bob")
    shard.wait_until_overdue()


def paused(shard: Shard) -> None:
    """The same sale, paused."""
    selling(shard)
    shard.run("pause")


def waiting(shard: Shard) -> None:
    """The sale that sells, with a waiting room in which two wait; their line is not drawn yet."""
    selling(shard)
    shard.run("room", *GOOD["room"])
    shard.run("join", "cid", "dan")


_SCENES: dict[str, Callable[[Shard], None]] = {
    "admit": waiting, "load": nothing, "open": warm, "resume": paused,
}  # fmt: skip


def prepare(shard: Shard, name: str) -> None:
    """Make the sale in which `shard.run(name, *GOOD[name])` writes."""
    _SCENES.get(name, selling)(shard)
