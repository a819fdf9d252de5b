"""Every Redis key flashsale uses: its name, its type and what it holds.

All keys of one shard share the hash tag `{sale:shard}`, so one script may touch them all in Redis Cluster. None has a
TTL: what protects stock or money must not disappear with a clock. Expiry is an event.
"""

from __future__ import annotations

from typing import NamedTuple

#: The consumer group that writes Postgres.
GROUP = "projector"


class ShardKeys(NamedTuple):
    """The six keys of one shard, in the order in which the scripts name them."""

    #: hash: state, opens_ms, closes_ms, hold_ms, epoch, seq; one field `request:ID` per restock done; `lost`, a place
    #: in the log that somebody has seen and the log does not hold: the sale is halted; `mended`, how often `mend` put
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


def shard_keys(sale: str, shard: int) -> ShardKeys:
    """The keys of shard `shard` of `sale`; both must have been checked by `flashsale.ids`."""
    return _keys(f"fs:{{{sale}:{shard}}}")


def staged_keys(sale: str, shard: int) -> ShardKeys:
    """Where `recover` builds the keys that shall take the place of the shard's own. Only it reads or writes them."""
    return _keys(f"fs:{{{sale}:{shard}}}:new")


def _keys(tag: str) -> ShardKeys:
    return ShardKeys(
        f"{tag}:sale", f"{tag}:stock", f"{tag}:orders", f"{tag}:buyers", f"{tag}:holds", f"{tag}:events"
    )


def dead_letters_key(sale: str, shard: int) -> str:
    """The stream of dead letters. No script touches it: it is a copy, for others, of what Postgres holds."""
    return f"fs:{{{sale}:{shard}}}:dead"
