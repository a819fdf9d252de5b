"""Repeat clicks: how many new orders, or other things, one buyer may ask for. Never by the address, which many share.

Kept in this process alone, so each gateway counts for itself, and a restart forgets. It protects the crowd from a few
hands, not the stock from one buyer: that is the limit of the sale, which Redis keeps.
"""

from __future__ import annotations

from msgspec import Struct

#: Of so many buyers the gateway remembers what they asked for lately; those of whom nothing was heard longest go first.
BUYERS_MAX = 100_000
#: One more after each second.
REFILL_S = 1.0
#: The newest orders of a buyer, as hashes: asking again for one of them is a retry, not a click.
RECENT_MAX = 4


class _Bucket(Struct, gc=False):
    # The garbage collector need not look at each of so many.
    left: float
    at_s: float
    recent: tuple[int, ...] = ()


class Throttle:
    """`orders_max`: so many new orders of one buyer at once; 0: as many as they like."""

    def __init__(self, orders_max: int) -> None:
        self._orders_max = orders_max
        #: of whom was heard last, last
        self._buckets: dict[str, _Bucket] = {}

    def wait_ms(self, buyer: str, order_id: str, now_s: float) -> int:
        """When this buyer may ask for this order; 0: now, and it is counted. A retry of one of the newest is not.

        Without an id nothing is a retry.
        """
        if not self._orders_max:
            return 0
        bucket = self._buckets.pop(buyer, None) or _Bucket(self._orders_max, now_s)
        self._buckets[buyer] = bucket
        if len(self._buckets) > BUYERS_MAX:
            del self._buckets[next(iter(self._buckets))]
        bucket.left = min(self._orders_max, bucket.left + (now_s - bucket.at_s) / REFILL_S)
        bucket.at_s = now_s
        order = hash(order_id)
        if order_id and order in bucket.recent:
            return 0
        if bucket.left < 1:
            return max(1, int((1 - bucket.left) * REFILL_S * 1000))
        bucket.left -= 1
        bucket.recent = (*bucket.recent[1 - RECENT_MAX :], order)
        return 0
