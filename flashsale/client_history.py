"""What clients asked and what they were told, written down as it happens, for `flashsale verify --history`.

One file is the history of one client: a `Header`, then an `Invoked` line before each request is sent and a `Returned`
line after its answer, one JSON object a line. A client that is killed leaves requests without an answer: their outcome
is unknown, which is the truth. Each line is handed to the operating system at once, so only the machine, not the
process, can lose it.

    with open_history("shop.jsonl", "shop-1") as history:
        op = history.invoked("mega-drop", request)
        try:
            answer = await client.submit("mega-drop", request)
        except Unreachable as error:
            history.returned(op, error)
        else:
            history.returned(op, answer)
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from os import PathLike
from pathlib import Path
from typing import Literal, Self

import msgspec

from flashsale import ids
from flashsale.commands import (
    ANY_BUYER,
    Answer,
    Cancel,
    Code,
    Confirm,
    OrderRequest,
    Refund,
    Reserve,
    Restock,
    SaleRequest,
)
from flashsale.errors import BadInput, UnknownOutcome, Unreachable

#: ok: done, and the position says where; refused: nothing was changed; unknown: done once, or not at all
Outcome = Literal["ok", "refused", "unknown"]

#: The requests that a history may hold → the words by which they are answered when they were done. One word may be
#: either: a sale is PAUSED for whoever pauses it and for whoever wants to buy.
DONE = {
    "load": {Code.LOADED},
    "open": {Code.OPENED},
    "pause": {Code.PAUSED},
    "resume": {Code.RESUMED},
    "close": {Code.CLOSED},
    "reconfigure": {Code.RECONFIGURED},
    "room": {Code.ROOM_SET},
    "restock": {Code.RESTOCKED},
    "reserve": {Code.RESERVED},
    "confirm": {Code.CONFIRMED, Code.REFUND_DUE},
    "cancel": {Code.CANCELLED},
    "refund": {Code.REFUNDED},
}
#: Why a request is refused that no script has decided: Redis was not reached, or refused to work.
UNREACHABLE = "UNREACHABLE"

VERSION = 1


class Header(msgspec.Struct, frozen=True, tag="history"):
    """The first line."""

    version: int
    #: its name in the log, where it has one there
    client: str
    #: which clock `at_ns` is of; times of two clocks cannot be compared
    clock: str


class Invoked(msgspec.Struct, frozen=True, tag="invoke", omit_defaults=True, gc=False):
    """A request is about to be sent. Fields that its command does not have are left out."""

    #: counts the requests of this file from 1
    op: int
    at_ns: int
    sale: str
    shard: int
    #: the script that decides it, a key of `DONE`
    command: str
    order_id: str = ""
    #: of a reservation; of another request where it said whose order it is
    buyer: str = ""
    sku: str = ""
    quantity: int = 0
    #: of a restock
    request_id: str = ""
    #: of a refund: restock or keep; of a restock: add or remove
    how: str = ""


class Returned(msgspec.Struct, frozen=True, tag="return", omit_defaults=True, gc=False):
    """What the client was told."""

    op: int
    at_ns: int
    outcome: Outcome
    #: the word of the answer; `UNREACHABLE`; "" when the outcome is unknown
    code: str = ""
    #: of the answer, epoch-seq; "" when it was not told, as over HTTP
    position: str = ""
    detail: str = ""
    #: of the answer to a repeat: the order's status
    status: str = ""


Line = Header | Invoked | Returned


def open_history(path: str | PathLike[str], client: str) -> HistoryWriter:
    """Begin the history of one client in a new file. Raises `BadInput` when there is one, or it cannot be made.

    `client` should be the name that the client has in the log (`by`).
    """
    ids.actor(client, "client")
    try:
        # Appending: two threads' lines never overwrite each other.
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError as error:
        raise BadInput("history", str(path), "it exists: name a new file for every client process") from error
    except OSError as error:
        raise BadInput("history", str(path), f"it cannot be written: {error.strerror}") from error
    return HistoryWriter(fd, client)


class HistoryWriter:
    """Appends to a history file. Threads may share one; processes each have their own."""

    def __init__(self, fd: int, client: str) -> None:
        self._fd = fd
        self._ops = itertools.count(1)
        #: lines stand in the order of their times, so that a reader need not sort them
        self._lock = threading.Lock()
        self._append(Header(VERSION, client, clock_name()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._fd)

    def invoked(self, sale: str, request: OrderRequest | SaleRequest, shard: int = 0) -> Invoked:
        """Note a request, before it is sent; `returned` wants what this returns.

        `shard` is for requests about a whole one. Raises `KeyError` for a command that is not in `DONE`.
        """
        with self._lock:
            invoked = _invoked(next(self._ops), time.monotonic_ns(), sale, request, shard)
            self._append(invoked)
        return invoked

    def returned(self, invoked: Invoked, result: Answer | BaseException) -> None:
        """Note an answer, or the exception that came instead of one. Each request returns once, or never."""
        with self._lock:
            self._append(_returned(invoked, time.monotonic_ns(), result))

    def _append(self, line: Line) -> None:
        rest = _encoder.encode(line) + b"\n"
        while rest:
            rest = rest[os.write(self._fd, rest) :]


_encoder = msgspec.json.Encoder()


def _invoked(op: int, at_ns: int, sale: str, request: OrderRequest | SaleRequest, shard: int) -> Invoked:
    command = type(request).SCRIPT
    if command not in DONE:
        raise KeyError(command)
    if isinstance(request, Reserve):
        shard = ids.shard_of_order(request.order_id)
        return Invoked(
            op, at_ns, sale, shard, command, request.order_id, request.buyer, request.sku, request.quantity
        )
    if isinstance(request, Confirm | Cancel | Refund):
        shard = ids.shard_of_order(request.order_id)
        buyer = "" if request.buyer == ANY_BUYER else request.buyer
        how = request.units if isinstance(request, Refund) else ""
        return Invoked(op, at_ns, sale, shard, command, request.order_id, buyer, how=how)
    if isinstance(request, Restock):
        return Invoked(
            op,
            at_ns,
            sale,
            shard,
            command,
            sku=request.sku,
            quantity=request.quantity,
            request_id=request.request_id,
            how=request.direction,
        )
    return Invoked(op, at_ns, sale, shard, command)


def _returned(invoked: Invoked, at_ns: int, result: Answer | BaseException) -> Returned:
    op = invoked.op
    if isinstance(result, Answer):
        outcome: Outcome = "ok" if result.code in DONE[invoked.command] else "refused"
        position = "" if result.position == ids.START else str(result.position)
        return Returned(op, at_ns, outcome, result.code, position, result.detail, result.status)
    if isinstance(result, Unreachable) and not isinstance(result, UnknownOutcome):
        return Returned(op, at_ns, "refused", UNREACHABLE)
    # Whatever else happened, it does not say that nothing was done.
    return Returned(op, at_ns, "unknown")


def clock_name() -> str:
    """Which clock `time.monotonic_ns` reads: all processes of a machine share it until the machine starts anew."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = "unknown boot"
    return f"{os.uname().nodename} {boot}"
