"""Every Redis key flashsale uses: its name, its type and what it holds.

All keys of one shard share the hash tag `{sale:shard}`, so one script may touch them all in Redis Cluster. None has a
TTL: what protects stock or money must not disappear with a clock. Expiry is an event.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

#: The consumer group that writes Postgres.
GROUP = "projector"


class ShardKeys(NamedTuple):
    """The six keys of one shard, in the order in which the scripts name them."""

    #: hash: state, opens_ms, closes_ms, hold_ms, epoch, seq; one field `request:ID` per restock done; `door`, the
    #: settings of the waiting room, and `drawn`, the draw of its line, if the sale has one; `lost`, a place
    #: in the log that somebody has seen and the log does not hold: the sale is halted; `origin`, when its
    #: definition was stored, which tells sales of one id apart; `mended`, how often `mend` put
    #: records of these keys back to what the log says, which is the one write without an event
    sale: str
    #: hash: SKU → "available held sold returned limit"
    stock: str
    #: hash: order id → "status sku quantity buyer hold_until_ms reserved_at changed_at"
    orders: str
    #: hash: "buyer SKU" → units held or sold
    buyers: str
    #: zset: order id, scored by the time its hold ends, ms
    holds: str
    #: stream: the log; entry id = epoch-seq, one field `e` = the event
    events: str


class RoomKeys(NamedTuple):
    """The keys of a sale's waiting room, which is in its shard 0. Nothing of stock or money depends on them."""

    #: hash: start_s, heard_s, tickets, serving, called, called_before, called_ms, served_ms, carry, seed, commitment;
    #: `rounds:KEY`, the values of the draw's round function, KEY being the draw's own
    room: str
    #: hash: 12 bytes of the SHA-1 of a buyer → ticket
    line: str
    #: string of one u32 per ticket: the second of the last sign of life, from 1 at `start_s`; 0: never, or gone
    seen: str
    #: zset: buyer, scored by the time the pass ends, ms
    passes: str


def shard_keys(sale: str, shard: int) -> ShardKeys:
    """The keys of shard `shard` of `sale`; both must have been checked by `flashsale.ids`."""
    return ShardKeys(*script_keys(sale, shard, ShardKeys._fields))


def room_keys(sale: str, shard: int = 0) -> RoomKeys:
    """The keys of the waiting room of `sale`."""
    return RoomKeys(*script_keys(sale, shard, RoomKeys._fields))


def script_keys(sale: str, shard: int, names: Iterable[str]) -> tuple[str, ...]:
    """The keys of these names, as the header of a script has them."""
    tag = f"fs:{{{sale}:{shard}}}"
    return tuple([f"{tag}:{name}" for name in names])


def staged_keys(sale: str, shard: int) -> ShardKeys:
    """Where `recover` builds the keys that shall take the place of the shard's own. Only it reads or writes them."""
    return ShardKeys(*script_keys(sale, shard, [f"new:{name}" for name in ShardKeys._fields]))


def dead_letters_key(sale: str, shard: int) -> str:
    """The stream of dead letters. No script touches it: it is a copy, for others, of what Postgres holds."""
    return f"fs:{{{sale}:{shard}}}:dead"
