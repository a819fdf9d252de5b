"""Build a script call, sans IO: which script, which keys, which arguments. A client sends it and parses the reply."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from flashsale.commands.mend import Mend
from flashsale.commands.order import OrderRequest
from flashsale.commands.room import Admit, LineRequest
from flashsale.commands.sale import SaleRequest
from flashsale.ids import Position
from flashsale.keys import script_keys, shard_keys
from flashsale.scripts import Script, script

#: Requests in one script call. More amortise nothing further, and Redis serves nobody else meanwhile: measured about
#: 5 ms for 512 accepted reservations.
BATCH_MAX = 512

#: Stands for a request without a trace id where others of its batch have one: no trace id looks like this.
NO_TRACE = "0" * 32

#: Within one round: payments first, then what frees units, then new reservations.
ORDER_OF_KINDS = ("confirm", "cancel", "refund", "reserve")
#: The same of the waiting room: who leaves before who is called, and the call before those whom it is for.
LINE_KINDS = ("leave", "admit", "join", "stand")
#: Kinds whose requests travel alone.
ALONE = frozenset({"admit"})

#: What many callers ask at the same time, and one call decides.
BatchRequest = OrderRequest | LineRequest | Admit


class Call(NamedTuple):
    """One EVALSHA, ready to send."""

    script: Script
    keys: tuple[str, ...]
    arguments: tuple[str | int, ...]

    def command(self) -> tuple[str | int, ...]:
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.arguments)


def batch_size(kind: str, batch_max: int = BATCH_MAX) -> int:
    """How many requests of this kind one call may decide."""
    return 1 if kind in ALONE else batch_max


def plan(requests: Sequence[BatchRequest], batch_max: int = BATCH_MAX) -> list[list[int]]:
    """Split requests into batches of one kind, as indices into `requests`, in the order in which to send them.

    What frees units or settles money goes before new reservations: a unit given back in this round can be sold in it.
    Each kind keeps the order of its requests.
    """
    by_kind: dict[str, list[int]] = {name: [] for name in (*ORDER_OF_KINDS, *LINE_KINDS)}
    for index, request in enumerate(requests):
        by_kind[request.SCRIPT].append(index)
    return [
        indices[i : i + size]
        for kind, indices in by_kind.items()
        for size in [batch_size(kind, batch_max)]
        for i in range(0, len(indices), size)
    ]


def order_call(
    sale: str, shard: int, fence: Position | str, by: str, requests: Sequence[BatchRequest]
) -> Call:
    """One call for a batch of requests of the same kind; at most `BATCH_MAX` of them.

    `fence`: a position, or its text with the origin of the sale behind it.
    """
    arguments = (str(fence), by, *chain.from_iterable([request.arguments() for request in requests]))
    traces = [request.trace_id for request in requests]
    if any(traces):
        arguments += ("".join([trace or NO_TRACE for trace in traces]),)
    return _call(requests[0].SCRIPT, sale, shard, arguments)


def sale_call(sale: str, shard: int, fence: Position | str, by: str, request: SaleRequest) -> Call:
    return _call(request.SCRIPT, sale, shard, (str(fence), by, *request.arguments()))


def snapshot_call(sale: str, shard: int, *, everything: bool) -> Call:
    """`everything` includes orders, buyers and holds: Redis blocks about 1 ms per 1,000 orders."""
    return Call(script("snapshot"), shard_keys(sale, shard), ("all" if everything else "counters",))


def room_state_call(sale: str) -> Call:
    """The settings and counters of the waiting room."""
    return _call("roomstate", sale, 0, ())


def mend_call(
    shard: tuple[str, int],
    fence: Position | str,
    by: str,
    mends: Sequence[Mend],
    *,
    read: Position,
    mended: int,
) -> Call:
    """Put records back to what the log says. `read`: up to where the log was read; `mended`: as the snapshot had it."""
    head: tuple[str | int, ...] = (str(fence), by, str(read), mended)
    flat = (value for mend in mends for value in mend.arguments())
    return Call(script("mend"), shard_keys(*shard), (*head, *flat))


def _call(name: str, sale: str, shard: int, arguments: tuple[str | int, ...]) -> Call:
    chosen = script(name)
    return Call(chosen, script_keys(sale, shard, chosen.keys), arguments)
