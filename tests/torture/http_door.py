"""How a shop asks a gateway: every request over HTTP, and every answer held against what is documented."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import msgspec

from flashsale import ids
from flashsale.bench.http_wire import Reply, take
from flashsale.commands import Answer, Cancel, Code, Confirm, OrderRequest, Refund, Reserve
from flashsale.errors import UnknownOutcome
from flashsale.gateway import problems
from flashsale.gateway.operations import OPERATIONS, Operation
from flashsale.loadtest.target import Target, told

#: Whoever hears nothing for so long asks again: not as long as a gateway may need.
PATIENCE_S = 3.0
#: Of one shop, at once. More requests stand in line.
CONNECTIONS_MAX = 32
CHUNK_BYTES = 65_536
#: Why there was no answer, beside the problems that say so.
BROKEN, SILENT = "connection-broken", "no-answer-in-time"
#: An order was placed with a pass of the waiting room.
ADMITTED = "admitted"

#: What the operation is called that carries out each request, and what its answer says that it did.
_OPERATIONS = {operation.name: operation for operation in OPERATIONS}
_ASKED = {
    Reserve.SCRIPT: (_OPERATIONS["place_order"], Code.RESERVED),
    Confirm.SCRIPT: (_OPERATIONS["confirm_order"], Code.CONFIRMED),
    Cancel.SCRIPT: (_OPERATIONS["cancel_order"], Code.CANCELLED),
    Refund.SCRIPT: (_OPERATIONS["refund_order"], Code.REFUNDED),
}
_JOIN = _OPERATIONS["join_queue"]
#: What may be answered to requests in which nothing is wrong. Of the others, `internal` is a fault of the gateway.
_EXPECTED = frozenset(
    [
        problems.SOLD_OUT,
        problems.LIMIT_REACHED,
        problems.UNKNOWN_ORDER,
        problems.NOT_OPEN,
        problems.WRONG_STATE,
        problems.REFUND_DUE,
        problems.IDEMPOTENCY_KEY_REUSED,
        problems.TOO_MANY_REQUESTS,
        problems.PASS_REQUIRED,
        problems.TOO_SLOW,
        problems.UNKNOWN_OUTCOME,
        problems.UNAVAILABLE,
        problems.OVERLOADED,
        problems.HALTED,
    ]
)


class Undocumented(Exception):
    """An answer that no gateway may give."""


class HttpDoor:
    """Sends a shop's requests to `target`. `saw` is told why one has no answer, and of passes that were used."""

    def __init__(self, target: Target, saw: Callable[[str], object]) -> None:
        self._target, self._saw = target, saw
        #: order → the key with which it is placed
        self._keys: dict[str, str] = {}
        #: order → the pass that it comes with
        self._passes: dict[str, str] = {}
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._turn = asyncio.Semaphore(CONNECTIONS_MAX)

    def order_id(self, buyer: str, key: str) -> str:
        order = ids.derived_order_id(self._target.sale, buyer, key)
        self._keys[order] = key
        return order

    async def submit(self, sale: str, request: OrderRequest) -> Answer:
        """Raises `UnknownOutcome` and `Unreachable` as the library does, and `Undocumented`."""
        assert sale == self._target.sale
        operation, done = _ASKED[request.SCRIPT]
        reply = await self._answer(operation, self._content(request))
        found = told(reply, done)
        if not isinstance(found.answer, Answer):
            self._saw(str(found.answer))
            if isinstance(request, Reserve) and str(found.answer) == problems.PASS_REQUIRED.slug:
                await self._join(request)
            raise found.answer
        if found.answer.code is Code.RESERVED and request.order_id in self._passes:
            self._saw(ADMITTED)
        if found.order not in ("", request.order_id):
            raise Undocumented(f"{request} was answered for another order: {reply.body!r}")
        return found.answer

    async def _join(self, request: Reserve) -> None:
        """Take a place in the line; whoever was called has a pass afterwards."""
        with contextlib.suppress(UnknownOutcome):
            reply = await self._answer(_JOIN, self._target.join(request.buyer))
            stands = msgspec.json.decode(reply.body)
            if stands.get("state") == "admitted":
                self._passes[request.order_id] = stands["pass"]

    async def _answer(self, operation: Operation, content: bytes) -> Reply:
        """What the gateway says. Raises `UnknownOutcome` without an answer, and `Undocumented`."""
        try:
            async with self._turn, asyncio.timeout(PATIENCE_S):
                reply = await self._exchange(content)
        except (TimeoutError, OSError) as error:
            word = SILENT if isinstance(error, TimeoutError) else BROKEN
            self._saw(word)
            raise UnknownOutcome(word) from error
        require_documented(operation, reply)
        return reply

    def _content(self, request: OrderRequest) -> bytes:
        target, order = self._target, request.order_id
        match request:
            case Reserve():
                of_sku = target._replace(sku=request.sku)
                shown = self._passes.get(order, "")
                return of_sku.order(request.buyer, self._keys[order], request.quantity, shown)
            case Cancel():
                return target.cancel(order, request.buyer)
            case Refund():
                return target.refund(order, request.units)
            case Confirm():
                return target.confirm(order)
            case _:
                raise AssertionError(request)

    async def _exchange(self, content: bytes) -> Reply:
        """One request and its answer, on a connection of its own meanwhile. Raises `OSError` without one."""
        reader, writer = await self._connection()
        is_kept = False
        try:
            writer.write(content)
            data = b""
            while (found := take(data)) is None:
                piece = await reader.read(CHUNK_BYTES)
                if not piece:
                    raise ConnectionResetError("the connection ended before the answer came")
                data += piece
            reply, rest = found
            if rest:
                raise Undocumented(f"more than one answer: {rest!r}")
            is_kept = reply.header(b"connection") != b"close"
        finally:
            if is_kept:
                self._idle.append((reader, writer))
            else:
                await _hang_up(writer)
        return reply

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not (reader.at_eof() or writer.is_closing()):
                return reader, writer
            await _hang_up(writer)
        address = self._target.address
        return await asyncio.open_connection(address.host, address.port)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    # What ended it must be asked for, or asyncio logs it.
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def require_documented(operation: Operation, reply: Reply) -> None:
    """Raises `Undocumented` unless the answer is one of those that the operation may have."""
    try:
        if reply.status == operation.status:
            msgspec.json.decode(reply.body, type=operation.answer)
            return
        content = msgspec.json.decode(reply.body)
        kinds = {kind.type: kind for kind in operation.refusals if kind in _EXPECTED}
        if kinds[content["type"]].status == reply.status == content["status"]:
            return
    except (msgspec.MsgspecError, LookupError, TypeError):
        pass
    raise Undocumented(f"{operation.name} was answered {reply.status} {reply.body[:500]!r}")
