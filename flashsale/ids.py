"""What a sale, SKU, buyer, order, shard, quantity and position look like, checked in one place.

Every identifier that reaches a Redis key, an event or a table passes through here first. The patterns leave no room
for `{}`, `:`, spaces, quotes or line ends, so an id can never break a key's hash tag, an order record or an event's
JSON, and the Lua scripts may write them as they are.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode
from typing import NamedTuple

from flashsale.errors import BadInput

SALE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
BUYER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
ORDER_ID = re.compile(r"(0|[1-9][0-9]{0,2})-[A-Za-z0-9_-]{8,48}")
_ORDER_BUYER_SKU = re.compile(f"{ORDER_ID.pattern} {BUYER.pattern} {SKU.pattern}")
ACTOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,63}")
#: The trace-id of W3C Trace Context: what stands between the first two dashes of a `traceparent`.
TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: The longest number of a stream entry's id, 2**64 - 1, has so many digits.
_NUMBER_DIGITS_MAX = 20

#: Order ids have three digits for their shard.
SHARD_MAX = 999

#: One order, and one restock, moves at most this many units; Lua accepts the same: six digits.
QUANTITY_MAX = 999_999
#: Units of one SKU, all buckets together. Far below 2**53, where Lua's numbers end.
CAPACITY_MAX = 1_000_000_000

_DIGEST_BYTES = 16  # 128 bits: two order ids collide with p < 1e-20 in a sale of ten million orders
_DERIVING = hashlib.blake2b(digest_size=_DIGEST_BYTES, person=b"flashsale-order")  # copied for each


class Position(NamedTuple):
    """A place in a shard's log. Its text `epoch-seq` is also the id of the stream entry that holds the event."""

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    def precedes(self, after: Position) -> bool:
        """Whether `after` is the very next position: nothing can lie between the two.

        Where a later epoch begins, only its first event can tell: see `flashsale.events.continues`.
        """
        if after.epoch == self.epoch:
            return after.seq == self.seq + 1
        return self == START and after == FIRST

    @classmethod
    def parse(cls, text: str | bytes) -> Position:
        """Read `epoch-seq`, as Redis returns it. Raises `ValueError` on any other text."""
        # Every answer holds one: twice as fast as a pattern. Of bytes, only 0 to 9 are digits.
        epoch, _, seq = (text.encode() if isinstance(text, str) else text).partition(b"-")
        is_short = len(epoch) <= _NUMBER_DIGITS_MAX and len(seq) <= _NUMBER_DIGITS_MAX
        if not (is_short and epoch.isdigit() and seq.isdigit()):
            raise ValueError(f"{text!r} is not a position: epoch-seq")
        return cls(int(epoch), int(seq))


#: Before the first event of a shard.
START = Position(0, 0)
#: Where a log begins, unless an earlier epoch was lost before anybody had stored an event of it.
FIRST = Position(1, 1)
#: The largest id that Redis gives an entry. No log comes so far; somebody may write there all the same.
LAST = Position(2**64 - 1, 2**64 - 1)


def sale_id(value: object, field: str = "sale") -> str:
    return _checked(
        SALE_ID, value, field, "use 1 to 48 of a-z, 0-9 and '-', beginning with a letter or digit"
    )


def are_order_buyer_sku(order: object, buyer: object, sku: object) -> bool:
    """Whether all three are what they should be: one look instead of three. Which one is not, the others tell."""
    # No pattern has room for a space: the text fits only if each part fits its own.
    return (
        type(order) is str
        and type(buyer) is str
        and type(sku) is str
        and _ORDER_BUYER_SKU.fullmatch(f"{order} {buyer} {sku}") is not None
    )


def sku(value: object, field: str = "sku") -> str:
    return _checked(
        SKU, value, field, "use 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', beginning with a letter or digit"
    )


def buyer(value: object, field: str = "buyer") -> str:
    return _checked(
        BUYER,
        value,
        field,
        "use 1 to 128 of A-Z, a-z, 0-9, '.', '_', '@', '+' and '-', beginning with a letter or digit",
    )


def order_id(value: object, field: str = "order") -> str:
    return _checked(
        ORDER_ID,
        value,
        field,
        "use SHARD-TOKEN: a number below 1000, '-', then 8 to 48 of A-Z, a-z, 0-9, '_' and '-'",
    )


def actor(value: object, field: str = "by") -> str:
    return _checked(
        ACTOR, value, field, "use 1 to 64 of A-Z, a-z, 0-9 and '._:@/+-', beginning with a letter or digit"
    )


def request_id(value: object, field: str = "request id") -> str:
    return _checked(
        REQUEST_ID,
        value,
        field,
        "use 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', beginning with a letter or digit",
    )


def trace_id(value: object, field: str = "trace id") -> str:
    return _checked(
        TRACE_ID,
        value,
        field,
        "use 32 of 0-9 and a-f, not all of them zero, as in a traceparent of W3C Trace Context",
    )


def quantity(value: object, field: str = "quantity", maximum: int = QUANTITY_MAX) -> int:
    """A whole number of units from 1 to `maximum`. `True`, `1.0`, `"1"` and NaN are refused, not converted."""
    if type(value) is not int or not 1 <= value <= maximum:
        raise BadInput(field, value, f"use a whole number from 1 to {maximum}")
    return value


def shard_of_order(order: str) -> int:
    """The shard that decided this order, read from the order id itself: no look-up is needed to route it."""
    return int(order.partition("-")[0])


def new_order_id(shard: int = 0) -> str:
    """A fresh random order id for one purchase. Keep it, and send it again with every retry of that purchase."""
    return f"{shard}-{_text(secrets.token_bytes(_DIGEST_BYTES))}"


def derived_order_id(sale: str, buyer: str, idempotency_key: str, shard: int = 0) -> str:
    """The order id of (sale, buyer, key): the same three give the same id on every machine, for ever."""
    digest = _DERIVING.copy()
    for text in (sale, buyer, idempotency_key):
        # An argument of the command line may hold what is no character: bytes that are not UTF-8.
        part = text.encode(errors="surrogatepass")
        # Lengths in front keep ("ab", "c") and ("a", "bc") apart.
        digest.update(len(part).to_bytes(4, "big") + part)
    return f"{shard}-{_text(digest.digest())}"


def _text(digest: bytes) -> str:
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _checked(pattern: re.Pattern[str], value: object, field: str, remedy: str) -> str:
    if type(value) is not str or pattern.fullmatch(value) is None:
        raise BadInput(field, value, remedy)
    return value
